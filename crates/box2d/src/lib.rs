//! The physics of Gymnasium's Box2D environments, to the bit: C++ Box2D 2.3 behind a safe interface.
//!
//! `cpp/Box2D` holds those parts of Erin Catto's Box2D that deepq's environments need, under the zlib licence;
//! `cpp/CHANGES.md` says where they come from and what was altered. A C++ compiler is all that is needed to build
//! them. Lengths are in metres, masses in kilograms, times in seconds, angles in radians.
//!
//! ```
//! use deepq_box2d::{Material, Shape, World};
//!
//! let mut world = World::new([0.0, -10.0])?;
//! let ground = world.add_static_body();
//! world.add_fixture(ground, Shape::Edge([-5.0, 0.0], [5.0, 0.0]), Material::default())?;
//! let ball = world.add_dynamic_body([0.0, 3.0], 0.0)?;
//! world.add_fixture(ball, Shape::Circle { radius: 0.5 }, Material { density: 1.0, ..Material::default() })?;
//! while world.state(ball).contacts_begun == 0 {
//!     world.step(0.02, 8, 3);
//! }
//! assert!((world.state(ball).position[1] - 0.5).abs() < 0.02);
//! # Ok::<(), deepq_box2d::Invalid>(())
//! ```

mod ffi;
mod world;

pub use world::{Body, BodyState, Invalid, Material, RevoluteJoint, Shape, World};
