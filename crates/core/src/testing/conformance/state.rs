//! State in and out.

use super::pair::{Inputs, Pair, bits, regress};
use super::training::trained;
use super::{Make, NamedSpec, batches};
use crate::network::{OptimizerConfig, Parameters, QNetwork};
use crate::{StateReader, StateWriter};

fn optimizer_bytes(network: &dyn QNetwork) -> Vec<u8> {
    let mut state = StateWriter::new();
    network.save_optimizer(&mut state);
    state.into_bytes()
}

/// Three steps of a regression and soft target updates: the bits of all that they give.
fn future(network: &mut dyn QNetwork, steps: &[(Inputs, Vec<f32>)]) -> Vec<Vec<u32>> {
    let mut all = vec![];
    for (inputs, aims) in steps {
        all.push(bits(&regress(network, inputs, aims, 1e-2, Some(0.05))));
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
pub fn state_round_trip(make: Make<'_>, specs: &[NamedSpec]) {
    for (named, optimizer) in trained(specs) {
        let mut pair = Pair::new(make, named, optimizer);
        pair.move_target();
        let batch = batches(&named.spec)[0];
        (0..5).for_each(|_| pair.regress(batch, 1e-2, Some(0.05)));
        let saved = [Parameters::Online, Parameters::Target].map(|w| (w, pair.network.parameters(w)));
        let bytes = optimizer_bytes(&*pair.network);
        let steps = [batch, 3, 1].map(|batch| {
            let inputs = pair.inputs(batch);
            let aims = pair.numbers(inputs.outputs);
            (inputs, aims)
        });
        let uninterrupted = future(&mut *pair.network, &steps);

        let zeros = vec![0.0; pair.network.layout().len()];
        let mut used = Pair::new(make, named, optimizer);
        (0..3).for_each(|_| used.regress(3, 0.1, None));
        for mut other in [make(&named.spec, optimizer, &zeros), used.network] {
            saved.iter().for_each(|(which, values)| other.set_parameters(*which, values));
            let mut reader = StateReader::new(&bytes);
            let loaded = other.load_optimizer(&mut reader).and_then(|()| reader.finish());
            loaded.unwrap_or_else(|error| panic!("{named}: {error}"));
            assert_eq!(other.gradient_steps(), 5, "gradient steps of {named}");
            assert_eq!(optimizer_bytes(&*other), bytes, "the state of {named} saved again");
            let resumed = future(&mut *other, &steps);
            assert!(resumed == uninterrupted, "{named} does not go on as it would have: {optimizer:?}");
        }
    }
}

/// State that ends early or is another network's gives an error and leaves the optimiser as it was; state with
/// a damaged byte gives an error or a state, and never panics.
///
/// # Panics
/// Where it does not.
pub fn damaged_state(make: Make<'_>, specs: &[NamedSpec]) {
    for (place, named) in specs.iter().enumerate() {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        (0..2).for_each(|_| pair.regress(3, 1e-2, None));
        let network = &mut *pair.network;
        let bytes = optimizer_bytes(network);
        let stride = bytes.len().div_ceil(100);
        for len in (0..bytes.len()).step_by(stride).chain([bytes.len() - 1]) {
            let loaded = network.load_optimizer(&mut StateReader::new(&bytes[..len]));
            assert!(loaded.is_err(), "{len} of {} bytes of state were taken for a state", bytes.len());
        }
        let count = network.layout().len();
        let has_others = |other: &&NamedSpec| other.spec.layout().is_ok_and(|layout| layout.len() != count);
        if let Some(other) = specs[place..].iter().chain(specs).find(has_others) {
            let mut foreign = Pair::new(make, other, OptimizerConfig::default());
            foreign.regress(3, 1e-2, None);
            let foreign = optimizer_bytes(&*foreign.network);
            let loaded = network.load_optimizer(&mut StateReader::new(&foreign));
            assert!(loaded.is_err(), "{named} took the state of {other}");
        }
        assert_eq!(optimizer_bytes(network), bytes, "the state of {named} after loads that failed");
        for place in 0..bytes.len().min(64) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0xff;
            let _ = network.load_optimizer(&mut StateReader::new(&damaged));
        }
    }
}
