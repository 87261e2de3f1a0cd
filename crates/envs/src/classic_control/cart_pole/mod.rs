//! CartPole: a pole stands on a cart, pushed left or right, and is to be kept upright.
//!
//! The task of A. G. Barto, R. S. Sutton and C. W. Anderson, "Neuronlike adaptive elements that can solve
//! difficult learning control problems" (IEEE Transactions on Systems, Man, and Cybernetics 13, 1983), with
//! the numbers and the order of operations of Gymnasium 1.4.
//!
//! An observation is the cart's position (m) and velocity (m/s) and the pole's angle (rad, 0 upright, positive
//! to the right) and angular velocity (rad/s). Action 0 pushes to the left, 1 to the right, with 10 N for
//! 20 ms. Every step earns 1. An episode terminates where the cart leaves ±2.4 m or the pole ±12°, and is
//! truncated after 200 (`CartPole-v0`) or 500 steps (`CartPole-v1`).

mod picture;

use std::f64::consts::PI;
use std::hint::black_box;
use std::num::NonZeroU32;

use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader, StateWriter, Step,
};

use super::support::{load_numbers, save_numbers};
use crate::misuse::{numbers, wrong_step};
use crate::numpy_random::NumpyGenerator;
use crate::wrappers::TimeLimit;

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = POLE_MASS + 1.0;
const HALF_POLE_LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = POLE_MASS * HALF_POLE_LENGTH;
const ACTIONS: [&str; 2] = ["left", "right"];
/// In newtons, by action. A table, since a branch would be guessed wrongly half the time while exploring.
const FORCES: [f64; 2] = [-10.0, 10.0];
const SECONDS_PER_STEP: f64 = 0.02;
const POSITION_LIMIT: f64 = 2.4;
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * PI / 360.0;
const RESET_BOUND: f64 = 0.05;

/// Where the cart and the pole are and how they move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartPoleState {
    /// The cart's position in metres, 0 in the middle of the track.
    pub position: f64,
    /// The cart's velocity in m/s.
    pub velocity: f64,
    /// The pole's angle in radians, 0 upright, positive to the right.
    pub angle: f64,
    /// The pole's angular velocity in rad/s.
    pub angular_velocity: f64,
}

impl CartPoleState {
    /// The state 20 ms later, with `force` newtons on the cart: one step of Euler's method.
    ///
    /// Each operation is Gymnasium's and in its place, so that each rounding is the same.
    #[inline]
    fn after(self, force: f64) -> Self {
        let Self { position, velocity, angle, angular_velocity } = self;
        // Without the black box the compiler adds angle and angular velocity in one vector, and the next step's
        // sine waits for this step's divisions: a step takes 31 ns instead of 22.
        let next_angle = black_box(angle + SECONDS_PER_STEP * angular_velocity);
        let (sin, cos) = (angle.sin(), angle.cos());
        let push = (force + POLE_MASS_LENGTH * (angular_velocity * angular_velocity) * sin) / TOTAL_MASS;
        let angular_acceleration = (GRAVITY * sin - cos * push)
            / (HALF_POLE_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
        let acceleration = push - POLE_MASS_LENGTH * angular_acceleration * cos / TOTAL_MASS;
        Self {
            position: position + SECONDS_PER_STEP * velocity,
            velocity: velocity + SECONDS_PER_STEP * acceleration,
            angle: next_angle,
            angular_velocity: angular_velocity + SECONDS_PER_STEP * angular_acceleration,
        }
    }

    /// Written as Gymnasium writes it, so that a state that is not a number counts as within the limits too.
    #[inline]
    fn out_of_bounds(&self) -> bool {
        self.position < -POSITION_LIMIT
            || self.position > POSITION_LIMIT
            || self.angle < -ANGLE_LIMIT
            || self.angle > ANGLE_LIMIT
    }

    #[inline]
    fn observe(&self, observation: &mut [f32; 4]) {
        let Self { position, velocity, angle, angular_velocity } = *self;
        *observation = [position as f32, velocity as f32, angle as f32, angular_velocity as f32];
    }
}

/// The environment itself, which never truncates: [`CartPole::v0`] and [`CartPole::v1`] have the time limits.
///
/// Before the first reset with a seed the random numbers are those of seed 0, where Gymnasium would ask the
/// operating system: a run without a seed is repeatable too.
#[derive(Clone, Debug)]
pub struct CartPole {
    spec: EnvSpec,
    random: NumpyGenerator,
    /// `None` before the first reset.
    state: Option<CartPoleState>,
    /// True from the step that ended the episode on: a step beyond the end earns nothing.
    ended: bool,
}

impl CartPole {
    /// The environment without a time limit, whose id is `CartPole`.
    pub fn new() -> Self {
        Self::with_id("CartPole", None)
    }

