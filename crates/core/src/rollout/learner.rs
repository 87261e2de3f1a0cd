//! Acting for a rollout, then learning from it.

use super::{RolloutBuffer, RolloutConfig};
use crate::loss::{greatest, greatest_allowed, mask_row};
use crate::network::{Parameters, QNetwork};
use crate::self_acting::{KnownValues, LearnerError, StepOutcome, check_fit};
use crate::{
    BehaviourPolicy, EnvFailure, ExplorationRates, LearnMetrics, NoiseSource, ObservationBuffer,
    RandomStream, StateError, StateReader, StateWriter, VectorEnv,
};

/// An agent of [PQN](crate::rollout).
///
/// The values that bootstrap are those the network gave while it collected, as in purejaxql: they are computed
/// once at each observation and serve acting too. Only the values at the last observations, of truncated episodes
/// and of the rollout, take a pass of their own.
///
/// Noisy layers get fresh noise for each acting step and for each minibatch.
pub struct RolloutLearner {
    envs: VectorEnv,
    policy: Box<dyn BehaviourPolicy>,
    network: Box<dyn QNetwork>,
    config: RolloutConfig,
    buffer: RolloutBuffer,
    actions: Vec<u32>,
    /// `[env][action]`.
    q: Vec<f32>,
    acting_noise: NoiseSource,
    learning_noise: NoiseSource,
    /// The environments whose episodes were truncated with the latest step, and these episodes' last observations.
    truncated: Vec<usize>,
    final_observations: ObservationBuffer,
    shuffle: RandomStream,
    /// The order in which transitions are learned from.
    order: Vec<u32>,
    minibatch: Minibatch,
}

/// What one gradient step works on.
struct Minibatch {
    /// `[transition][element]`.
    observations: ObservationBuffer,
    /// `[transition][action]`.
    q: Vec<f32>,
    d_output: Vec<f32>,
}

impl RolloutLearner {
    /// A learner that acts in `envs` by `policy` on the values of `network`, and trains it. `seed` is the run's.
    ///
    /// # Errors
    /// Where the settings do not fit the number of environments, or the network does not fit the environments.
    pub fn new(
        envs: VectorEnv,
        policy: Box<dyn BehaviourPolicy>,
        network: Box<dyn QNetwork>,
        config: RolloutConfig,
        seed: u64,
    ) -> Result<Self, LearnerError> {
        config.check(envs.len())?;
        check_fit(network.spec(), &envs)?;
        let (count, actions, len, element) =
            (envs.len(), envs.spec().actions, envs.observation_len(), envs.element());
        let rows = config.minibatch_size(count);
        let minibatch = Minibatch {
            observations: ObservationBuffer::zeros(element, rows * len),
            q: vec![0.0; rows * actions],
            d_output: vec![0.0; rows * actions],
        };
        Ok(Self {
            buffer: RolloutBuffer::new((config.steps, count), actions, element, len),
            actions: vec![0; count],
            q: vec![0.0; count * actions],
            acting_noise: NoiseSource::new(network.spec(), seed, "acting"),
            learning_noise: NoiseSource::new(network.spec(), seed, "online"),
            truncated: Vec::with_capacity(count),
            final_observations: ObservationBuffer::zeros(element, count * len),
            shuffle: RandomStream::new(seed, "rollout-shuffle", 0),
            order: vec![0; config.steps * count],
            minibatch,
            envs,
            policy,
            network,
            config,
        })
    }

    /// Its environments.
    pub fn envs(&self) -> &VectorEnv {
        &self.envs
    }

    /// The network it trains.
    pub fn network(&self) -> &dyn QNetwork {
        &*self.network
    }

    /// The network it trains.
    pub fn network_mut(&mut self) -> &mut dyn QNetwork {
        &mut *self.network
    }

    /// How it learns.
    pub fn config(&self) -> &RolloutConfig {
        &self.config
    }

