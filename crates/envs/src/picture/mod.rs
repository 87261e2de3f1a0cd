//! The canvas that environments draw their pictures on.
//!
//! Gymnasium draws with pygame, and its pictures are to be met pixel for pixel. So shapes have whole-number
//! corners, and each is drawn by the rule, down to the rounding, of the call that Gymnasium makes:
//!
//! | Method | pygame's call |
//! |---|---|
//! | [`outline`](Canvas::outline) | `gfxdraw.aapolygon` |
//! | [`fill`](Canvas::fill) | `gfxdraw.filled_polygon` |
//! | [`polygon`](Canvas::polygon) | the two, one after the other |
//! | [`circle`](Canvas::circle) | `gfxdraw.aacircle` |
//! | [`disc`](Canvas::disc) | `gfxdraw.filled_circle` |
//! | [`smooth_disc`](Canvas::smooth_disc) | the two, one after the other |
//! | [`plain_polygon`](Canvas::plain_polygon) | `draw.polygon` |
//! | [`plain_disc`](Canvas::plain_disc) | `draw.circle` |
//! | [`smooth_lines`](Canvas::smooth_lines) | `draw.aalines` |
//! | [`row`](Canvas::row), [`column`](Canvas::column) | `gfxdraw.hline`, `gfxdraw.vline`, straight `draw.line` |
//!
//! `gfxdraw` is SDL_gfx (© Andreas Schiffler, zlib licence). The code here is our own and follows its
//! conventions.
//!
//! ```
//! use deepq_envs::picture::Canvas;
//!
//! let mut canvas = Canvas::from_bottom(60, 40, [255; 3]);
//! canvas.polygon(&[(10, 10), (50, 10), (30, 30)], [202, 152, 101]);
//! let frame = canvas.into_frame();
//! assert_eq!(frame.pixel(30, 39 - 15), [202, 152, 101]);
//! ```

mod circle;
mod draw;
mod polygon;
mod smooth_line;

use std::f64::consts::{FRAC_PI_2, TAU};

use deepq_core::Frame;

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Column and row of a pixel. It may lie outside the picture; what lies further than [`FAR`] from the origin
/// is brought nearer.
pub type Point = (i32, i32);

/// The largest coordinate that is drawn as it is: larger ones are brought to it, so that no product overflows.
pub const FAR: i32 = 8000;

/// Black.
pub const BLACK: Colour = [0; 3];

/// White.
pub const WHITE: Colour = [255; 3];

/// A picture in the making.
#[derive(Clone, Debug)]
pub struct Canvas {
    frame: Frame,
    /// True where row 0 is the lowest of the picture.
    from_bottom: bool,
}

impl Canvas {
    /// A canvas of one colour whose rows are counted from the top.
    pub fn from_top(width: usize, height: usize, background: Colour) -> Self {
        Self { frame: Frame::filled(width, height, background), from_bottom: false }
    }

    /// A canvas of one colour whose rows are counted from the bottom: Gymnasium draws so, and turns the picture
    /// over at last.
    pub fn from_bottom(width: usize, height: usize, background: Colour) -> Self {
        Self { frame: Frame::filled(width, height, background), from_bottom: true }
    }

    /// The picture.
    pub fn into_frame(self) -> Frame {
        self.frame
    }

    /// The last column.
    fn right(&self) -> i32 {
        self.frame.width() as i32 - 1
    }

    /// The last row.
    fn last_row(&self) -> i32 {
        self.frame.height() as i32 - 1
    }

    /// Where the row begins in the bytes of the frame; `y` must be within the picture.
    fn row_start(&self, y: i32) -> usize {
        let y = if self.from_bottom { self.last_row() - y } else { y };
        3 * y as usize * self.frame.width()
    }

    /// Blends `colour` over a pixel; 255 is all of it. Outside the picture nothing happens.
    pub fn blend(&mut self, (x, y): Point, colour: Colour, alpha: u8) {
        if !(0..=self.right()).contains(&x) || !(0..=self.last_row()).contains(&y) {
            return;
        }
        let start = self.row_start(y) + 3 * x as usize;
        for (below, over) in self.frame.rgb_mut()[start..start + 3].iter_mut().zip(colour) {
            let difference = i32::from(over) - i32::from(*below);
            *below = match alpha {
                255 => over,
                _ => (i32::from(*below) + ((difference * i32::from(alpha)) >> 8)) as u8,
            };
        }
    }

    /// Blends with a share of a smooth line's coverage, which never is all of the colour.
    fn cover(&mut self, point: Point, colour: Colour, weight: u8) {
        self.blend(point, colour, ((255 * u16::from(weight)) >> 8) as u8);
    }

    /// Pixels `left..=right` of row `y`; the ends may come in either order.
    pub fn row(&mut self, left: i32, right: i32, y: i32, colour: Colour) {
        let (left, right) = (left.min(right).max(0), left.max(right).min(self.right()));
        if left > right || !(0..=self.last_row()).contains(&y) {
            return;
        }
        let start = self.row_start(y);
        let pixels = &mut self.frame.rgb_mut()[start + 3 * left as usize..start + 3 * (right as usize + 1)];
        pixels.as_chunks_mut().0.fill(colour);
    }

    /// Pixels `low..=high` of column `x`; the ends may come in either order.
    pub fn column(&mut self, x: i32, low: i32, high: i32, colour: Colour) {
        for y in low.min(high).max(0)..=low.max(high).min(self.last_row()) {
            self.blend((x, y), colour, 255);
        }
    }
}

/// A coordinate as a whole number, rounded towards 0 as pygame's `gfxdraw` does.
pub fn whole(coordinate: f64) -> i32 {
    (coordinate as i32).clamp(-FAR, FAR)
}

/// A point with whole numbers, each rounded towards 0.
pub fn whole_point((x, y): (f64, f64)) -> Point {
    (whole(x), whole(y))
}

/// Brings a point within [`FAR`].
fn near((x, y): Point) -> Point {
    (x.clamp(-FAR, FAR), y.clamp(-FAR, FAR))
}

/// Turns a point about the origin by an angle in radians, from the first axis to the second: pygame's
/// `Vector2.rotate_rad`, which takes a quarter turn to within 10⁻⁶ for an exact one.
pub fn rotate((x, y): (f64, f64), angle: f64) -> (f64, f64) {
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
