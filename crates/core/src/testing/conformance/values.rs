//! Values and gradients.

use super::super::ReferencePass;
use super::pair::{Inputs, Pair, bits};
use super::{Make, NamedSpec, TOLERANCE, batches};
use crate::ObservationBuffer;
use crate::network::{LayerSpec, NetworkSpec, OptimizerConfig, Parameters};

/// Values with either set of parameters, and gradients, agree with the reference for batches of every size, with
/// noise in both sets, in one of them and in none.
///
/// # Panics
/// Where they do not.
pub fn values_and_gradients(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        for (turn, batch) in batches(&named.spec).into_iter().enumerate() {
            for (which, turns) in [(Parameters::Online, [1, 2]), (Parameters::Target, [2, 3])] {
                match turns.contains(&(turn % 4)) {
                    true => pair.draw_noise(which),
                    false => pair.set_noise(which, None),
                }
            }
            let inputs = pair.inputs(batch);
            let when =
                ["without noise", "with noise online", "with noise", "with noise in the target"][turn % 4];
            pair.compare_values(&inputs, when);
            pair.compare_trained_values(&inputs, when);
            pair.backward(&inputs);
            pair.compare_gradients(&format!("for a batch of {batch} {when}"));
        }
    }
}

/// How far a parameter is moved to either side for a difference.
const STEP: f64 = 1e-6;

/// What rounding may make of a difference of sums near 1, divided by twice the step.
const ROUNDING: f64 = 1e-8;

/// At most so many parameters of a network are moved, but some of every tensor.
const MOVED: usize = 150;

/// Gradients agree with central differences of the reference's values, which share no code with its gradients.
///
/// # Panics
/// Where they do not.
pub fn gradients_are_differences(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        let noise = pair.new_noise();
        pair.set_noise(Parameters::Online, Some(&noise));
        pair.spread_singular_values();
        let inputs = pair.inputs(3);
        let d_output = pair.backward(&inputs);
        let totals = Totals::new(&named.spec, &noise, &inputs, &d_output);
        let gradient = pair.network.gradient();
        let mut parameters = widen(&pair.network.parameters(Parameters::Online));
        let tensors = pair.network.layout().tensors();
        for tensor in tensors {
            let greatest =
                gradient[tensor.range()].iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
            let stride = tensor.len().div_ceil((MOVED / tensors.len()).max(4));
            for place in tensor.range().rev().step_by(stride) {
                let (found, difference) =
                    (f64::from(gradient[place]), totals.difference(&mut parameters, place));
                assert!(
                    (found - difference).abs() <= TOLERANCE * f64::from(greatest) + ROUNDING,
                    "the gradient by element {} of {} of {named} is {found}, differences give {difference}",
                    place - tensor.offset,
                    tensor.name
                );
            }
        }
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// The sum of the reference's outputs, each times the gradient by it.
struct Totals<'a> {
    spec: &'a NetworkSpec,
    noise: Vec<f64>,
    observation: Vec<f64>,
    fractions: Vec<f64>,
    d_output: Vec<f64>,
}

impl<'a> Totals<'a> {
    fn new(spec: &'a NetworkSpec, noise: &[f32], inputs: &Inputs, d_output: &[f32]) -> Self {
        let observation = match &inputs.observation {
            ObservationBuffer::F32(values) => widen(values),
            ObservationBuffer::U8(values) => {
                values.iter().map(|byte| f64::from(*byte) / f64::from(spec.full_byte)).collect()
            }
        };
        let (noise, fractions, d_output) = (widen(noise), widen(&inputs.fractions), widen(d_output));
        Self { spec, noise, observation, fractions, d_output }
    }

    fn total(&self, parameters: &[f64]) -> f64 {
        let Self { spec, noise, observation, fractions, d_output } = self;
        let pass = ReferencePass { spec, parameters, noise: Some(noise), observation, fractions };
        pass.forward().iter().zip(d_output).map(|(value, d)| value * d).sum()
    }

    /// The central difference by one parameter.
    fn difference(&self, parameters: &mut [f64], place: usize) -> f64 {
        let value = parameters[place];
        parameters[place] = value + STEP;
        let up = self.total(parameters);
        parameters[place] = value - STEP;
        let down = self.total(parameters);
        parameters[place] = value;
        (up - down) / (2.0 * STEP)
    }
}

