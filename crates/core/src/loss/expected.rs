//! The expected return: what deep Q-learning and its kin learn.
//!
//! - Mnih et al. 2015, *Human-level control through deep reinforcement learning*
//!
//! ```text
//! y  = the target: see TargetRule
//! δ  = y − Q(observation, action; online)
//! L  = δ²                                   squared
//! L  = ½·δ²  where |δ| ≤ κ,  κ·(|δ| − ½·κ)  elsewhere                                              Huber
//! ```

use serde::{Deserialize, Serialize};

use super::bootstrap::Bootstrap;
use super::{
    At, Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions, argmax_allowed,
    greatest_allowed, mask_row,
};
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

/// The loss of the expected return.
#[derive(Clone, Debug)]
pub struct ExpectedLoss {
    rule: TargetRule,
    error: ErrorFunction,
    average_over_actions: bool,
    bootstrap: Bootstrap,
}

impl ExpectedLoss {
    /// The loss whose targets follow `rule`.
    pub fn new(rule: TargetRule, error: ErrorFunction) -> Self {
        let bootstrap = Bootstrap::new(rule, Fractions::None, |_| Fractions::None);
        Self { rule, error, average_over_actions: false, bootstrap }
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
        self.bootstrap.push_pass(Pass::new(Parameters::Online, At::Observation));
        self
    }

    /// The target of transition `b`.
    #[inline]
    fn target(&mut self, b: usize, transitions: Transitions<'_>, outputs: &[Output<'_>]) -> f32 {
        let (reward, discount) = (transitions.reward[b], transitions.discount[b]);
        let next_mask = mask_row(transitions.next_mask, b, outputs[1].actions);
        match self.rule {
            // The two that most runs spend their time with need no list of parts.
            TargetRule::Q_LEARNING => reward + discount * greatest_allowed(outputs[1].row(b), next_mask),
            TargetRule::DOUBLE => {
                reward + discount * outputs[1].row(b)[argmax_allowed(outputs[2].row(b), next_mask)]
            }
            _ => {
                let (bonus, parts) = self.bootstrap.at(b, transitions, outputs, |_, atoms| atoms[0]);
                let value = |part: &super::bootstrap::Part| {
                    part.weight * (outputs[part.pass].row(b)[part.action] + part.offset)
                };
                reward + bonus + discount * parts.iter().map(value).sum::<f32>()
            }
        }
    }
}

impl Loss for ExpectedLoss {
    fn passes(&self) -> &[Pass] {
        self.bootstrap.passes()
    }

    fn readout(&self) -> &Readout {
        &Readout::Expected
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
            let y = self.target(b, transitions, outputs);
            let delta = y - q[a];
            let (loss, slope) = self.error.value_and_slope(delta);
            let d_q = &mut result.d_output[b * actions..(b + 1) * actions];
            d_q[a] = -slope;
            result.loss[b] = loss;
            result.td_error[b] = delta;
            if self.average_over_actions {
                let earlier = outputs[outputs.len() - 1].row(b);
                result.loss[b] = self.average(a, q, earlier, loss, d_q);
            }
        }
    }
}

impl ExpectedLoss {
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
