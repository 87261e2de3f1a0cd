//! PQN, Q-learning over many environments at once with λ-returns: no replay memory and no target network
//! (Gallici et al. 2024, *Simplifying Deep Temporal Difference Learning*, arXiv 2407.04811).
//!
//! ```text
//! collect  steps · envs transitions, acting on the online network's values
//! G_t    = r_t + γ·(1 − terminated_t)·[ λ·G_{t+1} + (1 − λ)·max_a Q(s_{t+1}, a) ]
//! learn    epochs times: shuffle all of them, and take a gradient step on each of the minibatches with
//!          L = mean ½·(G − Q(s, a))²
//! ```
//!
//! What stabilises it in the place of a target network is layer norm in the network.

mod buffer;
mod config;
mod lambda_returns;
mod learner;

pub use buffer::RolloutBuffer;
pub use config::RolloutConfig;
pub use lambda_returns::{Trajectories, lambda_returns};
pub use learner::RolloutLearner;
