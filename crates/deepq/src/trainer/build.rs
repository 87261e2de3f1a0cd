//! From a configuration to a trainer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use deepq_core::loss::Head;
use deepq_core::network::{NetworkSpec, OptimizerConfig, QNetwork};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler};
use deepq_core::{
    Actor, ActorConfig, BehaviourPolicy, CallMonitor, FractionProposal, Learner, LearnerConfig, NoiseSource,
    Progress, RandomStream, RolloutBuffer, RolloutConfig, RolloutLearner, StreamingLearner, VectorEnv,
    consecutive_seeds,
};
use deepq_cpu::CpuNetwork;
use deepq_envs::Registry;

use super::memory::{
    MemoryUse, check_memory, check_network_memory, check_room, check_runs_at_once, replay_bytes,
};
use super::method::{FromMemory, Method};
use super::network::{channel_axis, make_network, network_spec};
use super::{Learned, Trainer};
use crate::config::{Config, ConfigError, ReplayConfig};
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
        Self::beside(1, config, seed, registry, CallMonitor::default())
    }

    /// As [`with_registry`](Self::with_registry), for one of so many runs side by side; `monitor` sees the calls of
    /// its environments from the first reset on.
    pub(crate) fn beside(
        runs_at_once: usize,
        config: &Config,
        seed: u64,
        registry: &Registry,
        monitor: CallMonitor,
    ) -> Result<Self, Error> {
        config.validate()?;
        let factory = EnvFactory::new(registry, &config.env)?;
        let spec = network_spec(config, factory.spec())?;
        check_network_memory(config, &spec)?;
        let envs = factory.training(&monitor)?;
        let threads = config.engine.threads.count(runs_at_once > 1);
        let network = make_network(config, &spec, seed, threads)?;
        let threads = network.threads();
        let memory = MemoryUse::of_network(config, &spec)?;
        let parts = Parts { config, seed, envs, network: Box::new(network) };
        let (bytes, at_most) = parts.experience_bytes();
        let memory = memory.with_experience(bytes, at_most);
        check_runs_at_once(config, &memory, runs_at_once)?;
        let method = parts.method()?;
        let mut settled = config.clone();
        if let Some(axis) = channel_axis(&spec) {
            settled.network.settle_channels(axis);
        }
        Ok(Self {
            config: settled,
            seed,
            threads,
            memory,
            method,
            evaluator: Evaluator::within(factory.clone())
                .reading(config.head().reader())
                .watched_by(&monitor),
            factory,
            monitor,
            progress: Progress::default(),
            learned: Learned::default(),
            best: None,
            stop_flag: Arc::new(AtomicBool::new(false)),
        })
    }
}

/// What a way of learning is made of.
struct Parts<'a> {
    config: &'a Config,
    seed: u64,
    envs: VectorEnv,
    network: Box<dyn QNetwork>,
}

