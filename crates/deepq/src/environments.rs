//! The environments of a run, as its configuration wants them.

use deepq_core::{CallMonitor, Env, EnvSpec, GuardedEnv, Space, VectorEnv};
use deepq_envs::Registry;

use crate::config::{ConfigError, EnvConfig};

/// Makes the environments of a run.
#[derive(Clone)]
pub struct EnvFactory {
    registry: Registry,
    config: EnvConfig,
    spec: EnvSpec,
}

impl EnvFactory {
    /// From the environments there are, and what the configuration says of them.
    ///
    /// # Errors
    /// Where no such environment can be made.
    pub fn new(registry: &Registry, config: &EnvConfig) -> Result<Self, ConfigError> {
        let spec = make(registry, config)?.spec().clone();
        Ok(Self { registry: registry.clone(), config: config.clone(), spec })
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
        let envs = (0..self.config.copies).map(|_| make(&self.registry, &self.config));
        let envs = envs.collect::<Result<Vec<_>, _>>()?;
        let envs = VectorEnv::new(envs).map_err(|error| ConfigError::new("env.id", error.to_string()))?;
        Ok(envs.watched_by(monitor))
    }

    /// Environment number `index` to judge a policy in.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn evaluation(&self, index: usize) -> Result<GuardedEnv, ConfigError> {
        Ok(GuardedEnv::new(index, make(&self.registry, &self.config)?))
    }
}

/// An environment that a network can act in.
fn make(registry: &Registry, config: &EnvConfig) -> Result<Box<dyn Env>, ConfigError> {
    let env = registry.make_with(&config.id, config.options.clone().into());
    let env = env.map_err(|error| ConfigError::from_make("env.id", &error))?;
    match &env.spec().observation_space {
        Space::Box(_) => Ok(env),
        space => Err(ConfigError::new("env.id", format!("observations of {space:?} fit no network"))),
    }
}
