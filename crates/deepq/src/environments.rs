//! The environments of a run, as its configuration wants them.

use std::num::NonZeroUsize;
use std::time::Duration;

use deepq_core::{CallMonitor, Env, EnvError, EnvSpec, GuardedEnv, Space, VectorEnv};
use deepq_envs::threads::EnvThreads;
use deepq_envs::wrappers::{
    FlattenObservation, ObservationStatistics, RecordEpisodeStatistics, Statistics, WithoutActionMasks,
    WrapperConfig, wrap,
};
use deepq_envs::{MakeError, Registry};

use crate::Policy;
use crate::config::{ConfigError, EnvConfig};

/// Makes the environments of a run: with the options and within the wrappers of its configuration. Observations
/// of a space that is no box are [flattened](FlattenObservation), so that a network can take them.
///
/// Where the configuration normalises observations, all environments of one factory and of its clones share the
/// statistics: those for training gather them, those for evaluation use them.
#[derive(Clone)]
pub struct EnvFactory {
    registry: Registry,
    config: EnvConfig,
    spec: EnvSpec,
    statistics: ObservationStatistics,
}

impl EnvFactory {
    /// From the environments there are, and what the configuration says of them.
    ///
    /// # Errors
    /// Where no such environment can be made.
    pub fn new(registry: &Registry, config: &EnvConfig) -> Result<Self, ConfigError> {
        let (registry, config, statistics) = (registry.clone(), config.clone(), ObservationStatistics::new());
        let env = make(&registry, &config, Statistics::Frozen(&statistics), None)?;
        let spec = env.spec().clone();
        Ok(Self { registry, config, spec, statistics })
    }

    /// What is known of each of them.
    pub fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    /// The environments to learn in, which `monitor` may watch.
    ///
    /// # Errors
    /// Where they cannot be made.
    pub fn training(&self, monitor: &CallMonitor) -> Result<VectorEnv, ConfigError> {
        let statistics = Statistics::Updated(&self.statistics);
        let threads = self.threads()?;
        let make = |_| make(&self.registry, &self.config, statistics, threads.as_ref());
        let envs = (0..self.config.copies).map(make);
        let envs = envs.collect::<Result<Vec<_>, _>>()?;
        let envs = VectorEnv::new(envs).map_err(|error| ConfigError::new("env.id", error.to_string()))?;
        Ok(envs.watched_by(monitor))
    }

    /// The threads that training's environments step in; `None` where they step in the one that trains.
    fn threads(&self) -> Result<Option<EnvThreads>, ConfigError> {
        let limit = Duration::from_secs_f64(self.config.step_limit_s);
        let threads = NonZeroUsize::new(self.config.threads).map(|count| EnvThreads::new(count, Some(limit)));
        threads.transpose().map_err(|error| ConfigError::new("env.threads", error.to_string()))
    }

    /// Environment number `index` to judge a policy in.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn evaluation(&self, index: usize) -> Result<GuardedEnv, ConfigError> {
        let env = make(&self.registry, &self.config, Statistics::Frozen(&self.statistics), None)?;
        Ok(GuardedEnv::new(index, env))
    }

    /// The statistics that observations are normalised by as they are now; `None` where they are not normalised.
    pub fn statistics(&self) -> Option<ObservationStatistics> {
        self.normalizes().then(|| self.statistics.copy())
    }

    fn normalizes(&self) -> bool {
        let normalizes =
            |wrapper: &WrapperConfig| matches!(wrapper, WrapperConfig::NormalizeObservation { .. });
        self.config.wrappers.iter().any(normalizes)
    }

    /// Lets the environments of this factory and of its clones show observations as `policy` has learned to see
    /// them, from now on: not for a factory whose environments train.
    ///
    /// # Errors
    /// Where the one normalises observations and the other does not, or where they have other numbers of elements.
    pub fn show_to(&self, policy: &Policy) -> Result<(), ConfigError> {
        let wrong = |message: String| ConfigError::new("env.wrappers", message);
        match (self.normalizes(), policy.statistics()) {
            (false, None) => Ok(()),
            (true, Some(statistics)) => {
                self.statistics.assign(statistics).map_err(|error| wrong(error.to_string()))
            }
            (true, None) => Err(wrong("the policy has no statistics to normalise its observations by".into())),
            (false, Some(_)) => Err(wrong(
                "the policy learned from normalised observations, but the wrapper normalize-observation is not there"
                    .into(),
            )),
        }
    }
}

/// An environment that a network can act in. With `threads` it steps in one of them, and its wrappers here: some
/// share statistics, which must not depend on who comes first.
fn make(
    registry: &Registry,
    config: &EnvConfig,
    statistics: Statistics<'_>,
    threads: Option<&EnvThreads>,
) -> Result<Box<dyn Env>, ConfigError> {
    let env = registry.make_with(&config.id, config.options.clone().into());
    let mut env = env.map_err(|error| {
        let options = !config.options.is_empty() && matches!(error, MakeError::Options { .. });
        ConfigError::from_make(if options { "env.options" } else { "env.id" }, &error)
    })?;
    if let Some(threads) = threads {
        env = Box::new(threads.put(env));
    }
    // For all that act in it: exploring, greedily, in an evaluation or on a screen; and so for what is learned.
    if !config.action_masks && env.spec().action_masks {
        env = Box::new(WithoutActionMasks::new(env));
    }
    if !config.wrappers.is_empty() {
        env = Box::new(RecordEpisodeStatistics::new(env));
    }
    for (place, wrapper) in config.wrappers.iter().enumerate() {
        let wrong = |error: EnvError| ConfigError::new(format!("env.wrappers.{place}"), error.to_string());
        env = wrap(env, wrapper, Some(statistics)).map_err(wrong)?;
    }
    if matches!(env.spec().observation_space, Space::Box(_)) {
        return Ok(env);
    }
    let flat = FlattenObservation::new(env);
    Ok(Box::new(flat.map_err(|error| ConfigError::new("env.id", error.to_string()))?))
}
