//! Toy text beyond the episodes of `toy_text_parity.rs`: options, saved states, rules, and wrong use.

mod common;

use common::toy_text::{KINDS, mixed, reset, step, with};
use deepq_core::{Env, EnvError, Frame, ObservationMut, Space, StateReader, StateWriter, Step};
use deepq_envs::toy_text::blackjack::BlackjackOptions;
use deepq_envs::toy_text::frozen_lake::{FrozenLakeOptions, Map, generate_random_map};
use deepq_envs::toy_text::taxi::{TaxiOptions, TaxiState};
use deepq_envs::toy_text::{Blackjack, CliffWalking, FrozenLake, Taxi};
use deepq_envs::{EnvOptions, Registry, make};

fn refused(id: &str, options: &str) -> String {
    let options = EnvOptions::from(options.parse::<toml::Table>().unwrap());
    Registry::builtin().make_with(id, options).err().unwrap().to_string()
}

fn saved(env: &dyn Env) -> Vec<u8> {
    let mut writer = StateWriter::new();
    env.save_state(&mut writer);
    writer.into_bytes()
}

fn load(env: &mut dyn Env, bytes: &[u8]) -> bool {
    let mut reader = StateReader::new(bytes);
    env.load_state(&mut reader).is_ok() && reader.finish().is_ok()
}

#[derive(Debug, PartialEq)]
struct Future {
    told: Vec<(Vec<f32>, Step)>,
    masks: Vec<Option<Vec<bool>>>,
    picture: Frame,
}

/// What `steps` steps give, with a reset without a seed where an episode ends, and the picture at the end.
fn future(env: &mut dyn Env, steps: usize) -> Future {
    let (mut told, mut masks) = (Vec::new(), Vec::new());
    for number in 0..steps {
        let action = (number * 7 + number / 3) % env.spec().actions;
        told.push(step(env, action));
        if told[told.len() - 1].1.ended() {
            told.push((reset(env, None), Step::default()));
        }
        masks.push(env.action_mask().map(<[bool]>::to_vec));
    }
    Future { told, masks, picture: env.render().unwrap() }
}

#[test]
fn made_by_id_they_are_what_gymnasium_registers() {
    let expected = [
        ("FrozenLake-v1", Space::discrete(16), 4, Some(100), Some(0.7), (256, 256)),
        ("FrozenLake8x8-v1", Space::discrete(64), 4, Some(200), Some(0.85), (512, 512)),
        ("CliffWalking-v1", Space::discrete(48), 4, None, None, (768, 256)),
        ("CliffWalkingSlippery-v1", Space::discrete(48), 4, None, None, (768, 256)),
        ("Taxi-v4", Space::discrete(500), 6, Some(200), Some(8.0), (536, 456)),
        ("Blackjack-v1", Space::Tuple([32, 11, 2].map(Space::discrete).into()), 2, None, None, (384, 376)),
    ];
    for (id, space, actions, limit, threshold, frame) in expected {
        let env = make(id).unwrap();
        let spec = env.spec();
        assert_eq!((spec.id.as_str(), &spec.observation_space, spec.actions), (id, &space, actions));
        assert_eq!((spec.max_episode_steps, spec.reward_threshold), (limit, threshold), "{id}");
        assert_eq!((spec.render_fps, spec.frame_size), (4, Some(frame)), "{id}");
    }
}

#[test]
fn constructors_make_what_the_ids_make() {
    let pairs: [(&str, Box<dyn Env>); 6] = [
        ("FrozenLake-v1", Box::new(FrozenLake::v1())),
        ("FrozenLake8x8-v1", Box::new(FrozenLake::v1_8x8())),
        ("CliffWalking-v1", Box::new(CliffWalking::v1())),
        ("CliffWalkingSlippery-v1", Box::new(CliffWalking::slippery_v1())),
        ("Taxi-v4", Box::new(Taxi::v4())),
        ("Blackjack-v1", Box::new(Blackjack::v1())),
    ];
    for (id, mut env) in pairs {
        let mut twin = make(id).unwrap();
        assert_eq!(env.spec(), twin.spec());
        assert_eq!(reset(&mut *env, Some(3)), reset(&mut *twin, Some(3)));
        assert_eq!(future(&mut *env, 300), future(&mut *twin, 300), "{id}");
    }
}

