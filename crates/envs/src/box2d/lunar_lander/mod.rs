//! LunarLander: a lander falls towards the moon and is to be set down on its pad, softly and upright.
//!
//! The task, by Oleg Klimov, is Gymnasium 1.4's `LunarLander-v3`, with its numbers, its order of operations and
//! its physics, which is Box2D's.
//!
//! An observation is eight numbers: the place relative to the pad (x, y; 1 is the edge of the picture), the
//! velocity (x, y), the angle (rad, positive counter-clockwise) and the angular velocity (in 2.5 rad/s), and
//! whether the leg on the right and the one on the left touch the ground (0 or 1). Action 0 does nothing, 1 pushes
//! the lander to the left, with the engine on its right, 2 fires the main engine, 3 pushes to the right, for 20 ms.
//! (Gymnasium calls 1 and 3 the left and the right orientation engine.)
//!
//! A step earns what it gains in place, speed and upright stance, 10 for each leg that comes to touch the ground,
//! and costs 0.3 for the main and 0.03 for a side engine. An episode terminates with 100 where the lander rests,
//! with −100 where its hull touches the ground or it leaves the picture to a side, and is truncated after 1,000
//! steps. Solved is a mean return of 200.
//!
//! # Bits
//! With glibc, on x86-64 and on AArch64, all is equal to Gymnasium's (on x86-64), bit for bit, with wind or without.
//! With another C library, whose sines have other last bits, an episode repeats itself exactly too, but goes its own
//! way from the first contact on. Watching changes nothing: the particles of exhaust fly in a world of their own,
//! which is made for a picture.
//!
//! # State
//! The state of a world of Box2D is spread over lists, trees and caches. A saved state therefore is the random
//! numbers as they were at the reset, and the actions since; loading flies the episode once more, which takes a
//! few milliseconds.

mod flight;
mod picture;

use std::num::NonZeroU32;

pub use deepq_box2d::BodyState;
use deepq_box2d::Invalid;
use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

use self::flight::Flight;
use crate::misuse::{numbers, wrong_step};
use crate::numpy_random::NumpyGenerator;
use crate::wrappers::TimeLimit;

const ACTIONS: [&str; 4] = ["nothing", "push left", "main engine", "push right"];

/// So many steps an episode can have without a time limit: a saved state holds an action for each, and loading
/// takes them all again.
pub const MOST_EPISODE_STEPS: usize = 1_000_000;

/// The options of LunarLander, under the names of Gymnasium's.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LunarLanderOptions {
    /// Engines with a throttle. Only `false` is possible: deepq's actions are whole numbers.
    pub continuous: bool,
    /// m/s², above −12 and below 0; −10 unless one says otherwise.
    pub gravity: f64,
    /// Wind that pushes the lander sideways and turns it, while no leg touches the ground.
    pub enable_wind: bool,
    /// The greatest force of the wind in newtons, from 0 to 20 in a reasonable task; 15 unless one says otherwise.
    pub wind_power: f64,
    /// The greatest torque of the wind in N·m, from 0 to 2 in a reasonable task; 1.5 unless one says otherwise.
    pub turbulence_power: f64,
}

impl Default for LunarLanderOptions {
    fn default() -> Self {
        Self {
            continuous: false,
            gravity: -10.0,
            enable_wind: false,
            wind_power: 15.0,
            turbulence_power: 1.5,
        }
    }
}

impl LunarLanderOptions {
    fn check(&self) -> Result<(), EnvError> {
        let Self { continuous, gravity, wind_power, turbulence_power, .. } = *self;
        let refuse = |message: String| Err(EnvError::new(message));
        if continuous {
            return refuse(
                "continuous = true is not possible: its actions are two real numbers, and a Q-network has one \
                 output for each of a list of actions. With continuous = false (the default) there are four"
                    .to_owned(),
            );
        }
        if !(gravity > -12.0 && gravity < 0.0) {
            return refuse(format!("gravity is above -12 and below 0, found {gravity}"));
        }
        for (name, power) in [("wind_power", wind_power), ("turbulence_power", turbulence_power)] {
            if !power.is_finite() || power.abs() > f64::from(f32::MAX) {
                return refuse(format!("{name} is a finite number (of type f32), found {power}"));
            }
        }
        Ok(())
    }
}

