//! The environments of classic control against what Gymnasium 1.4 gave: `fixtures/gymnasium`, and the scripts
//! that made it.
//!
//! Gymnasium's bits come from `sin`, `cos` and `pow` of the C library: glibc's on x86-64. There everything is
//! compared to the bit; elsewhere the beginnings of the episodes within a tolerance.

#[path = "../common/mod.rs"]
mod common;

mod acrobot;
mod cart_pole;
mod mountain_car;
mod recorded;
