//! The picture of a flight: Gymnasium's, with its colours and its order of drawing.
//!
//! It is what Gymnasium draws with pygame 2.6, pixel for pixel. With pygame-ce 2.5, whose smooth lines are smoothed
//! otherwise, one pixel in two thousand has another shade.

use deepq_box2d::BodyState;
use deepq_core::Frame;

use super::flight::{CORNERS, Flight, HEIGHT as SKY_HEIGHT, LANDER, LEG, PAD_HEIGHT, SCALE};
use crate::picture::{BLACK, Canvas, Colour, WHITE, whole, whole_point};

/// Pixels in a row.
pub(super) const WIDTH: usize = 600;
/// Rows.
pub(super) const HEIGHT: usize = 400;

const HULL: Colour = [128, 102, 230];
const HULL_EDGE: Colour = [77, 77, 128];
const FLAG: Colour = [204, 204, 0];
const FLAG_HEIGHT: f64 = 50.0;

/// Draws the flight; `None` where its exhaust cannot be.
pub(super) fn draw(flight: &Flight) -> Option<Frame> {
    // The moon is what is left of the white by the sky.
    let mut canvas = Canvas::from_bottom(WIDTH, HEIGHT, WHITE);
    let terrain = flight.terrain();
    draw_sky(&mut canvas, &terrain);
    let flags = [CORNERS / 2 - 1, CORNERS / 2 + 1].map(|corner| terrain[corner][0] * SCALE);
    for (position, age) in flight.exhaust().ok()? {
        let centre = position.map(|value| f64::from(value * SCALE as f32));
        canvas.plain_disc(whole_point(centre.into()), 2, glow(age));
        draw_flags(&mut canvas, flags);
    }
    let [lander, right, left] = flight.bodies();
    let [half_width, half_height] = LEG;
    let leg = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
        .map(|[x, y]: [f64; 2]| [x * half_width, y * half_height]);
    // Box2D begins a polygon at its rightmost corner.
    let hull: [_; 6] = std::array::from_fn(|corner| LANDER[(corner + 3) % LANDER.len()]);
    for (body, corners) in [(lander, &hull[..]), (right, &leg[..]), (left, &leg[..])] {
        draw_body(&mut canvas, body, corners);
        draw_flags(&mut canvas, flags);
    }
    Some(canvas.into_frame())
}

fn draw_sky(canvas: &mut Canvas, terrain: &[[f64; 2]; CORNERS]) {
    for pair in terrain.windows(2) {
        let top = |corner: [f64; 2]| [corner[0], SKY_HEIGHT];
        let corners = [pair[0], pair[1], top(pair[1]), top(pair[0])]
            .map(|corner| whole_point(corner.map(|value| value * SCALE).into()));
        canvas.plain_polygon(&corners, BLACK);
        canvas.outline(&corners, BLACK);
    }
}

/// The colour of a particle so many steps after it left the engine: from red to grey.
fn glow(age: usize) -> Colour {
    // As often as Gymnasium subtracts it, whose roundings add up.
    let heat = (0..=age).fold(1.0f64, |heat, _| heat - 0.15);
    let [red, other] = [0.15 + heat, 0.5 * heat].map(|share| (share.max(0.2) * 255.0) as u8);
    [red, other, other]
}

fn draw_body(canvas: &mut Canvas, body: &BodyState, corners: &[[f64; 2]]) {
    let (sin, cos) = (body.angle.sin(), body.angle.cos());
    let [left, bottom] = body.position;
    let place = |corner: &[f64; 2]| {
        let [x, y] = corner.map(|value| (value / SCALE) as f32);
        let place = [(cos * x - sin * y) + left, (sin * x + cos * y) + bottom];
        place.map(|value| f64::from(value * SCALE as f32)).into()
    };
    let mut path = [(0.0, 0.0); LANDER.len()];
    let path = &mut path[..corners.len()];
    path.iter_mut().zip(corners).for_each(|(to, corner)| *to = place(corner));
    let mut whole_path = [(0, 0); LANDER.len()];
    let whole_path = &mut whole_path[..corners.len()];
    whole_path.iter_mut().zip(&*path).for_each(|(to, point)| *to = whole_point(*point));
    canvas.plain_polygon(whole_path, HULL);
    canvas.outline(whole_path, HULL);
    canvas.smooth_lines(path, true, HULL_EDGE);
}

fn draw_flags(canvas: &mut Canvas, columns: [f64; 2]) {
    let foot = PAD_HEIGHT * SCALE;
    let top = foot + FLAG_HEIGHT;
    for x in columns {
        canvas.column(whole(x), whole(foot), whole(top), WHITE);
        let cloth = [(x, top), (x, top - 10.0), (x + 25.0, top - 5.0)].map(whole_point);
        canvas.plain_polygon(&cloth, FLAG);
        canvas.outline(&cloth, FLAG);
    }
}
