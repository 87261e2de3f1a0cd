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

/// At which fractions τ a pass gives its values. Only networks with a cosine embedding take any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fractions {
    /// The network takes none.
    None,
    /// For each transition `drawn` fractions, uniform and fresh, and behind them the midpoints `(i + ½)/midpoints`.
    Drawn {
        /// How many are drawn.
        drawn: usize,
        /// How many midpoints follow.
        midpoints: usize,
    },
    /// The midpoints of the fractions that are proposed for the observation of the pass (Yang et al. 2019).
    ProposedMidpoints,
    /// The proposed fractions themselves, 0 and 1 left out.
    Proposed,
}

impl Fractions {
    /// How many values of each action a pass at them gives, where the network gives `atoms` without fractions, or
    /// where so many are proposed.
    pub fn atoms(self, atoms: usize) -> usize {
        match self {
            Self::None | Self::ProposedMidpoints => atoms,
            Self::Drawn { drawn, midpoints } => drawn + midpoints,
            Self::Proposed => atoms - 1,
        }
    }
}

/// One forward pass that a loss asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// With which parameters.
    pub parameters: Parameters,
    /// At which observation.
    pub at: At,
    /// At which fractions.
    pub fractions: Fractions,
}

impl Pass {
    /// A pass of a network that takes no fractions.
    pub const fn new(parameters: Parameters, at: At) -> Self {
        Self { parameters, at, fractions: Fractions::None }
    }
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
    /// `[batch][action]`: which actions were allowed at the observation; empty where all are, always.
    pub mask: &'a [bool],
    /// `[batch][action]`: which actions are allowed at the next observation; empty where all are, always.
    pub next_mask: &'a [bool],
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

/// The values one forward pass gave, `[batch][action][atom]`. Where the pass was at fractions, atom `i` is the
/// quantile at fraction `i`.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// All values, row-major.
    pub values: &'a [f32],
    /// Actions of each row.
    pub actions: usize,
    /// Values of each action.
    pub atoms: usize,
    /// `[batch][atom]`: the fractions of a pass at fractions, else empty.
    pub fractions: &'a [f32],
}

impl Output<'_> {
    /// The row of transition `b`, `[action][atom]`.
    pub fn row(&self, b: usize) -> &[f32] {
        let width = self.actions * self.atoms;
        &self.values[b * width..(b + 1) * width]
    }

    /// The atoms of one action of transition `b`.
    pub fn atoms_of(&self, b: usize, action: usize) -> &[f32] {
        let first = (b * self.actions + action) * self.atoms;
        &self.values[first..first + self.atoms]
    }

    /// The fractions of transition `b`.
    pub fn fractions_of(&self, b: usize) -> &[f32] {
        &self.fractions[b * self.atoms..(b + 1) * self.atoms]
    }
}

/// Where a loss writes to. Every entry must be written.
#[derive(Debug)]
pub struct LossResult<'a> {
    /// `[batch]`: the loss of each transition.
    pub loss: &'a mut [f32],
    /// `[batch]`: what priorities are made from: target − prediction of each transition, or where a distribution is
    /// learned how far it is from its target.
    pub td_error: &'a mut [f32],
    /// `[batch][action][atom]`: the gradient of each transition's own loss by the outputs of its row.
    pub d_output: &'a mut [f32],
    /// `[batch][fraction]`: the gradient of each transition's fraction loss by its proposed fractions, 0 and 1 left
    /// out; empty for losses that are not asked for any.
    pub d_fractions: &'a mut [f32],
}

/// A loss of the value-based family.
///
/// It knows no device, no optimiser and no importance weight. It gives the loss of each transition by itself;
/// the learner takes the weighted mean, so that no loss can forget the weights.
pub trait Loss: Send {
    /// The forward passes it needs. The first is the one that is trained, at the observation, online.
    fn passes(&self) -> &[Pass];

    /// Computes losses, TD errors and gradients from the outputs of [`passes`](Self::passes), in their order.
    fn evaluate(&mut self, transitions: Transitions<'_>, outputs: &[Output<'_>], result: &mut LossResult<'_>);
}

/// The greatest value; NaN only where there is nothing else. Without the branches of [`argmax`], which a
/// processor cannot foresee.
#[inline]
pub(crate) fn greatest(values: &[f32]) -> f32 {
    values.iter().copied().reduce(f32::max).unwrap_or(f32::NAN)
}

/// The part of a mask that is one row's; empty where there is no mask.
#[inline]
pub fn mask_row(mask: &[bool], row: usize, actions: usize) -> &[bool] {
    if mask.is_empty() { mask } else { &mask[row * actions..(row + 1) * actions] }
}

/// True where a mask allows an action; an empty mask allows all.
#[inline]
pub fn allows(mask: &[bool], action: usize) -> bool {
    mask.is_empty() || mask[action]
}

/// The greatest value of those that a mask allows.
#[inline]
pub fn greatest_allowed(values: &[f32], mask: &[bool]) -> f32 {
    match mask {
        [] => greatest(values),
        mask => {
            let allowed = values.iter().zip(mask).filter(|(_, allowed)| **allowed);
            allowed.map(|(value, _)| *value).reduce(f32::max).unwrap_or(f32::NAN)
        }
    }
}

/// As [`argmax`], of those that a mask allows. There is at least one of them.
#[inline]
pub fn argmax_allowed(values: &[f32], mask: &[bool]) -> usize {
    if mask.is_empty() {
        return argmax(values);
    }
    let mut best = mask.iter().position(|allowed| *allowed).unwrap_or(0);
    for (index, value) in values.iter().enumerate().skip(best + 1).filter(|(index, _)| mask[*index]) {
        if *value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
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
