//! Row 18: saved and loaded at any step, a run goes on to the bit.

use deepq_core::loss::{ErrorFunction, ExpectedLoss, TargetRule};
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig, Parameters};
use deepq_core::replay::{Normalization, ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::{Chain, Probe, ProbeEnv, ReferenceNetwork};
use deepq_core::{
    Actor, ActorConfig, Env, EpsilonGreedy, ExplorationRates, Learner, LearnerConfig, Period, Progress,
    RandomStream, Schedule, StateError, StateReader, StateWriter, TargetUpdate, VectorEnv,
};

type MakeEnv = fn() -> Box<dyn Env>;

/// All parts of a run whose state counts.
struct Run {
    actor: Actor,
    store: ReplayStore,
    sampler: Sampler,
    stream: RandomStream,
    learner: Learner,
}

const ENVS: usize = 3;
const N_STEP: usize = 4;

impl Run {
    /// A run with its first observations; another seed gives another one.
    fn new(make_env: MakeEnv, sampler: SamplerConfig, seed: u64) -> Self {
        let envs = VectorEnv::new((0..ENVS).map(|_| make_env()).collect()).unwrap();
        let (actions, observation_len) = (envs.spec().actions, envs.observation_len());
        let config = ReplayStoreConfig {
            capacity: 50,
            envs: ENVS,
            actions,
            n_step: N_STEP,
            element: envs.element(),
            observation_len,
            stacked_frames: 1,
            stack_padding: deepq_core::StackPadding::Reset,
            action_masks: false,
        };
        let mut store = ReplayStore::new(config);
        let policy = Box::new(EpsilonGreedy::new(seed, ENVS, actions));
        let config = ActorConfig { n_step: N_STEP, gamma: 0.9, bootstrap_at_truncation: true };
        let mut actor = Actor::new(envs, policy, config);
        let spec = NetworkSpec::mlp(observation_len, &[7], actions, Initialization::FanInUniform);
        let initial = spec.initial_parameters(&mut RandomStream::new(seed, "initialization", 0)).unwrap();
        let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &initial);
        let config = LearnerConfig {
            batch_size: 8,
            minibatch_size: 8,
            max_gradient_norm: Some(0.5),
            reset: None,
            target_update: TargetUpdate { tau: 0.1, period: Period::GradientSteps { every: 3 } },
        };
        let loss = ExpectedLoss::new(TargetRule::DOUBLE, ErrorFunction::Huber { kappa: 1.0 });
        let learner = Learner::new(Box::new(network), Box::new(loss), config, seed);
        let seeds: Vec<u64> = (0..ENVS as u64).map(|env| 10 * seed + env).collect();
        actor.reset(&seeds, &mut store).unwrap();
        let sampler = Sampler::new(sampler, 50);
        Self { actor, store, sampler, stream: RandomStream::new(seed, "replay", 0), learner }
    }

    /// One step of everything; gives what was learned.
    fn step(&mut self) -> Vec<u32> {
        self.actor.step(self.learner.network_mut(), ExplorationRates::epsilon(0.3), &mut self.store).unwrap();
        if self.store.len() < 8 {
            return vec![];
        }
        let metrics =
            self.learner.learn(&self.store, &mut self.sampler, &mut self.stream, Progress::default(), 0.01);
        let bits = self.learner.td_errors().iter().map(|error| error.to_bits());
        bits.chain([metrics.loss.to_bits()]).chain(self.actor.actions().iter().copied()).collect()
    }

    fn save(&self) -> Vec<u8> {
        let mut state = StateWriter::new();
        self.store.save_state(&mut state);
        self.sampler.save_state(&mut state);
        self.actor.save_state(&mut state);
        self.stream.save_state(&mut state);
        for which in [Parameters::Online, Parameters::Target] {
            state.f32_slice(&self.learner.network().parameters(which));
        }
        self.learner.network().save_optimizer(&mut state);
        state.into_bytes()
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = StateReader::new(bytes);
        self.store.load_state(&mut state)?;
        self.sampler.load_state(&mut state, &self.store)?;
        self.actor.load_state(&mut state, &self.store)?;
        self.stream.load_state(&mut state)?;
        let network = self.learner.network_mut();
        let mut parameters = vec![0.0; network.layout().len()];
        for which in [Parameters::Online, Parameters::Target] {
            state.f32_slice("parameters", &mut parameters)?;
            network.set_parameters(which, &parameters);
        }
        network.load_optimizer(&mut state)?;
        state.finish()
    }
}

/// With every environment another way to sample.
const ENVIRONMENTS: [(MakeEnv, SamplerConfig); 3] = [
    (|| Box::new(Chain::new(6)), PRIORITIZED),
    (|| Box::new(ProbeEnv::new(Probe::ActionAndObservationReward)), SamplerConfig::UniformWithoutReplacement),
    (|| Box::new(ProbeEnv::new(Probe::EndlessReward)), SamplerConfig::Uniform),
];

const PRIORITIZED: SamplerConfig = SamplerConfig::Prioritized {
    alpha: 0.6,
    beta: Schedule::Constant { value: 0.4 },
    normalization: Normalization::Memory,
    epsilon: 1e-6,
};

#[test]
fn row_18_a_loaded_run_goes_on_to_the_bit() {
    for (make_env, sampler) in ENVIRONMENTS {
        for pause in [0, 1, 2, 3, 7, 30, 61] {
            let mut run = Run::new(make_env, sampler, 1);
            (0..pause).for_each(|_| drop(run.step()));
            let bytes = run.save();
            // Into a run that is new, and into one that has come far with another seed.
            for used in [0, 40] {
                let mut other = Run::new(make_env, sampler, 2);
                (0..used).for_each(|_| drop(other.step()));
                other.load(&bytes).unwrap();
                assert_eq!(other.save(), bytes, "paused at {pause}: saved again");
                let mut uninterrupted = Run::new(make_env, sampler, 1);
                (0..pause).for_each(|_| drop(uninterrupted.step()));
                for step in 0..40 {
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
    let (make_env, sampler) = ENVIRONMENTS[0];
    let mut run = Run::new(make_env, sampler, 1);
    (0..30).for_each(|_| drop(run.step()));
    let bytes = run.save();
    let mut other = Run::new(make_env, sampler, 2);
    for len in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        assert!(other.load(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(other.load(&longer), Err(StateError::TooLong { left: 1 }));
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
