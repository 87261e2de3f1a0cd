//! The ring of transitions and the observations they share.

use super::batch::Batch;
use super::finals::{Finals, NUMBERS};
use crate::{
    ElementKind, Observation, ObservationBuffer, ObservationRef, StateError, StateReader, StateWriter,
    Transition,
};

/// What a [`ReplayStore`] is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayStoreConfig {
    /// Transitions it holds; the oldest gives way to the newest.
    pub capacity: usize,
    /// Environments that feed it.
    pub envs: usize,
    /// Actions: every action is below this.
    pub actions: usize,
    /// The greatest number of steps a transition spans.
    pub n_step: usize,
    /// The type of an observation's elements.
    pub element: ElementKind,
    /// Elements of one observation.
    pub observation_len: usize,
}

/// Experience, each observation stored once.
///
/// Observations that actions are taken at stand in a ring of rows, one row a step with one place an
/// environment. Transitions stand in a second ring and name their two observations. The ring of rows is longer
/// than that of transitions by what may be pending, so that a row outlives every transition that names it; the
/// last observations of episodes stand in a queue of their own.
#[derive(Clone, Debug)]
pub struct ReplayStore {
    config: ReplayStoreConfig,
    /// Rows of the ring.
    rows: usize,
    observations: ObservationBuffer,
    /// Rows pushed since the beginning.
    rows_pushed: u64,
    finals: Finals,
    transitions: Vec<Transition>,
    /// Transitions pushed since the beginning.
    transitions_pushed: u64,
}

/// No run counts further; a state that says so is damaged, and its sums would overflow.
const MOST_PUSHED: u64 = 1 << 62;

/// Marks a reference to a last observation.
const FINAL: u32 = 1 << 31;

impl ReplayStore {
    /// An empty store.
    ///
    /// # Panics
    /// If a number of the configuration is 0, or if there are 2³¹ observations or more.
    pub fn new(config: ReplayStoreConfig) -> Self {
        let ReplayStoreConfig { capacity, envs, n_step, element, observation_len, .. } = config;
        assert!(capacity > 0 && envs > 0 && n_step > 0 && observation_len > 0, "{config:?}");
        // A transition lives until `capacity` others were pushed. Each row after its own brings one an
        // environment, except for at most n_step rows that are pending now and as many that other
        // environments' ended episodes had emitted before it.
        let rows = capacity.div_ceil(envs) + 2 * n_step + 1;
        assert!((rows * envs) as u64 + capacity as u64 <= NUMBERS, "{config:?} needs too many observations");
        Self {
            config,
            rows,
            observations: ObservationBuffer::zeros(element, rows * envs * observation_len),
            rows_pushed: 0,
            finals: Finals::new(element, observation_len),
            transitions: Vec::with_capacity(capacity),
            transitions_pushed: 0,
        }
    }

    /// What it was made for.
    pub fn config(&self) -> &ReplayStoreConfig {
        &self.config
    }

