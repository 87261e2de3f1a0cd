//! A network beside its reference.

use super::super::ReferenceNetwork;
use super::{Make, NamedSpec, TOLERANCE};
use crate::network::{LayerSpec, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use crate::{ElementKind, Observation, ObservationBuffer, RandomStream};

/// Observations are drawn again that come nearer than this to where the reference has no slope: there rounding
/// decides which way the gradient of a right engine takes.
const LEAST_DISTANCE: f64 = 3e-5;

/// How often they are drawn again at most.
const DRAWS: usize = 30;

/// A network beside its reference, and random numbers for both.
pub(super) struct Pair {
    pub(super) named: NamedSpec,
    pub(super) optimizer: OptimizerConfig,
    pub(super) network: Box<dyn QNetwork>,
    pub(super) reference: ReferenceNetwork,
    stream: RandomStream,
    /// How often observations were drawn.
    draws: usize,
}

/// What a pass is given.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub(super) batch: usize,
    pub(super) observation: ObservationBuffer,
    /// Nothing for a network that takes none.
    pub(super) fractions: Vec<f32>,
    /// How many numbers the pass gives.
    pub(super) outputs: usize,
}

impl Inputs {
    pub(super) fn observation(&self) -> Observation<'_> {
        self.observation.as_observation()
    }

    /// What `network` gives for them.
    pub(super) fn forward(&self, network: &mut dyn QNetwork, which: Parameters) -> Vec<f32> {
        let mut output = vec![f32::NAN; self.outputs];
        match self.fractions.is_empty() {
            true => network.forward(which, self.observation(), &mut output),
            false => network.forward_at(which, self.observation(), &self.fractions, &mut output),
        }
        output
    }

    /// What `network` gives for them, to be followed by a backward pass.
    pub(super) fn forward_train(&self, network: &mut dyn QNetwork) -> Vec<f32> {
        let mut output = vec![f32::NAN; self.outputs];
        match self.fractions.is_empty() {
            true => network.forward_train(self.observation(), &mut output),
            false => network.forward_train_at(self.observation(), &self.fractions, &mut output),
        }
        output
    }
}

impl Pair {
    pub(super) fn new(make: Make<'_>, named: &NamedSpec, optimizer: OptimizerConfig) -> Self {
        let spec = &named.spec;
        let mut stream = RandomStream::new(7, "conformance", 0);
        let initial = spec.initial_parameters(&mut stream).unwrap_or_else(|error| panic!("{named}: {error}"));
        let (network, reference) =
            (make(spec, optimizer, &initial), ReferenceNetwork::new(spec, optimizer, &initial));
        assert_eq!(network.spec(), spec, "the network's specification");
        assert_eq!(network.layout(), reference.layout(), "the layout of {named}");
        assert_eq!(network.gradient_steps(), 0, "gradient steps of a new network");
        for which in [Parameters::Online, Parameters::Target] {
            assert_eq!(network.parameters(which), initial, "{which:?} parameters of a new network");
        }
        let named = named.clone();
        Self { named, optimizer, network, reference, stream, draws: 0 }
    }

