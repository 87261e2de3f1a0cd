//! What every network engine must do.
//!
//! ```
//! use deepq_core::testing::{ReferenceNetwork, conformance};
//!
//! conformance::run(|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)));
//! ```
//!
//! Bytes count as 0 to 1: they are divided by 255 before the first layer.
//!
//! Each function takes a `make` that gives a network with the given first parameters, online and target, and
//! panics where the network does not do what [`QNetwork`] says. Networks are fully connected, of widths that
//! fill no vector unit evenly and widths that do, with a division of the observations before the first layer or
//! not, and with observations of numbers or bytes.

use super::{ReferenceNetwork, ReferencePass};
use crate::network::{
    EpsilonForm, Initialization, LayerSpec, NetworkSpec, OptimizerConfig, Parameters, QNetwork,
};
use crate::{ElementKind, Observation, ObservationBuffer, RandomStream, StateReader, StateWriter};

/// Batch sizes in an order in which buffers grow and shrink.
const BATCHES: [usize; 8] = [17, 64, 1, 3, 63, 64, 1, 17];

/// An `f32` engine may be off by this share of the greatest value of a tensor.
const TOLERANCE: f64 = 2e-5;

/// Runs every check below.
///
/// # Panics
/// Where one of them fails.
pub fn run(make: impl Fn(&NetworkSpec, OptimizerConfig, &[f32]) -> Box<dyn QNetwork>) {
    values_and_gradients(&make);
    gradients_are_differences(&make);
    a_forward_between_disturbs_nothing(&make);
    not_a_number_is_not_hidden(&make);
    trajectory(&make);
    target_updates(&make);
    state_round_trip(&make);
    damaged_state(&make);
    lengths_are_checked(&make);
}

/// Makes a network from a specification, an optimiser and first parameters.
pub type Make<'a> = &'a dyn Fn(&NetworkSpec, OptimizerConfig, &[f32]) -> Box<dyn QNetwork>;

/// The networks that the checks are run on.
pub fn specs() -> Vec<NetworkSpec> {
    let mlp = |inputs, hidden: &[usize], outputs| {
        NetworkSpec::mlp(inputs, hidden, outputs, Initialization::FanInUniform)
    };
    let linear = |outputs| LayerSpec::Linear { outputs, initialization: Initialization::GlorotUniform };
    let mut two_linear = mlp(3, &[17], 2);
    two_linear.layers = vec![linear(17), linear(2)];
    let mut rectified = mlp(5, &[9], 4);
    rectified.layers.push(LayerSpec::Relu);
    let mut atoms = mlp(4, &[17], 6);
    (atoms.actions, atoms.atoms) = (2, 3);
    let mut bytes = mlp(12, &[17, 3], 3);
    bytes.element = ElementKind::U8;
    let divisors = (0..63).map(|i| 0.5 + i as f32 / 16.0).collect();
    vec![
        mlp(4, &[24, 24], 2),
        mlp(1, &[1], 1),
        mlp(1, &[3, 1], 2),
        mlp(3, &[17, 63], 3),
        mlp(17, &[], 5),
        mlp(63, &[63, 17], 1).with_divided_observations(divisors),
        mlp(4, &[64, 64], 2).with_divided_observations(vec![2.4, 2.5, 0.21, -2.5]),
        two_linear,
        rectified,
        atoms,
        bytes,
    ]
}

/// A network beside its reference, and random numbers for both.
struct Pair {
    spec: NetworkSpec,
    optimizer: OptimizerConfig,
    network: Box<dyn QNetwork>,
    reference: ReferenceNetwork,
    stream: RandomStream,
}

impl Pair {
    fn new(make: Make<'_>, spec: &NetworkSpec, optimizer: OptimizerConfig) -> Self {
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

    fn numbers(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| 4.0 * self.stream.uniform_f32() - 2.0).collect()
    }

    fn observations(&mut self, batch: usize) -> ObservationBuffer {
        let len = batch * self.spec.inputs();
        match self.spec.element {
            ElementKind::F32 => ObservationBuffer::F32(self.numbers(len)),
            ElementKind::U8 => {
                ObservationBuffer::U8((0..len).map(|_| self.stream.below(256) as u8).collect())
            }
        }
    }

