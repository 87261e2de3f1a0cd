//! Random numbers: named, independent streams from one seed.
//!
//! Every part of a run that draws has a stream of its own, so that one part drawing more often changes nothing
//! for the others. A stream is ChaCha with 8 rounds, keyed by the run's seed, the stream's name and an index.
//! The draws below are written out here because their values are part of deepq's promise: the same seed gives
//! the same bytes, whatever version of whatever library is underneath.

use crate::math;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{StateError, StateReader, StateWriter};

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct RandomStream {
    generator: ChaCha8Rng,
}

impl RandomStream {
    /// The stream `name` with number `index` of the run with seed `seed`.
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        key[24..].copy_from_slice(b"deepq-v1");
        Self { generator: ChaCha8Rng::from_seed(key) }
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.generator.next_u32()
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number in `0..n`, each equally likely (Lemire, arXiv 1805.10941).
    ///
    /// # Panics
    /// If `n` is 0 or does not fit in 32 bits.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        let n = u32::try_from(n).ok().filter(|n| *n > 0).expect("a draw is from 1 to 2^32 - 1 values");
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as usize
    }

    /// A number in `[0, 1)`, a multiple of 2⁻²⁴.
    #[inline]
    pub fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³.
    #[inline]
    pub fn uniform_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A number of the standard normal distribution, by the method of Box & Muller (1958).
    pub fn normal_f32(&mut self) -> f32 {
        // Above 0, so that the logarithm is finite.
        let radius = (-2.0 * math::ln(1.0 - self.uniform_f32())).sqrt();
        radius * math::cos_pi(2.0 * self.uniform_f32())
    }

    /// Writes the stream's key and position.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("random-stream");
        state.bytes_with_len(&self.generator.get_seed());
        state.u128(self.generator.get_word_pos());
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not such a state.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("random-stream")?;
        let key = state.bytes_with_len("a stream's key")?;
        let key: [u8; 32] =
            key.try_into().map_err(|_| StateError::mismatch("a stream's key", "32 bytes", key.len()))?;
        self.generator = ChaCha8Rng::from_seed(key);
        self.generator.set_word_pos(state.u128("a stream's position")?);
        Ok(())
    }
}

/// FNV-1a over 64 bits: names become key material, so equal names must give equal keys for ever.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(mut stream: RandomStream) -> Vec<u32> {
        (0..5).map(|_| stream.next_u32()).collect()
    }

    /// The numbers are those of fixtures/random/chacha8.py, which shares no code with this.
    #[test]
    fn values_are_stable() {
        assert_eq!(
            draws(RandomStream::new(1, "replay", 0)),
            [2_125_245_894, 1_117_300_180, 626_806_413, 2_229_947_258, 2_533_850_920],
            "these values are part of the promise that a seed gives the same bytes for ever"
        );
    }

    #[test]
    fn name_index_and_seed_each_make_another_stream() {
        let base = draws(RandomStream::new(1, "replay", 0));
        assert_ne!(base, draws(RandomStream::new(2, "replay", 0)));
        assert_ne!(base, draws(RandomStream::new(1, "env", 0)));
        assert_ne!(base, draws(RandomStream::new(1, "replay", 1)));
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut stream = RandomStream::new(1, "test", 0);
        let values: Vec<f64> = (0..100_000).map(|_| f64::from(stream.normal_f32())).collect();
        let moment = |power: i32| values.iter().map(|value| value.powi(power)).sum::<f64>() / 1e5;
        for (power, expected, allowed) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.06), (4, 3.0, 0.2)] {
            assert!((moment(power) - expected).abs() < allowed, "moment {power}: {}", moment(power));
        }
        assert!(values.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn below_is_uniform() {
        let mut stream = RandomStream::new(3, "test", 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7)] += 1;
        }
        let chi_squared: f64 = counts.iter().map(|count| (f64::from(*count) - 1e4).powi(2) / 1e4).sum();
        assert!(chi_squared < 22.46, "p < 0.001 for 6 degrees of freedom: {counts:?}");
    }

    #[test]
    fn a_stream_goes_on_from_its_state() {
        let mut stream = RandomStream::new(5, "env", 2);
        for _ in 0..21 {
            stream.next_u32();
        }
        let mut state = StateWriter::new();
        stream.save_state(&mut state);
        let bytes = state.into_bytes();
        let mut other = RandomStream::new(0, "", 0);
        other.load_state(&mut StateReader::new(&bytes)).unwrap();
        assert_eq!(draws(stream), draws(other));
    }
}
