//! The transitions of one rollout.

use super::lambda_returns::{Trajectories, lambda_returns};
use crate::{ElementKind, Observation, ObservationBuffer, StateError, StateReader, StateWriter, Step};

/// Keeps what all environments gave in the steps of one rollout, `[time][env]`, until it has been learned from.
#[derive(Clone, Debug)]
pub struct RolloutBuffer {
    steps: usize,
    envs: usize,
    action_count: usize,
    observation_len: usize,
    /// Steps that are complete.
    taken: usize,
    /// `[time][env][element]`.
    observations: ObservationBuffer,
    actions: Vec<u32>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    /// The value at the observation that each step led to.
    bootstrap: Vec<f32>,
    returns: Vec<f32>,
}

/// Bytes of a transition beside its observation: action, reward, two flags, bootstrap value and return.
const TRANSITION_BYTES: u64 = 4 + 4 + 2 + 4 + 4;

impl RolloutBuffer {
    /// An empty one for `steps` steps in each of `envs` environments with `action_count` actions.
    pub fn new(
        (steps, envs): (usize, usize),
        action_count: usize,
        element: ElementKind,
        observation_len: usize,
    ) -> Self {
        let count = steps * envs;
        Self {
            steps,
            envs,
            action_count,
            observation_len,
            taken: 0,
            observations: ObservationBuffer::zeros(element, count * observation_len),
            actions: vec![0; count],
            rewards: vec![0.0; count],
            terminated: vec![false; count],
            truncated: vec![false; count],
            bootstrap: vec![0.0; count],
            returns: vec![0.0; count],
        }
    }

    /// How many bytes of memory a buffer for `steps` steps in each of `envs` environments takes.
    pub fn bytes((steps, envs): (usize, usize), element: ElementKind, observation_len: usize) -> u64 {
        let observation_bytes = (observation_len as u64).saturating_mul(element.bytes());
        let transitions = (steps as u64).saturating_mul(envs as u64);
        transitions.saturating_mul(observation_bytes.saturating_add(TRANSITION_BYTES))
    }

    /// The number of transitions when it is full.
    pub fn capacity(&self) -> usize {
        self.steps * self.envs
    }

    /// Steps of each environment that are in it.
    pub fn steps_taken(&self) -> usize {
        self.taken
    }

    /// Whether all steps are in it.
    pub fn is_full(&self) -> bool {
        self.taken == self.steps
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.taken = 0;
    }

    /// The observation that transition `index` begins with, and its action and return.
    #[inline]
    pub(super) fn transition(&self, index: usize) -> (Observation<'_>, usize, f32) {
        let place = index * self.observation_len..(index + 1) * self.observation_len;
        (self.observations.slice(place), self.actions[index] as usize, self.returns[index])
    }

    /// Begins a step: at `observations`, `[env][element]`.
    pub(super) fn push_observations(&mut self, observations: Observation<'_>) {
        let len = self.envs * self.observation_len;
        self.observations.slice_mut(self.taken * len..(self.taken + 1) * len).copy_from(observations);
    }

    /// Ends a step: `actions[env]` gave `steps[env]`.
    pub(super) fn push_steps(&mut self, actions: &[u32], steps: &[Step]) {
        let first = self.taken * self.envs;
        self.actions[first..first + self.envs].copy_from_slice(actions);
        for (entry, step) in (first..).zip(steps) {
            self.rewards[entry] = step.reward as f32;
            self.terminated[entry] = step.terminated;
            self.truncated[entry] = step.truncated;
            self.bootstrap[entry] = 0.0;
        }
        self.taken += 1;
    }

    /// Tells the value at the observation that the latest step of environment `env` led to.
    pub(super) fn set_bootstrap(&mut self, env: usize, value: f32) {
        self.bootstrap[(self.taken - 1) * self.envs + env] = value;
    }

    /// Whether the episode of environment `env` goes on after the latest step; false where there is none.
    pub(super) fn goes_on(&self, env: usize) -> bool {
        self.taken > 0 && {
            let entry = (self.taken - 1) * self.envs + env;
            !(self.terminated[entry] || self.truncated[entry])
        }
    }

    /// Computes the returns of all transitions.
    pub(super) fn compute_returns(&mut self, gamma: f64, lambda: f64) {
        let trajectories = Trajectories {
            envs: self.envs,
            reward: &self.rewards,
            terminated: &self.terminated,
            truncated: &self.truncated,
            bootstrap: &self.bootstrap,
        };
        lambda_returns(&trajectories, gamma, lambda, &mut self.returns);
    }

    /// Writes the steps that are in it.
    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.tag("rollout-buffer");
        for size in [self.steps, self.envs, self.observation_len, self.taken] {
            state.u64(size as u64);
        }
        let count = self.taken * self.envs;
        state.observation(self.observations.slice(0..count * self.observation_len));
        state.u32_slice(&self.actions[..count]);
        state.f32_slice(&self.rewards[..count]);
        state.f32_slice(&self.bootstrap[..count]);
        for flag in self.terminated[..count].iter().chain(&self.truncated[..count]) {
            state.bool(*flag);
        }
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("rollout-buffer")?;
        state.expect_u64("steps of a rollout", self.steps as u64)?;
        state.expect_u64("number of environments", self.envs as u64)?;
        state.expect_u64("elements of an observation", self.observation_len as u64)?;
        // A full one is learned from before anybody can save it.
        let taken = state.u64_at_most("steps taken of a rollout", self.steps as u64 - 1)? as usize;
        let count = taken * self.envs;
        let observations = state.observation("observations", self.observations.element())?;
        if observations.len() != count * self.observation_len {
            let expected = format!("{} elements", count * self.observation_len);
            return Err(StateError::mismatch("observations of a rollout", expected, observations.len()));
        }
        self.observations.slice_mut(0..observations.len()).copy_from(observations.as_observation());
        let actions = state.u32_vec("actions")?;
        if actions.len() != count || actions.iter().any(|action| *action as usize >= self.action_count) {
            let expected = format!("{count} actions below {}", self.action_count);
            let greatest =
                actions.iter().max().map_or(String::new(), |action| format!(", the greatest {action}"));
            let found = format!("{}{greatest}", actions.len());
            return Err(StateError::mismatch("actions of a rollout", expected, found));
        }
        self.actions[..count].copy_from_slice(&actions);
        state.f32_slice("rewards", &mut self.rewards[..count])?;
        state.f32_slice("bootstrap values", &mut self.bootstrap[..count])?;
        for flag in self.terminated[..count].iter_mut().chain(&mut self.truncated[..count]) {
            *flag = state.bool("an end of an episode")?;
        }
        self.taken = taken;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_memory_is_known_before() {
        let buffer = RolloutBuffer::new((5, 3), 2, ElementKind::U8, 7);
        let vectors = size_of_val(&*buffer.actions)
            + size_of_val(&*buffer.rewards)
            + size_of_val(&*buffer.terminated)
            + size_of_val(&*buffer.truncated)
            + size_of_val(&*buffer.bootstrap)
            + size_of_val(&*buffer.returns)
            + buffer.observations.len();
        assert_eq!(RolloutBuffer::bytes((5, 3), ElementKind::U8, 7), vectors as u64);
        assert_eq!(RolloutBuffer::bytes((5, 3), ElementKind::F32, 7), vectors as u64 + 15 * 21);
        assert_eq!(RolloutBuffer::bytes((usize::MAX, 8), ElementKind::F32, usize::MAX), u64::MAX);
    }
}