    /// Gives both other target parameters than online ones.
    fn move_target(&mut self) {
        let target = self.numbers(self.network.layout().len());
        self.network.set_parameters(Parameters::Target, &target);
        self.reference.set_parameters(Parameters::Target, &target);
    }

    /// A backward pass of both networks; gives the gradient by the outputs.
    fn backward(&mut self, observation: Observation<'_>, batch: usize) -> Vec<f32> {
        let d_output = self.numbers(batch * self.spec.outputs());
        let mut output = vec![f32::NAN; d_output.len()];
        self.reference.forward_train(observation, &mut output);
        self.reference.backward(&d_output);
        self.network.forward_train(observation, &mut output);
        self.network.backward(&d_output);
        d_output
    }

    fn compare_gradients(&self, what: &str) {
        let (found, expected) = (self.network.gradient(), self.reference.gradient());
        for tensor in self.reference.layout().tensors() {
            let what = format!("gradient of {} {what}", tensor.name);
            compare(&found[tensor.range()], &expected[tensor.range()], &what, &self.spec);
        }
    }

    /// One step of a regression on random values. Gives the outputs that were trained.
    fn regress(&mut self, batch: usize, learning_rate: f32, norm: Option<f32>) {
        let observation = self.observations(batch);
        let aims = self.numbers(batch * self.spec.outputs());
        let Self { network, reference, .. } = self;
        regress(&mut **network, observation.as_observation(), &aims, learning_rate, norm);
        regress(reference, observation.as_observation(), &aims, learning_rate, norm);
    }
}

/// One step of a regression of `network` on `aims`; gives the outputs before it.
fn regress(
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

fn compare(found: &[f32], expected: &[f32], what: &str, spec: &NetworkSpec) {
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

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Values with either set of parameters, and gradients, agree with the reference for batches of every size.
///
/// # Panics
/// Where they do not.
pub fn values_and_gradients(make: Make<'_>) {
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        pair.move_target();
        for batch in BATCHES {
            let buffer = pair.observations(batch);
            let observation = buffer.as_observation();
            let mut found = vec![f32::NAN; batch * spec.outputs()];
            let mut expected = found.clone();
            for which in [Parameters::Target, Parameters::Online] {
                pair.network.forward(which, observation, &mut found);
                pair.reference.forward(which, observation, &mut expected);
                compare(&found, &expected, &format!("{which:?} values of a batch of {batch}"), &spec);
            }
            found.fill(f32::NAN);
            pair.network.forward_train(observation, &mut found);
            compare(&found, &expected, &format!("trained values of a batch of {batch}"), &spec);
            pair.backward(observation, batch);
            pair.compare_gradients(&format!("for a batch of {batch}"));
        }
    }
}

/// Gradients agree with central differences of the reference's values, which share no code with its gradients.
///
/// # Panics
/// Where they do not.
pub fn gradients_are_differences(make: Make<'_>) {
    const STEP: f64 = 1e-6;
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        let buffer = pair.observations(3);
        let d_output = pair.backward(buffer.as_observation(), 3);
        let x: Vec<f64> = match &buffer {
            ObservationBuffer::F32(values) => values.iter().map(|x| f64::from(*x)).collect(),
            ObservationBuffer::U8(values) => values.iter().map(|x| f64::from(*x) / 255.0).collect(),
        };
        let gradient = pair.network.gradient();
        let greatest = gradient.iter().fold(1e-6f32, |greatest, value| greatest.max(value.abs()));
        let mut parameters: Vec<f64> =
            pair.network.parameters(Parameters::Online).iter().map(|p| f64::from(*p)).collect();
        let total = |parameters: &[f64]| -> f64 {
            let pass =
                ReferencePass { spec: &spec, parameters, noise: None, observation: &x, fractions: &[] };
            let values = pass.forward();
            values.iter().zip(&d_output).map(|(value, d)| value * f64::from(*d)).sum()
        };
        // At most 150 of them, the first and the last tensor included.
        let stride = parameters.len().div_ceil(150);
        for place in (0..parameters.len()).rev().step_by(stride) {
            let value = parameters[place];
            parameters[place] = value + STEP;
            let up = total(&parameters);
            parameters[place] = value - STEP;
            let down = total(&parameters);
            parameters[place] = value;
            let (found, difference) = (f64::from(gradient[place]), (up - down) / (2.0 * STEP));
            assert!(
                (found - difference).abs() <= TOLERANCE * f64::from(greatest),
                "the gradient by parameter {place} of {spec:?} is {found}, differences give {difference}"
            );
        }
    }
}

