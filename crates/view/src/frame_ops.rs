//! Pictures made larger and smaller.

use std::borrow::Cow;
use std::collections::HashMap;

use deepq_core::Frame;

/// Distance from the background, in any of the three channels (0 to 255), from which a pixel counts as drawn.
const INK_THRESHOLD: u8 = 24;

/// How a drawn share of a shrunk pixel becomes its opacity: `share^INK_EXPONENT`. One would be the plain average,
/// in which a line of one pixel on 600 × 400 fades to a tenth of its strength on a terminal.
const INK_EXPONENT: f32 = 0.5;

/// The picture with every pixel drawn as a square of `factor` × `factor` pixels, so that edges stay sharp.
///
/// A factor of zero is taken as one.
pub fn enlarge(frame: &Frame, factor: usize) -> Frame {
    let factor = factor.max(1);
    let (width, height) = (frame.width() * factor, frame.height() * factor);
    let mut rgb = Vec::with_capacity(3 * width * height);
    for row in frame.rgb().chunks_exact((3 * frame.width()).max(1)) {
        let start = rgb.len();
        for pixel in row.chunks_exact(3) {
            for _ in 0..factor {
                rgb.extend_from_slice(pixel);
            }
        }
        for _ in 1..factor {
            rgb.extend_from_within(start..start + 3 * width);
        }
    }
    Frame::from_rgb(width, height, rgb)
}

/// The picture with an even number of rows and columns: an odd last one is repeated.
pub fn pad_to_even(frame: &Frame) -> Cow<'_, Frame> {
    let (width, height) = (frame.width(), frame.height());
    if width.is_multiple_of(2) && height.is_multiple_of(2) {
        return Cow::Borrowed(frame);
    }
    let (padded_width, padded_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
    let mut rgb = Vec::with_capacity(3 * padded_width * padded_height);
    for y in 0..padded_height {
        let start = 3 * width * y.min(height - 1);
        let row = &frame.rgb()[start..start + 3 * width];
        rgb.extend_from_slice(row);
        if padded_width > width {
            rgb.extend_from_slice(&row[3 * (width - 1)..]);
        }
    }
    Cow::Owned(Frame::from_rgb(padded_width, padded_height, rgb))
}

/// The picture made to fit into `max_width` × `max_height` pixels with its aspect ratio kept: enlarged by the
/// largest whole factor where it is smaller, otherwise shrunk by [`shrink`].
///
/// Nothing fits into no pixels: the result is then empty.
pub fn fit(frame: &Frame, max_width: usize, max_height: usize) -> Frame {
    let (width, height) = (frame.width(), frame.height());
    if width == 0 || height == 0 || max_width == 0 || max_height == 0 {
        return Frame::filled(0, 0, [0; 3]);
    }
    let factor = (max_width / width).min(max_height / height);
    if factor >= 1 {
        return enlarge(frame, factor);
    }
    if max_width * height <= max_height * width {
        shrink(frame, max_width, rounded_ratio(height, max_width, width))
    } else {
        shrink(frame, rounded_ratio(width, max_height, height), max_height)
    }
}

/// `value · numerator / denominator`, rounded, at least one.
fn rounded_ratio(value: usize, numerator: usize, denominator: usize) -> usize {
    ((2 * value * numerator + denominator) / (2 * denominator)).max(1)
}

/// The picture averaged down to `width` × `height` pixels, neither larger than before, both at least one.
///
/// Where one colour is the picture's background, what is drawn on it keeps more strength than the plain average
/// would give it: thin poles and lines stay visible.
pub fn shrink(frame: &Frame, width: usize, height: usize) -> Frame {
    let width = width.clamp(1, frame.width().max(1));
    let height = height.clamp(1, frame.height().max(1));
    if frame.width() == 0 || frame.height() == 0 {
        return frame.clone();
    }
    let background = background(frame);
    let mut cells = vec![Cell::default(); width];
    let columns: Vec<usize> = (0..=width).map(|x| x * frame.width() / width).collect();
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        cells.fill(Cell::default());
        for source_y in y * frame.height() / height..(y + 1) * frame.height() / height {
            let row = &frame.rgb()[3 * frame.width() * source_y..][..3 * frame.width()];
            for (cell, bounds) in cells.iter_mut().zip(columns.windows(2)) {
                for pixel in row[3 * bounds[0]..3 * bounds[1]].chunks_exact(3) {
                    cell.add([pixel[0], pixel[1], pixel[2]], background);
                }
            }
        }
        rgb.extend(cells.iter().flat_map(|cell| cell.colour(background)));
    }
    Frame::from_rgb(width, height, rgb)
}

/// Sums over the pixels that become one.
#[derive(Clone, Copy, Default)]
struct Cell {
    pixels: u32,
    drawn_pixels: u32,
    sum: [u32; 3],
    drawn_sum: [u32; 3],
}

