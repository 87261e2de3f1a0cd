//! Action masks, packed.

use crate::{StateError, StateReader, StateWriter};

/// Masks of so many places, one bit an action. Where environments have no masks there are none, and no bytes.
#[derive(Clone, Debug)]
pub(super) struct Masks {
    /// 0 where there are no masks.
    actions: usize,
    bits: Vec<u8>,
}

/// Bytes of one mask.
pub(super) fn mask_bytes(actions: usize) -> usize {
    actions.div_ceil(8)
}

impl Masks {
    /// Masks of `actions` flags, 0 for none, at `places` places, all of which forbid everything.
    pub(super) fn new(actions: usize, places: usize) -> Self {
        Self { actions, bits: vec![0; places * mask_bytes(actions)] }
    }

    fn range(&self, place: usize) -> std::ops::Range<usize> {
        let len = mask_bytes(self.actions);
        place * len..(place + 1) * len
    }

    pub(super) fn set(&mut self, place: usize, mask: &[bool]) {
        assert_eq!(mask.len(), self.actions, "one flag an action");
        let range = self.range(place);
        for (byte, flags) in self.bits[range].iter_mut().zip(mask.chunks(8)) {
            *byte = flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag));
        }
    }

    pub(super) fn get(&self, place: usize, mask: &mut [bool]) {
        for (byte, flags) in self.bits[self.range(place)].iter().zip(mask.chunks_mut(8)) {
            flags.iter_mut().enumerate().for_each(|(bit, flag)| *flag = byte >> bit & 1 == 1);
        }
    }

    /// Copies the mask of one place of `other`.
    pub(super) fn copy_from(&mut self, place: usize, other: &Self, from: usize) {
        let to = self.range(place);
        self.bits[to].copy_from_slice(&other.bits[other.range(from)]);
    }

    /// Writes the masks of the first `places`; nothing where there are none.
    pub(super) fn save_state(&self, state: &mut StateWriter, places: usize) {
        if self.actions > 0 {
            state.bytes_with_len(&self.bits[..places * mask_bytes(self.actions)]);
        }
    }

    /// Takes over the masks of the first `places`, each of which must allow an action.
    pub(super) fn load_state(
        &mut self,
        state: &mut StateReader<'_>,
        places: usize,
    ) -> Result<(), StateError> {
        if self.actions == 0 {
            return Ok(());
        }
        let (bits, len) = (state.bytes_with_len("action masks")?, mask_bytes(self.actions));
        if bits.len() != places * len {
            return Err(StateError::mismatch("action masks", places * len, bits.len()));
        }
        let unused = 8 * len - self.actions;
        let allows = |mask: &[u8]| {
            let (last, others) = (mask[len - 1], &mask[..len - 1]);
            last << unused != 0 || others.iter().any(|byte| *byte != 0)
        };
        if !bits.chunks_exact(len).all(allows) {
            return Err(StateError::mismatch(
                "action mask",
                "one that allows an action",
                "one that allows none",
            ));
        }
        self.bits[..bits.len()].copy_from_slice(bits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_any_length_are_kept() {
        for actions in [0, 1, 7, 8, 9, 18] {
            let mut masks = Masks::new(actions, 5);
            let mask = |place: usize| -> Vec<bool> {
                (0..actions)
                    .map(|action| action == place % actions.max(1) || action * place % 3 == 1)
                    .collect()
            };
            (0..5).for_each(|place| masks.set(place, &mask(place)));
            let mut copy = Masks::new(actions, 5);
            (0..5).for_each(|place| copy.copy_from(4 - place, &masks, place));
            let mut state = StateWriter::new();
            masks.save_state(&mut state, 4);
            let bytes = state.into_bytes();
            let mut loaded = Masks::new(actions, 5);
            loaded.load_state(&mut StateReader::new(&bytes), 4).unwrap();
            for place in 0..5 {
                let [mut found, mut copied, mut again] = [(); 3].map(|()| vec![false; actions]);
                masks.get(place, &mut found);
                copy.get(4 - place, &mut copied);
                loaded.get(place, &mut again);
                assert_eq!((&found, &copied), (&mask(place), &mask(place)));
                assert_eq!(again, if place < 4 { mask(place) } else { vec![false; actions] });
            }
            assert!(actions == 0 || loaded.load_state(&mut StateReader::new(&bytes), 3).is_err());
        }
    }

    #[test]
    fn a_loaded_mask_that_allows_nothing_is_refused() {
        for (byte, refused) in [(0b000, true), (0b1000, true), (0b100, false)] {
            let mut state = StateWriter::new();
            state.bytes_with_len(&[byte]);
            let bytes = state.into_bytes();
            let loaded = Masks::new(3, 1).load_state(&mut StateReader::new(&bytes), 1);
            assert_eq!(loaded.is_err(), refused, "{byte:b}");
        }
    }
}
