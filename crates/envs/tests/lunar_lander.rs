//! LunarLander beyond its numbers: saved states, threads, and what it does with wrong use.
#![cfg(feature = "box2d")]

use deepq_core::{Env, ObservationMut, StateReader, StateWriter, Step};
use deepq_envs::box2d::LunarLander;
use deepq_envs::box2d::lunar_lander::LunarLanderOptions;
use deepq_envs::numpy_random::NumpyGenerator;
use deepq_envs::{EnvOptions, Registry, TimeLimit, make};

const WINDY: &str = "enable_wind = true\nwind_power = 12.5\nturbulence_power = 0.75\ngravity = -9.0";

fn windy() -> TimeLimit<LunarLander> {
    let options: LunarLanderOptions = toml::from_str(WINDY).unwrap();
    LunarLander::v3_with(options).unwrap()
}

fn calm() -> TimeLimit<LunarLander> {
    LunarLander::v3()
}

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

type Seen = ([u32; 8], u64, bool, bool);

fn step(env: &mut dyn Env, action: usize) -> Seen {
    let mut observation = [0.0f32; 8];
    let Step { reward, terminated, truncated } =
        env.step(action, ObservationMut::F32(&mut observation)).unwrap();
    (observation.map(f32::to_bits), reward.to_bits(), terminated, truncated)
}

/// Falls gently, so that it is on the ground for long: the main engine one step in three, a side now and then.
fn gently(step: usize) -> usize {
    match step % 12 {
        0 | 3 | 6 => 2,
        5 => 1 + 2 * (step / 12 % 2),
        _ => 0,
    }
}

/// What comes of some hundred steps, over the end of an episode and into the next two.
fn future(env: &mut dyn Env, from: usize) -> Vec<Seen> {
    let mut seen: Vec<_> = (0..120).map(|offset| step(env, gently(from + offset))).collect();
    for _ in 0..2 {
        let mut observation = [0.0f32; 8];
        env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
        seen.push((observation.map(f32::to_bits), 0, false, false));
        seen.extend((0..40).map(|offset| step(env, gently(offset))));
    }
    seen
}

fn assert_resumable(make: fn() -> TimeLimit<LunarLander>, seed: u64) {
    let begun = |env: &mut dyn Env, seed| {
        env.reset(Some(seed), ObservationMut::F32(&mut [0.0; 8])).unwrap();
        (0..30).for_each(|index| assert!(!step(env, gently(index)).2));
    };
    let mut env = make();
    begun(&mut env, seed);
    env.reset(None, ObservationMut::F32(&mut [0.0; 8])).unwrap();
    let (mut touching, mut beyond) = (0, 0);
    let mut ended = false;
    for steps in 0..400 {
        let contact = env.inner().bodies().unwrap()[1..].iter().any(|leg| leg.last_contact_began);
        touching += usize::from(contact);
        beyond += usize::from(ended);
        // Often where something happens, else now and then.
        if steps % 40 == 0 || (contact && touching % 9 == 1) || (ended && beyond == 3) {
            let bytes = saved(&env);
            let (mut fresh, mut used) = (make(), make());
            begun(&mut used, seed + 1);
            for copy in [&mut fresh, &mut used] {
                loaded(copy, &bytes);
                assert_eq!(saved(copy), bytes);
                assert_eq!(copy.inner().bodies(), env.inner().bodies());
                assert_eq!(copy.render(), env.render(), "the exhaust is part of the state");
            }
            let expected = future(&mut fresh, steps);
            assert_eq!(future(&mut used, steps), expected);
            // The original takes one step, which must be the first that the copies took.
            assert_eq!(step(&mut env, gently(steps)), expected[0], "step {steps}");
            ended |= expected[0].2;
        } else {
            ended |= step(&mut env, gently(steps)).2;
        }
    }
    assert!(touching > 20, "legs touched the ground in {touching} steps");
    assert!(beyond > 20, "{beyond} steps beyond the end");
}

#[test]
fn from_a_saved_state_the_future_is_the_same_to_the_bit_in_flight_on_the_ground_and_beyond_the_end() {
    assert_resumable(calm, 3);
    assert_resumable(windy, 4);
}

#[test]
fn a_state_before_the_first_reset_can_be_saved_too() {
    let bytes = saved(&calm());
    let mut env = calm();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    loaded(&mut env, &bytes);
    assert_eq!(env.inner().bodies(), None);
    assert_eq!(env.render(), None);
    let error = env.step(0, ObservationMut::F32(&mut [0.0; 8])).unwrap_err();
    assert_eq!(error.to_string(), "LunarLander-v3: a step before the first reset");
}

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    let mut env = calm();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    for index in 0..10 {
        step(&mut env, gently(index));
    }
    let bytes = saved(&env);
    let mut other = calm();
    other.reset(Some(2), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    step(&mut other, 2);
    let before = saved(&other);
    for len in 0..bytes.len() {
        assert!(other.load_state(&mut StateReader::new(&bytes[..len])).is_err(), "{len} bytes");
        assert_eq!(saved(&other), before);
    }
    let mut wrong_action = bytes.clone();
    *wrong_action.last_mut().unwrap() = 4;
    let error = other.load_state(&mut StateReader::new(&wrong_action)).unwrap_err();
    assert_eq!(error.to_string(), "actions since the reset: expected 0, 1, 2 or 3, found 4");
    assert_eq!(saved(&other), before);
}

