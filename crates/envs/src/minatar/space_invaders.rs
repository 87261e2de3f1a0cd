//! Space Invaders: aliens march from side to side and downwards, and shoot at the cannon below.

use deepq_core::{StateError, StateReader, StateWriter};

use super::grid::{CELLS, Heading, LAST, SIDE, cell, load_within, save};
use super::{Action, Game, Outcome, RandomState};

/// A bit a cell, the first row's in the lowest ten bits.
type Board = u128;

const FULL: Board = (1 << CELLS) - 1;
const FIRST_COLUMN: Board = FULL / ((1 << SIDE) - 1);
const LAST_COLUMN: Board = FIRST_COLUMN << (SIDE - 1);
const LAST_ROW: Board = ((1 << SIDE) - 1) << (CELLS - SIDE);
/// Rows 0 to 3, columns 2 to 7.
const WAVE: Board = 0b00_1111_1100 * (1 | 1 << SIDE | 1 << (2 * SIDE) | 1 << (3 * SIDE));

const CANNON_ROW: i8 = LAST;
const SHOT_PERIOD: u8 = 5;
const ALIEN_SHOT_PERIOD: u8 = 10;
const FIRST_MARCH_LIMIT: u8 = 12;
/// Here the aliens march at least every sixth step.
const LAST_RAMP_LEVEL: u8 = 6;

const CHANNELS: usize = 6;
const CANNON: usize = 0;
const ALIEN: usize = 1;
const ALIEN_LEFT: usize = 2;
const ALIEN_RIGHT: usize = 3;
const FRIENDLY_BULLET: usize = 4;
const ENEMY_BULLET: usize = 5;

/// The game Space Invaders: 1 for each alien shot; being shot, being reached, and an alien that would march below
/// the last row are the end.
///
/// The fewer aliens are left the faster they march. Where none is left another wave comes, with ramping a faster
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceInvaders {
    cannon: i8,
    aliens: Board,
    heading: Heading,
    friendly_bullets: Board,
    enemy_bullets: Board,
    shot_countdown: u8,
    march_countdown: u8,
    alien_shot_countdown: u8,
    ramp_level: u8,
}

impl SpaceInvaders {
    fn march_limit(&self) -> u8 {
        FIRST_MARCH_LIMIT - self.ramp_level
    }

    #[inline]
    fn cannon_cell(&self) -> Board {
        1 << cell(CANNON_ROW, self.cannon)
    }

    #[inline]
    fn act(&mut self, action: Action) {
        match action {
            Action::Fire if self.shot_countdown == 0 => {
                self.friendly_bullets |= self.cannon_cell();
                self.shot_countdown = SHOT_PERIOD;
            }
            Action::Left => self.cannon = (self.cannon - 1).max(0),
            Action::Right => self.cannon = (self.cannon + 1).min(LAST),
            _ => {}
        }
    }

    /// True where a march downwards begins with an alien in the last row.
    fn march(&mut self) -> bool {
        self.march_countdown = self.march_limit().min(self.aliens.count_ones() as u8);
        let side = match self.heading {
            Heading::Left => FIRST_COLUMN,
            Heading::Right => LAST_COLUMN,
        };
        if self.aliens & side != 0 {
            self.heading = self.heading.reversed();
            let lands = self.aliens & LAST_ROW != 0;
            // What leaves the last row comes in at the first, which only a last observation shows.
            self.aliens = self.aliens << SIDE & FULL | self.aliens >> (CELLS - SIDE);
            return lands;
        }
        match self.heading {
            Heading::Left => self.aliens >>= 1,
            Heading::Right => self.aliens <<= 1,
        }
        false
    }

    /// The lowest alien of the column nearest to the cannon fires; of two as near, the left one.
    fn alien_shot(&mut self) {
        let column = |column: i8| match column {
            0..=LAST => self.aliens & FIRST_COLUMN << column,
            _ => 0,
        };
        let nearest = (0..=LAST)
            .flat_map(|distance| [self.cannon - distance, self.cannon + distance])
            .map(column)
            .find(|aliens| *aliens != 0);
        if let Some(aliens) = nearest {
            self.enemy_bullets |= 1 << aliens.ilog2();
        }
    }
}

impl Default for SpaceInvaders {
    fn default() -> Self {
        Self {
            cannon: 5,
            aliens: WAVE,
            heading: Heading::Left,
            friendly_bullets: 0,
            enemy_bullets: 0,
            shot_countdown: 0,
            march_countdown: FIRST_MARCH_LIMIT,
            alien_shot_countdown: ALIEN_SHOT_PERIOD,
            ramp_level: 0,
        }
    }
}

