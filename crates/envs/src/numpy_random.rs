//! NumPy's random numbers: what `numpy.random.default_rng(seed)` gives, to the bit.
//!
//! Gymnasium seeds every environment so, and to begin with the same states one must draw the same numbers.
//! The seed is spread by `SeedSequence` (after M. E. O'Neill's `seed_seq` design), the generator is PCG64
//! (XSL-RR 128/64; O'Neill 2014, HMC-CS-2014-0905), whole numbers are drawn by D. Lemire's method
//! (arXiv 1805.10941) on halves of the 64-bit outputs.

use deepq_core::{StateError, StateReader, StateWriter};

const POOL_WORDS: usize = 4;

/// Spreads a seed over as many well mixed bits as one needs: NumPy's `SeedSequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedSequence {
    pool: [u32; POOL_WORDS],
}

impl SeedSequence {
    /// The sequence of a seed below 2¹²⁸, as of `numpy.random.SeedSequence(seed)`.
    pub fn new(seed: u128) -> Self {
        let mut hash = Hash::new(0x43b0_d7e5, 0x931e_8875);
        let mut pool = std::array::from_fn(|word| hash.next((seed >> (32 * word)) as u32));
        for source in 0..POOL_WORDS {
            for target in (0..POOL_WORDS).filter(|target| *target != source) {
                pool[target] = mix(pool[target], hash.next(pool[source]));
            }
        }
        Self { pool }
    }

    /// The first `N` 64-bit numbers, as of `generate_state(N, numpy.uint64)`.
    pub fn generate<const N: usize>(&self) -> [u64; N] {
        let mut hash = Hash::new(0x8b51_f9dd, 0x58f3_8ded);
        let mut words = self.pool.iter().cycle();
        let mut next = || words.next().map_or(0, |word| u64::from(hash.next(*word)));
        std::array::from_fn(|_| next() | next() << 32)
    }
}

/// A multiplicative hash whose constant moves on with every word, so that equal words hash differently.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn new(constant: u32, multiplier: u32) -> Self {
        Self { constant, multiplier }
    }

    fn next(&mut self, word: u32) -> u32 {
        let mixed = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        fold(mixed.wrapping_mul(self.constant))
    }
}

fn mix(x: u32, y: u32) -> u32 {
    fold(x.wrapping_mul(0xca01_f9dd).wrapping_sub(y.wrapping_mul(0x4973_f715)))
}

fn fold(value: u32) -> u32 {
    value ^ value >> 16
}

/// A random number generator that gives what `numpy.random.default_rng(seed)` gives: PCG64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumpyGenerator {
    state: u128,
    increment: u128,
    /// The upper half of an output whose lower half was drawn as a 32-bit number.
    half: Option<u32>,
}

impl NumpyGenerator {
    /// The generator with a seed below 2¹²⁸.
    pub fn new(seed: u128) -> Self {
        let [state_high, state_low, stream_high, stream_low] = SeedSequence::new(seed).generate();
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let mut generator = Self { state: 0, increment: wide(stream_high, stream_low) << 1 | 1, half: None };
        generator.advance();
        generator.state = generator.state.wrapping_add(wide(state_high, state_low));
        generator.advance();
        generator
    }

    #[inline]
    fn advance(&mut self) {
        const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.advance();
        ((self.state >> 64) as u64 ^ self.state as u64).rotate_right((self.state >> 122) as u32)
    }

