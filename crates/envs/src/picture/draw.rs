//! What pygame's module `draw` does otherwise than `gfxdraw`: smooth lines between points that are no whole
//! numbers, and polygons and discs with plain edges.

use super::{Canvas, Colour, FAR, Point, near};

impl Canvas {
    /// Smooth lines from point to point, and from the last to the first where they are `closed`. Points are
    /// columns and rows, and need not be whole.
    pub fn smooth_lines(&mut self, points: &[(f64, f64)], closed: bool, colour: Colour) {
        for pair in points.windows(2) {
            self.stroke(pair[0], pair[1], colour);
        }
        if let [first, _, .., last] = points
            && closed
        {
            self.stroke(*last, *first, colour);
        }
    }

    /// A smooth line: each column along it, or each row of a steep one, has two pixels that share the colour.
    /// The ends have as much of it as their pixels are covered.
    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), colour: Colour) {
        let far = FAR as f32;
        let bounded = |(x, y): (f64, f64)| [x as f32, y as f32].map(|value| value.clamp(-far, far));
        let (from, to) = (bounded(from), bounded(to));
        if (0..2).all(|axis| f64::from((to[axis] - from[axis]).abs()) < 0.0001) {
            let [x, y] = from.map(|value| (value + 0.5).floor() as i32);
            return self.mix((x, y), colour, 1.0);
        }
        let steep = (to[0] - from[0]).abs() < (to[1] - from[1]).abs();
        let mut limits = [self.right() + 1, self.last_row() + 1].map(|limit| limit as f32);
        let (mut line, x, y) = match steep {
            true => (Line { from: [from[1], from[0]], to: [to[1], to[0]] }, 1, 0),
            false => (Line { from, to }, 0, 1),
        };
        limits = [limits[x], limits[y]];
        if line.to[0] < line.from[0] {
            std::mem::swap(&mut line.from, &mut line.to);
        }
        if let Some((line, slope)) = line.clipped(limits) {
            line.pixels(slope, limits[0], |along, across, share| {
                let point = [along, across];
                self.mix((point[x], point[y]), colour, share);
            });
        }
    }

    /// A pixel of which `colour` covers a share. On the way from float to byte whole numbers are cut to their
    /// lowest eight bits, as pygame does with the shares above 1 that arise left of and above the picture.
    fn mix(&mut self, (x, y): Point, colour: Colour, share: f32) {
        if !(0..=self.right()).contains(&x) || !(0..=self.last_row()).contains(&y) {
            return;
        }
        let start = self.row_start(y) + 3 * x as usize;
        for (below, over) in self.frame.rgb_mut()[start..start + 3].iter_mut().zip(colour) {
            *below = (share * f32::from(over) + (1.0 - share) * f32::from(*below)) as i32 as u8;
        }
    }

    /// A polygon with plain edges, its corners and edges being part of it: pygame's `draw.polygon`.
    pub fn plain_polygon(&mut self, corners: &[Point], colour: Colour) {
        let rows = || corners.iter().map(|corner| near(*corner).1);
        let (Some(first), Some(last)) = (rows().min(), rows().max()) else {
            return;
        };
        let columns = || corners.iter().map(|corner| near(*corner).0);
        if first == last {
            return self.row(columns().min().unwrap_or(0), columns().max().unwrap_or(-1), first, colour);
        }
        let previous = || corners.iter().cycle().skip(corners.len() - 1);
        let edges = || corners.iter().zip(previous()).map(|(to, from)| (near(*from), near(*to)));
        let mut crossings = Vec::with_capacity(corners.len());
        for y in first.max(0)..=last.min(self.last_row()) {
            crossings.clear();
            crossings.extend(edges().filter_map(|(from, to)| plain_crossing(from, to, y, last)));
            crossings.sort_unstable();
            for pair in crossings.as_chunks::<2>().0 {
                self.row(pair[0], pair[1], y, colour);
            }
        }
        for (from, to) in edges().filter(|(from, to)| from.1 == to.1 && first < to.1 && to.1 < last) {
            self.row(from.0, to.0, to.1, colour);
        }
    }

    /// A disc with a plain edge, whose centre is a corner of pixels: pygame's `draw.circle`. It is as wide as
    /// high, an even number of pixels.
    pub fn plain_disc(&mut self, centre: Point, radius: i32, colour: Colour) {
        let (x, y) = near(centre);
        let mut rows = |half_width: i32, height: i32| {
            for y in [y + height - 1, y - height] {
                self.row(x - half_width, x + half_width - 1, y, colour);
            }
        };
        let (mut along, mut aside) = (0, radius.clamp(-1, FAR));
        let mut decision = 1 - aside;
        while along < aside {
            if decision >= 0 {
                aside -= 1;
                decision -= 2 * aside;
            }
            along += 1;
            decision += 2 * along + 1;
            if decision >= 0 {
                rows(along, aside);
            }
            rows(aside, along);
        }
    }
}

