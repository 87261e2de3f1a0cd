//! Deep Q-learning and Double Q-learning.
//!
//! - Mnih et al. 2015, *Human-level control through deep reinforcement learning*
//! - van Hasselt, Guez, Silver 2016, *Deep Reinforcement Learning with Double Q-learning*, arXiv 1509.06461
//!
//! ```text
//! y  = reward + discount · max_a Q(next_observation, a; target)                                 Q-learning
//! y  = reward + discount · Q(next_observation, argmax_a Q(next_observation, a; online); target)     Double
//! δ  = y − Q(observation, action; online)
//! L  = δ²                                   squared
//! L  = ½·δ²  where |δ| ≤ κ,  κ·(|δ| − ½·κ)  elsewhere                                              Huber
//! ```

use serde::{Deserialize, Serialize};

use super::{At, Loss, LossResult, Output, Pass, Transitions, argmax_allowed, greatest_allowed, mask_row};
use crate::network::Parameters;

/// How an error δ becomes a loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ErrorFunction {
    /// `δ²`, as PyTorch's `mse_loss`.
    Squared,
    /// Quadratic up to `kappa`, linear beyond, as PyTorch's `huber_loss` (Huber 1964).
    Huber {
        /// The error κ from which the loss grows linearly.
        kappa: f32,
    },
}

impl ErrorFunction {
    /// The loss of an error and its derivative by the error.
    #[inline]
    pub fn value_and_slope(self, error: f32) -> (f32, f32) {
        match self {
            Self::Squared => (error * error, 2.0 * error),
            Self::Huber { kappa } => {
                // With c = δ cut off at ±κ the loss is c·(δ − ½·c), and c its slope: ½·δ² within, the line
                // beyond. A branch here could not be foreseen by the processor.
                let slope = error.clamp(-kappa, kappa);
                (slope * (error - 0.5 * slope), slope)
            }
        }
    }
}

/// The loss of Q-learning, or of Double Q-learning.
#[derive(Clone, Debug)]
pub struct QLearning {
    error: ErrorFunction,
    double: bool,
    average_over_actions: bool,
    passes: Vec<Pass>,
}

impl QLearning {
    /// Q-learning, or with `double` Double Q-learning.
    pub fn new(error: ErrorFunction, double: bool) -> Self {
        let mut passes = vec![
            Pass::new(Parameters::Online, At::Observation),
            Pass::new(Parameters::Target, At::NextObservation),
        ];
        if double {
            passes.push(Pass::new(Parameters::Online, At::NextObservation));
        }
        Self { error, double, average_over_actions: false, passes }
    }

    /// The loss that results where targets are handed to a regression on all actions, those that were not
    /// taken being given the network's own earlier prediction as target: a mean over the actions.
    ///
    /// The earlier prediction is a pass of its own, made once for a sampled batch. Where the batch is learned
    /// from in several minibatches, the network has moved on by the second, and actions that were not taken
    /// are pulled back to where they were. This is what Keras' `fit` does with the common tutorials' targets;
    /// it is here to reproduce them, not to be used.
    pub fn averaged_over_actions(mut self) -> Self {
        self.average_over_actions = true;
        self.passes.push(Pass::new(Parameters::Online, At::Observation));
        self
    }

    /// `max_a Q(next, a; target)`, or the value of the online network's choice.
    #[inline]
    fn bootstrap_value(&self, outputs: &[Output<'_>], b: usize, mask: &[bool]) -> f32 {
        let q_target = outputs[1].row(b);
        match self.double {
            true => q_target[argmax_allowed(outputs[2].row(b), mask)],
            false => greatest_allowed(q_target, mask),
        }
    }
}

impl Loss for QLearning {
    fn passes(&self) -> &[Pass] {
        &self.passes
    }

    fn evaluate(
        &mut self,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        result: &mut LossResult<'_>,
    ) {
        let actions = outputs[0].actions;
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            let a = transitions.action[b] as usize;
            let q = outputs[0].row(b);
            let mask = mask_row(transitions.next_mask, b, actions);
            let y = transitions.reward[b] + transitions.discount[b] * self.bootstrap_value(outputs, b, mask);
            let delta = y - q[a];
            let (loss, slope) = self.error.value_and_slope(delta);
            let d_q = &mut result.d_output[b * actions..(b + 1) * actions];
            d_q[a] = -slope;
            result.loss[b] = loss;
            result.td_error[b] = delta;
            if self.average_over_actions {
                let earlier = outputs[self.passes.len() - 1].row(b);
                result.loss[b] = self.average(a, q, earlier, loss, d_q);
            }
        }
    }
}

impl QLearning {
    /// Adds the pull of the actions not taken to `d_q` and gives the mean loss over all actions.
    fn average(&self, taken: usize, q: &[f32], earlier: &[f32], taken_loss: f32, d_q: &mut [f32]) -> f32 {
        let share = 1.0 / q.len() as f32;
        let mut sum = taken_loss;
        for other in (0..q.len()).filter(|other| *other != taken) {
            let (loss, slope) = self.error.value_and_slope(earlier[other] - q[other]);
            sum += loss;
            d_q[other] = -slope;
        }
        d_q.iter_mut().for_each(|d| *d *= share);
        sum * share
    }
}
