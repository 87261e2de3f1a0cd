//! Losses: pure functions over plain slices, written once for every network engine.
//!
//! A loss is a **head**, what is learned of the return (its mean, a histogram, quantiles), on a **target rule**, which
//! says what follows the reward. Every head goes with every rule:
//!
//! | head | rule |
//! |---|---|
//! | [`ExpectedLoss`], [`CategoricalLoss`], [`HlGaussLoss`], [`QuantileLoss`], [`ImplicitQuantileLoss`], [`ProposedQuantileLoss`] | [`TargetRule`]: Q-learning, Double, the minimum of both networks, Munchausen |

mod bootstrap;
mod categorical;
mod config;
mod expected;
mod hl_gauss;
mod implicit_quantile;
mod mask;
mod proposed_quantile;
mod quantile;
mod readout;
mod target_rule;

pub use categorical::CategoricalLoss;
pub use config::{Head, LossConfig};
pub use expected::{ErrorFunction, ExpectedLoss};
pub use hl_gauss::HlGaussLoss;
pub use implicit_quantile::{ImplicitQuantileLoss, ImplicitQuantiles};
pub(crate) use mask::greatest;
pub use mask::{allows, argmax, argmax_allowed, greatest_allowed, mask_row};
pub use proposed_quantile::ProposedQuantileLoss;
pub use quantile::QuantileLoss;
pub use readout::{ActionValueReader, Readout};
pub use target_rule::TargetRule;

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

    /// How the atoms of an action become its value.
    fn readout(&self) -> &Readout;

    /// Computes losses, TD errors and gradients from the outputs of [`passes`](Self::passes), in their order.
    fn evaluate(&mut self, transitions: Transitions<'_>, outputs: &[Output<'_>], result: &mut LossResult<'_>);
}

/// The midpoints of `count` equal parts of 0 to 1.
pub fn midpoints(count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| (i as f32 + 0.5) / count as f32)
}
