//! What a network is made of (data), and what a network engine can do (the [`QNetwork`] seam).

mod layout;
mod q_network;
mod spec;

pub use layout::{ParameterLayout, ParameterTensor};
pub use q_network::{EpsilonForm, OptimizerConfig, Parameters, QNetwork};
pub use spec::{Initialization, LayerSpec, NetworkSpec, SpecError};
