//! Seaquest: a submarine saves divers, shoots fish and enemy submarines, and has to come up for air.

mod objects;

use deepq_core::{StateError, StateReader, StateWriter};

use self::objects::{Bullet, EnemySub, Swimmer, delete, load_list, occupied_by, save_list};
use super::grid::{Heading, LAST, SIDE, cell, load_within, on_grid, save};
use super::{Action, Game, Outcome, RandomState};

/// The submarine's lowest row; row 9 shows gauges.
const LOWEST_ROW: i8 = 8;
const FULL_OXYGEN: i16 = 200;
const DIVERS_ABOARD: i32 = 6;
const SHOT_PERIOD: u8 = 5;
const FIRST_ENEMY_PERIOD: u8 = 20;
const DIVER_PERIOD: u8 = 30;
const FIRST_MOVE_PERIOD: u8 = 5;
const LEAST_MOVE_PERIOD: u8 = 2;
const DIVER_MOVE_PERIOD: u8 = 5;
const ENEMY_SHOT_PERIOD: u8 = 10;
/// Here enemies come in every step and move every third one.
const LAST_RAMP_LEVEL: u8 = 19;

const CHANNELS: usize = 10;
const SUB_FRONT: usize = 0;
const SUB_BACK: usize = 1;
const FRIENDLY_BULLET: usize = 2;
const TRAIL: usize = 3;
const ENEMY_BULLET: usize = 4;
const ENEMY_FISH: usize = 5;
const ENEMY_SUB: usize = 6;
const OXYGEN_GAUGE: usize = 7;
const DIVER_GAUGE: usize = 8;
const DIVER: usize = 9;

/// The game Seaquest: 1 for each fish or submarine shot, and for six divers brought up 10, less what oxygen is
/// spent. Being touched by an enemy or its bullet, running out of oxygen, and coming up without a diver are the
/// end.
///
/// With ramping, every time the submarine comes up enemies come in more often after, and every other time they
/// move faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seaquest {
    row: i8,
    column: i8,
    facing: Heading,
    oxygen: i16,
    /// Below 0 after six divers were brought up: coming up takes one off, those six aside.
    divers_aboard: i32,
    at_surface: bool,
    shot_countdown: u8,
    enemy_countdown: u8,
    diver_countdown: u8,
    ramp_level: u8,
    // Each list is ordered by age, the oldest first.
    friendly_bullets: Vec<Bullet>,
    enemy_bullets: Vec<Bullet>,
    fish: Vec<Swimmer>,
    enemy_subs: Vec<EnemySub>,
    divers: Vec<Swimmer>,
}

impl Seaquest {
    fn enemy_period(&self) -> u8 {
        FIRST_ENEMY_PERIOD - self.ramp_level
    }

    #[inline]
    fn enemy_move_period(&self) -> u8 {
        FIRST_MOVE_PERIOD.saturating_sub(self.ramp_level / 2).max(LEAST_MOVE_PERIOD)
    }

    #[inline]
    fn player_at(&self, row: i8, column: i8) -> bool {
        (self.row, self.column) == (row, column)
    }

    fn spawn_enemy(&mut self, random: &mut RandomState) {
        let (column, heading) = Heading::draw_entrance(random);
        let is_sub = random.uniform() < 1.0 / 3.0;
        let row = 1 + random.below(LOWEST_ROW as u32) as i8;
        let swimmer = Swimmer { row, column, heading, move_countdown: self.enemy_move_period() };
        let subs = self.enemy_subs.iter().map(|sub| &sub.swimmer);
        if self.fish.iter().chain(subs).any(|other| other.row == row && other.heading != heading) {
            return;
        }
        match is_sub {
            true => self.enemy_subs.push(EnemySub { swimmer, shot_countdown: ENEMY_SHOT_PERIOD }),
            false => self.fish.push(swimmer),
        }
    }

    fn spawn_diver(&mut self, random: &mut RandomState) {
        let (column, heading) = Heading::draw_entrance(random);
        let row = 1 + random.below(LOWEST_ROW as u32) as i8;
        self.divers.push(Swimmer { row, column, heading, move_countdown: DIVER_MOVE_PERIOD });
    }

    #[inline]
    fn act(&mut self, action: Action) {
        match action {
            Action::Fire if self.shot_countdown == 0 => {
                let bullet = Bullet { row: self.row, column: self.column, heading: self.facing };
                self.friendly_bullets.push(bullet);
                self.shot_countdown = SHOT_PERIOD;
            }
            Action::Left => {
                self.column = (self.column - 1).max(0);
                self.facing = Heading::Left;
            }
            Action::Right => {
                self.column = (self.column + 1).min(LAST);
                self.facing = Heading::Right;
            }
            Action::Up => self.row = (self.row - 1).max(0),
            Action::Down => self.row = (self.row + 1).min(LOWEST_ROW),
            Action::Fire | Action::Nothing => {}
        }
    }