/// Where an edge crosses a row, rounded towards 0. An edge has its lower end and not its upper one, save in the
/// polygon's last row.
fn plain_crossing(from: Point, to: Point, y: i32, last: i32) -> Option<i32> {
    let (low, high) = if from.1 < to.1 { (from, to) } else { (to, from) };
    let crosses = (low.1..high.1).contains(&y) || (low.1 < high.1 && y == last && high.1 == last);
    crosses.then(|| {
        let height = high.1 - low.1;
        ((y - low.1) * (high.0 - low.0) + low.0 * height) / height
    })
}

/// A line that is flatter than steep: its ends are places along and across.
struct Line {
    from: [f32; 2],
    to: [f32; 2],
}

impl Line {
    /// The part that leaves its mark within `0..limits`, which begins a pixel earlier, and its slope.
    fn clipped(self, limits: [f32; 2]) -> Option<(Self, f32)> {
        let Self { from: [mut x, mut y], to: [mut to_x, mut to_y] } = self;
        let slope = (to_y - y) / (to_x - x);
        let beside = |low: f32, high: f32, limit: f32| high <= -1.0 || low >= limit;
        if beside(x, to_x, limits[0]) {
            return None;
        }
        if x < -1.0 {
            (x, y) = (-1.0, y + slope * (-1.0 - x));
        }
        if to_x > limits[0] {
            (to_x, to_y) = (limits[0], to_y + slope * (limits[0] - to_x));
        }
        let (low, high) = if slope > 0.0 { (y, to_y) } else { (to_y, y) };
        if beside(low, high, limits[1]) {
            return None;
        }
        // The limit that the line comes from, and the one that it goes to.
        let (enter, leave) = if slope > 0.0 { (-1.0, limits[1]) } else { (limits[1], -1.0) };
        let is_beyond = |y: f32, limit: f32| if limit < 0.0 { y < limit } else { y > limit };
        if is_beyond(y, enter) {
            (x, y) = (x + (enter - y) / slope, enter);
        }
        if is_beyond(to_y, leave) {
            (to_x, to_y) = (to_x + (leave - to_y) / slope, leave);
        }
        Some((Self { from: [x, y], to: [to_x, to_y] }, slope))
    }

    /// All pixels with their shares: the first end, the last end, then what is between them.
    fn pixels(&self, slope: f32, limit: f32, mut draw: impl FnMut(i32, i32, f32)) {
        // One pixel further across than it is, so that no place is negative.
        let ([x, y], [to_x, to_y]) = (self.from, self.to);
        let (y, to_y) = (y + 1.0, to_y + 1.0);
        let mut end = |along: i32, across: f32, covered: f32| {
            let pixel = across as i32;
            let rest = across - pixel as f32;
            if rest > 0.0 {
                draw(along, pixel, rest * covered);
            }
            draw(along, pixel - 1, (1.0 - rest) * covered);
        };
        let (mut along, last) = (x as i32, to_x.ceil() as i32);
        let mut across = y + slope * (along as f32 - x);
        if to_x > 0.0 {
            end(along, across, 1.0 + along as f32 - x);
            along += 1;
            across += slope;
        }
        if x < limit - 1.0 {
            end(last, to_y + slope * (last as f32 - to_x), (1 - last) as f32 + to_x);
        }
        for along in along..last {
            let pixel = across as i32;
            let share = 1.0 - across + pixel as f32;
            draw(along, pixel - 1, share);
            if (pixel as f32) < across {
                draw(along, pixel, 1.0 - share);
            }
            across += slope;
        }
    }
}
