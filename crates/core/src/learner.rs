//! The part of a run that learns.

use serde::{Deserialize, Serialize};

use crate::loss::{At, Loss, LossResult, Output, greatest};
use crate::network::{Parameters, QNetwork};
use crate::replay::{Batch, ReplayStore, Sampler};
use crate::{Period, Progress, RandomStream};

/// The greatest number of forward passes a loss may ask for.
const MOST_PASSES: usize = 4;

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
}

/// What one sampled batch taught.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LearnMetrics {
    /// The weighted mean loss.
    pub loss: f32,
    /// The mean over the batch of the greatest value at the observation.
    pub q_mean: f32,
}

/// Samples, computes losses and moves the network.
pub struct Learner {
    network: Box<dyn QNetwork>,
    loss: Box<dyn Loss>,
    config: LearnerConfig,
    batch: Batch,
    indices: Vec<u32>,
    /// One buffer a pass: `[batch][action][atom]`, the trained one `[minibatch][action][atom]`.
    outputs: Vec<Vec<f32>>,
    losses: Vec<f32>,
    td_errors: Vec<f32>,
    d_output: Vec<f32>,
}

impl Learner {
    /// A learner that trains `network` on `loss`.
    ///
    /// # Panics
    /// If the minibatch size is 0 or greater than the batch size, or if the loss asks for no forward pass, for
    /// more than 4, or for a first one that is not the online network's at the observation.
    pub fn new(network: Box<dyn QNetwork>, loss: Box<dyn Loss>, config: LearnerConfig) -> Self {
        let LearnerConfig { batch_size, minibatch_size, .. } = config;
        assert!(0 < minibatch_size && minibatch_size <= batch_size, "{config:?}");
        let passes = loss.passes();
        assert!((1..=MOST_PASSES).contains(&passes.len()), "1 to {MOST_PASSES} passes, found {passes:?}");
        let trained = (passes[0].parameters, passes[0].at);
        assert_eq!(trained, (Parameters::Online, At::Observation), "the first pass is the trained one");
        let (spec, width) = (network.spec(), network.spec().outputs());
        let batch = Batch::zeros(batch_size, spec.element, spec.inputs());
        let rows = |pass| if pass == 0 { minibatch_size } else { batch_size };
        let outputs = (0..passes.len()).map(|pass| vec![0.0; rows(pass) * width]).collect();
        Self {
            config,
            batch,
            indices: vec![0; batch_size],
            outputs,
            losses: vec![0.0; batch_size],
            td_errors: vec![0.0; batch_size],
            d_output: vec![0.0; minibatch_size * width],
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
        sampler.sample(store, progress, stream, &mut self.indices, &mut self.batch.weight);
        store.gather(&self.indices, &mut self.batch);
        let metrics = self.learn_from_batch(learning_rate);
        sampler.update(&self.indices, &self.td_errors);
        metrics
    }

    fn learn_from_batch(&mut self, learning_rate: f32) -> LearnMetrics {
        self.run_untrained_passes();
        let (mut metrics, batch_size) = (LearnMetrics::default(), self.batch.len());
        let mut start = 0;
        while start < batch_size {
            let end = (start + self.config.minibatch_size).min(batch_size);
            let q_sum = self.train_on(start..end, learning_rate);
            let loss_sum: f32 = (start..end).map(|b| self.batch.weight[b] * self.losses[b]).sum();
            metrics.loss += loss_sum / batch_size as f32;
            metrics.q_mean += q_sum / batch_size as f32;
            start = end;
        }
        metrics
    }

    /// All forward passes but the trained one, over the whole batch.
    fn run_untrained_passes(&mut self) {
        for (pass, output) in self.loss.passes().iter().zip(&mut self.outputs).skip(1) {
            let observation = match pass.at {
                At::Observation => &self.batch.observation,
                At::NextObservation => &self.batch.next_observation,
            };
            self.network.forward(pass.parameters, observation.as_observation(), output);
        }
    }

    /// One gradient step on the transitions `rows` of the batch; gives the sum of their greatest values.
    fn train_on(&mut self, rows: std::ops::Range<usize>, learning_rate: f32) -> f32 {
        let spec = self.network.spec();
        let (actions, atoms, inputs, width) = (spec.actions, spec.atoms, spec.inputs(), spec.outputs());
        let count = rows.len();
        let observation = self.batch.observation.slice(rows.start * inputs..rows.end * inputs);
        self.network.forward_train(observation, &mut self.outputs[0][..count * width]);

        // No loss asks for more passes than this; an array spares an allocation in every gradient step.
        let mut outputs = [Output { values: &[], actions, atoms, fractions: &[] }; MOST_PASSES];
        for (pass, values) in self.outputs.iter().enumerate() {
            // The trained pass has run on these rows alone, the others on the whole batch.
            let first = if pass == 0 { 0 } else { rows.start };
            outputs[pass].values = &values[first * width..(first + count) * width];
        }
        let d_output = &mut self.d_output[..count * width];
        let mut result = LossResult {
            loss: &mut self.losses[rows.clone()],
            td_error: &mut self.td_errors[rows.clone()],
            d_output,
            d_fractions: &mut [],
        };
        let transitions = self.batch.transitions(rows.clone());
        self.loss.evaluate(transitions, &outputs[..self.outputs.len()], &mut result);

        // The mean over the minibatch, weighted: here and not in the loss, so that no loss can forget it.
        for (row, weight) in d_output.chunks_exact_mut(width).zip(&self.batch.weight[rows]) {
            let scale = weight / count as f32;
            row.iter_mut().for_each(|d| *d *= scale);
        }
        self.network.backward(d_output);
        self.network.optimizer_step(learning_rate, self.config.max_gradient_norm);
        self.follow_gradient_step();
        self.outputs[0][..count * width].chunks_exact(width).map(greatest).sum()
    }

    fn follow_gradient_step(&mut self) {
        let TargetUpdate { tau, period } = self.config.target_update;
        let gradient_steps = self.network.gradient_steps();
        if let Period::GradientSteps { every } = period
            && gradient_steps.is_multiple_of(every)
        {
            self.network.update_target(tau);
        }
    }

    /// Lets the target network follow where its period counts env steps or episodes and lies between two
    /// points of the run.
    pub fn follow(&mut self, before: Progress, now: Progress) {
        let TargetUpdate { tau, period } = self.config.target_update;
        let counted_here = !matches!(period, Period::GradientSteps { .. });
        if counted_here && period.passed(before, now) {
            self.network.update_target(tau);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{Pass, Transitions};
    use crate::network::{Initialization, NetworkSpec, OptimizerConfig};
    use crate::testing::ReferenceNetwork;

    struct Asks(Vec<Pass>);

    impl Loss for Asks {
        fn passes(&self) -> &[Pass] {
            &self.0
        }

        fn evaluate(&mut self, _: Transitions<'_>, _: &[Output<'_>], _: &mut LossResult<'_>) {}
    }

    const TRAINED: Pass = Pass::new(Parameters::Online, At::Observation);

    fn learner_with(passes: &[Pass]) -> Learner {
        let spec = NetworkSpec::mlp(1, &[], 1, Initialization::FanInUniform);
        let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &[0.0; 2]);
        let target_update = TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 1 } };
        let config =
            LearnerConfig { batch_size: 1, minibatch_size: 1, max_gradient_norm: None, target_update };
        Learner::new(Box::new(network), Box::new(Asks(passes.to_vec())), config)
    }

    #[test]
    fn up_to_the_most_passes_are_taken() {
        learner_with(&[TRAINED]);
        learner_with(&[TRAINED; MOST_PASSES]);
    }

    #[test]
    #[should_panic(expected = "1 to 4 passes, found []")]
    fn no_pass_is_refused() {
        learner_with(&[]);
    }

    #[test]
    #[should_panic(expected = "1 to 4 passes")]
    fn too_many_passes_are_refused() {
        learner_with(&[TRAINED; MOST_PASSES + 1]);
    }

    #[test]
    #[should_panic(expected = "the first pass is the trained one")]
    fn a_first_pass_that_is_not_trained_is_refused() {
        learner_with(&[Pass { parameters: Parameters::Target, ..TRAINED }, TRAINED]);
    }
}
