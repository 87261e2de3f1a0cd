//! A policy that plays episodes one after the other, to be looked at.

use deepq::{EnvFactory, Error, Frame, GuardedEnv, ObservationBuffer, Policy, Step};

use crate::ViewError;

/// One environment with a policy that plays in it.
pub struct Episode {
    env: GuardedEnv,
    policy: Policy,
    observation: ObservationBuffer,
    /// Empty where the environment masks nothing.
    mask: Vec<bool>,
    steps: u32,
}

impl Episode {
    /// A policy in an environment of its own. [`reset`](Self::reset) begins.
    ///
    /// # Errors
    /// Where the environment cannot be made, or where the policy learned from other observations.
    pub fn new(factory: &EnvFactory, policy: Policy) -> Result<Self, ViewError> {
        factory.show_to(&policy).map_err(Error::from)?;
        let env = factory.evaluation(0).map_err(Error::from)?;
        let space = &env.spec().observation_space;
        let observation = ObservationBuffer::zeros(space.element(), space.len());
        let mask = vec![true; env.spec().mask_len()];
        Ok(Self { env, policy, observation, mask, steps: 0 })
    }

    /// The environment.
    pub fn env(&self) -> &GuardedEnv {
        &self.env
    }

    /// The sum of the rewards of the episode under way.
    pub fn episodic_return(&self) -> f64 {
        self.env.statistics().episodic_return
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
        self.env.inner().render().ok_or_else(|| ViewError::NoPicture { env: self.env.spec().id.clone() })
    }

    /// Begins an episode.
    ///
    /// # Errors
    /// Where the environment fails.
    pub fn reset(&mut self, seed: u64) -> Result<(), ViewError> {
        self.steps = 0;
        let len = self.observation.len();
        let outcome = self.env.reset(Some(seed), self.observation.slice_mut(0..len));
        outcome.map_err(|failure| Error::from(failure).into())
    }

    /// Takes the policy's best action.
    ///
    /// # Errors
    /// Where the environment fails.
    pub fn step(&mut self) -> Result<Step, ViewError> {
        if !self.mask.is_empty() {
            self.env.copy_mask(&mut self.mask).map_err(Error::from)?;
        }
        let mask = (!self.mask.is_empty()).then_some(&self.mask[..]);
        let action = self.policy.act_within(self.observation.as_observation(), mask);
        let len = self.observation.len();
        let step = self.env.step(action as u32, self.observation.slice_mut(0..len));
        let step = step.map_err(Error::from)?;
        self.steps += 1;
        Ok(step)
    }
}
