//! MinAtar's games against what the package MinAtar 1.0.15 gave: `fixtures/minatar`, and the script that made it.

use std::path::Path;

use deepq_core::{Env, ObservationMut, Space, StateReader, StateWriter};
use deepq_envs::minatar::{
    Asterix, Breakout, Freeway, Game, MinAtar, MinAtarOptions, Seaquest, SpaceInvaders,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/minatar").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Calls a function that is generic over the game, by the game's name.
macro_rules! of_game {
    ($name:expr, $function:ident($($argument:expr),*)) => {
        match $name {
            "Asterix" => $function::<Asterix>($($argument),*),
            "Breakout" => $function::<Breakout>($($argument),*),
            "Freeway" => $function::<Freeway>($($argument),*),
            "Seaquest" => $function::<Seaquest>($($argument),*),
            "SpaceInvaders" => $function::<SpaceInvaders>($($argument),*),
            other => panic!("no game {other}"),
        }
    };
}

struct Digest(u64);

impl Digest {
    fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// Digests of observations and of outcomes, and the random word that comes next.
type Digests = [String; 3];

/// Plays a game and digests what it gives.
struct Player<G> {
    env: MinAtar<G>,
    observation: Vec<u8>,
    observations: Digest,
    outcomes: Digest,
}

impl<G: Game> Player<G> {
    fn new(env: MinAtar<G>) -> Self {
        let Space::Box(space) = &env.spec().observation_space else { unreachable!("a box") };
        let observation = vec![9; space.len()];
        let [observations, outcomes] = [(); 2].map(|()| Digest(0xcbf2_9ce4_8422_2325));
        Self { env, observation, observations, outcomes }
    }

    fn digest_observation(&mut self) {
        for (place, byte) in (1..).zip(&self.observation) {
            assert!(*byte <= 1);
            if *byte == 1 {
                self.observations.add(place);
            }
        }
        self.observations.add(0);
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::U8(&mut self.observation)).unwrap();
        self.digest_observation();
    }

    /// Reward, and whether the episode is over.
    fn step(&mut self, action: usize) -> (f64, bool) {
        let step = self.env.step(action, ObservationMut::U8(&mut self.observation)).unwrap();
        assert!(!step.truncated);
        self.outcomes.add(step.reward as u64);
        self.outcomes.add(step.terminated.into());
        self.outcomes.add(self.env.ramp_level().unwrap_or(99).into());
        self.digest_observation();
        (step.reward, step.terminated)
    }

    fn next_word(&self) -> u32 {
        self.env.random().clone().next_u32()
    }

    fn digests(&self) -> Digests {
        let [observations, outcomes] = [&self.observations, &self.outcomes].map(|Digest(digest)| digest);
        [format!("{observations:016x}"), format!("{outcomes:016x}"), format!("{:08x}", self.next_word())]
    }
}

#[derive(Deserialize)]
struct Traces {
    settings: Vec<Setting>,
}

#[derive(Deserialize)]
struct Setting {
    id: String,
    steps: usize,
    #[serde(flatten)]
    options: Options,
    traces: Vec<(u64, String, String, String)>,
}

#[derive(Deserialize, Clone, Copy)]
struct Options {
    sticky_action_prob: f64,
    difficulty_ramping: bool,
}

impl From<Options> for MinAtarOptions {
    fn from(options: Options) -> Self {
        let Options { sticky_action_prob, difficulty_ramping } = options;
        Self { sticky_action_prob, difficulty_ramping }
    }
}

fn scattered(seed: u64, number: usize) -> usize {
    let value = seed.wrapping_mul(2_654_435_761).wrapping_add(number as u64 * 40_503 + 12_345) as u32;
    let value = (value ^ value >> 15).wrapping_mul(2_246_822_519);
    let value = (value ^ value >> 13).wrapping_mul(3_266_489_917);
    (value ^ value >> 16) as usize
}

/// The action rules of the script, by seed.
fn action(seed: u64, step: usize, actions: usize) -> usize {
    let chosen = match seed % 3 {
        0 => scattered(seed, step),
        1 => scattered(seed, step / 4),
        _ if !scattered(seed, step).is_multiple_of(3) => scattered(seed, 1_000_000),
        _ => scattered(seed, step + 2_000_000),
    };
    chosen % actions
}

fn trace<G: Game>(setting: &Setting, seed: u64) -> Digests {
    let options = setting.options.into();
    let env = if setting.id.ends_with("v0") {
        MinAtar::<G>::v0_with(options)
    } else {
        MinAtar::<G>::v1_with(options)
    };
    let mut player = Player::new(env.unwrap());
    assert_eq!(player.env.spec().id, setting.id);
    let actions = player.env.spec().actions;
    player.reset(Some(seed));
    let mut steps_beyond = 0;
    for step in 0..setting.steps {
        if step == setting.steps / 2 {
            player.reset(Some(seed ^ 5));
            steps_beyond = 0;
        }
        let (_, ended) = player.step(action(seed, step, actions));
        steps_beyond += u64::from(ended);
        if steps_beyond == seed % 3 + 1 {
            player.reset(None);
            steps_beyond = 0;
        }
    }
    player.digests()
}

#[test]
fn row_20_traces_of_every_version_and_option_are_minatars() {
    let traces: Traces = fixture("traces.json");
    assert_eq!(traces.settings.len(), 35);
    for setting in &traces.settings {
        let name = setting.id.trim_start_matches("MinAtar/").split('-').next().unwrap();
        for (seed, observations, outcomes, next) in &setting.traces {
            let found = of_game!(name, trace(setting, *seed));
            let expected = [observations, outcomes, next].map(String::clone);
            let Options { sticky_action_prob, difficulty_ramping } = setting.options;
            assert_eq!(found, expected, "{name}, {sticky_action_prob}, {difficulty_ramping}, seed {seed}");
        }
    }
}

#[derive(Deserialize)]
struct Actions {
    actions: String,
}

#[derive(Deserialize)]
struct LongPlays {
    plays: Vec<LongPlay>,
}

#[derive(Deserialize)]
struct LongPlay {
    game: String,
    aim: String,
    seed: u64,
    #[serde(flatten)]
    options: Options,
    reward: f64,
    /// Steps taken at each end.
    ends: Vec<usize>,
    highest_ramp_level: u32,
    digests: Digests,
}

/// With `interruptions` the game goes on in another environment now and then, from its saved state.
fn play_long<G: Game>(play: &LongPlay, actions: &str, interruptions: bool) {
    let env = || MinAtar::<G>::v0_with(play.options.into()).unwrap();
    let mut player = Player::new(env());
    player.reset(Some(play.seed));
    let (mut reward, mut ends, mut highest_ramp_level) = (0.0, vec![], 0);
    for (step, code) in (1..).zip(actions.bytes()) {
        let (earned, ended) = player.step(usize::from(code - b'0'));
        reward += earned;
        highest_ramp_level = highest_ramp_level.max(player.env.ramp_level().unwrap_or(0));
        if interruptions && step % 7 == 0 {
            let mut writer = StateWriter::new();
            player.env.save_state(&mut writer);
            player.env = env();
            player.env.load_state(&mut StateReader::new(&writer.into_bytes())).unwrap();
        }
        if ended {
            ends.push(step);
            player.reset(None);
        }
    }
    let found = (reward, ends, highest_ramp_level, player.digests());
    let expected = (play.reward, play.ends.clone(), play.highest_ramp_level, play.digests.clone());
    assert_eq!(found, expected, "{}, {}, seed {}", play.game, play.aim, play.seed);
}

fn assert_long_plays(interruptions: bool) {
    let plays: LongPlays = fixture("long_plays.json");
    let actions: Vec<Actions> = fixture("long_play_actions.json");
    assert_eq!((plays.plays.len(), actions.len()), (23, 23));
    for (play, actions) in plays.plays.iter().zip(&actions) {
        of_game!(&*play.game, play_long(play, &actions.actions, interruptions));
    }
}

#[test]
fn row_20_long_plays_are_minatars() {
    assert_long_plays(false);
}

#[test]
fn long_plays_saved_and_taken_up_again_are_minatars() {
    assert_long_plays(true);
}

#[test]
fn the_long_plays_get_to_the_last_ramps_and_end_in_many_ways() {
    let plays: LongPlays = fixture("long_plays.json");
    let of = |game: &str, aim: &str| {
        let found = plays.plays.iter().find(|play| play.game == game && play.aim == aim);
        found.unwrap_or_else(|| panic!("no play of {game} for {aim}"))
    };
    let highest = |game: &str| {
        plays.plays.iter().filter(|play| play.game == game).map(|play| play.highest_ramp_level).max()
    };
    assert_eq!(["Asterix", "Seaquest", "SpaceInvaders"].map(highest), [9, 19, 6].map(Some));
    assert!(of("Breakout", "reward").reward > 100.0, "walls are built up again");
    assert!(of("Freeway", "reward").reward > 50.0, "the chicken crosses");
    assert!(of("SpaceInvaders", "peace").ends.len() > 5, "aliens land");
}

#[derive(Deserialize)]
struct Palettes {
    palettes: Vec<Palette>,
}

#[derive(Deserialize)]
struct Palette {
    game: String,
    /// Channel, red, green, blue.
    colours: Vec<(usize, f64, f64, f64)>,
}

/// The colour in the middle of each cell, while the game goes on, against MinAtar's of the cell's highest channel;
/// adds the channels seen.
fn show_colours<G: Game>(palette: &Palette, seen: &mut Vec<usize>) {
    let mut player = Player::new(MinAtar::<G>::v0());
    player.reset(Some(0));
    for step in 0..3000 {
        if step % 20 == 0 {
            let frame = player.env.render().unwrap();
            assert_eq!(Some((frame.width(), frame.height())), player.env.spec().frame_size);
            let cell_pixels = frame.width() / 10;
            for (index, things) in player.observation.chunks_exact(G::CHANNELS.len()).enumerate() {
                let highest = things.iter().rposition(|thing| *thing == 1);
                let of_highest = palette.colours.iter().find(|(channel, ..)| Some(*channel) == highest);
                let colour = of_highest.map_or([0.0; 3], |(_, red, green, blue)| [*red, *green, *blue]);
                let expected = colour.map(|part| (255.0 * part).round() as u8);
                let [x, y] = [index % 10, index / 10].map(|place| place * cell_pixels + cell_pixels / 2);
                assert_eq!(frame.pixel(x, y), expected, "{}, channel {highest:?}", palette.game);
                seen.extend(highest);
            }
        }
        if player.step(action(0, step, 6)).1 {
            player.reset(None);
        }
    }
}

#[test]
fn colours_are_minatars() {
    let palettes: Palettes = fixture("palettes.json");
    assert_eq!(palettes.palettes.len(), 5);
    for palette in &palettes.palettes {
        let mut seen = vec![];
        of_game!(&*palette.game, show_colours(palette, &mut seen));
        seen.sort_unstable();
        seen.dedup();
        let known: Vec<usize> = palette.colours.iter().map(|(channel, ..)| *channel).collect();
        assert!(known.len() >= 4 && seen == known, "{}: {seen:?} of {known:?}", palette.game);
    }
}

struct Vector {
    seed: u64,
    reward: f64,
    ends: usize,
    first_ends: &'static [usize],
    digest: u32,
    next: u32,
}

fn assert_vector<G: Game>(vector: Vector, action: impl Fn(usize) -> usize) {
    let mut player = Player::new(MinAtar::<G>::v0());
    player.reset(Some(vector.seed));
    let (mut reward, mut ends) = (0.0, vec![]);
    let mut digest = short_digest(0, &player.observation);
    for t in 0..3000 {
        let (earned, ended) = player.step(action(t));
        digest = short_digest(digest, &player.observation);
        reward += earned;
        if ended {
            ends.push(t + 1);
            player.reset(None);
            digest = short_digest(digest, &player.observation);
        }
    }
    let what = format!("{}, seed {}", player.env.spec().id, vector.seed);
    assert_eq!((reward, ends.len()), (vector.reward, vector.ends), "{what}");
    assert_eq!(ends[..vector.first_ends.len()], *vector.first_ends, "{what}");
    assert_eq!((digest, player.next_word()), (vector.digest, vector.next), "{what}");
}

fn short_digest(digest: u32, observation: &[u8]) -> u32 {
    let seen = (1..).zip(observation).filter(|(_, byte)| **byte == 1);
    let add = |digest: u32, place: u32| digest.wrapping_mul(31).wrapping_add(place);
    add(seen.fold(digest, |digest, (place, _)| add(digest, place)), 0)
}

/// Rows of seed, total reward, ends, steps done at the first ends, digest, next random word.
macro_rules! vectors {
    ($game:ty, $action:expr, $([$seed:expr, $reward:expr, $ends:expr, $first_ends:expr, $digest:expr, $next:expr]),*) => {
        $(assert_vector::<$game>(
            Vector {
                seed: $seed,
                reward: f64::from($reward),
                ends: $ends,
                first_ends: &$first_ends,
                digest: $digest,
                next: $next,
            },
            $action,
        );)*
    };
}

fn mixed_actions(t: usize) -> usize {
    (5 * (t / 4) + t * t / 7) % 6
}

#[test]
fn three_thousand_steps_of_mixed_actions_are_minatars() {
    vectors!(
        Asterix,
        mixed_actions,
        [0, 22, 52, [60, 104, 165], 0xc376e729, 0x358ed186],
        [42, 21, 48, [42, 90, 139], 0xe3f2a5b1, 0x3f2504f9]
    );
    vectors!(
        Breakout,
        mixed_actions,
        [0, 130, 280, [6, 12, 28], 0x58254c02, 0x638e38a2],
        [42, 137, 266, [6, 12, 18], 0xf3315e6a, 0xc969b9f7]
    );
    vectors!(
        Freeway,
        mixed_actions,
        [0, 0, 1, [2501], 0x954cca50, 0x15ef8276],
        [42, 0, 1, [2501], 0xee24a3ba, 0x6b17ed92]
    );
    vectors!(
        Seaquest,
        mixed_actions,
        [0, 8, 104, [45, 74, 248], 0x271aeb77, 0x9d3dce5d],
        [42, 5, 125, [46, 77, 80], 0x832866b3, 0x47e7e17f]
    );
    vectors!(
        SpaceInvaders,
        mixed_actions,
        [0, 201, 83, [66, 83, 120], 0xdeccaec9, 0x69f97221],
        [42, 211, 70, [27, 44, 61], 0x643ba12e, 0xac364372]
    );
}

#[test]
fn a_chicken_that_always_goes_up_crosses_as_minatars_does() {
    vectors!(
        Freeway,
        |_| 2,
        [0, 40, 1, [2501], 0xf9bf53c7, 0xd16c35a2],
        [42, 12, 1, [2501], 0x67b4206f, 0xe2668056]
    );
}
