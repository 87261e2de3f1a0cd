//! Losses: pure functions over plain slices, written once for every network engine.

mod q_learning;

pub use q_learning::{ErrorFunction, QLearning};

use crate::network::Parameters;

/// At which observation of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The one the action was taken at.
    Observation,
    /// The one that is bootstrapped from.
    NextObservation,
}

/// One forward pass that a loss asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// With which parameters.
    pub parameters: Parameters,
    /// At which observation.
    pub at: At,
}

/// What a loss sees of a batch: one entry a transition in each slice.
#[derive(Clone, Copy, Debug)]
pub struct Transitions<'a> {
    /// The actions taken.
    pub action: &'a [u32],
    /// The n-step returns, discounted.
    pub reward: &'a [f32],
    /// `γ^m · (1 − terminated)` for the m steps that were really taken: what the bootstrapped value is
    /// multiplied by. A truncated transition bootstraps, a terminated one does not.
    pub discount: &'a [f32],
}

impl Transitions<'_> {
    /// The number of transitions.
    pub fn len(&self) -> usize {
        self.action.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.action.is_empty()
    }
}

/// The values one forward pass gave, `[batch][action][atom]`.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// All values, row-major.
    pub values: &'a [f32],
    /// Actions of each row.
    pub actions: usize,
    /// Values of each action.
    pub atoms: usize,
}

impl Output<'_> {
    /// The values of the actions of transition `b` where there is one atom an action.
    pub fn q(&self, b: usize) -> &[f32] {
        let width = self.actions * self.atoms;
        &self.values[b * width..(b + 1) * width]
    }
}

/// Where a loss writes to. Every entry must be written.
#[derive(Debug)]
pub struct LossResult<'a> {
    /// `[batch]`: the loss of each transition.
    pub loss: &'a mut [f32],
    /// `[batch]`: target − prediction of each transition, which priorities are made from.
    pub td_error: &'a mut [f32],
    /// `[batch][action][atom]`: the gradient of each transition's own loss by the outputs of its row.
    pub d_output: &'a mut [f32],
}

/// A loss of the value-based family.
///
/// It knows no device, no optimiser and no importance weight. It gives the loss of each transition by itself;
/// the learner takes the weighted mean, so that no loss can forget the weights.
pub trait Loss: Send {
    /// The forward passes it needs. The first is the one that is trained, at the observation, online.
    fn passes(&self) -> &[Pass];

    /// Computes losses, TD errors and gradients from the outputs of [`passes`](Self::passes), in their order.
    fn evaluate(&self, transitions: Transitions<'_>, outputs: &[Output<'_>], result: &mut LossResult<'_>);
}

/// The greatest value; NaN only where there is nothing else. Without the branches of [`argmax`], which a
/// processor cannot foresee.
#[inline]
pub(crate) fn greatest(values: &[f32]) -> f32 {
    values.iter().copied().reduce(f32::max).unwrap_or(f32::NAN)
}

/// The index of the greatest value, the first of them where there are several; a NaN is never chosen before a
/// number.
#[inline]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate().skip(1) {
        if *value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}
