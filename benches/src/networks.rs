//! The networks that gradient steps are measured on, and what one gradient step is: indices are sampled, transitions
//! gathered, the target network's greatest values taken, the online network's Huber TD errors, their gradient, and one
//! step of Adam; the target is copied every 500 steps. It is what [`Learner::learn`] does in a training.

use deepq::loss::{ErrorFunction, ExpectedLoss, Loss, TargetRule};
use deepq::network::{Initialization, NetworkSpec, OptimizerConfig, QNetwork};
use deepq::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq::{
    ElementKind, LearnMetrics, Learner, LearnerConfig, Observation, Period, Progress, RandomStream,
    TargetUpdate, Transition,
};
use deepq_cpu::{CpuNetwork, InstructionSet};

/// Floating point operations a second of the core that the goals in µs were set for, with AVX-512.
pub(crate) const GOAL_PEAK_FLOPS: f64 = 250e9;
/// What B, C and D are to reach of AVX2's own peak.
pub(crate) const GOAL_AVX2_SHARE: f64 = 0.7;
pub(crate) const TARGET_EVERY: u64 = 500;
pub(crate) const HUBER_KAPPA: f32 = 1.0;
const DISCOUNT: f32 = 0.99;
const SEED: u64 = 1;

/// A network with the size of its batches and of its replay memory.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) shape: &'static str,
    pub(crate) batch_size: usize,
    pub(crate) transitions: usize,
    pub(crate) learning_rate: f32,
    /// With how many threads it is measured.
    pub(crate) threads: &'static [usize],
    /// µs of one gradient step on a core of [`GOAL_PEAK_FLOPS`].
    pub(crate) goal_us: f64,
    /// How many times as long PyTorch is to take.
    pub(crate) goal_pytorch: f64,
    /// How many times as long the faster of JAX' forms is to take.
    pub(crate) goal_jax: f64,
    /// Gradient steps in one `lax.scan`.
    pub(crate) scan_steps: usize,
    /// How far a loss of another engine may be from ours, relative to it: both round, and no more.
    pub(crate) most_loss_difference: f64,
}

pub(crate) const CASES: [Case; 5] = [
    Case {
        name: "A",
        shape: "4-24-24-2",
        batch_size: 64,
        transitions: 10_000,
        learning_rate: 1e-3,
        threads: &[1],
        goal_us: 3.0,
        goal_pytorch: 60.0,
        goal_jax: 4.0,
        scan_steps: 100,
        most_loss_difference: 1e-4,
    },
    Case {
        name: "B",
        shape: "4-120-84-2",
        batch_size: 128,
        transitions: 10_000,
        learning_rate: 1e-3,
        threads: &[1],
        goal_us: 52.0,
        goal_pytorch: 7.0,
        goal_jax: 1.7,
        scan_steps: 100,
        most_loss_difference: 1e-4,
    },
    Case {
        name: "C",
        shape: "4-256-256-2",
        batch_size: 128,
        transitions: 10_000,
        learning_rate: 1e-3,
        threads: &[1, 2],
        goal_us: 300.0,
        goal_pytorch: 3.5,
        goal_jax: 1.45,
        scan_steps: 100,
        most_loss_difference: 1e-4,
    },
    Case {
        name: "D",
        shape: "Nature, 84×84×4",
        batch_size: 32,
        transitions: 1_000,
        learning_rate: 6.25e-5,
        threads: &[1, 2],
        goal_us: 10_500.0,
        goal_pytorch: 2.3,
        goal_jax: 2.3,
        // Steps of this network inside a scan take so long that ten say as much as a hundred.
        scan_steps: 10,
        // Over twenty steps its roundings grow some hundred times.
        most_loss_difference: 1e-3,
    },
    Case {
        name: "E",
        shape: "MinAtar, 10×10×4",
        batch_size: 32,
        transitions: 5_000,
        learning_rate: 1e-3,
        threads: &[1, 2],
        goal_us: 220.0,
        goal_pytorch: 1.0,
        goal_jax: 1.0,
        scan_steps: 100,
        most_loss_difference: 1e-4,
    },
];

