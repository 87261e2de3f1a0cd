//! Row 9: factorised noise, fresh for each use, none where the policy is judged; dueling heads.

#[path = "common/logged_env.rs"]
mod logged_env;

use std::sync::{Arc, Mutex};

use deepq_core::loss::{ErrorFunction, ExpectedLoss, ProposedQuantileLoss, TargetRule};
use deepq_core::network::{
    InputShape, LayerSpec, NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork,
};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    Actor, ActorConfig, ElementKind, EpsilonGreedy, ExplorationRates, FractionProposal, Learner,
    LearnerConfig, NoiseSource, Observation, Period, Progress, RandomStream, StateError, StateReader,
    StateWriter, TargetUpdate, Transition, VectorEnv, silence,
};
use logged_env::{ACTIONS, Log, LoggedEnv};

/// The passes of a network, one after the other.
type Passes = Arc<Mutex<Vec<Seen>>>;

/// What a pass was for, the noise that it had and what it saw.
struct Seen {
    used: Use,
    noise: Option<Vec<f32>>,
    observations: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    Online,
    Target,
    Trained,
    OnlineFeatures,
    TargetFeatures,
}

/// A network that writes down the noise of every pass.
struct Recorder {
    inner: ReferenceNetwork,
    noise: [Option<Vec<f32>>; 2],
    passes: Passes,
}

impl Recorder {
    fn record(&self, used: Use, observation: Observation<'_>) {
        let Observation::F32(values) = observation else { panic!("numbers") };
        let of_target = matches!(used, Use::Target | Use::TargetFeatures);
        let noise = self.noise[usize::from(of_target)].clone();
        self.passes.lock().unwrap().push(Seen { used, noise, observations: values.to_vec() });
    }
}

impl QNetwork for Recorder {
    fn spec(&self) -> &NetworkSpec {
        self.inner.spec()
    }

    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        let used = if parameters == Parameters::Online { Use::Online } else { Use::Target };
        self.record(used, observation);
        self.inner.forward_at(parameters, observation, fractions, output);
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.record(Use::Trained, observation);
        self.inner.forward_train_at(observation, fractions, output);
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        let online = parameters == Parameters::Online;
        self.record(if online { Use::OnlineFeatures } else { Use::TargetFeatures }, observation);
        self.inner.forward_features(parameters, observation, output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        self.noise[usize::from(parameters == Parameters::Target)] = noise.map(<[f32]>::to_vec);
        self.inner.set_noise(parameters, noise);
    }

    fn backward(&mut self, d_output: &[f32]) {
        self.inner.backward(d_output);
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.inner.optimizer_step(learning_rate, max_gradient_norm);
    }

    fn reset_optimizer(&mut self) {
        self.inner.reset_optimizer();
    }

    fn update_target(&mut self, tau: f32) {
        self.inner.update_target(tau);
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.inner.parameters(which)
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        self.inner.set_parameters(which, values);
    }

    fn gradient(&self) -> Vec<f32> {
        self.inner.gradient()
    }

    fn gradient_steps(&self) -> u64 {
        self.inner.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.inner.save_optimizer(state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.inner.load_optimizer(state)
    }
}

fn spec_of(inputs: usize, actions: usize, atoms: usize, layers: Vec<LayerSpec>) -> NetworkSpec {
    let input = InputShape::Vector { len: inputs };
    NetworkSpec { element: ElementKind::F32, full_byte: 255, input, actions, atoms, layers }
}

fn noisy_spec() -> NetworkSpec {
    let layer = |outputs| LayerSpec::NoisyLinear { outputs, noise: 0.5 };
    spec_of(3, ACTIONS, 1, vec![layer(4), LayerSpec::Relu, layer(ACTIONS)])
}

fn recorder(spec: NetworkSpec) -> (Recorder, Passes) {
    let initial = spec.initial_parameters(&mut RandomStream::new(3, "network", 0)).unwrap();
    let inner = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &initial);
    let passes = Passes::default();
    (Recorder { inner, noise: [None, None], passes: passes.clone() }, passes)
}

fn config_of(minibatch_size: usize) -> LearnerConfig {
    LearnerConfig {
        batch_size: 8,
        minibatch_size,
        max_gradient_norm: None,
        target_update: TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 1 } },
        reset: None,
    }
}

fn learner_of(network: Recorder, minibatch_size: usize) -> Learner {
    let config = config_of(minibatch_size);
    let loss = ExpectedLoss::new(TargetRule::DOUBLE, ErrorFunction::Squared);
    Learner::new(Box::new(network), Box::new(loss), config, 7)
}

fn store() -> ReplayStore {
    ReplayStore::new(ReplayStoreConfig {
        capacity: 32,
        envs: 1,
        actions: ACTIONS,
        n_step: 1,
        element: ElementKind::F32,
        observation_len: 3,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: false,
    })
}

