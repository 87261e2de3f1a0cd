//! Gymnasium's picture of Acrobot, pixel for pixel.

use std::f64::consts::FRAC_PI_2;

use deepq_core::Frame;

use super::single;
use crate::picture::{BLACK, Canvas, Colour, WHITE, rotate, whole, whole_point};

/// The picture is a square.
pub(super) const SIDE: usize = 500;

const MIDDLE: f64 = SIDE as f64 / 2.0;
/// The links' lengths are 1 each, and there is some room about them.
const PIXELS_PER_LENGTH: f64 = SIDE as f64 / ((1.0 + 1.0 + 0.2) * 2.0);
const HALF_WIDTH: f64 = 0.1 * PIXELS_PER_LENGTH;
const BLUE: Colour = [0, 204, 204];
const YELLOW: Colour = [204, 204, 0];

/// The picture with the links at these angles. With `is_single`, the angles are those of a reset, and Gymnasium
/// computes the place of the joint and the links' directions in `f32`.
pub(super) fn draw(angle_1: f64, angle_2: f64, is_single: bool) -> Frame {
    let mut canvas = Canvas::from_bottom(SIDE, SIDE, WHITE);
    canvas.row(0, SIDE as i32, whole(PIXELS_PER_LENGTH + MIDDLE), BLACK);
    let (joint, directions) = if is_single { single_pose(angle_1, angle_2) } else { pose(angle_1, angle_2) };
    for ((x, y), direction) in [(0.0, 0.0), joint].into_iter().zip(directions) {
        let (x, y) = (x + MIDDLE, y + MIDDLE);
        let corners = [
            (0.0, -HALF_WIDTH),
            (0.0, HALF_WIDTH),
            (PIXELS_PER_LENGTH, HALF_WIDTH),
            (PIXELS_PER_LENGTH, -HALF_WIDTH),
        ];
        let corners = corners.map(|corner| {
            let turned = rotate(corner, direction);
            whole_point((turned.0 + x, turned.1 + y))
        });
        canvas.polygon(&corners, BLUE);
        canvas.smooth_disc(whole_point((x, y)), whole(HALF_WIDTH), YELLOW);
    }
    canvas.into_frame()
}

/// Where the joint is, in pixels from the pivot, and the directions of the links from the horizontal.
fn pose(angle_1: f64, angle_2: f64) -> ((f64, f64), [f64; 2]) {
    let joint = (angle_1.sin() * PIXELS_PER_LENGTH, -angle_1.cos() * PIXELS_PER_LENGTH);
    (joint, [angle_1 - FRAC_PI_2, angle_1 + angle_2 - FRAC_PI_2])
}

fn single_pose(angle_1: f64, angle_2: f64) -> ((f64, f64), [f64; 2]) {
    let (angle_1, angle_2) = (angle_1 as f32, angle_2 as f32);
    let (sin, cos) = single::sin_cos(angle_1);
    let (scale, quarter) = (PIXELS_PER_LENGTH as f32, FRAC_PI_2 as f32);
    let directions = [angle_1 - quarter, angle_1 + angle_2 - quarter];
    ((f64::from(sin * scale), f64::from(-cos * scale)), directions.map(f64::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_state_can_be_drawn() {
        let odd = [0.0, -0.05, 1e9, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE];
        for angle_1 in odd {
            for angle_2 in odd {
                for is_single in [false, true] {
                    assert_eq!(draw(angle_1, angle_2, is_single).pixel(0, SIDE - 1 - 363), BLACK);
                }
            }
        }
    }
}
