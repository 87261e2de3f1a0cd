//! The mathematics of value-based deep reinforcement learning.
//!
//! This crate knows no file, no thread, no clock and no screen. It holds the seams that the other crates of
//! deepq meet at ([`Env`], [`Loss`](loss::Loss), [`QNetwork`](network::QNetwork)) and the parts that stand
//! between them: the n-step accumulator, the replay memory, schedules, exploration, the [`Actor`] and the
//! [`Learner`].
//!
//! ```text
//! VectorEnv ─ observation, reward, terminated, truncated ─► NStepAccumulator (one per env)
//!    ▲                                                            │ Transition
//!    │ action                                                     ▼
//! BehaviourPolicy ◄─ Q ─ QNetwork (online)               ReplayStore + Sampler
//!                           ▲                                     │ Batch { observation, action, reward,
//!                           │ optimiser step                      │         discount, next_observation }
//!    target network ◄─sync──┤                                     ▼
//!                           └────── dL/dOutput ◄──────────────  Loss
//! ```

mod actor;
mod behaviour_policy;
mod call_monitor;
mod env;
mod fraction_proposal;
mod frame;
mod guarded_env;
mod learner;
pub mod loss;
pub mod math;
mod n_step;
pub mod network;
mod noise;
pub mod random;
pub mod replay;
mod reset;
pub mod rollout;
mod schedule;
mod self_acting;
mod setting;
mod space;
pub mod state;
pub mod streaming;
pub mod testing;
mod vector_env;

pub use actor::{Actor, ActorConfig};
pub use behaviour_policy::{
    ActionValues, BehaviourPolicy, EpsilonGreedy, EpsilonLadder, EpsilonZGreedy, ExplorationPolicy,
    ExplorationRates, MOST_REPEATS, Softmax,
};
pub use call_monitor::CallMonitor;
pub use env::{Env, EnvError, EnvSpec, EpisodeStatistics, StackPadding, Step};
pub use fraction_proposal::FractionProposal;
pub use frame::Frame;
pub use guarded_env::{EnvCall, EnvFailure, GuardedEnv};
pub use learner::{LearnMetrics, Learner, LearnerConfig, TargetUpdate};
pub use n_step::{NStepAccumulator, ObservationRef, Transition};
pub use noise::{NoiseSource, silence};
pub use random::RandomStream;
pub use reset::ResetConfig;
pub use rollout::{RolloutBuffer, RolloutConfig, RolloutLearner};
pub use schedule::{Period, Progress, Schedule, power};
pub use self_acting::{LearnerError, StepOutcome};
pub use setting::SettingError;
pub use space::{BoxSpace, ElementKind, Observation, ObservationBuffer, ObservationMut, Space};
pub use state::{StateError, StateReader, StateWriter};
pub use streaming::{EligibilityTrace, StreamingConfig, StreamingLearner, TraceCut};
pub use vector_env::{FinishedEpisode, VectorEnv, consecutive_seeds};
