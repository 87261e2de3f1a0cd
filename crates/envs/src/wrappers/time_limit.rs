//! A limit to the steps of an episode.

use std::num::NonZeroU32;

use deepq_core::{Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader, StateWriter, Step};

/// Truncates the episodes of an environment after a number of steps.
///
/// The last step is truncated even where it terminates as well, as in Gymnasium: whoever bootstraps from the
/// next observation has to ask `terminated` alone.
#[derive(Clone, Debug)]
pub struct TimeLimit<E> {
    env: E,
    spec: EnvSpec,
    max_episode_steps: u32,
    elapsed_steps: u32,
}

impl<E: Env> TimeLimit<E> {
    /// `env` with at most `max_episode_steps` steps an episode.
    pub fn new(env: E, max_episode_steps: NonZeroU32) -> Self {
        let max_episode_steps = max_episode_steps.get();
        let spec = EnvSpec { max_episode_steps: Some(max_episode_steps), ..env.spec().clone() };
        Self { env, spec, max_episode_steps, elapsed_steps: 0 }
    }

    /// The environment within.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// The environment within, to change it: the steps already counted stay counted.
    pub fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    /// Steps since the episode began.
    pub fn elapsed_steps(&self) -> u32 {
        self.elapsed_steps
    }
}

impl<E: Env> Env for TimeLimit<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.elapsed_steps = 0;
        self.env.reset(seed, observation)
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let mut step = self.env.step(action, observation)?;
        self.elapsed_steps = self.elapsed_steps.saturating_add(1);
        step.truncated |= self.elapsed_steps >= self.max_episode_steps;
        Ok(step)
    }

    fn action_mask(&self, allowed: &mut [bool]) -> bool {
        self.env.action_mask(allowed)
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("time-limit");
        state.u32(self.max_episode_steps);
        state.u32(self.elapsed_steps);
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("time-limit")?;
        let limit = state.u32("greatest number of steps of an episode")?;
        if limit != self.max_episode_steps {
            return Err(StateError::mismatch(
                "greatest number of steps of an episode",
                self.max_episode_steps,
                limit,
            ));
        }
        let elapsed_steps = state.u32("steps since the episode began")?;
        self.env.load_state(state)?;
        self.elapsed_steps = elapsed_steps;
        Ok(())
    }
}
