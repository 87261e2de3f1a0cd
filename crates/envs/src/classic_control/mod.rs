//! Classic control: few numbers to see, few actions, and a task that takes foresight.

pub mod acrobot;
pub mod cart_pole;
pub mod mountain_car;

mod support;

pub use acrobot::Acrobot;
pub use cart_pole::CartPole;
pub use mountain_car::MountainCar;

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
    Builtin {
        id: "MountainCar-v0",
        description: "swing a weak car up a hill, in 200 steps",
        make: |options| MountainCar::v0_with(options.parse()?).map(|env| Box::new(env) as _),
    },
    Builtin {
        id: "Acrobot-v1",
        description: "swing two links up by the joint between them, in 500 steps",
        make: |options| options.none().map(|()| Box::new(Acrobot::v1()) as _),
    },
];
