//! Wrappers against what Gymnasium 1.4's gave: `fixtures/gymnasium`, and the scripts that made it.

mod common;

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Observation, ObservationBuffer, ObservationMut, Space,
    StackPadding, StateError, StateReader, StateWriter, Step,
};
use deepq_envs::make;
use deepq_envs::wrappers::{
    ActionRepeat, ClipReward, FlattenObservation, FrameStack, NormalizeObservation, NormalizeReward,
    ObservationStatistics, RecordEpisodeStatistics, ScaleReward, TimeLimit,
};
use serde::Deserialize;

use common::{Digest, fixture};

/// Gives observations one after the other, whatever one does.
struct Given {
    spec: EnvSpec,
    observations: Vec<Vec<f32>>,
    next: usize,
    /// One a step; nothing where there are no more.
    steps: std::vec::IntoIter<Step>,
}

impl Given {
    fn new(space: Space, observations: Vec<Vec<f32>>) -> Self {
        Self { spec: EnvSpec::new("Given", space, 2), observations, next: 0, steps: vec![].into_iter() }
    }

    fn give(&mut self, observation: ObservationMut<'_>) {
        let values = &self.observations[self.next % self.observations.len()];
        self.next += 1;
        match observation {
            ObservationMut::F32(to) => to.copy_from_slice(values),
            ObservationMut::U8(to) => to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as u8),
        }
    }
}

impl Env for Given {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.give(observation);
        Ok(())
    }

    fn step(&mut self, _action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.give(observation);
        Ok(self.steps.next().unwrap_or_default())
    }

    fn save_state(&self, _state: &mut StateWriter) {}

    fn load_state(&mut self, _state: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Flattened {
    cases: Vec<FlattenCase>,
}

#[derive(Deserialize)]
struct FlattenCase {
    space: Described,
    low: Vec<Option<f32>>,
    high: Vec<Option<f32>>,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    structured: Vec<f32>,
    flat: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Described {
    Discrete(usize, i32),
    MultiDiscrete(Vec<usize>),
    MultiBinary(usize),
    Box { shape: Vec<usize>, element: ElementKind, low: Vec<Option<f32>>, high: Vec<Option<f32>> },
    Tuple(Vec<Described>),
    Dict(Vec<(String, Described)>),
}

fn bounds(values: &[Option<f32>], otherwise: f32) -> Vec<f32> {
    values.iter().map(|value| value.unwrap_or(otherwise)).collect()
}

impl Described {
    fn space(&self) -> Space {
        match self {
            Self::Discrete(n, start) => Space::Discrete { n: *n, start: *start },
            Self::MultiDiscrete(counts) => Space::MultiDiscrete { counts: counts.clone() },
            Self::MultiBinary(n) => Space::MultiBinary { n: *n },
            Self::Box { shape, element, low, high } => Space::Box(BoxSpace {
                shape: shape.clone(),
                element: *element,
                low: bounds(low, f32::NEG_INFINITY),
                high: bounds(high, f32::INFINITY),
            }),
            Self::Tuple(parts) => Space::Tuple(parts.iter().map(Self::space).collect()),
            Self::Dict(parts) => Space::dict(parts.iter().map(|(name, part)| (name.clone(), part.space()))),
        }
    }
}

fn numbers(observation: &ObservationBuffer) -> Vec<f32> {
    match observation.as_observation() {
        Observation::F32(values) => values.to_vec(),
        Observation::U8(values) => values.iter().map(|value| f32::from(*value)).collect(),
    }
}

/// Whether only one-hot vectors come of a space.
fn is_one_hot(space: &Space) -> bool {
    match space {
        Space::Discrete { .. } | Space::MultiDiscrete { .. } => true,
        Space::Tuple(parts) => parts.iter().all(is_one_hot),
        Space::Dict(parts) => parts.iter().all(|(_, part)| is_one_hot(part)),
        _ => false,
    }
}

#[test]
fn observations_are_flattened_as_gymnasium_does() {
    let record: Flattened = fixture("gymnasium/flatten.json");
    assert!(record.cases.len() >= 15);
    for case in record.cases {
        let space = case.space.space();
        let given = case.samples.iter().map(|sample| sample.structured.clone()).collect();
        let mut env = FlattenObservation::new(Given::new(space.clone(), given)).unwrap();
        let Space::Box(vector) = env.spec().observation_space.clone() else { panic!("a box") };
        assert_eq!(vector.shape, [case.low.len()], "{space:?}");
        assert_eq!(vector.low, bounds(&case.low, f32::NEG_INFINITY), "{space:?}");
        assert_eq!(vector.high, bounds(&case.high, f32::INFINITY), "{space:?}");
        let element = if is_one_hot(&space) { ElementKind::U8 } else { space.element() };
        assert_eq!(vector.element, element, "{space:?}");
        for (index, sample) in case.samples.iter().enumerate() {
            let mut observation = ObservationBuffer::zeros(vector.element, vector.len());
            let place = observation.slice_mut(0..vector.len());
            if index == 0 {
                env.reset(None, place).unwrap();
            } else {
                env.step(0, place).unwrap();
            }
            assert_eq!(numbers(&observation), sample.flat, "{space:?}");
        }
    }
}

#[derive(Deserialize)]
struct Normalized {
    episode_steps: usize,
    frozen_from: usize,
    given: Vec<Vec<String>>,
    float64: Outcome,
    float32: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    observations: Vec<Vec<String>>,
    count: String,
    mean: Vec<String>,
    variance: Vec<String>,
}

fn f32s(bits: &[String]) -> Vec<f32> {
    bits.iter().map(|bits| f32::from_bits(u32::from_str_radix(bits, 16).unwrap())).collect()
}

fn f64_of(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).unwrap())
}

