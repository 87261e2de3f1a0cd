//! Gymnasium's picture of CartPole, pixel for pixel.
//!
//! Gymnasium draws with pygame's `gfxdraw`, which is SDL_gfx (© Andreas Schiffler, zlib licence): polygons on
//! whole-number corners, their edges smoothed by X. Wu's method ("An efficient antialiasing technique",
//! SIGGRAPH 1991), their insides filled row by row. The code here is our own and follows those conventions,
//! down to the rounding, for what this one picture needs.

use std::f64::consts::{FRAC_PI_2, TAU};

use deepq_core::Frame;

use super::POSITION_LIMIT;

pub(super) const WIDTH: usize = 600;
pub(super) const HEIGHT: usize = 400;

const PIXELS_PER_METRE: f64 = WIDTH as f64 / (2.0 * POSITION_LIMIT);
const TRACK: i32 = 100;
const AXLE: f64 = 7.5;
const BLACK: Colour = [0, 0, 0];
const WOOD: Colour = [202, 152, 101];
const LILAC: Colour = [129, 132, 203];

type Colour = [u8; 3];
type Point = (i32, i32);

/// The picture with the cart at `position` metres and the pole at `angle` radians.
pub(super) fn draw(position: f64, angle: f64) -> Frame {
    let cart_x = position * PIXELS_PER_METRE + WIDTH as f64 / 2.0;
    let mut canvas = Canvas { frame: Frame::filled(WIDTH, HEIGHT, [255; 3]) };
    canvas.polygon(&cart(cart_x), BLACK);
    canvas.polygon(&pole(cart_x, angle), WOOD);
    canvas.axle(whole(cart_x), whole(f64::from(TRACK) + AXLE));
    canvas.row(0, WIDTH as i32, TRACK, BLACK);
    canvas.frame
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

/// pygame's `Vector2.rotate_rad`, which takes a quarter turn to within 10⁻⁶ for an exact one.
fn rotate((x, y): (f64, f64), angle: f64) -> (f64, f64) {
    const CLOSE: f64 = 1e-6;
    let angle = angle % TAU;
    let angle = if angle < 0.0 { angle + TAU } else { angle };
    if (angle + CLOSE) % FRAC_PI_2 < 2.0 * CLOSE {
        return match ((angle + CLOSE) / FRAC_PI_2) as u8 {
            1 => (-y, x),
            2 => (-x, -y),
            3 => (y, -x),
            _ => (x, y),
        };
    }
    let (sin, cos) = (angle.sin(), angle.cos());
    (cos * x - sin * y, sin * x + cos * y)
}

/// A coordinate as a whole number, rounded towards 0. What lies far off the picture is brought nearer, so that
/// no later product overflows.
fn whole(coordinate: f64) -> i32 {
    (coordinate as i32).clamp(-4000, 4000)
}

/// The part of a line within the picture, by the method of D. Cohen and I. Sutherland; `None` where there is
/// none. Cut ends are rounded towards their old places, so a cut line has a slightly different slope, and the
/// two ends may come back exchanged: both show in the pixels.
fn clip(mut from: Point, mut to: Point) -> Option<(Point, Point)> {
    const RIGHT: i32 = WIDTH as i32 - 1;
    const TOP: i32 = HEIGHT as i32 - 1;
    let outside = |(x, y): Point| [x < 0, x > RIGHT, y > TOP, y < 0];
    loop {
        let (mut sides, others) = (outside(from), outside(to));
        if sides == [false; 4] && others == [false; 4] {
            return Some((from, to));
        }
        if sides.iter().zip(others).any(|(side, other)| *side && other) {
            return None;
        }
        if sides == [false; 4] {
            (from, to) = (to, from);
            sides = others;
        }
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let slope = if dx == 0 { 1.0 } else { dy as f32 / dx as f32 };
        let at_column = |x: i32| (x, from.1 + ((x - from.0) as f32 * slope) as i32);
        let at_row =
            |y: i32| if dx == 0 { (from.0, y) } else { (from.0 + ((y - from.1) as f32 / slope) as i32, y) };
        from = match sides {
            [true, ..] => at_column(0),
            [_, true, ..] => at_column(RIGHT),
            [_, _, true, _] => at_row(TOP),
            _ => at_row(0),
        };
    }
}

/// A picture whose rows are counted from the bottom, as they are while Gymnasium draws.
struct Canvas {
    frame: Frame,
}

impl Canvas {
    /// Blends `colour` over a pixel; 255 is all of it. Outside the picture nothing happens.
    fn blend(&mut self, x: i32, y: i32, colour: Colour, alpha: i32) {
        if !(0..WIDTH as i32).contains(&x) || !(0..HEIGHT as i32).contains(&y) {
            return;
        }
        let start = 3 * ((HEIGHT - 1 - y as usize) * WIDTH + x as usize);
        for (below, over) in self.frame.rgb_mut()[start..start + 3].iter_mut().zip(colour) {
            let difference = i32::from(over) - i32::from(*below);
            *below =
                if alpha == 255 { over } else { (i32::from(*below) + ((difference * alpha) >> 8)) as u8 };
        }
    }

    /// Blends with a weight of a line's coverage, which never is all of the colour.
    fn cover(&mut self, x: i32, y: i32, colour: Colour, weight: i32) {
        self.blend(x, y, colour, (255 * weight) >> 8);
    }

    /// Pixels `left..=right` of a row.
    fn row(&mut self, left: i32, right: i32, y: i32, colour: Colour) {
        for x in left.max(0)..=right.min(WIDTH as i32 - 1) {
            self.blend(x, y, colour, 255);
        }
    }

    /// Pixels `bottom..=top` of a column.
    fn column(&mut self, x: i32, bottom: i32, top: i32, colour: Colour) {
        for y in bottom..=top {
            self.blend(x, y, colour, 255);
        }
    }

    fn polygon(&mut self, corners: &[Point; 4], colour: Colour) {
        for (index, from) in corners.iter().enumerate() {
            self.line(*from, corners[(index + 1) % 4], colour);
        }
        self.fill(corners, colour);
    }

    /// A smooth line. The end is left to the line that begins there.
    fn line(&mut self, from: Point, to: Point, colour: Colour) {
        let Some((from, to)) = clip(from, to) else {
            return;
        };
        let (low, high) = if from.1 <= to.1 { (from, to) } else { (to, from) };
        let (width, height) = (high.0 - low.0, high.1 - low.1);
        if width == 0 {
            return self.column(low.0, low.1, high.1, colour);
        }
        if height == 0 {
            return self.row(low.0.min(high.0), low.0.max(high.0), low.1, colour);
        }
        self.blend(from.0, from.1, colour, 255);
        let across = width.signum();
        let steep = height > width.abs();
        let (long, short) = if steep { (height, width.abs()) } else { (width.abs(), height) };
        // The error is a fraction of 2³² of a pixel: a step to the side wherever it overflows.
        let slope = (((short << 16) / long) as u32) << 16;
        let (mut error, mut aside) = (0u32, 0);
        for along in 1..long {
            let before = error;
            error = error.wrapping_add(slope);
            if error <= before {
                aside += 1;
            }
            let weight = (error >> 24) as i32;
            for (aside, weight) in [(aside, 255 - weight), (aside + 1, weight)] {
                let (dx, dy) = if steep { (aside, along) } else { (along, aside) };
                self.cover(low.0 + across * dx, low.1 + dy, colour, weight);
            }
        }
    }

    fn fill(&mut self, corners: &[Point; 4], colour: Colour) {
        let (bottom, top) = corners.iter().fold((i32::MAX, i32::MIN), |(b, t), c| (b.min(c.1), t.max(c.1)));
        for y in bottom..=top {
            let mut crossings = [0; 4];
            let mut count = 0;
            for (index, corner) in corners.iter().enumerate() {
                let previous = corners[(index + 3) % 4];
                let (low, high) =
                    if previous.1 < corner.1 { (previous, *corner) } else { (*corner, previous) };
                let crosses = (low.1..high.1).contains(&y) || (y == top && low.1 < y && y <= high.1);
                if crosses {
                    crossings[count] =
                        ((y - low.1) << 16) / (high.1 - low.1) * (high.0 - low.0) + (low.0 << 16);
                    count += 1;
                }
            }
            crossings[..count].sort_unstable();
            for pair in crossings[..count].as_chunks::<2>().0 {
                let round = |crossing: i32| (crossing >> 16) + (crossing >> 15 & 1);
                self.row(round(pair[0] + 1), round(pair[1] - 1), y, colour);
            }
        }
    }

    /// A smooth disc of radius 5.
    fn axle(&mut self, x: i32, y: i32) {
        const HALF_WIDTHS: [i32; 6] = [5, 5, 5, 4, 3, 0];
        const EDGE: [(i32, i32); 2] = [(1, 229), (2, 152)];
        for (dy, half_width) in (0..).zip(HALF_WIDTHS) {
            for y in [y - dy, y + dy] {
                self.row(x - half_width, x + half_width, y, LILAC);
            }
        }
        for (dx, alpha) in EDGE {
            for (x, y) in [(x - dx, y - 5), (x + dx, y - 5), (x - dx, y + 5), (x + dx, y + 5)] {
                self.blend(x, y, LILAC, alpha);
            }
        }
    }
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

    #[test]
    fn a_line_cut_at_the_edge_stays_inside() {
        let inside = |(x, y): Point| (0..600).contains(&x) && (0..400).contains(&y);
        assert_eq!(clip((10, 20), (30, 5)), Some(((10, 20), (30, 5))));
        assert_eq!(clip((-10, 20), (-1, 5)), None);
        for from in [(-4000, 3999), (-7, 200), (300, 4000), (4000, -1), (599, -4000)] {
            for to in [(4000, -3999), (0, 0), (599, 399), (1, 4000), (-1, 0), (300, 200)] {
                assert!(
                    clip(from, to).is_none_or(|(from, to)| inside(from) && inside(to)),
                    "{from:?} {to:?}"
                );
            }
        }
        assert_eq!(clip((300, -100), (300, 1000)), Some(((300, 399), (300, 0))));
    }
}
