//! The CPU network engine of deepq: [`CpuNetwork`] does what
//! [`QNetwork`](deepq_core::network::QNetwork) asks for, with kernels of its own.
//!
//! Networks in reinforcement learning are small, and what a step costs is mostly what lies round the arithmetic.
//! So here a forward pass, a backward pass and an optimiser step are one call each, without an allocation, and
//! the arithmetic comes near the processor's limit. The kernels are compiled for several instruction sets
//! ([`InstructionSet`]); which one is used is settled when a network is made, and the results are equal to the
//! bit on all of them.
//!
//! ```
//! use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
//! use deepq_core::{Observation, RandomStream};
//! use deepq_cpu::CpuNetwork;
//!
//! let spec = NetworkSpec::mlp(4, &[24, 24], 2, Initialization::FanInUniform);
//! let mut stream = RandomStream::new(1, "initialization", 0);
//! let mut network = CpuNetwork::new(&spec, OptimizerConfig::default(), &mut stream)?;
//! let mut values = [0.0; 2];
//! network.forward(Parameters::Online, Observation::F32(&[0.01, -0.02, 0.03, 0.04]), &mut values);
//! # Ok::<(), deepq_core::network::SpecError>(())
//! ```

mod aligned;
mod instruction_set;
mod kernels;
mod network;
mod optimizer;
mod peak;
mod plan;
mod program;

pub use instruction_set::{INSTRUCTION_SET_VARIABLE, InstructionSet, InstructionSetError};
pub use network::{CpuNetwork, NetworkError};
pub use peak::peak_flops;