    /// 32 random bits: the lower half of 64, then their upper half.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if let Some(upper) = self.half.take() {
            return upper;
        }
        let bits = self.next_u64();
        self.half = Some((bits >> 32) as u32);
        bits as u32
    }

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³: NumPy's `random()`.
    #[inline]
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number from `low` up to `high`: NumPy's `uniform(low, high)`.
    #[inline]
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next_f64()
    }

    /// A whole number below `n`, each equally likely: NumPy's `integers(n)`.
    ///
    /// Where there is nothing to choose, `n` being 1 (or 0, which NumPy does not take), nothing is drawn.
    #[inline]
    pub fn integers(&mut self, n: u32) -> u32 {
        if n <= 1 {
            return 0;
        }
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Writes the whole state of the generator.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("numpy-pcg64");
        state.u128(self.state);
        state.u128(self.increment);
        state.bool(self.half.is_some());
        state.u32(self.half.unwrap_or(0));
    }

    /// Takes over what [`save_state`](Self::save_state) wrote; on an error nothing is changed.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a generator.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("numpy-pcg64")?;
        let loaded = Self {
            state: state.u128("state of the random numbers")?,
            increment: state.u128("increment of the random numbers")?,
            half: {
                let is_some = state.bool("whether half a random number is left")?;
                let half = state.u32("the half random number left")?;
                is_some.then_some(half)
            },
        };
        if loaded.increment & 1 == 0 {
            return Err(StateError::mismatch(
                "increment of the random numbers",
                "an odd number",
                loaded.increment,
            ));
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! The expected numbers are NumPy 2.4's.
    use super::*;

    #[test]
    fn seeds_are_spread_as_numpy_spreads_them() {
        let of = |seed| SeedSequence::new(seed).generate::<4>();
        let zero = [0xdb2cd7e7b0f478be, 0xabf4641a2c71ba49, 0x20c6ed6d9d7b8d41, 0x2c4099de223c39d4];
        assert_eq!(of(0), zero);
        let two_words = [0xd360dfe156c9650a, 0x6d067215b58db8d7, 0xb8f7f43613077984, 0xaa2ec05d0037409d];
        assert_eq!(of(1 << 63), two_words);
        let four_words = [0x02259a9fa490589e, 0x201e30e55d4ad6bb, 0xe03b00d1ad282156, 0xd105bd7e909486a5];
        assert_eq!(of((1 << 100) + 12345), four_words);
    }

    #[test]
    fn raw_outputs_are_those_of_numpys_pcg64() {
        let of = |seed| {
            let mut generator = NumpyGenerator::new(seed);
            [(); 3].map(|()| generator.next_u64())
        };
        assert_eq!(of(42), [0xc621fbcd16d92688, 0x705a5661a791ffc1, 0xdbcd12c26eda1624]);
        assert_eq!(of((1 << 100) + 12345), [0x30859d6359d87dc0, 0x24ce46b5a1db85cb, 0x6033ba3e5428354c]);
    }

    #[test]
    fn whole_numbers_and_fractions_interleave_as_in_numpy() {
        let mut generator = NumpyGenerator::new(42);
        let drawn = [2, 3, 4, 18, 1_000_000, (1 << 31) + 1, u32::MAX, 1, 7].map(|n| generator.integers(n));
        assert_eq!(drawn, [0, 2, 2, 7, 433015, 1843824993, 369133708, 0, 4]);
        // 0x1.81c01b5339380p-4, 0x1.85a13c91af4aap-5 and 0x1.0523c38277c08p+9.
        assert_eq!(generator.next_f64().to_bits(), 0x3fb81c01b5339380);
        assert_eq!(generator.uniform(-0.05, 0.05).to_bits(), 0x3fa85a13c91af4aa);
        assert_eq!(generator.uniform(-1000.0, 1000.0).to_bits(), 0x4080523c38277c08);
        assert_eq!(generator.integers(10), 7);
        assert_eq!(generator.state, 175865384792420015972094667196815174992);
        assert_eq!(generator.increment, 332724090758049132448979897138935081983);
        assert_eq!(generator.half, Some(3376120483));
    }

    #[test]
    fn draws_are_rejected_where_numpy_rejects_them() {
        let mut generator = NumpyGenerator::new(7);
        let drawn = [(); 12].map(|()| generator.integers(3 << 30));
        let expected = [
            3043751912, 2013573438, 2203897839, 1862810377, 2498658503, 2685377905, 725443136, 178879731,
            966903282, 2813912609, 16960732, 1609925925,
        ];
        assert_eq!(drawn, expected);
        assert_eq!(generator.state, 163487065876966994792882151627064196848);
    }

    #[test]
    fn a_saved_generator_goes_on_with_the_same_numbers() {
        let mut generator = NumpyGenerator::new(3);
        generator.integers(5);
        let mut writer = StateWriter::new();
        generator.save_state(&mut writer);
        let bytes = writer.into_bytes();
        let mut other = NumpyGenerator::new(4);
        let mut reader = StateReader::new(&bytes);
        other.load_state(&mut reader).unwrap();
        reader.finish().unwrap();
        assert!(other.half.is_some());
        assert_eq!([(); 9].map(|()| other.next_u32()), [(); 9].map(|()| generator.next_u32()));
    }

    #[test]
    fn damaged_states_are_refused_and_change_nothing() {
        let mut writer = StateWriter::new();
        NumpyGenerator::new(3).save_state(&mut writer);
        let mut bytes = writer.into_bytes();
        let mut other = NumpyGenerator::new(4);
        assert!(other.load_state(&mut StateReader::new(&bytes[..bytes.len() - 1])).is_err());
        let increment = bytes.len() - 5 - 16;
        bytes[increment] ^= 1;
        assert!(other.load_state(&mut StateReader::new(&bytes)).is_err());
        assert_eq!(other, NumpyGenerator::new(4));
    }
}
