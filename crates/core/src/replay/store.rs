//! The ring of transitions and the observations they share.

use super::batch::Batch;
use super::config::ReplayStoreConfig;
use super::finals::{Finals, NUMBERS};
use super::masks::Masks;
use crate::{
    Observation, ObservationBuffer, ObservationRef, StackPadding, StateError, StateReader, StateWriter,
    Transition,
};

/// Experience, each observation stored once, and where observations are stacks of frames, each frame once.
///
/// Observations that actions are taken at stand in a ring of rows, one row a step with one place an
/// environment. Transitions stand in a second ring and name their two observations. The ring of rows is longer
/// than that of transitions by what may be pending, so that a row outlives every transition that names it; the
/// last observations of episodes stand in a queue of their own, all of their frames with them.
#[derive(Clone, Debug)]
pub struct ReplayStore {
    config: ReplayStoreConfig,
    /// Elements of one frame.
    frame_len: usize,
    /// Rows of the ring.
    rows: usize,
    /// `[row][env][element]`: the newest frames.
    observations: ObservationBuffer,
    /// `[row][env]`: how many of the rows before hold older frames of the same episode, at most as many as an
    /// observation has. Empty where frames are not stacked.
    older_frames: Vec<u8>,
    /// `[row][env]`: which actions are allowed there.
    masks: Masks,
    /// Rows pushed since the beginning.
    rows_pushed: u64,
    finals: Finals,
    transitions: Vec<Transition>,
    /// Transitions pushed since the beginning.
    transitions_pushed: u64,
}

/// No run counts further; a state that says so is damaged, and its sums would overflow.
const MOST_PUSHED: u64 = 1 << 62;

/// The most frames that an observation may be made of.
pub const MOST_STACKED_FRAMES: usize = 256;

/// Marks a reference to a last observation.
const FINAL: u32 = 1 << 31;

impl ReplayStore {
    /// An empty store.
    ///
    /// # Panics
    /// If a number of the configuration is 0, if there are 2³¹ observations or more, or if an observation is not
    /// made of 1 to 256 frames of one length.
    pub fn new(config: ReplayStoreConfig) -> Self {
        let ReplayStoreConfig { capacity, envs, n_step, element, observation_len, stacked_frames, .. } =
            config;
        assert!(capacity > 0 && envs > 0 && n_step > 0 && observation_len > 0, "{config:?}");
        assert!((1..=MOST_STACKED_FRAMES).contains(&stacked_frames), "{config:?}");
        assert!(config.actions > 0, "{config:?}");
        assert!(observation_len.is_multiple_of(stacked_frames), "{config:?}: frames of one length");
        let rows = config.rows() as usize;
        assert!((rows * envs) as u64 + capacity as u64 <= NUMBERS, "{config:?} needs too many observations");
        Self {
            config,
            frame_len: observation_len / stacked_frames,
            rows,
            observations: ObservationBuffer::zeros(element, rows * envs * (observation_len / stacked_frames)),
            older_frames: if stacked_frames > 1 { vec![0; rows * envs] } else { vec![] },
            masks: Masks::new(config.mask_len(), rows * envs),
            rows_pushed: 0,
            finals: Finals::new(element, observation_len, config.mask_len()),
            transitions: Vec::with_capacity(capacity),
            transitions_pushed: 0,
        }
    }

