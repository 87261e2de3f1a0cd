//! One step, one update.

use super::{EligibilityTrace, StreamingConfig, TraceCut, overshooting_bounded_step};
use crate::loss::greatest_allowed;
use crate::network::{Parameters, QNetwork};
use crate::self_acting::{KnownValues, LearnerError, StepOutcome, check_fit};
use crate::{
    BehaviourPolicy, EnvFailure, LearnMetrics, StateError, StateReader, StateWriter, Step, VectorEnv,
};
use crate::{ExplorationRates, NoiseSource};

/// An agent of [Stream Q(λ)](crate::streaming).
///
/// The network's own optimiser is not used. Noisy layers get fresh noise for each step.
pub struct StreamingLearner {
    envs: VectorEnv,
    policy: Box<dyn BehaviourPolicy>,
    network: Box<dyn QNetwork>,
    config: StreamingConfig,
    trace: EligibilityTrace,
    noise: NoiseSource,
    actions: [u32; 1],
    gradient_steps: u64,
    td_error: f32,
    /// `[action]`, at the observation and at the next one.
    q: Vec<f32>,
    next_q: Vec<f32>,
    d_output: Vec<f32>,
    gradient: Vec<f32>,
}

impl StreamingLearner {
    /// A learner that acts in the one environment of `envs` by `policy` on the values of `network`, and trains it.
    /// `seed` is the run's.
    ///
    /// # Errors
    /// Where a setting is not allowed, where there are several environments, or where the network does not fit
    /// them.
    pub fn new(
        envs: VectorEnv,
        policy: Box<dyn BehaviourPolicy>,
        network: Box<dyn QNetwork>,
        config: StreamingConfig,
        seed: u64,
    ) -> Result<Self, LearnerError> {
        config.check()?;
        if envs.len() != 1 {
            let message = format!("learning from a stream takes 1 environment, found {}", envs.len());
            return Err(LearnerError::new("envs", message));
        }
        let spec = network.spec();
        check_fit(spec, &envs)?;
        let trace = EligibilityTrace::new(&*network);
        let zeros = vec![0.0; spec.actions];
        Ok(Self {
            gradient: vec![0.0; trace.values().len()],
            trace,
            noise: NoiseSource::new(spec, seed, "online"),
            actions: [0],
            gradient_steps: 0,
            td_error: 0.0,
            q: zeros.clone(),
            next_q: zeros.clone(),
            d_output: zeros,
            envs,
            policy,
            network,
            config,
        })
    }

    /// Its environment.
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
    pub fn config(&self) -> &StreamingConfig {
        &self.config
    }

    /// The trace that the next gradient joins.
    pub fn trace(&self) -> &EligibilityTrace {
        &self.trace
    }

    /// The action of the latest step.
    pub fn actions(&self) -> &[u32] {
        &self.actions
    }

    /// The error δ of the latest step.
    pub fn td_error(&self) -> f32 {
        self.td_error
    }

    /// The updates made: one a step.
    pub fn gradient_steps(&self) -> u64 {
        self.gradient_steps
    }

    /// Begins an episode, with an empty trace.
    ///
    /// # Errors
    /// Where the environment fails.
    ///
    /// # Panics
    /// If there is not one seed.
    pub fn reset(&mut self, seeds: &[u64]) -> Result<(), EnvFailure> {
        self.trace.clear();
        self.policy.begin_episode(0);
        self.envs.reset(seeds)
    }

    /// Takes one step, exploring at `rates`, and learns from it with the step size α, 1 in the
    /// paper.
    ///
    /// # Errors
    /// Where the environment fails.
    pub fn step(
        &mut self,
        rates: impl Into<ExplorationRates>,
        step_size: f32,
    ) -> Result<StepOutcome, EnvFailure> {
        let Self { envs, policy, network, noise, actions, q, .. } = self;
        noise.refresh(&mut **network, Parameters::Online);
        network.forward_train(envs.observations(), q);
        policy.select(rates.into(), &mut KnownValues(q), envs.action_masks(), actions);
        let greatest = greatest_allowed(q, envs.action_masks());
        // Of several greatest values each is greedy.
        let greedy = q[actions[0] as usize] >= greatest;
        envs.step(actions)?;
        if envs.steps()[0].ended() {
            policy.begin_episode(0);
        }
        let step = envs.steps()[0];
        self.update(step, greedy, f64::from(step_size));
        let loss = 0.5 * self.td_error * self.td_error;
        let learned = Some(LearnMetrics { loss, q_mean: greatest });
        Ok(StepOutcome { gradient_steps: 1, learned })
    }

    /// Learns from `step`, which the latest action gave.
    fn update(&mut self, step: Step, greedy: bool, step_size: f64) {
        let StreamingConfig { gamma, lambda, kappa, trace_cut } = self.config;
        let action = self.actions[0] as usize;
        let error = step.reward + gamma * self.next_value(step) - f64::from(self.q[action]);

        let Self { network, trace, d_output, gradient, .. } = self;
        d_output.fill(0.0);
        d_output[action] = 1.0;
        network.backward(d_output);
        network.copy_gradient(gradient);
        if !greedy && trace_cut == TraceCut::BeforeExploring {
            trace.clear();
        }
        let norm = trace.accumulate((gamma * lambda) as f32, gradient);
        let step_size = overshooting_bounded_step(step_size, kappa, error, norm);
        network.add_to_parameters(Parameters::Online, (step_size * error) as f32, trace.values());
        if step.ended() || (!greedy && trace_cut == TraceCut::AfterExploring) {
            trace.clear();
        }
        self.td_error = error as f32;
        self.gradient_steps += 1;
    }

    /// The greatest value at the observation that `step` led to; 0 where nothing can be earned there.
    fn next_value(&mut self, step: Step) -> f64 {
        if step.terminated {
            return 0.0;
        }
        let Self { envs, network, next_q, .. } = self;
        let (observation, mask) = match step.truncated {
            true => (envs.final_observation(0), envs.final_action_mask(0)),
            false => (envs.observations(), envs.action_masks()),
        };
        network.forward(Parameters::Online, observation, next_q);
        f64::from(greatest_allowed(next_q, mask))
    }

    /// Writes all that its future depends on but the network, whose parameters are saved by themselves, as
    /// everywhere.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("streaming-learner");
        self.envs.save_state(state);
        self.policy.save_state(state);
        self.trace.save_state(&*self.network, state);
        self.noise.save_state(state);
        state.u64(self.gradient_steps);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a learner.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("streaming-learner")?;
        self.envs.load_state(state)?;
        self.policy.load_state(state)?;
        self.trace.load_state(&*self.network, state)?;
        self.noise.load_state(state)?;
        self.gradient_steps = state.u64("gradient steps")?;
        Ok(())
    }
}
