//! ε-greedy.

use super::{
    ActionValues, BehaviourPolicy, EpsilonLadder, ExplorationRates, GREEDY, any_allowed, load_streams,
    save_streams, streams, take_greedy,
};
use crate::loss::mask_row;
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// ε-greedy: with probability ε an action drawn uniformly, else the one with the greatest value.
///
/// Every environment draws for itself, from a stream of its own. Where all explore, no value is computed.
#[derive(Clone, Debug)]
pub struct EpsilonGreedy {
    action_count: usize,
    streams: Vec<RandomStream>,
    ladder: EpsilonLadder,
}

impl EpsilonGreedy {
    /// For `envs` environments with `action_count` actions each, drawing from the run's seed.
    pub fn new(seed: u64, envs: usize, action_count: usize) -> Self {
        Self { action_count, streams: streams(seed, envs), ladder: EpsilonLadder::flat(envs) }
    }

    /// With another ε in each environment: see [`EpsilonLadder`].
    pub fn with_ladder(mut self, alpha: f64) -> Self {
        self.ladder = EpsilonLadder::new(self.streams.len(), alpha);
        self
    }
}

impl BehaviourPolicy for EpsilonGreedy {
    fn select(
        &mut self,
        rates: ExplorationRates,
        values: &mut dyn ActionValues,
        masks: &[bool],
        actions: &mut [u32],
    ) {
        let explorers = self.streams.iter_mut().zip(self.ladder.at(rates.epsilon));
        for (env, (action, (stream, epsilon))) in actions.iter_mut().zip(explorers).enumerate() {
            *action = match stream.uniform_f64() < *epsilon {
                true => any_allowed(stream, self.action_count, mask_row(masks, env, self.action_count)),
                false => GREEDY,
            };
        }
        take_greedy(values, self.action_count, masks, actions);
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("epsilon-greedy");
        save_streams(&self.streams, state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("epsilon-greedy")?;
        load_streams(&mut self.streams, state)
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
        EpsilonGreedy::new(1, 2, 3).select(ExplorationRates::epsilon(0.0), &mut values, &[], &mut actions);
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
            policy.select(ExplorationRates::epsilon(0.5), &mut values, &[], &mut actions);
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
                policy.select(ExplorationRates::epsilon(1.0), &mut Fixed(vec![], 0), &[], &mut actions);
                all.extend(actions);
            }
            all
        };
        assert_ne!(choices(&mut EpsilonGreedy::new(1, 2, 2)), choices(&mut other));
    }

    #[test]
    fn where_all_explore_no_value_is_computed() {
        let mut values = Fixed(vec![], 0);
        EpsilonGreedy::new(1, 4, 2).select(ExplorationRates::epsilon(1.0), &mut values, &[], &mut [0; 4]);
        assert_eq!(values.1, 0);
    }
}
