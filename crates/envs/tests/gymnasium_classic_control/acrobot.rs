//! Acrobot: `fixtures/gymnasium/acrobot.py`.

use deepq_core::{Env, ObservationMut};
use deepq_envs::acrobot::AcrobotState;
use deepq_envs::{Acrobot, TimeLimit, make};
use serde::Deserialize;

use crate::common::{f32_of, f64_of, fixture};
use crate::recorded::{
    Case, Pictures, Player, Recorded, SAME_LIBRARY, assert_beginnings, assert_whole_episodes,
};

/// For observations after at most 16 steps, where sin, cos and pow may differ in their last bit: with every sin
/// and cos of the equations moved by that bit they stay within this.
const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Episodes {
    early_steps: usize,
    #[serde(rename = "Acrobot-v1")]
    v1: Vec<Case>,
    thrown: Vec<Thrown>,
}

/// A state, and what follows it under actions 0, 1, 2, 0.
#[derive(Deserialize)]
struct Thrown {
    from: [String; 4],
    to: Vec<([String; 4], [String; 6], f64, bool)>,
}

fn episodes() -> Episodes {
    fixture("gymnasium/acrobot_episodes.json")
}

impl Recorded for TimeLimit<Acrobot> {
    const REWARD: f64 = -1.0;

    fn action(seed: u64, step: usize, observation: &[f64]) -> usize {
        let (velocity_1, velocity_2) = (observation[4], observation[5]);
        let along = |velocity: f64| if velocity > 0.0 { 2 } else { 0 };
        let small = |modulus| (seed % modulus) as usize;
        match seed % 5 {
            0 => along(velocity_2),
            1 if step.is_multiple_of(4 + small(7)) => 1,
            1 => 2 - along(velocity_1),
            2 => along(velocity_1 + velocity_2),
            3 => step / (2 + small(11)) % 3,
            _ => (step * step + 7 * step + small(1000)) / 5 % 3,
        }
    }

    fn numbers(&self) -> Vec<f64> {
        numbers(self.inner().state().unwrap()).to_vec()
    }
}

fn numbers(state: AcrobotState) -> [f64; 4] {
    [state.angle_1, state.angle_2, state.angular_velocity_1, state.angular_velocity_2]
}

fn state_of([angle_1, angle_2, angular_velocity_1, angular_velocity_2]: [f64; 4]) -> AcrobotState {
    AcrobotState { angle_1, angle_2, angular_velocity_1, angular_velocity_2 }
}

#[test]
fn initial_states_are_gymnasiums_to_the_bit_and_beginnings_nearly_so_everywhere() {
    let episodes = episodes();
    assert_beginnings(&Acrobot::v1(), &episodes.v1, episodes.early_steps, TOLERANCE);
}

#[test]
fn row_20_episodes_of_1008_seeds_are_gymnasiums_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let episodes = episodes();
    assert_eq!(episodes.v1.len(), 1008);
    assert_whole_episodes(&Acrobot::v1(), &episodes.v1);
}

#[test]
fn states_at_the_limits_go_on_as_in_gymnasium_to_the_bit() {
    if !SAME_LIBRARY {
        return;
    }
    let Episodes { thrown, .. } = episodes();
    assert_eq!(thrown.len(), 60);
    let (mut fast, mut ends) = (0, 0);
    for (index, Thrown { from, to }) in thrown.iter().enumerate() {
        let mut env = Acrobot::new();
        env.set_state(state_of(from.each_ref().map(|bits| f64_of(bits))));
        for (action, (state, expected, reward, terminated)) in [0, 1, 2, 0].into_iter().zip(to) {
            let mut observation = [0.0; 6];
            let step = env.step(action, ObservationMut::F32(&mut observation)).unwrap();
            let found = numbers(env.state().unwrap());
            let state = state.each_ref().map(|bits| f64_of(bits));
            assert_eq!(found.map(f64::to_bits), state.map(f64::to_bits), "case {index}");
            assert_eq!(observation, expected.each_ref().map(|bits| f32_of(bits)), "case {index}");
            assert_eq!((step.reward, step.terminated), (*reward, *terminated), "case {index}");
            fast += usize::from(found[2].abs() > 12.566 || found[3].abs() > 28.274);
            ends += usize::from(step.terminated);
        }
    }
    assert!(fast > 5 && ends > 20, "{fast} {ends}");
}

#[test]
fn the_episodes_compared_end_in_every_way() {
    let episodes = episodes();
    let ends: Vec<_> = episodes.v1.iter().flat_map(|case| &case.trace.episodes).collect();
    assert!(ends.iter().filter(|(steps, terminated, _)| *steps < 500 && *terminated).count() > 1000);
    assert!(ends.iter().filter(|(steps, _, truncated)| *steps == 500 && *truncated).count() > 300);
    let mut turns = 0;
    for case in &episodes.v1 {
        let mut player = Player::new(Acrobot::v1(), case.seed);
        let mut before = 0.0;
        player.episode_with(Some(case.seed), |env| {
            let now = env.inner().state().unwrap().angle_2;
            turns += usize::from((now - before).abs() > 4.0);
            before = now;
        });
    }
    assert!(turns > 100, "{turns}");
}

#[test]
fn made_by_id_the_environment_is_the_one_compared() {
    let (mut env, mut twin) = (make("Acrobot-v1").unwrap(), Acrobot::v1());
    assert_eq!(env.spec(), twin.spec());
    assert_eq!(env.spec().id, "Acrobot-v1");
    assert_eq!(env.spec().max_episode_steps, Some(500));
    assert_eq!(env.spec().reward_threshold, Some(-100.0));
    let (mut left, mut right) = ([0.0; 6], [0.0; 6]);
    env.reset(Some(5), ObservationMut::F32(&mut left)).unwrap();
    twin.reset(Some(5), ObservationMut::F32(&mut right)).unwrap();
    assert_eq!(left, right);
}

#[test]
fn all_309_pictures_are_gymnasiums_to_the_bit() {
    let pictures: Pictures = fixture("gymnasium/acrobot_pictures.json");
    pictures.assert_same(309, |numbers| {
        let mut env = Acrobot::new();
        match *numbers {
            [seed] => env.reset(Some(seed as u64), ObservationMut::F32(&mut [0.0; 6])).unwrap(),
            _ => env.set_state(state_of([numbers[0], numbers[1], 0.0, 0.0])),
        }
        env.render().unwrap()
    });
}
