//! A loss as data: a head and a target rule.

use serde::{Deserialize, Serialize};

use super::hl_gauss::centres;
use super::{
    CategoricalLoss, ErrorFunction, ExpectedLoss, HlGaussLoss, ImplicitQuantileLoss, ImplicitQuantiles, Loss,
    ProposedQuantileLoss, QuantileLoss, Readout, TargetRule,
};

/// A loss: what is learned of the return, and of which target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// What follows the reward.
    #[serde(default)]
    pub target: TargetRule,
    /// What is learned of the return.
    pub head: Head,
}

/// What a network learns of the return of an action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Head {
    /// Its mean.
    Expected {
        /// How an error becomes a loss.
        error: ErrorFunction,
        /// Whether the loss is averaged over all actions, with the earlier prediction as the target of those
        /// not taken. Only there to reproduce tutorials that do it.
        #[serde(default)]
        average_over_actions: bool,
    },
    /// Probabilities of fixed returns: C51 (Bellemare et al. 2017).
    Categorical {
        /// How many returns.
        #[serde(default = "fifty_one")]
        atoms: usize,
        /// The least of them.
        v_min: f32,
        /// The greatest of them.
        v_max: f32,
    },
    /// Its mean, as the mean of a histogram (Farebrother et al. 2024).
    HlGauss {
        /// How many bins.
        #[serde(default = "fifty_one")]
        bins: usize,
        /// Where the first begins.
        v_min: f32,
        /// Where the last ends.
        v_max: f32,
        /// How many bins wide the normal distribution around a target is.
        #[serde(default = "three_quarters")]
        sigma_ratio: f32,
    },
    /// Its quantiles at fixed fractions: QR-DQN (Dabney, Rowland et al. 2018).
    Quantile {
        /// How many.
        #[serde(default = "two_hundred")]
        quantiles: usize,
        /// Up to which error the loss is quadratic; 0 for none.
        #[serde(default = "one")]
        kappa: f32,
    },
    /// Its quantiles at any fraction: IQN (Dabney, Ostrovski et al. 2018). The network has a cosine embedding.
    ImplicitQuantile {
        /// Fractions that a gradient step draws for each transition.
        #[serde(default = "sixty_four")]
        fractions: usize,
        /// Fractions that its target draws.
        #[serde(default = "sixty_four")]
        target_fractions: usize,
        /// Fractions whose mean is an action's value, at even distances.
        #[serde(default = "thirty_two")]
        acting_fractions: usize,
        /// Up to which error the loss is quadratic; 0 for none.
        #[serde(default = "one")]
        kappa: f32,
    },
    /// Its quantiles at fractions that are learned: FQF (Yang et al. 2019). The network has a cosine embedding.
    ProposedQuantile {
        /// How many fractions are proposed for each observation.
        #[serde(default = "thirty_two")]
        fractions: usize,
        /// Fractions whose mean is an action's value when acting, at even distances.
        #[serde(default = "thirty_two")]
        acting_fractions: usize,
        /// Up to which error the loss is quadratic; 0 for none.
        #[serde(default = "one")]
        kappa: f32,
        /// How much the entropy of the proposals counts, which keeps them apart.
        #[serde(default)]
        entropy: f32,
        /// The learning rate of the proposals.
        #[serde(default = "proposal_rate")]
        fraction_learning_rate: f32,
    },
}

fn fifty_one() -> usize {
    51
}
fn two_hundred() -> usize {
    200
}
fn sixty_four() -> usize {
    64
}
fn thirty_two() -> usize {
    32
}
fn one() -> f32 {
    1.0
}
fn three_quarters() -> f32 {
    0.75
}
fn proposal_rate() -> f32 {
    2.5e-9
}

impl LossConfig {
    /// The loss itself.
    ///
    /// # Panics
    /// Where a number is out of range, as the losses say.
    pub fn make(&self) -> Box<dyn Loss> {
        let rule = self.target;
        match self.head {
            Head::Expected { error, average_over_actions: false } => Box::new(ExpectedLoss::new(rule, error)),
            Head::Expected { error, .. } => Box::new(ExpectedLoss::new(rule, error).averaged_over_actions()),
            Head::Categorical { atoms, v_min, v_max } => {
                Box::new(CategoricalLoss::new(rule, v_min, v_max, atoms))
            }
            Head::HlGauss { bins, v_min, v_max, sigma_ratio } => {
                Box::new(HlGaussLoss::new(rule, v_min, v_max, bins, sigma_ratio))
            }
            Head::Quantile { quantiles, kappa } => Box::new(QuantileLoss::new(rule, quantiles, kappa)),
            Head::ImplicitQuantile { fractions, target_fractions, acting_fractions, kappa } => {
                let counts = ImplicitQuantiles {
                    online: fractions,
                    target: target_fractions,
                    midpoints: acting_fractions,
                };
                Box::new(ImplicitQuantileLoss::new(rule, counts, kappa))
            }
            Head::ProposedQuantile { kappa, .. } => Box::new(ProposedQuantileLoss::new(rule, kappa)),
        }
    }
}

impl Head {
    /// Values that the network gives for each action, or for each action and fraction.
    pub fn atoms(&self) -> usize {
        match *self {
            Self::Categorical { atoms, .. } => atoms,
            Self::HlGauss { bins, .. } => bins,
            Self::Quantile { quantiles, .. } => quantiles,
            Self::Expected { .. } | Self::ImplicitQuantile { .. } | Self::ProposedQuantile { .. } => 1,
        }
    }

    /// Whether its network takes fractions, by a cosine embedding.
    pub fn takes_fractions(&self) -> bool {
        self.acting_fractions() > 0
    }

    /// How many fractions an observation is valued at when acting; 0 where the network takes none.
    pub fn acting_fractions(&self) -> usize {
        match *self {
            Self::ImplicitQuantile { acting_fractions, .. }
            | Self::ProposedQuantile { acting_fractions, .. } => acting_fractions,
            _ => 0,
        }
    }

    /// The most fractions that an observation is valued at, in learning or acting; 0 where the network takes none.
    pub fn most_fractions(&self) -> usize {
        match *self {
            Self::ImplicitQuantile { fractions, target_fractions, acting_fractions, .. } => {
                // The target's pass has those that the action is chosen by beside its own.
                fractions.max(target_fractions.saturating_add(acting_fractions))
            }
            Self::ProposedQuantile { fractions, acting_fractions, .. } => fractions.max(acting_fractions),
            _ => 0,
        }
    }

    /// How the atoms of an action become its value.
    pub fn readout(&self) -> Readout {
        match *self {
            Self::Expected { .. } => Readout::Expected,
            Self::Categorical { atoms, v_min, v_max } => {
                Readout::Support(super::categorical::support(v_min, v_max, atoms))
            }
            Self::HlGauss { bins, v_min, v_max, .. } => Readout::Support(centres(v_min, v_max, bins)),
            Self::Quantile { .. } | Self::ImplicitQuantile { .. } | Self::ProposedQuantile { .. } => {
                Readout::Mean
            }
        }
    }

    /// What gives the action values of a network with this head.
    pub fn reader(&self) -> super::ActionValueReader {
        super::ActionValueReader::new(self.readout(), self.acting_fractions())
    }
}