    /// How many bytes of memory it takes now: from the beginning as many as [`ReplayStoreConfig::bytes`] says, and more
    /// as the last observations of episodes grow in number.
    pub fn bytes(&self) -> u64 {
        self.config.bytes_without_finals().saturating_add(self.finals.bytes())
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

    /// Transitions pushed since the beginning. Number `i`, counted from 0, is or was in slot `i % capacity`.
    pub fn transitions_pushed(&self) -> u64 {
        self.transitions_pushed
    }

    /// True where a row of observations was pushed.
    pub fn has_observations(&self) -> bool {
        self.rows_pushed > 0
    }

    /// Adds a row of observations to act on, `[env][element]`, with their masks, `[env][action]`, which are empty
    /// where the store keeps none; `begins` says in which environments an episode begins with it.
    ///
    /// # Panics
    /// If there are not as many observations and masks.
    pub fn push_observations(
        &mut self,
        observations: Observation<'_>,
        masks: &[bool],
        begins: impl Fn(usize) -> bool,
    ) {
        assert_eq!(masks.len(), self.config.envs * self.config.mask_len(), "one mask an environment");
        let width = self.config.envs * self.frame_len;
        let start = (self.rows_pushed % self.rows as u64) as usize * width;
        if self.config.stacked_frames == 1 {
            self.observations.slice_mut(start..start + width).copy_from(observations);
        } else {
            self.push_newest_frames(observations, start, begins);
        }
        if self.config.action_masks {
            for (env, mask) in masks.chunks_exact(self.config.actions).enumerate() {
                let place = self.upcoming(env).0 as usize;
                self.masks.set(place, mask);
            }
        }
        self.rows_pushed += 1;
    }

    fn push_newest_frames(
        &mut self,
        observations: Observation<'_>,
        start: usize,
        begins: impl Fn(usize) -> bool,
    ) {
        let (len, frame_len, envs) = (self.config.observation_len, self.frame_len, self.config.envs);
        let most_older = (self.config.stacked_frames - 1) as u8;
        for env in 0..envs {
            let newest = observations.slice((env + 1) * len - frame_len..(env + 1) * len);
            let at = start + env * frame_len;
            self.observations.slice_mut(at..at + frame_len).copy_from(newest);
            let before = match begins(env) || self.rows_pushed == 0 {
                true => None,
                false => Some(self.older_frames[self.newest(env).0 as usize]),
            };
            let place = self.upcoming(env).0 as usize;
            self.older_frames[place] = before.map_or(0, |before| most_older.min(before + 1));
        }
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

    /// Adds the last observation of an episode with its mask, which is empty where the store keeps none.
    ///
    /// # Panics
    /// If observation or mask are of another length than the store's.
    pub fn push_final(&mut self, observation: Observation<'_>, mask: &[bool]) -> ObservationRef {
        ObservationRef(FINAL | self.finals.push(observation, mask))
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

    /// An observation.
    pub fn observation(&self, reference: ObservationRef) -> ObservationBuffer {
        let mut whole = ObservationBuffer::zeros(self.config.element, self.config.observation_len);
        self.copy_to(reference, &mut whole, 0);
        whole
    }

    /// The mask of an observation, one flag an action; empty where the store keeps none.
    pub fn mask(&self, reference: ObservationRef) -> Vec<bool> {
        let mut mask = vec![false; self.config.mask_len()];
        self.copy_mask(reference, &mut mask);
        mask
    }

    fn copy_mask(&self, reference: ObservationRef, mask: &mut [bool]) {
        match reference.0 & FINAL {
            0 => self.masks.get(reference.0 as usize, mask),
            _ => self.finals.mask(reference.0 & !FINAL, mask),
        }
    }

    /// Writes an observation to place `index` of `to`.
    #[inline]
    fn copy_to(&self, reference: ObservationRef, to: &mut ObservationBuffer, index: usize) {
        let len = self.config.observation_len;
        let place = index * len..(index + 1) * len;
        if reference.0 & FINAL != 0 {
            copy(self.finals.get(reference.0 & !FINAL), to, place);
        } else if self.config.stacked_frames == 1 {
            let start = reference.0 as usize * len;
            copy(self.observations.slice(start..start + len), to, place);
        } else {
            self.copy_frames(reference.0 as usize, to, place);
        }
    }

    /// Writes the frames of the observation whose newest frame stands at `newest`, oldest first; before an
    /// episode's first frame stands padding.
    fn copy_frames(&self, newest: usize, to: &mut ObservationBuffer, place: std::ops::Range<usize>) {
        let (envs, frame_len, frames) = (self.config.envs, self.frame_len, self.config.stacked_frames);
        let (row, env) = (newest / envs, newest % envs);
        let older = usize::from(self.older_frames[newest]);
        for frame in 0..frames {
            let at = place.start + frame * frame_len;
            let back = frames - 1 - frame;
            if back > older && self.config.stack_padding == StackPadding::Zero {
                to.fill_zero(at..at + frame_len);
                continue;
            }
            let back = back.min(older);
            let from = ((row + self.rows - back) % self.rows * envs + env) * frame_len;
            copy(self.observations.slice(from..from + frame_len), to, at..at + frame_len);
        }
    }

    /// The transition in slot `index` of the ring.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn transition(&self, index: usize) -> &Transition {
        &self.transitions[index]
    }

    /// Copies the transitions `indices` into `batch`, which must be as long; weights stay as they are. The first time
    /// it makes room for masks, where there are any.
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
        for (b, [observation, next_observation]) in batch.places[..indices.len()].iter().enumerate() {
            self.copy_to(*observation, &mut batch.observation, b);
            self.copy_to(*next_observation, &mut batch.next_observation, b);
        }
        if self.config.action_masks {
            self.gather_masks(batch);
        }
    }

    fn gather_masks(&self, batch: &mut Batch) {
        let actions = self.config.actions;
        batch.mask.resize(batch.places.len() * actions, false);
        batch.next_mask.resize(batch.places.len() * actions, false);
        let rows = batch.mask.chunks_exact_mut(actions).zip(batch.next_mask.chunks_exact_mut(actions));
        for ([observation, next_observation], (mask, next_mask)) in batch.places.iter().zip(rows) {
            self.copy_mask(*observation, mask);
            self.copy_mask(*next_observation, next_mask);
        }
    }

    /// Writes all that is held.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("replay");
        state.u64(self.config.capacity as u64);
        state.u64(self.config.envs as u64);
        state.u64(self.config.n_step as u64);
        state.u64(self.config.stacked_frames as u64);
        state.u64(self.config.mask_len() as u64);
        state.u64(self.rows_pushed);
        let places = self.places_filled();
        state.observation(self.observations.slice(0..places * self.frame_len));
        if self.config.stacked_frames > 1 {
            state.bool(self.config.stack_padding == StackPadding::Zero);
            state.bytes_with_len(&self.older_frames[..places]);
        }
        self.masks.save_state(state, places);
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
        state.expect_u64("frames of an observation", self.config.stacked_frames as u64)?;
        state.expect_u64("flags of an action mask", self.config.mask_len() as u64)?;
        loaded.rows_pushed = state.u64_at_most("rows pushed", MOST_PUSHED)?;
        let filled = loaded.places_filled() * self.frame_len;
        let observations = state.observation("replay observations", self.config.element)?;
        if observations.len() != filled {
            return Err(StateError::mismatch("replay observations", filled, observations.len()));
        }
        loaded.observations.slice_mut(0..filled).copy_from(observations.as_observation());
        if self.config.stacked_frames > 1 {
            let zeros = self.config.stack_padding == StackPadding::Zero;
            if state.bool("whether frames are padded with zeros")? != zeros {
                return Err(StateError::mismatch("whether frames are padded with zeros", zeros, !zeros));
            }
            loaded.load_older_frames(state.bytes_with_len("older frames")?)?;
        }
        let places = loaded.places_filled();
        loaded.masks.load_state(state, places)?;
        loaded.finals.load_state(state, self.config.capacity as u64 + 1)?;
        loaded.load_transitions(state)?;
        *self = loaded;
        Ok(())
    }

    /// Places of the ring that hold an observation.
    fn places_filled(&self) -> usize {
        self.rows_pushed.min(self.rows as u64) as usize * self.config.envs
    }

    fn load_older_frames(&mut self, older_frames: &[u8]) -> Result<(), StateError> {
        let most = self.config.stacked_frames - 1;
        if older_frames.len() != self.places_filled() {
            return Err(StateError::mismatch("older frames", self.places_filled(), older_frames.len()));
        }
        if let Some(wrong) = older_frames.iter().find(|older| usize::from(**older) > most) {
            return Err(StateError::mismatch("older frames of a row", format!("at most {most}"), wrong));
        }
        self.older_frames[..older_frames.len()].copy_from_slice(older_frames);
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
