//! What the learners share that act themselves: [`RolloutLearner`](crate::RolloutLearner) and
//! [`StreamingLearner`](crate::StreamingLearner).

use crate::behaviour_policy::ActionValues;
use crate::network::NetworkSpec;
use crate::{LearnMetrics, VectorEnv};

/// A learner that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct LearnerError {
    /// The setting, as it is named in the configuration; `network` or `envs` where these do not fit.
    pub field: &'static str,
    /// What is allowed, and what was found.
    pub message: String,
}

impl LearnerError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// What one step of a learner that acts itself gave, the finished episodes aside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// The gradient steps taken with it.
    pub gradient_steps: u64,
    /// What they taught, where there were any.
    pub learned: Option<LearnMetrics>,
}

/// Refuses a number that is not from 0 to 1.
pub(crate) fn check_share(field: &'static str, value: f64) -> Result<(), LearnerError> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(LearnerError::new(field, format!("a number from 0 to 1 is needed, found {value}"))),
    }
}

/// Refuses a network that has not one value for each action of the environments.
pub(crate) fn check_fit(spec: &NetworkSpec, envs: &VectorEnv) -> Result<(), LearnerError> {
    let refuse = |message: String| Err(LearnerError::new("network", message));
    let (inputs, actions) = (envs.observation_len(), envs.spec().actions);
    if spec.atoms != 1 || spec.takes_fractions() {
        return refuse("one expected return an action is needed, found a distribution of returns".into());
    }
    if (spec.inputs(), spec.actions) != (inputs, actions) {
        return refuse(format!(
            "{} has observations of {inputs} elements and {actions} actions, found {} inputs and {} actions",
            envs.spec().id,
            spec.inputs(),
            spec.actions
        ));
    }
    if spec.element != envs.element() {
        return refuse(format!(
            "{} gives elements of the type {:?}, found {:?}",
            envs.spec().id,
            envs.element(),
            spec.element
        ));
    }
    Ok(())
}

/// Values that are there already.
pub(crate) struct KnownValues<'a>(pub(crate) &'a [f32]);

impl ActionValues for KnownValues<'_> {
    fn q(&mut self) -> &[f32] {
        self.0
    }
}
