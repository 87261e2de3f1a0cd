//! CartPole: `fixtures/gymnasium/cart_pole.py`.

use deepq_core::{Env, ObservationMut};
use deepq_envs::cart_pole::CartPoleState;
use deepq_envs::{CartPole, TimeLimit, make};
use serde::Deserialize;

use crate::common::fixture;
use crate::recorded::{
    Case, Pictures, Player, Recorded, SAME_LIBRARY, assert_beginnings, assert_whole_episodes,
};

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

fn episodes() -> Episodes {
    fixture("gymnasium/cart_pole_episodes.json")
}

impl Recorded for TimeLimit<CartPole> {
    const REWARD: f64 = 1.0;

    fn action(seed: u64, step: usize, observation: &[f64]) -> usize {
        let [position, velocity, angle, angular_velocity] = observation else {
            unreachable!("four numbers");
        };
        let lean = angle + 0.5 * angular_velocity;
        match seed % 5 {
            0 => usize::from(lean > 0.0) ^ usize::from(step % 7 == 3),
            1 => step % 2,
            2 => usize::from(lean + 0.0625 * position + 0.125 * velocity > 0.0),
            3 => usize::from(lean > if seed % 2 == 1 { 0.03125 } else { -0.03125 }),
            _ => step / 3 % 2,
        }
    }

    fn numbers(&self) -> Vec<f64> {
        let state = self.inner().state().unwrap();
        vec![state.position, state.velocity, state.angle, state.angular_velocity]
    }
}

#[test]
fn initial_states_are_gymnasiums_to_the_bit_and_beginnings_nearly_so_everywhere() {
    let episodes = episodes();
    assert_beginnings(&CartPole::v1(), &episodes.v1, episodes.early_steps, TOLERANCE);
    assert_beginnings(&CartPole::v0(), &episodes.v0, episodes.early_steps, TOLERANCE);
}

#[test]
fn row_20_episodes_of_1008_seeds_of_v1_and_50_of_v0_are_gymnasiums_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let episodes = episodes();
    assert_eq!((episodes.v1.len(), episodes.v0.len()), (1008, 50));
    assert_whole_episodes(&CartPole::v1(), &episodes.v1);
    assert_whole_episodes(&CartPole::v0(), &episodes.v0);
}

#[test]
fn the_episodes_compared_end_in_every_way() {
    let episodes = episodes();
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
        last.terminated && player.env.numbers()[0].abs() > 2.4
    });
    assert!(off_the_track.count() > 50);
}

#[test]
fn a_pole_that_swings_back_earns_as_in_gymnasium() {
    let episodes = episodes();
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

#[test]
fn all_440_pictures_are_gymnasiums_to_the_bit() {
    let pictures: Pictures = fixture("gymnasium/cart_pole_pictures.json");
    pictures.assert_same(440, |numbers| {
        let mut env = CartPole::new();
        let (position, angle) = (numbers[0], numbers[1]);
        env.set_state(CartPoleState { position, velocity: 0.0, angle, angular_velocity: 0.0 });
        let frame = env.render().unwrap();
        assert_eq!((frame.width(), frame.height()), (600, 400));
        frame
    });
}