    /// In this and the following visits the newest of a list comes first, and what is deleted is the oldest of
    /// those that look alike: see [`delete`].
    fn move_friendly_bullets(&mut self, outcome: &mut Outcome) {
        for index in (0..self.friendly_bullets.len()).rev() {
            let bullet = &mut self.friendly_bullets[index];
            bullet.column = bullet.heading.ahead(bullet.column);
            let Bullet { row, column, .. } = *bullet;
            if !on_grid(column) {
                delete(&mut self.friendly_bullets, index);
            } else if let Some(hit) = occupied_by(&self.fish, row, column) {
                self.fish.remove(hit);
                delete(&mut self.friendly_bullets, index);
                outcome.reward += 1;
            } else if let Some(hit) = occupied_by(&self.enemy_subs, row, column) {
                self.enemy_subs.remove(hit);
                delete(&mut self.friendly_bullets, index);
                outcome.reward += 1;
            }
        }
    }

    fn move_divers(&mut self) {
        for index in (0..self.divers.len()).rev() {
            let diver = &mut self.divers[index];
            let is_aboard = |diver: &Swimmer| {
                diver.row == self.row && diver.column == self.column && self.divers_aboard < DIVERS_ABOARD
            };
            if !is_aboard(diver) {
                if diver.move_countdown > 0 {
                    diver.move_countdown -= 1;
                    continue;
                }
                diver.advance(DIVER_MOVE_PERIOD);
                if on_grid(diver.column) && !is_aboard(diver) {
                    continue;
                }
            }
            self.divers_aboard += i32::from(is_aboard(diver));
            delete(&mut self.divers, index);
        }
    }

    /// Moves an enemy that may move; true where it is gone.
    #[inline]
    fn move_enemy(&mut self, enemy: &mut Swimmer, outcome: &mut Outcome) -> bool {
        outcome.ended |= self.player_at(enemy.row, enemy.column);
        if enemy.move_countdown > 0 {
            enemy.move_countdown -= 1;
            return false;
        }
        enemy.advance(self.enemy_move_period());
        if !on_grid(enemy.column) {
            return true;
        }
        if self.player_at(enemy.row, enemy.column) {
            outcome.ended = true;
        } else if let Some(bullet) = occupied_by(&self.friendly_bullets, enemy.row, enemy.column) {
            self.friendly_bullets.remove(bullet);
            outcome.reward += 1;
            return true;
        }
        false
    }

    fn move_enemy_subs(&mut self, outcome: &mut Outcome) {
        for index in (0..self.enemy_subs.len()).rev() {
            let mut sub = self.enemy_subs[index];
            let is_gone = self.move_enemy(&mut sub.swimmer, outcome);
            self.enemy_subs[index] = sub;
            let index = if is_gone { delete(&mut self.enemy_subs, index) } else { Some(index) };
            // A submarine that is gone fires once more where its time has come.
            if sub.shot_countdown > 0 {
                sub.shot_countdown -= 1;
            } else {
                sub.shot_countdown = ENEMY_SHOT_PERIOD;
                let Swimmer { row, column, heading, .. } = sub.swimmer;
                self.enemy_bullets.push(Bullet { row, column, heading });
            }
            if let Some(index) = index {
                self.enemy_subs[index] = sub;
            }
        }
    }

    fn move_enemy_bullets(&mut self, outcome: &mut Outcome) {
        for index in (0..self.enemy_bullets.len()).rev() {
            let bullet = &mut self.enemy_bullets[index];
            let Bullet { row, column, heading } = *bullet;
            bullet.column = heading.ahead(column);
            let next = bullet.column;
            outcome.ended |= self.player_at(row, column) || self.player_at(row, next);
            if !on_grid(next) {
                delete(&mut self.enemy_bullets, index);
            }
        }
    }

    fn move_fish(&mut self, outcome: &mut Outcome) {
        for index in (0..self.fish.len()).rev() {
            let mut fish = self.fish[index];
            let is_gone = self.move_enemy(&mut fish, outcome);
            self.fish[index] = fish;
            if is_gone {
                delete(&mut self.fish, index);
            }
        }
    }

    #[inline]
    fn breathe(&mut self, ramping: bool, outcome: &mut Outcome) {
        outcome.ended |= self.oxygen <= 0;
        if self.row > 0 {
            self.oxygen -= 1;
            self.at_surface = false;
        } else if !self.at_surface {
            match self.divers_aboard {
                0 => outcome.ended = true,
                _ => self.surface(ramping, outcome),
            }
        }
    }

