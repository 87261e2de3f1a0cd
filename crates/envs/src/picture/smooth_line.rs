//! Smooth lines by X. Wu's method ("An efficient antialiasing technique", SIGGRAPH 1991).

use super::{Canvas, Colour, Point, near};

impl Canvas {
    /// A smooth line without its end, which is left to the line that begins there: an edge of
    /// [`outline`](Self::outline).
    pub(super) fn smooth_line(&mut self, from: Point, to: Point, colour: Colour) {
        let Some((from, to)) = clip(near(from), near(to), self.right(), self.last_row()) else {
            return;
        };
        let (low, high) = if from.1 <= to.1 { (from, to) } else { (to, from) };
        let (width, height) = (high.0 - low.0, high.1 - low.1);
        if width == 0 {
            return self.column(low.0, low.1, high.1, colour);
        }
        if height == 0 {
            return self.row(low.0, high.0, low.1, colour);
        }
        self.blend(from, colour, 255);
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
            let weight = (error >> 24) as u8;
            for (aside, weight) in [(aside, 255 - weight), (aside + 1, weight)] {
                let (dx, dy) = if steep { (aside, along) } else { (along, aside) };
                self.cover((low.0 + across * dx, low.1 + dy), colour, weight);
            }
        }
    }
}

/// The part of a line within a picture, by the method of D. Cohen and I. Sutherland; `None` where there is
/// none. Cut ends are rounded towards their old places, so a cut line has a slightly different slope, and the
/// two ends may come back exchanged: both show in the pixels.
fn clip(mut from: Point, mut to: Point, right: i32, last_row: i32) -> Option<(Point, Point)> {
    let outside = |(x, y): Point| [x < 0, x > right, y > last_row, y < 0];
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
            [_, true, ..] => at_column(right),
            [_, _, true, _] => at_row(last_row),
            _ => at_row(0),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_at_the_edge_stays_inside() {
        let clip = |from, to| clip(from, to, 599, 399);
        let inside = |(x, y): Point| (0..600).contains(&x) && (0..400).contains(&y);
        assert_eq!(clip((10, 20), (30, 5)), Some(((10, 20), (30, 5))));
        assert_eq!(clip((-10, 20), (-1, 5)), None);
        for from in [(-8000, 7999), (-7, 200), (300, 8000), (8000, -1), (599, -8000)] {
            for to in [(8000, -7999), (0, 0), (599, 399), (1, 8000), (-1, 0), (300, 200)] {
                assert!(
                    clip(from, to).is_none_or(|(from, to)| inside(from) && inside(to)),
                    "{from:?} {to:?}"
                );
            }
        }
        assert_eq!(clip((300, -100), (300, 1000)), Some(((300, 399), (300, 0))));
    }
}
