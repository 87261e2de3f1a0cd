//! Acrobot: two links hang from a pivot, and a weak motor at the joint between them is to swing the free end up.
//!
//! The task of R. S. Sutton, "Generalization in Reinforcement Learning: Successful Examples Using Sparse Coarse
//! Coding" (Advances in Neural Information Processing Systems 8, 1996), with the equations of R. S. Sutton and
//! A. G. Barto's book "Reinforcement Learning: An Introduction" and the numbers and the order of operations of
//! Gymnasium 1.4.
//!
//! An observation is the cosine and the sine of the upper link's angle (0 hanging down), the cosine and the sine
//! of the lower link's angle to the upper one, and both angular velocities (rad/s, up to 4π and 9π). Actions 0,
//! 1 and 2 are a torque of −1, 0 and 1 N m for 200 ms. Every step earns −1, save the last of an episode that
//! terminates, which earns 0: there the free end is more than a link's length above the pivot. An episode is
//! truncated after 500 steps.
//!
//! Two things are not as one would write them, and are so in Gymnasium. Squares are `pow(x, 2)` of the C library,
//! which is not always `x · x`. And the state that [`reset`](Env::reset) draws is rounded to `f32`, and what is
//! seen of it is computed in `f32`.

mod dynamics;
mod picture;
mod single;

use std::f64::consts::PI;
use std::num::NonZeroU32;

use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader, StateWriter, Step,
};

use super::support::{load_numbers, save_numbers};
use crate::misuse::{numbers, wrong_step};
use crate::numpy_random::NumpyGenerator;
use crate::wrappers::TimeLimit;

const ACTIONS: [&str; 3] = ["a torque of −1", "none", "a torque of 1"];
const MAX_VELOCITY_1: f64 = 4.0 * PI;
const MAX_VELOCITY_2: f64 = 9.0 * PI;
const RESET_BOUND: f64 = 0.1;

/// How the links hang and move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AcrobotState {
    /// The angle of the upper link in radians, 0 hanging down.
    pub angle_1: f64,
    /// The angle of the lower link to the upper one in radians, 0 straight on.
    pub angle_2: f64,
    /// The angular velocity of the upper link in rad/s.
    pub angular_velocity_1: f64,
    /// The angular velocity of the lower link against the upper one in rad/s.
    pub angular_velocity_2: f64,
}

impl AcrobotState {
    fn numbers(self) -> [f64; 4] {
        [self.angle_1, self.angle_2, self.angular_velocity_1, self.angular_velocity_2]
    }

    fn of([angle_1, angle_2, angular_velocity_1, angular_velocity_2]: [f64; 4]) -> Self {
        Self { angle_1, angle_2, angular_velocity_1, angular_velocity_2 }
    }

    /// The state 200 ms later.
    #[inline]
    fn after(self, torque: f64) -> Self {
        let [angle_1, angle_2, angular_velocity_1, angular_velocity_2] =
            dynamics::after(self.numbers(), torque);
        Self {
            angle_1: wrapped(angle_1),
            angle_2: wrapped(angle_2),
            angular_velocity_1: angular_velocity_1.clamp(-MAX_VELOCITY_1, MAX_VELOCITY_1),
            angular_velocity_2: angular_velocity_2.clamp(-MAX_VELOCITY_2, MAX_VELOCITY_2),
        }
    }
}

/// The angle within ±π that is whole turns away, turn by turn as Gymnasium goes. An angle that no number of steps
/// would bring there, infinite or so large that a turn is lost in its rounding, stays what it is.
#[inline]
fn wrapped(mut angle: f64) -> f64 {
    const TURN: f64 = 2.0 * PI;
    const HOPELESS: f64 = 1e6;
    if angle.abs() > HOPELESS {
        return angle;
    }
    while angle > PI {
        angle -= TURN;
    }
    while angle < -PI {
        angle += TURN;
    }
    angle
}

/// The environment itself, which never truncates: [`Acrobot::v1`] has the time limit.
///
/// Before the first reset with a seed the random numbers are those of seed 0.
#[derive(Clone, Debug)]
pub struct Acrobot {
    spec: EnvSpec,
    random: NumpyGenerator,
    /// `None` before the first reset.
    state: Option<AcrobotState>,
    /// True from a reset to the first step: the picture too is computed in `f32` then.
    is_single: bool,
}

