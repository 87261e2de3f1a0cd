//! What every game has to say of itself.

use deepq_core::{StateError, StateReader, StateWriter};

use super::RandomState;

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

/// A game on the grid, without what [`MinAtar`](super::MinAtar) adds. Its default is the state before the first
/// [`begin`](Self::begin).
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
