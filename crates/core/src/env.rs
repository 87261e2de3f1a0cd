//! The environment: Gymnasium's interface, object-safe and free of allocation.

use serde::{Deserialize, Serialize};

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
    /// How many equally long frames an observation is made of, oldest first, each step bringing one new: 1 where
    /// nothing is stacked. Only environments whose older frames are the newest ones of the steps before, with
    /// [padding](Self::stack_padding) in the place of those before the episode's first, may say more: a memory then
    /// keeps each frame once.
    pub stacked_frames: usize,
    /// What stands in the place of frames before an episode's first.
    pub stack_padding: StackPadding,
    /// Whether [`Env::action_mask`] gives masks. Where it is false nobody asks for one.
    pub action_masks: bool,
}

impl EnvSpec {
    /// Flags of an action mask; 0 where there are none.
    pub fn mask_len(&self) -> usize {
        if self.action_masks { self.actions } else { 0 }
    }

    /// An environment named `id` with these observations and actions `0..actions`: no limit to its episodes, no
    /// threshold, no picture, no action masks.
    pub fn new(id: impl Into<String>, observation_space: impl Into<Space>, actions: usize) -> Self {
        Self {
            id: id.into(),
            observation_space: observation_space.into(),
            actions,
            max_episode_steps: None,
            reward_threshold: None,
            render_fps: 30,
            frame_size: None,
            stacked_frames: 1,
            stack_padding: StackPadding::Reset,
            action_masks: false,
        }
    }
}

/// What stands in a stack of frames in the place of those before an episode's first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StackPadding {
    /// The first one, again: as though nothing had moved before. Gymnasium's default.
    #[default]
    Reset,
    /// Zeros: as Mnih et al. (2015) have it, and Dopamine. No frame of a game is all zeros, so that the network sees
    /// that the episode has only begun.
    Zero,
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

/// What an episode has given so far, before any wrapper changed its rewards.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct EpisodeStatistics {
    /// The sum of its rewards.
    pub episodic_return: f64,
    /// The number of its steps.
    pub episode_length: u32,
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

    /// Tells an environment that works elsewhere, in a thread of its own say, to begin with a step. A call of
    /// [`step`](Env::step) with the same action follows and waits for it, so that many such environments work at
    /// the same time. Others do nothing here.
    fn begin_step(&mut self, _action: usize) {}

    /// True where [`begin_step`](Env::begin_step) does something. It must always give the same answer.
    fn steps_elsewhere(&self) -> bool {
        false
    }

    /// Which actions may be taken now, one flag an action; `None` where all may. Where
    /// [`EnvSpec::action_masks`] is true there is one after every reset and step, and as long as the episode goes on,
    /// or was truncated, it allows an action.
    ///
    /// An action that is masked out may still be taken: what it does then is the environment's matter.
    fn action_mask(&self) -> Option<&[bool]> {
        None
    }

    /// Return and length of the present episode, or of the one just ended, as they were before wrappers changed
    /// the rewards; `None` where nobody counts, and the rewards of [`step`](Env::step) are the whole truth.
    fn episode_statistics(&self) -> Option<EpisodeStatistics> {
        None
    }

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

impl<E: Env + ?Sized> Env for Box<E> {
    fn spec(&self) -> &EnvSpec {
        (**self).spec()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        (**self).reset(seed, observation)
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        (**self).step(action, observation)
    }

    fn begin_step(&mut self, action: usize) {
        (**self).begin_step(action);
    }

    fn steps_elsewhere(&self) -> bool {
        (**self).steps_elsewhere()
    }

    fn action_mask(&self) -> Option<&[bool]> {
        (**self).action_mask()
    }

    fn episode_statistics(&self) -> Option<EpisodeStatistics> {
        (**self).episode_statistics()
    }

    fn render(&self) -> Option<Frame> {
        (**self).render()
    }

    fn save_state(&self, state: &mut StateWriter) {
        (**self).save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        (**self).load_state(state)
    }
}
