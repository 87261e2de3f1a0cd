//! One layer in its place.

use std::borrow::Cow;
use std::ops::Range;

use super::chain::{Chain, Trace, Values};
use super::images::{self, Convolution};
use super::layers::{self, Gradients};
use super::spectral::Spectral;
use crate::network::{LayerSpec, Shape};

/// A layer with the places of its parameters and of its noise.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) layer: LayerSpec,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// Of each parameter tensor its last name and its place.
    pub(super) tensors: Vec<(String, Range<usize>)>,
    pub(super) noise: Range<usize>,
    pub(super) branches: Vec<Chain>,
}

impl Node {
    /// What it gives for `x`, from which its branches gave what they did.
    pub(super) fn forward(&self, values: &Values<'_>, x: &[f64], branches: &[Trace]) -> Vec<f64> {
        match &self.layer {
            LayerSpec::Divide { by } => x.iter().zip(by).map(|(x, by)| x / f64::from(*by)).collect(),
            LayerSpec::Linear { .. } | LayerSpec::NoisyLinear { .. } => {
                let (weight, bias) = self.weights(values);
                layers::linear(&weight, &bias, x)
            }
            LayerSpec::Relu
            | LayerSpec::LeakyRelu { .. }
            | LayerSpec::Tanh
            | LayerSpec::Silu
            | LayerSpec::Gelu => x.iter().map(|x| layers::activation(&self.layer, *x).0).collect(),
            LayerSpec::LayerNorm { axes, epsilon } => {
                let (weight, bias) = self.weights(values);
                layers::layer_norm((*axes, f64::from(*epsilon), self.input), &weight, &bias, x)
            }
            LayerSpec::Convolution { .. } => {
                let (weight, bias) = self.weights(values);
                self.convolution().forward(&weight, &bias, x)
            }
            LayerSpec::MaxPool { .. } | LayerSpec::AdaptiveMaxPool { .. } => {
                self.windows().iter().map(|window| x[images::greatest(window, x)]).collect()
            }
            LayerSpec::Residual { .. } => x.iter().zip(&branches[0].given).map(|(x, f)| x + f).collect(),
            LayerSpec::Flatten => x.to_vec(),
            LayerSpec::Dueling { .. } => layers::dueling(&branches[0].given, &branches[1].given),
            LayerSpec::CosineEmbedding { .. } => {
                let (embedding, _) = self.embedding(values);
                x.iter()
                    .zip(&embedding)
                    .map(|(x, e)| x * layers::activation(&LayerSpec::Relu, *e).0)
                    .collect()
            }
        }
    }

    /// Adds to `gradient` that by its parameters and those of its branches; gives that by `x`.
    pub(super) fn backward(
        &self,
        values: &Values<'_>,
        (x, branches): (&[f64], &[Trace]),
        d_y: Vec<f64>,
        gradient: &mut [f64],
    ) -> Vec<f64> {
        match &self.layer {
            LayerSpec::Divide { by } => d_y.iter().zip(by).map(|(d, by)| d / f64::from(*by)).collect(),
            LayerSpec::Linear { .. } | LayerSpec::NoisyLinear { .. } => {
                let (weight, _) = self.weights(values);
                let d = layers::linear_backward(&weight, x, &d_y);
                self.add(values, &d, gradient);
                d.x
            }
            LayerSpec::Relu
            | LayerSpec::LeakyRelu { .. }
            | LayerSpec::Tanh
            | LayerSpec::Silu
            | LayerSpec::Gelu => {
                d_y.iter().zip(x).map(|(d, x)| d * layers::activation(&self.layer, *x).1).collect()
            }
            LayerSpec::LayerNorm { axes, epsilon } => {
                let (weight, _) = self.weights(values);
                let norm = (*axes, f64::from(*epsilon), self.input);
                let d = layers::layer_norm_backward(norm, &weight, x, &d_y);
                self.add(values, &d, gradient);
                d.x
            }
            LayerSpec::Convolution { .. } => {
                let (weight, _) = self.weights(values);
                let d = self.convolution().backward(&weight, x, &d_y);
                self.add(values, &d, gradient);
                d.x
            }
            LayerSpec::MaxPool { .. } | LayerSpec::AdaptiveMaxPool { .. } => {
                let mut d_x = vec![0.0; x.len()];
                for (window, d) in self.windows().iter().zip(d_y) {
                    d_x[images::greatest(window, x)] += d;
                }
                d_x
            }
            LayerSpec::Residual { .. } => {
                let d_f = self.branches[0].backward(values, &branches[0], d_y.clone(), gradient);
                sum(&d_y, &d_f)
            }
            LayerSpec::Flatten => d_y,
            LayerSpec::Dueling { .. } => {
                let (d_value, d_advantage) = layers::dueling_backward(branches[0].given.len(), &d_y);
                let by_value = self.branches[0].backward(values, &branches[0], d_value, gradient);
                let by_advantage = self.branches[1].backward(values, &branches[1], d_advantage, gradient);
                sum(&by_value, &by_advantage)
            }
            LayerSpec::CosineEmbedding { .. } => self.embedding_backward(values, x, &d_y, gradient),
        }
    }