/// At 0 a ReLU has no slope and a leaky one that of below, and of equal values in a window of a max-pooling the first takes the gradient, row
/// by row. The first layer with weights has none but 0 here and biases of −1, 0 and 1, so that it gives the same
/// at all places of an image.
///
/// # Panics
/// Where it is not so.
pub fn gradients_of_equal_values(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs.iter().filter(|named| keeps_equal_values(&named.spec.layers)) {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        let mut parameters = pair.network.parameters(Parameters::Online);
        let [weight, bias, ..] = pair.network.layout().tensors() else { continue };
        parameters[weight.range()].fill(0.0);
        for (place, bias) in parameters[bias.range()].iter_mut().enumerate() {
            *bias = [0.0, 1.0, -1.0][place % 3];
        }
        pair.set_parameters(Parameters::Online, &parameters);
        for batch in [3, 17] {
            let inputs = pair.inputs_anywhere(batch);
            pair.compare_trained_values(&inputs, "with weights of 0");
            pair.backward(&inputs);
            pair.compare_gradients("with weights of 0 in the first layer");
        }
    }
}

/// Whether all max-pooling comes before the second layer with weights, behind which an engine's rounding may make
/// equal values differ; and whether there is no layer norm, which divides what is nothing but rounding by what is
/// nearly 0.
fn keeps_equal_values(layers: &[LayerSpec]) -> bool {
    let (mut weighted, mut keeps) = (0, true);
    for layer in layers {
        match layer {
            LayerSpec::Relu | LayerSpec::LeakyRelu { .. } | LayerSpec::Flatten => {}
            LayerSpec::MaxPool { .. } | LayerSpec::AdaptiveMaxPool { .. } => keeps &= weighted < 2,
            LayerSpec::LayerNorm { .. } => keeps = false,
            _ => weighted += 1,
        }
    }
    keeps
}

/// Observations a thousand times as large as usual give the reference's values, and gradients that are numbers:
/// no activation function overflows on the way to its limit.
///
/// # Panics
/// Where it is not so.
pub fn large_values(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        let mut inputs = pair.inputs_anywhere(17);
        let ObservationBuffer::F32(observation) = &mut inputs.observation else { continue };
        observation.iter_mut().for_each(|value| *value *= 1000.0);
        pair.compare_values(&inputs, "of large observations");
        pair.backward(&inputs);
        let gradient = pair.network.gradient();
        let place = gradient.iter().position(|d| !d.is_finite());
        assert!(place.is_none(), "gradient of {named} for large observations: element {place:?} is none");
    }
}

/// Passes with either set of parameters and a batch of another size, and noise set for the target network, between
/// `forward_train` and `backward` change no bit of the gradient.
///
/// # Panics
/// Where they do.
pub fn a_forward_between_disturbs_nothing(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        pair.draw_noise(Parameters::Online);
        let inputs = pair.inputs(17);
        let d_output = pair.numbers(inputs.outputs);
        inputs.forward_train(&mut *pair.network);
        pair.network.backward(&d_output);
        let undisturbed = pair.network.gradient();
        for (which, batch) in [(Parameters::Online, 64), (Parameters::Target, 3), (Parameters::Target, 17)] {
            let between = pair.inputs(batch);
            inputs.forward_train(&mut *pair.network);
            pair.draw_noise(Parameters::Target);
            between.forward(&mut *pair.network, which);
            pair.network.backward(&d_output);
            let found = pair.network.gradient();
            assert_eq!(
                bits(&found),
                bits(&undisturbed),
                "the gradient of {named} with a forward ({which:?}, {batch} observations) between"
            );
        }
    }
}

/// Where a number of an observation is none, the values that depend on it are none, through every ReLU and every
/// max-pooling: a run that has gone wrong must not look as if it had not.
///
/// # Panics
/// Where a value is a number that should be none, or the other way round.
pub fn not_a_number_is_not_hidden(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        for (batch, places) in [(1, 30), (17, 5)] {
            let inputs = pair.inputs(batch);
            let ObservationBuffer::F32(observation) = &inputs.observation else { break };
            let (last, stride) = (observation.len() - 1, observation.len().div_ceil(places));
            let single = (0..observation.len()).step_by(stride).chain([last]).map(|place| place..place + 1);
            for range in single.chain(std::iter::once(0..observation.len())) {
                let mut observation = observation.clone();
                observation[range.clone()].fill(f32::NAN);
                let inputs = Inputs { observation: ObservationBuffer::F32(observation), ..inputs.clone() };
                let expected = inputs.forward(&mut pair.reference, Parameters::Online);
                let found = inputs.forward(&mut *pair.network, Parameters::Online);
                let trained = inputs.forward_train(&mut *pair.network);
                for (found, expected) in found.iter().chain(&trained).zip(expected.iter().cycle()) {
                    assert_eq!(
                        found.is_nan(),
                        expected.is_nan(),
                        "a value of {named} with NaN for elements {range:?} of {batch} observations: it is \
                         {found}, the reference has {expected}"
                    );
                }
            }
        }
    }
}
