//! PQN: what it learns, what it computes, and that it resumes.

use deepq_core::network::{Initialization, LayerSpec, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::rollout::{Trajectories, lambda_returns};
use deepq_core::testing::{Chain, ExpectedValue, Probe, ProbeEnv, ReferenceNetwork, greatest_error};
use deepq_core::{
    Env, EpsilonGreedy, Observation, RandomStream, RolloutConfig, RolloutLearner, StateError, StateReader,
    StateWriter, VectorEnv,
};

type MakeEnv = fn() -> Box<dyn Env>;

const ENVS: usize = 4;
const CONFIG: RolloutConfig = RolloutConfig {
    steps: 8,
    minibatches: 4,
    epochs: 2,
    gamma: 0.9,
    lambda: 0.65,
    max_gradient_norm: Some(10.0),
};

fn vector_env(make_env: &dyn Fn() -> Box<dyn Env>) -> VectorEnv {
    VectorEnv::new((0..ENVS).map(|_| make_env()).collect()).unwrap()
}

fn network(spec: &NetworkSpec, seed: u64) -> Box<dyn QNetwork> {
    network_with(OptimizerConfig::default(), spec, seed)
}

fn network_with(optimizer: OptimizerConfig, spec: &NetworkSpec, seed: u64) -> Box<dyn QNetwork> {
    let initial = spec.initial_parameters(&mut RandomStream::new(seed, "initialization", 0)).unwrap();
    Box::new(ReferenceNetwork::new(spec, optimizer, &initial))
}

/// A learner with its first observations.
fn learner(
    make_env: &dyn Fn() -> Box<dyn Env>,
    spec: &NetworkSpec,
    config: RolloutConfig,
    seed: u64,
) -> RolloutLearner {
    let envs = vector_env(make_env);
    let policy = Box::new(EpsilonGreedy::new(seed, ENVS, envs.spec().actions));
    let mut learner = RolloutLearner::new(envs, policy, network(spec, seed), config, seed).unwrap();
    learner.reset(&[seed, seed + 1, seed + 2, seed + 3]).unwrap();
    learner
}

fn mlp(make_env: &dyn Fn() -> Box<dyn Env>, hidden: &[usize]) -> NetworkSpec {
    let envs = vector_env(make_env);
    NetworkSpec::mlp(envs.observation_len(), hidden, envs.spec().actions, Initialization::FanInUniform)
}

/// Trains with a learning rate that falls to 0 over the second half; gives how far off the values are then.
fn error_after(
    make_env: &dyn Fn() -> Box<dyn Env>,
    hidden: &[usize],
    (config, rollouts, rate): (RolloutConfig, u64, f32),
    expected: &[ExpectedValue],
) -> f64 {
    let mut learner = learner(make_env, &mlp(make_env, hidden), config, 3);
    let total = (rollouts * (config.epochs * config.minibatches) as u64) as f32;
    let mut gradient_steps = 0;
    for _ in 0..rollouts * config.steps as u64 {
        let outcome = learner.step(0.5, |done| rate * (2.0 * (1.0 - done as f32 / total)).min(1.0)).unwrap();
        gradient_steps += outcome.gradient_steps;
        assert_eq!(gradient_steps, learner.gradient_steps());
    }
    assert_eq!(gradient_steps as f32, total);
    greatest_error(learner.network_mut(), expected)
}

/// Rows 1 and 20.
#[test]
fn row_20_pqn_learns_the_values_of_every_probe() {
    for probe in Probe::ALL {
        for (lambda, minibatches, epochs) in [(0.0, 4, 2), (0.65, 4, 2), (1.0, 2, 4)] {
            let gamma = if probe == Probe::EndlessReward { 0.8 } else { 0.9 };
            let config = RolloutConfig { gamma, lambda, minibatches, epochs, ..CONFIG };
            let make_env = || -> Box<dyn Env> { Box::new(ProbeEnv::new(probe)) };
            let error = error_after(&make_env, &[8], (config, 150, 0.02), &probe.expected(gamma));
            assert!(error < 0.02, "{probe:?}, λ {lambda}: off by {error}");
        }
    }
}

/// With λ above 0 the returns are in part those of the behaviour policy, whose values these are not.
#[test]
fn row_20_a_chain_has_the_values_of_value_iteration() {
    for gamma in [0.7, 0.9] {
        let config = RolloutConfig { gamma, lambda: 0.0, ..CONFIG };
        let make_env = || -> Box<dyn Env> { Box::new(Chain::new(5)) };
        let error = error_after(&make_env, &[], (config, 300, 0.05), &Chain::new(5).expected(gamma));
        assert!(error < 0.02, "gamma {gamma}: off by {error}");
    }
}

/// The rollout of a learner, played once more by its actions, with the values of a copy of its network.
struct Replayed {
    observations: Vec<f32>,
    actions: Vec<u32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    bootstrap: Vec<f32>,
}

fn replay(
    learner: &mut RolloutLearner,
    copy: &mut dyn QNetwork,
    make_env: MakeEnv,
    seeds: &[u64],
) -> Replayed {
    let mut envs = vector_env(&make_env);
    envs.reset(seeds).unwrap();
    let mut all = Replayed {
        observations: vec![],
        actions: vec![],
        reward: vec![],
        terminated: vec![],
        truncated: vec![],
        bootstrap: vec![],
    };
    let len = envs.observation_len();
    let mut q = vec![0.0; envs.spec().actions];
    for _ in 0..learner.config().steps {
        let Observation::F32(values) = envs.observations() else { panic!("numbers") };
        all.observations.extend(values);
        learner.step(0.3, |_| 0.1).unwrap();
        envs.step(learner.actions()).unwrap();
        all.actions.extend(learner.actions());
        for (env, step) in envs.steps().iter().enumerate() {
            all.reward.push(step.reward as f32);
            all.terminated.push(step.terminated);
            all.truncated.push(step.truncated);
            let next = match step.ended() {
                true => envs.final_observation(env),
                false => envs.observations().slice(env * len..(env + 1) * len),
            };
            copy.forward(Parameters::Online, next, &mut q);
            all.bootstrap.push(q.iter().copied().reduce(f32::max).unwrap());
        }
    }
    all
}

/// Row 5, for the whole learner: each step bootstraps from the observation it led to, the last ones included, and
/// the step is that along the gradient of ½·(G − Q)².
#[test]
fn row_5_one_gradient_step_is_the_one_computed_apart() {
    let make_env: MakeEnv = || Box::new(Chain::new(3));
    let config = RolloutConfig { steps: 17, minibatches: 1, epochs: 1, ..CONFIG };
    let spec = mlp(&make_env, &[]);
    // Adam's first step does not show how long a gradient is.
    let plain = OptimizerConfig::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let network = || network_with(plain, &spec, 5);
    let policy = Box::new(EpsilonGreedy::new(5, ENVS, 2));
    let mut learner = RolloutLearner::new(vector_env(&make_env), policy, network(), config, 5).unwrap();
    learner.reset(&[5, 6, 7, 8]).unwrap();
    let mut copy = network();
    let played = replay(&mut learner, &mut *copy, make_env, &[5, 6, 7, 8]);
    let Replayed { observations, actions, reward, terminated, truncated, bootstrap } = &played;
    assert!(terminated.contains(&true) && truncated.contains(&true), "ends of both kinds");

    let trajectories = Trajectories { envs: ENVS, reward, terminated, truncated, bootstrap };
    let mut returns = vec![0.0; reward.len()];
    lambda_returns(&trajectories, config.gamma, config.lambda, &mut returns);
    let mut q = vec![0.0; 2 * returns.len()];
    copy.forward_train(Observation::F32(observations), &mut q);
    let mut d_output = vec![0.0; q.len()];
    for (row, (action, aim)) in actions.iter().zip(&returns).enumerate() {
        let place = 2 * row + *action as usize;
        d_output[place] = (q[place] - aim) / returns.len() as f32;
    }
    copy.backward(&d_output);
    copy.optimizer_step(0.1, config.max_gradient_norm);
    let (found, expected) =
        (learner.network().parameters(Parameters::Online), copy.parameters(Parameters::Online));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let make_env = || -> Box<dyn Env> { Box::new(Chain::new(5)) };
    let refused = |spec: &NetworkSpec, config| {
        let policy = Box::new(EpsilonGreedy::new(1, ENVS, 2));
        let learner = RolloutLearner::new(vector_env(&make_env), policy, network(spec, 1), config, 1);
        learner.err().unwrap().to_string()
    };
    let right = mlp(&make_env, &[]);
    let uneven = refused(&right, RolloutConfig { minibatches: 5, ..CONFIG });
    assert!(uneven.starts_with("minibatches: 8 steps in 4 environments are 32 transitions"), "{uneven}");
    let other = NetworkSpec::mlp(4, &[], 2, Initialization::FanInUniform);
    let expected =
        "network: probe/chain has observations of 5 elements and 2 actions, found 4 inputs and 2 actions";
    assert_eq!(refused(&other, CONFIG), expected);
    let mut atoms = NetworkSpec::mlp(5, &[], 4, Initialization::FanInUniform);
    (atoms.actions, atoms.atoms) = (2, 2);
    assert!(refused(&atoms, CONFIG).contains("a distribution"));
}

const ENVIRONMENTS: [MakeEnv; 3] = [
    || Box::new(Chain::new(6)),
    || Box::new(ProbeEnv::new(Probe::ActionAndObservationReward)),
    || Box::new(ProbeEnv::new(Probe::EndlessReward)),
];

/// A run whose steps can be compared.
struct Run(RolloutLearner);

impl Run {
    fn new(make_env: MakeEnv, noisy: bool, seed: u64) -> Self {
        let mut spec = mlp(&make_env, &[5]);
        if noisy {
            spec.layers[2] = LayerSpec::NoisyLinear { outputs: spec.actions, noise: 0.5 };
        }
        Self(learner(&make_env, &spec, CONFIG, seed))
    }

    fn step(&mut self) -> Vec<u32> {
        let outcome = self.0.step(0.3, |_| 0.01).unwrap();
        let learned = outcome.learned.map(|learned| [learned.loss.to_bits(), learned.q_mean.to_bits()]);
        learned.into_iter().flatten().chain(self.0.actions().iter().copied()).collect()
    }

    fn save(&self) -> Vec<u8> {
        let mut state = StateWriter::new();
        self.0.save_state(&mut state);
        state.f32_slice(&self.0.network().parameters(Parameters::Online));
        self.0.network().save_optimizer(&mut state);
        state.into_bytes()
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = StateReader::new(bytes);
        self.0.load_state(&mut state)?;
        let network = self.0.network_mut();
        let mut parameters = vec![0.0; network.layout().len()];
        state.f32_slice("parameters", &mut parameters)?;
        network.set_parameters(Parameters::Online, &parameters);
        network.load_optimizer(&mut state)?;
        state.finish()
    }
}

#[test]
fn row_18_a_loaded_learner_goes_on_to_the_bit() {
    for (make_env, noisy) in ENVIRONMENTS.into_iter().flat_map(|env| [(env, false), (env, true)]) {
        for pause in [0, 1, 5, 7, 8, 9, 21] {
            let mut run = Run::new(make_env, noisy, 1);
            (0..pause).for_each(|_| drop(run.step()));
            let bytes = run.save();
            // Into a learner that is new, and into one that has come far with another seed.
            for used in [0, 14] {
                let mut other = Run::new(make_env, noisy, 2);
                (0..used).for_each(|_| drop(other.step()));
                other.load(&bytes).unwrap();
                assert_eq!(other.save(), bytes, "paused at {pause}: saved again");
                let mut uninterrupted = Run::new(make_env, noisy, 1);
                (0..pause).for_each(|_| drop(uninterrupted.step()));
                for step in 0..20 {
                    assert_eq!(other.step(), uninterrupted.step(), "paused at {pause}, step {step} after");
                }
                assert!(other.save() == uninterrupted.save(), "paused at {pause}: the states at the end");
            }
        }
    }
}

/// State that ends early is an error; one damaged byte is an error or another state, and never a panic.
#[test]
fn row_18_damaged_state_is_refused() {
    let mut run = Run::new(ENVIRONMENTS[0], false, 1);
    (0..13).for_each(|_| drop(run.step()));
    let bytes = run.save();
    let mut other = Run::new(ENVIRONMENTS[0], false, 2);
    for len in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        assert!(other.load(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= flip;
            let _ = other.load(&damaged);
        }
    }
    other.load(&bytes).unwrap();
    assert_eq!(other.step(), run.step());
}
