//! A network as data: a list of layers.

use serde::{Deserialize, Serialize};

use super::layout::{ParameterLayout, ParameterTensor};
use crate::{ElementKind, RandomStream};

/// How the weights and biases of a layer begin. `fan_in` is its number of inputs, `fan_out` of its outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// Weights and biases uniform in ±1/√fan_in: what PyTorch's `Linear` does.
    #[default]
    FanInUniform,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), biases zero: what Keras' `Dense` does
    /// (Glorot & Bengio 2010).
    GlorotUniform,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerSpec {
    /// `y_i = x_i / by_i`: brings the elements of an observation to a common size.
    Divide {
        /// The divisors, one an input, none of them 0.
        by: Vec<f32>,
    },
    /// `y = W·x + b` with `W` of shape `[outputs, inputs]`.
    Linear {
        /// How many outputs there are.
        outputs: usize,
        /// How `W` and `b` begin.
        #[serde(default)]
        initialization: Initialization,
    },
    /// `y_i = max(x_i, 0)`.
    Relu,
}

/// A network: layers one after the other, from an observation to `[action][atom]` values.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// The type of an observation's elements.
    pub element: ElementKind,
    /// Elements of one observation.
    pub inputs: usize,
    /// Actions.
    pub actions: usize,
    /// Values an action: 1 for the expected return, more for a distribution.
    pub atoms: usize,
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
}

/// A network that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("network layer {layer}: {message}")]
pub struct SpecError {
    /// The number of the layer, counted from 0.
    pub layer: usize,
    /// What was found and what is allowed.
    pub message: String,
}

impl NetworkSpec {
    /// Fully connected layers of the widths `hidden` with ReLU between them and a linear last one.
    pub fn mlp(inputs: usize, hidden: &[usize], actions: usize, initialization: Initialization) -> Self {
        let mut layers = Vec::with_capacity(2 * hidden.len() + 1);
        for &outputs in hidden {
            layers.push(LayerSpec::Linear { outputs, initialization });
            layers.push(LayerSpec::Relu);
        }
        layers.push(LayerSpec::Linear { outputs: actions, initialization });
        Self { element: ElementKind::F32, inputs, actions, atoms: 1, layers }
    }

    /// The same network with its observations divided by `by` first.
    pub fn with_divided_observations(mut self, by: Vec<f32>) -> Self {
        self.layers.insert(0, LayerSpec::Divide { by });
        self
    }

    /// Values that one observation gives: `actions · atoms`.
    pub fn outputs(&self) -> usize {
        self.actions * self.atoms
    }

    /// Checks that the layers fit each other, and gives the number of inputs of each and of the end.
    ///
    /// # Errors
    /// [`SpecError`] naming the first layer that does not fit.
    pub fn widths(&self) -> Result<Vec<usize>, SpecError> {
        let fail = |layer, message| Err(SpecError { layer, message });
        let mut widths = vec![self.inputs];
        for (index, layer) in self.layers.iter().enumerate() {
            let inputs = widths[index];
            widths.push(match layer {
                LayerSpec::Divide { by } if by.len() != inputs => {
                    return fail(index, format!("divides {} elements, but gets {inputs}", by.len()));
                }
                LayerSpec::Divide { by } if by.iter().any(|by| !by.is_finite() || *by == 0.0) => {
                    return fail(index, "divides by 0 or by a value that is not a finite number".into());
                }
                LayerSpec::Linear { outputs: 0, .. } => {
                    return fail(index, "has 0 outputs; at least 1 is needed".into());
                }
                LayerSpec::Linear { outputs, .. } => *outputs,
                LayerSpec::Divide { .. } | LayerSpec::Relu => inputs,
            });
        }
        match widths.last() {
            Some(last) if *last == self.outputs() => Ok(widths),
            last => fail(
                self.layers.len().saturating_sub(1),
                format!(
                    "gives {} values, but {} actions with {} atoms need {}",
                    last.copied().unwrap_or(0),
                    self.actions,
                    self.atoms,
                    self.outputs()
                ),
            ),
        }
    }

    /// Names, shapes and places of the parameters in one flat vector, layer by layer, weight before bias.
    ///
    /// # Errors
    /// As [`widths`](Self::widths).
    pub fn layout(&self) -> Result<ParameterLayout, SpecError> {
        let widths = self.widths()?;
        let mut layout = ParameterLayout::default();
        for (index, layer) in self.layers.iter().enumerate() {
            if let LayerSpec::Linear { outputs, .. } = layer {
                layout.push(format!("layers.{index}.weight"), vec![*outputs, widths[index]]);
                layout.push(format!("layers.{index}.bias"), vec![*outputs]);
            }
        }
        Ok(layout)
    }

