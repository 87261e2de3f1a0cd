//! A batch of transitions, as a learner takes it.

use crate::loss::Transitions;
use crate::n_step::ObservationRef;
use crate::{ElementKind, ObservationBuffer};

/// A batch of transitions. There is no `done` in it: [`discount`](Self::discount) says all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch][element]`: the observations the actions were taken at.
    pub observation: ObservationBuffer,
    /// `[batch]`: the actions.
    pub action: Vec<u32>,
    /// `[batch]`: the discounted sums of the rewards.
    pub reward: Vec<f32>,
    /// `[batch]`: `γ^m · (1 − terminated)`.
    pub discount: Vec<f32>,
    /// `[batch][element]`: the observations that are bootstrapped from.
    pub next_observation: ObservationBuffer,
    /// `[batch]`: importance weights; 1 where sampling is uniform.
    pub weight: Vec<f32>,
    /// `[batch][action]`: which actions were allowed at the observation; empty where the store keeps no masks, and
    /// before it is [gathered](super::ReplayStore::gather) into.
    pub mask: Vec<bool>,
    /// `[batch][action]`: which actions are allowed at the next observation; empty where there are no masks.
    pub next_mask: Vec<bool>,
    /// `[batch]`: where the two observations stand in the store.
    pub(super) places: Vec<[ObservationRef; 2]>,
}

impl Batch {
    /// A batch of `len` transitions of zeros, with weights of 1.
    pub fn zeros(len: usize, element: ElementKind, observation_len: usize) -> Self {
        Self {
            observation: ObservationBuffer::zeros(element, len * observation_len),
            action: vec![0; len],
            reward: vec![0.0; len],
            discount: vec![0.0; len],
            next_observation: ObservationBuffer::zeros(element, len * observation_len),
            weight: vec![1.0; len],
            mask: vec![],
            next_mask: vec![],
            places: vec![[ObservationRef(0); 2]; len],
        }
    }

    /// The number of transitions.
    pub fn len(&self) -> usize {
        self.action.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.action.is_empty()
    }

    /// What a loss sees of the transitions `range`.
    ///
    /// # Panics
    /// If the range reaches past the end.
    pub fn transitions(&self, range: std::ops::Range<usize>) -> Transitions<'_> {
        let actions = self.mask.len().checked_div(self.len()).unwrap_or(0);
        let rows = range.start * actions..range.end * actions;
        Transitions {
            action: &self.action[range.clone()],
            reward: &self.reward[range.clone()],
            discount: &self.discount[range],
            mask: &self.mask[rows.clone()],
            next_mask: &self.next_mask[rows],
        }
    }
}
