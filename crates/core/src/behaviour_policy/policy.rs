//! The behaviour policies by name.

use serde::{Deserialize, Serialize};

use super::{BehaviourPolicy, EpsilonGreedy, EpsilonZGreedy, MOST_REPEATS, Softmax};
use crate::{Progress, Schedule, SettingError};

/// How actions are chosen while learning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ExplorationPolicy {
    /// [`EpsilonGreedy`].
    EpsilonGreedy {
        /// The exponent α of an [`EpsilonLadder`](super::EpsilonLadder), 0 to 100, Ape-X's is 7; without it every
        /// environment explores alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ladder: Option<f64>,
    },
    /// [`EpsilonZGreedy`].
    EpsilonZGreedy {
        /// The exponent μ of the distribution of an exploration's steps, 0 to 100.
        #[serde(default = "default_mu")]
        mu: f64,
        /// The most steps of an exploration, 1 to [`MOST_REPEATS`].
        #[serde(default = "default_longest")]
        longest: u32,
    },
    /// [`Softmax`].
    Softmax {
        /// The temperature, in the unit of the values.
        temperature: Schedule,
    },
}

fn default_mu() -> f64 {
    2.0
}

fn default_longest() -> u32 {
    10_000
}

impl Default for ExplorationPolicy {
    fn default() -> Self {
        Self::EpsilonGreedy { ladder: None }
    }
}

impl ExplorationPolicy {
    /// Checks the range of every setting, the schedule of the temperature aside.
    ///
    /// # Errors
    /// [`SettingError`] for the first that cannot be used.
    pub fn validate(&self) -> Result<(), SettingError> {
        let exponent = 0.0..=100.0;
        match *self {
            Self::EpsilonGreedy { ladder: Some(alpha) } => {
                SettingError::unless(exponent.contains(&alpha), "ladder", alpha, "0 to 100")
            }
            Self::EpsilonZGreedy { mu, longest } => {
                SettingError::unless(exponent.contains(&mu), "mu", mu, "0 to 100")?;
                let holds = (1..=MOST_REPEATS).contains(&longest);
                SettingError::unless(holds, "longest", longest, "1 to 1000000")
            }
            Self::EpsilonGreedy { ladder: None } | Self::Softmax { .. } => Ok(()),
        }
    }

    /// The policy for `envs` environments with `actions` actions each, drawing from the run's seed.
    ///
    /// # Panics
    /// If a setting cannot be [used](Self::validate).
    pub fn make(&self, seed: u64, envs: usize, actions: usize) -> Box<dyn BehaviourPolicy> {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        match *self {
            Self::EpsilonGreedy { ladder: None } => Box::new(EpsilonGreedy::new(seed, envs, actions)),
            Self::EpsilonGreedy { ladder: Some(alpha) } => {
                Box::new(EpsilonGreedy::new(seed, envs, actions).with_ladder(alpha))
            }
            Self::EpsilonZGreedy { mu, longest } => {
                Box::new(EpsilonZGreedy::new(seed, envs, actions, mu, longest))
            }
            Self::Softmax { .. } => Box::new(Softmax::new(seed, envs, actions)),
        }
    }

    /// The temperature now; 0 for policies that have none.
    pub fn temperature_at(&self, progress: Progress) -> f64 {
        match self {
            Self::Softmax { temperature } => temperature.at(progress),
            _ => 0.0,
        }
    }
}