/// Every use of the network has noise that no other use and no other step has: acting, being trained, choosing the
/// next action, and being the target.
#[test]
fn row_9_acting_training_choosing_and_the_target_have_fresh_noise_of_their_own() {
    let (network, passes) = recorder(noisy_spec());
    let mut acting = NoiseSource::new(network.spec(), 7, "acting");
    let mut learner = learner_of(network, 4);
    let env = LoggedEnv::new(0, 5, ElementKind::F32, Log::default());
    let envs = VectorEnv::new(vec![Box::new(env)]).unwrap();
    let config = ActorConfig { n_step: 1, gamma: 0.9, bootstrap_at_truncation: true };
    let mut actor = Actor::new(envs, Box::new(EpsilonGreedy::new(1, 1, ACTIONS)), config);
    let mut store = store();
    actor.reset(&[1], &mut store).unwrap();
    let mut sampler = Sampler::new(SamplerConfig::Uniform, 32);
    let mut stream = RandomStream::new(1, "replay", 0);
    let mut uses = vec![];
    for step in 0..20 {
        acting.refresh(learner.network_mut(), Parameters::Online);
        actor.step(learner.network_mut(), ExplorationRates::epsilon(0.0), &mut store).unwrap();
        uses.push(Use::Online);
        if step >= 8 {
            learner.learn(&store, &mut sampler, &mut stream, Progress::default(), 1e-3);
            // The target's values, the choice, and two minibatches.
            uses.extend([Use::Target, Use::Online, Use::Trained, Use::Trained]);
        }
    }
    let passes = passes.lock().unwrap();
    assert_eq!(passes.iter().map(|seen| seen.used).collect::<Vec<_>>(), uses);
    for (i, Seen { used, noise, .. }) in passes.iter().enumerate() {
        let noise = noise.as_ref().unwrap_or_else(|| panic!("pass {i}, {used:?}, has no noise"));
        assert_eq!(noise.len(), (3 + 4) + (4 + ACTIONS), "one number an input and an output of each layer");
        for (other, others) in passes.iter().enumerate().skip(i + 1) {
            let others = others.noise.as_ref().unwrap();
            let equal = noise.iter().zip(others).filter(|(one, other)| one == other).count();
            assert_eq!(equal, 0, "passes {i} and {other} share noise");
        }
    }
}

/// Noisy layers in front of a cosine embedding and behind it, and a learner that lets its fractions be proposed.
fn proposing_learner(rule: TargetRule) -> (Learner, Passes) {
    let noisy = |outputs| LayerSpec::NoisyLinear { outputs, noise: 0.5 };
    let embedding = LayerSpec::CosineEmbedding { cosines: 4, initialization: Default::default() };
    let (network, passes) = recorder(spec_of(3, ACTIONS, 1, vec![noisy(5), embedding, noisy(ACTIONS)]));
    let spec = FractionProposal::spec(network.spec().features_len().unwrap(), 6);
    let initial = spec.initial_parameters(&mut RandomStream::new(4, "proposal", 0)).unwrap();
    let proposes = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &initial);
    let proposal = FractionProposal::new(Box::new(proposes), 0.0, 1e-3);
    let loss = Box::new(ProposedQuantileLoss::new(rule, 1.0));
    (Learner::with_proposal(Box::new(network), loss, config_of(8), 7, Some(proposal)), passes)
}

/// Row 9, for FQF: fractions are proposed for the features that the pass at them has. The trained pass and the one at
/// the proposed fractions are two views of one quantile function; what chooses the next action has noise of its own.
#[test]
fn row_9_proposals_and_the_passes_at_them_have_the_same_noise() {
    let (mut learner, passes) = proposing_learner(TargetRule::DOUBLE);
    let mut store = store();
    for i in 0..20 {
        store.push_observations(Observation::F32(&[i as f32, 1.0, -1.0]), &[], |_| i == 0);
        let (observation, next_observation) = (store.newest(0), store.upcoming(0));
        store.push(Transition { observation, action: 0, reward: 1.0, discount: 0.9, next_observation });
    }
    store.push_observations(Observation::F32(&[20.0, 1.0, -1.0]), &[], |_| false);
    let mut sampler = Sampler::new(SamplerConfig::Uniform, 32);
    let mut stream = RandomStream::new(1, "replay", 0);
    for _ in 0..5 {
        passes.lock().unwrap().clear();
        learner.learn(&store, &mut sampler, &mut stream, Progress::default(), 1e-3);
        let passes = passes.lock().unwrap();
        let (now, next) = (&learner.batch().0.observation, &learner.batch().0.next_observation);
        let mut groups: Vec<(Vec<Use>, &Seen)> = vec![];
        for seen in passes.iter() {
            match groups.iter_mut().find(|(_, first)| first.noise == seen.noise) {
                Some((uses, first)) => {
                    uses.push(seen.used);
                    assert_eq!(seen.observations, first.observations, "{uses:?}");
                }
                None => groups.push((vec![seen.used], seen)),
            }
        }
        for (uses, observations) in [
            (vec![Use::TargetFeatures, Use::Target], next),
            (vec![Use::OnlineFeatures, Use::Online], next),
            (vec![Use::OnlineFeatures, Use::Online, Use::Trained], now),
        ] {
            let (_, seen) = groups.iter().find(|(found, _)| *found == uses).unwrap_or_else(|| {
                panic!(
                    "{uses:?} share no noise: {:?}",
                    groups.iter().map(|(uses, _)| uses).collect::<Vec<_>>()
                )
            });
            assert_eq!(Observation::F32(&seen.observations), observations.as_observation(), "{uses:?}");
        }
        assert_eq!(groups.len(), 3);
    }
}

