//! The eligibility trace, and how far a step along it may go.

use std::ops::Range;

use crate::network::{LayerSpec, NetworkSpec, SpecError};
use crate::{StateError, StateReader, StateWriter};

/// Running sums over the trace, so that the additions need not wait for each other. A fixed number, so that the
/// result is the same on every processor.
const LANES: usize = 8;

/// The decaying sum of the gradients of the values of the actions taken, in the order of the network's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct EligibilityTrace {
    values: Vec<f32>,
    /// Parameters that are not trained.
    fixed: Vec<Range<usize>>,
}

impl EligibilityTrace {
    /// A trace of zeros for a network of `spec`. The parameters of its layer norms have none.
    ///
    /// # Errors
    /// Where the network cannot be.
    pub fn new(spec: &NetworkSpec) -> Result<Self, SpecError> {
        let layout = spec.layout()?;
        let mut fixed = vec![];
        spec.walk(&mut |at| {
            if matches!(at.layer, LayerSpec::LayerNorm { .. }) {
                let prefix = format!("layers.{}.", at.path);
                let own = layout.tensors().iter().filter(|tensor| tensor.name.starts_with(&prefix));
                fixed.extend(own.map(|tensor| tensor.range()));
            }
        })?;
        Ok(Self { values: vec![0.0; layout.len()], fixed })
    }

    /// The trace, in the order of the network's layout.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// `z ← decay·z + gradient`; gives `‖z‖₁`. The gradient of parameters that are not trained becomes 0.
    ///
    /// # Panics
    /// If the gradient is longer or shorter than the trace.
    pub fn accumulate(&mut self, decay: f32, gradient: &mut [f32]) -> f64 {
        assert_eq!(gradient.len(), self.values.len(), "a gradient of another network");
        for range in &self.fixed {
            gradient[range.clone()].fill(0.0);
        }
        let mut sums = [0.0f64; LANES];
        let (trace, trace_rest) = self.values.as_chunks_mut::<LANES>();
        let (gradient, gradient_rest) = gradient.as_chunks::<LANES>();
        for (trace, gradient) in trace.iter_mut().zip(gradient) {
            for lane in 0..LANES {
                trace[lane] = decay * trace[lane] + gradient[lane];
                sums[lane] += f64::from(trace[lane].abs());
            }
        }
        for ((trace, gradient), sum) in trace_rest.iter_mut().zip(gradient_rest).zip(&mut sums) {
            *trace = decay * *trace + gradient;
            *sum += f64::from(trace.abs());
        }
        sums.iter().sum()
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.tag("eligibility-trace");
        state.f32_slice(&self.values);
    }

    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("eligibility-trace")?;
        state.f32_slice("an eligibility trace", &mut self.values)
    }
}

/// The step size of ObGD for the error δ and a trace of the norm `‖z‖₁`: `α / max(α·κ·max(|δ|, 1)·‖z‖₁, 1)`.
///
/// The bound is that of a value that is linear in the weights, at the same observation: a step along the trace
/// then takes away at most `1/κ` of what an error of 1 or more is, and never overshoots where κ is 1 or more.
pub fn overshooting_bounded_step(step_size: f64, kappa: f64, error: f64, trace_norm: f64) -> f64 {
    let overshooting = step_size * kappa * error.abs().max(1.0) * trace_norm;
    step_size / overshooting.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Initialization;

    #[test]
    fn a_trace_is_the_decaying_sum_of_gradients() {
        // 19 parameters: two whole chunks and a rest.
        let spec = NetworkSpec::mlp(18, &[], 1, Initialization::FanInUniform);
        let mut trace = EligibilityTrace::new(&spec).unwrap();
        let gradient = |sign: f32| (0..19).map(|i| sign * (i as f32 - 9.0)).collect::<Vec<f32>>();
        assert_eq!(trace.accumulate(0.5, &mut gradient(1.0)), 90.0);
        assert_eq!(trace.values(), gradient(1.0));
        assert_eq!(trace.accumulate(0.5, &mut gradient(-1.0)), 45.0);
        assert_eq!(trace.values(), gradient(-0.5));
        trace.clear();
        assert_eq!(trace.accumulate(0.5, &mut gradient(0.0)), 0.0);
    }

    #[test]
    fn layer_norms_have_no_trace() {
        let norm = LayerSpec::LayerNorm { axes: Default::default(), epsilon: 1e-5 };
        let inside = vec![norm.clone(), LayerSpec::Relu, LayerSpec::linear(3)];
        let mut spec = NetworkSpec::mlp(2, &[3], 2, Initialization::FanInUniform);
        spec.layers.insert(1, norm);
        spec.layers.insert(2, LayerSpec::Residual { layers: inside });
        let mut trace = EligibilityTrace::new(&spec).unwrap();
        let layout = spec.layout().unwrap();
        trace.accumulate(1.0, &mut vec![1.0; layout.len()]);
        let mut untrained = vec![];
        for tensor in layout.tensors() {
            let values = &trace.values()[tensor.range()];
            let expected = if values[0] == 0.0 { 0.0 } else { 1.0 };
            assert!(values.iter().all(|value| *value == expected), "{}", tensor.name);
            if expected == 0.0 {
                untrained.push(tensor.name.as_str());
            }
        }
        let expected =
            ["layers.1.weight", "layers.1.bias", "layers.2.layers.0.weight", "layers.2.layers.0.bias"];
        assert_eq!(untrained, expected);
    }

    #[test]
    fn a_step_is_bounded() {
        // An error below 1 counts as 1; small traces leave the step as it is.
        assert_eq!(overshooting_bounded_step(1.0, 2.0, 0.5, 10.0), 1.0 / 20.0);
        assert_eq!(overshooting_bounded_step(1.0, 2.0, -3.0, 10.0), 1.0 / 60.0);
        assert_eq!(overshooting_bounded_step(0.01, 2.0, 1.0, 10.0), 0.01);
        assert_eq!(overshooting_bounded_step(1.0, 2.0, 1.0, 0.0), 1.0);
    }
}
