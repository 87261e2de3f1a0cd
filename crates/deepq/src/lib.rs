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
mod environments;
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
pub use environments::EnvFactory;
pub use error::Error;
pub use evaluation::{EvaluationSummary, Evaluator, MOST_EPISODE_STEPS, evaluation_seeds};
pub use events::{Event, Observer, Watcher};
pub use policy::Policy;
pub use run::RunDirectory;
pub use trainer::{MemoryUse, StopReason, Trainer, TrainerState, network_spec_of};

/// The instruction set that networks are computed with: the best one of this processor, or the one that the
/// environment variable `DEEPQ_ISA` names. All of them give the same bits.
///
/// # Errors
/// Where `DEEPQ_ISA` names none, or one that this processor has not got. Networks are then computed with the best
/// one; a program that wants its user to know asks here first.
pub fn instruction_set() -> Result<String, config::ConfigError> {
    use deepq_cpu::{INSTRUCTION_SET_VARIABLE, InstructionSet, InstructionSetError};
    let message = |error| match error {
        InstructionSetError::Environment(inner) => inner.to_string(),
        other => other.to_string(),
    };
    InstructionSet::from_environment()
        .map(|set| set.to_string())
        .map_err(|error| config::ConfigError::new(INSTRUCTION_SET_VARIABLE, message(error)))
}
