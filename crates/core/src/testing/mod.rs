//! Oracles for tests: what a right implementation must agree with.
//!
//! - [`ReferenceNetwork`]: a plain, slow network engine in `f64`, to compare others with.
//! - [`ReferencePass`]: its passes by themselves, in `f64` from end to end.
//! - [`conformance`]: the suite that every network engine passes.
//! - [`gradient_check`]: a loss's gradient against central differences.
//! - [`Probe`] and [`Chain`]: environments so small that their values are known, each of which shows one fault.
//! - [`train_on_probe`]: a whole agent on one of them, in a second.
//!
//! Everything here panics where something does not agree: it is meant to be called from tests.

mod chain;
pub mod conformance;
mod gradient_check;
mod probe;
mod reference;
mod reference_optimizer;
mod training;

pub use chain::Chain;
pub use gradient_check::gradient_check;
pub use probe::{Probe, ProbeEnv};
pub use reference::{ReferenceNetwork, ReferencePass};
pub use training::{ExpectedValue, ProbeTraining, greatest_error, train_on_probe};
