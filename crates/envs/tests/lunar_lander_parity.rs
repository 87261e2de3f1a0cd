//! LunarLander against what Gymnasium 1.4 gave: `fixtures/gymnasium/lunar_lander.py`.
//!
//! With glibc, on x86-64 and AArch64, everything is compared to the bit; elsewhere the beginnings of the episodes
//! within [`TOLERANCE`].
#![cfg(feature = "box2d")]

mod common;

use common::{Digest, f32_of, f64_of, fixture};
use deepq_core::{Env, ObservationMut, Step};
use deepq_envs::TimeLimit;
use deepq_envs::box2d::LunarLander;
use deepq_envs::box2d::lunar_lander::LunarLanderOptions;
use serde::Deserialize;

/// Sines and their like are glibc's, which gives the same bits on both.
const SAME_LIBRARY: bool =
    cfg!(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_os = "linux", target_env = "gnu"));

/// For observations after 32 steps, before the first contact: sines differ in their last bit, 10⁻⁷, and the
/// engines turn that into speed.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Episodes {
    early_steps: usize,
    steps_between_bodies: usize,
    steps_beyond: usize,
    options: Options,
    plain: Vec<Case>,
    wind: Vec<Case>,
    other: Vec<Case>,
}

#[derive(Deserialize)]
struct Options {
    plain: LunarLanderOptions,
    wind: LunarLanderOptions,
    other: LunarLanderOptions,
}

impl Episodes {
    fn groups(&self) -> [(LunarLanderOptions, &[Case]); 3] {
        let Options { plain, wind, other } = self.options;
        [(plain, &self.plain), (wind, &self.wind), (other, &self.other)]
    }
}