/// Noise off: the values are those of the layers without their scales of noise, whatever noise there was.
#[test]
fn row_9_a_silenced_network_is_deterministic() {
    let (mut network, _) = recorder(noisy_spec());
    let observation = [0.5, -1.0, 2.0];
    let values = |network: &mut Recorder| {
        let mut q = [f32::NAN; ACTIONS];
        network.forward(Parameters::Online, Observation::F32(&observation), &mut q);
        q
    };
    let plain = values(&mut network);
    let mut source = NoiseSource::new(network.spec(), 7, "acting");
    for _ in 0..5 {
        source.refresh(&mut network, Parameters::Online);
        assert_ne!(values(&mut network), plain);
        silence(&mut network, Parameters::Online);
        assert_eq!(values(&mut network), plain);
        assert_eq!(values(&mut network), plain);
    }
}

/// `f(ε) = sgn(ε)·√|ε|` of standard normal numbers; sources of one seed and other purposes have nothing in common.
#[test]
fn row_9_noise_is_the_signed_root_of_normal_numbers() {
    let mut noise = vec![0.0; 1000];
    NetworkSpec::draw_noise(&mut RandomStream::new(5, "noise-test", 0), &mut noise);
    let mut stream = RandomStream::new(5, "noise-test", 0);
    for value in &noise {
        let normal = stream.normal_f32();
        assert!((value * value.abs() - normal).abs() < 1e-6, "{value} of {normal}");
    }
    assert!(noise.iter().any(|value| *value < -1.0) && noise.iter().any(|value| *value > 1.0));
}

/// Row 9: a noisy layer's weights move by the outer product of one number an input and one an output, by its own
/// formula: no weight has noise of its own.
#[test]
fn row_9_noise_is_factorised() {
    let spec = spec_of(2, 2, 1, vec![LayerSpec::NoisyLinear { outputs: 2, noise: 0.5 }]);
    assert_eq!(spec.noise_len(), 2 + 2);
    // Weights, biases, then the scales of the noise of both.
    let parameters = [1.0, 2.0, 3.0, 4.0, 0.5, -0.5, 0.25, 0.5, 1.0, 2.0, 0.125, -0.25];
    let mut network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &parameters);
    let (e_in, e_out) = ([1.0, -2.0], [-1.0, 0.5]);
    network.set_noise(Parameters::Online, Some(&[e_in[0], e_in[1], e_out[0], e_out[1]]));
    let (x, mut q) = ([2.0, -1.0], [f32::NAN; 2]);
    network.forward(Parameters::Online, Observation::F32(&x), &mut q);
    for (i, found) in q.into_iter().enumerate() {
        let weight = |j: usize| parameters[2 * i + j] + parameters[6 + 2 * i + j] * e_out[i] * e_in[j];
        let bias = parameters[4 + i] + parameters[10 + i] * e_out[i];
        assert!((found - (weight(0) * x[0] + weight(1) * x[1] + bias)).abs() < 1e-6, "output {i}: {found}");
    }
}

/// Row 9: `Q[a][z] = V[z] + A[a][z] − mean over a of A[a][z]`, for each atom by itself.
#[test]
fn row_9_a_dueling_head_is_centred_for_each_atom() {
    let (actions, atoms) = (3, 2);
    let linear = |outputs| LayerSpec::Linear { outputs, initialization: Default::default() };
    let layers =
        vec![LayerSpec::Dueling { value: vec![linear(atoms)], advantage: vec![linear(actions * atoms)] }];
    let spec = spec_of(1, actions, atoms, layers);
    // Weights of 0: the biases are the branches' values.
    let value = [10.0, -20.0];
    let advantage = [1.0, 2.0, 4.0, -7.0, -2.0, 8.0];
    let parameters = [&[0.0; 2][..], &value, &[0.0; 6], &advantage].concat();
    let mut network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &parameters);
    let mut q = [f32::NAN; 6];
    network.forward(Parameters::Online, Observation::F32(&[1.0]), &mut q);
    assert_eq!(q, [10.0, -19.0, 13.0, -28.0, 7.0, -13.0]);
    // The mean over the actions is the value of each atom.
    for z in 0..atoms {
        assert_eq!((0..actions).map(|a| q[a * atoms + z]).sum::<f32>() / actions as f32, value[z]);
    }
}
