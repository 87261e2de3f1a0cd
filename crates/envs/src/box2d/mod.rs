//! Bodies that fall, push and collide, by the physics engine Box2D.
//!
//! They are behind the feature `box2d`, which is on unless one says `default-features = false`: it compiles C++
//! Box2D, and so needs a C++ compiler.

#[cfg(feature = "box2d")]
pub mod lunar_lander;

#[cfg(feature = "box2d")]
pub use lunar_lander::LunarLander;

use crate::registry::Builtin;

#[cfg(feature = "box2d")]
pub(crate) const BUILTIN: &[Builtin] = &[Builtin {
    id: "LunarLander-v3",
    description: "land on the moon softly and upright, between the flags",
    make: |options| Ok(Box::new(LunarLander::v3_with(options.parse()?)?)),
}];

#[cfg(not(feature = "box2d"))]
pub(crate) const BUILTIN: &[Builtin] = &[];
