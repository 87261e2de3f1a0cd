//! Stream Q(λ): what it learns, what it computes, and that it resumes.

use deepq_core::network::{Initialization, LayerSpec, NetworkSpec, OptimizerConfig, Parameters};
use deepq_core::testing::{Chain, ExpectedValue, Probe, ProbeEnv, ReferenceNetwork, greatest_error};
use deepq_core::{
    Env, EpsilonGreedy, Observation, RandomStream, StateError, StateReader, StateWriter, StreamingConfig,
    StreamingLearner, TraceCut, VectorEnv,
};

type MakeEnv = fn() -> Box<dyn Env>;

const CONFIG: StreamingConfig =
    StreamingConfig { gamma: 0.9, lambda: 0.8, kappa: 2.0, trace_cut: TraceCut::BeforeExploring };

fn learner_from(
    env: Box<dyn Env>,
    spec: &NetworkSpec,
    initial: &[f32],
    config: StreamingConfig,
    seed: u64,
) -> StreamingLearner {
    let envs = VectorEnv::new(vec![env]).unwrap();
    let policy = Box::new(EpsilonGreedy::new(seed, 1, envs.spec().actions));
    let network = ReferenceNetwork::new(spec, OptimizerConfig::default(), initial);
    let mut learner = StreamingLearner::new(envs, policy, Box::new(network), config, seed).unwrap();
    learner.reset(&[seed]).unwrap();
    learner
}

fn learner(env: Box<dyn Env>, spec: &NetworkSpec, config: StreamingConfig, seed: u64) -> StreamingLearner {
    let initial = spec.initial_parameters(&mut RandomStream::new(seed, "initialization", 0)).unwrap();
    learner_from(env, spec, &initial, config, seed)
}

fn mlp(env: &dyn Env, hidden: &[usize]) -> NetworkSpec {
    let spec = env.spec();
    NetworkSpec::mlp(spec.observation_space.len(), hidden, spec.actions, Initialization::FanInUniform)
}

fn online(learner: &StreamingLearner) -> Vec<f32> {
    learner.network().parameters(Parameters::Online)
}

fn error_after(
    env: Box<dyn Env>,
    hidden: &[usize],
    config: StreamingConfig,
    steps: u64,
    expected: &[ExpectedValue],
) -> f64 {
    let spec = mlp(&*env, hidden);
    let mut learner = learner(env, &spec, config, 3);
    for _ in 0..steps {
        assert_eq!(learner.step(0.3, 1.0).unwrap().gradient_steps, 1);
    }
    assert_eq!(learner.gradient_steps(), steps);
    greatest_error(learner.network_mut(), expected)
}

/// Rows 1 and 20.
#[test]
fn row_20_streaming_learns_the_values_of_every_probe() {
    for probe in Probe::ALL {
        for lambda in [0.0, 0.8] {
            let gamma = if probe == Probe::EndlessReward { 0.8 } else { 0.9 };
            let config = StreamingConfig { gamma, lambda, ..CONFIG };
            let env = Box::new(ProbeEnv::new(probe));
            let error = error_after(env, &[8], config, 3000, &probe.expected(gamma));
            assert!(error < 0.02, "{probe:?}, λ {lambda}: off by {error}");
        }
    }
}

/// Watkins's Q(λ) learns the best policy's values with any λ.
#[test]
fn row_20_a_chain_has_the_values_of_value_iteration() {
    for (gamma, lambda) in [(0.7, 0.0), (0.7, 0.8), (0.9, 0.8), (0.9, 1.0)] {
        let config = StreamingConfig { gamma, lambda, ..CONFIG };
        let expected = Chain::new(5).expected(gamma);
        let error = error_after(Box::new(Chain::new(5)), &[], config, 6000, &expected);
        assert!(error < 0.02, "gamma {gamma}, λ {lambda}: off by {error}");
    }
}

/// Computed by hand: Q = w·s + b, first at s = 0, then at s = 1, where the episode terminates with reward 1.
#[test]
fn two_steps_are_those_computed_by_hand() {
    let config = StreamingConfig { gamma: 0.9, lambda: 0.5, ..CONFIG };
    let env = || -> Box<dyn Env> { Box::new(ProbeEnv::new(Probe::DelayedReward)) };
    let mut learner = learner_from(env(), &mlp(&*env(), &[]), &[0.5, 0.25], config, 1);
    let near = |found: &[f32], expected: &[f64]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-7, "{found}, expected {expected}");
        }
    };
    // Q(0) = 0.25, Q(1) = 0.75: δ = 0 + 0.9·0.75 − 0.25. z = (0, 1), M = 2·1·1.
    learner.step(0.0, 1.0).unwrap();
    near(&[learner.td_error()], &[0.425]);
    near(learner.trace().values(), &[0.0, 1.0]);
    near(&online(&learner), &[0.5, 0.25 + 0.425 / 2.0]);
    // Q(1) = 0.5 + 0.4625: δ = 1 − 0.9625. z = 0.45·(0, 1) + (1, 1), M = 2·1·2.45.
    learner.step(0.0, 1.0).unwrap();
    near(&[learner.td_error()], &[0.0375]);
    near(&online(&learner), &[0.5 + 0.0375 / 4.9, 0.4625 + 0.0375 * 1.45 / 4.9]);
    near(learner.trace().values(), &[0.0, 0.0]);
}

