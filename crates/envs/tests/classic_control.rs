//! The environments of classic control beyond their numbers: saved states, options, and what they do with wrong
//! use.

use deepq_core::{Env, EnvError, ObservationMut, StateReader, StateWriter, Step};
use deepq_envs::cart_pole::CartPoleState;
use deepq_envs::mountain_car::MountainCarOptions;
use deepq_envs::{CartPole, EnvOptions, MountainCar, Registry, make};

const IDS: [&str; 4] = ["CartPole-v0", "CartPole-v1", "MountainCar-v0", "Acrobot-v1"];

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

fn reset(env: &mut dyn Env, seed: Option<u64>) -> Vec<u32> {
    let mut observation = vec![0.0; env.spec().observation_space.len()];
    env.reset(seed, ObservationMut::F32(&mut observation)).unwrap();
    observation.into_iter().map(f32::to_bits).collect()
}

fn step(env: &mut dyn Env, action: usize) -> (Vec<u32>, Step) {
    let mut observation = vec![0.0; env.spec().observation_space.len()];
    let step = env.step(action, ObservationMut::F32(&mut observation)).unwrap();
    (observation.into_iter().map(f32::to_bits).collect(), step)
}

/// The last action twice and the first twice, over and over, resetting without a seed where an episode ends.
fn future(env: &mut dyn Env, steps: usize) -> Vec<(Vec<u32>, Step)> {
    let last = env.spec().actions - 1;
    let mut futures = Vec::new();
    for index in 0..steps {
        futures.push(step(env, if index % 4 < 2 { last } else { 0 }));
        if futures[futures.len() - 1].1.ended() {
            futures.push((reset(env, None), Step::default()));
        }
    }
    futures
}

#[test]
fn from_a_state_saved_at_any_step_the_future_is_the_same_to_the_bit() {
    for id in IDS {
        let mut env = make(id).unwrap();
        let steps = env.spec().max_episode_steps.unwrap() as usize + 10;
        let last = env.spec().actions - 1;
        reset(&mut *env, Some(11));
        for _ in 0..120 {
            let bytes = saved(&*env);
            let mut fresh = make(id).unwrap();
            loaded(&mut *fresh, &bytes);
            assert_eq!(saved(&*fresh), bytes);
            assert_eq!(fresh.render(), env.render());
            let mut twin = make(id).unwrap();
            loaded(&mut *twin, &bytes);
            let expected = future(&mut *fresh, steps);
            assert!(expected.iter().any(|(_, step)| step.ended()));
            assert_eq!(future(&mut *twin, steps), expected);
            // The original goes one step further: what the two copies did must be what it does.
            let now = step(&mut *env, last);
            assert_eq!(now, expected[0], "{id}");
            if now.1.ended() {
                assert_eq!(reset(&mut *env, None), expected[1].0, "{id}");
            }
        }
    }
}

#[test]
fn a_state_before_the_first_reset_can_be_saved_too() {
    for id in IDS {
        let bytes = saved(&*make(id).unwrap());
        let mut env = make(id).unwrap();
        reset(&mut *env, Some(1));
        loaded(&mut *env, &bytes);
        assert_eq!(env.render(), None);
        assert!(env.step(0, ObservationMut::F32(&mut [0.0; 6])).is_err());
    }
}

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    for id in IDS {
        let mut env = make(id).unwrap();
        reset(&mut *env, Some(1));
        step(&mut *env, 0);
        let bytes = saved(&*env);
        let mut other = make(id).unwrap();
        reset(&mut *other, Some(2));
        let before = saved(&*other);
        for len in 0..bytes.len() {
            assert!(other.load_state(&mut StateReader::new(&bytes[..len])).is_err(), "{id}: {len} bytes");
            assert_eq!(saved(&*other), before);
        }
        for stranger in IDS.into_iter().filter(|stranger| *stranger != id) {
            let mut stranger = make(stranger).unwrap();
            assert!(stranger.load_state(&mut StateReader::new(&bytes)).is_err());
        }
    }
}

#[test]
fn without_a_seed_the_random_numbers_go_on() {
    for id in IDS {
        let mut env = make(id).unwrap();
        let mut reset = |seed| reset(&mut *env, seed);
        let unseeded = reset(None);
        let (first, second) = (reset(Some(0)), reset(None));
        assert_ne!(first, second);
        assert_eq!((reset(Some(0)), reset(None)), (first.clone(), second));
        assert_eq!(unseeded, first);
    }
}

