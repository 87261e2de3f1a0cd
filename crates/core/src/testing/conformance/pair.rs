//! A network beside its reference.

use super::super::ReferenceNetwork;
use super::{Make, TOLERANCE};
use crate::network::{NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use crate::{ElementKind, Observation, ObservationBuffer, RandomStream};

/// A network beside its reference, and random numbers for both.
pub(super) struct Pair {
    pub(super) spec: NetworkSpec,
    pub(super) optimizer: OptimizerConfig,
    pub(super) network: Box<dyn QNetwork>,
    pub(super) reference: ReferenceNetwork,
    stream: RandomStream,
}

impl Pair {
    pub(super) fn new(make: Make<'_>, spec: &NetworkSpec, optimizer: OptimizerConfig) -> Self {
        let mut stream = RandomStream::new(7, "conformance", 0);
        let initial = spec.initial_parameters(&mut stream).unwrap_or_else(|error| panic!("{error}"));
        let (network, reference) =
            (make(spec, optimizer, &initial), ReferenceNetwork::new(spec, optimizer, &initial));
        assert_eq!(network.spec(), spec, "the network's specification");
        assert_eq!(network.layout(), reference.layout(), "the layout of {spec:?}");
        assert_eq!(network.gradient_steps(), 0, "gradient steps of a new network");
        for which in [Parameters::Online, Parameters::Target] {
            assert_eq!(network.parameters(which), initial, "{which:?} parameters of a new network");
        }
        Self { spec: spec.clone(), optimizer, network, reference, stream }
    }

    pub(super) fn numbers(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| 4.0 * self.stream.uniform_f32() - 2.0).collect()
    }

    pub(super) fn observations(&mut self, batch: usize) -> ObservationBuffer {
        let len = batch * self.spec.inputs();
        match self.spec.element {
            ElementKind::F32 => ObservationBuffer::F32(self.numbers(len)),
            ElementKind::U8 => {
                ObservationBuffer::U8((0..len).map(|_| self.stream.below(256) as u8).collect())
            }
        }
    }

    /// Gives both other target parameters than online ones.
    pub(super) fn move_target(&mut self) {
        let target = self.numbers(self.network.layout().len());
        self.network.set_parameters(Parameters::Target, &target);
        self.reference.set_parameters(Parameters::Target, &target);
    }

    /// A backward pass of both networks; gives the gradient by the outputs.
    pub(super) fn backward(&mut self, observation: Observation<'_>, batch: usize) -> Vec<f32> {
        let d_output = self.numbers(batch * self.spec.outputs());
        let mut output = vec![f32::NAN; d_output.len()];
        self.reference.forward_train(observation, &mut output);
        self.reference.backward(&d_output);
        self.network.forward_train(observation, &mut output);
        self.network.backward(&d_output);
        d_output
    }

    pub(super) fn compare_gradients(&self, what: &str) {
        let (found, expected) = (self.network.gradient(), self.reference.gradient());
        for tensor in self.reference.layout().tensors() {
            let what = format!("gradient of {} {what}", tensor.name);
            compare(&found[tensor.range()], &expected[tensor.range()], &what, &self.spec);
        }
    }

    /// One step of a regression on random values. Gives the outputs that were trained.
    pub(super) fn regress(&mut self, batch: usize, learning_rate: f32, norm: Option<f32>) {
        let observation = self.observations(batch);
        let aims = self.numbers(batch * self.spec.outputs());
        let Self { network, reference, .. } = self;
        regress(&mut **network, observation.as_observation(), &aims, learning_rate, norm);
        regress(reference, observation.as_observation(), &aims, learning_rate, norm);
    }
}

/// One step of a regression of `network` on `aims`; gives the outputs before it.
pub(super) fn regress(
    network: &mut dyn QNetwork,
    observation: Observation<'_>,
    aims: &[f32],
    learning_rate: f32,
    max_gradient_norm: Option<f32>,
) -> Vec<f32> {
    let mut output = vec![f32::NAN; aims.len()];
    network.forward_train(observation, &mut output);
    let share = 1.0 / aims.len() as f32;
    let d_output: Vec<f32> = output.iter().zip(aims).map(|(output, aim)| share * (output - aim)).collect();
    network.backward(&d_output);
    network.optimizer_step(learning_rate, max_gradient_norm);
    output
}

pub(super) fn compare(found: &[f32], expected: &[f32], what: &str, spec: &NetworkSpec) {
    assert_eq!(found.len(), expected.len(), "the length of {what} of {spec:?}");
    let greatest = expected.iter().fold(1e-6f64, |greatest, value| greatest.max(f64::from(value.abs())));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - f64::from(*expected)).abs();
        assert!(
            error <= TOLERANCE * greatest,
            "{what} of {spec:?}: element {place} is {found}, the reference has {expected}"
        );
    }
}

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