impl Cell {
    fn add(&mut self, pixel: [u8; 3], background: Option<[u8; 3]>) {
        self.pixels += 1;
        for (sum, channel) in self.sum.iter_mut().zip(pixel) {
            *sum += u32::from(channel);
        }
        let Some(background) = background else { return };
        if pixel.iter().zip(background).any(|(&channel, ground)| channel.abs_diff(ground) > INK_THRESHOLD) {
            self.drawn_pixels += 1;
            for (sum, channel) in self.drawn_sum.iter_mut().zip(pixel) {
                *sum += u32::from(channel);
            }
        }
    }

    fn colour(&self, background: Option<[u8; 3]>) -> [u8; 3] {
        let Some(background) = background.filter(|_| self.drawn_pixels > 0) else {
            return self.sum.map(|sum| ((sum + self.pixels / 2) / self.pixels) as u8);
        };
        let opacity = (self.drawn_pixels as f32 / self.pixels as f32).powf(INK_EXPONENT);
        std::array::from_fn(|channel| {
            let ink = self.drawn_sum[channel] as f32 / self.drawn_pixels as f32;
            let ground = f32::from(background[channel]);
            (ground + (ink - ground) * opacity).round() as u8
        })
    }
}

/// The colour of at least two fifths of the picture, where there is one.
fn background(frame: &Frame) -> Option<[u8; 3]> {
    const SAMPLES_PER_SIDE: usize = 48;
    let step_x = frame.width().div_ceil(SAMPLES_PER_SIDE);
    let step_y = frame.height().div_ceil(SAMPLES_PER_SIDE);
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    let mut samples = 0;
    for y in (0..frame.height()).step_by(step_y) {
        for x in (0..frame.width()).step_by(step_x) {
            *counts.entry(frame.pixel(x, y)).or_default() += 1;
            samples += 1;
        }
    }
    let (colour, count) = counts.into_iter().max_by_key(|&(colour, count)| (count, colour))?;
    (5 * count >= 2 * samples).then_some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: [u8; 3] = [255; 3];

    fn numbered(width: usize, height: usize) -> Frame {
        Frame::from_rgb(width, height, (0..3 * width * height).map(|byte| byte as u8).collect())
    }

    #[test]
    fn enlarging_repeats_each_pixel_in_both_directions() {
        let small = numbered(3, 2);
        let large = enlarge(&small, 4);
        assert_eq!((large.width(), large.height()), (12, 8));
        for y in 0..8 {
            for x in 0..12 {
                assert_eq!(large.pixel(x, y), small.pixel(x / 4, y / 4), "at ({x}, {y})");
            }
        }
        assert_eq!(enlarge(&small, 0), small);
    }

    #[test]
    fn padding_repeats_the_last_row_and_column() {
        let padded = pad_to_even(&numbered(3, 5)).into_owned();
        assert_eq!((padded.width(), padded.height()), (4, 6));
        for y in 0..6 {
            for x in 0..4 {
                assert_eq!(padded.pixel(x, y), numbered(3, 5).pixel(x.min(2), y.min(4)), "at ({x}, {y})");
            }
        }
        assert!(matches!(pad_to_even(&numbered(4, 6)), Cow::Borrowed(_)));
    }

    #[test]
    fn fitting_keeps_the_aspect_ratio_and_stays_inside() {
        let fitted = |frame: &Frame, width, height| {
            let fitted = fit(frame, width, height);
            (fitted.width(), fitted.height())
        };
        let wide = Frame::filled(600, 400, WHITE);
        assert_eq!(fitted(&wide, 80, 200), (80, 53));
        assert_eq!(fitted(&wide, 200, 40), (60, 40));
        assert_eq!(fitted(&wide, 1, 1), (1, 1));
        assert_eq!(fitted(&Frame::filled(10, 10, WHITE), 80, 44), (40, 40));
        assert_eq!(fitted(&wide, 0, 10), (0, 0));
        assert_eq!(fitted(&Frame::filled(0, 0, WHITE), 10, 10), (0, 0));
    }

    #[test]
    fn a_thin_line_stays_visible() {
        let mut frame = Frame::filled(600, 400, WHITE);
        let row = 3 * 600 * 299;
        frame.rgb_mut()[row..row + 3 * 600].fill(0);
        let small = shrink(&frame, 60, 40);
        // A plain average would leave 229 of 255.
        assert!(small.pixel(30, 29)[0] < 190, "the line is {:?}", small.pixel(30, 29));
        assert_eq!(small.pixel(30, 28), WHITE);
        assert_eq!(small.pixel(30, 30), WHITE);
    }

    #[test]
    fn a_picture_without_a_background_is_averaged() {
        let mut frame = Frame::filled(4, 2, WHITE);
        for (index, pixel) in frame.rgb_mut().chunks_exact_mut(3).enumerate() {
            pixel.fill(30 * index as u8);
        }
        let small = shrink(&frame, 2, 1);
        assert_eq!(small.pixel(0, 0), [75; 3]);
        assert_eq!(small.pixel(1, 0), [135; 3]);
    }
}