    /// The transitions that wait to be learned from.
    pub fn buffer(&self) -> &RolloutBuffer {
        &self.buffer
    }

    /// The actions of the latest step, one an environment.
    pub fn actions(&self) -> &[u32] {
        &self.actions
    }

    /// The gradient steps taken.
    pub fn gradient_steps(&self) -> u64 {
        self.network.gradient_steps()
    }

    /// Begins an episode in every environment. What was collected is forgotten.
    ///
    /// # Errors
    /// Where an environment fails.
    ///
    /// # Panics
    /// If there are not as many seeds as environments.
    pub fn reset(&mut self, seeds: &[u64]) -> Result<(), EnvFailure> {
        self.buffer.clear();
        (0..self.envs.len()).for_each(|env| self.policy.begin_episode(env));
        self.envs.reset(seeds)
    }

    /// Takes one step in every environment, exploring at `rates`. With the last step of a rollout
    /// it learns from all of it: `epochs · minibatches` gradient steps, whose learning rates `learning_rate` tells
    /// from the number of gradient steps before.
    ///
    /// # Errors
    /// Where an environment fails.
    pub fn step(
        &mut self,
        rates: impl Into<ExplorationRates>,
        learning_rate: impl Fn(u64) -> f32,
    ) -> Result<StepOutcome, EnvFailure> {
        self.acting_noise.refresh(&mut *self.network, Parameters::Online);
        self.evaluate_observations();
        let masks = self.envs.action_masks();
        self.policy.select(rates.into(), &mut KnownValues(&self.q), masks, &mut self.actions);
        self.buffer.push_observations(self.envs.observations());
        self.envs.step(&self.actions)?;
        for episode in self.envs.finished_episodes() {
            self.policy.begin_episode(episode.env);
        }
        self.buffer.push_steps(&self.actions, self.envs.steps());
        self.evaluate_truncated();
        if !self.buffer.is_full() {
            return Ok(StepOutcome::default());
        }
        self.evaluate_observations();
        Ok(self.learn(learning_rate))
    }

    /// Computes the values at the present observations, from which the steps before bootstrap where their
    /// episodes go on.
    fn evaluate_observations(&mut self) {
        let Self { envs, network, buffer, q, .. } = self;
        network.forward(Parameters::Online, envs.observations(), q);
        let (masks, actions) = (envs.action_masks(), envs.spec().actions);
        for (env, row) in q.chunks_exact(actions).enumerate() {
            if buffer.goes_on(env) {
                buffer.set_bootstrap(env, greatest_allowed(row, mask_row(masks, env, actions)));
            }
        }
    }

    /// Computes the values at the last observations of the episodes that were truncated with the latest step.
    fn evaluate_truncated(&mut self) {
        let Self { envs, network, buffer, q, truncated, final_observations, .. } = self;
        let (len, actions) = (envs.observation_len(), envs.spec().actions);
        truncated.clear();
        for (env, step) in envs.steps().iter().enumerate() {
            if step.truncated && !step.terminated {
                let row = truncated.len() * len..(truncated.len() + 1) * len;
                final_observations.slice_mut(row).copy_from(envs.final_observation(env));
                truncated.push(env);
            }
        }
        if truncated.is_empty() {
            return;
        }
        let q = &mut q[..truncated.len() * actions];
        network.forward(Parameters::Online, final_observations.slice(0..truncated.len() * len), q);
        for (env, row) in truncated.iter().zip(q.chunks_exact(actions)) {
            buffer.set_bootstrap(*env, greatest_allowed(row, envs.final_action_mask(*env)));
        }
    }

