//! How a streaming learner learns.

use serde::{Deserialize, Serialize};

use crate::self_acting::{LearnerError, check_share};

/// When an action that is not greedy ends the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceCut {
    /// Before its gradient joins the trace (Watkins 1989): what follows from it is not learned by the actions
    /// before, and is learned by itself.
    #[default]
    BeforeExploring,
    /// After the update, as in the program of the paper's authors: the actions before still learn from its error,
    /// and it does not learn from what follows.
    AfterExploring,
}

/// How a [`StreamingLearner`](crate::StreamingLearner) learns. λ and κ are by default the paper's for action values; the
/// trace is by default cut as in Watkins's Q(λ), not as in the program of the paper's authors: see [`TraceCut`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamingConfig {
    /// The discount factor γ of one step, from 0 to 1.
    pub gamma: f64,
    /// The decay λ of the trace, from 0 to 1.
    pub lambda: f64,
    /// κ, above 0: an update moves values by about `1/κ` at most. The paper takes 2 for action values.
    pub kappa: f64,
    /// When exploring ends the trace.
    #[serde(default)]
    pub trace_cut: TraceCut,
}

impl Default for StreamingConfig {
    fn default() -> Self {
        Self { gamma: 0.99, lambda: 0.8, kappa: 2.0, trace_cut: TraceCut::default() }
    }
}

impl StreamingConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Where one is not allowed.
    pub fn check(&self) -> Result<(), LearnerError> {
        check_share("gamma", self.gamma)?;
        check_share("lambda", self.lambda)?;
        match self.kappa.is_finite() && self.kappa > 0.0 {
            true => Ok(()),
            false => {
                let message = format!("a finite number above 0 is needed, found {}", self.kappa);
                Err(LearnerError::new("kappa", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_sense_are_refused() {
        let right = StreamingConfig::default();
        right.check().unwrap();
        for (config, field) in [
            (StreamingConfig { gamma: -0.1, ..right }, "gamma"),
            (StreamingConfig { lambda: f64::NAN, ..right }, "lambda"),
            (StreamingConfig { kappa: 0.0, ..right }, "kappa"),
            (StreamingConfig { kappa: f64::INFINITY, ..right }, "kappa"),
        ] {
            assert_eq!(config.check().unwrap_err().field, field);
        }
    }
}
