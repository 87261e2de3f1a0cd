//! What a network is made of (data), and what a network engine can do (the [`QNetwork`] seam).

mod initialization;
mod layer;
mod layout;
mod named;
mod optimizer;
mod q_network;
mod spec;
mod spectral;

pub use initialization::Initialization;
pub use layer::{LayerSpec, NormalizedAxes, Shape};
pub use layout::{ParameterLayout, ParameterTensor};
pub use optimizer::{EpsilonForm, OptimizerConfig};
pub use q_network::{Parameters, QNetwork};
pub use spec::{InputShape, LayerAt, NetworkSpec, SpecError};
pub use spectral::{LEAST_SINGULAR_VALUE, SPECTRAL_ITERATIONS, spectral_start};
