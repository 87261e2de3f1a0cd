//! A whole agent on an environment whose values are known.

use crate::loss::Loss;
use crate::network::{Parameters, QNetwork};
use crate::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use crate::{
    Actor, ActorConfig, Env, EpsilonGreedy, ExplorationRates, Learner, LearnerConfig, Observation, Period,
    Progress, RandomStream, TargetUpdate, VectorEnv,
};

/// What a network should say of one action at one observation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedValue {
    /// The observation.
    pub observation: Vec<f32>,
    /// The action.
    pub action: usize,
    /// The value.
    pub q: f64,
}

/// How [`train_on_probe`] trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeTraining {
    /// The discount factor of a step.
    pub gamma: f64,
    /// Steps that a transition spans.
    pub n_step: usize,
    /// Whether a truncated episode is learned as one that goes on, which is right.
    pub bootstrap_at_truncation: bool,
    /// Environments stepped together.
    pub envs: usize,
    /// Gradient steps; before each, every environment makes a step.
    pub gradient_steps: u64,
    /// Transitions of a gradient step.
    pub batch_size: usize,
    /// The learning rate of the first half; in the second half it falls to 0 in a straight line.
    pub learning_rate: f32,
    /// After how many gradient steps the target network is overwritten.
    pub target_every: u64,
    /// The probability of exploring.
    pub epsilon: f64,
    /// The seed of everything random.
    pub seed: u64,
}

impl Default for ProbeTraining {
    fn default() -> Self {
        Self {
            gamma: 0.9,
            n_step: 1,
            bootstrap_at_truncation: true,
            envs: 2,
            gradient_steps: 1000,
            batch_size: 32,
            learning_rate: 0.02,
            target_every: 20,
            epsilon: 0.5,
            seed: 1,
        }
    }
}

/// Env steps taken before the first gradient step.
const WARM_UP: usize = 64;

/// Trains `network` on environments made by `make_env`, by the same parts as every run: actor, n-step returns,
/// replay of the latest 512 transitions, learner. Gives the learner with the trained network.
///
/// # Panics
/// If an environment fails.
pub fn train_on_probe(
    network: Box<dyn QNetwork>,
    loss: Box<dyn Loss>,
    make_env: impl Fn() -> Box<dyn Env>,
    training: &ProbeTraining,
) -> Learner {
    let &ProbeTraining { gamma, n_step, envs, batch_size, epsilon, seed, .. } = training;
    let env_list = (0..envs).map(|_| make_env()).collect();
    let vector_env = VectorEnv::new(env_list).unwrap_or_else(|error| panic!("{error}"));
    let actions = vector_env.spec().actions;
    let config = ReplayStoreConfig {
        capacity: 512,
        envs,
        actions,
        n_step,
        element: vector_env.element(),
        observation_len: vector_env.observation_len(),
        stacked_frames: 1,
        stack_padding: crate::StackPadding::Reset,
        action_masks: vector_env.spec().action_masks,
    };
    let mut store = ReplayStore::new(config);
    let policy = Box::new(EpsilonGreedy::new(seed, envs, actions));
    let bootstrap_at_truncation = training.bootstrap_at_truncation;
    let mut actor = Actor::new(vector_env, policy, ActorConfig { n_step, gamma, bootstrap_at_truncation });
    let target_update =
        TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: training.target_every } };
    let config = LearnerConfig {
        batch_size,
        minibatch_size: batch_size,
        max_gradient_norm: None,
        target_update,
        reset: None,
    };
    let mut learner = Learner::new(network, loss, config, seed);
    let mut sampler = Sampler::new(SamplerConfig::Uniform, 512);
    let mut stream = RandomStream::new(seed, "replay", 0);

    let seeds: Vec<u64> = (0..envs as u64).map(|env| seed + env).collect();
    actor.reset(&seeds, &mut store).unwrap_or_else(|error| panic!("{error}"));
    let mut act = |learner: &mut Learner, store: &mut ReplayStore| {
        let stepped = actor.step(learner.network_mut(), ExplorationRates::epsilon(epsilon), store);
        stepped.unwrap_or_else(|error| panic!("{error}"));
    };
    (0..WARM_UP).for_each(|_| act(&mut learner, &mut store));
    for gradient_step in 0..training.gradient_steps {
        act(&mut learner, &mut store);
        let left = 1.0 - gradient_step as f32 / training.gradient_steps as f32;
        let learning_rate = training.learning_rate * (2.0 * left).min(1.0);
        let progress = Progress { gradient_steps: gradient_step, ..Progress::default() };
        learner.learn(&store, &mut sampler, &mut stream, progress, learning_rate);
    }
    learner
}

/// The greatest distance between the online network's values and the expected ones.
///
/// # Panics
/// If nothing is expected, or if a value is not a number.
pub fn greatest_error(network: &mut dyn QNetwork, expected: &[ExpectedValue]) -> f64 {
    assert!(!expected.is_empty(), "at least one value is expected");
    let mut output = vec![0.0; network.spec().outputs()];
    let atoms = network.spec().atoms;
    let mut greatest = 0.0f64;
    for ExpectedValue { observation, action, q } in expected {
        network.forward(Parameters::Online, Observation::F32(observation), &mut output);
        let mean = output[action * atoms..(action + 1) * atoms].iter().sum::<f32>() / atoms as f32;
        let error = (f64::from(mean) - q).abs();
        assert!(error.is_finite(), "the value of action {action} at {observation:?} is {mean}");
        greatest = greatest.max(error);
    }
    greatest
}