/// What a flight needs to be flown again.
#[derive(Debug)]
struct Episode {
    /// The random numbers as they were before the reset.
    random_at_reset: NumpyGenerator,
    flight: Flight,
}

/// The environment itself, which never truncates: [`LunarLander::v3`] has the time limit.
///
/// Before the first reset with a seed the random numbers are those of seed 0, where Gymnasium would ask the
/// operating system: a run without a seed is repeatable too.
#[derive(Debug)]
pub struct LunarLander {
    spec: EnvSpec,
    options: LunarLanderOptions,
    random: NumpyGenerator,
    /// `None` before the first reset.
    episode: Option<Episode>,
    /// The actions since the reset.
    actions: Vec<u8>,
}

impl LunarLander {
    /// The environment without a time limit, whose id is `LunarLander`. An episode of more than
    /// [`MOST_EPISODE_STEPS`] steps ends with an error.
    pub fn new() -> Self {
        Self::new_with(LunarLanderOptions::default()).expect("the default options are allowed")
    }

    /// [`new`](Self::new) with options.
    ///
    /// # Errors
    /// Where an option has no such value.
    pub fn new_with(options: LunarLanderOptions) -> Result<Self, EnvError> {
        Self::with_id("LunarLander", options)
    }

    /// `LunarLander-v3`: 1,000 steps an episode, solved at a mean return of 200.
    pub fn v3() -> TimeLimit<Self> {
        Self::v3_with(LunarLanderOptions::default()).expect("the default options are allowed")
    }

    /// [`v3`](Self::v3) with options.
    ///
    /// # Errors
    /// Where an option has no such value.
    pub fn v3_with(options: LunarLanderOptions) -> Result<TimeLimit<Self>, EnvError> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(1000).unwrap();
        Ok(TimeLimit::new(Self::with_id("LunarLander-v3", options)?, LIMIT))
    }

    fn with_id(id: &str, options: LunarLanderOptions) -> Result<Self, EnvError> {
        options.check()?;
        let turn = 2.0 * std::f32::consts::PI;
        let high = [2.5, 2.5, 10.0, 10.0, turn, 10.0, 1.0, 1.0];
        let low = [-2.5, -2.5, -10.0, -10.0, -turn, -10.0, -0.0, -0.0];
        let space = BoxSpace::vector(&low, &high);
        let spec = EnvSpec {
            reward_threshold: Some(200.0),
            render_fps: 50,
            frame_size: Some((picture::WIDTH, picture::HEIGHT)),
            ..EnvSpec::new(id, space, ACTIONS.len())
        };
        let random = NumpyGenerator::new(0);
        Ok(Self { spec, options, random, episode: None, actions: Vec::with_capacity(1024) })
    }

    /// Where the lander is, its leg on the right and the one on the left, in metres from the lower left corner of
    /// the picture; `None` before the first reset.
    pub fn bodies(&self) -> Option<&[BodyState; 3]> {
        self.episode.as_ref().map(|episode| episode.flight.bodies())
    }

    /// Begins a flight with the random numbers `random`, and takes the step that belongs to a reset.
    fn begin(&mut self, mut random: NumpyGenerator, observation: &mut [f32; 8]) -> Result<(), EnvError> {
        let random_at_reset = random.clone();
        let mut flight = Flight::new(&self.options, &mut random).map_err(physics)?;
        flight.step(0, &mut random, observation);
        self.random = random;
        self.episode = Some(Episode { random_at_reset, flight });
        self.actions.clear();
        Ok(())
    }

    #[cold]
    fn wrong_step(&self, action: usize) -> EnvError {
        if self.episode.is_none() || action >= ACTIONS.len() {
            return wrong_step(&self.spec, self.episode.is_some(), &ACTIONS, action);
        }
        EnvError::new(format!(
            "{}: an episode has at most {MOST_EPISODE_STEPS} steps: give it a time limit, or reset it",
            self.spec.id
        ))
    }
}

