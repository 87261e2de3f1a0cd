//! The noise of noisy layers.

use super::pair::{Inputs, Pair, bits, compare};
use super::{Make, NamedSpec};
use crate::network::{OptimizerConfig, Parameters, QNetwork};

const BOTH: [Parameters; 2] = [Parameters::Online, Parameters::Target];

/// The noise of each set of parameters is set, changed and taken away by itself, stays through steps of the
/// optimiser, target updates and new parameters, and is no part of the parameters.
///
/// # Panics
/// Where it is not so.
pub fn noise(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        let inputs = pair.inputs(17);
        pair.compare_values(&inputs, "without noise");
        match named.spec.noise_len() {
            0 => no_noise_is_taken(&mut pair, &inputs),
            _ => {
                each_set_has_its_own(&mut pair, &inputs);
                noise_between_counts_later(&mut pair, &inputs);
                noise_stays(&mut pair, &inputs);
            }
        }
    }
}

fn values(pair: &mut Pair, inputs: &Inputs) -> [Vec<u32>; 2] {
    BOTH.map(|which| bits(&inputs.forward(&mut *pair.network, which)))
}

/// A network without noisy layers takes 0 numbers, which change nothing.
fn no_noise_is_taken(pair: &mut Pair, inputs: &Inputs) {
    let before = values(pair, inputs);
    for which in BOTH {
        pair.set_noise(which, Some(&[]));
        pair.set_noise(which, None);
    }
    assert!(values(pair, inputs) == before, "0 numbers of noise change {}", pair.named);
}

fn each_set_has_its_own(pair: &mut Pair, inputs: &Inputs) {
    let plain = values(pair, inputs);
    let name = pair.named.clone();
    let mut latest = plain.clone();
    for (which, set, turn) in
        [(0, true, "first"), (1, true, "first"), (0, true, "second"), (1, true, "second")]
            .into_iter()
            .chain([(0, false, "no"), (1, false, "no")])
    {
        match set {
            true => pair.draw_noise(BOTH[which]),
            false => pair.set_noise(BOTH[which], None),
        }
        let now = values(pair, inputs);
        let what = format!("{turn} noise for the {:?} parameters of {name}", BOTH[which]);
        assert!(now[which] != latest[which], "{what} changes nothing");
        assert!(now[1 - which] == latest[1 - which], "{what} changes the values of the others");
        pair.compare_values(inputs, &format!("with {what}"));
        pair.backward(inputs);
        pair.compare_gradients(&format!("with {what}"));
        latest = now;
    }
    assert!(latest == plain, "values of {name} without noise, after it was taken away");
}

/// New noise between the forward pass that is trained and its way back is no part of the gradient.
fn noise_between_counts_later(pair: &mut Pair, inputs: &Inputs) {
    let mut gradient = |change: bool| {
        pair.set_noise(Parameters::Online, None);
        let mut output = inputs.forward(&mut *pair.network, Parameters::Online);
        let Inputs { observation, fractions, .. } = inputs;
        pair.network.forward_train_at(observation.as_observation(), fractions, &mut output);
        if change {
            pair.draw_noise(Parameters::Online);
            inputs.forward(&mut *pair.network, Parameters::Online);
        }
        pair.network.backward(&output);
        bits(&pair.network.gradient())
    };
    let undisturbed = gradient(false);
    let disturbed = gradient(true);
    assert!(disturbed == undisturbed, "noise set before the way back changes the gradient of {}", pair.named);
}

fn noise_stays(pair: &mut Pair, inputs: &Inputs) {
    BOTH.into_iter().for_each(|which| pair.draw_noise(which));
    pair.regress(17, 1e-2, None);
    pair.compare_values(inputs, "with noise, after a gradient step");
    for tau in [0.5, 1.0] {
        pair.network.update_target(tau);
        pair.reference.update_target(tau);
        let found = pair.network.parameters(Parameters::Target);
        let expected = pair.reference.parameters(Parameters::Target);
        compare(&found, &expected, "target parameters with noise", &pair.named);
        pair.compare_values(inputs, &format!("with noise, after a target update by {tau}"));
    }
    for which in BOTH {
        let parameters = pair.numbers(pair.network.layout().len());
        pair.set_parameters(which, &parameters);
        let found = pair.network.parameters(which);
        assert!(bits(&found) == bits(&parameters), "parameters of {} with noise", pair.named);
        pair.compare_values(inputs, &format!("with noise, after {which:?} parameters were given"));
    }
}
