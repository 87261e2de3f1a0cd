//! Taxi: fetch a passenger and take them where they want to go.
//!
//! The task of T. G. Dietterich, "Hierarchical Reinforcement Learning with the MAXQ Value Function
//! Decomposition" (Journal of Artificial Intelligence Research 13, 2000), with the order of outcomes of
//! Gymnasium 1.4; rain and the fickle passenger are those of its section 7.1.
//!
//! The town has 5×5 places, some with walls between them, and four ranks: red (0) in the upper left corner,
//! green (1) in the upper right, yellow (2) in the lower left and blue (3) near the lower right. An observation is
//! one number, `((row · 5 + column) · 5 + passenger) · 4 + destination`, where the passenger waits at rank 0 to 3
//! or rides in the taxi (4). Action 0 drives south, 1 north, 2 east, 3 west, 4 picks the passenger up and 5 drops
//! them off. Every step costs 1, picking up or dropping off where that cannot be 10; a passenger brought to the
//! destination earns 20 and terminates the episode. `Taxi-v4` is truncated after 200 steps.
//!
//! [`action_mask`](Env::action_mask) tells the actions that change something: those not against a wall, and
//! picking up or dropping off where it can be. Where rain pushes the taxi aside, the mask stays the same.

mod picture;
mod town;

use std::num::NonZeroU32;

use deepq_core::{
    Env, EnvError, EnvSpec, Frame, ObservationMut, Space, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

use self::town::{ACTIONS, IN_TAXI, MASKS, RANKS, STATES};
use super::transitions::World;
use crate::misuse::{check_probability, numbers, wrong_step};
use crate::wrappers::TimeLimit;

pub use self::town::TaxiState;

/// Gymnasium's keyword arguments of Taxi.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaxiOptions {
    /// Whether the taxi may be pushed to the side of where it drives.
    pub is_rainy: bool,
    /// Whether the passenger may change their mind, once, at the first move after they were picked up.
    pub fickle_passenger: bool,
    /// In rain, the probability that the taxi drives as it was meant to.
    pub rainy_probability: f64,
    /// The probability that a fickle passenger changes their mind in an episode.
    pub fickle_probability: f64,
}

impl Default for TaxiOptions {
    fn default() -> Self {
        Self { is_rainy: false, fickle_passenger: false, rainy_probability: 0.8, fickle_probability: 0.3 }
    }
}

/// The environment itself, which never truncates: [`Taxi::v4`] has the time limit.
#[derive(Clone, Debug)]
pub struct Taxi {
    spec: EnvSpec,
    world: World,
    /// The probability that a passenger is going to change their mind; `None` where no such thing happens.
    fickleness: Option<f64>,
    /// The passenger of this episode is still going to change their mind.
    changes_mind: bool,
    /// The latest move of the episode, for the picture.
    heading: u8,
}

impl Taxi {
    /// `Taxi-v4`: 200 steps an episode, solved at a mean return of 8.
    pub fn v4() -> TimeLimit<Self> {
        Self::v4_with(TaxiOptions::default()).expect("the default options are allowed")
    }

    /// `Taxi-v4` with options.
    ///
    /// # Errors
    /// Where a probability is none.
    pub fn v4_with(options: TaxiOptions) -> Result<TimeLimit<Self>, EnvError> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(200).unwrap();
        Ok(TimeLimit::new(Self::new(options)?, LIMIT))
    }

    fn new(options: TaxiOptions) -> Result<Self, EnvError> {
        check_probability("rainy_probability", options.rainy_probability)?;
        check_probability("fickle_probability", options.fickle_probability)?;
        let spec = EnvSpec {
            reward_threshold: Some(8.0),
            render_fps: 4,
            frame_size: Some(picture::SIZE),
            action_masks: true,
            ..EnvSpec::new("Taxi-v4", Space::discrete(STATES), ACTIONS.len())
        };
        let world = World::new(town::table(options.is_rainy.then_some(options.rainy_probability)));
        let fickleness = options.fickle_passenger.then_some(options.fickle_probability);
        Ok(Self { spec, world, fickleness, changes_mind: false, heading: 0 })
    }

    /// The present state; `None` before the first reset.
    pub fn state(&self) -> Option<TaxiState> {
        self.world.state().map(TaxiState::decode)
    }

    /// The fickle passenger has been driven one place: they name another destination.
    #[cold]
    fn change_mind(&mut self, state: u32) -> u32 {
        self.changes_mind = false;
        let now = TaxiState::decode(state);
        let mut others = (0..RANKS.len()).filter(|rank| *rank != now.destination);
        let drawn = self.world.random().integers(RANKS.len() as u32 - 1);
        let destination = others.nth(drawn as usize).unwrap_or(now.destination);
        let state = TaxiState { destination, ..now }.encode();
        self.world.set_state(state);
        state
    }

    /// True where a step from `before` to `after` moved the taxi with the passenger in it.
    #[inline]
    fn rode(before: u32, after: u32) -> bool {
        let places = 4 * (IN_TAXI as u32 + 1);
        before / 4 % (IN_TAXI as u32 + 1) == IN_TAXI as u32 && before / places != after / places
    }
}

impl Env for Taxi {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let [number] = numbers(&self.spec, observation)?;
        *number = self.world.reset(seed) as f32;
        let random = self.world.random();
        self.changes_mind = self.fickleness.is_some_and(|probability| random.next_f64() < probability);
        self.heading = 0;
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let [number] = numbers(&self.spec, observation)?;
        let before = self.world.state();
        let (Some(arrival), Some(before)) = (self.world.step(action), before) else {
            return Err(wrong_step(&self.spec, before.is_some(), &ACTIONS, action));
        };
        let mut state = arrival.state;
        if self.changes_mind && Self::rode(before, state) {
            state = self.change_mind(state);
        }
        if action < 4 {
            self.heading = action as u8;
        }
        *number = state as f32;
        Ok(Step { reward: arrival.reward, terminated: arrival.terminated, truncated: false })
    }

    fn action_mask(&self) -> Option<&[bool]> {
        let state = self.world.state()?;
        MASKS.get(state as usize).map(|mask| &mask[..])
    }

    fn render(&self) -> Option<Frame> {
        self.state().map(|state| picture::draw(state, self.heading))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("taxi");
        self.world.save_state(state);
        state.f64(self.fickleness.unwrap_or(0.0));
        state.bool(self.changes_mind);
        state.u32(self.heading.into());
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("taxi")?;
        let mut world = self.world.clone();
        world.load_state(state)?;
        let (fickleness, found) = (self.fickleness.unwrap_or(0.0), state.f64("fickle_probability")?);
        if found != fickleness {
            return Err(StateError::mismatch("fickle_probability (0 where nobody is)", fickleness, found));
        }
        let changes_mind = state.bool("whether the passenger is going to change their mind")?;
        if changes_mind && self.fickleness.is_none() {
            let what = "whether the passenger is going to change their mind";
            return Err(StateError::mismatch(what, "false, as this passenger is not fickle", changes_mind));
        }
        let heading = state.u32("heading of the taxi")?;
        if heading > 3 {
            return Err(StateError::mismatch("heading of the taxi", "one below 4", heading));
        }
        (self.world, self.changes_mind, self.heading) = (world, changes_mind, heading as u8);
        Ok(())
    }
}
