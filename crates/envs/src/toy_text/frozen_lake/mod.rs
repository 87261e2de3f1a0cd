//! FrozenLake: a walk over ice from start to goal, past holes.
//!
//! A grid world in the manner of R. S. Sutton and A. G. Barto, "Reinforcement Learning: An Introduction"
//! (2nd edition, 2018, chapters 3 and 4), with the maps, numbers and order of outcomes of Gymnasium 1.4.
//!
//! An observation is one number, the tile one stands on: `row · columns + column`, from the upper left corner.
//! Action 0 walks left, 1 down, 2 right, 3 up; at the edge one stays. On slippery ice a step goes as wished
//! with the probability `success_rate`, and else to either side of that, each as likely. Reaching a goal earns 1
//! and a hole 0, which both terminate the episode; ice earns 0. `FrozenLake-v1` is truncated after 100 steps,
//! `FrozenLake8x8-v1` after 200.

mod map;
mod picture;

use std::num::NonZeroU32;
use std::sync::Arc;

use deepq_core::{
    Env, EnvError, EnvSpec, Frame, ObservationMut, Space, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

pub use map::{Map, Tile, generate_random_map};

use super::transitions::{Outcome, TransitionTable, World};
use crate::misuse::{check_probability, numbers, wrong_step};
use crate::wrappers::TimeLimit;

const ACTIONS: [&str; 4] = ["left", "down", "right", "up"];

/// Gymnasium's keyword arguments of FrozenLake.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrozenLakeOptions {
    /// A map of one's own, a text a row from the top, as [`Map::parse`] reads it; it stands above `map_name`.
    pub desc: Option<Vec<String>>,
    /// The name of a map: `4x4` or `8x8`; without one, that of the id.
    pub map_name: Option<String>,
    /// Whether a step may go to the side of where it was meant to.
    pub is_slippery: bool,
    /// The probability that a step on slippery ice goes as it was meant to.
    pub success_rate: f64,
    /// The rewards for reaching a goal, a hole, and ice.
    pub reward_schedule: [f64; 3],
}

impl Default for FrozenLakeOptions {
    fn default() -> Self {
        Self {
            desc: None,
            map_name: None,
            is_slippery: true,
            success_rate: 1.0 / 3.0,
            reward_schedule: [1.0, 0.0, 0.0],
        }
    }
}

impl FrozenLakeOptions {
    fn map(&self, default_name: &str) -> Result<Map, EnvError> {
        match &self.desc {
            Some(desc) => Map::parse(desc),
            None => Map::named(self.map_name.as_deref().unwrap_or(default_name)),
        }
    }

    fn check(&self) -> Result<(), EnvError> {
        check_probability("success_rate", self.success_rate)?;
        match self.reward_schedule.iter().find(|reward| !reward.is_finite()) {
            None => Ok(()),
            Some(found) => Err(EnvError::new(format!(
                "reward_schedule is three finite numbers, for a goal, a hole and ice, found {found}"
            ))),
        }
    }

    fn arrival(&self, map: &Map, probability: f64, next_state: usize) -> Outcome {
        let [goal, hole, ice] = self.reward_schedule;
        let tile = map.tiles()[next_state];
        let reward = match tile {
            Tile::Goal => goal,
            Tile::Hole => hole,
            Tile::Start | Tile::Frozen => ice,
        };
        Outcome { probability, next_state, reward, terminated: tile.is_terminal() }
    }

    fn outcomes(&self, map: &Map, state: usize, action: usize) -> Vec<Outcome> {
        if map.tiles()[state].is_terminal() {
            return vec![Outcome { probability: 1.0, next_state: state, reward: 0.0, terminated: true }];
        }
        if !self.is_slippery {
            return vec![self.arrival(map, 1.0, map.neighbour(state, action))];
        }
        let aside = (1.0 - self.success_rate) / 2.0;
        [((action + 3) % 4, aside), (action, self.success_rate), ((action + 1) % 4, aside)]
            .map(|(action, probability)| self.arrival(map, probability, map.neighbour(state, action)))
            .to_vec()
    }
}

/// The environment itself, which never truncates: [`FrozenLake::v1`] and [`FrozenLake::v1_8x8`] have the time
/// limits.
#[derive(Clone, Debug)]
pub struct FrozenLake {
    spec: EnvSpec,
    map: Arc<Map>,
    world: World,
}

impl FrozenLake {
    /// `FrozenLake-v1`: 4×4 tiles, 100 steps an episode, solved at a mean return of 0.7.
    pub fn v1() -> TimeLimit<Self> {
        Self::v1_with(FrozenLakeOptions::default()).expect("the default options are allowed")
    }

    /// `FrozenLake-v1` with options.
    ///
    /// # Errors
    /// Where the map, the success rate or the rewards are none.
    pub fn v1_with(options: FrozenLakeOptions) -> Result<TimeLimit<Self>, EnvError> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(100).unwrap();
        Ok(TimeLimit::new(Self::new("FrozenLake-v1", "4x4", 0.7, &options)?, LIMIT))
    }

    /// `FrozenLake8x8-v1`: 8×8 tiles, 200 steps an episode, solved at a mean return of 0.85.
    pub fn v1_8x8() -> TimeLimit<Self> {
        Self::v1_8x8_with(FrozenLakeOptions::default()).expect("the default options are allowed")
    }

    /// `FrozenLake8x8-v1` with options.
    ///
    /// # Errors
    /// As of [`v1_with`](Self::v1_with).
    pub fn v1_8x8_with(options: FrozenLakeOptions) -> Result<TimeLimit<Self>, EnvError> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(200).unwrap();
        Ok(TimeLimit::new(Self::new("FrozenLake8x8-v1", "8x8", 0.85, &options)?, LIMIT))
    }

    fn new(id: &str, map_name: &str, threshold: f64, options: &FrozenLakeOptions) -> Result<Self, EnvError> {
        options.check()?;
        let map = options.map(map_name)?;
        let table = TransitionTable::new(
            map.tiles().len(),
            ACTIONS.len(),
            |state| f64::from(u8::from(map.tiles()[state] == Tile::Start)),
            |state, action| options.outcomes(&map, state, action),
        );
        let spec = EnvSpec {
            reward_threshold: Some(threshold),
            render_fps: 4,
            frame_size: Some(picture::size(&map)),
            ..EnvSpec::new(id, Space::discrete(map.tiles().len()), ACTIONS.len())
        };
        Ok(Self { spec, map: Arc::new(map), world: World::new(table) })
    }

    /// The lake.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The tile one stands on, `row · columns + column`; `None` before the first reset.
    pub fn state(&self) -> Option<usize> {
        self.world.state().map(|state| state as usize)
    }
}

impl Env for FrozenLake {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let [tile] = numbers(&self.spec, observation)?;
        *tile = self.world.reset(seed) as f32;
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let [tile] = numbers(&self.spec, observation)?;
        let Some(arrival) = self.world.step(action) else {
            return Err(wrong_step(&self.spec, self.world.state().is_some(), &ACTIONS, action));
        };
        *tile = arrival.state as f32;
        Ok(Step { reward: arrival.reward, terminated: arrival.terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        self.world.state().map(|state| picture::draw(&self.map, state as usize, self.world.last_action()))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("frozen-lake");
        self.world.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("frozen-lake")?;
        self.world.load_state(state)
    }
}
