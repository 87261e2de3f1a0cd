//! Reinforcement learning environments in Rust, equal to [Gymnasium](https://gymnasium.farama.org)'s to the bit.
//!
//! An environment is made by its id, from the environments of this crate with [`make`], or from a
//! [`Registry`] that holds one's own as well:
//!
//! ```
//! use deepq_core::{Env, ObservationMut};
//!
//! let mut env = deepq_envs::make("CartPole-v1")?;
//! let mut observation = [0.0; 4];
//! env.reset(Some(123), ObservationMut::F32(&mut observation))?;
//! assert_eq!(observation, [0.018235186, -0.0446179, -0.027964013, -0.03156282]);
//! let step = env.step(1, ObservationMut::F32(&mut observation))?;
//! assert_eq!(step.reward, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! "To the bit" means: with the same seed, the same initial states, and with the same actions the same
//! observations, rewards and ends of episodes as Gymnasium 1.4 on the same C library, whose `sin` and `cos`
//! both use. `fixtures/gymnasium` holds what Gymnasium gave, and the scripts that asked it.
//! The games of [`minatar`] are in the same way those of the package MinAtar 1.0.15: `fixtures/minatar`.

pub mod box2d;
pub mod check;
pub mod classic_control;
pub mod minatar;
mod misuse;
pub mod numpy_random;
pub mod picture;
pub mod registry;
pub mod task;
pub mod threads;
pub mod toy_text;
pub mod wrappers;

pub use classic_control::{Acrobot, CartPole, MountainCar, acrobot, cart_pole, mountain_car};
pub use registry::{AlreadyRegistered, EnvOptions, MakeError, Registry, UnknownEnv, ids, make};
pub use task::{Task, TaskEnv};
pub use wrappers::TimeLimit;
