//! MinAtar's picture: each cell in the colour of its highest channel, black where there is nothing.
//!
//! MinAtar gives a pixel to a cell. Here a cell is large enough to be seen, with a faint line around it, and things
//! have a lighter rim: the palette's first colour, which is the player's, is nearly black itself.

use deepq_core::Frame;

use super::grid::{CELLS, SIDE};

/// Pixels of a cell's side.
const CELL_PIXELS: usize = 32;
/// Pixels of the picture's side.
pub(super) const SIDE_PIXELS: usize = SIDE * CELL_PIXELS;
/// A cell's outermost pixels are a line of the grid, the next ones the rim of what is in it.
const RIM: std::ops::Range<usize> = 1..3;
const GRID: [u8; 3] = [24; 3];

/// The picture of an observation with `channels` channels.
pub(super) fn draw(observation: &[u8], channels: usize) -> Frame {
    let mut frame = Frame::filled(SIDE_PIXELS, SIDE_PIXELS, GRID);
    for (index, things) in observation.chunks_exact(channels).take(CELLS).enumerate() {
        let highest = things.iter().rposition(|thing| *thing != 0);
        let colour = highest.map_or([0; 3], |highest| colour(highest, channels));
        let rim = highest.map_or(colour, |_| lighter(colour));
        fill(&mut frame, index, RIM.start, rim);
        fill(&mut frame, index, RIM.end, colour);
    }
    frame
}

/// Fills a cell but for its outermost `margin` pixels.
fn fill(frame: &mut Frame, cell: usize, margin: usize, colour: [u8; 3]) {
    let (top, left) = (cell / SIDE * CELL_PIXELS, cell % SIDE * CELL_PIXELS);
    for y in top + margin..top + CELL_PIXELS - margin {
        let pixels = y * SIDE_PIXELS + left + margin..y * SIDE_PIXELS + left + CELL_PIXELS - margin;
        frame.rgb_mut()[3 * pixels.start..3 * pixels.end].as_chunks_mut().0.fill(colour);
    }
}

/// Two fifths of the way to white.
fn lighter(colour: [u8; 3]) -> [u8; 3] {
    colour.map(|part| part + (255 - part) / 5 * 2)
}

/// Colour `index` of the palette "cubehelix" with `count` colours, as seaborn takes it from matplotlib.
///
/// D. A. Green, "A colour scheme for the display of astronomical intensity images" (Bulletin of the Astronomical
/// Society of India 39, 2011), with its usual parameters: from black to white, one and a half turns backwards
/// through the hues, starting at 0.5. matplotlib tabulates it in 256 steps, and seaborn spaces the colours evenly
/// over the table, both ends left out.
fn colour(index: usize, count: usize) -> [u8; 3] {
    let step = (256 * (index + 1) / (count + 1)).min(255);
    let lightness = step as f64 / 255.0;
    let amplitude = lightness * (1.0 - lightness) / 2.0;
    let (sin, cos) = (std::f64::consts::TAU * (0.5 / 3.0 - 1.5 * lightness)).sin_cos();
    [(-0.14861, 1.78277), (-0.29227, -0.90649), (1.97294, 0.0)].map(|(of_cos, of_sin)| {
        let part = lightness + amplitude * (of_cos * cos + of_sin * sin);
        (255.0 * part.clamp(0.0, 1.0)).round() as u8
    })
}
