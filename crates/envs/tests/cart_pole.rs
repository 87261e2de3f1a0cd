//! CartPole beyond its numbers: saved states, and what it does with wrong use.

use deepq_core::{Env, ObservationMut, StateReader, StateWriter, Step};
use deepq_envs::cart_pole::CartPoleState;
use deepq_envs::{CartPole, make};

fn saved(env: &dyn Env) -> Vec<u8> {
    let mut writer = StateWriter::new();
    env.save_state(&mut writer);
    writer.into_bytes()
}

fn loaded(env: &mut dyn Env, bytes: &[u8]) {
    let mut reader = StateReader::new(bytes);
    env.load_state(&mut reader).unwrap();
    reader.finish().unwrap();
}

/// Pushes right twice and left twice, over and over, resetting without a seed where an episode ends.
fn future(env: &mut dyn Env, steps: usize) -> Vec<([u32; 4], Step)> {
    let mut observation = [0.0f32; 4];
    let mut futures = Vec::new();
    for step in 0..steps {
        let result = env.step(usize::from(step % 4 < 2), ObservationMut::F32(&mut observation)).unwrap();
        futures.push((observation.map(f32::to_bits), result));
        if result.ended() {
            env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
            futures.push((observation.map(f32::to_bits), Step::default()));
        }
    }
    futures
}

#[test]
fn from_a_state_saved_at_any_step_the_future_is_the_same_to_the_bit() {
    let mut env = make("CartPole-v1").unwrap();
    env.reset(Some(11), ObservationMut::F32(&mut [0.0; 4])).unwrap();
    for _ in 0..120 {
        let bytes = saved(&*env);
        let mut fresh = make("CartPole-v1").unwrap();
        loaded(&mut *fresh, &bytes);
        assert_eq!(saved(&*fresh), bytes);
        let mut twin = make("CartPole-v1").unwrap();
        loaded(&mut *twin, &bytes);
        let expected = future(&mut *fresh, 200);
        assert!(expected.iter().any(|(_, step)| step.terminated));
        // The original goes one step further; what the two copies do must be what it will do.
        let mut observation = [0.0f32; 4];
        assert_eq!(future(&mut *twin, 200), expected);
        let step = env.step(1, ObservationMut::F32(&mut observation)).unwrap();
        assert_eq!((observation.map(f32::to_bits), step), expected[0]);
        if step.ended() {
            env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
            assert_eq!(observation.map(f32::to_bits), expected[1].0);
        }
    }
}

#[test]
fn a_state_before_the_first_reset_can_be_saved_too() {
    let bytes = saved(&CartPole::v1());
    let mut env = CartPole::v1();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 4])).unwrap();
    loaded(&mut env, &bytes);
    assert_eq!(env.inner().state(), None);
    assert!(env.step(0, ObservationMut::F32(&mut [0.0; 4])).is_err());
}

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    let mut env = CartPole::v1();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 4])).unwrap();
    let bytes = saved(&env);
    let mut other = CartPole::v1();
    other.reset(Some(2), ObservationMut::F32(&mut [0.0; 4])).unwrap();
    let before = saved(&other);
    for len in 0..bytes.len() {
        assert!(other.load_state(&mut StateReader::new(&bytes[..len])).is_err(), "{len} bytes");
        assert_eq!(saved(&other), before);
    }
    assert!(CartPole::v0().load_state(&mut StateReader::new(&bytes)).is_err());
}

#[test]
fn without_a_seed_the_random_numbers_go_on() {
    let mut env = CartPole::v1();
    let mut reset = |seed| {
        let mut observation = [0.0; 4];
        env.reset(seed, ObservationMut::F32(&mut observation)).unwrap();
        observation
    };
    let unseeded = reset(None);
    let (first, second) = (reset(Some(0)), reset(None));
    assert_ne!(first, second);
    assert_eq!((reset(Some(0)), reset(None)), (first, second));
    assert_eq!(unseeded, first);
}

#[test]
fn wrong_use_is_an_error_that_says_what_is_allowed() {
    let mut env = make("CartPole-v1").unwrap();
    let message = |result: Result<Step, deepq_core::EnvError>| result.unwrap_err().to_string();
    let mut observation = [0.0; 4];
    assert_eq!(
        message(env.step(0, ObservationMut::F32(&mut observation))),
        "CartPole-v1: a step before the first reset"
    );
    env.reset(Some(0), ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(
        message(env.step(2, ObservationMut::F32(&mut observation))),
        "CartPole-v1: the action is 0 (left) or 1 (right), found 2"
    );
    let expected = "CartPole: an observation is 4 numbers of type f32, found a buffer of";
    assert_eq!(message(env.step(1, ObservationMut::F32(&mut [0.0; 3]))), format!("{expected} 3"));
    assert_eq!(message(env.step(1, ObservationMut::U8(&mut [0; 16]))), format!("{expected} 16 bytes"));
}

#[test]
fn steps_beyond_the_end_earn_nothing() {
    let mut env = CartPole::new();
    let edge = CartPoleState { position: 2.39, velocity: 2.0, angle: 0.0, angular_velocity: 0.0 };
    env.set_state(edge);
    let rewards = [(); 3].map(|()| env.step(1, ObservationMut::F32(&mut [0.0; 4])).unwrap());
    assert_eq!(rewards.map(|step| (step.reward, step.terminated)), [(1.0, true), (0.0, true), (0.0, true)]);
    env.set_state(edge);
    assert_eq!(env.step(1, ObservationMut::F32(&mut [0.0; 4])).unwrap().reward, 1.0);
}

#[test]
fn there_is_a_picture_from_the_first_reset_on() {
    let mut env = make("CartPole-v1").unwrap();
    assert_eq!(env.render(), None);
    env.reset(Some(0), ObservationMut::F32(&mut [0.0; 4])).unwrap();
    let frame = env.render().unwrap();
    assert_eq!(Some((frame.width(), frame.height())), env.spec().frame_size);
}