#[test]
fn from_a_state_saved_at_any_step_the_future_is_the_same_to_the_bit() {
    for (id, options) in KINDS {
        let mut env = with(id, options);
        reset(&mut *env, Some(17));
        for number in 0..25 {
            let bytes = saved(&*env);
            let (mut one, mut other) = (with(id, options), with(id, options));
            reset(&mut *other, Some(99));
            assert!(load(&mut *one, &bytes) && load(&mut *other, &bytes), "{id}");
            assert_eq!(saved(&*one), bytes);
            let pictures = [&env, &one, &other].map(|env| env.render().unwrap());
            assert!(pictures[0] == pictures[1] && pictures[0] == pictures[2], "{id}: another picture");
            let expected = future(&mut *one, 150);
            assert_eq!(future(&mut *other, 150), expected, "{id} {options}, saved at step {number}");
            let first = step(&mut *env, 0);
            assert_eq!(first, expected.told[0], "{id} {options}: the copies left the original");
            if first.1.ended() {
                assert_eq!(reset(&mut *env, None), expected.told[1].0);
            }
            step(&mut *env, (number * 5 + 1) % 2);
        }
    }
}

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    for (id, options) in KINDS {
        let mut env = with(id, options);
        let fresh = saved(&*env);
        reset(&mut *env, Some(1));
        step(&mut *env, 1);
        let bytes = saved(&*env);
        let mut other = with(id, options);
        reset(&mut *other, Some(2));
        let before = saved(&*other);
        for len in 0..bytes.len() {
            assert!(!load(&mut *other, &bytes[..len]), "{id}: {len} bytes");
            assert_eq!(saved(&*other), before, "{id}: {len} bytes changed it");
        }
        for byte in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 0xff;
            let mut reader = StateReader::new(&damaged);
            if other.load_state(&mut reader).is_err() {
                assert_eq!(saved(&*other), before, "{id}: byte {byte} changed it");
            } else {
                // What was taken must be a state one can go on from.
                future(&mut *other, 20);
                assert!(load(&mut *other, &before));
            }
        }
        assert!(load(&mut *other, &fresh), "{id}: the state before the first reset");
        assert!(other.render().is_none());
    }
}

#[test]
fn a_state_of_another_world_or_with_other_options_is_refused() {
    let state_of = |id, options| {
        let mut env = with(id, options);
        reset(&mut *env, Some(1));
        saved(&*env)
    };
    let mut small = make("FrozenLake-v1").unwrap();
    assert!(!load(&mut *small, &state_of("FrozenLake-v1", "map_name = '8x8'")));
    assert!(!load(&mut *make("CliffWalking-v1").unwrap(), &state_of("FrozenLake-v1", "")));
    for (id, options, other) in [
        ("FrozenLake-v1", "", "is_slippery = false"),
        ("FrozenLake-v1", "success_rate = 0.5", "success_rate = 0.75"),
        ("FrozenLake-v1", "", "reward_schedule = [2, 0, 0]"),
        ("FrozenLake-v1", "desc = ['SFFG', 'FFFF']", "desc = ['SFFG', 'FFFH']"),
        ("FrozenLake-v1", "is_slippery = false\ndesc = ['SSFG']", "is_slippery = false\ndesc = ['SFFG']"),
        ("CliffWalking-v1", "", "is_slippery = true"),
        ("Taxi-v4", "", "is_rainy = true"),
        ("Taxi-v4", "is_rainy = true", "is_rainy = true\nrainy_probability = 0.5"),
        ("Taxi-v4", "fickle_passenger = true", "fickle_passenger = true\nfickle_probability = 0.5"),
        ("Blackjack-v1", "", "sab = false"),
        ("Blackjack-v1", "sab = false", "sab = false\nnatural = true"),
    ] {
        for (from, to) in [(options, other), (other, options)] {
            let mut env = with(id, to);
            let before = saved(&*env);
            assert!(!load(&mut *env, &state_of(id, from)), "{id}: from '{from}' to '{to}'");
            assert_eq!(saved(&*env), before);
        }
        assert!(load(&mut *with(id, other), &state_of(id, other)));
    }
    let fickle = state_of("Taxi-v4", "fickle_passenger = true\nfickle_probability = 1");
    assert!(!load(&mut *make("Taxi-v4").unwrap(), &fickle));
}