impl Parts<'_> {
    /// Bytes of the experience that is kept, and what they may grow to.
    fn experience_bytes(&self) -> (u64, u64) {
        if let Some(rollout) = self.config.rollout_config() {
            let bytes = self.rollout_bytes(&rollout);
            return (bytes, bytes);
        }
        let store =
            self.config.replay.map(|replay| replay_bytes(&self.store_config(&replay), replay.sampler));
        store.unwrap_or_default()
    }

    fn rollout_bytes(&self, rollout: &RolloutConfig) -> u64 {
        let (envs, len) = (&self.envs, self.envs.observation_len());
        RolloutBuffer::bytes((rollout.steps, envs.len()), envs.element(), len)
    }

    fn store_config(&self, replay: &ReplayConfig) -> ReplayStoreConfig {
        let envs = &self.envs;
        ReplayStoreConfig {
            capacity: replay.capacity,
            envs: envs.len(),
            actions: envs.spec().actions,
            n_step: self.config.learning.n_step,
            element: envs.element(),
            observation_len: envs.observation_len(),
            stacked_frames: envs.spec().stacked_frames,
            stack_padding: envs.spec().stack_padding,
            action_masks: envs.spec().action_masks,
        }
    }

    fn method(self) -> Result<Method, Error> {
        let config = self.config;
        if let Some(rollout) = config.rollout_config() {
            let (bytes, copies) = (self.rollout_bytes(&rollout), self.envs.len());
            check_room("rollout.steps", &format!("{} steps of {copies} copies", rollout.steps), bytes)?;
            let policy = self.policy();
            let learner = RolloutLearner::new(self.envs, policy, self.network, rollout, self.seed);
            let mut learner = learner.map_err(|error| ConfigError::new(error.field, error.message))?;
            learner.reset(&env_seeds(self.seed, config))?;
            return Ok(Method::Rollout(Box::new(learner)));
        }
        if let Some(streaming) = config.streaming_config() {
            let policy = self.policy();
            let learner = StreamingLearner::new(self.envs, policy, self.network, streaming, self.seed);
            let mut learner = learner.map_err(|error| ConfigError::new(error.field, error.message))?;
            learner.reset(&env_seeds(self.seed, config))?;
            return Ok(Method::Streaming(Box::new(learner)));
        }
        self.learning_from_memory()
    }

    fn policy(&self) -> Box<dyn BehaviourPolicy> {
        self.config.exploration.policy.make(self.seed, self.envs.len(), self.envs.spec().actions)
    }

    fn learning_from_memory(self) -> Result<Method, Error> {
        let (config, seed) = (self.config, self.seed);
        let (Some(replay), Some(target_update), Some(loss)) = (config.replay, config.target, config.loss)
        else {
            return Err(ConfigError::new("replay", "is not given").into());
        };
        let store_config = self.store_config(&replay);
        check_memory(&store_config, replay.sampler)?;
        let actor_config = ActorConfig {
            n_step: config.learning.n_step,
            gamma: config.learning.gamma,
            bootstrap_at_truncation: config.learning.bootstrap_at_truncation,
        };
        let learner_config = LearnerConfig {
            batch_size: config.batch_size(),
            minibatch_size: config.minibatch_size(),
            max_gradient_norm: config.learning.max_gradient_norm,
            target_update,
            reset: config.reset,
        };
        let mut store = ReplayStore::new(store_config);
        let policy = self.policy();
        let proposal = make_proposal(&loss.head, self.network.spec(), seed)?;
        let acting_noise = NoiseSource::new(self.network.spec(), seed, "acting");
        let mut actor = Actor::new(self.envs, policy, actor_config).reading(loss.head.reader(), acting_noise);
        actor.reset(&env_seeds(seed, config), &mut store)?;
        let learner = Learner::with_proposal(self.network, loss.make(), learner_config, seed, proposal);
        Ok(Method::Memory(Box::new(FromMemory {
            actor,
            learner,
            store,
            sampler: Sampler::new(replay.sampler, replay.capacity),
            replay_stream: RandomStream::new(seed, "replay", 0),
        })))
    }
}

fn env_seeds(seed: u64, config: &Config) -> Vec<u64> {
    let first = RandomStream::new(seed, "env", 0).next_u64();
    consecutive_seeds(first, config.env.copies)
}

/// The network that proposes fractions, where the head wants some. Its optimiser is the paper's.
fn make_proposal(
    head: &Head,
    spec: &NetworkSpec,
    seed: u64,
) -> Result<Option<FractionProposal>, ConfigError> {
    let Head::ProposedQuantile { fractions, entropy, fraction_learning_rate, .. } = *head else {
        return Ok(None);
    };
    let no_network = |error: &dyn std::fmt::Display| ConfigError::new("network", error.to_string());
    let features = spec.features_len().ok_or_else(|| no_network(&"has no features to propose from"))?;
    // A network cannot be made without one; what it draws gives way to zeros.
    let mut stream = RandomStream::new(seed, "proposal-initialization", 0);
    let spec = FractionProposal::spec(features, fractions);
    let optimizer = OptimizerConfig::RmsProp {
        alpha: 0.95,
        epsilon: 1e-5,
        epsilon_inside_root: false,
        centered: false,
        momentum: 0.0,
        weight_decay: 0.0,
    };
    let network = CpuNetwork::new(&spec, optimizer, &mut stream).map_err(|error| no_network(&error))?;
    let mut proposal = FractionProposal::new(Box::new(network), entropy, fraction_learning_rate);
    proposal.begin_anew();
    Ok(Some(proposal))
}