    /// Transitions held now.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// True where none is held.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty()
    }

    /// True where a row of observations was pushed.
    pub fn has_observations(&self) -> bool {
        self.rows_pushed > 0
    }

    /// Adds a row of observations to act on, `[env][element]`.
    pub fn push_observations(&mut self, observations: Observation<'_>) {
        let width = self.config.envs * self.config.observation_len;
        let start = (self.rows_pushed % self.rows as u64) as usize * width;
        self.observations.slice_mut(start..start + width).copy_from(observations);
        self.rows_pushed += 1;
    }

    fn row_ref(&self, row: u64, env: usize) -> ObservationRef {
        ObservationRef((row % self.rows as u64) as u32 * self.config.envs as u32 + env as u32)
    }

    /// The observation of `env` in the newest row.
    ///
    /// # Panics
    /// If no row was pushed yet.
    pub fn newest(&self, env: usize) -> ObservationRef {
        self.row_ref(self.rows_pushed - 1, env)
    }

    /// The observation of `env` in the row that is pushed next.
    pub fn upcoming(&self, env: usize) -> ObservationRef {
        self.row_ref(self.rows_pushed, env)
    }

    /// Adds the last observation of an episode.
    pub fn push_final(&mut self, observation: Observation<'_>) -> ObservationRef {
        ObservationRef(FINAL | self.finals.push(observation))
    }

    /// Adds a transition; where the store is full the oldest one goes.
    #[inline]
    pub fn push(&mut self, transition: Transition) {
        if self.transitions.len() < self.config.capacity {
            self.transitions.push(transition);
        } else {
            let slot = (self.transitions_pushed % self.config.capacity as u64) as usize;
            let oldest = std::mem::replace(&mut self.transitions[slot], transition);
            if oldest.next_observation.0 & FINAL != 0 {
                self.finals.forget_before(oldest.next_observation.0 & !FINAL);
            }
        }
        self.transitions_pushed += 1;
    }

    /// The elements of an observation.
    #[inline]
    pub fn observation(&self, reference: ObservationRef) -> Observation<'_> {
        if reference.0 & FINAL != 0 {
            return self.finals.get(reference.0 & !FINAL);
        }
        let start = reference.0 as usize * self.config.observation_len;
        self.observations.slice(start..start + self.config.observation_len)
    }

    /// The transition in slot `index` of the ring.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn transition(&self, index: usize) -> &Transition {
        &self.transitions[index]
    }

    /// Copies the transitions `indices` into `batch`, which must be as long; weights stay as they are.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    pub fn gather(&self, indices: &[u32], batch: &mut Batch) {
        // First all transitions, then all observations: in one loop the processor would see too few of them
        // ahead to fetch them while it waits for others.
        for (b, index) in indices.iter().enumerate() {
            let transition = &self.transitions[*index as usize];
            batch.action[b] = transition.action;
            batch.reward[b] = transition.reward;
            batch.discount[b] = transition.discount;
            batch.places[b] = [transition.observation, transition.next_observation];
        }
        let width = self.config.observation_len;
        for (b, [observation, next_observation]) in batch.places[..indices.len()].iter().enumerate() {
            let place = b * width..(b + 1) * width;
            copy(self.observation(*observation), &mut batch.observation, place.clone());
            copy(self.observation(*next_observation), &mut batch.next_observation, place);
        }
    }

    /// Writes all that is held.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("replay");
        state.u64(self.config.capacity as u64);
        state.u64(self.config.envs as u64);
        state.u64(self.config.n_step as u64);
        state.u64(self.rows_pushed);
        let rows_filled = self.rows_pushed.min(self.rows as u64) as usize;
        let width = self.config.envs * self.config.observation_len;
        state.observation(self.observations.slice(0..rows_filled * width));
        self.finals.save_state(state);
        state.u64(self.transitions_pushed);
        let column = |of: fn(&Transition) -> u32| self.transitions.iter().map(of).collect::<Vec<_>>();
        state.u32_slice(&column(|t| t.observation.0));
        state.u32_slice(&column(|t| t.action));
        state.u32_slice(&column(|t| t.reward.to_bits()));
        state.u32_slice(&column(|t| t.discount.to_bits()));
        state.u32_slice(&column(|t| t.next_observation.0));
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of a store with this configuration.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("replay")?;
        let mut loaded = Self::new(self.config);
        state.expect_u64("replay capacity", self.config.capacity as u64)?;
        state.expect_u64("number of environments", self.config.envs as u64)?;
        state.expect_u64("steps of a transition", self.config.n_step as u64)?;
        loaded.rows_pushed = state.u64_at_most("rows pushed", MOST_PUSHED)?;
        let rows_filled = loaded.rows_pushed.min(self.rows as u64) as usize;
        let filled = rows_filled * self.config.envs * self.config.observation_len;
        let observations = state.observation("replay observations", self.config.element)?;
        if observations.len() != filled {
            return Err(StateError::mismatch("replay observations", filled, observations.len()));
        }
        loaded.observations.slice_mut(0..filled).copy_from(observations.as_observation());
        loaded.finals.load_state(state, self.config.capacity as u64 + 1)?;
        loaded.load_transitions(state)?;
        *self = loaded;
        Ok(())
    }

    fn load_transitions(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.transitions_pushed = state.u64_at_most("transitions pushed", MOST_PUSHED)?;
        if self.rows_pushed == 0 && self.transitions_pushed > 0 {
            return Err(StateError::mismatch("rows pushed", "at least 1 beside transitions", 0));
        }
        let count = self.transitions_pushed.min(self.config.capacity as u64) as usize;
        let mut columns = Vec::with_capacity(5);
        for what in ["observation", "action", "reward", "discount", "next observation"] {
            let column = state.u32_vec(what)?;
            if column.len() != count {
                return Err(StateError::mismatch(what, count, column.len()));
            }
            columns.push(column);
        }
        for i in 0..count {
            let transition = Transition {
                observation: self.checked_observation(columns[0][i])?,
                action: self.checked_action(columns[1][i])?,
                reward: f32::from_bits(columns[2][i]),
                discount: f32::from_bits(columns[3][i]),
                next_observation: self.checked_observation(columns[4][i])?,
            };
            self.transitions.push(transition);
        }
        Ok(())
    }

    /// An action that there is.
    pub(crate) fn checked_action(&self, action: u32) -> Result<u32, StateError> {
        match (action as usize) < self.config.actions {
            true => Ok(action),
            false => Err(StateError::mismatch("action", format!("below {}", self.config.actions), action)),
        }
    }

    /// A reference to an observation that is there; one row more than was pushed may be named, as the next
    /// observation of the newest transitions.
    pub(crate) fn checked_observation(&self, reference: u32) -> Result<ObservationRef, StateError> {
        let there = if reference & FINAL != 0 {
            self.finals.contains(reference & !FINAL)
        } else {
            (reference as usize) < self.rows * self.config.envs
        };
        match there {
            true => Ok(ObservationRef(reference)),
            false => {
                Err(StateError::mismatch("observation of a transition", "one that is stored", reference))
            }
        }
    }
}

/// Copies one observation. Short ones are copied element by element: a call of `memcpy` would take longer.
#[inline]
fn copy(from: Observation<'_>, to: &mut ObservationBuffer, place: std::ops::Range<usize>) {
    match (from, to) {
        (Observation::F32(from), ObservationBuffer::F32(to)) if from.len() <= 8 => {
            to[place].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        (from, to) => to.slice_mut(place).copy_from(from),
    }
}
