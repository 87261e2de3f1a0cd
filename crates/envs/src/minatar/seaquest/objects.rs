//! What moves in Seaquest, and the lists it stands in.

use deepq_core::{StateError, StateReader, StateWriter};

use super::super::grid::{Heading, LAST, load_within, save};
use super::{DIVER_MOVE_PERIOD, ENEMY_SHOT_PERIOD, FIRST_MOVE_PERIOD, LOWEST_ROW};

/// The most entries that a saved list may have. What comes in leaves the grid after 61 steps at the latest and at
/// most one enemy a step does so, hence no list gets longer than this in play.
const LONGEST_LIST: u64 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bullet {
    pub(super) row: i8,
    pub(super) column: i8,
    pub(super) heading: Heading,
}

/// A diver or a fish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Swimmer {
    pub(super) row: i8,
    pub(super) column: i8,
    pub(super) heading: Heading,
    pub(super) move_countdown: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnemySub {
    pub(super) swimmer: Swimmer,
    pub(super) shot_countdown: u8,
}

impl Swimmer {
    /// Moves one column, which may lead off the grid; the next move is `period` steps away.
    #[inline]
    pub(super) fn advance(&mut self, period: u8) {
        self.move_countdown = period;
        self.column = self.heading.ahead(self.column);
    }
}

/// An entry of a list.
pub(super) trait Entry: Copy + PartialEq {
    fn place(&self) -> (i8, i8);
    fn save_state(&self, state: &mut StateWriter);
    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError>;
}

impl Entry for Bullet {
    fn place(&self) -> (i8, i8) {
        (self.row, self.column)
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.row);
        save(state, self.column);
        self.heading.save_state(state);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            row: load_within(state, "row of an object", 0..=LOWEST_ROW)?,
            column: load_within(state, "column of an object", 0..=LAST)?,
            heading: Heading::load_state(state)?,
        })
    }
}

impl Entry for Swimmer {
    fn place(&self) -> (i8, i8) {
        (self.row, self.column)
    }

    fn save_state(&self, state: &mut StateWriter) {
        let Self { row, column, heading, move_countdown } = *self;
        Bullet { row, column, heading }.save_state(state);
        save(state, move_countdown);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        const LONGEST: u8 =
            if FIRST_MOVE_PERIOD > DIVER_MOVE_PERIOD { FIRST_MOVE_PERIOD } else { DIVER_MOVE_PERIOD };
        let Bullet { row, column, heading } = Bullet::load_state(state)?;
        let move_countdown = load_within(state, "steps to an object's next move", 0..=LONGEST)?;
        Ok(Self { row, column, heading, move_countdown })
    }
}

impl Entry for EnemySub {
    fn place(&self) -> (i8, i8) {
        self.swimmer.place()
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.swimmer.save_state(state);
        save(state, self.shot_countdown);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let swimmer = Swimmer::load_state(state)?;
        let shot_countdown = load_within(state, "steps to an enemy's next shot", 0..=ENEMY_SHOT_PERIOD)?;
        Ok(Self { swimmer, shot_countdown })
    }
}

/// The oldest entry at a place.
#[inline]
pub(super) fn occupied_by<T: Entry>(list: &[T], row: i8, column: i8) -> Option<usize> {
    list.iter().position(|entry| entry.place() == (row, column))
}

/// Deletes the oldest entry that equals the one at `index`, and tells where that one is now; `None` where it is
/// the one deleted.
///
/// As in MinAtar: where an older twin goes in its place, a visit from the newest to the oldest comes by the entry
/// once more.
#[inline]
pub(super) fn delete<T: Entry>(list: &mut Vec<T>, index: usize) -> Option<usize> {
    let oldest = list[..index].iter().position(|entry| *entry == list[index]).unwrap_or(index);
    list.remove(oldest);
    (oldest < index).then(|| index - 1)
}

pub(super) fn save_list<T: Entry>(state: &mut StateWriter, list: &[T]) {
    state.u64(list.len() as u64);
    list.iter().for_each(|entry| entry.save_state(state));
}

pub(super) fn load_list<T: Entry>(
    state: &mut StateReader<'_>,
    what: &'static str,
) -> Result<Vec<T>, StateError> {
    let count = state.u64_at_most(what, LONGEST_LIST)?;
    (0..count).map(|_| T::load_state(state)).collect()
}
