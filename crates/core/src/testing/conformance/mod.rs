//! What every network engine must do.
//!
//! ```no_run
//! use deepq_core::testing::{ReferenceNetwork, conformance};
//!
//! conformance::run(|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)));
//! ```
//!
//! Each check takes a `make` that gives a network with the given first parameters, online and target, and the
//! networks to make. It panics where one does not do what [`QNetwork`] says. [`run`] does all of them on
//! [`specs`]; an engine that has not every layer can [`run_on`] those that it has, and any check can be called by
//! itself:
//!
//! ```
//! use deepq_core::network::LayerSpec;
//! use deepq_core::testing::{ReferenceNetwork, conformance};
//!
//! let mut specs = conformance::specs();
//! specs.retain(|named| named.spec.layers.iter().all(|layer| !matches!(layer, LayerSpec::Tanh)));
//! conformance::values_and_gradients(
//!     &|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)),
//!     &specs,
//! );
//! ```

mod features;
mod in_place;
mod lengths;
mod noise;
mod pair;
mod specs;
mod state;
mod training;
mod values;

pub use features::features;
pub use in_place::parameters_in_place;
pub use lengths::lengths_are_checked;
pub use noise::noise;
pub use specs::{NamedSpec, specs};
pub use state::{damaged_state, state_round_trip};
pub use training::{optimizer_reset, optimizers, target_updates, trajectory};
pub use values::{
    a_forward_between_disturbs_nothing, gradients_are_differences, gradients_of_equal_values, large_values,
    not_a_number_is_not_hidden, values_and_gradients,
};

use crate::network::{NetworkSpec, OptimizerConfig, QNetwork};

/// An `f32` engine may be off by this share of the greatest value of a tensor.
const TOLERANCE: f64 = 2e-5;

/// Makes a network from a specification, an optimiser and first parameters.
pub type Make<'a> = &'a dyn Fn(&NetworkSpec, OptimizerConfig, &[f32]) -> Box<dyn QNetwork>;

/// One of the checks.
pub type Check = fn(Make<'_>, &[NamedSpec]);

/// All checks, each with its name.
pub const CHECKS: [(&str, Check); 15] = [
    ("values_and_gradients", values_and_gradients),
    ("gradients_are_differences", gradients_are_differences),
    ("gradients_of_equal_values", gradients_of_equal_values),
    ("large_values", large_values),
    ("a_forward_between_disturbs_nothing", a_forward_between_disturbs_nothing),
    ("not_a_number_is_not_hidden", not_a_number_is_not_hidden),
    ("features", features),
    ("noise", noise),
    ("parameters_in_place", parameters_in_place),
    ("trajectory", trajectory),
    ("optimizer_reset", optimizer_reset),
    ("target_updates", target_updates),
    ("state_round_trip", state_round_trip),
    ("damaged_state", damaged_state),
    ("lengths_are_checked", lengths_are_checked),
];

/// Runs every check on [`specs`].
///
/// # Panics
/// Where one of them fails.
pub fn run(make: impl Fn(&NetworkSpec, OptimizerConfig, &[f32]) -> Box<dyn QNetwork>) {
    run_on(&make, &specs());
}

/// Runs every check on the networks `specs`.
///
/// # Panics
/// Where one of them fails.
pub fn run_on(make: Make<'_>, specs: &[NamedSpec]) {
    for (_, check) in CHECKS {
        check(make, specs);
    }
}

/// Batch sizes in an order in which buffers grow and shrink; smaller ones for larger networks, to save time.
fn batches(spec: &NetworkSpec) -> Vec<usize> {
    match spec.multiply_adds() {
        0..2500 => vec![17, 64, 1, 3, 63, 64, 1, 17],
        2500..20_000 => vec![17, 1, 3, 18, 1, 17],
        _ => vec![5, 1, 3, 5],
    }
}
