//! How a learner from rollouts learns.

use serde::{Deserialize, Serialize};

use crate::self_acting::{LearnerError, check_share};

/// How a [`RolloutLearner`](crate::RolloutLearner) learns. The default is the paper's for MinAtar, for which it
/// takes 128 environments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// Steps in each environment, between one time of learning and the next.
    pub steps: usize,
    /// Into how many minibatches the `steps · envs` transitions are split, which must be possible evenly.
    pub minibatches: usize,
    /// How often each transition is learned from.
    pub epochs: usize,
    /// The discount factor γ of one step, from 0 to 1.
    pub gamma: f64,
    /// λ, from 0 (targets bootstrap after one step) to 1 (only at the end of an episode or of the rollout).
    pub lambda: f64,
    /// The greatest L2 norm of the gradient; longer ones are scaled down to it.
    pub max_gradient_norm: Option<f32>,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            steps: 32,
            minibatches: 32,
            epochs: 2,
            gamma: 0.99,
            lambda: 0.65,
            max_gradient_norm: Some(10.0),
        }
    }
}

impl RolloutConfig {
    /// Checks the settings for so many environments.
    ///
    /// # Errors
    /// Where one is not allowed, or the transitions cannot be split evenly.
    pub fn check(&self, envs: usize) -> Result<(), LearnerError> {
        let Self { steps, minibatches, epochs, gamma, lambda, max_gradient_norm } = *self;
        for (field, value) in [("steps", steps), ("minibatches", minibatches), ("epochs", epochs)] {
            if value == 0 {
                return Err(LearnerError::new(field, "a whole number from 1 is needed, found 0"));
            }
        }
        // Beyond 32 bits the transitions could not be numbered.
        let transitions = steps.checked_mul(envs).filter(|count| u32::try_from(*count).is_ok());
        let Some(transitions) = transitions else {
            let message = format!("{steps} steps in {envs} environments are more than 2^32 transitions");
            return Err(LearnerError::new("steps", message));
        };
        if !transitions.is_multiple_of(minibatches) {
            let message = format!(
                "{steps} steps in {envs} environments are {transitions} transitions, which {minibatches} \
                 minibatches do not share evenly; a divisor of {transitions} is needed"
            );
            return Err(LearnerError::new("minibatches", message));
        }
        check_share("gamma", gamma)?;
        check_share("lambda", lambda)?;
        match max_gradient_norm {
            Some(norm) if norm.is_nan() || norm <= 0.0 => Err(LearnerError::new(
                "max_gradient_norm",
                format!("a number above 0 is needed, found {norm}"),
            )),
            _ => Ok(()),
        }
    }

    /// Transitions of one gradient step, once [`check`](Self::check) has found nothing.
    pub fn minibatch_size(&self, envs: usize) -> usize {
        self.steps * envs / self.minibatches.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_sense_are_refused() {
        let right = RolloutConfig::default();
        right.check(128).unwrap();
        assert_eq!(right.minibatch_size(128), 128);
        for (config, field) in [
            (RolloutConfig { steps: 0, ..right }, "steps"),
            (RolloutConfig { steps: usize::MAX / 2, ..right }, "steps"),
            (RolloutConfig { steps: 1 << 26, ..right }, "steps"),
            (RolloutConfig { minibatches: 0, ..right }, "minibatches"),
            (RolloutConfig { minibatches: 3, ..right }, "minibatches"),
            (RolloutConfig { minibatches: 8192, ..right }, "minibatches"),
            (RolloutConfig { epochs: 0, ..right }, "epochs"),
            (RolloutConfig { gamma: 1.1, ..right }, "gamma"),
            (RolloutConfig { lambda: f64::NAN, ..right }, "lambda"),
            (RolloutConfig { max_gradient_norm: Some(0.0), ..right }, "max_gradient_norm"),
            (RolloutConfig { max_gradient_norm: Some(f32::NAN), ..right }, "max_gradient_norm"),
        ] {
            assert_eq!(config.check(128).unwrap_err().field, field);
        }
        let message = RolloutConfig { minibatches: 3, ..right }.check(128).unwrap_err().to_string();
        assert!(message.contains("4096 transitions, which 3 minibatches do not share evenly"), "{message}");
    }
}