#[test]
fn wrong_use_is_an_error_that_says_what_is_allowed() {
    let message = |result: Result<Step, EnvError>| result.unwrap_err().to_string();
    for (id, allowed) in [
        ("FrozenLake-v1", "0 (left), 1 (down), 2 (right) or 3 (up)"),
        ("CliffWalking-v1", "0 (up), 1 (right), 2 (down) or 3 (left)"),
        ("Taxi-v4", "0 (south), 1 (north), 2 (east), 3 (west), 4 (pick up) or 5 (drop off)"),
        ("Blackjack-v1", "0 (stick) or 1 (hit)"),
    ] {
        let mut env = make(id).unwrap();
        let mut observation = vec![0.0; env.spec().observation_space.len()];
        assert!(env.render().is_none() && env.action_mask().is_none());
        let early = message(env.step(0, ObservationMut::F32(&mut observation)));
        assert_eq!(early, format!("{id}: a step before the first reset"));
        reset(&mut *env, Some(0));
        step(&mut *env, 1);
        let before = saved(&*env);
        for action in [env.spec().actions, usize::MAX, 1 << 32] {
            let found = message(env.step(action, ObservationMut::F32(&mut observation)));
            assert_eq!(found, format!("{id}: the action is {allowed}, found {action}"));
        }
        let numbers = if id == "Blackjack-v1" { "3 numbers" } else { "1 number" };
        let expected = format!("{id}: an observation is {numbers} of type f32, found a buffer of");
        assert_eq!(
            message(env.step(0, ObservationMut::F32(&mut [0.0; 9]))),
            format!("{expected} 9 numbers of type f32")
        );
        assert_eq!(message(env.step(0, ObservationMut::U8(&mut [0; 3]))), format!("{expected} 3 bytes"));
        assert!(env.reset(Some(9), ObservationMut::F32(&mut [])).is_err());
        assert_eq!(saved(&*env), before, "{id}: wrong use changed something");
    }
}

#[test]
fn options_that_cannot_be_are_errors_that_name_them() {
    for (id, options, told) in [
        ("FrozenLake-v1", "succes_rate = 0.5", "succes_rate"),
        ("FrozenLake-v1", "success_rate = 1.5", "success_rate is a probability from 0 to 1, found 1.5"),
        ("FrozenLake-v1", "success_rate = nan", "success_rate is a probability from 0 to 1, found NaN"),
        ("FrozenLake-v1", "reward_schedule = [1, inf, 0]", "found inf"),
        ("FrozenLake-v1", "reward_schedule = [1, 0]", "3"),
        ("FrozenLake-v1", "map_name = '4×4'", "map_name is '4x4' or '8x8', found '4×4'"),
        ("FrozenLake8x8-v1", "desc = ['SFH', 'FFX']", "found 'X' in row 2, column 3"),
        ("FrozenLake-v1", "desc = []", "at least one tile"),
        ("CliffWalking-v1", "is_slipery = true", "is_slippery"),
        ("Taxi-v4", "rainy_probability = -0.1", "rainy_probability is a probability from 0 to 1, found -0.1"),
        ("Taxi-v4", "fickle_probability = 2", "fickle_probability is a probability from 0 to 1, found 2"),
        ("Taxi-v4", "is_rainy = 1", "boolean"),
        ("Blackjack-v1", "sap = true", "sab"),
    ] {
        let found = refused(id, options);
        assert!(found.starts_with(&format!("{id}: ")) && found.contains(told), "{options}: {found}");
    }
}

