//! MinAtar: five Atari games on a grid of 10 × 10 cells.
//!
//! The games of K. Young and T. Tian, "MinAtar: an Atari-inspired testbed for thorough and reproducible
//! reinforcement learning experiments" (2019, arXiv 1903.03176), step for step those of the package MinAtar 1.0.15,
//! random numbers included. The code is our own, written from a description of what the games do.
//!
//! | Game | Reward | An episode is over |
//! |---|---|---|
//! | [`Asterix`] | 1 for gold that is caught | at an enemy's touch |
//! | [`Breakout`] | 1 for a brick | when the ball falls past the paddle |
//! | [`Freeway`] | 1 for a crossing | after 2501 steps |
//! | [`Seaquest`] | 1 for an enemy shot, up to 10 for six divers saved | at a touch, a shot, without oxygen or a diver |
//! | [`SpaceInvaders`] | 1 for an alien shot | when shot or reached |
//!
//! An observation is an image of 10 rows, 10 columns and as many channels as the game has kinds of things; a byte
//! is 1 where there is such a thing in that cell, and 0 elsewhere. [`Game::CHANNELS`] names the channels.
//!
//! What all games share, and [`MinAtar`] does:
//!
//! - **Actions**: `MinAtar/…-v0` takes all six of [`Action::ALL`]; `MinAtar/…-v1` only those that do something in
//!   the game ([`Game::MINIMAL_ACTIONS`]), counted from 0.
//! - **Sticky actions** (M. C. Machado et al. 2018, arXiv 1709.06009): in every step with probability
//!   [`sticky_action_prob`](MinAtarOptions::sticky_action_prob), 0.1 where nothing is said, the action carried out
//!   in the step before is carried out again. It is remembered over a reset.
//! - **Ramping**: Asterix, Seaquest and Space Invaders grow harder in the course of an episode, unless
//!   [`difficulty_ramping`](MinAtarOptions::difficulty_ramping) is false.
//! - **Ends**: nothing is ever truncated. A step beyond the end earns 0, terminates again, and leaves the game as
//!   it is.

mod asterix;
mod breakout;
mod freeway;
mod grid;
mod picture;
mod random;
mod seaquest;
mod space_invaders;

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader,
    StateWriter, Step,
};

pub use self::asterix::Asterix;
pub use self::breakout::Breakout;
pub use self::freeway::Freeway;
use self::grid::{CELLS, SIDE};
pub use self::random::RandomState;
pub use self::seaquest::Seaquest;
pub use self::space_invaders::SpaceInvaders;

/// What a player can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// One column to the left.
    Left,
    /// One row up.
    Up,
    /// One column to the right.
    Right,
    /// One row down.
    Down,
    /// Shoot.
    Fire,
}

impl Action {
    /// All actions, in MinAtar's order. One that a game has no use for does nothing there.
    pub const ALL: [Self; 6] = [Self::Nothing, Self::Left, Self::Up, Self::Right, Self::Down, Self::Fire];
}

/// What a step of a game gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The reward: always a whole number.
    pub reward: u32,
    /// True where the game is over.
    pub ended: bool,
}

/// A game on the grid, without what [`MinAtar`] adds. Its default is the state before the first [`begin`](Self::begin).
pub trait Game: Clone + std::fmt::Debug + Default + Send + 'static {
    /// Its name in ids.
    const NAME: &'static str;
    /// What the channels of an observation show, by MinAtar's names.
    const CHANNELS: &'static [&'static str];
    /// The actions that do something in it, in the order of [`Action::ALL`].
    const MINIMAL_ACTIONS: &'static [Action];

    /// Begins an episode.
    fn begin(&mut self, random: &mut RandomState);

    /// Goes on by one step, harder with time if `ramping`.
    fn step(&mut self, action: Action, ramping: bool, random: &mut RandomState) -> Outcome;

    /// Sets the bytes of what is to be seen to 1 in an observation of zeros: 10 rows of 10 columns of
    /// [`CHANNELS`](Self::CHANNELS).
    fn observe(&self, observation: &mut [u8]);

    /// How many times the episode has grown harder; `None` in a game that never does.
    fn ramp_level(&self) -> Option<u32> {
        None
    }

    /// Writes the state of the game.
    fn save_state(&self, state: &mut StateWriter);

    /// Reads what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not a state from which the game can go on.
    fn load_state(state: &mut StateReader<'_>) -> Result<Self, StateError>;
}

