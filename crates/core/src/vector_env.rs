//! Several environments stepped together.

use crate::replay::MOST_STACKED_FRAMES;
use crate::{
    CallMonitor, ElementKind, Env, EnvError, EnvFailure, EnvSpec, EpisodeStatistics, Frame, GuardedEnv,
    Observation, ObservationBuffer, Space, StateError, StateReader, StateWriter, Step,
};

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
    envs: Vec<GuardedEnv>,
    /// Whether some environment works elsewhere and wants to be told of its step early.
    any_elsewhere: bool,
    element: ElementKind,
    observation_len: usize,
    observations: ObservationBuffer,
    final_observations: ObservationBuffer,
    /// Empty where there are no masks, as the next.
    masks: Vec<bool>,
    final_masks: Vec<bool>,
    steps: Vec<Step>,
    finished: Vec<FinishedEpisode>,
}

impl VectorEnv {
    /// Takes environments of one kind.
    ///
    /// # Errors
    /// Where there is none, where they differ in their observations, actions or having masks, where the observations
    /// are no box, or where there are no actions, no elements or no whole number of [frames](EnvSpec::stacked_frames).
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
        if let Some(differs) = envs.iter().find_map(|env| difference(&first, env.spec())) {
            return Err(EnvError::new(differs));
        }
        let (count, observation_len, element) = (envs.len(), space.len(), space.element);
        check_numbers(&first, observation_len)?;
        let masks = vec![true; count * first.mask_len()];
        Ok(Self {
            any_elsewhere: envs.iter().any(|env| env.steps_elsewhere()),
            envs: envs.into_iter().enumerate().map(|(index, env)| GuardedEnv::new(index, env)).collect(),
            element,
            observation_len,
            observations: ObservationBuffer::zeros(element, count * observation_len),
            final_observations: ObservationBuffer::zeros(element, count * observation_len),
            final_masks: masks.clone(),
            masks,
            steps: vec![Step::default(); count],
            finished: Vec::with_capacity(count),
        })
    }

    /// Lets `monitor` see the calls of its environments.
    pub fn watched_by(mut self, monitor: &CallMonitor) -> Self {
        self.envs = self.envs.into_iter().map(|env| env.watched_by(monitor)).collect();
        self
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

    /// Begins an episode in each environment, environment `i` with `seeds[i]`; see [`consecutive_seeds`].
    ///
    /// # Errors
    /// Where an environment fails.
    ///
    /// # Panics
    /// If there are not as many seeds as environments.
    pub fn reset(&mut self, seeds: &[u64]) -> Result<(), EnvFailure> {
        assert_eq!(seeds.len(), self.len(), "one seed an environment");
        self.finished.clear();
        for (index, seed) in seeds.iter().enumerate() {
            let place = self.range(index);
            self.envs[index].reset(Some(*seed), self.observations.slice_mut(place))?;
        }
        self.copy_masks()
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        index * self.observation_len..(index + 1) * self.observation_len
    }

    /// Takes `actions[i]` in environment `i`.
    ///
    /// # Errors
    /// Where an environment fails or panics, gives a reward or an observation that is not finite, or allows no action
    /// though its episode goes on. The environments are then in no defined state.
    ///
    /// # Panics
    /// If there are not as many actions as environments.
    pub fn step(&mut self, actions: &[u32]) -> Result<(), EnvFailure> {
        assert_eq!(actions.len(), self.len(), "one action an environment");
        self.finished.clear();
        if self.any_elsewhere {
            // The first one is told last: when its step is waited for, most of the others are done, and the wait for
            // them is over without this thread having been woken for each.
            let mut calls = self.envs.iter_mut().zip(actions).rev();
            calls.try_for_each(|(env, action)| env.begin_step(*action))?;
        }
        for (index, &action) in actions.iter().enumerate() {
            self.step_one(index, action)?;
        }
        self.copy_masks()
    }

    #[inline]
    fn step_one(&mut self, index: usize, action: u32) -> Result<(), EnvFailure> {
        let place = self.range(index);
        let env = &mut self.envs[index];
        let step = &mut self.steps[index];
        env.step_into(action, self.observations.slice_mut(place.clone()), step)?;
        if step.ended() {
            let EpisodeStatistics { episodic_return, episode_length } = env.statistics();
            self.finished.push(FinishedEpisode { env: index, episodic_return, episode_length });
            let last = self.observations.slice(place.clone());
            self.final_observations.slice_mut(place.clone()).copy_from(last);
            if !self.masks.is_empty() {
                let actions = env.spec().actions;
                let mask = &mut self.final_masks[index * actions..(index + 1) * actions];
                // Nothing follows a terminated episode, and its mask may say anything.
                match step.terminated {
                    true => mask.fill(true),
                    false => env.copy_mask(mask)?,
                }
            }
            env.reset(None, self.observations.slice_mut(place))?;
        }
        Ok(())
    }

    /// Copies the masks of all environments, where there are any.
    #[inline]
    fn copy_masks(&mut self) -> Result<(), EnvFailure> {
        if self.masks.is_empty() {
            return Ok(());
        }
        let actions = self.spec().actions;
        let mut masks = self.envs.iter().zip(self.masks.chunks_exact_mut(actions));
        masks.try_for_each(|(env, mask)| env.copy_mask(mask))
    }

    /// Which actions are allowed now, `[env][action]`; empty where the environments have no
    /// [masks](EnvSpec::action_masks).
    pub fn action_masks(&self) -> &[bool] {
        &self.masks
    }

    /// Which actions were allowed at the [final observation](Self::final_observation) of environment `index`, one flag
    /// an action, all where the episode terminated; empty where the environments have no masks.
    pub fn final_action_mask(&self, index: usize) -> &[bool] {
        let actions = self.final_masks.len() / self.len();
        &self.final_masks[index * actions..(index + 1) * actions]
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
        self.envs[index].inner().render()
    }

    /// Writes the state of every environment and of the episodes under way.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("vector-env");
        state.u64(self.len() as u64);
        state.observation(self.observations());
        let masks: Vec<u8> = self.masks.iter().map(|allowed| u8::from(*allowed)).collect();
        state.bytes_with_len(&masks);
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
        if observations.len() != self.observations.len() {
            let expected = format!("{count} environments with {} elements each", self.observation_len);
            return Err(StateError::mismatch("state of the environments", expected, observations.len()));
        }
        let masks = state.bytes_with_len("action masks")?;
        let actions = self.spec().actions;
        let whole = masks.len() == self.masks.len() && masks.iter().all(|flag| *flag <= 1);
        if !whole || !masks.chunks(actions).all(|mask| mask.contains(&1)) {
            let expected = format!("{} flags, with an action allowed in each environment", self.masks.len());
            return Err(StateError::mismatch("action masks", expected, format!("{} others", masks.len())));
        }
        self.masks = masks.iter().map(|flag| *flag == 1).collect();
        self.observations = observations;
        self.envs.iter_mut().try_for_each(|env| env.load_state(state))
    }
}