    /// `CartPole-v0`: 200 steps an episode, solved at a mean return of 195.
    pub fn v0() -> TimeLimit<Self> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(200).unwrap();
        TimeLimit::new(Self::with_id("CartPole-v0", Some(195.0)), LIMIT)
    }

    /// `CartPole-v1`: 500 steps an episode, solved at a mean return of 475.
    pub fn v1() -> TimeLimit<Self> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(500).unwrap();
        TimeLimit::new(Self::with_id("CartPole-v1", Some(475.0)), LIMIT)
    }

    fn with_id(id: &str, reward_threshold: Option<f64>) -> Self {
        let high = [(2.0 * POSITION_LIMIT) as f32, f32::INFINITY, (2.0 * ANGLE_LIMIT) as f32, f32::INFINITY];
        let spec = EnvSpec {
            reward_threshold,
            render_fps: 50,
            frame_size: Some((picture::WIDTH, picture::HEIGHT)),
            ..EnvSpec::new(id, BoxSpace::vector(&high.map(|bound| -bound), &high), 2)
        };
        Self { spec, random: NumpyGenerator::new(0), state: None, ended: false }
    }

    /// The present state in full precision; `None` before the first reset.
    pub fn state(&self) -> Option<CartPoleState> {
        self.state
    }

    /// Puts the cart and the pole elsewhere, in the midst of a fresh episode.
    pub fn set_state(&mut self, state: CartPoleState) {
        self.state = Some(state);
        self.ended = false;
    }
}

impl Default for CartPole {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for CartPole {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let observation = numbers(&self.spec, observation)?;
        if let Some(seed) = seed {
            self.random = NumpyGenerator::new(seed.into());
        }
        let mut draw = || self.random.uniform(-RESET_BOUND, RESET_BOUND);
        let state =
            CartPoleState { position: draw(), velocity: draw(), angle: draw(), angular_velocity: draw() };
        self.set_state(state);
        state.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let (Some(state), Some(force)) = (self.state, FORCES.get(action)) else {
            return Err(wrong_step(&self.spec, self.state.is_some(), &ACTIONS, action));
        };
        let state = state.after(*force);
        self.state = Some(state);
        let terminated = state.out_of_bounds();
        let reward = if terminated && self.ended { 0.0 } else { 1.0 };
        self.ended |= terminated;
        state.observe(observation);
        Ok(Step { reward, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        self.state.map(|state| picture::draw(state.position, state.angle))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("cart-pole");
        self.random.save_state(state);
        let numbers = |now: CartPoleState| [now.position, now.velocity, now.angle, now.angular_velocity];
        save_numbers(state, self.state.map(numbers));
        state.bool(self.ended);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("cart-pole")?;
        let mut random = self.random.clone();
        random.load_state(state)?;
        let names = [
            "position of the cart",
            "velocity of the cart",
            "angle of the pole",
            "angular velocity of the pole",
        ];
        let now = load_numbers(state, names)?.map(|[position, velocity, angle, angular_velocity]| {
            CartPoleState { position, velocity, angle, angular_velocity }
        });
        let ended = state.bool("whether the episode has ended")?;
        (self.random, self.state, self.ended) = (random, now, ended);
        Ok(())
    }
}