    /// Learns from the full buffer and empties it.
    fn learn(&mut self, learning_rate: impl Fn(u64) -> f32) -> StepOutcome {
        let RolloutConfig { epochs, minibatches, gamma, lambda, .. } = self.config;
        self.buffer.compute_returns(gamma, lambda);
        let mut learned = LearnMetrics::default();
        for _ in 0..epochs {
            shuffled(&mut self.shuffle, &mut self.order);
            for minibatch in 0..minibatches {
                let rate = learning_rate(self.network.gradient_steps());
                let LearnMetrics { loss, q_mean, .. } = self.train_on(minibatch, rate);
                learned.loss += loss;
                learned.q_mean += q_mean;
            }
        }
        self.buffer.clear();
        let gradient_steps = epochs * minibatches;
        learned.loss /= gradient_steps as f32;
        learned.q_mean /= gradient_steps as f32;
        StepOutcome { gradient_steps: gradient_steps as u64, learned: Some(learned) }
    }

    /// One gradient step on ½·(G − Q(s, a))², the mean over the minibatch. The ½ is purejaxql's; learning rates
    /// and the limit of the gradient's norm are meant with it.
    fn train_on(&mut self, minibatch: usize, learning_rate: f32) -> LearnMetrics {
        let Self { network, config, buffer, learning_noise, order, minibatch: batch, .. } = self;
        let Minibatch { observations, q, d_output } = batch;
        let spec = network.spec();
        let (actions, len) = (spec.actions, spec.inputs());
        let rows = q.len() / actions;
        let order = &order[minibatch * rows..(minibatch + 1) * rows];
        for (row, index) in order.iter().enumerate() {
            let (observation, ..) = buffer.transition(*index as usize);
            observations.slice_mut(row * len..(row + 1) * len).copy_from(observation);
        }
        learning_noise.refresh(&mut **network, Parameters::Online);
        network.forward_train(observations.as_observation(), q);
        d_output.fill(0.0);
        let (mut loss, mut q_sum) = (0.0, 0.0);
        for ((index, q), d) in
            order.iter().zip(q.chunks_exact(actions)).zip(d_output.chunks_exact_mut(actions))
        {
            let (_, action, aim) = buffer.transition(*index as usize);
            let error = q[action] - aim;
            loss += 0.5 * error * error;
            q_sum += greatest(q);
            d[action] = error / rows as f32;
        }
        network.backward(d_output);
        network.optimizer_step(learning_rate, config.max_gradient_norm);
        LearnMetrics { loss: loss / rows as f32, q_mean: q_sum / rows as f32 }
    }

    /// Writes all that its future depends on but the network: its parameters and its optimiser are saved by
    /// themselves, as everywhere.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("rollout-learner");
        self.envs.save_state(state);
        self.policy.save_state(state);
        self.buffer.save_state(state);
        self.shuffle.save_state(state);
        self.acting_noise.save_state(state);
        self.learning_noise.save_state(state);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote, in the middle of a rollout too.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a learner.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("rollout-learner")?;
        self.envs.load_state(state)?;
        self.policy.load_state(state)?;
        self.buffer.load_state(state)?;
        self.shuffle.load_state(state)?;
        self.acting_noise.load_state(state)?;
        self.learning_noise.load_state(state)
    }
}

/// Writes the numbers from 0 on in an order that is drawn, each equally likely (Fisher & Yates).
fn shuffled(stream: &mut RandomStream, order: &mut [u32]) {
    // From the same order each time, so that no order is part of the state.
    order.iter_mut().zip(0..).for_each(|(entry, index)| *entry = index);
    for last in (1..order.len()).rev() {
        order.swap(last, stream.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_equally_likely() {
        let mut stream = RandomStream::new(1, "test", 0);
        let mut counts = std::collections::BTreeMap::new();
        let mut order = [7; 3];
        for _ in 0..6_000 {
            shuffled(&mut stream, &mut order);
            *counts.entry(order).or_insert(0) += 1;
        }
        let chi_squared: f64 = counts.values().map(|count| (f64::from(*count) - 1e3).powi(2) / 1e3).sum();
        assert!(counts.len() == 6 && chi_squared < 20.5, "p < 0.001 for 5 degrees of freedom: {counts:?}");
        assert!(counts.keys().all(|order| (0..3).all(|index| order.contains(&index))));
    }
}