    fn surface(&mut self, ramping: bool, outcome: &mut Outcome) {
        self.at_surface = true;
        if self.divers_aboard == DIVERS_ABOARD {
            outcome.reward += self.oxygen_cells() as u32;
            self.divers_aboard = 0;
        }
        self.oxygen = FULL_OXYGEN;
        self.divers_aboard = self.divers_aboard.saturating_sub(1);
        if ramping && self.ramp_level < LAST_RAMP_LEVEL {
            self.ramp_level += 1;
        }
    }

    /// What is left of the oxygen in tenths, rounded down.
    #[inline]
    fn oxygen_cells(&self) -> usize {
        usize::try_from(self.oxygen).unwrap_or(0) * SIDE / FULL_OXYGEN as usize
    }
}

impl Default for Seaquest {
    fn default() -> Self {
        Self {
            row: 0,
            column: 5,
            facing: Heading::Left,
            oxygen: FULL_OXYGEN,
            divers_aboard: 0,
            at_surface: true,
            shot_countdown: 0,
            enemy_countdown: FIRST_ENEMY_PERIOD,
            diver_countdown: DIVER_PERIOD,
            ramp_level: 0,
            friendly_bullets: Vec::new(),
            enemy_bullets: Vec::new(),
            fish: Vec::new(),
            enemy_subs: Vec::new(),
            divers: Vec::new(),
        }
    }
}

impl Game for Seaquest {
    const NAME: &'static str = "Seaquest";
    // The third word of two names is spelt as MinAtar spells it.
    const CHANNELS: &'static [&'static str] = &[
        "sub_front",
        "sub_back",
        "friendly_bullet",
        "trail",
        "enemy_bullet",
        "enemy_fish",
        "enemy_sub",
        "oxygen_guage",
        "diver_guage",
        "diver",
    ];
    const MINIMAL_ACTIONS: &'static [Action] = &Action::ALL;

    fn begin(&mut self, _random: &mut RandomState) {
        let mut lists = std::mem::take(self);
        lists.friendly_bullets.clear();
        lists.enemy_bullets.clear();
        lists.fish.clear();
        lists.enemy_subs.clear();
        lists.divers.clear();
        // The lists keep their memory.
        *self = Self {
            friendly_bullets: lists.friendly_bullets,
            enemy_bullets: lists.enemy_bullets,
            fish: lists.fish,
            enemy_subs: lists.enemy_subs,
            divers: lists.divers,
            ..Self::default()
        };
    }

    #[inline]
    fn step(&mut self, action: Action, ramping: bool, random: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        if self.enemy_countdown == 0 {
            self.spawn_enemy(random);
            self.enemy_countdown = self.enemy_period();
        }
        if self.diver_countdown == 0 {
            self.spawn_diver(random);
            self.diver_countdown = DIVER_PERIOD;
        }
        self.act(action);
        self.move_friendly_bullets(&mut outcome);
        self.move_divers();
        self.move_enemy_subs(&mut outcome);
        self.move_enemy_bullets(&mut outcome);
        self.move_fish(&mut outcome);
        self.enemy_countdown -= 1;
        self.diver_countdown -= 1;
        self.shot_countdown = self.shot_countdown.saturating_sub(1);
        self.breathe(ramping, &mut outcome);
        outcome
    }

    #[inline]
    fn observe(&self, observation: &mut [u8]) {
        let cells = observation.as_chunks_mut::<CHANNELS>().0;
        cells[cell(self.row, self.column)][SUB_FRONT] = 1;
        cells[cell(self.row, self.facing.behind(self.column))][SUB_BACK] = 1;
        let gauges = &mut cells[SIDE * (SIDE - 1)..];
        gauges[..self.oxygen_cells()].iter_mut().for_each(|cell| cell[OXYGEN_GAUGE] = 1);
        let divers = usize::try_from(self.divers_aboard).unwrap_or(0);
        gauges[SIDE - 1 - divers..SIDE - 1].iter_mut().for_each(|cell| cell[DIVER_GAUGE] = 1);
        for bullet in &self.friendly_bullets {
            cells[cell(bullet.row, bullet.column)][FRIENDLY_BULLET] = 1;
        }
        for bullet in &self.enemy_bullets {
            cells[cell(bullet.row, bullet.column)][ENEMY_BULLET] = 1;
        }
        let mut swimmer = |swimmer: &Swimmer, channel: usize| {
            cells[cell(swimmer.row, swimmer.column)][channel] = 1;
            let behind = swimmer.heading.behind(swimmer.column);
            if on_grid(behind) {
                cells[cell(swimmer.row, behind)][TRAIL] = 1;
            }
        };
        self.fish.iter().for_each(|fish| swimmer(fish, ENEMY_FISH));
        self.enemy_subs.iter().for_each(|sub| swimmer(&sub.swimmer, ENEMY_SUB));
        self.divers.iter().for_each(|diver| swimmer(diver, DIVER));
    }

    fn ramp_level(&self) -> Option<u32> {
        Some(self.ramp_level.into())
    }

    fn save_state(&self, state: &mut StateWriter) {
        save(state, self.row);
        save(state, self.column);
        self.facing.save_state(state);
        save(state, self.oxygen);
        save(state, self.divers_aboard);
        state.bool(self.at_surface);
        save(state, self.shot_countdown);
        save(state, self.enemy_countdown);
        save(state, self.diver_countdown);
        save(state, self.ramp_level);
        save_list(state, &self.friendly_bullets);
        save_list(state, &self.enemy_bullets);
        save_list(state, &self.fish);
        save_list(state, &self.enemy_subs);
        save_list(state, &self.divers);
    }

    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let game = Self {
            row: load_within(state, "row of the submarine", 0..=LOWEST_ROW)?,
            column: load_within(state, "column of the submarine", 0..=LAST)?,
            facing: Heading::load_state(state)?,
            oxygen: load_within(state, "oxygen", -1..=FULL_OXYGEN)?,
            divers_aboard: load_within(state, "divers aboard", i32::MIN..=DIVERS_ABOARD)?,
            at_surface: state.bool("whether the submarine is at the surface")?,
            shot_countdown: load_within(state, "steps to the next shot", 0..=SHOT_PERIOD)?,
            enemy_countdown: load_within(state, "steps to the next enemy", 0..=FIRST_ENEMY_PERIOD)?,
            diver_countdown: load_within(state, "steps to the next diver", 0..=DIVER_PERIOD)?,
            ramp_level: load_within(state, "ramp level", 0..=LAST_RAMP_LEVEL)?,
            friendly_bullets: load_list(state, "number of friendly bullets")?,
            enemy_bullets: load_list(state, "number of enemy bullets")?,
            fish: load_list(state, "number of fish")?,
            enemy_subs: load_list(state, "number of enemy submarines")?,
            divers: load_list(state, "number of divers")?,
        };
        if !on_grid(game.facing.behind(game.column)) {
            let expected = "a column with the submarine's back on the grid";
            return Err(StateError::mismatch("column of the submarine", expected, game.column));
        }
        Ok(game)
    }
}

