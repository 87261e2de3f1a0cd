//! MinAtar's picture: each cell in the colour of its highest channel.

use deepq_core::Frame;

use super::grid::{CELLS, SIDE};

/// Pixels of a cell's side.
const CELL_PIXELS: usize = 32;
/// Pixels of the picture's side.
pub(super) const SIDE_PIXELS: usize = SIDE * CELL_PIXELS;

/// The picture of an observation with `channels` channels.
pub(super) fn draw(observation: &[u8], channels: usize) -> Frame {
    let mut frame = Frame::filled(SIDE_PIXELS, SIDE_PIXELS, [0; 3]);
    let rgb = frame.rgb_mut();
    for (index, things) in observation.chunks_exact(channels).take(CELLS).enumerate() {
        let Some(highest) = things.iter().rposition(|thing| *thing != 0) else { continue };
        let colour = colour(highest, channels);
        let (top, left) = (index / SIDE * CELL_PIXELS, index % SIDE * CELL_PIXELS);
        for y in top..top + CELL_PIXELS {
            let start = 3 * (y * SIDE_PIXELS + left);
            rgb[start..start + 3 * CELL_PIXELS].as_chunks_mut().0.fill(colour);
        }
    }
    frame
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
