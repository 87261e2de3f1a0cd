//! The mathematics of value-based deep reinforcement learning.
//!
//! This crate knows no file, no thread, no clock and no screen. It holds the seams that the other crates of
//! deepq meet at ([`Env`], [`Loss`](loss::Loss), [`QNetwork`](network::QNetwork)) and the parts that stand between them: the n-step
//! accumulator, the replay memory, schedules, exploration, the [`Actor`] and the [`Learner`].
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

mod env;
mod frame;
pub mod loss;
pub mod network;
pub mod random;
mod space;
pub mod state;

pub use env::{Env, EnvError, EnvSpec, Step};
pub use frame::Frame;
pub use random::RandomStream;
pub use space::{BoxSpace, ElementKind, Observation, ObservationBuffer, ObservationMut, Space};
pub use state::{StateError, StateReader, StateWriter};
