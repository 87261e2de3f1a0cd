//! FrozenLake, CliffWalking, Taxi and Blackjack against what Gymnasium 1.4 gave: `fixtures/gymnasium`, where
//! `toy_text_traces.py` says how the episodes were played and written down. Everything is compared to the bit.

mod common;

use std::collections::BTreeSet;

use common::{Digest, fixture};
use deepq_core::{Env, ObservationMut, Step};
use deepq_envs::toy_text::Blackjack;
use deepq_envs::toy_text::frozen_lake::generate_random_map;
use deepq_envs::{EnvOptions, Registry};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    seeds: Vec<u64>,
    steps_beyond: usize,
    patience: usize,
    option_sets: Vec<OptionSet>,
    /// Size, probability of ice, seed, map.
    #[serde(default)]
    random_maps: Vec<(usize, f64, String, Vec<String>)>,
    /// Blackjack's open cards after resets with the seeds 0, 1, 2, …
    #[serde(default)]
    cards: String,
}

#[derive(Deserialize)]
struct OptionSet {
    id: String,
    options: toml::Table,
    /// An action for each state; of Blackjack one number, below which to hit.
    policy: Vec<usize>,
    /// Action, observation, reward, terminated, truncated.
    first_steps_of_seed_1: Vec<(usize, Observed, f64, bool, bool)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Observed(Vec<f32>);

/// Digest, and of both episodes the number of steps, terminated, truncated.
type Case = (String, Episode, Episode);
type Episode = (usize, bool, bool);

impl OptionSet {
    fn make(&self) -> Box<dyn Env> {
        Registry::builtin().make_with(&self.id, EnvOptions::from(self.options.clone())).unwrap()
    }

    fn action(&self, seed: u64, step: usize, actions: usize, observation: &[f32]) -> usize {
        if seed % 3 == 2 || (seed % 3 == 1 && step % 4 == 3) {
            let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = mixed.wrapping_add((step as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95));
            return (mixed >> 40) as usize % actions;
        }
        match *self.policy {
            [hit_below] => usize::from((observation[0] as usize) < hit_below),
            _ => self.policy[observation[0] as usize],
        }
    }
}

/// Plays what the script played.
struct Player<'a> {
    set: &'a OptionSet,
    env: Box<dyn Env>,
    seed: u64,
    observation: Vec<f32>,
    digest: Digest,
    told: Vec<(usize, Vec<f32>, Step)>,
}

impl<'a> Player<'a> {
    fn new(set: &'a OptionSet, seed: u64) -> Self {
        let env = set.make();
        let observation = vec![0.0; env.spec().observation_space.len()];
        Self { set, env, seed, observation, digest: Digest::new(), told: Vec::new() }
    }

    fn digest_observation(&mut self) {
        self.observation.iter().for_each(|number| self.digest.add(&number.to_le_bytes()));
    }

    fn digest_mask(&mut self) {
        let mask = self.env.action_mask().into_iter().flatten();
        mask.for_each(|allowed| self.digest.add(&[u8::from(*allowed)]));
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::F32(&mut self.observation)).unwrap();
        self.digest_observation();
        self.digest_mask();
    }

    fn step(&mut self, number: usize) -> Step {
        let action = self.set.action(self.seed, number, self.env.spec().actions, &self.observation);
        let step = self.env.step(action, ObservationMut::F32(&mut self.observation)).unwrap();
        self.digest_observation();
        self.digest.add(&step.reward.to_le_bytes());
        self.digest.add(&[u8::from(step.terminated), u8::from(step.truncated)]);
        self.digest_mask();
        self.told.push((action, self.observation.clone(), step));
        step
    }

    fn episode(&mut self, seed: Option<u64>, patience: usize) -> Episode {
        self.reset(seed);
        let mut last = Step::default();
        let mut steps = 0;
        while !last.ended() && steps < patience {
            last = self.step(steps);
            steps += 1;
        }
        (steps, last.terminated, last.truncated)
    }

    fn play(&mut self, fixture: &Fixture) -> Case {
        let first = self.episode(Some(self.seed), fixture.patience);
        let second = self.episode(None, fixture.patience);
        (0..fixture.steps_beyond).for_each(|extra| {
            self.step(second.0 + extra);
        });
        (self.digest.text(), first, second)
    }
}

fn compare(name: &str) -> Fixture {
    let fixture: Fixture = fixture(&format!("gymnasium/{name}"));
    assert_eq!(fixture.seeds.len(), 1008);
    for set in &fixture.option_sets {
        let mut player = Player::new(set, fixture.seeds[1]);
        player.play(&fixture);
        for (number, expected) in set.first_steps_of_seed_1.iter().enumerate() {
            let (action, observation, step) = &player.told[number];
            let found = (*action, &observation[..], step.reward, step.terminated, step.truncated);
            let (action, Observed(observation), reward, terminated, truncated) = expected;
            let expected = (*action, &observation[..], *reward, *terminated, *truncated);
            assert_eq!(found, expected, "{} {:?}, seed 1, step {number}", set.id, set.options);
        }
        assert_eq!(set.cases.len(), fixture.seeds.len());
        for (seed, expected) in fixture.seeds.iter().zip(&set.cases) {
            let found = Player::new(set, *seed).play(&fixture);
            assert_eq!(found, *expected, "{} {:?}, seed {seed}", set.id, set.options);
        }
    }
    fixture
}

