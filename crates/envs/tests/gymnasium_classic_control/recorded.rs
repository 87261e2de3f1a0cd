//! Plays what the scripts played, and compares: `fixtures/gymnasium/recording.py` tells the form.

use deepq_core::{Env, Frame, ObservationMut, Step};
use serde::Deserialize;

use crate::common::{Digest, f32_of, f64_of};

pub(crate) const SAME_LIBRARY: bool =
    cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"));

/// An environment that a script has played.
pub(crate) trait Recorded: Env + Clone {
    /// The action rules of the script, by seed, on the observation.
    fn action(seed: u64, step: usize, observation: &[f64]) -> usize;

    /// The state in full precision.
    fn numbers(&self) -> Vec<f64>;

    /// The reward of each step but the last of an episode.
    const REWARD: f64;
}

/// Two episodes, the first begun with the seed and the second without, and a few steps beyond its end.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    initial: Vec<String>,
    early: Vec<String>,
    #[serde(flatten)]
    pub(crate) trace: Trace,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Trace {
    /// Steps, terminated, truncated.
    pub(crate) episodes: Vec<(usize, bool, bool)>,
    /// Reward, terminated, truncated.
    pub(crate) beyond: Vec<(f64, bool, bool)>,
    /// Digests of all observations, and of all states and rewards.
    observations: String,
    states: String,
}

pub(crate) struct Player<E> {
    pub(crate) env: E,
    seed: u64,
    observation: Vec<f32>,
    observations: Digest,
    states: Digest,
}

impl<E: Recorded> Player<E> {
    pub(crate) fn new(env: E, seed: u64) -> Self {
        let observation = vec![0.0; env.spec().observation_space.len()];
        Self { env, seed, observation, observations: Digest::new(), states: Digest::new() }
    }

    fn record(&mut self, rewards: &[f64]) {
        self.observation.iter().for_each(|value| self.observations.add(&value.to_le_bytes()));
        let numbers = self.env.numbers();
        numbers.iter().chain(rewards).for_each(|value| self.states.add(&value.to_le_bytes()));
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::F32(&mut self.observation)).unwrap();
        self.record(&[]);
    }

    fn step(&mut self, step: usize) -> Step {
        let observation: Vec<_> = self.observation.iter().map(|value| f64::from(*value)).collect();
        let action = E::action(self.seed, step, &observation);
        let result = self.env.step(action, ObservationMut::F32(&mut self.observation)).unwrap();
        self.record(&[result.reward]);
        result
    }

    /// Plays an episode to its end: its length and its last step.
    pub(crate) fn episode(&mut self, seed: Option<u64>) -> (usize, Step) {
        self.episode_with(seed, |_| {})
    }

    /// The same, with a look at the environment after each step.
    pub(crate) fn episode_with(&mut self, seed: Option<u64>, mut look: impl FnMut(&E)) -> (usize, Step) {
        self.reset(seed);
        for steps in 1.. {
            let last = self.step(steps - 1);
            look(&self.env);
            if last.ended() {
                return (steps, last);
            }
            assert_eq!(last.reward, E::REWARD);
        }
        unreachable!("an episode ends")
    }

    fn trace(mut self, beyond: usize) -> Trace {
        let (first, first_end) = self.episode(Some(self.seed));
        let (second, second_end) = self.episode(None);
        let mut extra = |step| {
            let Step { reward, terminated, truncated } = self.step(second + step);
            (reward, terminated, truncated)
        };
        let beyond = (0..beyond).map(&mut extra).collect();
        Trace {
            episodes: vec![
                (first, first_end.terminated, first_end.truncated),
                (second, second_end.terminated, second_end.truncated),
            ],
            beyond,
            observations: self.observations.text(),
            states: self.states.text(),
        }
    }
}

/// Initial states to the bit, and the observations `early_steps` later within `tolerance`.
pub(crate) fn assert_beginnings<E: Recorded>(env: &E, cases: &[Case], early_steps: usize, tolerance: f32) {
    for case in cases {
        let mut player = Player::new(env.clone(), case.seed);
        player.reset(Some(case.seed));
        let bits = |numbers: Vec<f64>| numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let initial = case.initial.iter().map(|bits| f64_of(bits)).collect();
        assert_eq!(bits(player.env.numbers()), bits(initial), "seed {}", case.seed);
        for step in 0..early_steps {
            if player.step(step).ended() {
                break;
            }
        }
        assert_eq!(player.observation.len(), case.early.len());
        for (found, expected) in player.observation.iter().zip(&case.early) {
            let expected = f32_of(expected);
            assert!((found - expected).abs() <= tolerance, "seed {}: {found}, not {expected}", case.seed);
        }
    }
}

pub(crate) fn assert_whole_episodes<E: Recorded>(env: &E, cases: &[Case]) {
    for case in cases {
        let trace = Player::new(env.clone(), case.seed).trace(case.trace.beyond.len());
        assert_eq!(trace, case.trace, "seed {}", case.seed);
    }
}

#[derive(Deserialize)]
pub(crate) struct Pictures {
    pictures: Vec<Picture>,
    whole: Vec<WholePicture>,
}

#[derive(Deserialize)]
struct Picture {
    /// The numbers that are drawn.
    state: Vec<String>,
    runs: String,
}

#[derive(Deserialize)]
struct WholePicture {
    picture: usize,
    runs: String,
}

impl Pictures {
    /// All pictures to the bit: `draw` is given the numbers of each.
    pub(crate) fn assert_same(&self, count: usize, mut draw: impl FnMut(&[f64]) -> Frame) {
        let Self { pictures, whole } = self;
        assert_eq!(pictures.len(), count);
        let mut drawn = |picture: &Picture| {
            let numbers: Vec<_> = picture.state.iter().map(|bits| f64_of(bits)).collect();
            runs(&draw(&numbers))
        };
        let all: Vec<_> = pictures.iter().map(&mut drawn).collect();
        for WholePicture { picture, runs: expected } in whole {
            let found: String = all[*picture].iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(found == *expected, "picture {picture} differs");
        }
        assert!(whole.len() > 1);
        let differing: Vec<_> = (0..count).filter(|at| Digest::of(&all[*at]) != pictures[*at].runs).collect();
        assert!(differing.is_empty(), "{} of {count} pictures differ: {differing:?}", differing.len());
    }
}

/// A picture in the run-length form of the script.
fn runs(frame: &Frame) -> Vec<u8> {
    let pixels = frame.rgb().as_chunks::<3>().0;
    let mut runs = Vec::new();
    for run in pixels.chunk_by(|left, right| left == right) {
        runs.extend((run.len() as u32).to_le_bytes());
        runs.extend(run[0]);
    }
    runs
}
