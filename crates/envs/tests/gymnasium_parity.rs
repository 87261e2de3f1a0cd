//! CartPole against what Gymnasium 1.4 gave: `fixtures/gymnasium`, and the script that made it.
//!
//! Gymnasium's bits come from `sin` and `cos` of the C library: glibc's on x86-64. There everything is compared
//! to the bit; elsewhere the beginnings of the episodes within [`TOLERANCE`].

use std::path::Path;

use deepq_core::{Env, ObservationMut, Step};
use deepq_envs::cart_pole::CartPoleState;
use deepq_envs::{CartPole, TimeLimit, make};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const SAME_LIBRARY: bool = cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"));

/// For observations after at most 32 steps, where sin and cos may differ in their last bit: a difference of
/// 10⁻¹⁶ grows less than a hundredfold in that time, and the rest is the rounding to f32.
const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Episodes {
    early_steps: usize,
    /// Reward and terminated.
    fall_and_return: Vec<(f64, bool)>,
    #[serde(rename = "CartPole-v1")]
    v1: Vec<Case>,
    #[serde(rename = "CartPole-v0")]
    v0: Vec<Case>,
}

/// Two episodes, the first begun with the seed and the second without, and a few steps beyond its end.
#[derive(Deserialize)]
struct Case {
    seed: u64,
    initial: [String; 4],
    early: [String; 4],
    #[serde(flatten)]
    trace: Trace,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Trace {
    /// Steps, terminated, truncated.
    episodes: Vec<(usize, bool, bool)>,
    /// Reward, terminated, truncated.
    beyond: Vec<(f64, bool, bool)>,
    /// Digests of all observations and of all states.
    observations: String,
    states: String,
}

#[derive(Deserialize)]
struct Pictures {
    pictures: Vec<Picture>,
    whole: Vec<WholePicture>,
}

#[derive(Deserialize)]
struct Picture {
    /// Position and angle.
    state: [String; 2],
    runs: String,
}

#[derive(Deserialize)]
struct WholePicture {
    picture: usize,
    runs: String,
}

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gymnasium").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn f64_of(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).unwrap())
}

fn f32_of(bits: &str) -> f32 {
    f32::from_bits(u32::from_str_radix(bits, 16).unwrap())
}

struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// The action rules of the script, by seed.
fn action(seed: u64, step: usize, observation: [f32; 4]) -> usize {
    let [position, velocity, angle, angular_velocity] = observation.map(f64::from);
    let lean = angle + 0.5 * angular_velocity;
    match seed % 5 {
        0 => usize::from(lean > 0.0) ^ usize::from(step % 7 == 3),
        1 => step % 2,
        2 => usize::from(lean + 0.0625 * position + 0.125 * velocity > 0.0),
        3 => usize::from(lean > if seed % 2 == 1 { 0.03125 } else { -0.03125 }),
        _ => step / 3 % 2,
    }
}

fn numbers(state: CartPoleState) -> [f64; 4] {
    [state.position, state.velocity, state.angle, state.angular_velocity]
}

/// Plays what the script played.
struct Player {
    env: TimeLimit<CartPole>,
    seed: u64,
    observation: [f32; 4],
    observations: Digest,
    states: Digest,
}

impl Player {
    fn new(env: TimeLimit<CartPole>, seed: u64) -> Self {
        Self { env, seed, observation: [0.0; 4], observations: Digest::new(), states: Digest::new() }
    }

    fn state(&self) -> [f64; 4] {
        numbers(self.env.inner().state().unwrap())
    }