/// The same algorithm on Q[a] = w[a]·s + b[a], in `f64` and in nothing but loops.
struct Plain {
    config: StreamingConfig,
    inputs: usize,
    /// As in the layout: weights of action 0, of action 1, biases.
    weights: Vec<f64>,
    trace: Vec<f64>,
}

impl Plain {
    fn features(&self, observation: &[f32], action: usize) -> Vec<f64> {
        let mut features = vec![0.0; self.weights.len()];
        for (input, value) in observation.iter().enumerate() {
            features[action * self.inputs + input] = f64::from(*value);
        }
        features[2 * self.inputs + action] = 1.0;
        features
    }

    fn q(&self, observation: &[f32], action: usize) -> f64 {
        self.features(observation, action).iter().zip(&self.weights).map(|(x, w)| x * w).sum()
    }

    fn greatest(&self, observation: &[f32]) -> f64 {
        self.q(observation, 0).max(self.q(observation, 1))
    }

    /// One step; gives δ and whether the action was greedy.
    fn learn(
        &mut self,
        at: &[f32],
        action: usize,
        (reward, terminated, truncated): (f64, bool, bool),
        next: &[f32],
    ) -> (f64, bool) {
        let StreamingConfig { gamma, lambda, kappa, trace_cut } = self.config;
        let greedy = self.q(at, action) >= self.greatest(at);
        let future = if terminated { 0.0 } else { gamma * self.greatest(next) };
        let error = reward + future - self.q(at, action);
        let keep = greedy || trace_cut == TraceCut::AfterExploring;
        let decay = if keep { gamma * lambda } else { 0.0 };
        let features = self.features(at, action);
        let mut norm = 0.0;
        for (trace, feature) in self.trace.iter_mut().zip(&features) {
            *trace = decay * *trace + feature;
            norm += trace.abs();
        }
        let overshooting = kappa * error.abs().max(1.0) * norm;
        let step = if overshooting > 1.0 { 1.0 / overshooting } else { 1.0 };
        for (weight, trace) in self.weights.iter_mut().zip(&self.trace) {
            *weight += step * error * trace;
        }
        if terminated || truncated || (!greedy && trace_cut == TraceCut::AfterExploring) {
            self.trace.fill(0.0);
        }
        (error, greedy)
    }
}

fn numbers(observation: Observation<'_>) -> Vec<f32> {
    match observation {
        Observation::F32(values) => values.to_vec(),
        Observation::U8(_) => panic!("numbers"),
    }
}

fn compare_with_plain(trace_cut: TraceCut) {
    let config = StreamingConfig { trace_cut, ..CONFIG };
    let spec = mlp(&Chain::new(4), &[]);
    let mut learner = learner(Box::new(Chain::new(4)), &spec, config, 9);
    let weights: Vec<f64> = online(&learner).into_iter().map(f64::from).collect();
    let mut plain = Plain { config, inputs: 4, trace: vec![0.0; weights.len()], weights };
    let mut envs = VectorEnv::new(vec![Box::new(Chain::new(4))]).unwrap();
    envs.reset(&[9]).unwrap();
    let mut seen = [0; 4];
    for step in 0..400 {
        let at = numbers(envs.observations());
        learner.step(0.4, 1.0).unwrap();
        envs.step(learner.actions()).unwrap();
        let outcome = envs.steps()[0];
        let next = numbers(if outcome.ended() { envs.final_observation(0) } else { envs.observations() });
        let action = learner.actions()[0] as usize;
        let ends = (outcome.reward, outcome.terminated, outcome.truncated);
        let (error, greedy) = plain.learn(&at, action, ends, &next);
        let close = |found: f32, expected: f64| (f64::from(found) - expected).abs() < 2e-5;
        assert!(close(learner.td_error(), error), "step {step}: {} {error}", learner.td_error());
        for (found, expected) in online(&learner).into_iter().zip(&plain.weights) {
            assert!(close(found, *expected), "step {step}, {trace_cut:?}: {found}, expected {expected}");
        }
        for (found, expected) in learner.trace().values().iter().zip(&plain.trace) {
            assert!(close(*found, *expected), "step {step}, {trace_cut:?}: trace {found}, {expected}");
        }
        seen[0] += usize::from(greedy);
        seen[1] += usize::from(!greedy);
        seen[2] += usize::from(outcome.terminated);
        seen[3] += usize::from(outcome.truncated);
        let empty = learner.trace().values().iter().all(|value| *value == 0.0);
        let cut = outcome.ended() || (!greedy && trace_cut == TraceCut::AfterExploring);
        assert_eq!(empty, cut, "step {step}: the trace after it");
    }
    assert!(seen.iter().all(|count| *count >= 5), "{seen:?}");
}

