//! Prioritised experience replay: transitions that the network is wrong about are learned from more often.
//!
//! Schaul, Quan, Antonoglou, Silver 2016, *Prioritized Experience Replay*, arXiv 1511.05952, the proportional variant:
//!
//! ```text
//! p_i  = |δ_i| + ε                     δ: the TD error when it was learned from last
//! P(i) = p_i^α / Σ_k p_k^α             the tree holds p^α
//! w_i  = (N · P(i))^−β / max_j w_j     over the minibatch, or over the whole memory
//! ```

use serde::{Deserialize, Serialize};

use super::ReplayStore;
use super::sum_tree::{MinTree, SumTree};
use crate::math::pow;
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// Over what the greatest importance weight is taken, by which all are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// The batch: the greatest weight of each batch is 1, or of each minibatch, where a batch is learned from in
    /// several. So do Schaul's own code and Rainbow.
    #[default]
    Batch,
    /// The whole memory, as in the paper's text and OpenAI Baselines: a weight does not depend on what else is in the
    /// batch. It needs a second tree.
    Memory,
}

/// Priorities of the slots of a [`ReplayStore`], and draws by them.
#[derive(Clone, Debug)]
pub(super) struct Prioritized {
    alpha: f64,
    epsilon: f64,
    /// `p^α` of every slot; 0 where there is no transition yet.
    sums: SumTree,
    /// The same, infinite where there is none; only where weights are normalised over the memory.
    least: Option<MinTree>,
    /// The greatest priority that there has been, not raised to α.
    greatest: f64,
    /// How many of the store's transitions have been given a priority.
    seen: u64,
}

impl Prioritized {
    pub(super) fn new(alpha: f64, epsilon: f64, normalization: Normalization, capacity: usize) -> Self {
        let least = (normalization == Normalization::Memory).then(|| MinTree::new(capacity));
        Self { alpha, epsilon, sums: SumTree::new(capacity), least, greatest: 1.0, seen: 0 }
    }

    fn set(&mut self, slot: usize, raised: f64) {
        self.sums.update(slot, raised);
        if let Some(least) = &mut self.least {
            least.update(slot, raised);
        }
    }

    /// Gives every transition pushed since the last call the greatest priority so far, so that each is likely to be
    /// learned from soon.
    fn take_in(&mut self, pushed: u64) {
        let capacity = self.sums.len() as u64;
        let new = pushed.saturating_sub(self.seen).min(capacity);
        let raised = pow(self.greatest, self.alpha);
        (pushed - new..pushed).for_each(|number| self.set((number % capacity) as usize, raised));
        self.seen = pushed;
    }

    /// Draws by priority, one in each of as many equal parts of the total, and gives their weights.
    pub(super) fn sample(
        &mut self,
        store: &ReplayStore,
        beta: f64,
        stream: &mut RandomStream,
        indices: &mut [u32],
        weights: &mut [f32],
    ) {
        assert_eq!(store.config().capacity, self.sums.len(), "the sampler is for another capacity");
        self.take_in(store.transitions_pushed());
        let part = self.sums.total() / indices.len() as f64;
        for (i, index) in indices.iter_mut().enumerate() {
            *index = self.sums.find(part * (i as f64 + stream.uniform_f64())) as u32;
        }
        self.weigh(beta, indices, weights);
    }

    /// The importance weights of a batch.
    fn weigh(&self, beta: f64, indices: &[u32], weights: &mut [f32]) {
        let raised = |index: &u32| self.sums.get(*index as usize);
        let of_batch = || indices.iter().map(raised).fold(f64::INFINITY, f64::min);
        let least = self.least.as_ref().map_or_else(of_batch, MinTree::least);
        for (weight, index) in weights.iter_mut().zip(indices) {
            // N and the total stand in every weight, and in the greatest, which is that of the least priority.
            *weight = pow(least / raised(index), beta) as f32;
        }
    }

