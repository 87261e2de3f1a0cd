//! Several environments stepped together.

use crate::{
    ElementKind, Env, EnvError, EnvSpec, Frame, Observation, ObservationBuffer, Space, StateError,
    StateReader, StateWriter, Step,
};

/// One environment of a [`VectorEnv`] failed, or gave what no environment may give.
#[derive(Debug, thiserror::Error)]
#[error("environment {index} ({id}), step {episode_steps} of its episode{}: {message}", last_action(*.action))]
pub struct VectorEnvError {
    /// Which of the environments, counted from 0.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// How many steps its episode has had.
    pub episode_steps: u32,
    /// The action it was given; `None` in a reset.
    pub action: Option<u32>,
    /// What was wrong.
    pub message: String,
    /// The environment's own error, where it gave one.
    #[source]
    pub source: Option<EnvError>,
}

fn last_action(action: Option<u32>) -> String {
    action.map_or_else(|| ", in reset".into(), |action| format!(", action {action}"))
}

/// An episode that has just ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinishedEpisode {
    /// In which environment.
    pub env: usize,
    /// The sum of its rewards.
    pub episodic_return: f64,
    /// The number of its steps.
    pub episode_length: u32,
}

/// Several environments of one kind, stepped together, with their observations in one buffer.
///
/// An environment whose episode ends is reset in the same step (Gymnasium's `SAME_STEP` autoreset): its row of
/// [`observations`](Self::observations) is then the first of the next episode, and the last one of the ended
/// episode is kept in [`final_observation`](Self::final_observation).
pub struct VectorEnv {
    envs: Vec<Box<dyn Env>>,
    element: ElementKind,
    observation_len: usize,
    observations: ObservationBuffer,
    final_observations: ObservationBuffer,
    steps: Vec<Step>,
    returns: Vec<f64>,
    lengths: Vec<u32>,
    finished: Vec<FinishedEpisode>,
}

impl VectorEnv {
    /// Takes environments of one kind.
    ///
    /// # Errors
    /// Where there is none, where they differ in their observations or actions, or where the observations are
    /// no box.
    pub fn new(envs: Vec<Box<dyn Env>>) -> Result<Self, EnvError> {
        let Some(first) = envs.first().map(|env| env.spec().clone()) else {
            return Err(EnvError::new("a vector environment needs at least 1 environment, found 0"));
        };
        let Space::Box(space) = &first.observation_space else {
            return Err(EnvError::new(format!(
                "{} gives observations of the space {:?}; a network takes a box",
                first.id, first.observation_space
            )));
        };
        if let Some(other) = envs
            .iter()
            .map(|env| env.spec())
            .find(|spec| spec.observation_space != first.observation_space || spec.actions != first.actions)
        {
            let message = format!("{} and {} differ in observations or actions", first.id, other.id);
            return Err(EnvError::new(message));
        }
        let (count, observation_len, element) = (envs.len(), space.len(), space.element);
        Ok(Self {
            envs,
            element,
            observation_len,
            observations: ObservationBuffer::zeros(element, count * observation_len),
            final_observations: ObservationBuffer::zeros(element, count * observation_len),
            steps: vec![Step::default(); count],
            returns: vec![0.0; count],
            lengths: vec![0; count],
            finished: Vec::with_capacity(count),
        })
    }

    /// The number of environments.
    pub fn len(&self) -> usize {
        self.envs.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.envs.is_empty()
    }

    /// What is known of each of them.
    pub fn spec(&self) -> &EnvSpec {
        self.envs[0].spec()
    }

    /// Elements of one observation.
    pub fn observation_len(&self) -> usize {
        self.observation_len
    }

    /// The type of an observation's elements.
    pub fn element(&self) -> ElementKind {
        self.element
    }

    /// Begins an episode in each environment, environment `i` with `seeds[i]`.
    ///
    /// # Errors
    /// Where an environment fails.
    ///
    /// # Panics
    /// If there are not as many seeds as environments.
    pub fn reset(&mut self, seeds: &[u64]) -> Result<(), VectorEnvError> {
        assert_eq!(seeds.len(), self.len(), "one seed an environment");
        self.finished.clear();
        for (index, seed) in seeds.iter().enumerate() {
            self.returns[index] = 0.0;
            self.lengths[index] = 0;
            self.reset_one(index, Some(*seed))?;
        }
        Ok(())
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        index * self.observation_len..(index + 1) * self.observation_len
    }