#[test]
fn desc_stands_above_the_name_of_a_map_and_the_name_above_the_id() {
    let map = |options: FrozenLakeOptions| FrozenLake::v1_with(options).unwrap().inner().map().clone();
    let named = FrozenLakeOptions { map_name: Some("8x8".into()), ..Default::default() };
    assert_eq!(map(named.clone()), Map::named("8x8").unwrap());
    let desc = generate_random_map(5, 0.8, 1).unwrap();
    let own = FrozenLakeOptions { desc: Some(desc.clone()), ..named };
    assert_eq!(map(own), Map::parse(&desc).unwrap());
    assert_eq!(map(FrozenLakeOptions::default()), Map::named("4x4").unwrap());
    let large = with("FrozenLake8x8-v1", "map_name = '4x4'");
    assert_eq!(
        (large.spec().observation_space.clone(), large.spec().max_episode_steps),
        (Space::discrete(16), Some(200))
    );
}

#[test]
fn slipperiness_may_be_chosen_for_both_cliffs() {
    for (id, options, twin) in [
        ("CliffWalking-v1", "is_slippery = true", "CliffWalkingSlippery-v1"),
        ("CliffWalkingSlippery-v1", "is_slippery = false", "CliffWalking-v1"),
    ] {
        let (mut env, mut twin) = (with(id, options), make(twin).unwrap());
        assert_eq!(reset(&mut *env, Some(8)), reset(&mut *twin, Some(8)));
        assert_eq!(future(&mut *env, 500), future(&mut *twin, 500));
        assert_eq!(env.spec().id, id);
    }
}

#[test]
fn without_slipping_a_lake_is_crossed_as_meant() {
    let mut env = with("FrozenLake-v1", "is_slippery = false\nreward_schedule = [5, -3, 0.5]");
    assert_eq!(reset(&mut *env, Some(0)), [0.0]);
    for (action, tile, reward, terminated) in
        [(0, 0.0, 0.5, false), (1, 4.0, 0.5, false), (1, 8.0, 0.5, false), (2, 9.0, 0.5, false)]
            .into_iter()
            .chain([
                (1, 13.0, 0.5, false),
                (1, 13.0, 0.5, false),
                (2, 14.0, 0.5, false),
                (2, 15.0, 5.0, true),
            ])
            .chain([(0, 15.0, 0.0, true)])
    {
        assert_eq!(step(&mut *env, action), (vec![tile], Step { reward, terminated, truncated: false }));
    }
    reset(&mut *env, None);
    step(&mut *env, 2);
    let fallen = Step { reward: -3.0, terminated: true, truncated: false };
    assert_eq!(step(&mut *env, 1), (vec![5.0], fallen));
}

#[test]
fn off_the_cliff_costs_100_and_leads_back_to_the_start() {
    let mut env = make("CliffWalking-v1").unwrap();
    assert_eq!(reset(&mut *env, Some(0)), [36.0]);
    let fallen = Step { reward: -100.0, terminated: false, truncated: false };
    assert_eq!(step(&mut *env, 1), (vec![36.0], fallen));
    step(&mut *env, 0);
    for column in 1..12 {
        let walked = Step { reward: -1.0, terminated: false, truncated: false };
        assert_eq!(step(&mut *env, 1), (vec![24.0 + column as f32], walked));
    }
    let arrived = Step { reward: -1.0, terminated: true, truncated: false };
    assert_eq!(step(&mut *env, 2), (vec![47.0], arrived));
}

