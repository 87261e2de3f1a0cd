//! What follows the reward of a transition.

use serde::{Deserialize, Serialize};

/// Which value of the next observation a target adds to the reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TargetRule {
    /// The greatest value of an action (Watkins 1989; Mnih et al. 2015).
    ///
    /// ```text
    /// a* = argmax_a Q(next_observation, a; target)                                           by itself
    /// a* = argmax_a Q(next_observation, a; online)                                             double
    /// y  = reward + discount · Z(next_observation, a*; target)
    /// ```
    QLearning {
        /// The online network chooses the action that the target network values (van Hasselt, Guez, Silver 2016,
        /// arXiv 1509.06461).
        #[serde(default)]
        double: bool,
        /// Each action has the value of the network that values it less, the target or the online one (MINTO:
        /// Hendawy et al. 2025, *Use the Online Network If You Can*, arXiv 2510.02590).
        #[serde(default)]
        minimum_of_networks: bool,
    },
    /// The value under the target network's soft policy, with its entropy, and the log-probability of the action
    /// that was taken added to the reward (Vieillard, Pietquin, Geist 2020, *Munchausen Reinforcement Learning*,
    /// arXiv 2007.14430).
    ///
    /// ```text
    /// π(·|s) = softmax(Q(s, ·; target) / τ)
    /// y = reward + α · clip(τ · ln π(action|observation), clip, 0)
    ///            + discount · Σ_a π(a|next) · (Z(next, a; target) − τ · ln π(a|next))
    /// ```
    ///
    /// Over several steps only the first one's reward gets its log-probability: the policies of the steps between
    /// are not known any more. The entropy of the last one is discounted as the value is.
    Munchausen {
        /// α: the share of the log-probability that is added to the reward.
        #[serde(default = "alpha")]
        alpha: f32,
        /// τ: the temperature of the soft policy, in units of the return.
        #[serde(default = "temperature")]
        temperature: f32,
        /// The least that τ · ln π counts as, negative.
        #[serde(default = "clip")]
        clip: f32,
    },
}

fn alpha() -> f32 {
    0.9
}
fn temperature() -> f32 {
    0.03
}
fn clip() -> f32 {
    -1.0
}

impl Default for TargetRule {
    fn default() -> Self {
        Self::Q_LEARNING
    }
}

impl TargetRule {
    /// Plain Q-learning.
    pub const Q_LEARNING: Self = Self::QLearning { double: false, minimum_of_networks: false };
    /// Double Q-learning.
    pub const DOUBLE: Self = Self::QLearning { double: true, minimum_of_networks: false };
    /// Munchausen with the paper's numbers.
    pub const MUNCHAUSEN: Self = Self::Munchausen { alpha: 0.9, temperature: 0.03, clip: -1.0 };

    /// Whether it needs the online network's values at the next observation.
    pub(super) fn needs_online_next(&self) -> bool {
        matches!(
            self,
            Self::QLearning { double: true, .. } | Self::QLearning { minimum_of_networks: true, .. }
        )
    }

    /// Whether it needs the target network's values at the observation.
    pub(super) fn needs_target_now(&self) -> bool {
        matches!(self, Self::Munchausen { .. })
    }
}