/// How a game is played. The names are those of MinAtar's keyword arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinAtarOptions {
    /// The probability of a step's repeating the action before it instead of the one it is given.
    pub sticky_action_prob: f64,
    /// Whether the game grows harder, where it does so at all.
    pub difficulty_ramping: bool,
}

impl Default for MinAtarOptions {
    fn default() -> Self {
        Self { sticky_action_prob: 0.1, difficulty_ramping: true }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    BeforeFirstReset,
    Playing,
    Ended,
}

/// A game of MinAtar as an environment.
///
/// ```
/// use deepq_core::{Env, ObservationMut};
/// use deepq_envs::minatar::{Breakout, MinAtar};
///
/// let mut env = MinAtar::<Breakout>::v1();
/// let mut observation = [0; 10 * 10 * 4];
/// env.reset(Some(42), ObservationMut::U8(&mut observation))?;
/// assert_eq!(observation.iter().filter(|byte| **byte == 1).count(), 33, "30 bricks, paddle, ball and trail");
/// # Ok::<(), deepq_core::EnvError>(())
/// ```
///
/// A seed determines what MinAtar's seed determines: see [`RandomState::new`], which also says what becomes of
/// seeds from 2³² on, which MinAtar refuses. Before the first reset with a seed the random numbers are those of
/// seed 0, where MinAtar would ask the operating system.
#[derive(Clone, Debug)]
pub struct MinAtar<G> {
    spec: EnvSpec,
    actions: &'static [Action],
    options: MinAtarOptions,
    random: RandomState,
    previous_action: Action,
    phase: Phase,
    game: G,
}

impl<G: Game> MinAtar<G> {
    /// The elements of an observation.
    const OBSERVATION_LEN: usize = CELLS * G::CHANNELS.len();

    /// The game with all six actions.
    pub fn v0() -> Self {
        Self::new(0, &Action::ALL, MinAtarOptions::default())
    }

    /// The game with the actions it has use for.
    pub fn v1() -> Self {
        Self::new(1, G::MINIMAL_ACTIONS, MinAtarOptions::default())
    }

    /// The same, played otherwise.
    ///
    /// # Errors
    /// Where the probability is none.
    pub fn with_options(self, options: MinAtarOptions) -> Result<Self, EnvError> {
        let found = options.sticky_action_prob;
        if !(0.0..=1.0).contains(&found) {
            let id = &self.spec.id;
            let message = format!("{id}: sticky_action_prob is a probability from 0 to 1, found {found}");
            return Err(EnvError::new(message));
        }
        Ok(Self { options, ..self })
    }

    fn new(version: u32, actions: &'static [Action], options: MinAtarOptions) -> Self {
        let space = BoxSpace {
            shape: vec![SIDE, SIDE, G::CHANNELS.len()],
            element: ElementKind::U8,
            low: vec![0.0; Self::OBSERVATION_LEN],
            high: vec![1.0; Self::OBSERVATION_LEN],
        };
        let spec = EnvSpec {
            render_fps: 20,
            frame_size: Some((picture::SIDE_PIXELS, picture::SIDE_PIXELS)),
            ..EnvSpec::new(format!("MinAtar/{}-v{version}", G::NAME), space, actions.len())
        };
        Self {
            spec,
            actions,
            options,
            random: RandomState::new(0),
            previous_action: Action::Nothing,
            phase: Phase::BeforeFirstReset,
            game: G::default(),
        }
    }

    /// How the game is played.
    pub fn options(&self) -> MinAtarOptions {
        self.options
    }

    /// How many times the episode has grown harder; `None` in a game that never does.
    pub fn ramp_level(&self) -> Option<u32> {
        self.game.ramp_level()
    }

    /// The random numbers, as they will go on.
    pub fn random(&self) -> &RandomState {
        &self.random
    }