    pub(super) fn numbers(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| 4.0 * self.stream.uniform_f32() - 2.0).collect()
    }

    /// A batch of observations away from where the online network has no slope, in turns with 1, 8 and 3
    /// fractions each where it takes any.
    pub(super) fn inputs(&mut self, batch: usize) -> Inputs {
        self.batch(batch, DRAWS)
    }

    /// As [`inputs`](Self::inputs), but from anywhere.
    pub(super) fn inputs_anywhere(&mut self, batch: usize) -> Inputs {
        self.batch(batch, 0)
    }

    fn batch(&mut self, batch: usize, redraws: usize) -> Inputs {
        self.draws += 1;
        let each = if self.named.spec.takes_fractions() { [3, 1, 8][self.draws % 3] } else { 0 };
        let outputs = batch * self.named.spec.outputs() * each.max(1);
        let mut observation = match self.named.spec.element {
            ElementKind::F32 => ObservationBuffer::F32(vec![]),
            ElementKind::U8 => ObservationBuffer::U8(vec![]),
        };
        let mut fractions = vec![];
        for _ in 0..batch {
            let row = self.row(each, redraws);
            match (&mut observation, row.observation) {
                (ObservationBuffer::F32(all), ObservationBuffer::F32(row)) => all.extend(row),
                (ObservationBuffer::U8(all), ObservationBuffer::U8(row)) => all.extend(row),
                _ => panic!("observations of two kinds"),
            }
            fractions.extend(row.fractions);
        }
        Inputs { batch, observation, fractions, outputs }
    }

    /// One observation with its fractions, of several the one farthest from where there is no slope.
    fn row(&mut self, each: usize, redraws: usize) -> Inputs {
        let mut best = self.drawn(each);
        for _ in 0..redraws {
            if self.distance(&best) > LEAST_DISTANCE {
                break;
            }
            let other = self.drawn(each);
            if self.distance(&other) > self.distance(&best) {
                best = other;
            }
        }
        best
    }

    fn distance(&self, row: &Inputs) -> f64 {
        self.reference.distance_to_kinks(row.observation(), &row.fractions)
    }

    fn drawn(&mut self, each: usize) -> Inputs {
        let len = self.named.spec.inputs();
        let observation = match self.named.spec.element {
            ElementKind::F32 => ObservationBuffer::F32(self.numbers(len)),
            ElementKind::U8 => {
                ObservationBuffer::U8((0..len).map(|_| self.stream.below(256) as u8).collect())
            }
        };
        let mut fractions: Vec<f32> = (0..each).map(|_| self.stream.uniform_f32()).collect();
        if let [first, _, .., last] = &mut fractions[..] {
            (*first, *last) = (0.0, 1.0);
        }
        Inputs { batch: 1, observation, fractions, outputs: self.named.spec.outputs() * each.max(1) }
    }

    /// Gives both other target parameters than online ones.
    pub(super) fn move_target(&mut self) {
        let target = self.numbers(self.network.layout().len());
        self.set_parameters(Parameters::Target, &target);
    }

    pub(super) fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        self.network.set_parameters(which, values);
        self.reference.set_parameters(which, values);
    }

    pub(super) fn new_noise(&mut self) -> Vec<f32> {
        let mut noise = vec![0.0; self.named.spec.noise_len()];
        NetworkSpec::draw_noise(&mut self.stream, &mut noise);
        noise
    }

    /// Gives both new noise, if they have noisy layers.
    pub(super) fn draw_noise(&mut self, which: Parameters) {
        let noise = self.new_noise();
        if !noise.is_empty() {
            self.set_noise(which, Some(&noise));
        }
    }

    pub(super) fn set_noise(&mut self, which: Parameters, noise: Option<&[f32]>) {
        self.network.set_noise(which, noise);
        self.reference.set_noise(which, noise);
    }

    /// Values with both sets of parameters agree.
    pub(super) fn compare_values(&mut self, inputs: &Inputs, when: &str) {
        for which in [Parameters::Target, Parameters::Online] {
            let found = inputs.forward(&mut *self.network, which);
            let expected = inputs.forward(&mut self.reference, which);
            let what = format!("{which:?} values of a batch of {} {when}", inputs.batch);
            compare(&found, &expected, &what, &self.named);
        }
    }

    /// Values of a pass to be followed by a backward pass agree.
    pub(super) fn compare_trained_values(&mut self, inputs: &Inputs, when: &str) {
        let found = inputs.forward_train(&mut *self.network);
        let expected = inputs.forward_train(&mut self.reference);
        let what = format!("trained values of a batch of {} {when}", inputs.batch);
        compare(&found, &expected, &what, &self.named);
    }

    /// A backward pass of both networks; gives the gradient by the outputs.
    pub(super) fn backward(&mut self, inputs: &Inputs) -> Vec<f32> {
        let d_output = self.numbers(inputs.outputs);
        inputs.forward_train(&mut self.reference);
        self.reference.backward(&d_output);
        inputs.forward_train(&mut *self.network);
        self.network.backward(&d_output);
        d_output
    }

    /// Gradients agree. A tensor's may be small because most of it cancels out between observations: it then is
    /// compared in the size of a tenth of the greatest of all.
    pub(super) fn compare_gradients(&self, when: &str) {
        let (found, expected) = (self.network.gradient(), self.reference.gradient());
        let least = 0.1 * greatest(&expected);
        for tensor in self.reference.layout().tensors() {
            let what = format!("gradient of {} {when}", tensor.name);
            let (found, expected) = (&found[tensor.range()], &expected[tensor.range()]);
            compare_to(found, expected, greatest(expected).max(least), &what, &self.named);
        }
    }

    /// One step of a regression on random values.
    pub(super) fn regress(&mut self, batch: usize, learning_rate: f32, norm: Option<f32>) {
        self.regress_given(batch, learning_rate, norm);
    }

    /// As [`regress`](Self::regress); gives what it was on.
    pub(super) fn regress_given(
        &mut self,
        batch: usize,
        learning_rate: f32,
        norm: Option<f32>,
    ) -> (Inputs, Vec<f32>) {
        let inputs = self.inputs(batch);
        let aims = self.numbers(inputs.outputs);
        let Self { network, reference, .. } = self;
        regress(&mut **network, &inputs, &aims, learning_rate, norm);
        regress(reference, &inputs, &aims, learning_rate, norm);
        (inputs, aims)
    }

    /// Gives filters with spectral normalisation a greatest singular value far above the others, so that the power
    /// iteration finds its vectors: where it has not, they are no constants, for which the gradient takes them.
    pub(super) fn spread_singular_values(&mut self) {
        let mut parameters = self.network.parameters(Parameters::Online);
        let mut names = vec![];
        let walked = self.named.spec.walk(&mut |at| {
            if let LayerSpec::Convolution { spectral_norm: true, .. } = at.layer {
                names.push(format!("layers.{}.weight", at.path));
            }
        });
        walked.unwrap_or_else(|error| panic!("{error}"));
        for tensor in self.network.layout().tensors().iter().filter(|tensor| names.contains(&tensor.name)) {
            let fan_in = tensor.len() / tensor.shape[0];
            let shift = 2.0 / (fan_in as f32).sqrt();
            parameters[tensor.range()].iter_mut().for_each(|weight| *weight += shift);
        }
        self.set_parameters(Parameters::Online, &parameters);
    }
}

