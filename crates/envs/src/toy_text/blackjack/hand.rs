//! A hand of cards.

use deepq_core::{StateError, StateReader, StateWriter};

use crate::numpy_random::NumpyGenerator;

const TWENTY_ONE: u32 = 21;
/// The cards that are remembered one by one. No hand of 21 or less has more, and none that is one card above.
const REMEMBERED: usize = 24;

/// The values of the cards: an ace, 2 to 9, and four ranks of 10.
const VALUES: [u8; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10];

/// Cards drawn one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Hand {
    /// The values of the first cards, in the order drawn; an ace is 1.
    remembered: [u8; REMEMBERED],
    /// How many cards there are.
    count: u32,
    /// The sum with every ace as 1.
    hard_sum: u32,
    has_ace: bool,
}

impl Hand {
    /// Two cards.
    pub(super) fn dealt(random: &mut NumpyGenerator) -> Self {
        let mut hand = Self::default();
        hand.draw(random);
        hand.draw(random);
        hand
    }

    /// One more card. There may be any number: nothing forbids to hit above 21.
    #[inline]
    pub(super) fn draw(&mut self, random: &mut NumpyGenerator) {
        self.add(VALUES[random.integers(VALUES.len() as u32) as usize]);
    }

    #[inline]
    fn add(&mut self, value: u8) {
        if let Some(place) = self.remembered.get_mut(self.count as usize) {
            *place = value;
        }
        self.count = self.count.saturating_add(1);
        self.hard_sum = self.hard_sum.saturating_add(value.into());
        self.has_ace |= value == 1;
    }

    /// The first cards.
    pub(super) fn cards(&self) -> &[u8] {
        &self.remembered[..REMEMBERED.min(self.count as usize)]
    }

    /// The value of the first card, 0 where there is none.
    #[inline]
    pub(super) fn first(&self) -> u8 {
        self.remembered[0]
    }

    /// An ace that counts 11 without bringing the sum above 21.
    #[inline]
    pub(super) fn has_usable_ace(&self) -> bool {
        self.has_ace && self.hard_sum <= TWENTY_ONE - 10
    }

    #[inline]
    pub(super) fn sum(&self) -> u32 {
        self.hard_sum + if self.has_usable_ace() { 10 } else { 0 }
    }

    #[inline]
    pub(super) fn is_bust(&self) -> bool {
        self.sum() > TWENTY_ONE
    }

    /// The sum, or 0 above 21.
    #[inline]
    pub(super) fn score(&self) -> u32 {
        if self.is_bust() { 0 } else { self.sum() }
    }

    /// An ace and a 10, and nothing else.
    #[inline]
    pub(super) fn is_natural(&self) -> bool {
        self.count == 2 && self.has_ace && self.hard_sum == 11
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.bytes_with_len(self.cards());
        state.u32(self.count);
        state.u32(self.hard_sum);
        state.bool(self.has_ace);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote; on an error the hand is in no defined state.
    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let cards = state.bytes_with_len("cards of a hand")?;
        let mut hand = Self::default();
        if cards.len() > REMEMBERED || cards.iter().any(|value| !(1..=10).contains(value)) {
            let expected = format!("at most {REMEMBERED} values from 1 to 10");
            return Err(StateError::mismatch("cards of a hand", expected, format!("{cards:?}")));
        }
        cards.iter().for_each(|value| hand.add(*value));
        let (count, hard_sum) = (state.u32("number of cards")?, state.u32("sum of a hand")?);
        let has_ace = state.bool("whether a hand has an ace")?;
        let all_remembered = count as usize <= REMEMBERED;
        let found = Self { remembered: hand.remembered, count, hard_sum, has_ace };
        let beyond = count.saturating_sub(REMEMBERED as u32);
        let fits = if all_remembered {
            found == hand
        } else {
            // Each card beyond is 1 to 10, and an ace stays.
            let most = hand.hard_sum.saturating_add(beyond.saturating_mul(10));
            cards.len() == REMEMBERED
                && (hand.hard_sum.saturating_add(beyond)..=most).contains(&hard_sum)
                && has_ace >= hand.has_ace
        };
        if !fits {
            return Err(StateError::mismatch("a hand", format!("{hand:?}"), format!("{found:?}")));
        }
        *self = found;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(values: &[u8]) -> Hand {
        let mut hand = Hand::default();
        values.iter().for_each(|value| hand.add(*value));
        hand
    }

    #[test]
    fn an_ace_counts_11_where_that_does_not_bring_the_sum_above_21() {
        for (values, sum, usable) in [
            (&[1, 10][..], 21, true),
            (&[1, 1], 12, true),
            (&[1, 9, 1], 21, true),
            (&[1, 9, 2], 12, false),
            (&[10, 7, 1], 18, false),
            (&[10, 6], 16, false),
            (&[10, 6, 9], 25, false),
        ] {
            let hand = hand(values);
            assert_eq!((hand.sum(), hand.has_usable_ace()), (sum, usable), "{values:?}");
            assert_eq!((hand.is_bust(), hand.score()), (sum > 21, if sum > 21 { 0 } else { sum }));
        }
    }

    #[test]
    fn a_natural_is_an_ace_and_a_ten_of_two_cards() {
        assert!(hand(&[1, 10]).is_natural() && hand(&[10, 1]).is_natural());
        for values in [&[10, 10, 1][..], &[1, 9, 1], &[5, 6], &[1, 5, 5], &[1], &[7, 7, 7]] {
            assert!(!hand(values).is_natural(), "{values:?}");
        }
    }

    #[test]
    fn a_hand_may_grow_for_ever() {
        let mut hand = hand(&[10; 100]);
        assert_eq!((hand.sum(), hand.cards().len()), (1000, REMEMBERED));
        (hand.count, hand.hard_sum) = (u32::MAX, u32::MAX - 11);
        hand.add(10);
        hand.add(1);
        assert_eq!((hand.sum(), hand.is_bust(), hand.has_usable_ace()), (u32::MAX, true, false));
    }

    #[test]
    fn hands_that_cannot_be_are_refused() {
        let load = |hand: &Hand| {
            let mut writer = StateWriter::new();
            hand.save_state(&mut writer);
            Hand::default().load_state(&mut StateReader::new(&writer.into_bytes()))
        };
        assert_eq!(load(&hand(&[1, 10, 10])), Ok(()));
        assert_eq!(load(&hand(&[1; 60])), Ok(()));
        assert!(load(&Hand { hard_sum: 20, ..hand(&[1, 10, 10]) }).is_err());
        assert!(load(&Hand { has_ace: false, ..hand(&[1, 10, 10]) }).is_err());
        assert!(load(&hand(&[1, 11])).is_err());
        assert_eq!(load(&Hand { hard_sum: 70, ..hand(&[1; 60]) }), Ok(()));
        for wrong in [59, 60 + 9 * 36 + 1] {
            assert!(load(&Hand { hard_sum: wrong, ..hand(&[1; 60]) }).is_err(), "{wrong}");
        }
        assert!(load(&Hand { has_ace: false, ..hand(&[1; 60]) }).is_err());
    }
}