    #[inline]
    fn bytes<'a>(&self, observation: ObservationMut<'a>) -> Result<&'a mut [u8], EnvError> {
        match observation {
            ObservationMut::U8(bytes) if bytes.len() == Self::OBSERVATION_LEN => Ok(bytes),
            other => Err(self.wrong_buffer(&other)),
        }
    }

    #[cold]
    fn wrong_buffer(&self, found: &ObservationMut<'_>) -> EnvError {
        let found = match found {
            ObservationMut::F32(values) => format!("{} numbers of type f32", values.len()),
            ObservationMut::U8(values) => format!("{}", values.len()),
        };
        let (id, len) = (&self.spec.id, Self::OBSERVATION_LEN);
        EnvError::new(format!("{id}: an observation is {len} bytes, found a buffer of {found}"))
    }

    #[cold]
    fn wrong_step(&self, action: usize) -> EnvError {
        let id = &self.spec.id;
        if self.phase == Phase::BeforeFirstReset {
            return EnvError::new(format!("{id}: a step before the first reset"));
        }
        let names: Vec<String> = self
            .actions
            .iter()
            .enumerate()
            .map(|(index, action)| format!("{index} ({action:?})").to_lowercase())
            .collect();
        EnvError::new(format!("{id}: the action is one of {}; found {action}", names.join(", ")))
    }

    #[inline]
    fn observe(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.game.observe(bytes);
    }
}

impl<G: Game> Env for MinAtar<G> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let bytes = self.bytes(observation)?;
        if let Some(seed) = seed {
            self.random = RandomState::new(seed);
        }
        self.game.begin(&mut self.random);
        self.phase = Phase::Playing;
        self.observe(bytes);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let action = match self.actions.get(action) {
            Some(action) if self.phase != Phase::BeforeFirstReset => *action,
            _ => return Err(self.wrong_step(action)),
        };
        let bytes = self.bytes(observation)?;
        let sticks = self.random.uniform() < self.options.sticky_action_prob;
        if !sticks {
            self.previous_action = action;
        }
        let mut outcome = Outcome { reward: 0, ended: true };
        if self.phase == Phase::Playing {
            let ramping = self.options.difficulty_ramping;
            outcome = self.game.step(self.previous_action, ramping, &mut self.random);
            if outcome.ended {
                self.phase = Phase::Ended;
            }
        }
        self.observe(bytes);
        Ok(Step { reward: outcome.reward.into(), terminated: outcome.ended, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        if self.phase == Phase::BeforeFirstReset {
            return None;
        }
        let mut observation = vec![0; Self::OBSERVATION_LEN];
        self.game.observe(&mut observation);
        Some(picture::draw(&observation, G::CHANNELS.len()))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("minatar");
        state.tag(G::NAME);
        state.f64(self.options.sticky_action_prob);
        state.bool(self.options.difficulty_ramping);
        self.random.save_state(state);
        let place = Action::ALL.iter().position(|action| *action == self.previous_action);
        state.u64(place.unwrap_or(0) as u64);
        state.bool(self.phase != Phase::BeforeFirstReset);
        state.bool(self.phase == Phase::Ended);
        self.game.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("minatar")?;
        state.tag(G::NAME)?;
        self.options.expect(state)?;
        let mut random = self.random.clone();
        random.load_state(state)?;
        let previous = state.u64_at_most("the action before", Action::ALL.len() as u64 - 1)?;
        let has_begun = state.bool("whether an episode has begun")?;
        let has_ended = state.bool("whether the episode has ended")?;
        let game = G::load_state(state)?;
        self.random = random;
        self.previous_action = Action::ALL[previous as usize];
        self.phase = match (has_begun, has_ended) {
            (false, _) => Phase::BeforeFirstReset,
            (true, false) => Phase::Playing,
            (true, true) => Phase::Ended,
        };
        self.game = game;
        Ok(())
    }
}

impl MinAtarOptions {
    /// Reads options that must be these.
    fn expect(self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let sticky_action_prob = state.f64("sticky_action_prob")?;
        if sticky_action_prob != self.sticky_action_prob {
            let expected = self.sticky_action_prob;
            return Err(StateError::mismatch("sticky_action_prob", expected, sticky_action_prob));
        }
        match state.bool("difficulty_ramping")? {
            found if found == self.difficulty_ramping => Ok(()),
            found => Err(StateError::mismatch("difficulty_ramping", self.difficulty_ramping, found)),
        }
    }
}

pub(crate) const BUILTIN: &[crate::registry::Builtin] = &[];
