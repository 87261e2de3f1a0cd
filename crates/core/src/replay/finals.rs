//! The last observations of ended episodes.

use super::masks::{Masks, mask_bytes};
use crate::{ElementKind, Observation, ObservationBuffer, StateError, StateReader, StateWriter};

/// A queue of observations with running numbers, which grows where it must.
///
/// They stand apart from the observations that actions were taken at, because an episode of any length adds
/// exactly one of them: so the main ring keeps one row a step and environment.
#[derive(Clone, Debug)]
pub(super) struct Finals {
    observation_len: usize,
    observations: ObservationBuffer,
    /// Which actions were allowed at each.
    masks: Masks,
    /// Flags of a mask; 0 where there are none.
    mask_len: usize,
    /// A power of two.
    slots: usize,
    /// The number of the oldest one kept.
    first: u64,
    /// The number the next one gets.
    next: u64,
}

/// Numbers wrap here, so that one fits in an [`ObservationRef`](crate::ObservationRef) beside its flag.
pub(super) const NUMBERS: u64 = 1 << 31;

/// Slots of an empty queue.
const FIRST_SLOTS: usize = 64;

/// Bytes of so many slots.
fn bytes_of(slots: u64, element: ElementKind, observation_len: usize, mask_len: usize) -> u64 {
    let observation = (observation_len as u64).saturating_mul(element.bytes());
    slots.saturating_mul(observation.saturating_add(mask_bytes(mask_len) as u64))
}

/// Bytes of a queue that holds no more than its first slots.
pub(super) fn first_bytes(element: ElementKind, observation_len: usize, mask_len: usize) -> u64 {
    bytes_of(FIRST_SLOTS as u64, element, observation_len, mask_len)
}

/// The most bytes that a queue may take at a time with `held` observations, while it grows: then the slots that it had
/// are there beside twice as many.
pub(super) fn most_bytes(held: u64, element: ElementKind, observation_len: usize, mask_len: usize) -> u64 {
    let slots = held.max(FIRST_SLOTS as u64).checked_next_power_of_two().unwrap_or(u64::MAX);
    let before = if slots > FIRST_SLOTS as u64 { slots / 2 } else { 0 };
    bytes_of(slots.saturating_add(before), element, observation_len, mask_len)
}

impl Finals {
    /// `mask_len` is 0 where there are no masks.
    pub(super) fn new(element: ElementKind, observation_len: usize, mask_len: usize) -> Self {
        let slots = FIRST_SLOTS;
        let observations = ObservationBuffer::zeros(element, slots * observation_len);
        let masks = Masks::new(mask_len, slots);
        Self { observation_len, observations, masks, mask_len, slots, first: 0, next: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        bytes_of(self.slots as u64, self.observations.element(), self.observation_len, self.mask_len)
    }

    fn slot(number: u64, slots: usize) -> usize {
        (number % slots as u64) as usize
    }

    fn range(&self, number: u64, slots: usize) -> std::ops::Range<usize> {
        let slot = Self::slot(number, slots);
        slot * self.observation_len..(slot + 1) * self.observation_len
    }

    /// Adds one and gives its number, counted modulo [`NUMBERS`].
    pub(super) fn push(&mut self, observation: Observation<'_>, mask: &[bool]) -> u32 {
        if self.next - self.first == self.slots as u64 {
            self.grow();
        }
        let range = self.range(self.next, self.slots);
        self.observations.slice_mut(range).copy_from(observation);
        self.masks.set(Self::slot(self.next, self.slots), mask);
        self.next += 1;
        ((self.next - 1) % NUMBERS) as u32
    }

    fn grow(&mut self) {
        let slots = 2 * self.slots;
        let mut grown = ObservationBuffer::zeros(self.observations.element(), slots * self.observation_len);
        let mut masks = Masks::new(self.mask_len, slots);
        for number in self.first..self.next {
            let from = self.observations.slice(self.range(number, self.slots));
            grown.slice_mut(self.range(number, slots)).copy_from(from);
            masks.copy_from(Self::slot(number, slots), &self.masks, Self::slot(number, self.slots));
        }
        (self.observations, self.masks, self.slots) = (grown, masks, slots);
    }

    /// Forgets all that are older than the one with the given number.
    pub(super) fn forget_before(&mut self, number: u32) {
        // A crafted state may name them out of order; whatever it names stays within what is kept.
        if self.contains(number) {
            self.first = self.full_number(number);
        }
    }

    /// The number before it was taken modulo [`NUMBERS`]: all those kept lie within half of the circle.
    fn full_number(&self, number: u32) -> u64 {
        self.first + (u64::from(number).wrapping_sub(self.first) % NUMBERS)
    }

    pub(super) fn get(&self, number: u32) -> Observation<'_> {
        self.observations.slice(self.range(u64::from(number), self.slots))
    }