impl Acrobot {
    /// The environment without a time limit, whose id is `Acrobot`.
    pub fn new() -> Self {
        Self::with_id("Acrobot", None)
    }

    /// `Acrobot-v1`: 500 steps an episode, solved at a mean return of −100.
    pub fn v1() -> TimeLimit<Self> {
        const LIMIT: NonZeroU32 = NonZeroU32::new(500).unwrap();
        TimeLimit::new(Self::with_id("Acrobot-v1", Some(-100.0)), LIMIT)
    }

    fn with_id(id: &str, reward_threshold: Option<f64>) -> Self {
        let high = [1.0, 1.0, 1.0, 1.0, MAX_VELOCITY_1 as f32, MAX_VELOCITY_2 as f32];
        let spec = EnvSpec {
            reward_threshold,
            render_fps: 15,
            frame_size: Some((picture::SIDE, picture::SIDE)),
            ..EnvSpec::new(id, BoxSpace::vector(&high.map(|bound| -bound), &high), ACTIONS.len())
        };
        Self { spec, random: NumpyGenerator::new(0), state: None, is_single: false }
    }

    /// The present state in full precision; `None` before the first reset.
    pub fn state(&self) -> Option<AcrobotState> {
        self.state
    }

    /// Moves the links elsewhere.
    pub fn set_state(&mut self, state: AcrobotState) {
        self.state = Some(state);
        self.is_single = false;
    }
}

impl Default for Acrobot {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for Acrobot {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let observation = numbers(&self.spec, observation)?;
        if let Some(seed) = seed {
            self.random = NumpyGenerator::new(seed.into());
        }
        let drawn = [(); 4].map(|()| self.random.uniform(-RESET_BOUND, RESET_BOUND) as f32);
        self.state = Some(AcrobotState::of(drawn.map(f64::from)));
        self.is_single = true;
        let [angle_1, angle_2, velocity_1, velocity_2] = drawn;
        let ((sin_1, cos_1), (sin_2, cos_2)) = (single::sin_cos(angle_1), single::sin_cos(angle_2));
        *observation = [cos_1, sin_1, cos_2, sin_2, velocity_1, velocity_2];
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let Some(state) = self.state.filter(|_| action < ACTIONS.len()) else {
            return Err(wrong_step(&self.spec, self.state.is_some(), &ACTIONS, action));
        };
        let state = state.after(action as f64 - 1.0);
        (self.state, self.is_single) = (Some(state), false);
        let AcrobotState { angle_1, angle_2, angular_velocity_1, angular_velocity_2 } = state;
        let cos_1 = angle_1.cos();
        let terminated = -cos_1 - (angle_2 + angle_1).cos() > 1.0;
        let values =
            [cos_1, angle_1.sin(), angle_2.cos(), angle_2.sin(), angular_velocity_1, angular_velocity_2];
        *observation = values.map(|value| value as f32);
        Ok(Step { reward: if terminated { 0.0 } else { -1.0 }, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        self.state.map(|state| picture::draw(state.angle_1, state.angle_2, self.is_single))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("acrobot");
        self.random.save_state(state);
        save_numbers(state, self.state.map(AcrobotState::numbers));
        state.bool(self.is_single);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("acrobot")?;
        let mut random = self.random.clone();
        random.load_state(state)?;
        let names = [
            "angle of the upper link",
            "angle of the lower link",
            "angular velocity of the upper link",
            "angular velocity of the lower link",
        ];
        let numbers = load_numbers(state, names)?;
        let is_single = state.bool("whether the episode has just begun")?;
        (self.random, self.state, self.is_single) = (random, numbers.map(AcrobotState::of), is_single);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_angle_is_wrapped_or_left() {
        assert_eq!(wrapped(PI), PI);
        assert_eq!(wrapped(-PI), -PI);
        assert!((wrapped(7.0) - (7.0 - 2.0 * PI)).abs() < 1e-12);
        assert!((wrapped(-20.0) - (6.0 * PI - 20.0)).abs() < 1e-12);
        for angle in [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(wrapped(angle), angle);
        }
        assert!(wrapped(f64::NAN).is_nan());
    }
}
