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
    /// As many weights of each output as nine tenths of fan_in, rounded up, are 0, each choice of them equally likely;
    /// the others are uniform in ±1/√fan_in. Biases are 0 (Elsayed, Vasan & Mahmood 2024, arXiv 2410.14606, algorithm
    /// 1, for streaming reinforcement learning).
    ///
    /// Of fewer than 10 inputs that would be all of them, as it is in the authors' program; here one is left to each
    /// output.
    SparseUniform,
}

impl LayerSpec {
    /// Adds the first parameters of the layer itself, tensor after tensor.
    pub(super) fn push_initial_parameters(
        &self,
        input: Shape,
        stream: &mut RandomStream,
        parameters: &mut Vec<f32>,
    ) {
        let lengths: Vec<usize> = self.tensors(input).iter().map(|t| t.shape.iter().product()).collect();
        match (self, input) {
            (Self::Linear { initialization, .. } | Self::CosineEmbedding { initialization, .. }, _) => {
                let (fan_in, fan_out) = (lengths[0] / lengths[1], lengths[1]);
                initialization.push((fan_in, fan_out), (lengths[0], lengths[1]), stream, parameters);
            }
            (Self::Convolution { initialization, size, .. }, Shape::Image { channels, .. }) => {
                let places = size * size;
                let fans = (channels * places, lengths[1] * places);
                initialization.push(fans, (lengths[0], lengths[1]), stream, parameters);
            }
            (Self::NoisyLinear { noise, .. }, _) => {
                let bound = 1.0 / (input.len() as f32).sqrt();
                draw(stream, bound, lengths[0] + lengths[1], parameters);
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
        stream: &mut RandomStream,
        parameters: &mut Vec<f32>,
    ) {
        match self {
            Self::FanInUniform => draw(stream, 1.0 / (fan_in as f32).sqrt(), weights + biases, parameters),
            Self::GlorotUniform => {
                draw(stream, (6.0 / (fan_in + fan_out) as f32).sqrt(), weights, parameters);
                parameters.resize(parameters.len() + biases, 0.0);
            }
            Self::SparseUniform => {
                let begin = parameters.len();
                draw(stream, 1.0 / (fan_in as f32).sqrt(), weights, parameters);
                thin_out(fan_in, stream, &mut parameters[begin..]);
                parameters.resize(parameters.len() + biases, 0.0);
            }
        }
    }
}

/// Adds `count` numbers, uniform from −`bound` to `bound`.
fn draw(stream: &mut RandomStream, bound: f32, count: usize, parameters: &mut Vec<f32>) {
    parameters.extend((0..count).map(|_| (2.0 * stream.uniform_f32() - 1.0) * bound));
}

/// Sets nine tenths of the weights of each output to 0, rounded up, but never the last one. Drawn output by output, after all weights: the
/// first places of a shuffle (Fisher & Yates) of the inputs.
fn thin_out(fan_in: usize, stream: &mut RandomStream, weights: &mut [f32]) {
    let zeros = (9 * fan_in).div_ceil(10).min(fan_in.saturating_sub(1));
    let mut inputs: Vec<usize> = vec![];
    for row in weights.chunks_mut(fan_in) {
        inputs.clear();
        inputs.extend(0..fan_in);
        for place in 0..zeros {
            inputs.swap(place, place + stream.below(fan_in - place));
            row[inputs[place]] = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{InputShape, NetworkSpec};

    fn stream() -> RandomStream {
        RandomStream::new(1, "initialization", 0)
    }

    /// Of 25 inputs 23 are 0 and of 60 are 54, those of a convolution counted over channels and places.
    #[test]
    fn nine_tenths_of_each_outputs_weights_are_zero() {
        let initialization = Initialization::SparseUniform;
        let convolution = LayerSpec::Convolution {
            channels: 40,
            size: 5,
            stride: 1,
            padding: 0,
            initialization,
            spectral_norm: false,
        };
        let linear = |outputs| LayerSpec::Linear { outputs, initialization };
        let layers = vec![convolution, LayerSpec::Flatten, linear(30), linear(2)];
        let input = InputShape::ChannelsFirst { channels: 1, height: 5, width: 5 };
        let mut spec = NetworkSpec::mlp(1, &[], 2, initialization);
        (spec.input, spec.layers) = (input, layers);
        let parameters = spec.initial_parameters(&mut stream()).unwrap();
        let layout = spec.layout().unwrap();
        for (tensor, zeros) in layout.tensors().iter().step_by(2).zip([23, 36, 27]) {
            let fan_in = tensor.len() / tensor.shape[0];
            let bound = 1.0 / (fan_in as f32).sqrt();
            for row in parameters[tensor.range()].chunks(fan_in) {
                assert_eq!(row.iter().filter(|weight| **weight == 0.0).count(), zeros, "{}", tensor.name);
                assert!(row.iter().all(|weight| weight.abs() <= bound));
            }
        }
        for tensor in layout.tensors().iter().skip(1).step_by(2) {
            assert!(parameters[tensor.range()].iter().all(|bias| bias.to_bits() == 0), "{}", tensor.name);
        }
    }

    /// Of 1 to 10 inputs one is left to each output: nine tenths rounded up would be all of up to 9.
    #[test]
    fn no_output_is_left_without_an_input() {
        for fan_in in 1..=10 {
            let mut parameters = vec![];
            let counts = ((fan_in, 7), (7 * fan_in, 0));
            Initialization::SparseUniform.push(counts.0, counts.1, &mut stream(), &mut parameters);
            for row in parameters.chunks(fan_in) {
                assert_eq!(row.iter().filter(|weight| **weight != 0.0).count(), 1, "{fan_in} inputs");
            }
        }
    }

    /// Of 20 inputs 2 are left to each of 5,000 outputs: 500 times each, give or take, and each with any other.
    #[test]
    fn each_input_is_left_as_often() {
        let (fan_in, outputs) = (20, 5_000);
        let mut parameters = vec![];
        Initialization::SparseUniform.push(
            (fan_in, outputs),
            (fan_in * outputs, 0),
            &mut stream(),
            &mut parameters,
        );
        let (mut left, mut pairs) = (vec![0u32; fan_in], std::collections::BTreeSet::new());
        for row in parameters.chunks(fan_in) {
            let places: Vec<usize> = (0..fan_in).filter(|place| row[*place] != 0.0).collect();
            places.iter().for_each(|place| left[*place] += 1);
            pairs.insert(places);
        }
        let expected = 500.0;
        let chi_squared: f64 = left.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi_squared < 43.82, "p < 0.001 for 19 degrees of freedom: {left:?}");
        assert_eq!(pairs.len(), fan_in * (fan_in - 1) / 2);
    }

    /// What comes later does not depend on what was drawn for an output: so many draws belong to each.
    #[test]
    fn weights_are_drawn_before_the_zeros() {
        let mut sparse = vec![];
        let mut plain = vec![];
        Initialization::SparseUniform.push((12, 3), (36, 3), &mut stream(), &mut sparse);
        draw(&mut stream(), 1.0 / 12f32.sqrt(), 36, &mut plain);
        assert_eq!(sparse.len(), 39);
        let kept = sparse.iter().zip(&plain).filter(|(sparse, plain)| sparse == plain).count();
        // Of 12 inputs 11 are 0.
        assert_eq!(kept, 3);
    }
}
