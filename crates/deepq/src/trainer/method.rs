//! What a trainer learns by: a memory of past transitions, rollouts, or a stream.

use deepq_core::network::QNetwork;
use deepq_core::replay::{ReplayStore, Sampler};
use deepq_core::{
    Actor, EnvFailure, ExplorationRates, LearnMetrics, Learner, Progress, RandomStream, RolloutLearner,
    StateError, StateReader, StateWriter, StepOutcome, StreamingLearner, VectorEnv,
};

use crate::config::Config;

/// Learning from a memory: an actor fills it, a learner samples from it.
pub(super) struct FromMemory {
    pub(super) actor: Actor,
    pub(super) learner: Learner,
    pub(super) store: ReplayStore,
    pub(super) sampler: Sampler,
    pub(super) replay_stream: RandomStream,
}

/// One of the ways to learn.
pub(super) enum Method {
    Memory(Box<FromMemory>),
    Rollout(Box<RolloutLearner>),
    Streaming(Box<StreamingLearner>),
}

impl Method {
    pub(super) fn envs(&self) -> &VectorEnv {
        match self {
            Self::Memory(memory) => memory.actor.envs(),
            Self::Rollout(learner) => learner.envs(),
            Self::Streaming(learner) => learner.envs(),
        }
    }

    /// The actions of the latest step, one an environment.
    pub(super) fn actions(&self) -> &[u32] {
        match self {
            Self::Memory(memory) => memory.actor.actions(),
            Self::Rollout(learner) => learner.actions(),
            Self::Streaming(learner) => learner.actions(),
        }
    }

    pub(super) fn network(&self) -> &dyn QNetwork {
        match self {
            Self::Memory(memory) => memory.learner.network(),
            Self::Rollout(learner) => learner.network(),
            Self::Streaming(learner) => learner.network(),
        }
    }

    pub(super) fn network_mut(&mut self) -> &mut dyn QNetwork {
        match self {
            Self::Memory(memory) => memory.learner.network_mut(),
            Self::Rollout(learner) => learner.network_mut(),
            Self::Streaming(learner) => learner.network_mut(),
        }
    }

    /// Steps of the optimiser, or updates that are none of an optimiser's.
    pub(super) fn gradient_steps(&self) -> u64 {
        match self {
            Self::Memory(memory) => memory.learner.network().gradient_steps(),
            Self::Rollout(learner) => learner.gradient_steps(),
            Self::Streaming(learner) => learner.gradient_steps(),
        }
    }

    /// One step in every environment and all that is learned with it; `progress` moves on, and each batch is told to
    /// `learned`.
    pub(super) fn advance(
        &mut self,
        config: &Config,
        rates: ExplorationRates,
        progress: &mut Progress,
        mut learned: impl FnMut(LearnMetrics),
    ) -> Result<(), EnvFailure> {
        let before = *progress;
        let rate = |at: Progress| config.learning.learning_rate.at(at) as f32;
        let outcome = match self {
            Self::Memory(memory) => {
                memory.actor.step(memory.learner.network_mut(), rates, &mut memory.store)?;
                StepOutcome::default()
            }
            Self::Rollout(learner) => {
                learner.step(rates, |gradient_steps| rate(Progress { gradient_steps, ..before }))?
            }
            Self::Streaming(learner) => learner.step(rates, rate(before))?,
        };
        outcome.learned.into_iter().for_each(&mut learned);
        progress.env_steps += self.envs().len() as u64;
        progress.episodes += self.envs().finished_episodes().len() as u64;
        if let Self::Memory(memory) = self {
            memory.learn(config, before, *progress, learned);
            memory.learner.follow(before, *progress);
        }
        progress.gradient_steps = self.gradient_steps();
        Ok(())
    }

    /// Writes the experience that is kept.
    pub(super) fn save_replay(&self, state: &mut StateWriter) {
        if let Self::Memory(memory) = self {
            memory.store.save_state(state);
            memory.sampler.save_state(state);
        }
    }

    /// Takes over what [`save_replay`](Self::save_replay) wrote.
    pub(super) fn load_replay(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        match self {
            Self::Memory(memory) => {
                memory.store.load_state(state)?;
                memory.sampler.load_state(state, &memory.store)
            }
            _ => Ok(()),
        }
    }

    /// Writes all else that its future depends on, the network and its optimiser aside.
    pub(super) fn save_state(&self, state: &mut StateWriter) {
        match self {
            Self::Memory(memory) => {
                memory.actor.save_state(state);
                memory.replay_stream.save_state(state);
                memory.learner.save_state(state);
            }
            Self::Rollout(learner) => learner.save_state(state),
            Self::Streaming(learner) => learner.save_state(state),
        }
    }

    /// Takes over what [`save_state`](Self::save_state) wrote, the replay loaded already.
    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        match self {
            Self::Memory(memory) => {
                memory.actor.load_state(state, &memory.store)?;
                memory.replay_stream.load_state(state)?;
                memory.learner.load_state(state)
            }
            Self::Rollout(learner) => learner.load_state(state),
            Self::Streaming(learner) => learner.load_state(state),
        }
    }
}

impl FromMemory {
    /// Learns as often as is due since `before`.
    fn learn(
        &mut self,
        config: &Config,
        before: Progress,
        now: Progress,
        mut learned: impl FnMut(LearnMetrics),
    ) {
        let learning = config.learning;
        let (start, every) = (learning.start_env_steps.unwrap_or(0), learning.every_env_steps.unwrap_or(1));
        if now.env_steps < start || self.store.len() < self.sampler.needed(config.batch_size()) {
            return;
        }
        let times = |progress: Progress| progress.env_steps / every;
        let batches = (times(now) - times(before)) * learning.batches as u64;
        for _ in 0..batches {
            let gradient_steps = self.learner.network().gradient_steps();
            let now = Progress { gradient_steps, ..now };
            let rate = learning.learning_rate.at(now) as f32;
            let (sampler, stream) = (&mut self.sampler, &mut self.replay_stream);
            learned(self.learner.learn(&self.store, sampler, stream, now, rate));
        }
    }
}