#[test]
fn wrong_use_is_an_error_that_says_what_is_allowed_and_changes_nothing() {
    let message = |result: Result<Step, EnvError>| result.unwrap_err().to_string();
    for (id, len, actions) in [
        ("CartPole-v1", 4, "0 (left) or 1 (right)"),
        ("MountainCar-v0", 2, "0 (left), 1 (none) or 2 (right)"),
        ("Acrobot-v1", 6, "0 (a torque of −1), 1 (none) or 2 (a torque of 1)"),
    ] {
        let mut env = make(id).unwrap();
        let mut observation = vec![0.0; len];
        assert_eq!(
            message(env.step(0, ObservationMut::F32(&mut observation))),
            format!("{id}: a step before the first reset")
        );
        reset(&mut *env, Some(0));
        step(&mut *env, 0);
        let before = saved(&*env);
        let wrong = env.spec().actions;
        assert_eq!(
            message(env.step(wrong, ObservationMut::F32(&mut observation))),
            format!("{id}: the action is {actions}, found {wrong}")
        );
        let expected = format!("{id}: an observation is {len} numbers of type f32, found a buffer of");
        for (count, found) in [(0, "0 numbers"), (1, "1 number"), (3, "3 numbers"), (9, "9 numbers")] {
            let mut buffer = vec![0.0; count];
            let told = message(env.step(1, ObservationMut::F32(&mut buffer)));
            assert_eq!(told, format!("{expected} {found} of type f32"));
            for seed in [None, Some(5)] {
                let told = env.reset(seed, ObservationMut::F32(&mut buffer)).unwrap_err().to_string();
                assert_eq!(told, format!("{expected} {found} of type f32"));
            }
        }
        assert_eq!(message(env.step(1, ObservationMut::U8(&mut [0; 16]))), format!("{expected} 16 bytes"));
        assert_eq!(saved(&*env), before, "{id}: wrong use changed something");
    }
}

#[test]
fn there_is_a_picture_from_the_first_reset_on() {
    for id in IDS {
        let mut env = make(id).unwrap();
        assert_eq!(env.render(), None);
        reset(&mut *env, Some(0));
        let frame = env.render().unwrap();
        assert_eq!(Some((frame.width(), frame.height())), env.spec().frame_size);
    }
}

#[test]
fn beyond_the_end_steps_of_cart_pole_earn_nothing() {
    let mut env = CartPole::new();
    let edge = CartPoleState { position: 2.39, velocity: 2.0, angle: 0.0, angular_velocity: 0.0 };
    env.set_state(edge);
    let rewards = [(); 3].map(|()| env.step(1, ObservationMut::F32(&mut [0.0; 4])).unwrap());
    assert_eq!(rewards.map(|step| (step.reward, step.terminated)), [(1.0, true), (0.0, true), (0.0, true)]);
    env.set_state(edge);
    assert_eq!(env.step(1, ObservationMut::F32(&mut [0.0; 4])).unwrap().reward, 1.0);
}

#[test]
fn the_goal_velocity_of_mountain_car_is_an_option() {
    let made = |text: &str| {
        let options = EnvOptions::from(text.parse::<toml::Table>().unwrap());
        Registry::builtin().make_with("MountainCar-v0", options)
    };
    let fast = made("goal_velocity = 0.04").unwrap();
    let twin = MountainCar::v0_with(MountainCarOptions { goal_velocity: 0.04 }).unwrap();
    assert_eq!(saved(&*fast), saved(&twin));
    assert_eq!(saved(&*made("goal_velocity = 0").unwrap()), saved(&MountainCar::v0()));
    let error = MountainCar::v0().load_state(&mut StateReader::new(&saved(&*fast))).unwrap_err();
    assert_eq!(error.to_string(), "goal velocity: expected 0, found 0.04");
    let message = |text| made(text).err().unwrap().to_string();
    assert_eq!(message("goal_velocity = nan"), "MountainCar-v0: goal_velocity is a finite number, found NaN");
    for wrong in ["goal_speed = 0.04", "goal_velocity = \"fast\""] {
        assert!(message(wrong).starts_with("MountainCar-v0: in its options: "), "{}", message(wrong));
    }
    assert!(message("goal_speed = 0.04").contains("goal_velocity"));
}
