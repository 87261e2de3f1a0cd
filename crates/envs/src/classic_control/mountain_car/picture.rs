//! Gymnasium's picture of MountainCar, pixel for pixel.

use deepq_core::Frame;

use super::{GOAL, LEFT_WALL, RIGHT_END};
use crate::picture::{BLACK, Canvas, Colour, Point, WHITE, rotate, whole, whole_point};

pub(super) const WIDTH: usize = 600;
pub(super) const HEIGHT: usize = 400;

const PIXELS_PER_POSITION: f64 = WIDTH as f64 / (RIGHT_END - LEFT_WALL);
const CLEARANCE: f64 = 10.0;
const CAR_WIDTH: f64 = 40.0;
const CAR_HEIGHT: f64 = 20.0;
const WHEEL_RADIUS: i32 = 8;
const FLAG_POLE: i32 = 50;
const TRACK_POINTS: usize = 100;
const GREY: Colour = [128; 3];
const YELLOW: Colour = [204, 204, 0];

/// The picture with the car at `position`.
pub(super) fn draw(position: f64) -> Frame {
    let mut canvas = Canvas::from_bottom(WIDTH, HEIGHT, WHITE);
    canvas.smooth_lines(&track(), false, BLACK);
    canvas.polygon(
        &[
            (-CAR_WIDTH / 2.0, 0.0),
            (-CAR_WIDTH / 2.0, CAR_HEIGHT),
            (CAR_WIDTH / 2.0, CAR_HEIGHT),
            (CAR_WIDTH / 2.0, 0.0),
        ]
        .map(|corner| on_the_car(corner, position)),
        BLACK,
    );
    for side in [CAR_WIDTH / 4.0, -CAR_WIDTH / 4.0] {
        canvas.smooth_disc(on_the_car((side, 0.0), position), WHEEL_RADIUS, GREY);
    }
    flag(&mut canvas);
    canvas.into_frame()
}

fn height(position: f64) -> f64 {
    (3.0 * position).sin() * 0.45 + 0.55
}

fn column(position: f64) -> f64 {
    (position - LEFT_WALL) * PIXELS_PER_POSITION
}

fn track() -> [(f64, f64); TRACK_POINTS] {
    let step = (RIGHT_END - LEFT_WALL) / (TRACK_POINTS - 1) as f64;
    let mut positions: [f64; TRACK_POINTS] = std::array::from_fn(|index| index as f64 * step + LEFT_WALL);
    positions[TRACK_POINTS - 1] = RIGHT_END;
    positions.map(|position| (column(position), height(position) * PIXELS_PER_POSITION))
}

/// A place of the car, which stands on the track and leans as the track does.
fn on_the_car(place: (f64, f64), position: f64) -> Point {
    let (x, y) = rotate(place, (3.0 * position).cos());
    whole_point((x + column(position), y + CLEARANCE + height(position) * PIXELS_PER_POSITION))
}

fn flag(canvas: &mut Canvas) {
    let x = whole(column(GOAL));
    let foot = whole(height(GOAL) * PIXELS_PER_POSITION);
    let top = foot + FLAG_POLE;
    canvas.column(x, foot, top, BLACK);
    canvas.polygon(&[(x, top), (x, top - 10), (x + 25, top - 5)], YELLOW);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_state_can_be_drawn() {
        for position in [0.0, -1.2, 1e9, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let flag_pole = (whole(column(GOAL)) as usize, HEIGHT - 1 - 350);
            assert_eq!(draw(position).pixel(flag_pole.0, flag_pole.1), BLACK);
        }
    }
}