/// Two episodes, the first begun with the seed and the second without, and a few steps beyond its end.
#[derive(Deserialize)]
struct Case {
    seed: u64,
    early: [String; 8],
    #[serde(flatten)]
    trace: Trace,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Trace {
    /// Steps, terminated, truncated, the bits of the return.
    episodes: Vec<(usize, bool, bool, String)>,
    /// Digests of all observations, of all rewards and ends, and of the bodies every few steps.
    observations: String,
    rewards: String,
    bodies: String,
}

/// The script's numbers that look random.
fn chance(seed: u64, step: usize) -> u64 {
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((step as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))
        .wrapping_add(0x632b_e59b_d9b4_e019);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

fn landing([x, y, x_speed, y_speed, angle, turn, left, right]: [f64; 8]) -> usize {
    let (angle_error, height_error) = if left != 0.0 || right != 0.0 {
        (0.0, -0.5 * y_speed)
    } else {
        let aim = (0.5 * x + x_speed).clamp(-0.4, 0.4);
        (0.5 * (aim - angle) - turn, 0.5 * (0.55 * x.abs() - y) - 0.5 * y_speed)
    };
    if height_error > angle_error.abs() && height_error > 0.05 {
        2
    } else if angle_error < -0.05 {
        3
    } else {
        usize::from(angle_error > 0.05)
    }
}

fn hovering([x, y, x_speed, y_speed, angle, turn, ..]: [f64; 8]) -> usize {
    let error = 0.5 * ((0.5 * x + x_speed).clamp(-0.3, 0.3) - angle) - turn;
    if 1.0 - y - 2.0 * y_speed > 0.125 {
        2
    } else if error < -0.05 {
        3
    } else {
        usize::from(error > 0.05)
    }
}

/// The action rules of the script, by seed.
fn action(seed: u64, step: usize, observation: [f32; 8]) -> usize {
    let observation = observation.map(f64::from);
    let noise = chance(seed, step);
    match seed % 10 {
        0..3 => landing(observation),
        3..6 => (noise % 4) as usize,
        6..8 if noise >> 8 & 3 == 0 => (noise % 4) as usize,
        6..8 => landing(observation),
        8 => 2,
        _ if seed % 40 == 9 => hovering(observation),
        _ => 0,
    }
}

/// Plays what the script played.
struct Player {
    env: TimeLimit<LunarLander>,
    seed: u64,
    steps_between_bodies: usize,
    recorded: usize,
    observation: [f32; 8],
    observations: Digest,
    rewards: Digest,
    bodies: Digest,
}

impl Player {
    fn new(options: LunarLanderOptions, seed: u64, steps_between_bodies: usize) -> Self {
        Self {
            env: LunarLander::v3_with(options).unwrap(),
            seed,
            steps_between_bodies,
            recorded: 0,
            observation: [0.0; 8],
            observations: Digest::new(),
            rewards: Digest::new(),
            bodies: Digest::new(),
        }
    }

    fn record(&mut self) {
        self.observation.iter().for_each(|value| self.observations.add(&value.to_le_bytes()));
        if self.recorded.is_multiple_of(self.steps_between_bodies) {
            for body in self.env.inner().bodies().unwrap() {
                let ([x, y], [x_speed, y_speed]) = (body.position, body.velocity);
                for value in [x, y, body.angle, x_speed, y_speed, body.angular_velocity] {
                    self.bodies.add(&value.to_le_bytes());
                }
            }
        }
        self.recorded += 1;
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::F32(&mut self.observation)).unwrap();
        self.record();
    }

    fn step(&mut self, step: usize) -> Step {
        let action = action(self.seed, step, self.observation);
        let result = self.env.step(action, ObservationMut::F32(&mut self.observation)).unwrap();
        self.rewards.add(&result.reward.to_le_bytes());
        self.rewards.add(&[result.terminated.into(), result.truncated.into()]);
        self.record();
        result
    }

    /// Plays an episode to its end.
    fn episode(&mut self, seed: Option<u64>) -> (usize, bool, bool, String) {
        self.reset(seed);
        let mut total = 0.0;
        for steps in 1.. {
            let last = self.step(steps - 1);
            total += last.reward;
            if last.ended() {
                return (steps, last.terminated, last.truncated, format!("{:016x}", total.to_bits()));
            }
        }
        unreachable!("an episode ends")
    }

    fn trace(mut self, steps_beyond: usize) -> Trace {
        let episodes = vec![self.episode(Some(self.seed)), self.episode(None)];
        for step in 0..steps_beyond {
            self.step(episodes[1].0 + step);
        }
        let Self { observations, rewards, bodies, .. } = self;
        let [observations, rewards, bodies] = [observations, rewards, bodies].map(|digest| digest.text());
        Trace { episodes, observations, rewards, bodies }
    }
}

fn assert_whole_episodes(group: usize, count: usize) {
    let all: Episodes = fixture("gymnasium/lunar_lander_episodes.json");
    let (options, cases) = all.groups()[group];
    assert_eq!(cases.len(), count);
    if !SAME_LIBRARY {
        return;
    }
    let differs = |case: &&Case| {
        let player = Player::new(options, case.seed, all.steps_between_bodies);
        player.trace(all.steps_beyond) != case.trace
    };
    let differing: Vec<_> = cases.iter().filter(differs).map(|case| case.seed).collect();
    assert!(differing.is_empty(), "{} of {count} seeds differ: {differing:?}", differing.len());
}

#[test]
fn row_20_episodes_of_500_seeds_without_wind_are_gymnasiums_to_the_bit() {
    assert_whole_episodes(0, 500);
}

#[test]
fn row_20_episodes_of_500_seeds_with_wind_are_gymnasiums_to_the_bit() {
    assert_whole_episodes(1, 500);
}

#[test]
fn row_20_episodes_of_43_seeds_with_other_options_are_gymnasiums_to_the_bit() {
    assert_whole_episodes(2, 43);
}

#[test]
fn the_episodes_compared_end_in_every_way() {
    let all: Episodes = fixture("gymnasium/lunar_lander_episodes.json");
    let cases = all.groups().into_iter().flat_map(|(_, cases)| cases);
    let ends: Vec<_> = cases.flat_map(|case| &case.trace.episodes).collect();
    let count = |wanted: &dyn Fn(f64, usize, bool) -> bool| {
        ends.iter().filter(|(steps, _, truncated, bits)| wanted(f64_of(bits), *steps, *truncated)).count()
    };
    assert!(count(&|total, _, _| total > 200.0) > 300, "landed");
    assert!(count(&|total, _, truncated| !truncated && total < -100.0) > 300, "crashed");
    assert!(count(&|_, steps, truncated| truncated && steps == 1000) > 50, "cut off");
}

#[test]
fn beginnings_are_gymnasiums_nearly_everywhere() {
    let all: Episodes = fixture("gymnasium/lunar_lander_episodes.json");
    for (options, cases) in all.groups() {
        for case in cases {
            let mut player = Player::new(options, case.seed, all.steps_between_bodies);
            player.reset(Some(case.seed));
            for step in 0..all.early_steps {
                player.step(step);
            }
            for (found, bits) in player.observation.iter().zip(&case.early) {
                let near = (found - f32_of(bits)).abs() <= TOLERANCE;
                assert!(near, "seed {}: {found}, not {}", case.seed, f32_of(bits));
            }
        }
    }
}

#[derive(Deserialize)]
struct Pictures {
    steps_between_pictures: usize,
    episodes: Vec<DrawnEpisode>,
    last: Vec<WholePicture>,
}

/// Digests of the pictures of an episode, one every few steps.
#[derive(Deserialize)]
struct DrawnEpisode {
    seed: u64,
    pictures: Vec<String>,
}

/// The last picture of an episode.
#[derive(Deserialize)]
struct WholePicture {
    seed: u64,
    runs: String,
}

/// The present picture in the run-length form of the script.
fn drawn_runs(env: &TimeLimit<LunarLander>) -> Vec<u8> {
    let frame = env.render().unwrap();
    assert_eq!((frame.width(), frame.height()), (600, 400));
    let mut runs = Vec::new();
    for run in frame.rgb().as_chunks::<3>().0.chunk_by(|left, right| left == right) {
        runs.extend((run.len() as u32).to_le_bytes());
        runs.extend(run[0]);
    }
    runs
}

#[test]
fn pictures_of_60_episodes_are_gymnasiums_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let Pictures { steps_between_pictures, episodes, last } = fixture("gymnasium/lunar_lander_pictures.json");
    assert_eq!((episodes.len(), last.len()), (60, 2));
    let (mut count, mut differing) = (0, Vec::new());
    for DrawnEpisode { seed, pictures } in episodes {
        let mut player = Player::new(LunarLanderOptions::default(), seed, 1);
        player.reset(Some(seed));
        let (mut step, mut ended) = (0, false);
        loop {
            if step % steps_between_pictures == 0 {
                count += 1;
                if Digest::of(&drawn_runs(&player.env)) != pictures[step / steps_between_pictures] {
                    differing.push((seed, step));
                }
            }
            if ended {
                break;
            }
            ended = player.step(step).ended();
            step += 1;
        }
        if let Some(whole) = last.iter().find(|whole| whole.seed == seed) {
            let found: String = drawn_runs(&player.env).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(found == whole.runs, "the last picture of seed {seed} differs");
        }
    }
    assert!(count > 2000, "{count} pictures");
    assert!(differing.is_empty(), "{} of {count} pictures differ: {differing:?}", differing.len());
}
