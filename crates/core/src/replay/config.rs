//! What a memory is made for, and how much room it takes.

use super::finals;
use super::masks::mask_bytes;
use crate::{ElementKind, StackPadding, Transition};

/// What a [`ReplayStore`](super::ReplayStore) is made for.
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
    /// How many frames an observation is made of; see [`EnvSpec::stacked_frames`](crate::EnvSpec::stacked_frames).
    pub stacked_frames: usize,
    /// What stands in the place of frames before an episode's first.
    pub stack_padding: StackPadding,
    /// Whether each observation has a mask of the allowed actions; see
    /// [`EnvSpec::action_masks`](crate::EnvSpec::action_masks).
    pub action_masks: bool,
}

impl ReplayStoreConfig {
    /// Rows of the ring of observations, one place an environment each.
    pub(super) fn rows(&self) -> u64 {
        // A transition lives until `capacity` others were pushed. Each row after its own brings one an
        // environment, except for at most n_step rows that are pending now and as many that other
        // environments' ended episodes had emitted before it. The older frames of its observation stand in the
        // rows before its own.
        let [capacity, envs, n_step, frames] =
            [self.capacity, self.envs, self.n_step, self.stacked_frames].map(|number| number as u64);
        let pending = n_step.saturating_mul(2).saturating_add(1);
        capacity.div_ceil(envs.max(1)).saturating_add(pending).saturating_add(frames.saturating_sub(1))
    }

    /// Flags of a mask; 0 where there are none.
    pub(super) fn mask_len(&self) -> usize {
        if self.action_masks { self.actions } else { 0 }
    }

    /// How many bytes of memory such a store takes from the beginning. What it takes when it is full depends on how
    /// long its episodes are, for it keeps the last observation of each: see [`most_bytes`](Self::most_bytes).
    pub fn bytes(&self) -> u64 {
        let finals = finals::first_bytes(self.element, self.observation_len, self.mask_len());
        self.bytes_without_finals().saturating_add(finals)
    }

    /// How many bytes of memory such a store takes at the most: where every episode ends after its first step, so that
    /// each transition has a last observation of its own, and at the moment when the room for these grows.
    ///
    /// Episodes of 10 steps have a tenth of these observations, which are kept with all of their frames.
    pub fn most_bytes(&self) -> u64 {
        // Two more than transitions: the newest one comes before its transition, and that of the transition that gave
        // way last is still there.
        let held = (self.capacity as u64).saturating_add(2);
        let finals = finals::most_bytes(held, self.element, self.observation_len, self.mask_len());
        self.bytes_without_finals().saturating_add(finals)
    }

    pub(super) fn bytes_without_finals(&self) -> u64 {
        let frame_len = (self.observation_len / self.stacked_frames.max(1)) as u64;
        let frame_bytes = frame_len.saturating_mul(self.element.bytes());
        let places = self.rows().saturating_mul(self.envs as u64);
        let place_bytes = frame_bytes
            .saturating_add(mask_bytes(self.mask_len()) as u64)
            .saturating_add(u64::from(self.stacked_frames > 1));
        let transitions = (self.capacity as u64).saturating_mul(size_of::<Transition>() as u64);
        places.saturating_mul(place_bytes).saturating_add(transitions)
    }
}
