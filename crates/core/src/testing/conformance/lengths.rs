//! Slices of a wrong length.

use super::pair::Pair;
use super::{Make, specs};
use crate::Observation;
use crate::network::{OptimizerConfig, Parameters, QNetwork};

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
