//! The part of a run that learns.

mod passes;

use serde::{Deserialize, Serialize};

use crate::loss::{Loss, LossResult, Output, Readout, allows, greatest_allowed, mask_row};
use crate::network::{Parameters, QNetwork};
use crate::replay::{Batch, ReplayStore, Sampler};
use crate::{
    FractionProposal, NoiseSource, Period, Progress, RandomStream, ResetConfig, StateError, StateReader,
    StateWriter,
};
use passes::{MOST_PASSES, PassBuffers};

/// How the target network follows the online one: `target ← target + tau · (online − target)` every `period`.
///
/// A `tau` of 1 is a hard update (Mnih et al. 2015), a small one Polyak averaging (Lillicrap et al. 2016).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetUpdate {
    /// How far it moves, in (0, 1].
    pub tau: f32,
    /// How often, and counted in what.
    pub period: Period,
}

/// How a learner learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnerConfig {
    /// Transitions sampled at a time.
    pub batch_size: usize,
    /// Transitions of one gradient step. Where it is less than the batch size, one sampled batch gives several
    /// gradient steps, with targets computed once, before the first.
    pub minibatch_size: usize,
    /// The greatest L2 norm of the gradient; longer ones are scaled down to it.
    pub max_gradient_norm: Option<f32>,
    /// How the target network follows.
    pub target_update: TargetUpdate,
    /// When the network begins anew, in whole or in part.
    pub reset: Option<ResetConfig>,
}

/// What one sampled batch taught.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LearnMetrics {
    /// The weighted mean loss.
    pub loss: f32,
    /// The mean over the batch of the greatest value at the observation: of the actions allowed there, but in a
    /// rollout, which keeps no masks, of all. Quantiles count with equal weights, proposed ones too.
    pub q_mean: f32,
}

/// Samples, computes losses and moves the network.
pub struct Learner {
    network: Box<dyn QNetwork>,
    loss: Box<dyn Loss>,
    config: LearnerConfig,
    batch: Batch,
    indices: Vec<u32>,
    passes: PassBuffers,
    losses: Vec<f32>,
    td_errors: Vec<f32>,
    d_output: Vec<f32>,
    d_fractions: Vec<f32>,
    online_noise: NoiseSource,
    target_noise: NoiseSource,
    reset_stream: RandomStream,
}

impl Learner {
    /// A learner that trains `network` on `loss`. What it draws comes from the run's `seed`.
    ///
    /// # Panics
    /// If the minibatch size is 0 or greater than the batch size, if the loss asks for no forward pass, for
    /// more than 6, or for a first one that is not the online network's at the observation, or if it asks for
    /// proposed fractions.
    pub fn new(network: Box<dyn QNetwork>, loss: Box<dyn Loss>, config: LearnerConfig, seed: u64) -> Self {
        Self::with_proposal(network, loss, config, seed, None)
    }

