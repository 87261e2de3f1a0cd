//! Plays MinAtar by looking ahead: in copies of the environment many courses of action are tried, and the best
//! one is begun. A copy draws the same random numbers, so what it shows is what will happen, and play gets far.
//!
//! ```text
//! cargo run --release -p deepq-envs --example minatar_long_play > fixtures/minatar/long_play_actions.json
//! ```
//!
//! The parity tests hold the games to what the package MinAtar makes of these actions.

use deepq_core::{Env, EnvError, ObservationMut, RandomStream};
use deepq_envs::minatar::{
    Asterix, Breakout, Freeway, Game, MinAtar, MinAtarOptions, Seaquest, SpaceInvaders,
};

const STEPS: usize = 4000;
/// Less than this of the best course is followed before new ones are tried.
const FOLLOWED: usize = 2;

/// What a play is after.
#[derive(Clone, Copy, PartialEq)]
enum Aim {
    /// Reward, for as long as possible.
    Reward,
    /// The same, and to be harmed often: now and then it acts without looking.
    Risk,
    /// To stay alive without a shot.
    Peace,
    /// To grow harder as fast as possible.
    Ramp,
    /// To let aliens come down beside the cannon.
    Landing,
    /// To shoot submarines in the very step in which they shoot, which takes a game that grows harder.
    PartingShot,
}

impl Aim {
    /// How many courses are tried, and how many steps they have. What seldom happens takes more of both.
    fn effort(self) -> (usize, usize) {
        match self {
            Self::PartingShot => (1000, 60),
            _ => (48, 40),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reward => "reward",
            Self::Risk => "risk",
            Self::Peace => "peace",
            Self::Ramp => "ramp",
            Self::Landing => "landing",
            Self::PartingShot => "parting-shot",
        }
    }
}

struct Planner<G> {
    env: MinAtar<G>,
    aim: Aim,
    observation: Vec<u8>,
    before: Vec<u8>,
    random: RandomStream,
    best: Vec<usize>,
}

/// How many aliens are in the last row, and a little for how low the lowest is.
fn landed(observation: &[u8], channels: &[&str]) -> f64 {
    let Some(alien) = channels.iter().position(|channel| *channel == "alien") else { return 0.0 };
    let is_alien = |place: &usize| observation[place * channels.len() + alien] == 1;
    let lowest = (0..100).rfind(is_alien).unwrap_or(0) / 10;
    (90..100).filter(is_alien).count() as f64 + 0.01 * lowest as f64
}

/// How many new enemy bullets there are without a submarine beside them.
fn parting_shots(before: &[u8], after: &[u8], channels: &[&str]) -> f64 {
    let channel = |name| channels.iter().position(|channel| *channel == name);
    let Some((bullet, sub)) = channel("enemy_bullet").zip(channel("enemy_sub")) else { return 0.0 };
    let has = |observation: &[u8], place: usize, channel| observation[place * channels.len() + channel] == 1;
    let inner = (0..100).filter(|place| (1..9).contains(&(place % 10)));
    let sides = |place| [place - 1, place, place + 1];
    let is_parting = |place: &usize| {
        let comes_from_before = sides(*place).into_iter().any(|place| has(before, place, bullet));
        let sub_is_near = sides(*place).into_iter().any(|place| has(after, place, sub));
        has(after, *place, bullet) && !comes_from_before && !sub_is_near
    };
    inner.filter(is_parting).count() as f64
}

impl<G: Game> Planner<G> {
    /// What has been reached beyond rewards: what is aboard, how high it stands, how hard the game is.
    fn standing(&self, env: &MinAtar<G>, observation: &[u8]) -> f64 {
        let level = f64::from(env.ramp_level().unwrap_or(0));
        let channel = |name: &str| G::CHANNELS.iter().position(|channel| *channel == name);
        let count = |channel: Option<usize>| {
            let seen =
                |channel| observation.chunks_exact(G::CHANNELS.len()).filter(move |cell| cell[channel] == 1);
            channel.map_or(0.0, |channel| seen(channel).count() as f64)
        };
        let aboard = count(channel("diver_guage"));
        let oxygen = count(channel("oxygen_guage"));
        let chicken = channel("chicken").and_then(|channel| {
            observation.chunks_exact(G::CHANNELS.len()).position(|cell| cell[channel] == 1)
        });
        let height = chicken.map_or(0.0, |place| 9.0 - (place / 10) as f64);
        match self.aim {
            Aim::Ramp | Aim::PartingShot => 4.0 * level + aboard + 0.1 * oxygen,
            _ => 1.5 * aboard + 0.05 * oxygen + 0.1 * height,
        }
    }

    fn worth(&mut self, course: &[usize]) -> Result<f64, EnvError> {
        let mut env = self.env.clone();
        let mut observation = std::mem::take(&mut self.observation);
        let mut worth = 0.0;
        for (step, action) in course.iter().enumerate() {
            self.before.clone_from(&observation);
            let result = env.step(*action, ObservationMut::U8(&mut observation))?;
            worth += match self.aim {
                Aim::Peace => 0.0,
                Aim::PartingShot => 20.0 * parting_shots(&self.before, &observation, G::CHANNELS),
                Aim::Landing => 5.0 * landed(&observation, G::CHANNELS),
                _ => result.reward * (1.0 - 0.01 * step as f64),
            };
            if result.terminated {
                worth -= 100.0 - step as f64;
                break;
            }
        }
        worth += self.standing(&env, &observation);
        self.observation = observation;
        Ok(worth)
    }