    /// Sets the priorities of transitions just learned from.
    pub(super) fn update(&mut self, indices: &[u32], td_errors: &[f32]) {
        for (index, td_error) in indices.iter().zip(td_errors) {
            let priority = match f64::from(td_error.abs()) + self.epsilon {
                // A NaN in the tree would make every later draw meaningless, and an infinity the only one drawn.
                priority if !priority.is_finite() => self.greatest,
                priority => priority,
            };
            self.greatest = self.greatest.max(priority);
            self.set(*index as usize, pow(priority, self.alpha));
        }
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.tag("prioritized");
        state.f64(self.alpha);
        state.f64(self.greatest);
        state.u64(self.seen);
        let filled = self.seen.min(self.sums.len() as u64) as usize;
        let raised: Vec<f64> = (0..filled).map(|slot| self.sums.get(slot)).collect();
        state.f64_slice(&raised);
    }

    pub(super) fn load_state(
        &mut self,
        state: &mut StateReader<'_>,
        store: &ReplayStore,
    ) -> Result<(), StateError> {
        state.tag("prioritized")?;
        let capacity = self.sums.len();
        let normalization = if self.least.is_some() { Normalization::Memory } else { Normalization::Batch };
        let mut loaded = Self::new(self.alpha, self.epsilon, normalization, capacity);
        let alpha = state.f64("exponent of the priorities")?;
        if alpha.to_bits() != self.alpha.to_bits() {
            return Err(StateError::mismatch("exponent of the priorities", self.alpha, alpha));
        }
        loaded.greatest = state.f64("greatest priority")?;
        if !(loaded.greatest >= 1.0 && loaded.greatest.is_finite()) {
            return Err(StateError::mismatch("greatest priority", "a number of at least 1", loaded.greatest));
        }
        loaded.seen = state.u64_at_most("transitions with a priority", store.transitions_pushed())?;
        let raised = state.f64_vec("priorities")?;
        let filled = loaded.seen.min(capacity as u64);
        if raised.len() as u64 != filled {
            return Err(StateError::mismatch("priorities", filled, raised.len()));
        }
        let most = pow(loaded.greatest, self.alpha);
        for (slot, raised) in raised.into_iter().enumerate() {
            if !(raised > 0.0 && raised <= most) {
                return Err(StateError::mismatch("priority", format!("above 0, up to {most}"), raised));
            }
            loaded.set(slot, raised);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod golden;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    use super::golden::{assert_close, fixture, floats};

    fn doubles(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    /// Row 6, with the numbers of fixtures/losses/prioritized.py: totals, draws, and weights over batch and memory.
    #[test]
    fn row_6_totals_draws_and_weights_are_numpys() {
        let fixture = fixture("losses/prioritized.json");
        for memory in fixture["memories"].as_array().unwrap() {
            let priorities = floats(&memory["priority"]);
            let batch: Vec<u32> = doubles(&memory["batch"]).iter().map(|index| *index as u32).collect();
            for case in memory["cases"].as_array().unwrap() {
                let what = format!("{} slots, alpha {}", priorities.len(), case["alpha"]);
                let replays = [("by_batch", Normalization::Batch), ("by_memory", Normalization::Memory)];
                for (key, normalization) in replays {
                    let alpha = case["alpha"].as_f64().unwrap();
                    let mut replay = Prioritized::new(alpha, 0.0, normalization, priorities.len());
                    let all: Vec<u32> = (0..priorities.len() as u32).collect();
                    replay.update(&all, &priorities);
                    let (total, expected) = (replay.sums.total(), case["total"].as_f64().unwrap());
                    assert!((total - expected).abs() < 1e-9 * expected, "{what}: {total} and {expected}");
                    for (place, index) in doubles(&case["place"]).iter().zip(doubles(&case["index_at"])) {
                        assert_eq!(replay.sums.find(place * total) as f64, index, "{what} at {place}");
                    }
                    for of_beta in case["weights"].as_array().unwrap() {
                        let mut weights = vec![0.0; batch.len()];
                        replay.weigh(of_beta["beta"].as_f64().unwrap(), &batch, &mut weights);
                        assert_close(&weights, &floats(&of_beta[key]), &format!("weights, {what}, {key}"));
                    }
                }
            }
        }
    }
}
