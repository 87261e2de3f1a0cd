//! Which transitions are learned from.

use serde::{Deserialize, Serialize};

use super::ReplayStore;
use super::prioritized::{Normalization, Prioritized};
use crate::{Progress, RandomStream, Schedule, SettingError, StateError, StateReader, StateWriter};

/// How transitions are drawn from the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SamplerConfig {
    /// Each transition equally likely.
    #[default]
    Uniform,
    /// Each transition equally likely, none twice in one batch, in random order.
    UniformWithoutReplacement,
    /// Each transition as likely as the network is wrong about it (Schaul et al. 2016, arXiv 1511.05952), with
    /// importance weights. Of the total of all priorities, cut into as many equal parts as a minibatch has places, one
    /// draw is made in each.
    Prioritized {
        /// The exponent α of the priorities, 0 to 1: 0 makes all equally likely.
        #[serde(default = "default_alpha")]
        alpha: f64,
        /// The exponent β of the importance weights, 0 to 1: 1 makes up wholly for the priorities. The paper lets it
        /// rise to 1.
        #[serde(default = "default_beta")]
        beta: Schedule,
        /// What the importance weights are divided by.
        #[serde(default)]
        normalization: Normalization,
        /// What is added to the magnitude of a TD error, so that no transition is lost for good.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
    },
}

fn default_alpha() -> f64 {
    0.6
}

fn default_beta() -> Schedule {
    Schedule::Constant { value: 0.4 }
}

fn default_epsilon() -> f64 {
    1e-6
}

impl SamplerConfig {
    /// Checks the range of every setting, the schedule of β aside.
    ///
    /// # Errors
    /// [`SettingError`] for the first that cannot be used.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self::Prioritized { alpha, epsilon, .. } = *self else { return Ok(()) };
        SettingError::unless((0.0..=1.0).contains(&alpha), "alpha", alpha, "0 to 1")?;
        let holds = (1e-30..=1e30).contains(&epsilon);
        SettingError::unless(holds, "epsilon", epsilon, "a positive number, 1e-30 to 1e30")
    }

    /// How many bytes of memory a sampler takes beside a memory of `capacity` transitions.
    pub fn bytes(&self, capacity: usize) -> u64 {
        let capacity = capacity as u64;
        // A tree has two numbers of 8 bytes for each leaf.
        match self {
            Self::Uniform => 0,
            Self::UniformWithoutReplacement => capacity.div_ceil(64) * 8,
            Self::Prioritized { normalization: Normalization::Batch, .. } => capacity.saturating_mul(16),
            Self::Prioritized { normalization: Normalization::Memory, .. } => capacity.saturating_mul(32),
        }
    }
}

/// Draws transitions.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplerConfig,
    capacity: usize,
    /// One bit a transition: those drawn already. All zero between two calls.
    drawn: Vec<u64>,
    prioritized: Option<Prioritized>,
}

impl Sampler {
    /// A sampler for a memory of `capacity` transitions.
    ///
    /// # Panics
    /// If the capacity is 0 or a setting cannot be [used](SamplerConfig::validate).
    pub fn new(config: SamplerConfig, capacity: usize) -> Self {
        assert!(capacity > 0, "a memory holds at least 1 transition");
        config.validate().unwrap_or_else(|error| panic!("{error}"));
        let (words, prioritized) = match config {
            SamplerConfig::Uniform => (0, None),
            SamplerConfig::UniformWithoutReplacement => (capacity.div_ceil(64), None),
            SamplerConfig::Prioritized { alpha, normalization, epsilon, .. } => {
                (0, Some(Prioritized::new(alpha, epsilon, normalization, capacity)))
            }
        };
        Self { config, capacity, drawn: vec![0; words], prioritized }
    }

    /// How it draws.
    pub fn config(&self) -> SamplerConfig {
        self.config
    }

    /// How many bytes of memory it takes.
    pub fn bytes(&self) -> u64 {
        self.config.bytes(self.capacity)
    }

    /// The least number of transitions that a batch of `batch_size` can be drawn from.
    pub fn needed(&self, batch_size: usize) -> usize {
        match self.config {
            SamplerConfig::Uniform | SamplerConfig::Prioritized { .. } => 1,
            SamplerConfig::UniformWithoutReplacement => batch_size,
        }
    }

    /// Fills `indices` with slots of `store`, and `weights` with their importance weights, which are 1 where each
    /// transition is equally likely.
    ///
    /// What was pushed to the store since the last call has the greatest priority that there has been, at first 1.
    ///
    /// # Panics
    /// If the store holds less than [`needed`](Self::needed), if there are not as many weights as indices, or if
    /// priorities are kept for another capacity than the store's.
    pub fn sample(
        &mut self,
        store: &ReplayStore,
        progress: Progress,
        stream: &mut RandomStream,
        indices: &mut [u32],
        weights: &mut [f32],
    ) {
        let minibatch_size = indices.len().max(1);
        self.sample_minibatches(store, progress, stream, minibatch_size, indices, weights);
    }

