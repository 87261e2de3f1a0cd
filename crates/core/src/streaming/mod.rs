//! Stream Q(λ): one environment, one update a step, no memory of the past but an eligibility trace
//! (Elsayed, Vasan & Mahmood 2024, *Streaming Deep Reinforcement Learning Finally Works*, arXiv 2410.14606).
//!
//! ```text
//! δ = r + γ·(1 − terminated)·max_a Q(s', a) − Q(s, a)
//! z ← γ·λ·z + ∇Q(s, a)
//! M = α·κ·max(|δ|, 1)·‖z‖₁
//! w ← w + α / max(M, 1) · δ · z                       ObGD: gradient descent whose overshooting is bounded
//! ```
//!
//! The trace is Watkins's (1989): an action that is not greedy ends it, and so does the end of an episode.
//!
//! The paper's agent has more to it, none of which is of this module: observations and rewards in units of their
//! running deviations (the wrappers `NormalizeObservation` and `NormalizeReward` of deepq-envs, never clipped),
//! layer norm without parameters before each activation, a leaky ReLU, and first weights of which nine in ten are
//! 0. The weights and biases of layer norm that a network may have are left as they begin: at 1 and 0 they do
//! nothing.

mod config;
mod learner;
mod trace;

pub use config::{StreamingConfig, TraceCut};
pub use learner::StreamingLearner;
pub use trace::{EligibilityTrace, overshooting_bounded_step};
