//! Toy text: small worlds of numbered states, whose best policies are known.

use crate::registry::Builtin;

pub(crate) const BUILTIN: &[Builtin] = &[];
