//! What the learners share that act themselves: [`RolloutLearner`](crate::RolloutLearner) and
//! [`StreamingLearner`](crate::StreamingLearner).

use crate::behaviour_policy::ActionValues;
use crate::loss::greatest;
use crate::network::{NetworkSpec, Parameters, QNetwork};
use crate::{LearnMetrics, RandomStream, StateError, StateReader, StateWriter, VectorEnv};

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

/// Which actions are allowed at the present observations, `[env][action]`; empty where all are.
pub(crate) fn masks(_envs: &VectorEnv) -> &[bool] {
    &[]
}

/// Which actions are allowed at the last observation of the episode that ended in environment `env` with the
/// latest step, `[action]`; empty where all are.
pub(crate) fn final_mask(_envs: &VectorEnv, _env: usize) -> &[bool] {
    &[]
}

/// The flags of environment `env` among those of all, where there are any.
pub(crate) fn mask_of(masks: &[bool], env: usize, actions: usize) -> &[bool] {
    if masks.is_empty() { &[] } else { &masks[env * actions..(env + 1) * actions] }
}

/// The greatest of `values` whose flag in `mask` is set, of all where `mask` is empty. NaN only where there is
/// nothing else.
#[inline]
pub(crate) fn greatest_allowed(values: &[f32], mask: &[bool]) -> f32 {
    if mask.is_empty() {
        return greatest(values);
    }
    let allowed = values.iter().zip(mask).filter(|(_, allowed)| **allowed);
    allowed.map(|(value, _)| *value).reduce(f32::max).unwrap_or(f32::NAN)
}

/// Values that are there already.
pub(crate) struct KnownValues<'a>(pub(crate) &'a [f32]);

impl ActionValues for KnownValues<'_> {
    fn q(&mut self) -> &[f32] {
        self.0
    }
}

/// Draws noise for the noisy layers of an online network; without any it draws nothing.
#[derive(Clone, Debug)]
pub(crate) struct FreshNoise {
    stream: RandomStream,
    values: Vec<f32>,
}

impl FreshNoise {
    /// From the stream `name` of the run with seed `seed`.
    pub(crate) fn new(seed: u64, name: &str, spec: &NetworkSpec) -> Self {
        Self { stream: RandomStream::new(seed, name, 0), values: vec![0.0; spec.noise_len()] }
    }

    /// Gives `network` noise that it has not had before.
    pub(crate) fn draw(&mut self, network: &mut dyn QNetwork) {
        if !self.values.is_empty() {
            NetworkSpec::draw_noise(&mut self.stream, &mut self.values);
            network.set_noise(Parameters::Online, Some(&self.values));
        }
    }

    pub(crate) fn save_state(&self, state: &mut StateWriter) {
        self.stream.save_state(state);
    }

    pub(crate) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stream.load_state(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_values_count() {
        let values = [1.0, 5.0, 3.0];
        assert_eq!(greatest_allowed(&values, &[]), 5.0);
        assert_eq!(greatest_allowed(&values, &[true, false, true]), 3.0);
        assert_eq!(greatest_allowed(&[f32::NAN, -2.0], &[true, true]), -2.0);
        assert!(greatest_allowed(&values, &[false; 3]).is_nan());
        assert_eq!(mask_of(&[true, false, false, true], 1, 2), [false, true]);
        assert!(mask_of(&[], 1, 2).is_empty());
    }
}
