//! What a network is made of (data), and what a network engine can do (the [`QNetwork`] seam).

mod layout;
mod optimizer;
mod q_network;
mod spec;

pub use layout::{ParameterLayout, ParameterTensor};
pub use optimizer::{EpsilonForm, OptimizerConfig};
pub use q_network::{Parameters, QNetwork};
pub use spec::{Initialization, LayerSpec, NetworkSpec, SpecError};