    /// As [`sample`](Self::sample), for a batch that is learned from in minibatches of `minibatch_size`, of which the
    /// last may be smaller. By priority each of them is drawn and weighed as if it were a batch alone, from the same
    /// priorities: the parts of one total over the whole batch would give the first minibatch the first slots of the
    /// memory and the last one the last.
    ///
    /// # Panics
    /// As [`sample`](Self::sample), and if `minibatch_size` is 0.
    pub fn sample_minibatches(
        &mut self,
        store: &ReplayStore,
        progress: Progress,
        stream: &mut RandomStream,
        minibatch_size: usize,
        indices: &mut [u32],
        weights: &mut [f32],
    ) {
        assert_eq!(indices.len(), weights.len(), "one weight an index");
        match (&mut self.prioritized, self.config) {
            (Some(prioritized), SamplerConfig::Prioritized { beta, .. }) => {
                assert!(!store.is_empty(), "{} of 0 transitions", indices.len());
                let beta = beta.at(progress).max(0.0);
                let minibatches = indices.chunks_mut(minibatch_size).zip(weights.chunks_mut(minibatch_size));
                for (indices, weights) in minibatches {
                    prioritized.sample(store, beta, stream, indices, weights);
                }
            }
            _ => {
                self.sample_uniform(store.len(), stream, indices);
                weights.fill(1.0);
            }
        }
    }

    /// Tells the errors of the transitions that were just sampled and learned from, before others are pushed. They
    /// become priorities: magnitude plus epsilon. Where a transition is there twice, the last one counts. An error that
    /// is no finite number counts as the greatest so far, so that one bad batch spoils no later one.
    ///
    /// # Panics
    /// If there are not as many errors as indices, or if an index is not below the capacity.
    pub fn update(&mut self, indices: &[u32], td_errors: &[f32]) {
        assert_eq!(indices.len(), td_errors.len(), "one error an index");
        if let Some(prioritized) = &mut self.prioritized {
            prioritized.update(indices, td_errors);
        }
    }

    /// Fills `indices` with numbers in `0..len`, each equally likely, whatever the priorities: none twice where the
    /// sampler is [without replacement](SamplerConfig::UniformWithoutReplacement).
    ///
    /// # Panics
    /// If `len` is less than [`needed`](Self::needed).
    pub fn sample_uniform(&mut self, len: usize, stream: &mut RandomStream, indices: &mut [u32]) {
        assert!(len >= self.needed(indices.len()), "{} of {len} transitions", indices.len());
        match self.config {
            SamplerConfig::UniformWithoutReplacement if 2 * indices.len() <= len => {
                self.sample_by_rejection(len, stream, indices);
            }
            SamplerConfig::UniformWithoutReplacement => sample_by_shuffling(len, stream, indices),
            _ => indices.fill_with(|| stream.below(len) as u32),
        }
    }

    /// Writes all that later draws depend on, the random stream aside.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("sampler");
        if let Some(prioritized) = &self.prioritized {
            prioritized.save_state(state);
        }
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// `store` is the one it draws from, its own state loaded already.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a sampler of this store. It is then as it was before.
    pub fn load_state(&mut self, state: &mut StateReader<'_>, store: &ReplayStore) -> Result<(), StateError> {
        state.tag("sampler")?;
        match &mut self.prioritized {
            Some(prioritized) => prioritized.load_state(state, store),
            None => Ok(()),
        }
    }

    /// Draws again what was drawn already: at most every other draw, on average.
    fn sample_by_rejection(&mut self, len: usize, stream: &mut RandomStream, indices: &mut [u32]) {
        for index in indices.iter_mut() {
            *index = loop {
                let draw = stream.below(len);
                let (word, bit) = (draw / 64, 1 << (draw % 64));
                if self.drawn[word] & bit == 0 {
                    self.drawn[word] |= bit;
                    break draw as u32;
                }
            };
        }
        for index in indices.iter() {
            self.drawn[*index as usize / 64] = 0;
        }
    }
}

/// The first steps of a Fisher–Yates shuffle, for batches of more than half of the memory.
fn sample_by_shuffling(len: usize, stream: &mut RandomStream, indices: &mut [u32]) {
    let mut all: Vec<u32> = (0..len as u32).collect();
    for (i, index) in indices.iter_mut().enumerate() {
        all.swap(i, i + stream.below(len - i));
        *index = all[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(config: SamplerConfig, len: usize, batch: usize, draws: usize) -> Vec<Vec<u32>> {
        let mut sampler = Sampler::new(config, len);
        let mut stream = RandomStream::new(1, "replay", 0);
        let mut indices = vec![0; batch];
        let mut counts = vec![vec![0; len]; batch];
        for _ in 0..draws {
            sampler.sample_uniform(len, &mut stream, &mut indices);
            for (place, index) in indices.iter().enumerate() {
                counts[place][*index as usize] += 1;
            }
        }
        counts
    }

    /// Every transition is equally likely at every place of the batch, for each way of drawing.
    #[test]
    fn draws_are_uniform_at_every_place() {
        for (config, len, batch) in [
            (SamplerConfig::Uniform, 10, 4),
            (SamplerConfig::UniformWithoutReplacement, 10, 4),
            (SamplerConfig::UniformWithoutReplacement, 10, 8),
        ] {
            for (place, counts) in counts(config, len, batch, 20_000).iter().enumerate() {
                let chi_squared: f64 =
                    counts.iter().map(|count| (f64::from(*count) - 2000.0).powi(2) / 2000.0).sum();
                assert!(
                    chi_squared < 33.7,
                    "p < 1e-4 for 9 degrees of freedom: {config:?} {place} {counts:?}"
                );
            }
        }
    }

    #[test]
    fn without_replacement_nothing_is_drawn_twice() {
        let mut stream = RandomStream::new(1, "replay", 0);
        for (len, batch) in [(64, 64), (65, 64), (200, 64), (130, 65)] {
            let mut sampler = Sampler::new(SamplerConfig::UniformWithoutReplacement, len);
            for _ in 0..200 {
                let mut indices = vec![0; batch];
                sampler.sample_uniform(len, &mut stream, &mut indices);
                indices.sort_unstable();
                indices.dedup();
                assert_eq!(indices.len(), batch);
            }
            assert!(sampler.drawn.iter().all(|word| *word == 0));
        }
    }
}
