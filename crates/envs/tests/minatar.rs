//! MinAtar beyond its numbers: saved states, options, and what it does with wrong use.

use deepq_core::{
    ElementKind, Env, EnvError, ObservationMut, RandomStream, Space, StateReader, StateWriter, Step,
};
use deepq_envs::minatar::{Breakout, MinAtar, MinAtarOptions, Seaquest};
use deepq_envs::{Registry, ids, make};

fn minatar_ids() -> Vec<&'static str> {
    let ids: Vec<_> = ids().map(|(id, _)| id).filter(|id| id.starts_with("MinAtar/")).collect();
    assert_eq!(ids.len(), 10);
    ids
}

fn observation_len(env: &dyn Env) -> usize {
    env.spec().observation_space.len()
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

/// Plays at random, mostly one action, resetting without a seed some steps after an episode's end.
struct Wanderer {
    random: RandomStream,
    observation: Vec<u8>,
    steps_beyond: usize,
}

impl Wanderer {
    fn new(env: &dyn Env, seed: u64) -> Self {
        let observation = vec![0; observation_len(env)];
        Self { random: RandomStream::new(seed, "wanderer", 0), observation, steps_beyond: 0 }
    }

    fn step(&mut self, env: &mut dyn Env) -> Step {
        if self.steps_beyond > 2 {
            env.reset(None, ObservationMut::U8(&mut self.observation)).unwrap();
            self.steps_beyond = 0;
        }
        let action = self.random.below(env.spec().actions);
        let step = env.step(action, ObservationMut::U8(&mut self.observation)).unwrap();
        self.steps_beyond += usize::from(step.terminated);
        step
    }

    fn future(&mut self, env: &mut dyn Env, steps: usize) -> Vec<(Step, Vec<u8>)> {
        (0..steps).map(|_| (self.step(env), self.observation.clone())).collect()
    }
}

#[test]
fn every_game_says_what_it_gives() {
    for (id, channels, actions) in [
        ("MinAtar/Asterix-v0", 4, 6),
        ("MinAtar/Asterix-v1", 4, 5),
        ("MinAtar/Breakout-v0", 4, 6),
        ("MinAtar/Breakout-v1", 4, 3),
        ("MinAtar/Freeway-v0", 7, 6),
        ("MinAtar/Freeway-v1", 7, 3),
        ("MinAtar/Seaquest-v0", 10, 6),
        ("MinAtar/Seaquest-v1", 10, 6),
        ("MinAtar/SpaceInvaders-v0", 6, 6),
        ("MinAtar/SpaceInvaders-v1", 6, 4),
    ] {
        let env = make(id).unwrap();
        let spec = env.spec();
        let Space::Box(space) = &spec.observation_space else { panic!("{id} gives a box") };
        assert_eq!((&*spec.id, &*space.shape, space.element), (id, &[10, 10, channels][..], ElementKind::U8));
        assert!(space.low.iter().all(|low| *low == 0.0) && space.high.iter().all(|high| *high == 1.0));
        assert_eq!(
            (spec.actions, spec.max_episode_steps, spec.reward_threshold),
            (actions, None, None),
            "{id}"
        );
        assert_eq!((spec.render_fps, spec.frame_size), (20, Some((320, 320))), "{id}");
    }
}

#[test]
fn from_a_state_saved_at_any_step_the_future_is_the_same_to_the_bit() {
    for id in minatar_ids() {
        let mut env = make(id).unwrap();
        let mut wanderer = Wanderer::new(&*env, 1);
        env.reset(Some(7), ObservationMut::U8(&mut wanderer.observation)).unwrap();
        for moment in 0..60 {
            let bytes = saved(&*env);
            let mut twin = make(id).unwrap();
            loaded(&mut *twin, &bytes);
            assert_eq!(saved(&*twin), bytes, "{id}");
            let steps_beyond = wanderer.steps_beyond;
            let mut other = Wanderer { steps_beyond, ..Wanderer::new(&*twin, moment) };
            let mut this = Wanderer { steps_beyond, ..Wanderer::new(&*env, moment) };
            assert_eq!(this.future(&mut *env, 40), other.future(&mut *twin, 40), "{id}");
            wanderer.steps_beyond = this.steps_beyond;
        }
    }
}

#[test]
fn a_state_before_the_first_reset_can_be_saved_too() {
    for id in minatar_ids() {
        let bytes = saved(&*make(id).unwrap());
        let mut env = make(id).unwrap();
        let mut observation = vec![0; observation_len(&*env)];
        env.reset(Some(1), ObservationMut::U8(&mut observation)).unwrap();
        loaded(&mut *env, &bytes);
        assert!(env.step(0, ObservationMut::U8(&mut observation)).is_err());
        assert_eq!(env.render(), None);
    }
}

#[test]
fn states_cut_short_are_refused_and_change_nothing() {
    for id in minatar_ids() {
        let mut env = make(id).unwrap();
        let mut wanderer = Wanderer::new(&*env, 1);
        env.reset(Some(1), ObservationMut::U8(&mut wanderer.observation)).unwrap();
        wanderer.future(&mut *env, 45);
        let bytes = saved(&*env);
        let mut other = make(id).unwrap();
        let before = saved(&*other);
        for len in (0..100).chain(bytes.len() - 300..bytes.len()) {
            assert!(other.load_state(&mut StateReader::new(&bytes[..len])).is_err(), "{id}, {len} bytes");
            assert_eq!(saved(&*other), before, "{id}");
        }
    }
}

/// Whatever bytes are damaged, a state is refused and nothing is changed, or the game goes on without a panic.
#[test]
fn damaged_states_are_refused_or_played_on_from() {
    let (mut refused, mut played) = (0, 0);
    for id in minatar_ids() {
        let mut random = RandomStream::new(9, id, 0);
        let mut env = make(id).unwrap();
        let mut wanderer = Wanderer::new(&*env, 2);
        env.reset(Some(2), ObservationMut::U8(&mut wanderer.observation)).unwrap();
        let unseeded = saved(&*make(id).unwrap());
        for _ in 0..40 {
            wanderer.future(&mut *env, 7);
            let sound = saved(&*env);
            for _ in 0..40 {
                let mut bytes = sound.clone();
                // The last bytes are the game's, those before the words of the random numbers.
                let place = bytes.len() - 1 - random.below(bytes.len() - 2560);
                bytes[place] = match random.below(3) {
                    0 => bytes[place] ^ 1 << random.below(8),
                    1 => random.below(12) as u8,
                    _ => random.below(256) as u8,
                };
                let mut other = make(id).unwrap();
                if other.load_state(&mut StateReader::new(&bytes)).is_err() {
                    refused += 1;
                    assert_eq!(saved(&*other), unseeded, "{id}");
                    continue;
                }
                played += 1;
                let mut player = Wanderer::new(&*other, 3);
                // A damaged flag may tell of a time before the first reset.
                if other.render().is_none() {
                    other.reset(None, ObservationMut::U8(&mut player.observation)).unwrap();
                }
                player.future(&mut *other, 70);
            }
        }
    }
    assert!(refused > 1000 && played > 1000, "{refused} refused, {played} played");
}

#[test]
fn states_of_another_game_or_of_other_options_are_refused() {
    let bytes = saved(&MinAtar::<Breakout>::v1());
    let message = |env: &mut dyn Env| env.load_state(&mut StateReader::new(&bytes)).unwrap_err().to_string();
    let options = MinAtarOptions { sticky_action_prob: 0.25, ..MinAtarOptions::default() };
    let mut sticky = MinAtar::<Breakout>::v1_with(options).unwrap();
    assert_eq!(message(&mut sticky), "sticky_action_prob: expected 0.25, found 0.1");
    let options = MinAtarOptions { difficulty_ramping: false, ..MinAtarOptions::default() };
    let mut even = MinAtar::<Breakout>::v1_with(options).unwrap();
    assert_eq!(message(&mut even), "difficulty_ramping: expected false, found true");
    let error = message(&mut MinAtar::<Seaquest>::v1());
    assert_eq!(error, "a part of the state: expected Seaquest, found Breakout");
}

#[test]
fn options_have_minatars_names_and_are_checked() {
    let made = |table: toml::Table| Registry::builtin().make_with("MinAtar/Seaquest-v1", table.into());
    let message = |table: toml::Table| made(table).err().unwrap().to_string();
    assert!(made(toml::toml! { sticky_action_prob = 0.25 difficulty_ramping = false }).is_ok());
    assert!(made(toml::toml! { sticky_action_prob = 1.0 }).is_ok());
    for wrong in [toml::toml! { sticky_action_prob = 1.5 }, toml::toml! { sticky_action_prob = -0.1 }] {
        let found = wrong["sticky_action_prob"].as_float().unwrap();
        let expected = format!("sticky_action_prob is a probability from 0 to 1, found {found}");
        assert_eq!(message(wrong), format!("MinAtar/Seaquest-v1: {expected}"));
    }
    assert!(message(toml::toml! { sticky_action_prob = nan }).contains("found NaN"));
    let error = message(toml::toml! { sticky_actions = 0.1 });
    assert!(error.contains("`sticky_actions`") && error.contains("`sticky_action_prob`"), "{error}");
}

#[test]
fn without_a_seed_the_random_numbers_go_on() {
    let first_balls = |seed: Option<u64>| {
        let mut env = make("MinAtar/Breakout-v1").unwrap();
        let mut reset = |seed| {
            let mut observation = [0; 400];
            env.reset(seed, ObservationMut::U8(&mut observation)).unwrap();
            observation
        };
        let mut balls = vec![reset(seed)];
        balls.extend((0..20).map(|_| reset(None)));
        balls
    };
    assert_eq!(first_balls(None), first_balls(Some(0)));
    assert_eq!(first_balls(Some(3)), first_balls(Some(3)));
    assert_ne!(first_balls(Some(3)), first_balls(Some(3 + (1 << 32))));
    let balls = first_balls(Some(0));
    assert!(balls.iter().any(|ball| *ball != balls[0]));
}

#[test]
fn wrong_use_is_an_error_that_says_what_is_allowed_and_changes_nothing() {
    let mut env = make("MinAtar/Breakout-v1").unwrap();
    let message = |result: Result<Step, EnvError>| result.unwrap_err().to_string();
    let mut observation = [0; 400];
    assert_eq!(
        message(env.step(0, ObservationMut::U8(&mut observation))),
        "MinAtar/Breakout-v1: a step before the first reset"
    );
    env.reset(Some(0), ObservationMut::U8(&mut observation)).unwrap();
    let before = saved(&*env);
    assert_eq!(
        message(env.step(3, ObservationMut::U8(&mut observation))),
        "MinAtar/Breakout-v1: the action is 0 (nothing), 1 (left) or 2 (right), found 3"
    );
    let expected = "MinAtar/Breakout-v1: an observation is 400 bytes, found a buffer of";
    assert_eq!(message(env.step(1, ObservationMut::U8(&mut [0; 399]))), format!("{expected} 399 bytes"));
    assert_eq!(
        message(env.step(1, ObservationMut::F32(&mut [0.0; 400]))),
        format!("{expected} 400 numbers of type f32")
    );
    let error = env.reset(Some(1), ObservationMut::U8(&mut [0; 401])).unwrap_err();
    assert_eq!(error.to_string(), format!("{expected} 401 bytes"));
    assert_eq!(saved(&*env), before);
}

#[test]
fn a_name_nearly_right_is_told() {
    for (found, expected) in [
        ("breakout", "MinAtar/Breakout-v1"),
        ("Breakout-v0", "MinAtar/Breakout-v0"),
        ("minatar/asterix", "MinAtar/Asterix-v1"),
        ("MinAtar/Frewway-v1", "MinAtar/Freeway-v1"),
        ("sea quest", "MinAtar/Seaquest-v1"),
        ("space_invaders", "MinAtar/SpaceInvaders-v1"),
        ("MinAtar/Breakout", "MinAtar/Breakout-v1"),
        ("MinAtar/Breakout-v2", "MinAtar/Breakout-v1"),
    ] {
        let error = make(found).err().unwrap().to_string();
        assert!(error.contains(&format!("did you mean '{expected}'?")), "{found}: {error}");
    }
}
