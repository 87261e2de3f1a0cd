//! What one sees of the toy text environments.

mod common;

use std::collections::{HashMap, HashSet};

use common::toy_text::{KINDS, mixed, reset, step, with};
use deepq_core::{Env, Frame};
use deepq_envs::make;
use deepq_envs::toy_text::frozen_lake::{FrozenLakeOptions, Tile};
use deepq_envs::toy_text::{Blackjack, FrozenLake};

/// A pixel of every 4×4: they are of one colour.
fn art(frame: &Frame) -> Vec<[u8; 3]> {
    let rows = (0..frame.height()).step_by(4);
    rows.flat_map(|y| (0..frame.width()).step_by(4).map(move |x| frame.pixel(x, y))).collect()
}

#[test]
fn there_is_a_picture_of_every_state_in_the_size_told() {
    for (id, options) in KINDS {
        let mut env = with(id, options);
        let mut pictures = HashSet::new();
        for seed in 0..10 {
            reset(&mut *env, Some(seed));
            for number in 0..20 {
                let frame = env.render().unwrap();
                assert_eq!(Some((frame.width(), frame.height())), env.spec().frame_size, "{id}");
                pictures.insert(art(&frame));
                let action = mixed(seed, number) % env.spec().actions;
                step(&mut *env, action);
            }
        }
        assert!(pictures.len() > 5, "{id} {options}: {} pictures", pictures.len());
    }
}

/// The places of 64×64 pixels that differ between two pictures, row by row.
fn differing_tiles(one: &Frame, other: &Frame) -> Vec<usize> {
    let columns = one.width() / 64;
    let differs = |tile: &usize| {
        let corner = (tile % columns * 64, tile / columns * 64);
        let mut pixels = (0..64 * 64).map(|pixel| (corner.0 + pixel % 64, corner.1 + pixel / 64));
        pixels.any(|(x, y)| one.pixel(x, y) != other.pixel(x, y))
    };
    (0..columns * (one.height() / 64)).filter(differs).collect()
}

#[test]
fn one_sees_where_the_elf_stands_and_looks_and_nothing_else_changes() {
    let certain = "is_slippery = false";
    for (id, options, actions, tiles) in [
        ("FrozenLake-v1", certain, &[1, 1, 2][..], &[0, 4, 8, 9][..]),
        ("FrozenLake-v1", certain, &[2, 1], &[0, 1, 5]),
        ("FrozenLake-v1", certain, &[2, 2, 1, 1, 1, 2], &[0, 1, 2, 6, 10, 14, 15]),
        ("CliffWalking-v1", "", &[0, 1, 1, 0, 3], &[36, 24, 25, 26, 14, 13]),
    ] {
        let mut env = with(id, options);
        reset(&mut *env, Some(0));
        let mut before = env.render().unwrap();
        for (action, moved) in actions.iter().zip(tiles.windows(2)) {
            step(&mut *env, *action);
            let after = env.render().unwrap();
            let mut expected = moved.to_vec();
            expected.sort_unstable();
            assert_eq!(differing_tiles(&before, &after), expected, "{id}");
            before = after;
        }
    }
    for (id, against_the_edge) in [("FrozenLake-v1", 0), ("CliffWalking-v1", 3)] {
        let mut env = with(id, certain);
        reset(&mut *env, Some(0));
        let front = env.render().unwrap();
        step(&mut *env, against_the_edge);
        assert_eq!(differing_tiles(&front, &env.render().unwrap()).len(), 1, "{id}: the elf did not turn");
    }
}

#[test]
fn one_sees_all_that_there_is_to_a_taxis_state_and_its_heading() {
    const TAXI_YELLOW: [u8; 3] = [248, 206, 70];
    let mut env = make("Taxi-v4").unwrap();
    let mut seen = HashMap::new();
    let mut numbers = HashSet::new();
    for seed in 0..60 {
        let mut state = reset(&mut *env, Some(seed))[0] as u32;
        let mut heading = 0;
        for number in 0..30 {
            let picture = art(&env.render().unwrap());
            let rides = state / 4 % 5 == 4;
            assert_eq!(picture.contains(&TAXI_YELLOW), !rides, "a taxi with its passenger is green");
            assert_eq!(*seen.entry(picture).or_insert((state, heading)), (state, heading));
            numbers.insert(state);
            let action = mixed(seed, number) % 6;
            state = step(&mut *env, action).0[0] as u32;
            heading = if action < 4 { action } else { heading };
        }
    }
    assert!(numbers.len() > 200, "{} states", numbers.len());
}

#[test]
fn the_dealers_hidden_card_shows_when_the_player_sticks_and_not_before() {
    let mut seen = HashMap::new();
    let mut games = [0, 0];
    for seed in 0..1000 {
        let mut env = Blackjack::v1();
        reset(&mut env, Some(seed));
        let (open, hidden) = (env.open_card(), env.dealer_cards()[1]);
        let hidden_from = art(&env.render().unwrap());
        let visible = (open, env.player_cards().to_vec());
        step(&mut env, 0);
        let shown = art(&env.render().unwrap());
        assert_ne!(hidden_from, shown);
        let Some((other, picture, end)) = seen.insert(visible, (hidden, hidden_from.clone(), shown.clone()))
        else {
            continue;
        };
        assert!(hidden_from == picture, "seed {seed}: the hidden card changes the picture");
        games[usize::from(hidden == other)] += 1;
        assert!(hidden == other || shown != end, "seed {seed}: a card turned over does not show");
    }
    assert!(games[0] > 20 && games[1] > 3, "{games:?}");
}

#[test]
fn lakes_of_any_shape_have_a_picture() {
    for (columns, rows) in [(2, 1), (1, 2), (3, 40), (9, 9), (33, 33), (700, 2), (1, 513), (300, 200)] {
        let mut desc = vec!["F".repeat(columns); rows];
        desc[0].replace_range(0..1, "S");
        desc[rows - 1].replace_range(columns - 1..columns, "G");
        let options = FrozenLakeOptions { desc: Some(desc), ..Default::default() };
        let mut env = FrozenLake::v1_with(options).unwrap();
        reset(&mut env, Some(0));
        let frame = env.render().unwrap();
        assert_eq!(Some((frame.width(), frame.height())), env.spec().frame_size);
        assert_eq!((frame.width(), frame.height()), ((64 * columns).min(512), (64 * rows).min(512)));
        assert_eq!(env.inner().map().tiles()[0], Tile::Start);
    }
}