    fn record(&mut self) {
        self.observation.iter().for_each(|value| self.observations.add(&value.to_le_bytes()));
        self.state().iter().for_each(|value| self.states.add(&value.to_le_bytes()));
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::F32(&mut self.observation)).unwrap();
        self.record();
    }

    fn step(&mut self, step: usize) -> Step {
        let action = action(self.seed, step, self.observation);
        let result = self.env.step(action, ObservationMut::F32(&mut self.observation)).unwrap();
        self.record();
        result
    }

    /// Plays an episode to its end: its length and its last step.
    fn episode(&mut self, seed: Option<u64>) -> (usize, Step) {
        self.reset(seed);
        for steps in 1.. {
            let last = self.step(steps - 1);
            assert_eq!(last.reward, 1.0);
            if last.ended() {
                return (steps, last);
            }
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

fn assert_beginnings(env: &TimeLimit<CartPole>, cases: &[Case], early_steps: usize) {
    for case in cases {
        let mut player = Player::new(env.clone(), case.seed);
        player.reset(Some(case.seed));
        let initial = case.initial.each_ref().map(|bits| f64_of(bits));
        assert_eq!(player.state().map(f64::to_bits), initial.map(f64::to_bits), "seed {}", case.seed);
        for step in 0..early_steps {
            if player.step(step).ended() {
                break;
            }
        }
        let expected = case.early.each_ref().map(|bits| f32_of(bits));
        for (found, expected) in player.observation.iter().zip(expected) {
            assert!((found - expected).abs() <= TOLERANCE, "seed {}: {found}, not {expected}", case.seed);
        }
    }
}

fn assert_whole_episodes(env: &TimeLimit<CartPole>, cases: &[Case]) {
    for case in cases {
        let trace = Player::new(env.clone(), case.seed).trace(case.trace.beyond.len());
        assert_eq!(trace, case.trace, "seed {}", case.seed);
    }
}

#[test]
fn initial_states_are_gymnasiums_to_the_bit_and_beginnings_nearly_so_everywhere() {
    let episodes: Episodes = fixture("cart_pole_episodes.json");
    assert_beginnings(&CartPole::v1(), &episodes.v1, episodes.early_steps);
    assert_beginnings(&CartPole::v0(), &episodes.v0, episodes.early_steps);
}

#[test]
fn episodes_of_1008_seeds_of_v1_and_50_of_v0_are_gymnasiums_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let episodes: Episodes = fixture("cart_pole_episodes.json");
    assert_eq!((episodes.v1.len(), episodes.v0.len()), (1008, 50));
    assert_whole_episodes(&CartPole::v1(), &episodes.v1);
    assert_whole_episodes(&CartPole::v0(), &episodes.v0);
}

#[test]
fn the_episodes_compared_end_in_every_way() {
    let episodes: Episodes = fixture("cart_pole_episodes.json");
    let ends: Vec<_> = episodes.v1.iter().flat_map(|case| &case.trace.episodes).collect();
    assert!(
        ends.iter()
            .filter(|(steps, terminated, truncated)| *steps == 500 && !terminated && *truncated)
            .count()
            > 900
    );
    assert!(ends.iter().filter(|(steps, terminated, _)| *steps < 30 && *terminated).count() > 300);
    let beyond_the_fall = |case: &&Case| case.trace.beyond.iter().any(|(reward, ..)| *reward == 0.0);
    assert!(episodes.v1.iter().filter(beyond_the_fall).count() > 300);
    let off_the_track = episodes.v1.iter().filter(|case| {
        let mut player = Player::new(CartPole::v1(), case.seed);
        let (_, last) = player.episode(Some(case.seed));
        last.terminated && player.state()[0].abs() > 2.4
    });
    assert!(off_the_track.count() > 50);
}

#[test]
fn a_pole_that_swings_back_earns_as_in_gymnasium() {
    let episodes: Episodes = fixture("cart_pole_episodes.json");
    let mut env = CartPole::new();
    env.set_state(CartPoleState { position: 0.0, velocity: 0.0, angle: 0.25, angular_velocity: -1.0 });
    let step = |_: &_| env.step(1, ObservationMut::F32(&mut [0.0; 4])).unwrap();
    let found: Vec<_> =
        episodes.fall_and_return.iter().map(step).map(|step| (step.reward, step.terminated)).collect();
    assert_eq!(found, episodes.fall_and_return);
    for expected in [(1.0, true), (0.0, true), (1.0, false)] {
        assert!(found.contains(&expected), "{expected:?} was to be among them");
    }
}

#[test]
fn made_by_id_the_environments_are_those_compared() {
    let versions = [("CartPole-v0", 200, 195.0, CartPole::v0()), ("CartPole-v1", 500, 475.0, CartPole::v1())];
    for (id, steps, threshold, mut twin) in versions {
        let mut env = make(id).unwrap();
        assert_eq!(env.spec(), twin.spec());
        assert_eq!(env.spec().id, id);
        assert_eq!(env.spec().max_episode_steps, Some(steps));
        assert_eq!(env.spec().reward_threshold, Some(threshold));
        let (mut left, mut right) = ([0.0; 4], [0.0; 4]);
        env.reset(Some(5), ObservationMut::F32(&mut left)).unwrap();
        twin.reset(Some(5), ObservationMut::F32(&mut right)).unwrap();
        assert_eq!(left, right);
    }
}

/// Position and angle as a picture, in the run-length form of the script.
fn drawn_runs(state: [f64; 2]) -> Vec<u8> {
    let [position, angle] = state;
    let mut env = CartPole::new();
    env.set_state(CartPoleState { position, velocity: 0.0, angle, angular_velocity: 0.0 });
    let frame = env.render().unwrap();
    assert_eq!((frame.width(), frame.height()), (600, 400));
    let pixels = frame.rgb().as_chunks::<3>().0;
    let mut runs = Vec::new();
    for run in pixels.chunk_by(|left, right| left == right) {
        runs.extend((run.len() as u32).to_le_bytes());
        runs.extend(run[0]);
    }
    runs
}

#[test]
fn all_440_pictures_are_gymnasiums_to_the_bit() {
    let Pictures { pictures, whole } = fixture("cart_pole_pictures.json");
    assert_eq!(pictures.len(), 440);
    let runs: Vec<_> = pictures
        .iter()
        .map(|picture| drawn_runs(picture.state.each_ref().map(|bits| f64_of(bits))))
        .collect();
    for WholePicture { picture, runs: expected } in &whole {
        let found: String = runs[*picture].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(found == *expected, "picture {picture} differs");
    }
    assert_eq!(whole.len(), 3);
    let differing: Vec<_> = (0..pictures.len())
        .filter(|index| {
            let mut digest = Digest::new();
            digest.add(&runs[*index]);
            digest.text() != pictures[*index].runs
        })
        .collect();
    assert!(differing.is_empty(), "{} of {} pictures differ: {differing:?}", differing.len(), pictures.len());
}
