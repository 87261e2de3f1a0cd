//! Breakout: a ball and a wall of bricks, and a paddle that keeps the ball from falling out.

use deepq_core::{StateError, StateReader, StateWriter};

use super::grid::{Heading, LAST, SIDE, cell, load_within, on_grid, save};
use super::{Action, Game, Outcome, RandomState};

/// Rows 1 to 3, a bit a cell.
const ALL_BRICKS: u128 = ((1 << (3 * SIDE)) - 1) << SIDE;
const PADDLE_ROW: i8 = LAST;

const CHANNELS: usize = 4;
const PADDLE: usize = 0;
const BALL: usize = 1;
const TRAIL: usize = 2;
const BRICK: usize = 3;

/// The game Breakout: 1 for each brick; a ball that falls past the paddle is the end.
///
/// A wall without a brick left is built up again when the ball comes down to the paddle. There is no ramping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakout {
    ball: Ball,
    /// Row and column of the ball one step before.
    trail: (i8, i8),
    paddle: i8,
    /// Bit `10 · row + column` is set where there is a brick.
    bricks: u128,
    /// The ball met a brick in the latest step, and lets the next one stand.
    was_striking: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ball {
    row: i8,
    column: i8,
    heading: Heading,
    falls: bool,
}

impl Ball {
    /// One diagonal step; a side wall reverses the ball where it is.
    #[inline]
    fn moved(self) -> Self {
        let row = if self.falls { self.row + 1 } else { self.row - 1 };
        let column = self.heading.ahead(self.column);
        match on_grid(column) {
            true => Self { row, column, ..self },
            false => Self { row, heading: self.heading.reversed(), ..self },
        }
    }
}

impl Breakout {
    /// The ball comes to the paddle's row. `before` is where it came from; true where it falls past the paddle.
    #[inline]
    fn meet_paddle(&mut self, before: Ball) -> bool {
        if self.bricks == 0 {
            self.bricks = ALL_BRICKS;
        }
        if before.column == self.paddle {
            self.ball.falls = false;
            self.ball.row = before.row;
        } else if self.ball.column == self.paddle {
            self.ball.heading = self.ball.heading.reversed();
            self.ball.falls = false;
            self.ball.row = before.row;
        } else {
            self.ball.row = PADDLE_ROW;
            return true;
        }
        false
    }
}

impl Default for Breakout {
    fn default() -> Self {
        Self {
            ball: Ball { row: 3, column: 0, heading: Heading::Right, falls: true },
            trail: (3, 0),
            paddle: 4,
            bricks: ALL_BRICKS,
            was_striking: false,
        }
    }
}

impl Game for Breakout {
    const NAME: &'static str = "Breakout";
    const CHANNELS: &'static [&'static str] = &["paddle", "ball", "trail", "brick"];
    const MINIMAL_ACTIONS: &'static [Action] = &[Action::Nothing, Action::Left, Action::Right];

    fn begin(&mut self, random: &mut RandomState) {
        *self = Self::default();
        if random.below(2) == 1 {
            self.ball.column = LAST;
            self.ball.heading = Heading::Left;
        }
        self.trail = (self.ball.row, self.ball.column);
    }

    #[inline]
    fn step(&mut self, action: Action, _ramping: bool, _random: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        match action {
            Action::Left => self.paddle = (self.paddle - 1).max(0),
            Action::Right => self.paddle = (self.paddle + 1).min(LAST),
            _ => {}
        }
        let before = self.ball;
        self.trail = (before.row, before.column);
        self.ball = before.moved();
        let mut strikes = false;
        if self.ball.row < 0 {
            self.ball.row = 0;
            self.ball.falls = true;
        } else if self.bricks >> cell(self.ball.row, self.ball.column) & 1 == 1 {
            strikes = true;
            if !self.was_striking {
                outcome.reward = 1;
                self.bricks &= !(1 << cell(self.ball.row, self.ball.column));
                self.ball.row = before.row;
                self.ball.falls = !before.falls;
            }
        } else if self.ball.row >= PADDLE_ROW {
            outcome.ended = self.meet_paddle(before);
        }
        self.was_striking = strikes;
        outcome
    }

    #[inline]
    fn observe(&self, observation: &mut [u8]) {
        let cells = observation.as_chunks_mut::<CHANNELS>().0;
        cells[cell(self.ball.row, self.ball.column)][BALL] = 1;
        cells[cell(PADDLE_ROW, self.paddle)][PADDLE] = 1;
        cells[cell(self.trail.0, self.trail.1)][TRAIL] = 1;
        for (index, cell) in cells[SIDE..4 * SIDE].iter_mut().enumerate() {
            cell[BRICK] = (self.bricks >> (SIDE + index)) as u8 & 1;
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.ball.row);
        save(state, self.ball.column);
        self.ball.heading.save_state(state);
        state.bool(self.ball.falls);
        save(state, self.trail.0);
        save(state, self.trail.1);
        save(state, self.paddle);
        state.u128(self.bricks);
        state.bool(self.was_striking);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let ball = Ball {
            row: load_within(state, "row of the ball", 0..=LAST)?,
            column: load_within(state, "column of the ball", 0..=LAST)?,
            heading: Heading::load_state(state)?,
            falls: state.bool("whether the ball falls")?,
        };
        let trail = (
            load_within(state, "row of the ball's trail", 0..=LAST)?,
            load_within(state, "column of the ball's trail", 0..=LAST)?,
        );
        let paddle = load_within(state, "column of the paddle", 0..=LAST)?;
        let bricks = state.u128("bricks")?;
        if bricks & !ALL_BRICKS != 0 {
            return Err(StateError::mismatch("bricks", "bricks in rows 1 to 3", format!("{bricks:#x}")));
        }
        Ok(Self { ball, trail, paddle, bricks, was_striking: state.bool("whether a brick was struck")? })
    }
}

const _: () = assert!(Breakout::CHANNELS.len() == CHANNELS);