    fn action(&mut self) -> usize {
        let actions = if self.aim == Aim::Peace { 5 } else { 6 };
        self.random.below(actions)
    }

    fn look_ahead(&mut self) -> Result<(), EnvError> {
        let (courses, horizon) = self.aim.effort();
        self.best.drain(..FOLLOWED.min(self.best.len()));
        while self.best.len() < horizon {
            let action = self.action();
            self.best.push(action);
        }
        let mut best = std::mem::take(&mut self.best);
        let mut worth = self.worth(&best)?;
        for number in 0..courses {
            let kept = if number % 2 == 0 { 0 } else { self.random.below(horizon) };
            let mut course = best[..kept].to_vec();
            while course.len() < horizon {
                let action = self.action();
                let times = 1 + self.random.below(4);
                course.extend(std::iter::repeat_n(action, times));
            }
            course.truncate(horizon);
            let found = self.worth(&course)?;
            if found > worth {
                (best, worth) = (course, found);
            }
        }
        self.best = best;
        Ok(())
    }

    /// All actions of the play, by their codes.
    fn play(&mut self, seed: u64) -> Result<String, EnvError> {
        let mut seen = self.observation.clone();
        self.env.reset(Some(seed), ObservationMut::U8(&mut seen))?;
        let (mut reward, mut ends, mut level) = (0.0, 0, 0);
        let mut parting = 0.0;
        let mut actions = String::new();
        for step in 0..STEPS {
            if step % FOLLOWED == 0 {
                self.look_ahead()?;
            }
            let reckless = match self.aim {
                Aim::Risk | Aim::Landing => step % 200 > 180,
                // From here on submarines move too regularly.
                Aim::PartingShot => self.env.ramp_level() > Some(6),
                _ => false,
            };
            let action = if reckless { self.action() } else { self.best[step % FOLLOWED] };
            actions.push(char::from(b'0' + action as u8));
            self.before.clone_from(&seen);
            let result = self.env.step(action, ObservationMut::U8(&mut seen))?;
            parting += parting_shots(&self.before, &seen, G::CHANNELS);
            reward += result.reward;
            level = level.max(self.env.ramp_level().unwrap_or(0));
            if result.terminated {
                ends += 1;
                self.env.reset(None, ObservationMut::U8(&mut seen))?;
            }
        }
        let (id, aim) = (&self.env.spec().id, self.aim.name());
        eprintln!(
            "{id}, {aim}, seed {seed}: reward {reward}, {ends} ends, highest ramp level {level}, {parting} parting shots"
        );
        Ok(actions)
    }
}

fn play<G: Game>(seed: u64, aim: Aim, options: MinAtarOptions) -> Result<String, EnvError> {
    let env = MinAtar::<G>::v0_with(options)?;
    let observation = vec![0; 100 * G::CHANNELS.len()];
    let random = RandomStream::new(seed, "long-play", aim as u64);
    let actions =
        Planner { env, aim, before: observation.clone(), observation, random, best: vec![] }.play(seed)?;
    Ok(format!(
        "{{\"game\":\"{}\",\"aim\":\"{}\",\"seed\":{seed},\"sticky_action_prob\":{:?},\
         \"difficulty_ramping\":{},\"actions\":\"{actions}\"}}",
        G::NAME,
        aim.name(),
        options.sticky_action_prob,
        options.difficulty_ramping,
    ))
}

fn main() -> Result<(), EnvError> {
    let usual = MinAtarOptions::default();
    let smooth = MinAtarOptions { sticky_action_prob: 0.0, ..usual };
    let even = MinAtarOptions { difficulty_ramping: false, ..usual };
    let plays = [
        play::<Asterix>(1, Aim::Reward, usual)?,
        play::<Asterix>(2, Aim::Risk, smooth)?,
        play::<Asterix>(3, Aim::Peace, even)?,
        play::<Breakout>(1, Aim::Reward, usual)?,
        play::<Breakout>(2, Aim::Risk, smooth)?,
        play::<Freeway>(1, Aim::Reward, usual)?,
        play::<Freeway>(2, Aim::Risk, smooth)?,
        play::<Seaquest>(1, Aim::Reward, usual)?,
        play::<Seaquest>(2, Aim::Ramp, usual)?,
        play::<Seaquest>(3, Aim::Risk, smooth)?,
        play::<Seaquest>(4, Aim::Peace, usual)?,
        play::<Seaquest>(5, Aim::Reward, even)?,
        play::<Seaquest>(6, Aim::Reward, usual)?,
        play::<Seaquest>(7, Aim::Reward, smooth)?,
        play::<Seaquest>(8, Aim::Ramp, smooth)?,
        play::<Seaquest>(10, Aim::PartingShot, usual)?,
        play::<SpaceInvaders>(1, Aim::Reward, usual)?,
        play::<SpaceInvaders>(2, Aim::Risk, smooth)?,
        play::<SpaceInvaders>(3, Aim::Peace, usual)?,
        play::<SpaceInvaders>(4, Aim::Reward, even)?,
        play::<SpaceInvaders>(5, Aim::Landing, smooth)?,
        play::<SpaceInvaders>(6, Aim::Landing, usual)?,
        play::<SpaceInvaders>(7, Aim::Landing, usual)?,
    ];
    println!("[\n{}\n]", plays.join(",\n"));
    Ok(())
}
