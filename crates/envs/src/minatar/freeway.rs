//! Freeway: a chicken crosses a road of eight lanes with a car in each.

use deepq_core::{StateError, StateReader, StateWriter};

use super::grid::{Heading, LAST, SIDE, cell, load_within, save};
use super::{Action, Game, Outcome, RandomState};

const CARS: usize = 8;
/// The row of the first car; the others follow below.
const FIRST_CAR_ROW: i8 = 1;
const CHICKEN_COLUMN: i8 = 4;
const START_ROW: i8 = LAST;
/// Steps from one step of the chicken to the next.
const CHICKEN_PERIOD: u8 = 3;
const CLOCK: i16 = 2500;
/// The slowest car moves every sixth step.
const SLOWEST: u8 = 5;

const CHANNELS: usize = 7;
const CHICKEN: usize = 0;
const CAR: usize = 1;
/// The channel of the trail of cars of speed number 1; the others follow.
const SPEED: usize = 2;

/// The game Freeway: 1 for each crossing; a car sends the chicken back to where it came from.
///
/// An episode is over after 2501 steps. There is no ramping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeway {
    chicken_row: i8,
    chicken_countdown: u8,
    clock: i16,
    cars: [Car; CARS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Car {
    column: i8,
    heading: Heading,
    /// Steps it stands still between two moves.
    speed_number: u8,
    countdown: u8,
}

fn wrapped(column: i8) -> i8 {
    match column {
        -1 => LAST,
        10 => 0,
        _ => column,
    }
}

impl Freeway {
    /// Draws speeds first, then directions; the cars stay where they are.
    fn draw_cars(&mut self, random: &mut RandomState) {
        for car in &mut self.cars {
            car.speed_number = 1 + random.below(SLOWEST.into()) as u8;
            car.countdown = car.speed_number;
        }
        for car in &mut self.cars {
            car.heading = if random.uniform() < 0.5 { Heading::Left } else { Heading::Right };
        }
    }

    #[inline]
    fn move_chicken(&mut self, action: Action) {
        if self.chicken_countdown > 0 {
            return;
        }
        match action {
            Action::Up => self.chicken_row = (self.chicken_row - 1).max(0),
            Action::Down => self.chicken_row = (self.chicken_row + 1).min(START_ROW),
            _ => return,
        }
        self.chicken_countdown = CHICKEN_PERIOD;
    }

    #[inline]
    fn move_cars(&mut self) {
        for (row, car) in (FIRST_CAR_ROW..).zip(&mut self.cars) {
            let mut hit = car.column == CHICKEN_COLUMN;
            if car.countdown == 0 {
                car.countdown = car.speed_number;
                car.column = wrapped(car.heading.ahead(car.column));
                hit |= car.column == CHICKEN_COLUMN;
            } else {
                car.countdown -= 1;
            }
            if hit && row == self.chicken_row {
                self.chicken_row = START_ROW;
            }
        }
    }
}

impl Default for Freeway {
    fn default() -> Self {
        let car = Car { column: 0, heading: Heading::Right, speed_number: 1, countdown: 1 };
        Self { chicken_row: START_ROW, chicken_countdown: CHICKEN_PERIOD, clock: CLOCK, cars: [car; CARS] }
    }
}

impl Game for Freeway {
    const NAME: &'static str = "Freeway";
    const CHANNELS: &'static [&'static str] =
        &["chicken", "car", "speed1", "speed2", "speed3", "speed4", "speed5"];
    const MINIMAL_ACTIONS: &'static [Action] = &[Action::Nothing, Action::Up, Action::Down];

    fn begin(&mut self, random: &mut RandomState) {
        *self = Self::default();
        self.draw_cars(random);
    }

    #[inline]
    fn step(&mut self, action: Action, _ramping: bool, random: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        self.move_chicken(action);
        if self.chicken_row == 0 {
            outcome.reward = 1;
            self.draw_cars(random);
            self.chicken_row = START_ROW;
        }
        self.move_cars();
        self.chicken_countdown = self.chicken_countdown.saturating_sub(1);
        self.clock -= 1;
        outcome.ended = self.clock < 0;
        outcome
    }

    #[inline]
    fn observe(&self, observation: &mut [u8]) {
        let cells = observation.as_chunks_mut::<CHANNELS>().0;
        cells[cell(self.chicken_row, CHICKEN_COLUMN)][CHICKEN] = 1;
        for (row, car) in (FIRST_CAR_ROW..).zip(&self.cars) {
            cells[cell(row, car.column)][CAR] = 1;
            let behind = wrapped(car.heading.behind(car.column));
            cells[cell(row, behind)][SPEED - 1 + usize::from(car.speed_number)] = 1;
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.chicken_row);
        save(state, self.chicken_countdown);
        save(state, self.clock);
        for car in &self.cars {
            save(state, car.column);
            car.heading.save_state(state);
            save(state, car.speed_number);
            save(state, car.countdown);
        }
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut game = Self {
            chicken_row: load_within(state, "row of the chicken", 1..=START_ROW)?,
            chicken_countdown: load_within(state, "steps to the chicken's next", 0..=CHICKEN_PERIOD)?,
            clock: load_within(state, "clock", -1..=CLOCK)?,
            ..Self::default()
        };
        for car in &mut game.cars {
            car.column = load_within(state, "column of a car", 0..=LAST)?;
            car.heading = Heading::load_state(state)?;
            car.speed_number = load_within(state, "speed number of a car", 1..=SLOWEST)?;
            car.countdown = load_within(state, "steps to a car's next move", 0..=car.speed_number)?;
        }
        Ok(game)
    }
}

const _: () = assert!(CARS == SIDE - 2 && Freeway::CHANNELS.len() == CHANNELS);