impl Game for SpaceInvaders {
    const NAME: &'static str = "SpaceInvaders";
    const CHANNELS: &'static [&'static str] =
        &["cannon", "alien", "alien_left", "alien_right", "friendly_bullet", "enemy_bullet"];
    const MINIMAL_ACTIONS: &'static [Action] = &[Action::Nothing, Action::Left, Action::Right, Action::Fire];

    fn begin(&mut self, _random: &mut RandomState) {
        *self = Self::default();
    }

    #[inline]
    fn step(&mut self, action: Action, ramping: bool, _random: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        self.act(action);
        let cannon = self.cannon_cell();
        self.friendly_bullets >>= SIDE;
        self.enemy_bullets = self.enemy_bullets << SIDE & FULL;
        outcome.ended = (self.enemy_bullets | self.aliens) & cannon != 0;
        if self.march_countdown == 0 {
            outcome.ended |= self.march();
            outcome.ended |= self.aliens & cannon != 0;
        }
        if self.alien_shot_countdown == 0 {
            self.alien_shot_countdown = ALIEN_SHOT_PERIOD;
            self.alien_shot();
        }
        let hit = self.aliens & self.friendly_bullets;
        self.aliens ^= hit;
        self.friendly_bullets ^= hit;
        outcome.reward = hit.count_ones();
        self.shot_countdown = self.shot_countdown.saturating_sub(1);
        self.march_countdown -= 1;
        self.alien_shot_countdown -= 1;
        if self.aliens == 0 {
            if ramping && self.ramp_level < LAST_RAMP_LEVEL {
                self.ramp_level += 1;
            }
            self.aliens = WAVE;
        }
        outcome
    }

    #[inline]
    fn observe(&self, observation: &mut [u8]) {
        let cells = observation.as_chunks_mut::<CHANNELS>().0;
        let heading = match self.heading {
            Heading::Left => ALIEN_LEFT,
            Heading::Right => ALIEN_RIGHT,
        };
        cells[cell(CANNON_ROW, self.cannon)][CANNON] = 1;
        for_each_cell(self.aliens, |index| {
            cells[index][ALIEN] = 1;
            cells[index][heading] = 1;
        });
        for_each_cell(self.friendly_bullets, |index| cells[index][FRIENDLY_BULLET] = 1);
        for_each_cell(self.enemy_bullets, |index| cells[index][ENEMY_BULLET] = 1);
    }

    fn ramp_level(&self) -> Option<u32> {
        Some(self.ramp_level.into())
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.cannon);
        state.u128(self.aliens);
        self.heading.save_state(state);
        state.u128(self.friendly_bullets);
        state.u128(self.enemy_bullets);
        save(state, self.shot_countdown);
        save(state, self.march_countdown);
        save(state, self.alien_shot_countdown);
        save(state, self.ramp_level);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let cannon = load_within(state, "column of the cannon", 0..=LAST)?;
        let aliens = load_board(state, "aliens")?;
        if aliens == 0 {
            return Err(StateError::mismatch("aliens", "at least 1", 0));
        }
        Ok(Self {
            cannon,
            aliens,
            heading: Heading::load_state(state)?,
            friendly_bullets: load_board(state, "friendly bullets")?,
            enemy_bullets: load_board(state, "enemy bullets")?,
            shot_countdown: load_within(state, "steps to the next shot", 0..=SHOT_PERIOD)?,
            march_countdown: load_within(state, "steps to the next march", 0..=FIRST_MARCH_LIMIT)?,
            alien_shot_countdown: load_within(state, "steps to an alien's shot", 0..=ALIEN_SHOT_PERIOD)?,
            ramp_level: load_within(state, "ramp level", 0..=LAST_RAMP_LEVEL)?,
        })
    }
}

/// Calls `visit` with each cell whose bit is set.
#[inline]
fn for_each_cell(board: Board, mut visit: impl FnMut(usize)) {
    // By halves, since a machine's words have 64 bits.
    for (start, mut half) in [(0, board as u64), (64, (board >> 64) as u64)] {
        while half != 0 {
            visit(start + half.trailing_zeros() as usize);
            half &= half - 1;
        }
    }
}

fn load_board(state: &mut StateReader<'_>, what: &'static str) -> Result<Board, StateError> {
    let board = state.u128(what)?;
    match board & !FULL {
        0 => Ok(board),
        beyond => Err(StateError::mismatch(what, "cells of the grid", format!("others: {beyond:#x}"))),
    }
}

const _: () = assert!(SpaceInvaders::CHANNELS.len() == CHANNELS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_without_aliens_is_refused() {
        let mut state = StateWriter::new();
        SpaceInvaders { aliens: 0, ..SpaceInvaders::default() }.save_state(&mut state);
        let error = SpaceInvaders::load_state(&mut StateReader::new(&state.into_bytes())).unwrap_err();
        assert_eq!(error.to_string(), "aliens: expected at least 1, found 0");
    }
}
