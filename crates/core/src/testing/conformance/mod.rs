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

mod lengths;
mod pair;
mod specs;
mod state;
mod training;
mod values;

pub use lengths::lengths_are_checked;
pub use specs::specs;
pub use state::{damaged_state, state_round_trip};
pub use training::{optimizers, target_updates, trajectory};
pub use values::{
    a_forward_between_disturbs_nothing, gradients_are_differences, not_a_number_is_not_hidden,
    values_and_gradients,
};

use crate::network::{NetworkSpec, OptimizerConfig, QNetwork};

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
