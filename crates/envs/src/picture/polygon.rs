//! Polygons: smooth edges, and insides filled row by row.

use super::{Canvas, Colour, Point, near};

/// The unit of crossings: they are numbers of 2⁻¹⁶ pixels.
const UNIT: i32 = 1 << 16;

impl Canvas {
    /// A filled polygon with smooth edges: [`outline`](Self::outline), then [`fill`](Self::fill).
    pub fn polygon(&mut self, corners: &[Point], colour: Colour) {
        self.outline(corners, colour);
        self.fill(corners, colour);
    }

    /// The smooth edges of a polygon, the last corner being joined to the first.
    pub fn outline(&mut self, corners: &[Point], colour: Colour) {
        let following = corners.iter().cycle().skip(1);
        for (from, to) in corners.iter().zip(following) {
            self.smooth_line(*from, *to, colour);
        }
    }

    /// The inside of a polygon, up to its edges. Where edges cross one another, a place counts as inside if an
    /// odd number of edges lies to its left.
    pub fn fill(&mut self, corners: &[Point], colour: Colour) {
        let rows = || corners.iter().map(|corner| near(*corner).1);
        let (Some(first), Some(last)) = (rows().min(), rows().max()) else {
            return;
        };
        let mut crossings = Vec::with_capacity(corners.len());
        for y in first.max(0)..=last.min(self.last_row()) {
            crossings.clear();
            let previous = corners.iter().cycle().skip(corners.len() - 1);
            crossings.extend(
                corners
                    .iter()
                    .zip(previous)
                    .filter_map(|(to, from)| crossing(near(*from), near(*to), y, last)),
            );
            crossings.sort_unstable();
            for pair in crossings.as_chunks::<2>().0 {
                let round = |crossing: i32| (crossing >> 16) + (crossing >> 15 & 1);
                self.row(round(pair[0] + 1), round(pair[1] - 1), y, colour);
            }
        }
    }
}

/// Where an edge crosses a row. An edge has its lower end and not its upper one, save in the polygon's last row.
fn crossing(from: Point, to: Point, y: i32, last: i32) -> Option<i32> {
    let (low, high) = if from.1 < to.1 { (from, to) } else { (to, from) };
    let crosses = (low.1..high.1).contains(&y) || (y == last && low.1 < y && y == high.1);
    crosses.then(|| UNIT * (y - low.1) / (high.1 - low.1) * (high.0 - low.0) + UNIT * low.0)
}