/// The normalised observations, and the statistics in the end.
fn normalize(record: &Normalized) -> (Vec<Vec<f32>>, ObservationStatistics) {
    let given: Vec<Vec<f32>> = record.given.iter().map(|bits| f32s(bits)).collect();
    let space = || BoxSpace::vector(&[f32::NEG_INFINITY; 4], &[f32::INFINITY; 4]).into();
    let (before, after) = given.split_at(record.frozen_from);
    let statistics = ObservationStatistics::new();
    let training = NormalizeObservation::training(Given::new(space(), before.to_vec()), &statistics).unwrap();
    let frozen = NormalizeObservation::frozen(Given::new(space(), after.to_vec()), &statistics).unwrap();
    let mut normalized = vec![];
    for (mut env, steps) in [(training, 0..before.len()), (frozen, before.len()..given.len())] {
        for step in steps {
            let mut observation = [0.0; 4];
            let place = ObservationMut::F32(&mut observation);
            if step % record.episode_steps == 0 {
                env.reset(None, place).unwrap();
            } else {
                env.step(0, place).unwrap();
            }
            normalized.push(observation.to_vec());
        }
    }
    (normalized, statistics)
}

#[test]
fn observations_are_normalised_as_gymnasium_does_with_float64() {
    let record: Normalized = fixture("gymnasium/normalize_observation.json");
    let (normalized, statistics) = normalize(&record);
    for (step, (found, expected)) in normalized.iter().zip(&record.float64.observations).enumerate() {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(found), bits(&f32s(expected)), "step {step}");
    }
    assert_eq!(normalized.len(), record.float64.observations.len());
    assert_eq!(statistics.count().to_bits(), f64_of(&record.float64.count).to_bits());
    for (found, expected) in
        [(statistics.mean(), &record.float64.mean), (statistics.variance(), &record.float64.variance)]
    {
        let bits: Vec<String> = found.iter().map(|value| format!("{:016x}", value.to_bits())).collect();
        assert_eq!(bits, *expected);
    }
}

/// With float32 observations Gymnasium keeps mean and variance in float32, which loses digits with every update.
#[test]
fn observations_are_normalised_as_gymnasium_does_with_float32_within_a_tolerance() {
    let record: Normalized = fixture("gymnasium/normalize_observation.json");
    let (normalized, _) = normalize(&record);
    for (step, (found, expected)) in normalized.iter().zip(&record.float32.observations).enumerate() {
        // The last two elements hardly vary about a mean that is far from 0 by comparison.
        for ((found, expected), tolerance) in found.iter().zip(f32s(expected)).zip([1e-5, 1e-5, 5e-3, 5e-3]) {
            assert!((found - expected).abs() < tolerance, "step {step}: {found} instead of {expected}");
        }
    }
}

#[derive(Deserialize)]
struct NormalizedRewards {
    given: Vec<(String, bool, bool)>,
    cases: Vec<RewardCase>,
}

#[derive(Deserialize)]
struct RewardCase {
    gamma: f64,
    epsilon: f64,
    rewards: Vec<String>,
    mean: String,
    variance: String,
}

#[test]
fn rewards_are_normalised_as_gymnasium_does() {
    let record: NormalizedRewards = fixture("gymnasium/normalize_reward.json");
    let steps: Vec<Step> = record
        .given
        .iter()
        .map(|(reward, terminated, truncated)| Step {
            reward: f64_of(reward),
            terminated: *terminated,
            truncated: *truncated,
        })
        .collect();
    assert!(steps.iter().any(|step| step.terminated && !step.truncated));
    assert!(steps.iter().any(|step| step.truncated && !step.terminated));
    assert_eq!(record.cases.len(), 4);
    for RewardCase { gamma, epsilon, rewards, mean, variance } in record.cases {
        let mut given = Given::new(BoxSpace::vector(&[-1.0], &[1.0]).into(), vec![vec![0.0]]);
        given.steps = steps.clone().into_iter();
        let mut env = NormalizeReward::new(given, gamma, epsilon).unwrap();
        let mut observation = [0.0];
        env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
        for (index, (expected, given)) in rewards.iter().zip(&steps).enumerate() {
            let step = env.step(0, ObservationMut::F32(&mut observation)).unwrap();
            let (found, expected) = (step.reward, f64_of(expected));
            assert_eq!(found.to_bits(), expected.to_bits(), "γ {gamma}, step {index}: {found}, {expected}");
            assert_eq!((step.terminated, step.truncated), (given.terminated, given.truncated));
            if step.ended() {
                env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
            }
        }
        assert_eq!(rewards.len(), steps.len());
        assert_eq!((env.mean().to_bits(), env.variance().to_bits()), {
            (f64_of(&mean).to_bits(), f64_of(&variance).to_bits())
        });
    }
}

