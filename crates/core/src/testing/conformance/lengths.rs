//! Slices of a wrong length.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::pair::{Inputs, Pair};
use super::{Make, NamedSpec};
use crate::ObservationBuffer;
use crate::network::{OptimizerConfig, Parameters, QNetwork};

/// Slices of a wrong length are refused: they never leave values half written without a word.
///
/// # Panics
/// Where one is accepted.
pub fn lengths_are_checked(make: Make<'_>, specs: &[NamedSpec]) {
    // One of each kind is enough.
    let kinds: [fn(&NamedSpec) -> bool; 3] =
        [|_| true, |named| named.spec.takes_fractions(), |named| named.spec.noise_len() > 0];
    for named in kinds.into_iter().filter_map(|kind| specs.iter().find(|named| kind(named))) {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        let inputs = pair.inputs(2);
        let refused = |what: &str, act: &dyn Fn(&mut dyn QNetwork)| {
            let mut network = Pair::new(make, named, OptimizerConfig::default()).network;
            inputs.forward_train(&mut *network);
            let outcome = catch_unwind(AssertUnwindSafe(|| act(&mut *network)));
            assert!(outcome.is_err(), "{what} was accepted by {named}");
        };
        wrong_parameters(pair.network.layout().len(), &refused);
        wrong_orders(pair.network.layout().len(), pair.network.engine_len(), &refused);
        wrong_passes(&inputs, &refused);
        wrong_noise(named.spec.noise_len(), &refused);
        wrong_features(&inputs, named.spec.features_len(), &refused);
    }
}

type Refused<'a> = &'a dyn Fn(&str, &dyn Fn(&mut dyn QNetwork));

fn wrong_parameters(count: usize, refused: Refused<'_>) {
    for wrong in [0, count - 1, count + 1] {
        refused("a wrong number of parameters", &|network| {
            network.set_parameters(Parameters::Online, &vec![0.0; wrong]);
        });
        let wrong_values = || vec![0.0; wrong];
        refused("values of a wrong number of parameters", &|network| {
            network.to_engine_order(&wrong_values(), &mut vec![0.0; network.engine_len()]);
        });
        refused("room for values of a wrong number of parameters", &|network| {
            network.to_layout_order(&vec![0.0; network.engine_len()], &mut wrong_values());
        });
    }
}

/// Vectors in the engine's own order.
fn wrong_orders(count: usize, engine_len: usize, refused: Refused<'_>) {
    for wrong in [0, engine_len - 1, engine_len + 1] {
        refused("a direction of a wrong length", &|network| {
            network.add_to_parameters(Parameters::Online, 1.0, &vec![0.0; wrong]);
        });
        refused("room of a wrong length for the gradient", &|network| {
            network.copy_gradient(&mut vec![0.0; wrong]);
        });
        refused("room of a wrong length in the engine's order", &|network| {
            network.to_engine_order(&vec![0.0; count], &mut vec![0.0; wrong]);
        });
        refused("a vector of a wrong length in the engine's order", &|network| {
            network.to_layout_order(&vec![0.0; wrong], &mut vec![0.0; count]);
        });
    }
}

fn wrong_passes(inputs: &Inputs, refused: Refused<'_>) {
    let refused_pass = |what: &str, inputs: &Inputs| {
        refused(what, &|network| drop(inputs.forward(network, Parameters::Online)));
        refused(what, &|network| drop(inputs.forward_train(network)));
    };
    let outputs = inputs.outputs;
    refused_pass("an output that is too short", &Inputs { outputs: outputs - 1, ..inputs.clone() });
    refused_pass("an output that is too long", &Inputs { outputs: outputs + 1, ..inputs.clone() });
    refused_pass("an output for one observation of two", &Inputs { outputs: outputs / 2, ..inputs.clone() });
    let mut observation = inputs.observation.clone();
    match &mut observation {
        ObservationBuffer::F32(values) => values.push(0.5),
        ObservationBuffer::U8(values) => values.push(5),
    }
    refused_pass("a part of an observation", &Inputs { observation, ..inputs.clone() });
    let fractions = [&inputs.fractions[..], &[0.5]].concat();
    refused_pass("a fraction too many", &Inputs { fractions, ..inputs.clone() });
    if !inputs.fractions.is_empty() {
        refused_pass("fractions for nobody", &Inputs { fractions: vec![], ..inputs.clone() });
    }
    for wrong in [0, outputs / 2, outputs - 1, outputs + 1] {
        refused("a gradient of another batch", &|network| network.backward(&vec![0.0; wrong]));
    }
}

/// Features of a network that has none are refused too.
fn wrong_features(inputs: &Inputs, features: Option<usize>, refused: Refused<'_>) {
    let all = inputs.batch * features.unwrap_or(1);
    let lengths = [all - 1, all + 1, all / 2, all];
    for wrong in lengths.into_iter().filter(|len| features.is_none() || *len != all) {
        refused("a wrong number of features", &|network| {
            network.forward_features(Parameters::Online, inputs.observation(), &mut vec![0.0; wrong]);
        });
    }
}

fn wrong_noise(count: usize, refused: Refused<'_>) {
    for wrong in [count + 1, count / 2, 0].into_iter().filter(|wrong| *wrong != count) {
        for which in [Parameters::Online, Parameters::Target] {
            refused("a wrong number of noise", &|network| network.set_noise(which, Some(&vec![0.0; wrong])));
        }
    }
}
