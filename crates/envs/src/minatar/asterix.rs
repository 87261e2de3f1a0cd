//! Asterix: gold and enemies cross eight lanes, one in each; gold is to be caught, enemies to be shunned.

use deepq_core::{StateError, StateReader, StateWriter};

use super::grid::{Heading, LAST, SIDE, cell, load_within, on_grid, save};
use super::{Action, Game, Outcome, RandomState};

const LANES: usize = 8;
/// The lanes' rows.
const FIRST_ROW: i8 = 1;
const LAST_ROW: i8 = 8;
const FIRST_SPAWN_PERIOD: u8 = 10;
const FIRST_MOVE_PERIOD: u8 = 5;
const RAMP_PERIOD: i8 = 100;
/// Here both periods have come down to 1.
const LAST_RAMP_LEVEL: u8 = 9;

const CHANNELS: usize = 4;
const PLAYER: usize = 0;
const ENEMY: usize = 1;
const TRAIL: usize = 2;
const GOLD: usize = 3;

/// The game Asterix: 1 for each piece of gold caught; touching an enemy is the end.
///
/// With ramping, every 102 steps objects come in more often, and every other time they move faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asterix {
    row: i8,
    column: i8,
    lanes: [Option<Object>; LANES],
    spawn_countdown: u8,
    move_countdown: u8,
    ramp_countdown: i8,
    ramp_level: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Object {
    column: i8,
    heading: Heading,
    is_gold: bool,
}

impl Asterix {
    fn spawn_period(&self) -> u8 {
        FIRST_SPAWN_PERIOD - self.ramp_level
    }

    fn move_period(&self) -> u8 {
        FIRST_MOVE_PERIOD - self.ramp_level / 2
    }

    fn spawn(&mut self, random: &mut RandomState) {
        let (column, heading) = Heading::draw_entrance(random);
        let is_gold = random.uniform() < 1.0 / 3.0;
        let empty = self.lanes.iter().filter(|lane| lane.is_none()).count();
        let chosen = random.below(empty as u32) as usize;
        if let Some(lane) = self.lanes.iter_mut().filter(|lane| lane.is_none()).nth(chosen) {
            *lane = Some(Object { column, heading, is_gold });
        }
    }

    fn move_player(&mut self, action: Action) {
        match action {
            Action::Left => self.column = (self.column - 1).max(0),
            Action::Right => self.column = (self.column + 1).min(LAST),
            Action::Up => self.row = (self.row - 1).max(FIRST_ROW),
            Action::Down => self.row = (self.row + 1).min(LAST_ROW),
            Action::Nothing | Action::Fire => {}
        }
    }

    /// Only the object in the player's lane can be where the player is.
    #[inline]
    fn touch(&mut self, outcome: &mut Outcome) {
        let lane = &mut self.lanes[(self.row - FIRST_ROW) as usize];
        if let Some(object) = lane.filter(|object| object.column == self.column) {
            if object.is_gold {
                outcome.reward += 1;
                *lane = None;
            } else {
                outcome.ended = true;
            }
        }
    }

    fn move_objects(&mut self) {
        for lane in &mut self.lanes {
            *lane = lane.and_then(|object| {
                let column = object.heading.ahead(object.column);
                on_grid(column).then_some(Object { column, ..object })
            });
        }
    }

    fn ramp(&mut self) {
        if self.ramp_level == LAST_RAMP_LEVEL {
            return;
        }
        if self.ramp_countdown >= 0 {
            self.ramp_countdown -= 1;
        } else {
            self.ramp_level += 1;
            self.ramp_countdown = RAMP_PERIOD;
        }
    }
}

impl Default for Asterix {
    fn default() -> Self {
        Self {
            row: 5,
            column: 5,
            lanes: [None; LANES],
            spawn_countdown: FIRST_SPAWN_PERIOD,
            move_countdown: FIRST_MOVE_PERIOD,
            ramp_countdown: RAMP_PERIOD,
            ramp_level: 0,
        }
    }
}

impl Game for Asterix {
    const NAME: &'static str = "Asterix";
    const CHANNELS: &'static [&'static str] = &["player", "enemy", "trail", "gold"];
    const MINIMAL_ACTIONS: &'static [Action] =
        &[Action::Nothing, Action::Left, Action::Up, Action::Right, Action::Down];

    fn begin(&mut self, _random: &mut RandomState) {
        *self = Self::default();
    }

    #[inline]
    fn step(&mut self, action: Action, ramping: bool, random: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        if self.spawn_countdown == 0 {
            self.spawn(random);
            self.spawn_countdown = self.spawn_period();
        }
        self.move_player(action);
        self.touch(&mut outcome);
        if self.move_countdown == 0 {
            self.move_countdown = self.move_period();
            self.move_objects();
            self.touch(&mut outcome);
        }
        self.spawn_countdown -= 1;
        self.move_countdown -= 1;
        if ramping {
            self.ramp();
        }
        outcome
    }

    #[inline]
    fn observe(&self, observation: &mut [u8]) {
        let cells = observation.as_chunks_mut::<CHANNELS>().0;
        cells[cell(self.row, self.column)][PLAYER] = 1;
        for (row, object) in (FIRST_ROW..).zip(&self.lanes) {
            let Some(object) = object else { continue };
            cells[cell(row, object.column)][if object.is_gold { GOLD } else { ENEMY }] = 1;
            let behind = object.heading.behind(object.column);
            if on_grid(behind) {
                cells[cell(row, behind)][TRAIL] = 1;
            }
        }
    }

    fn ramp_level(&self) -> Option<u32> {
        Some(self.ramp_level.into())
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.row);
        save(state, self.column);
        for lane in &self.lanes {
            state.bool(lane.is_some());
            if let Some(object) = lane {
                save(state, object.column);
                object.heading.save_state(state);
                state.bool(object.is_gold);
            }
        }
        save(state, self.spawn_countdown);
        save(state, self.move_countdown);
        save(state, self.ramp_countdown);
        save(state, self.ramp_level);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let row = load_within(state, "row of the player", FIRST_ROW..=LAST_ROW)?;
        let column = load_within(state, "column of the player", 0..=LAST)?;
        let mut lanes = [None; LANES];
        for lane in &mut lanes {
            if state.bool("whether a lane is occupied")? {
                *lane = Some(Object {
                    column: load_within(state, "column of an object", 0..=LAST)?,
                    heading: Heading::load_state(state)?,
                    is_gold: state.bool("whether an object is gold")?,
                });
            }
        }
        Ok(Self {
            row,
            column,
            lanes,
            spawn_countdown: load_within(state, "steps to the next object", 0..=FIRST_SPAWN_PERIOD)?,
            move_countdown: load_within(state, "steps to the next move", 0..=FIRST_MOVE_PERIOD)?,
            ramp_countdown: load_within(state, "steps to the next ramp", -1..=RAMP_PERIOD)?,
            ramp_level: load_within(state, "ramp level", 0..=LAST_RAMP_LEVEL)?,
        })
    }
}

const _: () = assert!(LANES == SIDE - 2 && Asterix::CHANNELS.len() == CHANNELS);