#[test]
fn every_step_is_that_of_the_plain_algorithm_with_watkins_traces() {
    compare_with_plain(TraceCut::BeforeExploring);
}

#[test]
fn every_step_is_that_of_the_plain_algorithm_with_traces_cut_after() {
    compare_with_plain(TraceCut::AfterExploring);
}

#[test]
fn layer_norm_keeps_its_first_weights() {
    let env = || -> Box<dyn Env> { Box::new(Chain::new(4)) };
    let mut spec = mlp(&*env(), &[6]);
    spec.layers.insert(1, LayerSpec::LayerNorm { axes: Default::default(), epsilon: 1e-5 });
    let mut learner = learner(env(), &spec, CONFIG, 1);
    let before = online(&learner);
    for _ in 0..50 {
        learner.step(0.3, 1.0).unwrap();
    }
    let after = online(&learner);
    for tensor in spec.layout().unwrap().tensors() {
        let changed = before[tensor.range()] != after[tensor.range()];
        assert_eq!(changed, !tensor.name.starts_with("layers.1."), "{}", tensor.name);
    }
}

#[test]
fn several_environments_are_refused() {
    let envs = VectorEnv::new((0..2).map(|_| Box::new(Chain::new(4)) as Box<dyn Env>).collect()).unwrap();
    let spec = mlp(&Chain::new(4), &[]);
    let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &[0.0; 10]);
    let policy = Box::new(EpsilonGreedy::new(1, 2, 2));
    let learner = StreamingLearner::new(envs, policy, Box::new(network), CONFIG, 1);
    let error = learner.err().unwrap().to_string();
    assert_eq!(error, "envs: learning from a stream takes 1 environment, found 2");
}

const ENVIRONMENTS: [MakeEnv; 3] = [
    || Box::new(Chain::new(6)),
    || Box::new(ProbeEnv::new(Probe::ActionAndObservationReward)),
    || Box::new(ProbeEnv::new(Probe::EndlessReward)),
];

/// A run whose steps can be compared.
struct Run(StreamingLearner);

impl Run {
    fn new(make_env: MakeEnv, noisy: bool, seed: u64) -> Self {
        let mut spec = mlp(&*make_env(), &[5]);
        if noisy {
            spec.layers[2] = LayerSpec::NoisyLinear { outputs: spec.actions, noise: 0.5 };
        }
        Self(learner(make_env(), &spec, CONFIG, seed))
    }

    fn step(&mut self) -> Vec<u32> {
        self.0.step(0.3, 1.0).unwrap();
        self.0.actions().iter().copied().chain([self.0.td_error().to_bits()]).collect()
    }

    fn save(&self) -> Vec<u8> {
        let mut state = StateWriter::new();
        self.0.save_state(&mut state);
        state.f32_slice(&online(&self.0));
        state.into_bytes()
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = StateReader::new(bytes);
        self.0.load_state(&mut state)?;
        let network = self.0.network_mut();
        let mut parameters = vec![0.0; network.layout().len()];
        state.f32_slice("parameters", &mut parameters)?;
        network.set_parameters(Parameters::Online, &parameters);
        state.finish()
    }
}

#[test]
fn row_18_a_loaded_learner_goes_on_to_the_bit() {
    for (make_env, noisy) in ENVIRONMENTS.into_iter().flat_map(|env| [(env, false), (env, true)]) {
        for pause in [0, 1, 2, 7, 30] {
            let mut run = Run::new(make_env, noisy, 1);
            (0..pause).for_each(|_| drop(run.step()));
            let bytes = run.save();
            for used in [0, 14] {
                let mut other = Run::new(make_env, noisy, 2);
                (0..used).for_each(|_| drop(other.step()));
                other.load(&bytes).unwrap();
                assert_eq!(other.save(), bytes, "paused at {pause}: saved again");
                let mut uninterrupted = Run::new(make_env, noisy, 1);
                (0..pause).for_each(|_| drop(uninterrupted.step()));
                for step in 0..40 {
                    assert_eq!(other.step(), uninterrupted.step(), "paused at {pause}, step {step} after");
                }
                assert!(other.save() == uninterrupted.save(), "paused at {pause}: the states at the end");
            }
        }
    }
}

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
        let mut damaged = bytes.clone();
        damaged[place] ^= 0xff;
        let _ = other.load(&damaged);
    }
    other.load(&bytes).unwrap();
    assert_eq!(other.step(), run.step());
}
