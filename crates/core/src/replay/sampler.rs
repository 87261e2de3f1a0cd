//! Which transitions are learned from.

use serde::{Deserialize, Serialize};

use crate::RandomStream;

/// How transitions are drawn from the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SamplerConfig {
    /// Each transition equally likely.
    #[default]
    Uniform,
    /// Each transition equally likely, none twice in one batch, in random order.
    UniformWithoutReplacement,
}

/// Draws transitions.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplerConfig,
    /// One bit a transition: those drawn already. All zero between two calls.
    drawn: Vec<u64>,
}

impl Sampler {
    /// A sampler for a memory of `capacity` transitions.
    pub fn new(config: SamplerConfig, capacity: usize) -> Self {
        let words = match config {
            SamplerConfig::Uniform => 0,
            SamplerConfig::UniformWithoutReplacement => capacity.div_ceil(64),
        };
        Self { config, drawn: vec![0; words] }
    }

    /// How it draws.
    pub fn config(&self) -> SamplerConfig {
        self.config
    }

    /// The least number of transitions that a batch of `batch_size` can be drawn from.
    pub fn needed(&self, batch_size: usize) -> usize {
        match self.config {
            SamplerConfig::Uniform => 1,
            SamplerConfig::UniformWithoutReplacement => batch_size,
        }
    }

    /// Fills `indices` with numbers in `0..len`.
    ///
    /// # Panics
    /// If `len` is less than [`needed`](Self::needed).
    pub fn sample(&mut self, len: usize, stream: &mut RandomStream, indices: &mut [u32]) {
        assert!(len >= self.needed(indices.len()), "{} of {len} transitions", indices.len());
        match self.config {
            SamplerConfig::Uniform => indices.fill_with(|| stream.below(len) as u32),
            SamplerConfig::UniformWithoutReplacement if 2 * indices.len() <= len => {
                self.sample_by_rejection(len, stream, indices);
            }
            SamplerConfig::UniformWithoutReplacement => sample_by_shuffling(len, stream, indices),
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
            sampler.sample(len, &mut stream, &mut indices);
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
                sampler.sample(len, &mut stream, &mut indices);
                indices.sort_unstable();
                indices.dedup();
                assert_eq!(indices.len(), batch);
            }
            assert!(sampler.drawn.iter().all(|word| *word == 0));
        }
    }
}