#[derive(Deserialize)]
struct Wrapped {
    cases: Vec<WrappedCase>,
}

#[derive(Deserialize)]
struct WrappedCase {
    name: String,
    shape: Vec<usize>,
    traces: Vec<Trace>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Trace {
    seed: u64,
    digest: String,
    /// The places of the elements that are not 0, for some observations.
    early: Vec<Vec<usize>>,
    episodes: Vec<Episode>,
}

/// Steps, sum of rewards, terminated, truncated, and what the environment's own return and length were.
type Episode = (usize, f64, bool, bool, Option<(f64, u32)>);

fn wrapped(name: &str) -> Box<dyn Env> {
    let count = |number: u32| number.try_into().unwrap();
    match name {
        "FrozenLake-v1: flatten, stack 4" => {
            let flat = FlattenObservation::new(make("FrozenLake-v1").unwrap()).unwrap();
            Box::new(FrameStack::new(flat, count(4)).unwrap())
        }
        "FrozenLake-v1: flatten, stack 4 padded with zeros" => {
            let flat = FlattenObservation::new(make("FrozenLake-v1").unwrap()).unwrap();
            Box::new(FrameStack::new(flat, count(4)).unwrap().padded(StackPadding::Zero))
        }
        "Blackjack-v1: flatten, stack 2, scale 0.5" => {
            let flat = FlattenObservation::new(make("Blackjack-v1").unwrap()).unwrap();
            Box::new(ScaleReward::new(FrameStack::new(flat, count(2)).unwrap(), 0.5).unwrap())
        }
        "Taxi-v4: limit 50, repeat 3, flatten, stack 3, clip" => {
            let counted = RecordEpisodeStatistics::new(TimeLimit::new(make("Taxi-v4").unwrap(), count(50)));
            let flat = FlattenObservation::new(ActionRepeat::new(counted, count(3))).unwrap();
            Box::new(ClipReward::new(FrameStack::new(flat, count(3)).unwrap(), -4.0, 1.0).unwrap())
        }
        other => panic!("no wrappers for {other}"),
    }
}

/// The same two episodes as the script's.
fn trace(name: &str, seed: u64, early_steps: usize) -> Trace {
    let mut env = wrapped(name);
    let (len, actions) = (env.spec().observation_space.len(), env.spec().actions);
    let (mut digest, mut early, mut episodes) = (Digest::new(), vec![], vec![]);
    let mut observation = ObservationBuffer::zeros(env.spec().observation_space.element(), len);
    for episode in 0..2 {
        env.reset((episode == 0).then_some(seed), observation.slice_mut(0..len)).unwrap();
        let (mut steps, mut sum, mut last) = (0, 0.0, Step::default());
        loop {
            let shown = numbers(&observation);
            shown.iter().for_each(|value| digest.add(&value.to_le_bytes()));
            if episode == 0 && steps < early_steps {
                early.push((0..len).filter(|index| shown[*index] != 0.0).collect());
            }
            if last.ended() {
                break;
            }
            let action = (seed as usize * 5 + steps * steps + steps / 3) % actions;
            last = env.step(action, observation.slice_mut(0..len)).unwrap();
            (steps, sum) = (steps + 1, sum + last.reward);
        }
        let own = env.episode_statistics().map(|own| (own.episodic_return, own.episode_length));
        episodes.push((steps, sum, last.terminated, last.truncated, own));
    }
    Trace { seed, digest: digest.text(), early, episodes }
}

#[test]
fn wrappers_round_wrappers_do_as_gymnasium_does() {
    let record: Wrapped = fixture("gymnasium/wrappers.json");
    assert_eq!(record.cases.len(), 4);
    for case in record.cases {
        let Space::Box(space) = wrapped(&case.name).spec().observation_space.clone() else { panic!("a box") };
        assert_eq!(space.shape, case.shape, "{}", case.name);
        assert_eq!(case.traces.len(), 50);
        for expected in case.traces {
            assert_eq!(trace(&case.name, expected.seed, 4), expected, "{}", case.name);
        }
    }
}
