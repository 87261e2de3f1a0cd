//! Deep Q-learning: configuration, presets, trainer, evaluation, checkpoints, metrics and statistics.
//!
//! ```no_run
//! use deepq::{Config, Trainer};
//!
//! let config = Config::preset("CartPole-v1", "default")?;
//! let mut trainer = Trainer::new(&config, 1)?;
//! trainer.run(&mut ())?;
//! let mut policy = trainer.policy();
//! let action = policy.act(deepq::Observation::F32(&[0.0, 0.1, 0.02, -0.1]));
//! # Ok::<(), deepq::Error>(())
//! ```

pub mod config;
mod error;
mod evaluation;
pub mod events;
mod policy;
pub mod run;
pub mod statistics;
pub mod tensorboard;
mod trainer;

pub use config::Config;
pub use deepq_core::*;
pub use deepq_envs as envs;
pub use deepq_envs::Registry;
pub use error::Error;
pub use evaluation::{EvaluationSummary, Evaluator, MOST_EPISODE_STEPS, evaluation_seeds};
pub use events::{Event, Observer, Watcher};
pub use policy::Policy;
pub use run::RunDirectory;
pub use trainer::{StopReason, Trainer, TrainerState, network_spec_of};

/// The instruction set that networks are computed with on this machine.
pub fn instruction_set() -> String {
    deepq_cpu::InstructionSet::detect().to_string()
}
