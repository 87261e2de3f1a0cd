//! Rewards in units of their return's deviation.

use deepq_core::{Env, EnvError, ObservationMut, StateError, StateReader, StateWriter, Step};

/// Divides every reward by the standard deviation of the discounted return so far (Gymnasium's `NormalizeReward`;
/// Engstrom et al. 2020, arXiv 2005.12729): `r / √(variance + epsilon)`, so that returns are of about the same
/// size whatever the environment pays. Nothing is subtracted and nothing is clipped.
///
/// The return is that of the rewards of the past, `R ← γ·R·(1 − terminated) + r`. As in Gymnasium it goes on over a
/// truncation, and the reward of a step that terminates begins it anew. Variance and mean are those of all `R` so
/// far, beginning with mean 0 and variance 1 that count as 10⁻⁴ rewards (Chan et al. 1979): the first rewards other
/// than 0 come out large.
///
/// Each copy of an environment has statistics of its own, which are part of its state. Evaluations need none of
/// them: returns are told as the environment pays them.
#[derive(Clone, Debug)]
pub struct NormalizeReward<E> {
    env: E,
    gamma: f64,
    epsilon: f64,
    /// The discounted return R.
    past: f64,
    moments: Moments,
}

/// Mean and variance of the returns so far.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moments {
    /// How many these are; the start counts as 10⁻⁴.
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    const START: Self = Self { count: 1e-4, mean: 0.0, variance: 1.0 };

    /// Takes in one number; the operations stand in Gymnasium's order.
    fn update(&mut self, value: f64) {
        let Self { count, mean, variance } = *self;
        let (delta, total) = (value - mean, count + 1.0);
        self.mean = mean + delta / total;
        self.variance = (variance * count + delta * delta * count / total) / total;
        self.count = total;
    }
}

impl<E: Env> NormalizeReward<E> {
    /// `env` with rewards divided by the deviation of the return with the discount factor `gamma` a step; `epsilon`
    /// is added to the variance. Gymnasium takes 0.99 and 10⁻⁸ where nothing is said.
    ///
    /// # Errors
    /// Where `gamma` is not from 0 to 1, or `epsilon` is no finite number above 0.
    pub fn new(env: E, gamma: f64, epsilon: f64) -> Result<Self, EnvError> {
        check(gamma, epsilon)?;
        Ok(Self { env, gamma, epsilon, past: 0.0, moments: Moments::START })
    }

    access_to_inner!();

    /// The mean of the discounted returns so far.
    pub fn mean(&self) -> f64 {
        self.moments.mean
    }

    /// The variance of the discounted returns so far.
    pub fn variance(&self) -> f64 {
        self.moments.variance
    }
}

pub(super) fn check(gamma: f64, epsilon: f64) -> Result<(), EnvError> {
    if !(0.0..=1.0).contains(&gamma) {
        let message = format!("normalize-reward: gamma is a number from 0 to 1, found {gamma}");
        return Err(EnvError::new(message));
    }
    if !(epsilon.is_finite() && epsilon > 0.0) {
        let message = format!("normalize-reward: epsilon is a finite number above 0, found {epsilon}");
        return Err(EnvError::new(message));
    }
    Ok(())
}

impl<E: Env> Env for NormalizeReward<E> {
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation)?;
        let kept = if step.terminated { 0.0 } else { self.past * self.gamma };
        let past = kept + step.reward;
        let mut moments = self.moments;
        moments.update(past);
        if !moments.variance.is_finite() {
            return Err(EnvError::new(format!(
                "its reward {} makes a return whose variance is no finite number, by which rewards cannot be \
                 normalised",
                step.reward
            )));
        }
        (self.past, self.moments) = (past, moments);
        Ok(Step { reward: step.reward / (moments.variance + self.epsilon).sqrt(), ..step })
    }

    forward_to_inner!(env: spec, begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("normalize-reward");
        let Moments { count, mean, variance } = self.moments;
        for value in [self.past, count, mean, variance] {
            state.f64(value);
        }
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("normalize-reward")?;
        let what = "statistics of rewards";
        let past = state.f64(what)?;
        let moments = Moments { count: state.f64(what)?, mean: state.f64(what)?, variance: state.f64(what)? };
        let Moments { count, mean, variance } = moments;
        let finite = [past, count, mean, variance].iter().all(|value| value.is_finite());
        if !(finite && count > 0.0 && variance >= 0.0) {
            let expected = "finite numbers, the count above 0 and the variance not below";
            return Err(StateError::mismatch(what, expected, format!("{moments:?} and a return of {past}")));
        }
        self.env.load_state(state)?;
        (self.past, self.moments) = (past, moments);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::ElementKind;

    use super::super::testing::{Scripted, assert_resumes, buffer, reset, step, unbounded};
    use super::*;

    fn scripted(rewards: &[f64]) -> Scripted {
        let mut env = Scripted::new(unbounded(1, ElementKind::F32), &[&[0.0]]);
        env.rewards = rewards.to_vec();
        env
    }

    fn normalized(rewards: &[f64], gamma: f64) -> NormalizeReward<Scripted> {
        NormalizeReward::new(scripted(rewards), gamma, 1e-8).unwrap()
    }

    /// Rewards of −1 and 1 in turns, without a future: mean 0, variance 1. Ten times the reward changes nothing.
    #[test]
    fn rewards_come_in_units_of_the_deviation_of_the_return() {
        for size in [1.0, 10.0] {
            let mut env = normalized(&[-size, size], 0.0);
            reset(&mut env, None);
            let rewards: Vec<f64> = (0..1_000).map(|_| step(&mut env, 0).1.reward).collect();
            assert!((rewards[998] + 1.0).abs() < 1e-3 && (rewards[999] - 1.0).abs() < 1e-3, "{rewards:?}");
        }
    }

    #[test]
    fn the_return_begins_anew_where_an_episode_terminates() {
        let mut env = normalized(&[1.0], 0.5);
        env.inner_mut().episode_steps = 3;
        reset(&mut env, None);
        let returns: Vec<f64> = (0..3)
            .map(|_| {
                step(&mut env, 0);
                env.past
            })
            .collect();
        assert_eq!(returns, [1.0, 1.5, 1.0]);
    }

    #[test]
    fn a_reward_without_a_finite_variance_is_refused_and_leaves_the_statistics_alone() {
        for reward in [1e200, f64::INFINITY, f64::NAN] {
            let mut env = normalized(&[1.0, reward], 0.9);
            reset(&mut env, None);
            step(&mut env, 0);
            let before = env.moments;
            let error = env.step(0, buffer(&env).slice_mut(0..1)).unwrap_err().to_string();
            assert!(error.contains("whose variance is no finite number"), "{error}");
            assert_eq!(env.moments, before);
        }
    }

    #[test]
    fn it_resumes_and_refuses_impossible_statistics() {
        let mut env = normalized(&[1.0, 0.0, -5.0], 0.9);
        reset(&mut env, None);
        (0..4).for_each(|_| drop(step(&mut env, 0)));
        assert_resumes(&mut env, normalized(&[1.0, 0.0, -5.0], 0.9), &[0, 1, 2]);
        for wrong in [
            Moments { count: 0.0, ..Moments::START },
            Moments { variance: -1.0, ..Moments::START },
            Moments { mean: f64::NAN, ..Moments::START },
        ] {
            let mut state = StateWriter::new();
            NormalizeReward { moments: wrong, ..env.clone() }.save_state(&mut state);
            let bytes = state.into_bytes();
            assert!(env.load_state(&mut StateReader::new(&bytes)).is_err(), "{wrong:?}");
        }
    }
}
