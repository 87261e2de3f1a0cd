//! Layers on vectors: each forward, and backward by hand.

use super::special::{logistic, normal_density, normal_distribution};
use crate::network::{LayerSpec, NormalizedAxes, Shape};

/// Gradients by what a layer with weights and biases was given, by its weights, and by its biases.
pub(super) struct Gradients {
    pub(super) x: Vec<f64>,
    pub(super) weight: Vec<f64>,
    pub(super) bias: Vec<f64>,
}

/// The value of an activation function and its slope.
pub(super) fn activation(layer: &LayerSpec, x: f64) -> (f64, f64) {
    match layer {
        // Comparisons so that NaN stays NaN.
        LayerSpec::Relu if x < 0.0 => (0.0, 0.0),
        LayerSpec::Relu => (x, if x > 0.0 { 1.0 } else { 0.0 }),
        LayerSpec::LeakyRelu { .. } if x > 0.0 || x.is_nan() => (x, 1.0),
        LayerSpec::LeakyRelu { slope } => (f64::from(*slope) * x, f64::from(*slope)),
        LayerSpec::Tanh => (x.tanh(), 1.0 - x.tanh() * x.tanh()),
        LayerSpec::Silu => (x * logistic(x), logistic(x) * (1.0 + x * (1.0 - logistic(x)))),
        LayerSpec::Gelu => (x * normal_distribution(x), normal_distribution(x) + x * normal_density(x)),
        other => panic!("{other:?} is no activation function"),
    }
}

/// `W·x + b`.
pub(super) fn linear(weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let row = |o: usize| &weight[o * x.len()..(o + 1) * x.len()];
    let dot = |row: &[f64]| -> f64 { row.iter().zip(x).map(|(w, x)| w * x).sum() };
    (0..bias.len()).map(|o| dot(row(o)) + bias[o]).collect()
}

/// Of [`linear`], from the gradient by what it gave.
pub(super) fn linear_backward(weight: &[f64], x: &[f64], d_y: &[f64]) -> Gradients {
    let inputs = x.len();
    let mut d = Gradients { x: vec![0.0; inputs], weight: vec![0.0; weight.len()], bias: d_y.to_vec() };
    for (o, d_y) in d_y.iter().enumerate() {
        for i in 0..inputs {
            d.weight[o * inputs + i] = d_y * x[i];
            d.x[i] += d_y * weight[o * inputs + i];
        }
    }
    d
}

/// `e_out·e_inᵀ` of noise that holds `e_in`, then `e_out`; and `e_out`.
pub(super) fn factorised_noise(noise: &[f64], inputs: usize) -> (Vec<f64>, Vec<f64>) {
    let (e_in, e_out) = noise.split_at(inputs);
    let products = e_out.iter().flat_map(|out| e_in.iter().map(move |input| out * input));
    (products.collect(), e_out.to_vec())
}

/// The elements that layer norm takes together: for each group, numbers of elements and of their parameters.
fn groups(axes: NormalizedAxes, input: Shape) -> Vec<Vec<(usize, usize)>> {
    match (axes, input) {
        (NormalizedAxes::Channels, Shape::Image { channels, height, width }) => {
            let places = height * width;
            (0..places).map(|place| (0..channels).map(|c| (c * places + place, c)).collect()).collect()
        }
        _ => vec![(0..input.len()).map(|i| (i, i)).collect()],
    }
}

/// The values of a group with a mean of 0 and a variance of nearly 1, and by what they were divided.
fn normalized(group: &[(usize, usize)], epsilon: f64, x: &[f64]) -> (Vec<f64>, f64) {
    let count = group.len() as f64;
    let mean = group.iter().map(|(i, _)| x[*i]).sum::<f64>() / count;
    let variance = group.iter().map(|(i, _)| (x[*i] - mean).powi(2)).sum::<f64>() / count;
    let deviation = (variance + epsilon).sqrt();
    (group.iter().map(|(i, _)| (x[*i] - mean) / deviation).collect(), deviation)
}

/// Layer norm over `axes` of `input`.
pub(super) fn layer_norm(
    (axes, epsilon, input): (NormalizedAxes, f64, Shape),
    weight: &[f64],
    bias: &[f64],
    x: &[f64],
) -> Vec<f64> {
    let mut y = vec![f64::NAN; x.len()];
    for group in groups(axes, input) {
        let (values, _) = normalized(&group, epsilon, x);
        for ((element, parameter), value) in group.iter().zip(values) {
            y[*element] = value * weight[*parameter] + bias[*parameter];
        }
    }
    y
}

/// Of [`layer_norm`], from the gradient by what it gave.
pub(super) fn layer_norm_backward(
    (axes, epsilon, input): (NormalizedAxes, f64, Shape),
    weight: &[f64],
    x: &[f64],
    d_y: &[f64],
) -> Gradients {
    let parameters = weight.len();
    let mut d =
        Gradients { x: vec![f64::NAN; x.len()], weight: vec![0.0; parameters], bias: vec![0.0; parameters] };
    for group in groups(axes, input) {
        let (values, deviation) = normalized(&group, epsilon, x);
        for ((element, parameter), value) in group.iter().zip(&values) {
            d.weight[*parameter] += d_y[*element] * value;
            d.bias[*parameter] += d_y[*element];
        }
        let d_values: Vec<f64> = group.iter().map(|(e, p)| d_y[*e] * weight[*p]).collect();
        let count = group.len() as f64;
        let mean = d_values.iter().sum::<f64>() / count;
        let along = d_values.iter().zip(&values).map(|(d, value)| d * value).sum::<f64>() / count;
        for (((element, _), d_value), value) in group.iter().zip(&d_values).zip(&values) {
            d.x[*element] = (d_value - mean - value * along) / deviation;
        }
    }
    d
}

/// `V[z] + A[a][z] − mean over a of A[a][z]`.
pub(super) fn dueling(value: &[f64], advantage: &[f64]) -> Vec<f64> {
    let atoms = value.len();
    let actions = advantage.len() / atoms;
    let mean = |z: usize| (0..actions).map(|a| advantage[a * atoms + z]).sum::<f64>() / actions as f64;
    (0..advantage.len()).map(|i| value[i % atoms] + advantage[i] - mean(i % atoms)).collect()
}

/// Of [`dueling`], from the gradient by what it gave: by the values and by the advantages.
pub(super) fn dueling_backward(atoms: usize, d_y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let actions = d_y.len() / atoms;
    let d_value: Vec<f64> = (0..atoms).map(|z| (0..actions).map(|a| d_y[a * atoms + z]).sum()).collect();
    let d_advantage = (0..d_y.len()).map(|i| d_y[i] - d_value[i % atoms] / actions as f64).collect();
    (d_value, d_advantage)
}

/// `cos(π·i·τ)` for `i` from 0.
pub(super) fn cosines(count: usize, fraction: f64) -> Vec<f64> {
    (0..count).map(|i| (std::f64::consts::PI * i as f64 * fraction).cos()).collect()
}