/// `forward` with either set of parameters and a batch of another size between `forward_train` and `backward`
/// changes no bit of the gradient.
///
/// # Panics
/// Where it does.
pub fn a_forward_between_disturbs_nothing(make: Make<'_>) {
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        pair.move_target();
        let observation = pair.observations(17);
        let d_output = pair.numbers(17 * spec.outputs());
        let mut output = vec![f32::NAN; d_output.len()];
        pair.network.forward_train(observation.as_observation(), &mut output);
        pair.network.backward(&d_output);
        let undisturbed = pair.network.gradient();
        for (which, batch) in [(Parameters::Online, 64), (Parameters::Target, 3), (Parameters::Target, 17)] {
            let between = pair.observations(batch);
            let mut ignored = vec![f32::NAN; batch * spec.outputs()];
            pair.network.forward_train(observation.as_observation(), &mut output);
            pair.network.forward(which, between.as_observation(), &mut ignored);
            pair.network.backward(&d_output);
            let found = pair.network.gradient();
            assert_eq!(
                bits(&found),
                bits(&undisturbed),
                "the gradient of {spec:?} with a forward ({which:?}, {batch} observations) between"
            );
        }
    }
}

/// An observation that is not a number gives values that are none, through every ReLU: a run that has gone
/// wrong must not look as if it had not.
///
/// # Panics
/// Where a value is a number.
pub fn not_a_number_is_not_hidden(make: Make<'_>) {
    for spec in specs().into_iter().filter(|spec| spec.element == ElementKind::F32) {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        for batch in [1, 17] {
            let observation = vec![f32::NAN; batch * spec.inputs()];
            let mut output = vec![0.0; batch * spec.outputs()];
            pair.network.forward(Parameters::Online, Observation::F32(&observation), &mut output);
            assert!(output.iter().all(|value| value.is_nan()), "values of {spec:?} at NaN: {output:?}");
            output.fill(0.0);
            pair.network.forward_train(Observation::F32(&observation), &mut output);
            assert!(output.iter().all(|value| value.is_nan()), "values of {spec:?} at NaN: {output:?}");
        }
    }
}

/// The optimisers that the checks use: every one of them, and every switch on and off. Where epsilon is added to
/// a root it is large, so that the sign of a gradient that is 0 but for rounding decides nothing.
pub fn optimizers() -> Vec<OptimizerConfig> {
    let (beta1, beta2, epsilon, weight_decay) = (0.8, 0.99, 1.5e-4, 0.1);
    let adam = |epsilon_form, weight_decay| OptimizerConfig::Adam {
        beta1,
        beta2,
        epsilon,
        epsilon_form,
        weight_decay,
    };
    let radam = |weight_decay, decoupled_weight_decay| OptimizerConfig::RAdam {
        beta1,
        beta2,
        epsilon,
        weight_decay,
        decoupled_weight_decay,
    };
    let rmsprop = |centered, momentum, epsilon_inside_root, weight_decay| OptimizerConfig::RmsProp {
        alpha: 0.95,
        epsilon: if epsilon_inside_root { 1e-4 } else { 1e-2 },
        epsilon_inside_root,
        momentum,
        centered,
        weight_decay,
    };
    let sgd = |momentum, nesterov, weight_decay| OptimizerConfig::Sgd { momentum, nesterov, weight_decay };
    vec![
        OptimizerConfig::default(),
        adam(EpsilonForm::Corrected, 0.0),
        adam(EpsilonForm::Uncorrected, weight_decay),
        OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay: 2.0 },
        radam(weight_decay, false),
        radam(2.0, true),
        rmsprop(false, 0.0, false, weight_decay),
        rmsprop(false, 0.9, true, 0.0),
        rmsprop(true, 0.0, true, 0.0),
        rmsprop(true, 0.9, false, weight_decay),
        sgd(0.0, false, weight_decay),
        sgd(0.9, false, 0.0),
        sgd(0.9, true, weight_decay),
    ]
}

