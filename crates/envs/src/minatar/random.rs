//! NumPy's older random numbers, `numpy.random.RandomState`: the Mersenne Twister.
//!
//! M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random
//! number generator" (ACM Transactions on Modeling and Computer Simulation 8, 1998), with the seeding of 2002
//! and NumPy's ways to fractions and bounded whole numbers.

use deepq_core::{StateError, StateReader, StateWriter};

/// Words of the state.
const WORDS: usize = 624;
/// How far apart the words are that the next one is made from.
const DISTANCE: usize = 397;

/// A random number generator that gives what `numpy.random.RandomState(seed)` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomState {
    words: [u32; WORDS],
    /// The word to hand out next; [`WORDS`] where all are spent.
    next: usize,
}

impl RandomState {
    /// The generator of a seed.
    ///
    /// Up to 2³² − 1 these are the numbers of NumPy's `RandomState(seed)`, which takes no greater ones; beyond,
    /// those of `RandomState([seed % 2**32, seed // 2**32])`, so that any two seeds differ.
    pub fn new(seed: u64) -> Self {
        match u32::try_from(seed) {
            Ok(seed) => Self { words: spread(seed), next: WORDS },
            Err(_) => Self { words: spread_two(seed as u32, (seed >> 32) as u32), next: WORDS },
        }
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= WORDS {
            twist(&mut self.words);
            self.next = 0;
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ word >> 18
    }

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³: NumPy's `rand()`.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        let (upper, lower) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(upper) * f64::from(1 << 26) + f64::from(lower)) * (1.0 / (1u64 << 53) as f64)
    }

    /// A whole number below `n`, each equally likely: NumPy's `randint(n)`. Where `n` is 0 or 1 nothing is drawn.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        let greatest = n.saturating_sub(1);
        if greatest == 0 {
            return 0;
        }
        let mask = u32::MAX >> greatest.leading_zeros();
        loop {
            let value = self.next_u32() & mask;
            if value <= greatest {
                return value;
            }
        }
    }

    /// Writes the whole state of the generator.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("numpy-mt19937");
        state.u32_slice(&self.words);
        state.u64(self.next as u64);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote; on an error nothing is changed.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a generator.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("numpy-mt19937")?;
        let words = state.u32_vec("words of the random numbers")?;
        let words = words.try_into().map_err(|words: Vec<u32>| {
            StateError::mismatch("words of the random numbers", WORDS, words.len())
        })?;
        let next = state.u64_at_most("position in the random numbers", WORDS as u64)? as usize;
        *self = Self { words, next };
        Ok(())
    }
}

/// All words from one.
fn spread(seed: u32) -> [u32; WORDS] {
    let mut words = [seed; WORDS];
    for i in 1..WORDS {
        words[i] = mixed(words[i - 1]).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
    }
    words
}

/// All words from two, each used in turn.
fn spread_two(low: u32, high: u32) -> [u32; WORDS] {
    let mut words = spread(19_650_218);
    let mut at = 1;
    let advance = |words: &mut [u32; WORDS], at: usize| {
        if at + 1 < WORDS {
            return at + 1;
        }
        words[0] = words[WORDS - 1];
        1
    };
    for turn in 0..WORDS {
        let key = if turn % 2 == 0 { low } else { high.wrapping_add(1) };
        words[at] = (words[at] ^ mixed(words[at - 1]).wrapping_mul(1_664_525)).wrapping_add(key);
        at = advance(&mut words, at);
    }
    for _ in 1..WORDS {
        words[at] = (words[at] ^ mixed(words[at - 1]).wrapping_mul(1_566_083_941)).wrapping_sub(at as u32);
        at = advance(&mut words, at);
    }
    words[0] = 1 << 31;
    words
}

fn mixed(word: u32) -> u32 {
    word ^ word >> 30
}

/// Replaces all words by the next ones.
#[cold]
fn twist(words: &mut [u32; WORDS]) {
    let new = |this: u32, following: u32, distant: u32| {
        let joined = this & 1 << 31 | following & !(1 << 31);
        distant ^ joined >> 1 ^ (joined & 1).wrapping_neg() & 0x9908_b0df
    };
    for i in 0..WORDS - DISTANCE {
        words[i] = new(words[i], words[i + 1], words[i + DISTANCE]);
    }
    for i in WORDS - DISTANCE..WORDS - 1 {
        words[i] = new(words[i], words[i + 1], words[i + DISTANCE - WORDS]);
    }
    words[WORDS - 1] = new(words[WORDS - 1], words[0], words[DISTANCE - 1]);
}

