//! Softmax exploration.

use super::{
    ActionValues, BehaviourPolicy, ExplorationRates, GREEDY, any_allowed, load_streams, save_streams, streams,
};
use crate::loss::{allows, argmax_allowed, mask_row};
use crate::math::exp;
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// Softmax or Boltzmann exploration: an action with probability `π(a) ∝ exp(q(a) / temperature)` (Sutton & Barto 2018,
/// section 2.8). At a temperature of 0 it is the greedy one. With probability ε, which may be 0, the action is drawn
/// uniformly instead.
///
/// Every environment draws for itself, from a stream of its own.
#[derive(Clone, Debug)]
pub struct Softmax {
    action_count: usize,
    streams: Vec<RandomStream>,
    probabilities: Vec<f32>,
}

impl Softmax {
    /// For `envs` environments with `action_count` actions each, drawing from the run's seed.
    pub fn new(seed: u64, envs: usize, action_count: usize) -> Self {
        Self { action_count, streams: streams(seed, envs), probabilities: vec![0.0; action_count] }
    }
}

/// An action drawn by its value; `place`, of 0 to below 1, is where in the sum of all probabilities.
fn draw(q: &[f32], mask: &[bool], temperature: f32, place: f64, probabilities: &mut [f32]) -> u32 {
    let best = argmax_allowed(q, mask);
    let greatest = q[best];
    if !greatest.is_finite() || temperature.is_nan() || temperature <= 0.0 {
        return best as u32;
    }
    // The greatest is taken off first, so that nothing overflows; its own term is 1, so that the sum is at least 1.
    let mut sum = 0.0;
    for (action, (probability, value)) in probabilities.iter_mut().zip(q).enumerate() {
        // What is no number is as little worth as −∞.
        let counts = allows(mask, action) && !value.is_nan();
        *probability = if counts { exp((value - greatest) / temperature) } else { 0.0 };
        sum += f64::from(*probability);
    }
    let mut left = place * sum;
    for (action, probability) in
        probabilities.iter().enumerate().filter(|(_, probability)| **probability > 0.0)
    {
        left -= f64::from(*probability);
        if left < 0.0 {
            return action as u32;
        }
    }
    // Rounding has moved the place to the end.
    best as u32
}

impl BehaviourPolicy for Softmax {
    fn select(
        &mut self,
        rates: ExplorationRates,
        values: &mut dyn ActionValues,
        masks: &[bool],
        actions: &mut [u32],
    ) {
        let count = self.action_count;
        for (env, (action, stream)) in actions.iter_mut().zip(&mut self.streams).enumerate() {
            *action = match stream.uniform_f64() < rates.epsilon {
                true => any_allowed(stream, count, mask_row(masks, env, count)),
                false => GREEDY,
            };
        }
        if !actions.contains(&GREEDY) {
            return;
        }
        let rows = values.q().chunks_exact(count).zip(&mut self.streams);
        for (env, (action, (q, stream))) in actions.iter_mut().zip(rows).enumerate() {
            if *action == GREEDY {
                let (mask, temperature) = (mask_row(masks, env, count), rates.temperature as f32);
                *action = draw(q, mask, temperature, stream.uniform_f64(), &mut self.probabilities);
            }
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("softmax");
        save_streams(&self.streams, state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("softmax")?;
        load_streams(&mut self.streams, state)
    }
}