    fn reset_one(&mut self, index: usize, seed: Option<u64>) -> Result<(), VectorEnvError> {
        let range = self.range(index);
        let outcome = self.envs[index].reset(seed, self.observations.slice_mut(range.clone()));
        outcome.map_err(|error| self.error(index, None, error.to_string(), Some(error)))?;
        self.check_observation(index, None, self.observations.slice(range))
    }

    /// Takes `actions[i]` in environment `i`.
    ///
    /// # Errors
    /// Where an environment fails, or gives a reward or an observation that is not finite. The environments
    /// are then in no defined state.
    ///
    /// # Panics
    /// If there are not as many actions as environments.
    pub fn step(&mut self, actions: &[u32]) -> Result<(), VectorEnvError> {
        assert_eq!(actions.len(), self.len(), "one action an environment");
        self.finished.clear();
        for (index, &action) in actions.iter().enumerate() {
            self.step_one(index, action)?;
        }
        Ok(())
    }

    #[inline]
    fn step_one(&mut self, index: usize, action: u32) -> Result<(), VectorEnvError> {
        let range = self.range(index);
        let step = self.envs[index].step(action as usize, self.observations.slice_mut(range.clone()));
        let step = step.map_err(|error| self.error(index, Some(action), error.to_string(), Some(error)))?;
        self.lengths[index] += 1;
        self.returns[index] += step.reward;
        self.steps[index] = step;
        if !step.reward.is_finite() {
            let message = format!("its reward is {}, which is not a finite number", step.reward);
            return Err(self.error(index, Some(action), message, None));
        }
        self.check_observation(index, Some(action), self.observations.slice(range.clone()))?;
        if step.ended() {
            let last = self.observations.slice(range.clone());
            self.final_observations.slice_mut(range).copy_from(last);
            self.finished.push(FinishedEpisode {
                env: index,
                episodic_return: std::mem::take(&mut self.returns[index]),
                episode_length: std::mem::take(&mut self.lengths[index]),
            });
            self.reset_one(index, None)?;
        }
        Ok(())
    }

    #[inline]
    fn check_observation(
        &self,
        index: usize,
        action: Option<u32>,
        observation: Observation<'_>,
    ) -> Result<(), VectorEnvError> {
        match observation.first_not_finite() {
            None => Ok(()),
            Some((element, value)) => {
                let message =
                    format!("element {element} of its observation is {value}, which is not a finite number");
                Err(self.error(index, action, message, None))
            }
        }
    }

    #[cold]
    fn error(
        &self,
        index: usize,
        action: Option<u32>,
        message: String,
        source: Option<EnvError>,
    ) -> VectorEnvError {
        let (id, episode_steps) = (self.envs[index].spec().id.clone(), self.lengths[index]);
        VectorEnvError { index, id, episode_steps, action, message, source }
    }

    /// The observations to act on, `[env][element]`.
    pub fn observations(&self) -> Observation<'_> {
        self.observations.as_observation()
    }

    /// The last observation of the episode that ended in environment `index` with the latest step. Where none
    /// ended, an older one.
    pub fn final_observation(&self, index: usize) -> Observation<'_> {
        self.final_observations.slice(self.range(index))
    }

    /// What the latest step gave, one entry an environment.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The episodes that ended with the latest step.
    pub fn finished_episodes(&self) -> &[FinishedEpisode] {
        &self.finished
    }

    /// The picture of environment `index`, where it draws one.
    pub fn render(&self, index: usize) -> Option<Frame> {
        self.envs[index].render()
    }

    /// Writes the state of every environment and of the episodes under way.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("vector-env");
        state.u64(self.len() as u64);
        state.observation(self.observations());
        state.f64_slice(&self.returns);
        state.u32_slice(&self.lengths);
        for env in &self.envs {
            env.save_state(state);
        }
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of as many such environments.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("vector-env")?;
        let count = self.len();
        state.expect_u64("number of environments", count as u64)?;
        let observations = state.observation("observations", self.element)?;
        let (returns, lengths) = (state.f64_vec("returns")?, state.u32_vec("lengths")?);
        if observations.len() != self.observations.len() || returns.len() != count || lengths.len() != count {
            let expected = format!("{count} environments with {} elements each", self.observation_len);
            return Err(StateError::mismatch("state of the environments", expected, observations.len()));
        }
        (self.observations, self.returns, self.lengths) = (observations, returns, lengths);
        self.envs.iter_mut().try_for_each(|env| env.load_state(state))
    }
}