/// Finds each rule of picking up and dropping off on the way.
#[test]
fn a_masked_action_changes_nothing_and_an_allowed_one_does() {
    let mut env = Taxi::v4();
    let mut delivered = 0;
    for seed in 0..60 {
        reset(&mut env, Some(seed));
        for number in 0..1500 {
            let before = env.inner().state().unwrap();
            let mask = env.action_mask().unwrap().to_vec();
            let action = match mixed(seed, number) {
                _ if mask[4] => 4,
                drawn if mask[5] && drawn % 2 == 0 => 5,
                drawn => drawn / 2 % 6,
            };
            let (observation, taken) = step(&mut env, action);
            let after = env.inner().state().unwrap();
            assert_eq!(before != after, mask[action], "{before:?}, action {action}");
            let TaxiState { row, column, passenger, destination } = after;
            assert_eq!(observation, [(((row * 5 + column) * 5 + passenger) * 4 + destination) as f32]);
            let expected = match taken.terminated {
                true => 20.0,
                false if action >= 4 && !mask[action] => -10.0,
                false => -1.0,
            };
            assert_eq!(taken.reward, expected);
            assert_eq!(taken.terminated, mask[action] && action == 5 && passenger == destination);
            delivered += usize::from(taken.terminated);
            if taken.terminated {
                break;
            }
        }
    }
    assert!(delivered > 10, "{delivered} passengers delivered");
}

#[test]
fn a_fickle_passenger_changes_their_mind_once_at_the_first_move() {
    let options = TaxiOptions { fickle_passenger: true, fickle_probability: 1.0, ..Default::default() };
    let mut changes = 0;
    for seed in 0..200 {
        let mut env = Taxi::v4_with(options).unwrap();
        reset(&mut env, Some(seed));
        let mut moved_with_passenger = 0;
        for number in 0..199 {
            let before = env.inner().state().unwrap();
            let action = match mixed(seed, number) {
                _ if env.action_mask().unwrap()[4] => 4,
                drawn => drawn % 4,
            };
            step(&mut env, action);
            let after = env.inner().state().unwrap();
            let moved = before.passenger == 4 && (before.row, before.column) != (after.row, after.column);
            moved_with_passenger += usize::from(moved);
            let changed = before.destination != after.destination;
            assert_eq!(changed, moved && moved_with_passenger == 1, "seed {seed}, step {number}");
            changes += usize::from(changed);
        }
    }
    assert!(changes > 50, "{changes} changes of mind");
}

#[test]
fn naturals_earn_what_the_options_say() {
    // The first hands with a natural of the player alone, and against 21 of more than two cards.
    let result = |options, seed| {
        let mut env = Blackjack::v1_with(options);
        reset(&mut env, Some(seed));
        let natural = env.player_cards().iter().sum::<u8>() == 11 && env.player_cards().contains(&1);
        let (_, end) = step(&mut env, 0);
        let dealer = env.dealer_cards();
        let sum: u8 = dealer.iter().sum();
        let dealer_21 = sum == 21 || (sum == 11 && dealer.contains(&1));
        (natural, dealer_21, dealer.len(), end.reward)
    };
    let plain = BlackjackOptions { natural: false, sab: false };
    let natural = BlackjackOptions { natural: true, sab: false };
    let sab = BlackjackOptions { natural: true, sab: true };
    let (mut alone, mut against_21, mut against_natural) = (0, 0, 0);
    for seed in 0..20_000 {
        let (is_natural, dealer_21, cards, reward) = result(plain, seed);
        if !is_natural {
            assert_eq!((reward, reward), (result(natural, seed).3, result(sab, seed).3));
            continue;
        }
        let rewards = [reward, result(natural, seed).3, result(sab, seed).3];
        match (dealer_21, cards) {
            (false, _) => alone += usize::from(rewards == [1.0, 1.5, 1.0]),
            (true, 2) => against_natural += usize::from(rewards == [0.0, 0.0, 0.0]),
            (true, _) => against_21 += usize::from(rewards == [0.0, 0.0, 1.0]),
        }
    }
    assert!(alone > 600 && against_21 > 20 && against_natural > 20, "{alone} {against_21} {against_natural}");
}