    /// First parameters, in the order of [`layout`](Self::layout).
    ///
    /// # Errors
    /// As [`widths`](Self::widths).
    pub fn initial_parameters(&self, stream: &mut RandomStream) -> Result<Vec<f32>, SpecError> {
        let widths = self.widths()?;
        let mut parameters = Vec::with_capacity(self.layout()?.len());
        for (index, layer) in self.layers.iter().enumerate() {
            if let LayerSpec::Linear { outputs, initialization } = layer {
                let (fan_in, fan_out) = (widths[index], *outputs);
                let bound = match initialization {
                    Initialization::FanInUniform => 1.0 / (fan_in as f32).sqrt(),
                    Initialization::GlorotUniform => (6.0 / (fan_in + fan_out) as f32).sqrt(),
                };
                let mut draw = || (2.0 * stream.uniform_f32() - 1.0) * bound;
                parameters.extend((0..fan_in * fan_out).map(|_| draw()));
                match initialization {
                    Initialization::FanInUniform => parameters.extend((0..fan_out).map(|_| draw())),
                    Initialization::GlorotUniform => parameters.resize(parameters.len() + fan_out, 0.0),
                }
            }
        }
        Ok(parameters)
    }

    /// Multiplications with an addition that one forward pass of one observation takes.
    pub fn multiply_adds(&self) -> usize {
        let tensors = self.layout().map(|layout| layout.tensors().to_vec()).unwrap_or_default();
        tensors.iter().filter(|tensor| tensor.shape.len() > 1).map(ParameterTensor::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mlp_has_pytorchs_shapes() {
        let spec = NetworkSpec::mlp(4, &[24, 24], 2, Initialization::FanInUniform);
        let layout = spec.layout().unwrap();
        let shapes: Vec<_> = layout.tensors().iter().map(|t| (t.name.as_str(), t.shape.clone())).collect();
        assert_eq!(shapes[0], ("layers.0.weight", vec![24, 4]));
        assert_eq!(shapes[5], ("layers.4.bias", vec![2]));
        assert_eq!(layout.len(), 4 * 24 + 24 + 24 * 24 + 24 + 24 * 2 + 2);
        assert_eq!(spec.multiply_adds(), 4 * 24 + 24 * 24 + 24 * 2);
    }

    #[test]
    fn layers_that_do_not_fit_are_named() {
        let mut spec = NetworkSpec::mlp(4, &[8], 2, Initialization::FanInUniform);
        spec.actions = 3;
        let error = spec.layout().unwrap_err().to_string();
        assert_eq!(error, "network layer 2: gives 2 values, but 3 actions with 1 atoms need 3");
        let spec = NetworkSpec::mlp(4, &[8], 2, Initialization::FanInUniform);
        let error = spec.with_divided_observations(vec![1.0, 0.0, 1.0, 1.0]).layout().unwrap_err();
        assert_eq!(error.layer, 0);
    }

    #[test]
    fn first_parameters_keep_their_bounds() {
        for (initialization, weight, bias) in [
            (Initialization::FanInUniform, 0.5, 0.5),
            (Initialization::GlorotUniform, (6.0f32 / 104.0).sqrt(), 0.0),
        ] {
            let spec = NetworkSpec::mlp(4, &[100], 2, initialization);
            let parameters = spec.initial_parameters(&mut RandomStream::new(1, "initialization", 0)).unwrap();
            let greatest = |range: std::ops::Range<usize>| {
                parameters[range].iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()))
            };
            assert!(greatest(0..400) <= weight && greatest(0..400) > 0.97 * weight);
            assert!(greatest(400..500) <= bias && greatest(400..500) >= 0.9 * bias);
        }
    }

    #[test]
    fn glorots_biases_are_zero_and_not_drawn() {
        let spec = NetworkSpec::mlp(4, &[10], 2, Initialization::GlorotUniform);
        let (mut stream, mut weights_only) =
            (RandomStream::new(1, "initialization", 0), RandomStream::new(1, "initialization", 0));
        let parameters = spec.initial_parameters(&mut stream).unwrap();
        for tensor in spec.layout().unwrap().tensors() {
            if tensor.name.ends_with("bias") {
                assert!(parameters[tensor.range()].iter().all(|bias| bias.to_bits() == 0), "{}", tensor.name);
            } else {
                for _ in tensor.range() {
                    weights_only.uniform_f32();
                }
            }
        }
        assert_eq!(stream.uniform_f32(), weights_only.uniform_f32());
    }
}