/// Every optimiser on the first network, and on every other the default and one of the rest in turn: what an
/// optimiser does to a parameter does not depend on the layer that it is in.
fn trained() -> Vec<(NetworkSpec, OptimizerConfig)> {
    let (specs, optimizers) = (specs(), optimizers());
    let mut all: Vec<_> = optimizers.iter().map(|optimizer| (specs[0].clone(), *optimizer)).collect();
    for (place, spec) in specs.into_iter().enumerate().skip(1) {
        all.push((spec.clone(), optimizers[0]));
        all.push((spec, optimizers[1 + place % (optimizers.len() - 1)]));
    }
    all
}

/// Twenty steps of every optimiser, with and without clipping, follow the reference's.
///
/// # Panics
/// Where they do not.
pub fn trajectory(make: Make<'_>) {
    for (spec, optimizer) in trained() {
        let mut pair = Pair::new(make, &spec, optimizer);
        for step in 0..20u64 {
            let batch = BATCHES[step as usize % BATCHES.len()];
            let learning_rate = 1e-3 / (1.0 + step as f32 / 10.0);
            let norm = [None, Some(0.05), Some(1e6)][step as usize % 3];
            pair.regress(batch, learning_rate, norm);
            pair.compare_gradients(&format!("before clipping, at step {step}"));
            assert_eq!(pair.network.gradient_steps(), step + 1, "gradient steps of {spec:?}");
            pair.compare_parameters(step);
        }
    }
}

impl Pair {
    /// Where a gradient is nearly 0, Adam's first steps depend on its sign alone, which rounding may turn: so a
    /// single parameter may be off by more than all are in the mean.
    fn compare_parameters(&self, step: u64) {
        let found = self.network.parameters(Parameters::Online);
        let expected = self.reference.parameters(Parameters::Online);
        let errors: Vec<f64> =
            found.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - f64::from(*e)).abs()).collect();
        let greatest = errors.iter().fold(0.0f64, |greatest, error| greatest.max(*error));
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!(
            greatest < 5e-5 && mean < 1e-6,
            "parameters of {:?} after step {step} of {:?} are off by {greatest:e}, in the mean by {mean:e}",
            self.spec,
            self.optimizer
        );
    }
}

/// Hard and soft target updates.
///
/// # Panics
/// Where the target parameters are not what they should be, or the online ones have changed.
pub fn target_updates(make: Make<'_>) {
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        pair.move_target();
        let online = pair.network.parameters(Parameters::Online);
        for tau in [0.01, 0.01, 0.5, 1.0] {
            pair.network.update_target(tau);
            pair.reference.update_target(tau);
            let found = pair.network.parameters(Parameters::Target);
            let expected = pair.reference.parameters(Parameters::Target);
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 1e-6,
                    "the target of {spec:?} after tau {tau} is {found}, the reference has {expected}"
                );
            }
            assert_eq!(bits(&pair.network.parameters(Parameters::Online)), bits(&online), "online, {tau}");
        }
        assert_eq!(bits(&pair.network.parameters(Parameters::Target)), bits(&online), "tau 1 copies");
        pair.regress(3, 1e-2, None);
        assert_eq!(
            bits(&pair.network.parameters(Parameters::Target)),
            bits(&online),
            "a gradient step of {spec:?} moves the online parameters only"
        );
        assert_ne!(bits(&pair.network.parameters(Parameters::Online)), bits(&online), "a step moves them");
    }
}

fn optimizer_bytes(network: &dyn QNetwork) -> Vec<u8> {
    let mut state = StateWriter::new();
    network.save_optimizer(&mut state);
    state.into_bytes()
}

/// Three steps of a regression and soft target updates: the bits of all that they give.
fn future(network: &mut dyn QNetwork, steps: &[(ObservationBuffer, Vec<f32>)]) -> Vec<Vec<u32>> {
    let mut all = vec![];
    for (observation, aims) in steps {
        all.push(bits(&regress(network, observation.as_observation(), aims, 1e-2, Some(0.05))));
        network.update_target(0.01);
        all.push(bits(&network.parameters(Parameters::Online)));
        all.push(bits(&network.parameters(Parameters::Target)));
    }
    all
}

