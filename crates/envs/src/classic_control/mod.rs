//! Classic control: few numbers to see, few actions, and a task that takes foresight.

pub mod cart_pole;

pub use cart_pole::CartPole;

use crate::registry::Builtin;

pub(crate) const BUILTIN: &[Builtin] = &[
    Builtin {
        id: "CartPole-v0",
        description: "keep a pole upright on a cart, for 200 steps",
        make: |options| options.none().map(|()| Box::new(CartPole::v0()) as _),
    },
    Builtin {
        id: "CartPole-v1",
        description: "keep a pole upright on a cart, for 500 steps",
        make: |options| options.none().map(|()| Box::new(CartPole::v1()) as _),
    },
];