const _: () = assert!(Seaquest::CHANNELS.len() == CHANNELS);

#[cfg(test)]
mod tests {
    use super::*;

    /// No play is known that gets here: what is tested is the rule as it was told.
    #[test]
    fn of_two_submarines_alike_the_older_goes_and_the_newer_moves_on_twice() {
        let sub = |column, move_countdown| EnemySub {
            swimmer: Swimmer { row: 4, column, heading: Heading::Right, move_countdown },
            shot_countdown: 4,
        };
        let bullet = Bullet { row: 4, column: 3, heading: Heading::Left };
        let mut game = Seaquest {
            enemy_subs: vec![sub(6, 2), sub(3, FIRST_MOVE_PERIOD), sub(8, 2), sub(2, 0)],
            friendly_bullets: vec![bullet],
            ..Seaquest::default()
        };
        let mut outcome = Outcome::default();
        game.move_enemy_subs(&mut outcome);
        assert_eq!(outcome, Outcome { reward: 1, ended: false });
        let seen: Vec<_> = game
            .enemy_subs
            .iter()
            .map(|sub| (sub.swimmer.column, sub.swimmer.move_countdown, sub.shot_countdown))
            .collect();
        assert_eq!(seen, [(6, 1, 3), (8, 1, 3), (3, FIRST_MOVE_PERIOD - 1, 2)]);
        assert_eq!(game.friendly_bullets, []);
    }

    #[test]
    fn a_submarine_whose_back_is_off_the_grid_is_refused() {
        for (column, facing) in [(0, Heading::Right), (LAST, Heading::Left)] {
            let mut state = StateWriter::new();
            Seaquest { column, facing, ..Seaquest::default() }.save_state(&mut state);
            let error = Seaquest::load_state(&mut StateReader::new(&state.into_bytes())).unwrap_err();
            let expected = "column of the submarine: expected a column with the submarine's back on the grid";
            assert_eq!(error.to_string(), format!("{expected}, found {column}"));
        }
    }
}
