//! The picture of CartPole.
use deepq_core::Frame;

pub(super) const WIDTH: usize = 600;
pub(super) const HEIGHT: usize = 400;

pub(super) fn draw(_position: f64, _angle: f64) -> Frame {
    Frame::filled(WIDTH, HEIGHT, [255; 3])
}
