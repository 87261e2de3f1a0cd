//! What all games share: the environment around a game.

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Frame, ObservationMut, StateError, StateReader,
    StateWriter, Step,
};
use serde::Deserialize;

use super::grid::{CELLS, SIDE};
use super::{Action, Game, Outcome, RandomState, picture};
use crate::misuse::{bytes, check_probability, wrong_step};

/// A frame stands for 50 ms, as long as MinAtar's own window shows it.
const FRAMES_PER_SECOND: u32 = 20;

/// How a game is played. The names are those of MinAtar's keyword arguments.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
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

    /// [`v0`](Self::v0) with options.
    ///
    /// # Errors
    /// Where the probability is none.
    pub fn v0_with(options: MinAtarOptions) -> Result<Self, EnvError> {
        check_probability("sticky_action_prob", options.sticky_action_prob)?;
        Ok(Self::new(0, &Action::ALL, options))
    }

    /// The game with the actions it has use for.
    pub fn v1() -> Self {
        Self::new(1, G::MINIMAL_ACTIONS, MinAtarOptions::default())
    }

    /// [`v1`](Self::v1) with options.
    ///
    /// # Errors
    /// Where the probability is none.
    pub fn v1_with(options: MinAtarOptions) -> Result<Self, EnvError> {
        check_probability("sticky_action_prob", options.sticky_action_prob)?;
        Ok(Self::new(1, G::MINIMAL_ACTIONS, options))
    }

    fn new(version: u32, actions: &'static [Action], options: MinAtarOptions) -> Self {
        let space = BoxSpace {
            shape: vec![SIDE, SIDE, G::CHANNELS.len()],
            element: ElementKind::U8,
            low: vec![0.0; Self::OBSERVATION_LEN],
            high: vec![1.0; Self::OBSERVATION_LEN],
        };
        let spec = EnvSpec {
            render_fps: FRAMES_PER_SECOND,
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

    #[cold]
    fn wrong_step(&self, action: usize) -> EnvError {
        let names: Vec<_> = self.actions.iter().map(|action| format!("{action:?}").to_lowercase()).collect();
        wrong_step(&self.spec, self.phase != Phase::BeforeFirstReset, &names, action)
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
        let bytes = bytes(&self.spec, Self::OBSERVATION_LEN, observation)?;
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
        let bytes = bytes(&self.spec, Self::OBSERVATION_LEN, observation)?;
        let action = match self.actions.get(action) {
            Some(action) if self.phase != Phase::BeforeFirstReset => *action,
            _ => return Err(self.wrong_step(action)),
        };
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