    /// How near `x` comes to a place without a slope.
    pub(super) fn distance_to_kinks(&self, values: &Values<'_>, x: &[f64]) -> f64 {
        let least = |distances: &mut dyn Iterator<Item = f64>| distances.fold(f64::INFINITY, f64::min);
        match &self.layer {
            LayerSpec::Relu | LayerSpec::LeakyRelu { .. } => least(&mut x.iter().map(|x| x.abs())),
            LayerSpec::CosineEmbedding { .. } => least(&mut self.embedding(values).0.iter().map(|e| e.abs())),
            LayerSpec::MaxPool { .. } | LayerSpec::AdaptiveMaxPool { .. } => {
                // Equal ones do not count: they are zeros that ReLUs gave, which have no slope.
                let distances = self.windows().into_iter().map(|window| {
                    let best = x[images::greatest(&window, x)];
                    least(&mut window.iter().map(|i| best - x[*i]).filter(|distance| *distance > 0.0))
                });
                least(&mut distances.into_iter())
            }
            _ => f64::INFINITY,
        }
    }

    fn tensor(&self, part: &str) -> Range<usize> {
        let found = self.tensors.iter().find(|(name, _)| name == part);
        found.unwrap_or_else(|| panic!("{:?} has no {part}", self.layer)).1.clone()
    }

    /// What the filters are divided by, where they are.
    fn spectral(&self, values: &Values<'_>) -> Option<Spectral> {
        match self.layer {
            LayerSpec::Convolution { channels, spectral_norm: true, .. } => {
                Some(Spectral::of(&values.parameters[self.tensor("weight")], channels))
            }
            _ => None,
        }
    }

    /// Weights and biases as they are used: with their noise, where there is any, or normalised.
    fn weights<'a>(&self, values: &Values<'a>) -> (Cow<'a, [f64]>, Cow<'a, [f64]>) {
        let parameters = values.parameters;
        let read = |part: &str| &parameters[self.tensor(part)];
        let noisy = |part: &str, noise_part: &str, noise: &[f64]| {
            let scaled: Vec<f64> = read(noise_part).iter().zip(noise).map(|(s, e)| s * e).collect();
            Cow::Owned(sum(read(part), &scaled))
        };
        match self.factorised_noise(values) {
            Some((e_weight, e_bias)) => {
                (noisy("weight", "weight_noise", &e_weight), noisy("bias", "bias_noise", &e_bias))
            }
            None => {
                let weight = match self.spectral(values) {
                    Some(spectral) => Cow::Owned(spectral.normalized(read("weight"))),
                    None => Cow::Borrowed(read("weight")),
                };
                (weight, Cow::Borrowed(read("bias")))
            }
        }
    }

    /// Adds gradients by weights and biases, and by the scales of their noise, to their places.
    fn add(&self, values: &Values<'_>, d: &Gradients, gradient: &mut [f64]) {
        let mut add = |part: &str, d: &mut dyn Iterator<Item = f64>| {
            gradient[self.tensor(part)].iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
        };
        match self.spectral(values) {
            Some(spectral) => {
                let weight = &values.parameters[self.tensor("weight")];
                add("weight", &mut spectral.gradient(weight, &d.weight).into_iter());
            }
            None => add("weight", &mut d.weight.iter().copied()),
        }
        add("bias", &mut d.bias.iter().copied());
        if let Some((e_weight, e_bias)) = self.factorised_noise(values) {
            add("weight_noise", &mut d.weight.iter().zip(&e_weight).map(|(d, e)| d * e));
            add("bias_noise", &mut d.bias.iter().zip(&e_bias).map(|(d, e)| d * e));
        }
    }

    /// What the scale of the noise is multiplied with, for each weight and each bias.
    fn factorised_noise(&self, values: &Values<'_>) -> Option<(Vec<f64>, Vec<f64>)> {
        match (&self.layer, values.noise) {
            (LayerSpec::NoisyLinear { .. }, Some(noise)) => {
                Some(layers::factorised_noise(&noise[self.noise.clone()], self.input.len()))
            }
            _ => None,
        }
    }

    fn convolution(&self) -> Convolution {
        let LayerSpec::Convolution { size, stride, padding, .. } = self.layer else {
            panic!("{:?} is no convolution", self.layer);
        };
        Convolution { size, stride, padding, input: self.input, output: self.output }
    }

    fn windows(&self) -> Vec<Vec<usize>> {
        images::windows(&self.layer, self.input, self.output)
    }

    /// What goes into the ReLU of a cosine embedding, and the cosines.
    fn embedding(&self, values: &Values<'_>) -> (Vec<f64>, Vec<f64>) {
        let (weight, bias) = self.weights(values);
        let fraction = values.fraction.unwrap_or_else(|| panic!("no fraction"));
        let cosines = layers::cosines(weight.len() / bias.len(), fraction);
        (layers::linear(&weight, &bias, &cosines), cosines)
    }

    fn embedding_backward(
        &self,
        values: &Values<'_>,
        x: &[f64],
        d_y: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let (embedding, cosines) = self.embedding(values);
        let relu: Vec<(f64, f64)> =
            embedding.iter().map(|e| layers::activation(&LayerSpec::Relu, *e)).collect();
        let d_embedding: Vec<f64> = (0..x.len()).map(|i| d_y[i] * x[i] * relu[i].1).collect();
        let (weight, _) = self.weights(values);
        self.add(values, &layers::linear_backward(&weight, &cosines, &d_embedding), gradient);
        (0..x.len()).map(|i| d_y[i] * relu[i].0).collect()
    }
}

fn sum(left: &[f64], right: &[f64]) -> Vec<f64> {
    assert_eq!(left.len(), right.len(), "lengths of what is added");
    left.iter().zip(right).map(|(left, right)| left + right).collect()
}
