//! Pictures and screens for deepq.
//!
//! Training never knows that anybody watches: this crate takes the [`Frame`](deepq_core::Frame)s that an
//! environment renders and puts them into an MP4 file, a window or the terminal.

pub mod frame_ops;
pub mod mp4;
pub mod player;
pub mod terminal;
pub mod window;
