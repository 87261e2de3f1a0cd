//! Toy text: small worlds of numbered states, whose best policies are known.
//!
//! Each is [Gymnasium](https://gymnasium.farama.org) 1.4's: the same ids, options, limits and, with the same seeds
//! and actions, the same episodes to the bit. What the actions lead to is computed once, when an environment is
//! made, so that a step is one random number and one look-up.
//!
//! Before the first reset with a seed the random numbers are those of seed 0, where Gymnasium would ask the
//! operating system: a run without a seed is repeatable too.

pub mod blackjack;
pub mod cliff_walking;
pub mod frozen_lake;
pub mod taxi;

mod pixel_art;
mod transitions;
mod walker;

pub use blackjack::Blackjack;
pub use cliff_walking::CliffWalking;
pub use frozen_lake::FrozenLake;
pub use taxi::Taxi;

use crate::registry::Builtin;

pub(crate) const BUILTIN: &[Builtin] = &[
    Builtin {
        id: "FrozenLake-v1",
        description: "cross a slippery frozen lake of 4×4 tiles without falling into a hole",
        make: |options| Ok(Box::new(FrozenLake::v1_with(options.parse()?)?)),
    },
    Builtin {
        id: "FrozenLake8x8-v1",
        description: "cross a slippery frozen lake of 8×8 tiles without falling into a hole",
        make: |options| Ok(Box::new(FrozenLake::v1_8x8_with(options.parse()?)?)),
    },
    Builtin {
        id: "CliffWalking-v1",
        description: "walk along the edge of a cliff from start to goal",
        make: |options| Ok(Box::new(CliffWalking::v1_with(options.parse()?))),
    },
    Builtin {
        id: "CliffWalkingSlippery-v1",
        description: "walk along the edge of a cliff where every step may slip aside",
        make: |options| Ok(Box::new(CliffWalking::slippery_v1_with(options.parse()?))),
    },
    Builtin {
        id: "Taxi-v4",
        description: "fetch a passenger with a taxi and take them where they want to go",
        make: |options| Ok(Box::new(Taxi::v4_with(options.parse()?)?)),
    },
    Builtin {
        id: "Blackjack-v1",
        description: "draw cards up to 21 but not above, closer to it than the dealer",
        make: |options| Ok(Box::new(Blackjack::v1_with(options.parse()?))),
    },
];
