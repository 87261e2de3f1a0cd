//! From a network as data to layers with a place for their parameters.

use deepq_core::network::{LayerSpec, NetworkSpec, ParameterLayout, SpecError};

use crate::aligned::LINE;
use crate::kernels::Dense;

/// What this engine makes of a [`NetworkSpec`].
#[derive(Debug)]
pub(crate) struct Plan {
    /// What each input is divided by before the first layer.
    pub(crate) divisors: Option<Vec<f32>>,
    pub(crate) layers: Vec<Dense>,
    pub(crate) layout: ParameterLayout,
}

impl Plan {
    /// # Errors
    /// Where the layers do not fit each other, or this engine has no such layer at such a place.
    pub(crate) fn new(spec: &NetworkSpec) -> Result<Self, SpecError> {
        let mut widths = vec![];
        spec.walk(&mut |at| widths.push(at.input.len()))?;
        let layout = spec.layout()?;
        let fail = |layer: usize, message: &str| {
            Err(SpecError { layer: layer.to_string(), message: message.to_string() })
        };
        let mut plan = Self { divisors: None, layers: Vec::new(), layout };
        for (index, layer) in spec.layers.iter().enumerate() {
            match layer {
                LayerSpec::Divide { by } if index == 0 => plan.divisors = Some(by.clone()),
                LayerSpec::Divide { .. } => {
                    return fail(index, "is a division; the CPU engine allows one only as the first layer");
                }
                LayerSpec::Linear { outputs, .. } => {
                    let offset = plan.end();
                    plan.layers.push(Dense::new(widths[index], *outputs, offset));
                }
                LayerSpec::Relu => match plan.layers.last_mut() {
                    Some(layer) => layer.rectified = true,
                    None => {
                        return fail(index, "is a ReLU; the CPU engine allows it only after a linear layer");
                    }
                },
                _ => return fail(index, "is of a kind that the CPU engine has not got"),
            }
        }
        match plan.layers.is_empty() {
            true => fail(spec.layers.len(), "is missing: a network needs at least one linear layer"),
            false => Ok(plan),
        }
    }

    /// The length of a flat vector with this engine's padding: whole cache lines, and at least half a line behind
    /// the last row, since the last vector of a row may reach that far.
    pub(crate) fn padded_len(&self) -> usize {
        (self.end() + LINE / 2).next_multiple_of(LINE)
    }

    /// Where the next layer's parameters would begin.
    fn end(&self) -> usize {
        self.layers.last().map_or(0, Dense::end)
    }

    /// From this engine's padded order to the layout's.
    pub(crate) fn canonical(&self, padded: &[f32]) -> Vec<f32> {
        let mut values = vec![0.0; self.layout.len()];
        self.for_each_place(|canonical, place| values[canonical] = padded[place]);
        values
    }

    /// From the layout's order to this engine's. The padding stays as it is.
    pub(crate) fn take_canonical(&self, values: &[f32], padded: &mut [f32]) {
        self.for_each_place(|canonical, place| padded[place] = values[canonical]);
    }

    /// Calls `visit` with every parameter's place in the layout and in the padded vector.
    fn for_each_place(&self, mut visit: impl FnMut(usize, usize)) {
        for (layer, tensors) in self.layers.iter().zip(self.layout.tensors().chunks_exact(2)) {
            for output in 0..layer.outputs {
                for input in 0..layer.inputs {
                    let canonical = tensors[0].offset + output * layer.inputs + input;
                    visit(canonical, layer.offset + input * layer.stride + output);
                }
                let bias = layer.offset + layer.inputs * layer.stride + output;
                visit(tensors[1].offset + output, bias);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepq_core::network::Initialization;

    #[test]
    fn parameters_come_back_from_the_padded_order() {
        let spec = NetworkSpec::mlp(3, &[17, 128], 5, Initialization::FanInUniform);
        let plan = Plan::new(&spec).unwrap();
        let values: Vec<f32> = (0..plan.layout.len()).map(|index| index as f32 + 1.0).collect();
        let mut padded = vec![0.0; plan.padded_len()];
        plan.take_canonical(&values, &mut padded);
        assert_eq!(plan.canonical(&padded), values);
        let taken = padded.iter().filter(|value| **value != 0.0).count();
        assert_eq!(taken, values.len(), "every parameter has a place of its own");
        assert!(plan.padded_len().is_multiple_of(16));
    }

    #[test]
    fn what_the_engine_has_not_got_is_named() {
        let mut spec = NetworkSpec::mlp(2, &[4], 2, Initialization::FanInUniform);
        spec.layers.insert(0, LayerSpec::Relu);
        assert_eq!(Plan::new(&spec).unwrap_err().layer, "0");
        spec.layers[0] = LayerSpec::Divide { by: vec![1.0; 2] };
        assert!(Plan::new(&spec).is_ok());
        spec.layers.insert(1, LayerSpec::Divide { by: vec![1.0; 2] });
        assert_eq!(Plan::new(&spec).unwrap_err().layer, "1");
        spec.layers.clear();
        assert!(Plan::new(&spec).is_err());
        spec.input = deepq_core::network::InputShape::Vector { len: 0 };
        assert!(Plan::new(&spec).is_err());
    }
}