    pub(super) fn mask(&self, number: u32, mask: &mut [bool]) {
        self.masks.get(Self::slot(number.into(), self.slots), mask);
    }

    /// True where the number is that of one kept.
    pub(super) fn contains(&self, number: u32) -> bool {
        self.full_number(number) < self.next
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.tag("finals");
        state.u64(self.first);
        state.u64(self.next);
        for number in self.first..self.next {
            state.observation(self.observations.slice(self.range(number, self.slots)));
        }
        self.masks_in_order().save_state(state, (self.next - self.first) as usize);
    }

    /// The masks of those kept, from place 0 on.
    fn masks_in_order(&self) -> Masks {
        let mut masks = Masks::new(self.mask_len, (self.next - self.first) as usize);
        for (place, number) in (self.first..self.next).enumerate() {
            masks.copy_from(place, &self.masks, Self::slot(number, self.slots));
        }
        masks
    }

    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>, most: u64) -> Result<(), StateError> {
        state.tag("finals")?;
        let element = self.observations.element();
        let mut loaded = Self::new(element, self.observation_len, self.mask_len);
        loaded.first = state.u64_at_most("number of the oldest final observation", 1 << 62)?;
        loaded.next = loaded.first;
        let next = state.u64("number of the next final observation")?;
        if next < loaded.first || next - loaded.first > most {
            let expected = format!("{} to {}", loaded.first, loaded.first.saturating_add(most));
            return Err(StateError::mismatch("number of the next final observation", expected, next));
        }
        let unknown = vec![true; self.mask_len];
        for _ in loaded.first..next {
            let observation = state.observation("final observation", element)?;
            if observation.len() != self.observation_len {
                return Err(StateError::mismatch(
                    "final observation",
                    self.observation_len,
                    observation.len(),
                ));
            }
            loaded.push(observation.as_observation(), &unknown);
        }
        let mut masks = loaded.masks_in_order();
        masks.load_state(state, (next - loaded.first) as usize)?;
        for (place, number) in (loaded.first..next).enumerate() {
            loaded.masks.copy_from(Self::slot(number, loaded.slots), &masks, place);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_keeps_what_is_not_forgotten_while_it_grows_and_wraps() {
        let mut finals = Finals::new(ElementKind::F32, 1, 9);
        (finals.first, finals.next) = (NUMBERS - 30, NUMBERS - 30);
        let mask = |i: usize| -> [bool; 9] { std::array::from_fn(|action| action == i % 9) };
        let mut found = [false; 9];
        let numbers: Vec<u32> =
            (0..200).map(|i| finals.push(Observation::F32(&[i as f32]), &mask(i))).collect();
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(finals.get(*number), Observation::F32(&[i as f32]));
            finals.mask(*number, &mut found);
            assert_eq!(found, mask(i));
        }
        finals.forget_before(numbers[150]);
        for i in 200..300 {
            finals.push(Observation::F32(&[i as f32]), &mask(i));
        }
        assert_eq!(finals.get(numbers[150]), Observation::F32(&[150.0]));
        assert!(finals.contains(numbers[199]) && !finals.contains(numbers[149]));
    }
}
