//! The environment: Gymnasium's interface, object-safe and free of allocation.

use crate::{Frame, ObservationMut, Space, StateError, StateReader, StateWriter};

/// What is known of an environment before its first step.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// The registered name, `CartPole-v1` say.
    pub id: String,
    /// The observations it gives.
    pub observation_space: Space,
    /// How many actions there are: an action is a whole number in `0..actions`.
    pub actions: usize,
    /// After how many steps an episode is truncated; `None` where it is not.
    pub max_episode_steps: Option<u32>,
    /// The mean return that counts as solved, where the environment's makers named one.
    pub reward_threshold: Option<f64>,
    /// Frames a second of its picture at the speed meant for people.
    pub render_fps: u32,
    /// Width and height of its picture in pixels; `None` where it draws none.
    pub frame_size: Option<(usize, usize)>,
}

/// What one step gave, the observation aside.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Step {
    /// The reward of this step.
    pub reward: f64,
    /// The task itself is over: nothing can be earned from here on.
    pub terminated: bool,
    /// The episode was cut off from outside, by a time limit say: the task goes on, unseen.
    pub truncated: bool,
}

impl Step {
    /// True where the episode is over, for whichever reason.
    pub fn ended(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// An environment could not go on.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EnvError {
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl EnvError {
    /// An error told by `message`: what was found, and what is allowed.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// The same, caused by another error.
    pub fn with_source(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }
}

/// One environment with a discrete set of actions, after Gymnasium's `Env`.
///
/// An environment does not reset itself: [`VectorEnv`](crate::VectorEnv) does so where an episode ends.
/// Implementations write the observation into the slice they are given and allocate nothing in a step.
pub trait Env: Send {
    /// What is known of this environment.
    fn spec(&self) -> &EnvSpec;

    /// Begins an episode and writes its first observation.
    ///
    /// With a seed, the environment's random numbers start anew from it; without one they go on, so that one
    /// seed at the first reset determines all that follows.
    ///
    /// # Errors
    /// Where the environment cannot begin; [`EnvError`] says why.
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError>;

    /// Takes `action`, which is below [`EnvSpec::actions`], and writes the observation that follows.
    ///
    /// # Errors
    /// Where the environment cannot take the step; [`EnvError`] says why.
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError>;

    /// The picture of the present state, or `None` where the environment draws none.
    fn render(&self) -> Option<Frame> {
        None
    }

    /// Writes all that the environment's future depends on: its state and its random numbers.
    fn save_state(&self, state: &mut StateWriter);

    /// Takes over what [`save_state`](Env::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not such a state.
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}
