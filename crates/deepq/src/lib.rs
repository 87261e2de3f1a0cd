//! placeholder

pub mod statistics;
pub mod tensorboard;