/// A network made from parameters and the optimiser's state goes on to the bit as the one they were taken from,
/// whether it is new or has been used for something else.
///
/// # Panics
/// Where it does not.
pub fn state_round_trip(make: Make<'_>) {
    for (spec, optimizer) in trained() {
        let mut pair = Pair::new(make, &spec, optimizer);
        pair.move_target();
        (0..5).for_each(|_| pair.regress(17, 1e-2, Some(0.05)));
        let saved = [Parameters::Online, Parameters::Target].map(|w| (w, pair.network.parameters(w)));
        let bytes = optimizer_bytes(&*pair.network);
        let steps = [64, 3, 17].map(|batch| (pair.observations(batch), pair.numbers(batch * spec.outputs())));
        let uninterrupted = future(&mut *pair.network, &steps);

        let zeros = vec![0.0; pair.network.layout().len()];
        let mut used = Pair::new(make, &spec, optimizer);
        (0..3).for_each(|_| used.regress(3, 0.1, None));
        for mut other in [make(&spec, optimizer, &zeros), used.network] {
            saved.iter().for_each(|(which, values)| other.set_parameters(*which, values));
            let mut reader = StateReader::new(&bytes);
            let loaded = other.load_optimizer(&mut reader).and_then(|()| reader.finish());
            loaded.unwrap_or_else(|error| panic!("{spec:?}: {error}"));
            assert_eq!(other.gradient_steps(), 5, "gradient steps of {spec:?}");
            assert_eq!(optimizer_bytes(&*other), bytes, "the state of {spec:?} saved again");
            let resumed = future(&mut *other, &steps);
            assert!(resumed == uninterrupted, "{spec:?} does not go on as it would have: {optimizer:?}");
        }
    }
}

/// State that ends early or is another network's gives an error and leaves the optimiser as it was; state with
/// a damaged byte gives an error or a state, and never panics.
///
/// # Panics
/// Where it does not.
pub fn damaged_state(make: Make<'_>) {
    let specs = specs();
    for (spec, other) in specs.iter().zip(specs.iter().cycle().skip(1)) {
        let mut pair = Pair::new(make, spec, OptimizerConfig::default());
        (0..2).for_each(|_| pair.regress(3, 1e-2, None));
        let network = &mut *pair.network;
        let bytes = optimizer_bytes(network);
        let stride = bytes.len().div_ceil(100);
        for len in (0..bytes.len()).step_by(stride).chain([bytes.len() - 1]) {
            let loaded = network.load_optimizer(&mut StateReader::new(&bytes[..len]));
            assert!(loaded.is_err(), "{len} of {} bytes of state were taken for a state", bytes.len());
        }
        let mut foreign = Pair::new(make, other, OptimizerConfig::default());
        foreign.regress(3, 1e-2, None);
        let foreign = optimizer_bytes(&*foreign.network);
        let loaded = network.load_optimizer(&mut StateReader::new(&foreign));
        assert!(loaded.is_err(), "{spec:?} took the state of {other:?}");
        assert_eq!(optimizer_bytes(network), bytes, "the state of {spec:?} after loads that failed");
        for place in 0..bytes.len().min(64) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0xff;
            let _ = network.load_optimizer(&mut StateReader::new(&damaged));
        }
    }
}

/// Slices of a wrong length are refused: they never leave values half written without a word.
///
/// # Panics
/// Where one is accepted.
pub fn lengths_are_checked(make: Make<'_>) {
    let spec = &specs()[0];
    let refused = |what: &str, act: &dyn Fn(&mut dyn QNetwork)| {
        let mut network = Pair::new(make, spec, OptimizerConfig::default()).network;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(&mut *network)));
        assert!(outcome.is_err(), "{what} was accepted");
    };
    let count = Pair::new(make, spec, OptimizerConfig::default()).network.layout().len();
    let x = [0.5; 9];
    for wrong in [0, count - 1, count + 1] {
        refused("a wrong number of parameters", &|network| {
            network.set_parameters(Parameters::Online, &vec![0.0; wrong]);
        });
    }
    refused("an output that is too short", &|network| {
        network.forward(Parameters::Online, Observation::F32(&x[..8]), &mut [0.0; 3]);
    });
    refused("an output that is too long", &|network| {
        network.forward_train(Observation::F32(&x[..8]), &mut [0.0; 5]);
    });
    refused("a part of an observation", &|network| {
        network.forward(Parameters::Online, Observation::F32(&x), &mut [0.0; 4]);
    });
    refused("a gradient of another batch", &|network| {
        network.forward_train(Observation::F32(&x[..8]), &mut [0.0; 4]);
        network.backward(&[0.0; 2]);
    });
}