impl Case {
    /// The case `name`, in capitals or not.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn spec(&self) -> NetworkSpec {
        let mlp = |hidden: &[usize]| NetworkSpec::mlp(4, hidden, 2, Initialization::FanInUniform);
        match self.name {
            "A" => mlp(&[24, 24]),
            "B" => mlp(&[120, 84]),
            "C" => mlp(&[256, 256]),
            "D" => NetworkSpec::nature(4, 4),
            _ => NetworkSpec::minatar(4, 6),
        }
    }

    /// Floating point operations of one gradient step: those of matrix products and convolutions.
    pub(crate) fn flops(&self) -> f64 {
        2.0 * self.spec().gradient_step_multiply_adds(self.batch_size) as f64
    }

    /// What the goal is as a share of the peak of the core it was set for.
    pub(crate) fn goal_share(&self) -> f64 {
        self.flops() / (self.goal_us * 1e-6 * GOAL_PEAK_FLOPS)
    }

    /// The network with its first parameters.
    pub(crate) fn network(&self, set: InstructionSet, threads: usize) -> Result<CpuNetwork, NotAvailable> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        if threads > cores {
            return Err(NotAvailable(format!("this machine has {cores} cores")));
        }
        let (spec, mut stream) = (self.spec(), self.initialization_stream());
        CpuNetwork::with_instruction_set(&spec, OptimizerConfig::default(), &mut stream, set)
            .map(|network| network.with_threads(threads))
            .map_err(|error| NotAvailable(error.to_string()))
    }

    /// First parameters are drawn from this stream.
    pub(crate) fn initialization_stream(&self) -> RandomStream {
        RandomStream::new(SEED, "initialization", 0)
    }

    /// A full replay memory of random transitions.
    pub(crate) fn replay(&self) -> ReplayStore {
        let spec = self.spec();
        let mut stream = RandomStream::new(SEED, "transitions", 0);
        let mut store = ReplayStore::new(ReplayStoreConfig {
            capacity: self.transitions,
            envs: 1,
            actions: spec.actions,
            n_step: 1,
            element: spec.element,
            observation_len: spec.inputs(),
            stacked_frames: 1,
            stack_padding: deepq::StackPadding::Reset,
            action_masks: false,
        });
        push_observation(&mut store, &spec, &mut stream);
        for _ in 0..self.transitions {
            store.push(Transition {
                observation: store.newest(0),
                action: stream.below(spec.actions) as u32,
                reward: 2.0 * stream.uniform_f32() - 1.0,
                discount: if stream.uniform_f32() < 0.05 { 0.0 } else { DISCOUNT },
                next_observation: store.upcoming(0),
            });
            push_observation(&mut store, &spec, &mut stream);
        }
        store
    }

    /// Indices are drawn from this stream.
    pub(crate) fn sampling_stream(&self) -> RandomStream {
        RandomStream::new(SEED, "replay", 0)
    }

    pub(crate) fn sampler(&self) -> Sampler {
        Sampler::new(SamplerConfig::Uniform, self.transitions)
    }
}

fn push_observation(store: &mut ReplayStore, spec: &NetworkSpec, stream: &mut RandomStream) {
    let len = spec.inputs();
    match spec.element {
        ElementKind::F32 => {
            let values: Vec<f32> = (0..len).map(|_| 2.0 * stream.uniform_f32() - 1.0).collect();
            store.push_observations(Observation::F32(&values), &[], |_| true);
        }
        ElementKind::U8 => {
            let words = (0..len.div_ceil(4)).flat_map(|_| stream.next_u32().to_le_bytes());
            let bytes: Vec<u8> = words.take(len).collect();
            store.push_observations(Observation::U8(&bytes), &[], |_| true);
        }
    }
}

/// Why a case cannot be measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NotAvailable(pub(crate) String);

/// A learner with all it learns from.
pub(crate) struct Training {
    learner: Learner,
    store: ReplayStore,
    sampler: Sampler,
    stream: RandomStream,
    learning_rate: f32,
}

impl Training {
    pub(crate) fn new(case: &Case, network: Box<dyn QNetwork>) -> Self {
        Self::with_loss(case, network, Box::new(huber()))
    }

    pub(crate) fn with_loss(case: &Case, network: Box<dyn QNetwork>, loss: Box<dyn Loss>) -> Self {
        let period = Period::GradientSteps { every: TARGET_EVERY };
        let config = LearnerConfig {
            batch_size: case.batch_size,
            minibatch_size: case.batch_size,
            max_gradient_norm: None,
            target_update: TargetUpdate { tau: 1.0, period },
            reset: None,
        };
        Self {
            learner: Learner::new(network, loss, config, 1),
            store: case.replay(),
            sampler: case.sampler(),
            stream: case.sampling_stream(),
            learning_rate: case.learning_rate,
        }
    }

    /// What it trains.
    pub(crate) fn network(&self) -> &dyn QNetwork {
        self.learner.network()
    }

    /// One gradient step.
    pub(crate) fn step(&mut self) -> LearnMetrics {
        let (sampler, stream) = (&mut self.sampler, &mut self.stream);
        self.learner.learn(&self.store, sampler, stream, Progress::default(), self.learning_rate)
    }
}

pub(crate) fn huber() -> ExpectedLoss {
    ExpectedLoss::new(TargetRule::Q_LEARNING, ErrorFunction::Huber { kappa: HUBER_KAPPA })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares that the goals stand for, from the figures they were set with.
    #[test]
    fn goals_are_shares_of_the_peak_they_were_set_for() {
        let shares: Vec<String> =
            CASES.iter().map(|case| format!("{:.0}", 100.0 * case.goal_share())).collect();
        assert_eq!(shares, ["48", "84", "91", "83", "74"]);
    }

    #[test]
    fn a_replay_memory_is_full_and_its_transitions_differ() {
        let case = Case::named("a").unwrap();
        let store = case.replay();
        assert_eq!(store.len(), case.transitions);
        let ends = (0..store.len()).filter(|index| store.transition(*index).discount == 0.0).count();
        assert!((400..600).contains(&ends), "5 % of {} end an episode, found {ends}", store.len());
        let (first, last) = (store.transition(0), store.transition(store.len() - 1));
        assert_ne!(store.observation(first.observation), store.observation(last.observation));
        assert_eq!(
            store.observation(first.next_observation),
            store.observation(store.transition(1).observation)
        );
    }

    /// What is measured learns: on a fixed memory the TD error falls.
    #[test]
    fn the_steps_that_are_measured_learn() {
        let case = Case::named("A").unwrap();
        let network = case.network(InstructionSet::detect(), 1).unwrap();
        let mut training = Training::new(case, Box::new(network));
        let mut mean = |steps: u32| (0..steps).map(|_| training.step().loss).sum::<f32>() / steps as f32;
        let first = mean(20);
        mean(2_000);
        let last = mean(200);
        assert!(last < 0.99 * first, "{first} {last}");
    }
}
