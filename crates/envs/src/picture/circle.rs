//! Circles, and discs.

use std::f64::consts::FRAC_1_SQRT_2;

use super::{Canvas, Colour, FAR, Point, near};

impl Canvas {
    /// A disc with a smooth edge: [`circle`](Self::circle), then [`disc`](Self::disc).
    pub fn smooth_disc(&mut self, centre: Point, radius: i32, colour: Colour) {
        self.circle(centre, radius, colour);
        self.disc(centre, radius, colour);
    }

    /// A disc by the midpoint method: from pixel to pixel of an eighth of the edge, the midpoint between the
    /// next two decides which is taken, and rows join it to its mirror images. A negative radius draws nothing.
    pub fn disc(&mut self, centre: Point, radius: i32, colour: Colour) {
        let (mut along, mut aside) = (0, radius.clamp(-1, FAR));
        let mut decision = 1 - aside;
        let mut aside_before = None;
        while along <= aside {
            if aside_before != Some(aside) {
                self.mirrored_rows(centre, along, aside, colour);
            }
            if along != aside {
                self.mirrored_rows(centre, aside, along, colour);
            }
            aside_before = Some(aside);
            if decision < 0 {
                decision += 2 * along + 3;
            } else {
                decision += 2 * (along - aside) + 5;
                aside -= 1;
            }
            along += 1;
        }
    }

    /// The rows `height` above and below the centre, `half_width` to either side.
    fn mirrored_rows(&mut self, centre: Point, half_width: i32, height: i32, colour: Colour) {
        let (x, y) = near(centre);
        self.row(x - half_width, x + half_width, y + height, colour);
        self.row(x - half_width, x + half_width, y - height, colour);
    }

    /// A smooth circle one pixel wide. From its top to a little beyond the diagonal, each column has the pixel
    /// nearest to the edge and the next one on the edge's side, which share the colour; from there on each row
    /// has, for as many steps. The other quarters mirror the first. A negative radius draws nothing.
    pub fn circle(&mut self, centre: Point, radius: i32, colour: Colour) {
        let radius = radius.min(FAR);
        if radius <= 0 {
            return if radius == 0 {
                self.blend(near(centre), colour, 255)
            };
        }
        let steps = (f64::from(radius) * FRAC_1_SQRT_2).round() as i32;
        let outside = |x: i32, y: i32| x * x + y * y - radius * radius;
        let (mut x, mut y) = (0, radius);
        self.mirrored(centre, (x, y), |canvas, point| canvas.blend(point, colour, 255));
        for _ in 0..steps {
            x += 1;
            if outside(x, y) > 0 && outside(x, y) + outside(x, y - 1) > 0 {
                y -= 1;
            }
            let side = if outside(x, y) > 0 { -1 } else { 1 };
            self.share(centre, (x, y), (x, y + side), weight(outside(x, y), y), colour);
        }
        for _ in 0..steps {
            y -= 1;
            if outside(x, y) < 0 && outside(x, y) + outside(x + 1, y) < 0 {
                x += 1;
            }
            let side = if outside(x, y) >= 0 { -1 } else { 1 };
            self.share(centre, (x, y), (x + side, y), weight(outside(x, y), x), colour);
        }
    }

    /// Two pixels and their mirror images share the colour.
    fn share(&mut self, centre: Point, nearest: Point, next: Point, weight: u8, colour: Colour) {
        self.mirrored(centre, nearest, |canvas, point| canvas.cover(point, colour, 255 - weight));
        self.mirrored(centre, next, |canvas, point| canvas.cover(point, colour, weight));
    }

    fn mirrored(&mut self, centre: Point, (x, y): Point, mut draw: impl FnMut(&mut Self, Point)) {
        let centre = near(centre);
        for (x, y) in [(-x, -y), (x, -y), (-x, y), (x, y)] {
            draw(self, (centre.0 + x, centre.1 + y));
        }
    }
}

/// What a pixel leaves to the next one: how far it is from the circle, by the circle's equation at the pixel
/// over its slope there.
fn weight(outside: i32, distance: i32) -> u8 {
    let share = match distance {
        0 => 1.0,
        _ => (outside.abs() as f32 / (2 * distance).abs() as f32).min(1.0),
    };
    (share * 255.0) as u8
}