/// Of the episodes of an option set: how many terminated, how many were truncated.
fn ends(set: &OptionSet) -> (usize, usize) {
    let episodes = || set.cases.iter().flat_map(|case| [case.1, case.2]);
    let count = |ended: fn(&Episode) -> bool| episodes().filter(ended).count();
    (count(|episode| episode.1), count(|episode| episode.2))
}

/// All rewards of the seeds 0 to 299.
fn rewards(set: &OptionSet, fixture: &Fixture) -> BTreeSet<String> {
    let mut rewards = BTreeSet::new();
    for seed in 0..300 {
        let mut player = Player::new(set, seed);
        player.play(fixture);
        rewards.extend(player.told.iter().map(|(.., step)| step.reward.to_string()));
    }
    rewards
}

fn assert_rewards(set: &OptionSet, fixture: &Fixture, expected: &[&str]) {
    let found = rewards(set, fixture);
    assert_eq!(found, expected.iter().map(|reward| (*reward).to_owned()).collect(), "{:?}", set.options);
}

#[test]
fn row_20_frozen_lakes_of_1008_seeds_and_five_option_sets_are_gymnasiums_to_the_bit() {
    let fixture = compare("frozen_lake.json");
    let [v1, large, certain, rewarded, odd] = &fixture.option_sets[..] else { panic!("five option sets") };
    for (set, some) in [(v1, true), (large, true), (certain, false), (rewarded, true), (odd, false)] {
        let (terminated, truncated) = ends(set);
        assert!(terminated > 1900 && (truncated > 0) == some, "{:?}: {terminated}, {truncated}", set.options);
    }
    assert_rewards(v1, &fixture, &["0", "1"]);
    assert_rewards(rewarded, &fixture, &["-0.01", "-2.5", "0", "10"]);
}

#[test]
fn random_maps_are_gymnasiums_to_the_letter() {
    let fixture: Fixture = fixture("gymnasium/frozen_lake.json");
    assert_eq!(fixture.random_maps.len(), 95);
    for (size, p, seed, map) in &fixture.random_maps {
        let found = generate_random_map(*size, *p, seed.parse().unwrap()).unwrap();
        assert_eq!(found, *map, "size {size}, p {p}, seed {seed}");
    }
}

#[test]
fn row_20_cliff_walks_of_1008_seeds_slippery_or_not_are_gymnasiums_to_the_bit() {
    let fixture = compare("cliff_walking.json");
    assert_eq!(fixture.option_sets.len(), 2);
    for set in &fixture.option_sets {
        let (terminated, truncated) = ends(set);
        assert!(terminated > 1300 && truncated == 0);
        assert_rewards(set, &fixture, &["-1", "-100"]);
    }
}

#[test]
fn row_20_taxi_rides_of_1008_seeds_and_four_option_sets_are_gymnasiums_to_the_bit() {
    let fixture = compare("taxi.json");
    assert_eq!(fixture.option_sets.len(), 4);
    for set in &fixture.option_sets {
        let (terminated, truncated) = ends(set);
        assert!(terminated > 1300 && truncated > 600);
        assert_rewards(set, &fixture, &["-1", "-10", "20"]);
    }
}

#[test]
fn row_20_blackjack_games_of_1008_seeds_and_all_option_sets_are_gymnasiums_to_the_bit() {
    let fixture = compare("blackjack.json");
    let [sab, plain, natural, both] = &fixture.option_sets[..] else { panic!("four option sets") };
    for set in [sab, plain, both] {
        assert_rewards(set, &fixture, &["-1", "0", "1"]);
    }
    assert_rewards(natural, &fixture, &["-1", "0", "1", "1.5"]);
    let differing = |one: &OptionSet, other: &OptionSet| {
        one.cases.iter().zip(&other.cases).filter(|(one, other)| one.0 != other.0).count()
    };
    assert!(differing(sab, plain) > 0 && differing(plain, natural) > 20);
    assert_eq!(differing(sab, both), 0);
}

#[test]
fn the_dealers_open_card_is_drawn_as_in_gymnasium() {
    let fixture: Fixture = fixture("gymnasium/blackjack.json");
    let mut env = Blackjack::v1();
    assert_eq!(env.open_card(), None);
    assert_eq!(fixture.cards.split(' ').count(), 300);
    for (seed, expected) in (0..).zip(fixture.cards.split(' ')) {
        env.reset(Some(seed), ObservationMut::F32(&mut [0.0; 3])).unwrap();
        assert_eq!(env.open_card().as_deref(), Some(expected), "seed {seed}");
    }
}