    /// The same with fractions that `proposal` proposes, where the loss asks for some. It learns beside the network.
    ///
    /// # Panics
    /// As [`new`](Self::new), if there are proposals and the loss asks for none or the other way round, or if it asks
    /// for them and a batch has several minibatches.
    pub fn with_proposal(
        network: Box<dyn QNetwork>,
        loss: Box<dyn Loss>,
        config: LearnerConfig,
        seed: u64,
        proposal: Option<FractionProposal>,
    ) -> Self {
        let LearnerConfig { batch_size, minibatch_size, .. } = config;
        assert!(0 < minibatch_size && minibatch_size <= batch_size, "{config:?}");
        let spec = network.spec();
        let batch = Batch::zeros(batch_size, spec.element, spec.inputs());
        let passes = PassBuffers::new(loss.passes(), spec, &config, seed, proposal);
        Self {
            config,
            batch,
            indices: vec![0; batch_size],
            losses: vec![0.0; batch_size],
            td_errors: vec![0.0; batch_size],
            d_output: vec![0.0; minibatch_size * passes.width(0)],
            d_fractions: vec![0.0; passes.proposed_len()],
            passes,
            online_noise: NoiseSource::new(spec, seed, "online"),
            target_noise: NoiseSource::new(spec, seed, "target"),
            reset_stream: RandomStream::new(seed, "reset", 0),
            network,
            loss,
        }
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
    pub fn config(&self) -> &LearnerConfig {
        &self.config
    }

    /// The TD errors of the latest batch, in the order it was sampled.
    pub fn td_errors(&self) -> &[f32] {
        &self.td_errors
    }

    /// The latest batch, and the slots of the store it came from.
    pub fn batch(&self) -> (&Batch, &[u32]) {
        (&self.batch, &self.indices)
    }

    /// Samples a batch and takes one gradient step on each of its minibatches. The target network follows
    /// where its period counts gradient steps, and the sampler is told of the errors. `progress` is that of the run.
    pub fn learn(
        &mut self,
        store: &ReplayStore,
        sampler: &mut Sampler,
        stream: &mut RandomStream,
        progress: Progress,
        learning_rate: f32,
    ) -> LearnMetrics {
        let (minibatch_size, weights) = (self.config.minibatch_size, &mut self.batch.weight);
        sampler.sample_minibatches(store, progress, stream, minibatch_size, &mut self.indices, weights);
        store.gather(&self.indices, &mut self.batch);
        let metrics = self.learn_from_batch(learning_rate);
        sampler.update(&self.indices, &self.td_errors);
        metrics
    }

    fn learn_from_batch(&mut self, learning_rate: f32) -> LearnMetrics {
        let network = &mut *self.network;
        self.passes.draw_fractions();
        // Noise of its own for each use: the pass that chooses an action has another than the one that is trained.
        self.target_noise.refresh(network, Parameters::Target);
        self.online_noise.refresh(network, Parameters::Online);
        self.passes.run_untrained(network, &self.batch);
        let (mut metrics, batch_size) = (LearnMetrics::default(), self.batch.len());
        let before = Progress { gradient_steps: self.network.gradient_steps(), ..Progress::default() };
        let mut start = 0;
        while start < batch_size {
            let end = (start + self.config.minibatch_size).min(batch_size);
            let q_sum = self.train_on(start..end, learning_rate);
            let loss_sum: f32 = (start..end).map(|b| self.batch.weight[b] * self.losses[b]).sum();
            metrics.loss += loss_sum / batch_size as f32;
            metrics.q_mean += q_sum / batch_size as f32;
            start = end;
        }
        // After the last minibatch: the targets of all of them are of the network before a reset.
        let now = Progress { gradient_steps: self.network.gradient_steps(), ..Progress::default() };
        self.reset_if_due(before, now);
        metrics
    }

    /// One gradient step on the transitions `rows` of the batch; gives the sum of their greatest values.
    fn train_on(&mut self, rows: std::ops::Range<usize>, learning_rate: f32) -> f32 {
        let count = rows.len();
        self.online_noise.refresh(&mut *self.network, Parameters::Online);
        self.passes.run_trained(&mut *self.network, &self.batch, rows.clone());
        let mut outputs = [Output { values: &[], actions: 0, atoms: 0, fractions: &[] }; MOST_PASSES];
        let passes = self.passes.outputs(rows.clone(), &mut outputs);
        let outputs = &outputs[..passes];
        let width = self.passes.width(0);
        let d_output = &mut self.d_output[..count * width];
        let mut result = LossResult {
            loss: &mut self.losses[rows.clone()],
            td_error: &mut self.td_errors[rows.clone()],
            d_output,
            d_fractions: &mut self.d_fractions,
        };
        let transitions = self.batch.transitions(rows.clone());
        self.loss.evaluate(transitions, outputs, &mut result);
        let readout = self.loss.readout();
        let mask = |b| mask_row(transitions.mask, b, outputs[0].actions);
        let q_sum = (0..count).map(|b| greatest_value(&outputs[0], b, readout, mask(b))).sum();

        // The mean over the minibatch, weighted: here and not in the loss, so that no loss can forget it.
        let weights = &self.batch.weight[rows];
        weigh(d_output, weights, count);
        self.network.backward(d_output);
        self.network.optimizer_step(learning_rate, self.config.max_gradient_norm);
        if !self.d_fractions.is_empty() {
            weigh(&mut self.d_fractions, weights, count);
            self.passes.learn_proposals(&self.d_fractions);
        }
        self.follow_gradient_step();
        q_sum
    }

    /// Lets the target network follow where its period counts gradient steps.
    fn follow_gradient_step(&mut self) {
        let TargetUpdate { tau, period } = self.config.target_update;
        if let Period::GradientSteps { every } = period
            && self.network.gradient_steps().is_multiple_of(every)
        {
            self.network.update_target(tau);
        }
    }

    /// Lets the target network follow where its period counts env steps or episodes and lies between two
    /// points of the run. Where it lies there several times, as with several environments, it follows as far as in so
    /// many steps.
    pub fn follow(&mut self, before: Progress, now: Progress) {
        let TargetUpdate { tau, period } = self.config.target_update;
        if !matches!(period, Period::GradientSteps { .. }) {
            match period.times(now) - period.times(before) {
                0 => {}
                1 => self.network.update_target(tau),
                times => self.network.update_target(tau_of_several(tau, times)),
            }
        }
        let steps_apart = |progress| Progress { gradient_steps: 0, ..progress };
        self.reset_if_due(steps_apart(before), steps_apart(now));
    }

    fn reset_if_due(&mut self, before: Progress, now: Progress) {
        if let Some(reset) = self.config.reset.filter(|reset| reset.period.passed(before, now)) {
            reset.apply(&mut *self.network, &mut self.reset_stream);
            self.passes.reset_proposals();
        }
    }

    /// Writes all that it draws and all that it trains beside the network, whose parameters and optimiser are not part
    /// of it.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("learner");
        self.online_noise.save_state(state);
        self.target_noise.save_state(state);
        self.reset_stream.save_state(state);
        self.passes.save_state(state);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of such a learner.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("learner")?;
        self.online_noise.load_state(state)?;
        self.target_noise.load_state(state)?;
        self.reset_stream.load_state(state)?;
        self.passes.load_state(state)
    }
}

