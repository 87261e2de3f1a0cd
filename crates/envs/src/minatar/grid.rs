//! The grid of 10 rows and 10 columns, and ways through it.

use deepq_core::{StateError, StateReader, StateWriter};

use super::RandomState;

/// Rows, and columns.
pub(super) const SIDE: usize = 10;
/// Cells.
pub(super) const CELLS: usize = SIDE * SIDE;
/// The last row and the last column.
pub(super) const LAST: i8 = SIDE as i8 - 1;

/// The number of a cell, row by row from the top, each from the left.
#[inline]
pub(super) fn cell(row: i8, column: i8) -> usize {
    row as usize * SIDE + column as usize
}

/// True for the columns of the grid.
#[inline]
pub(super) fn on_grid(column: i8) -> bool {
    (0..=LAST).contains(&column)
}

/// The two ways along a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    Left,
    Right,
}

impl Heading {
    /// The next column this way, which may lie beyond the grid.
    #[inline]
    pub(super) fn ahead(self, column: i8) -> i8 {
        match self {
            Self::Left => column - 1,
            Self::Right => column + 1,
        }
    }

    /// The next column the other way, which may lie beyond the grid.
    #[inline]
    pub(super) fn behind(self, column: i8) -> i8 {
        self.reversed().ahead(column)
    }

    /// The other way.
    #[inline]
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Draws the side an object comes in from: its column, and the way it goes.
    #[inline]
    pub(super) fn draw_entrance(random: &mut RandomState) -> (i8, Self) {
        if random.uniform() < 0.5 { (0, Self::Right) } else { (LAST, Self::Left) }
    }

    pub(super) fn save_state(self, state: &mut StateWriter) {
        state.bool(self == Self::Right);
    }

    pub(super) fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(if state.bool("whether it goes to the right")? { Self::Right } else { Self::Left })
    }
}

/// Writes a small number, as [`load_within`] reads it.
pub(super) fn save(state: &mut StateWriter, value: impl Into<i64>) {
    state.u64(value.into() as u64);
}

/// Reads a number that must lie in `allowed`.
pub(super) fn load_within<T: TryFrom<i64> + Into<i64>>(
    state: &mut StateReader<'_>,
    what: &'static str,
    allowed: std::ops::RangeInclusive<T>,
) -> Result<T, StateError> {
    let found = state.u64(what)? as i64;
    let (least, greatest) = allowed.into_inner();
    let (least, greatest) = (least.into(), greatest.into());
    let refused = || StateError::mismatch(what, format!("{least} to {greatest}"), found);
    if !(least..=greatest).contains(&found) {
        return Err(refused());
    }
    T::try_from(found).map_err(|_| refused())
}
