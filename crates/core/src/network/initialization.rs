//! How parameters begin.

use serde::{Deserialize, Serialize};

use super::layer::{LayerSpec, Shape};
use crate::RandomStream;

/// How the weights and biases of a layer begin. `fan_in` is its number of inputs, `fan_out` of its outputs, for a
/// convolution times the places of a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// Weights and biases uniform in ±1/√fan_in: what PyTorch's `Linear` and `Conv2d` do.
    #[default]
    FanInUniform,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), biases zero: what Keras' `Dense` does
    /// (Glorot & Bengio 2010).
    GlorotUniform,
}

impl LayerSpec {
    /// Adds the first parameters of the layer itself, tensor after tensor.
    pub(super) fn push_initial_parameters(
        &self,
        input: Shape,
        stream: &mut RandomStream,
        parameters: &mut Vec<f32>,
    ) {
        let mut draw = |bound: f32, count: usize, parameters: &mut Vec<f32>| {
            parameters.extend((0..count).map(|_| (2.0 * stream.uniform_f32() - 1.0) * bound));
        };
        let lengths: Vec<usize> = self.tensors(input).iter().map(|t| t.shape.iter().product()).collect();
        match (self, input) {
            (Self::Linear { initialization, .. } | Self::CosineEmbedding { initialization, .. }, _) => {
                let (fan_in, fan_out) = (lengths[0] / lengths[1], lengths[1]);
                initialization.push((fan_in, fan_out), (lengths[0], lengths[1]), &mut draw, parameters);
            }
            (Self::Convolution { initialization, size, .. }, Shape::Image { channels, .. }) => {
                let places = size * size;
                let fans = (channels * places, lengths[1] * places);
                initialization.push(fans, (lengths[0], lengths[1]), &mut draw, parameters);
            }
            (Self::NoisyLinear { noise, .. }, _) => {
                let bound = 1.0 / (input.len() as f32).sqrt();
                draw(bound, lengths[0] + lengths[1], parameters);
                parameters.resize(parameters.len() + lengths[2] + lengths[3], noise * bound);
            }
            (Self::LayerNorm { .. }, _) => {
                parameters.resize(parameters.len() + lengths[0], 1.0);
                parameters.resize(parameters.len() + lengths[1], 0.0);
            }
            _ => {}
        }
    }
}

impl Initialization {
    fn push(
        self,
        (fan_in, fan_out): (usize, usize),
        (weights, biases): (usize, usize),
        draw: &mut dyn FnMut(f32, usize, &mut Vec<f32>),
        parameters: &mut Vec<f32>,
    ) {
        match self {
            Self::FanInUniform => draw(1.0 / (fan_in as f32).sqrt(), weights + biases, parameters),
            Self::GlorotUniform => {
                draw((6.0 / (fan_in + fan_out) as f32).sqrt(), weights, parameters);
                parameters.resize(parameters.len() + biases, 0.0);
            }
        }
    }
}
