//! A chain of states, solved exactly.

use super::ExpectedValue;
use crate::{
    BoxSpace, Env, EnvError, EnvSpec, ObservationMut, RandomStream, StateError, StateReader, StateWriter,
    Step,
};

/// States in a row, with one-hot observations. Action 0 leads to the left, action 1 to the right.
///
/// Beyond the right end the episode terminates with reward 1. To the left of the left end there is a wall: the
/// step gives a reward of 0.1 and changes nothing, so that going left for ever is better where it is far to the
/// right end and the future counts for much. Episodes begin at any state, and are truncated after twice as many
/// steps as there are states.
#[derive(Clone, Debug)]
pub struct Chain {
    spec: EnvSpec,
    states: usize,
    state: usize,
    steps: u32,
    stream: RandomStream,
}

impl Chain {
    /// A chain of `states` states.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(states: usize) -> Self {
        assert!(states > 0, "a chain has at least 1 state");
        let max_episode_steps = 2 * states as u32;
        let space = BoxSpace::vector(&vec![0.0; states], &vec![1.0; states]);
        let spec =
            EnvSpec { max_episode_steps: Some(max_episode_steps), ..EnvSpec::new("probe/chain", space, 2) };
        Self { spec, states, state: 0, steps: 0, stream: RandomStream::new(0, "env", 0) }
    }

    /// The reward of a step and the state it leads to; `None` where the episode terminates.
    fn outcome(&self, state: usize, action: usize) -> (f64, Option<usize>) {
        match (action, state) {
            (0, 0) => (0.1, Some(0)),
            (0, state) => (0.0, Some(state - 1)),
            (_, state) if state + 1 == self.states => (1.0, None),
            (_, state) => (0.0, Some(state + 1)),
        }
    }

    /// The values of the best policy by value iteration, to 1e-12 and better: `q[state][action]`.
    ///
    /// # Panics
    /// If `gamma` is not in `[0, 1)`.
    pub fn optimal_values(&self, gamma: f64) -> Vec<[f64; 2]> {
        assert!((0.0..1.0).contains(&gamma), "gamma {gamma}");
        let mut q = vec![[0.0f64; 2]; self.states];
        loop {
            let backup = |state, action| match self.outcome(state, action) {
                (reward, None) => reward,
                (reward, Some(next)) => reward + gamma * q[next][0].max(q[next][1]),
            };
            let next: Vec<[f64; 2]> = (0..self.states).map(|s| [backup(s, 0), backup(s, 1)]).collect();
            let changes = q.iter().zip(&next).flat_map(|(old, new)| [new[0] - old[0], new[1] - old[1]]);
            let change = changes.fold(0.0f64, |most, change| most.max(change.abs()));
            q = next;
            if change <= 1e-13 * (1.0 - gamma) {
                return q;
            }
        }
    }

    /// [`optimal_values`](Self::optimal_values) with the observation of each state.
    pub fn expected(&self, gamma: f64) -> Vec<ExpectedValue> {
        let mut expected = vec![];
        for (state, values) in self.optimal_values(gamma).into_iter().enumerate() {
            let mut observation = vec![0.0; self.states];
            observation[state] = 1.0;
            for (action, q) in values.into_iter().enumerate() {
                expected.push(ExpectedValue { observation: observation.clone(), action, q });
            }
        }
        expected
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        let observation = observation.f32();
        observation.fill(0.0);
        observation[self.state] = 1.0;
    }
}

impl Env for Chain {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.stream = RandomStream::new(seed, "env", 0);
        }
        self.steps = 0;
        self.state = self.stream.below(self.states);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        if action >= self.spec.actions {
            return Err(EnvError::new(format!("action {action} was given; {} has 2", self.spec.id)));
        }
        self.steps += 1;
        let (reward, next) = self.outcome(self.state, action);
        self.state = next.unwrap_or(self.state);
        self.observe(observation);
        let truncated = next.is_some() && self.spec.max_episode_steps == Some(self.steps);
        Ok(Step { reward, terminated: next.is_none(), truncated })
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("chain");
        state.u64(self.states as u64);
        state.u64(self.state as u64);
        state.u32(self.steps);
        self.stream.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("chain")?;
        state.expect_u64("states of the chain", self.states as u64)?;
        self.state = state.u64_at_most("state", self.states as u64 - 1)? as usize;
        self.steps = state.u32("steps of the episode")?;
        self.stream.load_state(state)
    }
}
