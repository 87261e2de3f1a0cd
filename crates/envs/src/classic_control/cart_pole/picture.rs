//! Gymnasium's picture of CartPole, pixel for pixel.

use deepq_core::Frame;

use super::POSITION_LIMIT;
use crate::picture::{BLACK, Canvas, Colour, Point, WHITE, rotate, whole, whole_point};

pub(super) const WIDTH: usize = 600;
pub(super) const HEIGHT: usize = 400;

const PIXELS_PER_METRE: f64 = WIDTH as f64 / (2.0 * POSITION_LIMIT);
const TRACK: i32 = 100;
const AXLE: f64 = 7.5;
const AXLE_RADIUS: i32 = 5;
const WOOD: Colour = [202, 152, 101];
const LILAC: Colour = [129, 132, 203];

/// The picture with the cart at `position` metres and the pole at `angle` radians.
pub(super) fn draw(position: f64, angle: f64) -> Frame {
    let cart_x = position * PIXELS_PER_METRE + WIDTH as f64 / 2.0;
    let mut canvas = Canvas::from_bottom(WIDTH, HEIGHT, WHITE);
    canvas.polygon(&cart(cart_x), BLACK);
    canvas.polygon(&pole(cart_x, angle), WOOD);
    canvas.smooth_disc(whole_point((cart_x, f64::from(TRACK) + AXLE)), AXLE_RADIUS, LILAC);
    canvas.row(0, WIDTH as i32, TRACK, BLACK);
    canvas.into_frame()
}

fn cart(cart_x: f64) -> [Point; 4] {
    [(-25.0, -15.0), (-25.0, 15.0), (25.0, 15.0), (25.0, -15.0)]
        .map(|(x, y)| (whole(x + cart_x), whole(y + f64::from(TRACK))))
}

fn pole(cart_x: f64, angle: f64) -> [Point; 4] {
    let top = PIXELS_PER_METRE - 5.0;
    [(-5.0, -5.0), (-5.0, top), (5.0, top), (5.0, -5.0)].map(|corner| {
        let (x, y) = rotate(corner, -angle);
        (whole(x + cart_x), whole(y + f64::from(TRACK) + AXLE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_state_can_be_drawn() {
        let odd = [0.0, -2.4, 1e9, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE];
        for position in odd {
            for angle in odd {
                assert_eq!(draw(position, angle).pixel(599, 299), BLACK);
            }
        }
    }
}
