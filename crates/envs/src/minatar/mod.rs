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
mod env;
mod freeway;
mod game;
mod grid;
mod picture;
mod random;
mod seaquest;
mod space_invaders;

pub use self::asterix::Asterix;
pub use self::breakout::Breakout;
pub use self::env::{MinAtar, MinAtarOptions};
pub use self::freeway::Freeway;
pub use self::game::{Action, Game, Outcome};
pub use self::random::RandomState;
pub use self::seaquest::Seaquest;
pub use self::space_invaders::SpaceInvaders;
use crate::registry::Builtin;

macro_rules! both_versions {
    ($($game:ident $name:literal: $description:literal),* $(,)?) => {
        &[$(
            Builtin {
                id: concat!("MinAtar/", $name, "-v0"),
                description: concat!($description, ", on 10 × 10 cells; all six actions"),
                make: |options| Ok(Box::new(MinAtar::<$game>::v0_with(options.parse()?)?)),
            },
            Builtin {
                id: concat!("MinAtar/", $name, "-v1"),
                description: concat!($description, ", on 10 × 10 cells"),
                make: |options| Ok(Box::new(MinAtar::<$game>::v1_with(options.parse()?)?)),
            },
        )*]
    };
}

pub(crate) const BUILTIN: &[Builtin] = both_versions![
    Asterix "Asterix": "catch gold and shun enemies",
    Breakout "Breakout": "knock bricks out of a wall with a ball",
    Freeway "Freeway": "lead a chicken across a road",
    Seaquest "Seaquest": "shoot enemies and save divers under water",
    SpaceInvaders "SpaceInvaders": "shoot aliens before they land",
];