#[cfg(test)]
mod tests {
    //! The expected numbers are NumPy 2.4's.
    use super::*;

    fn words<const N: usize>(seed: u64) -> [u32; N] {
        let mut random = RandomState::new(seed);
        [(); N].map(|()| random.next_u32())
    }

    #[test]
    fn seeds_of_32_bits_give_the_words_of_random_state() {
        assert_eq!(words(0), [2357136044, 2546248239, 3071714933]);
        assert_eq!(words(42), [1608637542, 3421126067, 4083286876]);
        assert_eq!(words(u64::from(u32::MAX)), [419326371, 479346978, 3918654476]);
    }

    #[test]
    fn greater_seeds_give_the_words_of_random_state_of_both_halves() {
        assert_eq!(words(1 << 32), [485306839, 1508871100, 1794561286]);
        assert_eq!(words(1 << 63), [2377109768, 1691753470, 4039908392]);
        assert_eq!(words(u64::MAX), [93740670, 1068495656, 1452108352]);
        assert_eq!(words(12_345_678_901_234), [107551873, 2403399316, 624174316]);
    }

    #[test]
    fn the_words_go_on_beyond_the_first_ones_of_the_state() {
        let words: [u32; 2000] = words(0);
        assert_eq!(words[622..626], [631131020, 3791854820, 341544762, 1076416385]);
        assert_eq!(words[1999], 3856691381);
        assert_eq!(words.iter().fold(0u32, |sum, word| sum.wrapping_add(*word)), 0x937d_9637);
    }

    #[test]
    fn fractions_and_whole_numbers_are_those_of_random_state() {
        let fraction = |seed| RandomState::new(seed).uniform().to_bits();
        // 0x1.18fe1565f12a8p-1, 0x1.7f8771e5f51ecp-2 and 0x1.8fe69a3924820p-4.
        assert_eq!(fraction(0), 0x3fe18fe1565f12a8);
        assert_eq!(fraction(42), 0x3fd7f8771e5f51ec);
        assert_eq!(fraction(u64::from(u32::MAX)), 0x3fb8fe69a3924820);
        let mut random = RandomState::new(42);
        let drawn = [2, 3, 4, 5, 8, 9, 1, 100, 1_000_000, i32::MAX as u32].map(|n| random.below(n));
        assert_eq!(drawn, [0, 0, 2, 2, 7, 4, 0, 82, 521430, 249467210]);
        // 0x1.d645576ededc2p-2, then after eight of 1 to 5 0x1.779cc89e13448p-3 and 0x1.378b474e4aa68p-2.
        assert_eq!(random.uniform().to_bits(), 0x3fdd645576ededc2);
        assert_eq!([(); 8].map(|()| 1 + random.below(5)), [5, 4, 3, 5, 2, 4, 2, 4]);
        assert_eq!(random.uniform().to_bits(), 0x3fc779cc89e13448);
        assert_eq!(random.uniform().to_bits(), 0x3fd378b474e4aa68);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.next_u32(), 2253811733);
    }

    #[test]
    fn a_saved_generator_goes_on_with_the_same_numbers() {
        for drawn in [0, 1, 623, 624, 700] {
            let mut random = RandomState::new(3);
            for _ in 0..drawn {
                random.next_u32();
            }
            let mut writer = StateWriter::new();
            random.save_state(&mut writer);
            let bytes = writer.into_bytes();
            let mut other = RandomState::new(4);
            let mut reader = StateReader::new(&bytes);
            other.load_state(&mut reader).unwrap();
            reader.finish().unwrap();
            assert_eq!(other, random);
            assert_eq!([(); 1300].map(|()| other.next_u32()), [(); 1300].map(|()| random.next_u32()));
        }
    }

    #[test]
    fn damaged_states_are_refused_and_change_nothing() {
        let mut writer = StateWriter::new();
        RandomState::new(3).save_state(&mut writer);
        let mut bytes = writer.into_bytes();
        let mut other = RandomState::new(4);
        assert!(other.load_state(&mut StateReader::new(&bytes[..bytes.len() - 1])).is_err());
        let position = bytes.len() - 8;
        bytes[position..].copy_from_slice(&625u64.to_le_bytes());
        let error = other.load_state(&mut StateReader::new(&bytes)).unwrap_err();
        assert_eq!(error.to_string(), "position in the random numbers: expected at most 624, found 625");
        assert_eq!(other, RandomState::new(4));
    }
}
