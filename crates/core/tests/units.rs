//! Row 12: each period counts its own unit, with several environments and several minibatches.

use std::sync::{Arc, Mutex};

use deepq_core::loss::{ErrorFunction, ExpectedLoss, TargetRule};
use deepq_core::network::{
    Initialization, NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork,
};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    ElementKind, Learner, LearnerConfig, Observation, Period, Progress, RandomStream, ResetConfig,
    StateError, StateReader, StateWriter, TargetUpdate, Transition,
};

/// What was asked of a network, in order: `S` a step of the optimiser, `T` an update of the target.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<String>>);

impl Calls {
    fn note(&self, call: char) {
        self.0.lock().unwrap().push(call);
    }

    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Observed {
    network: ReferenceNetwork,
    calls: Calls,
}

impl QNetwork for Observed {
    fn spec(&self) -> &NetworkSpec {
        self.network.spec()
    }
    fn layout(&self) -> &ParameterLayout {
        self.network.layout()
    }
    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        self.network.forward_at(parameters, observation, fractions, output);
    }
    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.network.forward_train_at(observation, fractions, output);
    }
    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        self.network.forward_features(parameters, observation, output);
    }
    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        self.network.set_noise(parameters, noise);
    }

    fn backward(&mut self, d_output: &[f32]) {
        self.network.backward(d_output);
    }
    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.calls.note('S');
        self.network.optimizer_step(learning_rate, max_gradient_norm);
    }
    fn reset_optimizer(&mut self) {
        self.calls.note('R');
        self.network.reset_optimizer();
    }
    fn update_target(&mut self, tau: f32) {
        self.calls.note('T');
        self.network.update_target(tau);
    }
    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.network.parameters(which)
    }
    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        self.network.set_parameters(which, values);
    }
    fn gradient(&self) -> Vec<f32> {
        self.network.gradient()
    }
    fn gradient_steps(&self) -> u64 {
        self.network.gradient_steps()
    }
    fn save_optimizer(&self, state: &mut StateWriter) {
        self.network.save_optimizer(state);
    }
    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.network.load_optimizer(state)
    }
}

/// A learner with batches of `batch_size` in minibatches of 2, and a store with something in it.
fn learner(batch_size: usize, period: Period) -> (Learner, ReplayStore, Calls) {
    learner_with(batch_size, TargetUpdate { tau: 1.0, period }, None)
}

fn learner_with(
    batch_size: usize,
    target_update: TargetUpdate,
    reset: Option<ResetConfig>,
) -> (Learner, ReplayStore, Calls) {
    let spec = NetworkSpec::mlp(1, &[], 2, Initialization::FanInUniform);
    let calls = Calls::default();
    let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &[0.1, 0.2, 0.3, 0.4]);
    let config =
        LearnerConfig { batch_size, minibatch_size: 2, max_gradient_norm: None, reset, target_update };
    let loss = ExpectedLoss::new(TargetRule::Q_LEARNING, ErrorFunction::Squared);
    let network = Observed { network, calls: calls.clone() };
    let mut store = ReplayStore::new(ReplayStoreConfig {
        capacity: 8,
        envs: 1,
        actions: 2,
        n_step: 1,
        element: ElementKind::F32,
        observation_len: 1,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: false,
    });
    store.push_observations(Observation::F32(&[1.0]), &[], |_| true);
    let at = store.newest(0);
    store.push(Transition { observation: at, action: 1, reward: 1.0, discount: 0.5, next_observation: at });
    (Learner::new(Box::new(network), Box::new(loss), config, 1), store, calls)
}

fn learn(learner: &mut Learner, store: &ReplayStore) {
    let mut sampler = Sampler::new(SamplerConfig::Uniform, 8);
    learner.learn(store, &mut sampler, &mut RandomStream::new(1, "replay", 0), Progress::default(), 1e-3);
}

fn progress(env_steps: u64, gradient_steps: u64, episodes: u64) -> Progress {
    Progress { env_steps, gradient_steps, episodes }
}

/// Counted in steps of the optimiser, not in batches sampled, also where it falls between two minibatches.
#[test]
fn row_12_a_target_period_in_gradient_steps_counts_minibatches() {
    let (mut learner, store, calls) = learner(4, Period::GradientSteps { every: 3 });
    for expected in ["SS", "STS", "SST", "SS", "STS", "SST"] {
        learn(&mut learner, &store);
        assert_eq!(calls.take(), expected);
        learner.follow(progress(0, 0, 0), progress(1000, 1000, 1000));
        assert_eq!(calls.take(), "", "env steps and episodes do not count here");
    }
}

/// A last minibatch that is smaller than the others is a gradient step too.
#[test]
fn row_12_an_incomplete_minibatch_is_a_step() {
    let (mut learner, store, calls) = learner(5, Period::GradientSteps { every: 1 });
    learn(&mut learner, &store);
    assert_eq!(calls.take(), "STSTST");
}

/// Counted in env steps over all environments: eight step at a time, and every multiple counts once.
#[test]
fn row_12_a_target_period_in_env_steps_counts_all_environments() {
    let (mut learner, store, calls) = learner(2, Period::EnvSteps { every: 20 });
    for step in 0..100u64 {
        learn(&mut learner, &store);
        let (before, now) = (progress(8 * step, step, 0), progress(8 * (step + 1), step + 1, 0));
        learner.follow(before, now);
    }
    let calls = calls.take();
    assert_eq!(calls.matches('T').count(), 800 / 20);
    // Steps 20, 40, 60 are passed with vector steps 3, 5, 8.
    assert!(calls.starts_with("SSSTSSTSSST"), "{calls}");
}

/// Four environments pass four env steps at once: the target network goes as far as in four steps of one.
#[test]
fn row_12_a_soft_update_in_env_steps_counts_all_environments() {
    let update = TargetUpdate { tau: 0.1, period: Period::EnvSteps { every: 1 } };
    let target = |at_once: u64| {
        let (mut learner, store, _) = learner_with(2, update, None);
        learn(&mut learner, &store);
        for step in 0..4 / at_once {
            learner.follow(progress(at_once * step, 1, 0), progress(at_once * (step + 1), 1, 0));
        }
        learner.network().parameters(Parameters::Target)
    };
    let (one, four) = (target(1), target(4));
    for (one, four) in one.iter().zip(&four) {
        assert!((one - four).abs() < 1e-7, "{one} in four steps, {four} in one");
    }
}

/// The targets of a batch's minibatches are those of the network before a reset, which waits for the last of them.
#[test]
fn a_reset_waits_for_the_end_of_its_batch() {
    let reset = ResetConfig { period: Period::GradientSteps { every: 3 }, keep_encoder: 0.0, keep_rest: 0.0 };
    let update = TargetUpdate { tau: 1.0, period: Period::EnvSteps { every: 1 } };
    let (mut learner, store, calls) = learner_with(4, update, Some(reset));
    for expected in ["SS", "SSR", "SSR", "SS", "SSR"] {
        learn(&mut learner, &store);
        assert_eq!(calls.take(), expected);
    }
}

#[test]
fn row_12_a_target_period_in_episodes_counts_episodes() {
    let (mut learner, store, calls) = learner(2, Period::Episodes { every: 10, first: Some(1) });
    let mut updates = vec![];
    for episode in 0..25u64 {
        learn(&mut learner, &store);
        learner.follow(
            progress(500 * episode, episode, episode),
            progress(500 * (episode + 1), episode + 1, episode + 1),
        );
        if calls.take().contains('T') {
            updates.push(episode + 1);
        }
    }
    assert_eq!(updates, [1, 11, 21]);
}