/// One step of a regression of `network` on `aims`; gives the outputs before it.
pub(super) fn regress(
    network: &mut dyn QNetwork,
    inputs: &Inputs,
    aims: &[f32],
    learning_rate: f32,
    max_gradient_norm: Option<f32>,
) -> Vec<f32> {
    let output = inputs.forward_train(network);
    let share = 1.0 / aims.len() as f32;
    let d_output: Vec<f32> = output.iter().zip(aims).map(|(output, aim)| share * (output - aim)).collect();
    network.backward(&d_output);
    network.optimizer_step(learning_rate, max_gradient_norm);
    output
}

/// Numbers agree in the size of the greatest of them.
pub(super) fn compare(found: &[f32], expected: &[f32], what: &str, named: &NamedSpec) {
    compare_to(found, expected, greatest(expected), what, named);
}

fn greatest(values: &[f32]) -> f64 {
    values.iter().fold(1e-6, |greatest, value| greatest.max(f64::from(value.abs())))
}

fn compare_to(found: &[f32], expected: &[f32], size: f64, what: &str, named: &NamedSpec) {
    assert_eq!(found.len(), expected.len(), "the length of {what} of {named}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - f64::from(*expected)).abs();
        assert!(
            error <= TOLERANCE * size,
            "{what} of {named}: element {place} is {found}, the reference has {expected}"
        );
    }
}

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
