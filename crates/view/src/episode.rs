//! A policy that plays episodes one after the other, to be looked at.

use deepq::config::ConfigError;
use deepq::{Env, Error, Frame, ObservationBuffer, Policy, Registry, Space, Step, VectorEnvError};

use crate::ViewError;

/// One environment with a policy that plays in it.
pub struct Episode {
    env: Box<dyn Env>,
    policy: Policy,
    observation: ObservationBuffer,
    episodic_return: f64,
    steps: u32,
}

impl Episode {
    /// A policy in an environment of its own. [`reset`](Self::reset) begins.
    ///
    /// # Errors
    /// Where there is no such environment.
    pub fn new(registry: &Registry, id: &str, policy: Policy) -> Result<Self, ViewError> {
        let env = registry.make(id).map_err(|error| ConfigError::new("env.id", error.to_string()))?;
        let Space::Box(space) = &env.spec().observation_space else {
            return Err(ViewError::NoPicture { env: id.to_owned() });
        };
        let observation = ObservationBuffer::zeros(space.element, space.len());
        Ok(Self { env, policy, observation, episodic_return: 0.0, steps: 0 })
    }

    /// The environment.
    pub fn env(&self) -> &dyn Env {
        &*self.env
    }

    /// The sum of the rewards of the episode under way.
    pub fn episodic_return(&self) -> f64 {
        self.episodic_return
    }

    /// The steps of the episode under way.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The picture of the present state.
    ///
    /// # Errors
    /// Where the environment draws none.
    pub fn frame(&self) -> Result<Frame, ViewError> {
        self.env.render().ok_or_else(|| ViewError::NoPicture { env: self.env.spec().id.clone() })
    }

    /// Begins an episode.
    ///
    /// # Errors
    /// Where the environment fails.
    pub fn reset(&mut self, seed: u64) -> Result<(), ViewError> {
        (self.episodic_return, self.steps) = (0.0, 0);
        let len = self.observation.len();
        let outcome = self.env.reset(Some(seed), self.observation.slice_mut(0..len));
        outcome.map_err(|error| self.failure(None, error))
    }

    /// Takes the policy's best action; true where the episode ended.
    ///
    /// # Errors
    /// Where the environment fails.
    pub fn step(&mut self) -> Result<Step, ViewError> {
        let action = self.policy.act(self.observation.as_observation());
        let len = self.observation.len();
        let step = self.env.step(action, self.observation.slice_mut(0..len));
        let step = step.map_err(|error| self.failure(Some(action as u32), error))?;
        self.episodic_return += step.reward;
        self.steps += 1;
        Ok(step)
    }

    fn failure(&self, action: Option<u32>, source: deepq::EnvError) -> ViewError {
        let (id, message) = (self.env.spec().id.clone(), source.to_string());
        let error =
            VectorEnvError { index: 0, id, episode_steps: self.steps, action, message, source: Some(source) };
        ViewError::Run(Error::from(error))
    }
}
