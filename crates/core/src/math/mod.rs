//! Functions that give the same bits on every processor.
//!
//! `exp`, `ln` and the like differ from one system's library to the next. Losses and layers take them from here:
//! they are made of [`Number`]'s operations alone, each of which is rounded alike everywhere, in an order that is
//! written down. The same source runs on one `f32` and on vectors of any width.

mod number;

pub use number::{LEAST_MANTISSA, Number};