#[test]
fn a_state_with_other_options_is_refused() {
    let mut env = windy();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    let error = calm().load_state(&mut StateReader::new(&saved(&env))).unwrap_err().to_string();
    assert!(error.starts_with("the options of LunarLander: expected"), "{error}");
    assert!(error.contains("gravity: -9.0"), "{error}");
}

/// The bits of some random flights, one folded into the other.
fn flights(seed: u64) -> u64 {
    let mut env = calm();
    let mut random = NumpyGenerator::new(seed.into());
    env.reset(Some(seed), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    let mut folded = 0u64;
    for _ in 0..3000 {
        let (observation, reward, terminated, truncated) = step(&mut env, random.integers(4) as usize);
        for value in observation.map(u64::from).into_iter().chain([reward]) {
            folded = folded.rotate_left(7) ^ value;
        }
        if terminated || truncated {
            env.reset(None, ObservationMut::F32(&mut [0.0; 8])).unwrap();
        }
    }
    folded
}

#[test]
fn flights_in_threads_are_those_of_one_thread() {
    let threads: Vec<_> = (0..8).map(|seed| std::thread::spawn(move || flights(seed))).collect();
    let together: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let alone: Vec<_> = (0..8).map(flights).collect();
    assert_eq!(together, alone);
}

#[test]
fn looking_changes_nothing() {
    let (mut seen, mut unseen) = (calm(), calm());
    for env in [&mut seen, &mut unseen] {
        env.reset(Some(9), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    }
    for index in 0..250 {
        let frame = seen.render().unwrap();
        assert_eq!((frame.width(), frame.height()), (600, 400));
        assert_eq!(step(&mut seen, gently(index)), step(&mut unseen, gently(index)));
    }
}

#[test]
fn made_by_id_it_is_what_gymnasium_registers() {
    let env = make("LunarLander-v3").unwrap();
    let spec = env.spec();
    assert_eq!(spec, calm().spec());
    assert_eq!((spec.actions, spec.max_episode_steps, spec.reward_threshold), (4, Some(1000), Some(200.0)));
    assert_eq!((spec.render_fps, spec.frame_size), (50, Some((600, 400))));
}

fn make_with(options: &str) -> Result<Box<dyn Env>, String> {
    let options: EnvOptions = options.parse::<toml::Table>().unwrap().into();
    Registry::builtin().make_with("LunarLander-v3", options).map_err(|error| error.to_string())
}

#[test]
fn legs_and_engines_are_on_the_sides_the_documentation_says() {
    let mut env = calm();
    let mut speed = |action| {
        env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
        let [lander, right, left] = env.inner().bodies().unwrap().map(|body| body.position[0]);
        assert!(left < lander && lander < right);
        for _ in 0..20 {
            step(&mut env, action);
        }
        env.inner().bodies().unwrap()[0].velocity
    };
    let [none, push_left, main, push_right] = [0, 1, 2, 3].map(&mut speed);
    assert!(push_left[0] < none[0] - 0.1 && push_right[0] > none[0] + 0.1);
    assert!(main[1] > none[1] + 1.0);
}

#[test]
fn options_go_by_gymnasiums_names() {
    let (mut made, mut twin) = (make_with(WINDY).unwrap(), windy());
    for env in [&mut *made, &mut twin] {
        env.reset(Some(5), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    }
    for index in 0..50 {
        assert_eq!(step(&mut *made, gently(index)), step(&mut twin, gently(index)));
    }
}

#[test]
fn options_that_are_not_possible_are_refused_with_what_is() {
    let error = |options: &str| make_with(options).err().unwrap();
    let message = error("continuous = true");
    assert!(message.contains("continuous = true is not possible"), "{message}");
    assert!(message.contains("continuous = false"), "{message}");
    for gravity in ["0.0", "-12.0", "1.0", "nan", "-inf"] {
        let message = error(&format!("gravity = {gravity}"));
        assert!(message.contains("gravity is above -12 and below 0, found"), "{message}");
    }
    let message = error("wind_power = inf");
    assert!(message.contains("wind_power is a finite number (of type f32), found inf"), "{message}");
    let message = error("turbulence_power = 1e40");
    assert!(message.contains("turbulence_power is a finite number"), "{message}");
    let message = error("wind = true");
    assert!(message.contains("wind") && message.contains("enable_wind"), "{message}");
}

#[test]
fn wrong_actions_and_buffers_are_refused_and_change_nothing() {
    let mut env = calm();
    env.reset(Some(1), ObservationMut::F32(&mut [0.0; 8])).unwrap();
    step(&mut env, 2);
    let before = saved(&env);
    let error = env.step(4, ObservationMut::F32(&mut [0.0; 8])).unwrap_err();
    let expected = "LunarLander-v3: the action is 0 (nothing), 1 (push left), 2 (main engine) or 3 (push right), found 4";
    assert_eq!(error.to_string(), expected);
    let error = env.step(0, ObservationMut::F32(&mut [0.0; 4])).unwrap_err();
    let expected =
        "LunarLander-v3: an observation is 8 numbers of type f32, found a buffer of 4 numbers of type f32";
    assert_eq!(error.to_string(), expected);
    assert!(env.step(0, ObservationMut::U8(&mut [0; 8])).is_err());
    assert!(env.reset(Some(3), ObservationMut::F32(&mut [0.0; 9])).is_err());
    assert_eq!(saved(&env), before);
}
