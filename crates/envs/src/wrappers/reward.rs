//! Rewards changed on their way to the agent.

use deepq_core::{Env, EnvError, ObservationMut, Step};

/// Keeps every reward within bounds.
///
/// Bounds of −1 and 1 are what Mnih et al. (2015) did for Atari; for rewards that are whole numbers this is the
/// same as taking their signs, as Stable-Baselines3 and CleanRL do.
#[derive(Clone, Debug)]
pub struct ClipReward<E> {
    env: E,
    low: f64,
    high: f64,
}

impl<E: Env> ClipReward<E> {
    /// `env` with rewards from `low` to `high`; an infinite one of them is no bound.
    ///
    /// # Errors
    /// Where `low` is above `high`, or one of them is NaN.
    pub fn new(env: E, low: f64, high: f64) -> Result<Self, EnvError> {
        check_bounds(low, high)?;
        Ok(Self { env, low, high })
    }

    access_to_inner!();
}

pub(super) fn check_bounds(low: f64, high: f64) -> Result<(), EnvError> {
    match low <= high {
        true => Ok(()),
        false => Err(EnvError::new(format!(
            "clip-reward: low is a number not above high, found low = {low} and high = {high}"
        ))),
    }
}

impl<E: Env> Env for ClipReward<E> {
    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation)?;
        Ok(Step { reward: step.reward.clamp(self.low, self.high), ..step })
    }

    forward_to_inner!(env: spec, begin_step, steps_elsewhere, action_mask, episode_statistics, render, state, reset);
}

/// Multiplies every reward by a factor.
#[derive(Clone, Debug)]
pub struct ScaleReward<E> {
    env: E,
    factor: f64,
}

impl<E: Env> ScaleReward<E> {
    /// `env` with rewards times `factor`.
    ///
    /// # Errors
    /// Where `factor` is 0, which would take away all there is to learn, or not finite.
    pub fn new(env: E, factor: f64) -> Result<Self, EnvError> {
        check_factor(factor)?;
        Ok(Self { env, factor })
    }

    access_to_inner!();
}

pub(super) fn check_factor(factor: f64) -> Result<(), EnvError> {
    match factor.is_finite() && factor != 0.0 {
        true => Ok(()),
        false => Err(EnvError::new(format!(
            "scale-reward: factor is a finite number other than 0, found {factor}"
        ))),
    }
}

impl<E: Env> Env for ScaleReward<E> {
    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation)?;
        Ok(Step { reward: step.reward * self.factor, ..step })
    }

    forward_to_inner!(env: spec, begin_step, steps_elsewhere, action_mask, episode_statistics, render, state, reset);
}

#[cfg(test)]
mod tests {
    use deepq_core::ElementKind;

    use super::super::testing::{Scripted, assert_resumes, reset, step, unbounded};
    use super::*;

    fn scripted(rewards: &[f64]) -> Scripted {
        let mut env = Scripted::new(unbounded(1, ElementKind::F32), &[&[0.0]]);
        env.rewards = rewards.to_vec();
        env
    }

    fn rewards(env: &mut impl Env, steps: usize) -> Vec<f64> {
        reset(env, None);
        (0..steps).map(|_| step(env, 0).1.reward).collect()
    }

    #[test]
    fn rewards_stay_within_the_bounds() {
        let env = scripted(&[-7.0, -0.5, 0.0, 0.25, 3.0]);
        let mut clipped = ClipReward::new(env.clone(), -1.0, 1.0).unwrap();
        assert_eq!(rewards(&mut clipped, 5), [-1.0, -0.5, 0.0, 0.25, 1.0]);
        let mut clipped = ClipReward::new(env, f64::NEG_INFINITY, 0.0).unwrap();
        assert_eq!(rewards(&mut clipped, 5), [-7.0, -0.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn rewards_are_multiplied() {
        let mut scaled = ScaleReward::new(scripted(&[-7.0, 0.0, 3.0]), 0.5).unwrap();
        assert_eq!(rewards(&mut scaled, 3), [-3.5, 0.0, 1.5]);
    }

    #[test]
    fn values_without_sense_are_refused() {
        for (low, high) in [(1.0, -1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert!(ClipReward::new(scripted(&[0.0]), low, high).is_err(), "{low} {high}");
        }
        for factor in [0.0, f64::NAN, f64::INFINITY] {
            assert!(ScaleReward::new(scripted(&[0.0]), factor).is_err(), "{factor}");
        }
    }

    #[test]
    fn what_is_not_theirs_is_left_to_the_environment() {
        let mut env = ClipReward::new(scripted(&[2.0, 0.5]), 0.0, 1.0).unwrap();
        rewards(&mut env, 3);
        assert_resumes(&mut env, ClipReward::new(scripted(&[2.0, 0.5]), 0.0, 1.0).unwrap(), &[0, 1, 2]);
        let mut env = ScaleReward::new(scripted(&[2.0, 0.5]), 3.0).unwrap();
        rewards(&mut env, 3);
        assert_resumes(&mut env, ScaleReward::new(scripted(&[2.0, 0.5]), 3.0).unwrap(), &[0, 1, 2]);
        assert_eq!(env.inner().actions.len(), 0, "reset at the end");
    }
}
