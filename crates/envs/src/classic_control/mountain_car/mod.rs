//! MountainCar: a car in a valley is to reach the flag on the right hill, and its engine is too weak for that.
//! It has to swing up.
//!
//! The task of A. W. Moore, "Efficient Memory-based Learning for Robot Control" (PhD thesis, University of
//! Cambridge, 1990), with the numbers and the order of operations of Gymnasium 1.4.
//!
//! An observation is the car's position (−1.2 to 0.6, the valley's floor near −0.52) and its velocity (position
//! per step, −0.07 to 0.07). Action 0 accelerates to the left, 1 not at all, 2 to the right; at −1.2 there is a
//! wall, which takes all the car's velocity. Every step earns −1. An episode terminates where the car is at 0.5
//! or beyond and not slower than the [goal velocity](MountainCarOptions::goal_velocity), and is truncated after
//! 200 steps.

mod picture;

use std::num::NonZeroU32;

use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

use super::support::{load_numbers, save_numbers};
use crate::misuse::{numbers, wrong_step};
use crate::numpy_random::NumpyGenerator;
use crate::wrappers::TimeLimit;

const ACTIONS: [&str; 3] = ["left", "none", "right"];
const LEFT_WALL: f64 = -1.2;
const RIGHT_END: f64 = 0.6;
const SPEED_LIMIT: f64 = 0.07;
const GOAL: f64 = 0.5;
const FORCE: f64 = 0.001;
const GRAVITY: f64 = 0.0025;
const RESET_LOW: f64 = -0.6;
const RESET_HIGH: f64 = -0.4;

/// Where the car is and how it moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MountainCarState {
    /// The car's position: −1.2 at the wall, 0.5 at the flag.
    pub position: f64,
    /// The car's velocity in positions per step, positive to the right.
    pub velocity: f64,
}

impl MountainCarState {
    /// The state one step later; `push` is −1, 0 or 1 times the engine's force.
    ///
    /// Each operation is Gymnasium's and in its place, so that each rounding is the same.
    #[inline]
    fn after(self, push: f64) -> Self {
        let velocity = self.velocity + (push * FORCE + (3.0 * self.position).cos() * -GRAVITY);
        let velocity = velocity.clamp(-SPEED_LIMIT, SPEED_LIMIT);
        let position = (self.position + velocity).clamp(LEFT_WALL, RIGHT_END);
        let hits_the_wall = position == LEFT_WALL && velocity < 0.0;
        Self { position, velocity: if hits_the_wall { 0.0 } else { velocity } }
    }

    #[inline]
    fn observe(&self, observation: &mut [f32; 2]) {
        *observation = [self.position as f32, self.velocity as f32];
    }
}

/// The settings of the environment, by Gymnasium's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MountainCarOptions {
    /// The least velocity at the flag that counts as having reached it, in positions per step. 0 by default.
    pub goal_velocity: f64,
}

/// The environment itself, which never truncates: [`MountainCar::v0`] has the time limit.
///
/// Before the first reset with a seed the random numbers are those of seed 0.
#[derive(Clone, Debug)]
pub struct MountainCar {
    spec: EnvSpec,
    goal_velocity: f64,
    random: NumpyGenerator,
    /// `None` before the first reset.
    state: Option<MountainCarState>,
}

impl MountainCar {
    /// The environment without a time limit, whose id is `MountainCar`.
    pub fn new() -> Self {
        Self::with_id("MountainCar", None)
    }

    /// `MountainCar-v0`: 200 steps an episode, solved at a mean return of −110.
    pub fn v0() -> TimeLimit<Self> {
        Self::with_id("MountainCar-v0", Some(-110.0)).limited()
    }

    /// [`v0`](Self::v0) with settings of one's own.
    ///
    /// # Errors
    /// Where the goal velocity is no finite number.
    pub fn v0_with(options: MountainCarOptions) -> Result<TimeLimit<Self>, EnvError> {
        let goal_velocity = options.goal_velocity;
        if !goal_velocity.is_finite() {
            return Err(EnvError::new(format!("goal_velocity is a finite number, found {goal_velocity}")));
        }
        let env = Self::with_id("MountainCar-v0", Some(-110.0));
        Ok(Self { goal_velocity, ..env }.limited())
    }

    fn with_id(id: &str, reward_threshold: Option<f64>) -> Self {
        let low = [LEFT_WALL as f32, -SPEED_LIMIT as f32];
        let high = [RIGHT_END as f32, SPEED_LIMIT as f32];
        let spec = EnvSpec {
            reward_threshold,
            render_fps: 30,
            frame_size: Some((picture::WIDTH, picture::HEIGHT)),
            ..EnvSpec::new(id, BoxSpace::vector(&low, &high), ACTIONS.len())
        };
        Self { spec, goal_velocity: 0.0, random: NumpyGenerator::new(0), state: None }
    }

    fn limited(self) -> TimeLimit<Self> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(200).unwrap();
        TimeLimit::new(self, LIMIT)
    }

    /// The present state in full precision; `None` before the first reset.
    pub fn state(&self) -> Option<MountainCarState> {
        self.state
    }

    /// Puts the car elsewhere.
    pub fn set_state(&mut self, state: MountainCarState) {
        self.state = Some(state);
    }
}

impl Default for MountainCar {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for MountainCar {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let observation = numbers(&self.spec, observation)?;
        if let Some(seed) = seed {
            self.random = NumpyGenerator::new(seed.into());
        }
        let position = self.random.uniform(RESET_LOW, RESET_HIGH);
        let state = MountainCarState { position, velocity: 0.0 };
        self.state = Some(state);
        state.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let Some(state) = self.state.filter(|_| action < ACTIONS.len()) else {
            return Err(wrong_step(&self.spec, self.state.is_some(), &ACTIONS, action));
        };
        let state = state.after(action as f64 - 1.0);
        self.state = Some(state);
        let terminated = state.position >= GOAL && state.velocity >= self.goal_velocity;
        state.observe(observation);
        Ok(Step { reward: -1.0, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        self.state.map(|state| picture::draw(state.position))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("mountain-car");
        state.f64(self.goal_velocity);
        self.random.save_state(state);
        save_numbers(state, self.state.map(|now| [now.position, now.velocity]));
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("mountain-car")?;
        let goal_velocity = state.f64("goal velocity")?;
        if goal_velocity != self.goal_velocity {
            return Err(StateError::mismatch("goal velocity", self.goal_velocity, goal_velocity));
        }
        let mut random = self.random.clone();
        random.load_state(state)?;
        let numbers = load_numbers(state, ["position of the car", "velocity of the car"])?;
        self.random = random;
        self.state = numbers.map(|[position, velocity]| MountainCarState { position, velocity });
        Ok(())
    }
}
