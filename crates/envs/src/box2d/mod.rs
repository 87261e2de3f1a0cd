//! Bodies that fall, push and collide, by the physics engine Box2D.

use crate::registry::Builtin;

pub(crate) const BUILTIN: &[Builtin] = &[];
