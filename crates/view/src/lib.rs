//! Pictures and screens for deepq.
//!
//! Training never knows that anybody watches: this crate takes the [`Frame`](deepq_core::Frame)s that an
//! environment renders and puts them into an MP4 file, a window or the terminal.

pub mod episode;
mod error;
pub mod frame_ops;
pub mod mp4;
pub mod player;
pub mod recorder;
pub mod report;
pub mod shell;
pub mod terminal;
pub mod watch;
pub mod window;

pub use error::ViewError;
