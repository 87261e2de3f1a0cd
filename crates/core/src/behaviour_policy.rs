//! Which action is taken while learning.

use crate::loss::argmax;
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// Values of the actions, computed when they are first asked for.
pub trait ActionValues {
    /// `[env][action]`.
    fn q(&mut self) -> &[f32];
}

/// Chooses the actions to learn from.
pub trait BehaviourPolicy: Send {
    /// Writes an action for every environment. `epsilon` is the present probability of exploring.
    fn select(&mut self, epsilon: f64, values: &mut dyn ActionValues, actions: &mut [u32]);

    /// Writes all that later choices depend on.
    fn save_state(&self, state: &mut StateWriter);

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not such a state.
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}

/// ε-greedy: with probability ε an action drawn uniformly, else the one with the greatest value.
///
/// Every environment draws for itself, from a stream of its own. Where all explore, no value is computed.
#[derive(Clone, Debug)]
pub struct EpsilonGreedy {
    action_count: usize,
    streams: Vec<RandomStream>,
}

/// Marks an environment that does not explore until its greedy action is known.
const GREEDY: u32 = u32::MAX;

impl EpsilonGreedy {
    /// For `envs` environments with `action_count` actions each, drawing from the run's seed.
    pub fn new(seed: u64, envs: usize, action_count: usize) -> Self {
        let streams = (0..envs as u64).map(|env| RandomStream::new(seed, "behaviour-policy", env)).collect();
        Self { action_count, streams }
    }
}

impl BehaviourPolicy for EpsilonGreedy {
    fn select(&mut self, epsilon: f64, values: &mut dyn ActionValues, actions: &mut [u32]) {
        let mut any_greedy = false;
        for (action, stream) in actions.iter_mut().zip(&mut self.streams) {
            let explores = stream.uniform_f64() < epsilon;
            *action = if explores { stream.below(self.action_count) as u32 } else { GREEDY };
            any_greedy |= !explores;
        }
        if any_greedy {
            let rows = values.q().chunks_exact(self.action_count);
            for (action, q) in actions.iter_mut().zip(rows).filter(|(action, _)| **action == GREEDY) {
                *action = argmax(q) as u32;
            }
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("epsilon-greedy");
        state.u64(self.streams.len() as u64);
        self.streams.iter().for_each(|stream| stream.save_state(state));
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("epsilon-greedy")?;
        state.expect_u64("number of environments", self.streams.len() as u64)?;
        self.streams.iter_mut().try_for_each(|stream| stream.load_state(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<f32>, usize);
    impl ActionValues for Fixed {
        fn q(&mut self) -> &[f32] {
            self.1 += 1;
            &self.0
        }
    }

    #[test]
    fn greedy_takes_the_best_action_of_each_row() {
        let mut values = Fixed(vec![1.0, 3.0, 2.0, 5.0, 5.0, 4.0], 0);
        let mut actions = [9, 9];
        EpsilonGreedy::new(1, 2, 3).select(0.0, &mut values, &mut actions);
        assert_eq!(actions, [1, 0], "the first of equals");
    }

    /// Row 13 of the correctness table: every environment draws for itself, from the run's seed.
    #[test]
    fn environments_explore_independently() {
        let mut policy = EpsilonGreedy::new(1, 2, 2);
        let mut values = Fixed(vec![1.0, 0.0, 1.0, 0.0], 0);
        let mut seen = [[0u32; 2]; 2];
        let mut actions = [0, 0];
        for _ in 0..10_000 {
            policy.select(0.5, &mut values, &mut actions);
            seen[actions[0] as usize][actions[1] as usize] += 1;
        }
        let expected = [[5625.0, 1875.0], [1875.0, 625.0]];
        let chi_squared: f64 = (0..4)
            .map(|i| {
                (f64::from(seen[i / 2][i % 2]) - expected[i / 2][i % 2]).powi(2) / expected[i / 2][i % 2]
            })
            .sum();
        assert!(chi_squared < 16.3, "p < 0.001 for 3 degrees of freedom: {seen:?}");
        let mut other = EpsilonGreedy::new(2, 2, 2);
        let choices = |policy: &mut EpsilonGreedy| {
            let mut actions = [0, 0];
            let mut all = vec![];
            for _ in 0..64 {
                policy.select(1.0, &mut Fixed(vec![], 0), &mut actions);
                all.extend(actions);
            }
            all
        };
        assert_ne!(choices(&mut EpsilonGreedy::new(1, 2, 2)), choices(&mut other));
    }

    #[test]
    fn where_all_explore_no_value_is_computed() {
        let mut values = Fixed(vec![], 0);
        EpsilonGreedy::new(1, 4, 2).select(1.0, &mut values, &mut [0; 4]);
        assert_eq!(values.1, 0);
    }
}
