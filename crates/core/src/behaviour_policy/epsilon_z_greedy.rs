//! ε-greedy whose explorations last.

use super::{
    ActionValues, BehaviourPolicy, ExplorationRates, GREEDY, any_allowed, load_streams, save_streams,
    streams, take_greedy,
};
use crate::loss::{allows, mask_row};
use crate::math::pow;
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// The greatest number of steps that an exploration may be allowed to last.
pub const MOST_REPEATS: u32 = 1_000_000;

/// εz-greedy (Dabney, Ostrovski, Barreto 2021, *Temporally-Extended ε-Greedy Exploration*, arXiv 2006.01782): with
/// probability ε an action drawn uniformly and a number of steps `n` drawn from the zeta distribution, `P(n) ∝ n^−μ`;
/// the action is then taken in `n` steps, this one included, whatever the values. Else the greedy action.
///
/// The distribution ends at `longest`, and its probabilities are those of the zeta distribution divided by their sum.
/// An exploration ends with its episode. Where its action becomes masked, another one is drawn for the steps that are
/// left. Every environment draws for itself, from a stream of its own.
#[derive(Clone, Debug)]
pub struct EpsilonZGreedy {
    action_count: usize,
    streams: Vec<RandomStream>,
    /// `Σ_{k ≤ n} k^−μ` for `n` from 1 on.
    sums: Vec<f64>,
    explorations: Vec<Exploration>,
}

/// What an environment repeats.
#[derive(Clone, Copy, Debug, Default)]
struct Exploration {
    action: u32,
    steps_left: u32,
}

impl EpsilonZGreedy {
    /// For `envs` environments with `action_count` actions each, drawing from the run's seed. The paper has `mu` 2 and
    /// `longest` 10,000.
    ///
    /// # Panics
    /// If `mu` is no finite number, or `longest` is not 1 to [`MOST_REPEATS`].
    pub fn new(seed: u64, envs: usize, action_count: usize, mu: f64, longest: u32) -> Self {
        assert!(mu.is_finite() && (1..=MOST_REPEATS).contains(&longest), "mu {mu}, longest {longest}");
        let mut sum = 0.0;
        let sums = (1..=longest).map(|steps| {
            sum += pow(steps.into(), -mu);
            sum
        });
        let sums = sums.collect();
        let explorations = vec![Exploration::default(); envs];
        Self { action_count, streams: streams(seed, envs), sums, explorations }
    }

    /// The action of an environment that may explore, where it does.
    fn explore(&mut self, env: usize, epsilon: f64, mask: &[bool]) -> Option<u32> {
        let (exploration, stream) = (&mut self.explorations[env], &mut self.streams[env]);
        if exploration.steps_left == 0 {
            if stream.uniform_f64() >= epsilon {
                return None;
            }
            let drawn = stream.uniform_f64() * self.sums[self.sums.len() - 1];
            // Rounding may have made it the sum itself, which no number of steps is below.
            let shorter = self.sums.partition_point(|sum| *sum <= drawn).min(self.sums.len() - 1);
            exploration.steps_left = shorter as u32 + 1;
            exploration.action = any_allowed(stream, self.action_count, mask);
        } else if !allows(mask, exploration.action as usize) {
            exploration.action = any_allowed(stream, self.action_count, mask);
        }
        exploration.steps_left -= 1;
        Some(exploration.action)
    }
}

impl BehaviourPolicy for EpsilonZGreedy {
    fn select(
        &mut self,
        rates: ExplorationRates,
        values: &mut dyn ActionValues,
        masks: &[bool],
        actions: &mut [u32],
    ) {
        for (env, action) in actions.iter_mut().enumerate() {
            let mask = mask_row(masks, env, self.action_count);
            *action = self.explore(env, rates.epsilon, mask).unwrap_or(GREEDY);
        }
        take_greedy(values, self.action_count, masks, actions);
    }

    fn begin_episode(&mut self, env: usize) {
        self.explorations[env].steps_left = 0;
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("epsilon-z-greedy");
        save_streams(&self.streams, state);
        for exploration in &self.explorations {
            state.u32(exploration.action);
            state.u32(exploration.steps_left);
        }
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("epsilon-z-greedy")?;
        load_streams(&mut self.streams, state)?;
        let (actions, longest) = (self.action_count, self.sums.len());
        for exploration in &mut self.explorations {
            let (action, steps_left) = (state.u32("repeated action")?, state.u32("steps it is repeated")?);
            if action as usize >= actions {
                return Err(StateError::mismatch("repeated action", format!("below {actions}"), action));
            }
            if steps_left as usize >= longest {
                return Err(StateError::mismatch(
                    "steps it is repeated",
                    format!("below {longest}"),
                    steps_left,
                ));
            }
            *exploration = Exploration { action, steps_left };
        }
        Ok(())
    }
}
