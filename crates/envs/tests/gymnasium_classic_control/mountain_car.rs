//! MountainCar: `fixtures/gymnasium/mountain_car.py`.

use deepq_core::{Env, ObservationMut};
use deepq_envs::mountain_car::{MountainCarOptions, MountainCarState};
use deepq_envs::{MountainCar, TimeLimit, make};
use serde::Deserialize;

use crate::common::fixture;
use crate::recorded::{
    Case, Pictures, Player, Recorded, SAME_LIBRARY, assert_beginnings, assert_whole_episodes,
};

/// For observations after at most 32 steps, where cos may differ in its last bit: a difference of 10⁻¹⁸ in the
/// velocity adds up to no more than 10⁻¹⁵ in that time, and the rest is the rounding to f32.
const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Episodes {
    early_steps: usize,
    #[serde(rename = "MountainCar-v0")]
    v0: Vec<Case>,
    #[serde(rename = "goal_velocity_0.04")]
    faster: Vec<Case>,
}

fn episodes() -> Episodes {
    fixture("gymnasium/mountain_car_episodes.json")
}

fn faster() -> TimeLimit<MountainCar> {
    MountainCar::v0_with(MountainCarOptions { goal_velocity: 0.04 }).unwrap()
}

impl Recorded for TimeLimit<MountainCar> {
    const REWARD: f64 = -1.0;

    fn action(seed: u64, step: usize, observation: &[f64]) -> usize {
        let (position, velocity) = (observation[0], observation[1]);
        let along = if velocity > 0.0 { 2 } else { 0 };
        let small = |modulus| (seed % modulus) as usize;
        match seed % 5 {
            0 => along,
            1 if step.is_multiple_of(3 + small(7)) => 1,
            1 => along,
            2 if position > 0.25 => 0,
            2 => along,
            3 => step / (5 + small(11)) % 3,
            _ => (step * step + 7 * step + small(1000)) / 5 % 3,
        }
    }

    fn numbers(&self) -> Vec<f64> {
        let state = self.inner().state().unwrap();
        vec![state.position, state.velocity]
    }
}

#[test]
fn initial_states_are_gymnasiums_to_the_bit_and_beginnings_nearly_so_everywhere() {
    let episodes = episodes();
    assert_beginnings(&MountainCar::v0(), &episodes.v0, episodes.early_steps, TOLERANCE);
}

#[test]
fn row_20_episodes_of_1008_seeds_and_30_with_a_goal_velocity_are_gymnasiums_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let episodes = episodes();
    assert_eq!((episodes.v0.len(), episodes.faster.len()), (1008, 30));
    assert_whole_episodes(&MountainCar::v0(), &episodes.v0);
    assert_whole_episodes(&faster(), &episodes.faster);
}

#[test]
fn the_episodes_compared_end_in_every_way_and_hit_the_wall() {
    let episodes = episodes();
    let ends: Vec<_> = episodes.v0.iter().flat_map(|case| &case.trace.episodes).collect();
    assert!(ends.iter().filter(|(steps, terminated, _)| *steps < 200 && *terminated).count() > 1000);
    assert!(ends.iter().filter(|(steps, _, truncated)| *steps == 200 && *truncated).count() > 700);
    let mut hits = 0;
    for case in &episodes.v0 {
        let mut player = Player::new(MountainCar::v0(), case.seed);
        player.episode_with(Some(case.seed), |env| {
            hits +=
                usize::from(env.inner().state() == Some(MountainCarState { position: -1.2, velocity: 0.0 }));
        });
    }
    assert!(hits > 300, "{hits}");
    let too_slow = episodes.faster.iter().filter(|case| {
        case.trace.episodes[0].0 > Player::new(MountainCar::v0(), case.seed).episode(Some(case.seed)).0
    });
    assert!(too_slow.count() > 10);
}

#[test]
fn made_by_id_the_environment_is_the_one_compared() {
    let (mut env, mut twin) = (make("MountainCar-v0").unwrap(), MountainCar::v0());
    assert_eq!(env.spec(), twin.spec());
    assert_eq!(env.spec().id, "MountainCar-v0");
    assert_eq!(env.spec().max_episode_steps, Some(200));
    assert_eq!(env.spec().reward_threshold, Some(-110.0));
    let (mut left, mut right) = ([0.0; 2], [0.0; 2]);
    env.reset(Some(5), ObservationMut::F32(&mut left)).unwrap();
    twin.reset(Some(5), ObservationMut::F32(&mut right)).unwrap();
    assert_eq!(left, right);
}

#[test]
fn all_304_pictures_are_gymnasiums_to_the_bit() {
    let pictures: Pictures = fixture("gymnasium/mountain_car_pictures.json");
    pictures.assert_same(304, |numbers| {
        let mut env = MountainCar::new();
        env.set_state(MountainCarState { position: numbers[0], velocity: 0.0 });
        env.render().unwrap()
    });
}
