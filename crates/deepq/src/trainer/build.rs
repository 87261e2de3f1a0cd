//! From a configuration to a trainer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use deepq_core::loss::{Loss, QLearning};
use deepq_core::network::{NetworkSpec, SpecError};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::{
    Actor, ActorConfig, CallMonitor, EpsilonGreedy, Learner, LearnerConfig, Progress, RandomStream,
    consecutive_seeds,
};
use deepq_envs::Registry;

use super::network::{channel_axis, make_network, network_spec};
use super::{Learned, Trainer};
use crate::config::{Config, ConfigError, LossConfig};
use crate::{EnvFactory, Error, Evaluator};

impl Trainer {
    /// A trainer in one of the built-in environments. Nothing is trained yet.
    ///
    /// # Errors
    /// Where the configuration cannot be used: every value is checked before the first step.
    pub fn new(config: &Config, seed: u64) -> Result<Self, Error> {
        Self::with_registry(config, seed, &Registry::builtin())
    }

    /// As [`new`](Self::new), with environments of one's own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_registry(config: &Config, seed: u64, registry: &Registry) -> Result<Self, Error> {
        Self::beside(false, config, seed, registry, CallMonitor::default())
    }

    /// As [`with_registry`](Self::with_registry), for a run beside others or by itself; `monitor` sees the calls of
    /// its environments from the first reset on.
    pub(crate) fn beside(
        others: bool,
        config: &Config,
        seed: u64,
        registry: &Registry,
        monitor: CallMonitor,
    ) -> Result<Self, Error> {
        config.validate()?;
        let factory = EnvFactory::new(registry, &config.env)?;
        let spec = network_spec(config, factory.spec())?;
        let envs = factory.training(&monitor)?;
        let store_config = ReplayStoreConfig {
            capacity: config.replay.capacity,
            envs: envs.len(),
            actions: spec.actions,
            n_step: config.learning.n_step,
            element: envs.element(),
            observation_len: envs.observation_len(),
            stacked_frames: envs.spec().stacked_frames,
            action_masks: envs.spec().action_masks,
        };
        check_memory(&store_config, config.replay.sampler)?;
        check_network_memory(config, &spec)?;
        let network = make_network(config, &spec, seed, config.engine.threads.count(others))?;
        let threads = network.threads();
        let policy = EpsilonGreedy::new(seed, envs.len(), spec.actions);
        let actor_config = ActorConfig {
            n_step: config.learning.n_step,
            gamma: config.learning.gamma,
            bootstrap_at_truncation: config.learning.bootstrap_at_truncation,
        };
        let mut store = ReplayStore::new(store_config);
        let mut actor = Actor::new(envs, Box::new(policy), actor_config);
        let first_env_seed = RandomStream::new(seed, "env", 0).next_u64();
        actor.reset(&consecutive_seeds(first_env_seed, config.env.copies), &mut store)?;
        let learner_config = LearnerConfig {
            batch_size: config.learning.batch_size,
            minibatch_size: config.minibatch_size(),
            max_gradient_norm: config.learning.max_gradient_norm,
            target_update: config.target,
        };
        let mut settled = config.clone();
        if let Some(axis) = channel_axis(&spec) {
            settled.network.settle_channels(axis);
        }
        Ok(Self {
            config: settled,
            seed,
            threads,
            actor,
            learner: Learner::new(Box::new(network), make_loss(config), learner_config),
            store,
            sampler: Sampler::new(config.replay.sampler, config.replay.capacity),
            replay_stream: RandomStream::new(seed, "replay", 0),
            evaluator: Evaluator::within(factory.clone()).watched_by(&monitor),
            factory,
            monitor,
            progress: Progress::default(),
            learned: Learned::default(),
            best: None,
            stop_flag: Arc::new(AtomicBool::new(false)),
        })
    }
}

fn make_loss(config: &Config) -> Box<dyn Loss> {
    match config.loss {
        LossConfig::QLearning { double, error, average_over_actions } => {
            let loss = QLearning::new(error, double);
            Box::new(if average_over_actions { loss.averaged_over_actions() } else { loss })
        }
    }
}

/// Refuses a memory of past transitions that this machine does not have room for.
fn check_memory(config: &ReplayStoreConfig, sampler: SamplerConfig) -> Result<(), ConfigError> {
    let needed = config.bytes().saturating_add(sampler.bytes(config.capacity));
    check_room("replay.capacity", &format!("{} transitions", config.capacity), needed)
}

/// Refuses a network that this machine does not have room for.
fn check_network_memory(config: &Config, spec: &NetworkSpec) -> Result<(), ConfigError> {
    let no_network = |error: SpecError| ConfigError::new("network", error.to_string());
    let parameters = spec.layout().map_err(no_network)?.len();
    let values = spec.activations_len() as u64;
    let rows = config.learning.batch_size.max(config.env.copies) as u64;
    // The parameters, the target's, the gradient and the optimiser's state; a value and its gradient for each row.
    let vectors = 3 + config.optimizer.state_vectors() as u64;
    let numbers = vectors.saturating_mul(parameters as u64).saturating_add((2 * values).saturating_mul(rows));
    let (key, what) = config.network.told();
    check_room(key, &what, numbers.saturating_mul(4))
}

fn check_room(key: &str, what: &str, needed: u64) -> Result<(), ConfigError> {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match machine_memory() {
        Some(there) if needed > there / 10 * 9 => {
            let (needed, there) = (gibibytes(needed), gibibytes(there));
            let message = format!("{what} need {needed:.1} GiB, this machine has {there:.1} GiB");
            Err(ConfigError::new(key, message))
        }
        _ => Ok(()),
    }
}

/// Bytes of memory that this process may have, where the system tells: the machine's, or a container's limit.
fn machine_memory() -> Option<u64> {
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    Some(installed_memory()?.min(limit))
}

fn installed_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
