//! λ-returns of a rollout.

/// What several environments gave in as many steps each; `[time][env]` in each slice.
#[derive(Clone, Copy, Debug)]
pub struct Trajectories<'a> {
    /// The number of environments.
    pub envs: usize,
    /// The reward of each step.
    pub reward: &'a [f32],
    /// Whether the task itself was over with the step.
    pub terminated: &'a [bool],
    /// Whether the episode was cut off with the step.
    pub truncated: &'a [bool],
    /// The greatest value, over the allowed actions, at the observation that the step led to: where the episode
    /// was truncated that is its last one, not the first of the next. Where it terminated nothing is read.
    pub bootstrap: &'a [f32],
}

/// Writes the λ-return of each step to `returns`, `[time][env]` (Peng & Williams 1996; Daley & Amato 2019).
///
/// ```text
/// G_t = r_t + γ·(1 − terminated_t)·[ λ·G_{t+1} + (1 − λ)·v_t ]
/// ```
///
/// with `v_t` the bootstrap value of step `t`, which stands in for `G_{t+1}` too where there is none: where the
/// episode was truncated with the step, and at the last step of the rollout. It is the mixture of the n-step
/// returns up to there with the weights `(1 − λ)·λⁿ⁻¹`, the longest having all the weight that is left.
///
/// Computed in `f64`, each environment by itself, from its last step to its first.
///
/// # Panics
/// If the slices are not equally long, or not a whole number of steps for each environment.
pub fn lambda_returns(trajectories: &Trajectories<'_>, gamma: f64, lambda: f64, returns: &mut [f32]) {
    let &Trajectories { envs, reward, terminated, truncated, bootstrap } = trajectories;
    let count = returns.len();
    let lengths = [reward.len(), terminated.len(), truncated.len(), bootstrap.len()];
    assert_eq!(lengths, [count; 4], "one entry a step in each slice");
    assert!(envs > 0 && count.is_multiple_of(envs), "{count} steps of {envs} environments");
    for env in 0..envs {
        let mut following = None;
        for step in (env..count).step_by(envs).rev() {
            let value = f64::from(bootstrap[step]);
            let future = match following {
                Some(following) if !truncated[step] => lambda * following + (1.0 - lambda) * value,
                _ => value,
            };
            let reward = f64::from(reward[step]);
            let total = if terminated[step] { reward } else { reward + gamma * future };
            returns[step] = total as f32;
            following = Some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RandomStream;

    /// A rollout of random numbers, with ends of both kinds anywhere.
    struct Rollout {
        envs: usize,
        reward: Vec<f32>,
        terminated: Vec<bool>,
        truncated: Vec<bool>,
        bootstrap: Vec<f32>,
    }

    impl Rollout {
        fn random(steps: usize, envs: usize, ends: f64, stream: &mut RandomStream) -> Self {
            let count = steps * envs;
            let mut end = |_| stream.uniform_f64() < ends;
            let (terminated, truncated): (Vec<_>, Vec<_>) =
                ((0..count).map(&mut end).collect(), (0..count).map(&mut end).collect());
            let mut numbers = || (0..count).map(|_| stream.normal_f32()).collect::<Vec<_>>();
            Self { envs, reward: numbers(), bootstrap: numbers(), terminated, truncated }
        }

        fn trajectories(&self) -> Trajectories<'_> {
            let Self { envs, reward, terminated, truncated, bootstrap } = self;
            Trajectories { envs: *envs, reward, terminated, truncated, bootstrap }
        }

        fn returns(&self, gamma: f64, lambda: f64) -> Vec<f32> {
            let mut returns = vec![f32::NAN; self.reward.len()];
            lambda_returns(&self.trajectories(), gamma, lambda, &mut returns);
            returns
        }

        /// The return over the `n` steps that begin with entry `start`.
        fn n_step_return(&self, start: usize, n: usize, gamma: f64) -> f64 {
            let entry = |i: usize| start + i * self.envs;
            let rewards: f64 = (0..n).map(|i| gamma.powi(i as i32) * f64::from(self.reward[entry(i)])).sum();
            let last = entry(n - 1);
            let value = if self.terminated[last] { 0.0 } else { f64::from(self.bootstrap[last]) };
            rewards + gamma.powi(n as i32) * value
        }

        /// The mixture of all n-step returns, in quadratic time.
        fn mixture(&self, start: usize, gamma: f64, lambda: f64) -> f64 {
            let left = (self.reward.len() - start).div_ceil(self.envs);
            let ends = |i: &usize| {
                let entry = start + i * self.envs;
                self.terminated[entry] || self.truncated[entry]
            };
            let longest = (0..left).find(ends).map_or(left, |last| last + 1);
            let shorter = (1..longest)
                .map(|n| (1.0 - lambda) * lambda.powi(n as i32 - 1) * self.n_step_return(start, n, gamma));
            let rest = lambda.powi(longest as i32 - 1) * self.n_step_return(start, longest, gamma);
            shorter.sum::<f64>() + rest
        }
    }

    const SHAPES: [(usize, usize); 5] = [(1, 1), (2, 3), (3, 1), (17, 4), (32, 2)];

    /// Row 5 of the correctness table.
    #[test]
    fn row_5_lambda_returns_are_the_mixture_of_n_step_returns() {
        let mut stream = RandomStream::new(1, "test", 0);
        for (steps, envs) in SHAPES {
            for ends in [0.0, 0.1, 0.5] {
                for (gamma, lambda) in [(0.99, 0.65), (0.9, 0.0), (0.9, 1.0), (1.0, 0.95)] {
                    let rollout = Rollout::random(steps, envs, ends, &mut stream);
                    let returns = rollout.returns(gamma, lambda);
                    for (start, found) in returns.into_iter().enumerate() {
                        let expected = rollout.mixture(start, gamma, lambda);
                        let allowed = 1e-6 * expected.abs().max(1.0);
                        assert!(
                            (f64::from(found) - expected).abs() < allowed,
                            "step {} of {steps}, λ {lambda}: {found}, expected {expected}",
                            start / envs
                        );
                    }
                }
            }
        }
    }

    /// Row 5: purejaxql's scripts for gymnax and MinAtar bootstrap step T−2 from the state after step T−1.
    #[test]
    fn row_5_the_wrong_state_at_the_last_step_but_one_is_noticed() {
        let mut stream = RandomStream::new(2, "test", 0);
        let rollout = Rollout::random(6, 1, 0.0, &mut stream);
        let mut faulty = Rollout { bootstrap: rollout.bootstrap.clone(), ..rollout };
        let right = faulty.returns(0.9, 0.65);
        faulty.bootstrap[4] = faulty.bootstrap[5];
        let wrong = faulty.returns(0.9, 0.65);
        assert_eq!(wrong[5], right[5]);
        // The fault goes back from there, less by γλ with each step.
        for step in 0..5 {
            let difference = f64::from(wrong[step] - right[step]).abs();
            let expected = f64::from(wrong[4] - right[4]).abs() * 0.585f64.powi(4 - step as i32);
            assert!(expected > 1e-3 && (difference - expected).abs() < 1e-5, "{difference} {expected}");
        }
    }

    /// Row 1: what stands behind a terminated step is not read, what stands behind a truncated one is.
    #[test]
    fn row_1_ends_of_both_kinds() {
        let rollout = Rollout {
            envs: 1,
            reward: vec![1.0, 2.0, 4.0],
            terminated: vec![false, true, false],
            truncated: vec![true, true, false],
            bootstrap: vec![10.0, f32::NAN, 20.0],
        };
        assert_eq!(rollout.returns(0.5, 0.5), [1.0 + 5.0, 2.0, 4.0 + 10.0]);
    }
}