/// What keeps two environments from standing side by side; `None` where nothing does.
fn difference(one: &EnvSpec, other: &EnvSpec) -> Option<String> {
    let frames = |spec: &EnvSpec| format!("{} padded by {:?}", spec.stacked_frames, spec.stack_padding);
    let differs = if one.observation_space != other.observation_space {
        format!("observations ({:?} and {:?})", one.observation_space, other.observation_space)
    } else if one.actions != other.actions {
        format!("the number of actions ({} and {})", one.actions, other.actions)
    } else if one.action_masks != other.action_masks {
        format!("whether they give action masks ({} and {})", one.action_masks, other.action_masks)
    } else if (one.stacked_frames, one.stack_padding) != (other.stacked_frames, other.stack_padding) {
        format!("stacked frames ({} and {})", frames(one), frames(other))
    } else {
        return None;
    };
    Some(format!("{} and {} differ in {differs}; all copies must be alike", one.id, other.id))
}

/// Refuses a spec that no memory and no network can be made for.
fn check_numbers(spec: &EnvSpec, observation_len: usize) -> Result<(), EnvError> {
    let EnvSpec { id, actions, stacked_frames, .. } = spec;
    let divide =
        (1..=MOST_STACKED_FRAMES).contains(stacked_frames) && observation_len.is_multiple_of(*stacked_frames);
    let wrong = match (*actions, observation_len) {
        (0, _) => "it has 0 actions; it takes at least 1".to_owned(),
        (_, 0) => "its observations have 0 elements; they take at least 1".to_owned(),
        _ if !divide => format!(
            "its spec says stacked_frames = {stacked_frames}; allowed is 1 to {MOST_STACKED_FRAMES}, a divisor of the \
             {observation_len} elements of an observation"
        ),
        _ => return Ok(()),
    };
    Err(EnvError::new(format!("{id}: {wrong}")))
}

/// Seeds for `count` environments: `seed + i` for environment `i`, as Gymnasium's `SyncVectorEnv` seeds them.
pub fn consecutive_seeds(seed: u64, count: usize) -> Vec<u64> {
    (0..count as u64).map(|index| seed.wrapping_add(index)).collect()
}