/// The share of the way that `times` steps of `tau` go: `1 − (1 − tau)^times`.
fn tau_of_several(tau: f32, times: u64) -> f32 {
    let mut kept = 1.0f64;
    for _ in 0..times {
        kept *= 1.0 - f64::from(tau);
        if kept == 0.0 {
            break;
        }
    }
    (1.0 - kept) as f32
}

/// Scales the rows of a gradient so that their sum is the weighted mean.
fn weigh(gradient: &mut [f32], weights: &[f32], count: usize) {
    let width = gradient.len() / count;
    for (row, weight) in gradient.chunks_exact_mut(width).zip(weights) {
        let scale = weight / count as f32;
        row.iter_mut().for_each(|d| *d *= scale);
    }
}

/// The greatest action value of a row, of the actions that a mask allows.
fn greatest_value(output: &Output<'_>, b: usize, readout: &Readout, mask: &[bool]) -> f32 {
    match readout {
        Readout::Expected => greatest_allowed(output.row(b), mask),
        _ => (0..output.actions)
            .filter(|action| allows(mask, *action))
            .map(|action| readout.value(output.atoms_of(b, action)))
            .fold(f32::NEG_INFINITY, f32::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{At, Pass, Transitions};
    use crate::network::{Initialization, NetworkSpec, OptimizerConfig};
    use crate::testing::ReferenceNetwork;

    struct Asks(Vec<Pass>);

    impl Loss for Asks {
        fn passes(&self) -> &[Pass] {
            &self.0
        }

        fn readout(&self) -> &Readout {
            &Readout::Expected
        }

        fn evaluate(&mut self, _: Transitions<'_>, _: &[Output<'_>], _: &mut LossResult<'_>) {}
    }

    const TRAINED: Pass = Pass::new(Parameters::Online, At::Observation);

    fn learner_with(passes: &[Pass]) -> Learner {
        let spec = NetworkSpec::mlp(1, &[], 1, Initialization::FanInUniform);
        let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &[0.0; 2]);
        let target_update = TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 1 } };
        let config = LearnerConfig {
            batch_size: 1,
            minibatch_size: 1,
            max_gradient_norm: None,
            target_update,
            reset: None,
        };
        Learner::new(Box::new(network), Box::new(Asks(passes.to_vec())), config, 1)
    }

    #[test]
    fn up_to_the_most_passes_are_taken() {
        learner_with(&[TRAINED]);
        learner_with(&[TRAINED; MOST_PASSES]);
    }

    #[test]
    #[should_panic(expected = "1 to 6 passes, found []")]
    fn no_pass_is_refused() {
        learner_with(&[]);
    }

    #[test]
    #[should_panic(expected = "1 to 6 passes")]
    fn too_many_passes_are_refused() {
        learner_with(&[TRAINED; MOST_PASSES + 1]);
    }

    #[test]
    #[should_panic(expected = "the first pass is the trained one")]
    fn a_first_pass_that_is_not_trained_is_refused() {
        learner_with(&[Pass { parameters: Parameters::Target, ..TRAINED }, TRAINED]);
    }
}
