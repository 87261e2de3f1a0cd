//! The eligibility trace, and how far a step along it may go.

use std::ops::Range;

use crate::network::{LayerSpec, QNetwork};
use crate::{StateError, StateReader, StateWriter};

/// Running sums over the trace, so that the additions need not wait for each other. A fixed number, so that the
/// result is the same on every processor.
const LANES: usize = 8;

/// The decaying sum of the gradients of the values of the actions taken, in the order of the network's engine.
#[derive(Clone, Debug, PartialEq)]
pub struct EligibilityTrace {
    values: Vec<f32>,
    /// Parameters that are not trained.
    fixed: Vec<Range<usize>>,
}

impl EligibilityTrace {
    /// A trace of zeros for `network`. The parameters of its layer norms have none.
    pub fn new(network: &dyn QNetwork) -> Self {
        let layout = network.layout();
        let mut marks = vec![0.0; layout.len()];
        let walked = network.spec().walk(&mut |at| {
            if matches!(at.layer, LayerSpec::LayerNorm { .. }) {
                let prefix = format!("layers.{}.", at.path);
                let own = layout.tensors().iter().filter(|tensor| tensor.name.starts_with(&prefix));
                own.for_each(|tensor| marks[tensor.range()].fill(1.0));
            }
        });
        walked.expect("the network was made from this spec");
        let mut ordered = vec![0.0; network.engine_len()];
        network.to_engine_order(&marks, &mut ordered);
        Self { fixed: marked(&ordered), values: vec![0.0; ordered.len()] }
    }

    /// The trace, in the order of the network's engine.
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

    /// Written in the layout's order, which every engine knows.
    pub(super) fn save_state(&self, network: &dyn QNetwork, state: &mut StateWriter) {
        let mut values = vec![0.0; network.layout().len()];
        network.to_layout_order(&self.values, &mut values);
        state.tag("eligibility-trace");
        state.f32_slice(&values);
    }

    pub(super) fn load_state(
        &mut self,
        network: &dyn QNetwork,
        state: &mut StateReader<'_>,
    ) -> Result<(), StateError> {
        state.tag("eligibility-trace")?;
        let mut values = vec![0.0; network.layout().len()];
        state.f32_slice("an eligibility trace", &mut values)?;
        network.to_engine_order(&values, &mut self.values);
        Ok(())
    }
}

/// The stretches of what is not 0.
fn marked(marks: &[f32]) -> Vec<Range<usize>> {
    let (mut ranges, mut start) = (vec![], 0);
    for stretch in marks.chunk_by(|one, next| one == next) {
        let end = start + stretch.len();
        if stretch[0] != 0.0 {
            ranges.push(start..end);
        }
        start = end;
    }
    ranges
}

/// The step size of ObGD for the error δ and a trace of the norm `‖z‖₁`: `α / max(α·κ·max(|δ|, 1)·‖z‖₁, 1)`.
///
/// The bound is that of a value that is linear in the weights and of features that are at most 1, as normalised ones
/// mostly are: a step along the trace then moves the value at any observation by at most `1/κ`, and with κ at 1 or more
/// no error of 1 or more is overshot. Where features are larger it may be.
pub fn overshooting_bounded_step(step_size: f64, kappa: f64, error: f64, trace_norm: f64) -> f64 {
    let overshooting = step_size * kappa * error.abs().max(1.0) * trace_norm;
    step_size / overshooting.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Initialization, NetworkSpec, OptimizerConfig};
    use crate::testing::ReferenceNetwork;

    fn trace_of(spec: &NetworkSpec) -> EligibilityTrace {
        let zeros = vec![0.0; spec.layout().unwrap().len()];
        EligibilityTrace::new(&ReferenceNetwork::new(spec, OptimizerConfig::default(), &zeros))
    }

    #[test]
    fn stretches_end_where_the_marks_do() {
        assert_eq!(marked(&[1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]), [0..2, 3..4, 6..7]);
        assert_eq!(marked(&[0.0, 1.0, 0.0, 1.0]), [1..2, 3..4]);
        assert!(marked(&[0.0; 3]).is_empty() && marked(&[]).is_empty());
    }

    #[test]
    fn a_trace_is_the_decaying_sum_of_gradients() {
        // 19 parameters: two whole chunks and a rest.
        let spec = NetworkSpec::mlp(18, &[], 1, Initialization::FanInUniform);
        let mut trace = trace_of(&spec);
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
        let mut trace = trace_of(&spec);
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