impl Default for LunarLander {
    fn default() -> Self {
        Self::new()
    }
}

fn physics(error: Invalid) -> EnvError {
    EnvError::with_source("LunarLander: Box2D refused a body", error)
}

impl Env for LunarLander {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let random = seed.map_or_else(|| self.random.clone(), |seed| NumpyGenerator::new(seed.into()));
        self.begin(random, observation)
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let possible = action < ACTIONS.len() && self.actions.len() < MOST_EPISODE_STEPS;
        let Some(episode) = self.episode.as_mut().filter(|_| possible) else {
            return Err(self.wrong_step(action));
        };
        self.actions.push(action as u8);
        Ok(episode.flight.step(action as u8, &mut self.random, observation))
    }

    fn render(&self) -> Option<Frame> {
        self.episode.as_ref().and_then(|episode| picture::draw(&episode.flight))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("lunar-lander");
        state.f64(self.options.gravity);
        state.bool(self.options.enable_wind);
        state.f64(self.options.wind_power);
        state.f64(self.options.turbulence_power);
        state.bool(self.episode.is_some());
        let random = self.episode.as_ref().map_or(&self.random, |episode| &episode.random_at_reset);
        random.save_state(state);
        state.bytes_with_len(&self.actions);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("lunar-lander")?;
        let found = LunarLanderOptions {
            continuous: false,
            gravity: state.f64("gravity")?,
            enable_wind: state.bool("whether there is wind")?,
            wind_power: state.f64("power of the wind")?,
            turbulence_power: state.f64("power of the turbulence")?,
        };
        if found != self.options {
            let [expected, found] = [self.options, found].map(|options| format!("{options:?}"));
            return Err(StateError::mismatch("the options of LunarLander", expected, found));
        }
        let begun = state.bool("whether an episode has begun")?;
        let mut random = self.random.clone();
        random.load_state(state)?;
        let actions = state.bytes_with_len("actions since the reset")?;
        self.resume(begun, random, actions)
    }
}

impl LunarLander {
    /// Flies an episode again; where that is not possible nothing is changed.
    fn resume(&mut self, begun: bool, random: NumpyGenerator, actions: &[u8]) -> Result<(), StateError> {
        const WHAT: &str = "actions since the reset";
        let most = if begun { MOST_EPISODE_STEPS } else { 0 };
        if actions.len() > most {
            return Err(StateError::mismatch(WHAT, format!("at most {most}"), actions.len()));
        }
        if let Some(wrong) = actions.iter().find(|action| **action >= 4) {
            return Err(StateError::mismatch(WHAT, "0, 1, 2 or 3", wrong));
        }
        if !begun {
            (self.random, self.episode) = (random, None);
            self.actions.clear();
            return Ok(());
        }
        let mut observation = [0.0; 8];
        let refused = |error: EnvError| StateError::mismatch("an episode", "one that Box2D takes", error);
        self.begin(random, &mut observation).map_err(refused)?;
        for action in actions {
            let step = self.step((*action).into(), ObservationMut::F32(&mut observation));
            step.map_err(refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_without_a_time_limit_ends_at_what_a_saved_state_may_hold() {
        let mut env = LunarLander::new();
        env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
        env.actions = vec![0; MOST_EPISODE_STEPS - 1];
        env.step(0, ObservationMut::F32(&mut [0.0; 8])).unwrap();
        let error = env.step(0, ObservationMut::F32(&mut [0.0; 8])).unwrap_err();
        let expected = "LunarLander: an episode has at most 1000000 steps: give it a time limit, or reset it";
        assert_eq!(error.to_string(), expected);
        env.reset(None, ObservationMut::F32(&mut [0.0; 8])).unwrap();
        env.step(0, ObservationMut::F32(&mut [0.0; 8])).unwrap();
    }
}
