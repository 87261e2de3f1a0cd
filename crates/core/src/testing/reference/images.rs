//! Layers on images, `[channel][row][column]`.

use std::ops::Range;

use super::layers::Gradients;
use crate::network::{InputShape, LayerSpec, Shape};

/// Channels, rows and columns of an image.
fn sizes(shape: Shape) -> (usize, usize, usize) {
    match shape {
        Shape::Image { channels, height, width } => (channels, height, width),
        Shape::Vector { len } => panic!("{len} values are no image"),
    }
}

/// An observation with its elements `[channel][row][column]`, if it is an image.
pub(super) fn channels_first(input: InputShape, observation: &[f64]) -> Vec<f64> {
    let InputShape::ChannelsLast { height, width, channels } = input else {
        return observation.to_vec();
    };
    let mut image = vec![f64::NAN; observation.len()];
    for row in 0..height {
        for column in 0..width {
            for channel in 0..channels {
                image[(channel * height + row) * width + column] =
                    observation[(row * width + column) * channels + channel];
            }
        }
    }
    image
}

/// A convolution as numbers: what it is made of, from what shape and to what shape.
#[derive(Clone, Copy)]
pub(super) struct Convolution {
    pub(super) size: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) input: Shape,
    pub(super) output: Shape,
}

impl Convolution {
    /// Calls `visit` with the numbers of an element of the output, of an element of the weight, and of the
    /// element of the input that are multiplied for it; those beyond the edges are left out.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (in_channels, in_rows, in_columns) = sizes(self.input);
        let (channels, rows, columns) = sizes(self.output);
        for channel in 0..channels {
            for row in 0..rows {
                for column in 0..columns {
                    let y = (channel * rows + row) * columns + column;
                    for in_channel in 0..in_channels {
                        for u in 0..self.size {
                            let in_row = row * self.stride + u;
                            if in_row < self.padding || in_row >= in_rows + self.padding {
                                continue;
                            }
                            for v in 0..self.size {
                                let in_column = column * self.stride + v;
                                if in_column < self.padding || in_column >= in_columns + self.padding {
                                    continue;
                                }
                                let w =
                                    ((channel * in_channels + in_channel) * self.size + u) * self.size + v;
                                let x = (in_channel * in_rows + in_row - self.padding) * in_columns
                                    + in_column
                                    - self.padding;
                                visit(y, w, x);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What it gives.
    pub(super) fn forward(&self, weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
        let places = self.output.len() / bias.len();
        let mut values: Vec<f64> = (0..self.output.len()).map(|y| bias[y / places]).collect();
        self.products(|y, w, i| values[y] += weight[w] * x[i]);
        values
    }

    /// Gradients, from that by what it gave.
    pub(super) fn backward(&self, weight: &[f64], x: &[f64], d_y: &[f64]) -> Gradients {
        let (channels, rows, columns) = sizes(self.output);
        let places = rows * columns;
        let bias = (0..channels).map(|o| d_y[o * places..(o + 1) * places].iter().sum()).collect();
        let mut d = Gradients { x: vec![0.0; x.len()], weight: vec![0.0; weight.len()], bias };
        self.products(|y, w, i| {
            d.weight[w] += d_y[y] * x[i];
            d.x[i] += d_y[y] * weight[w];
        });
        d
    }
}

/// The rows (or columns) inside the image of each window of a pooling.
fn ranges(layer: &LayerSpec, length: usize, windows: usize, down: bool) -> Vec<Range<usize>> {
    let range = |window: usize| match *layer {
        LayerSpec::MaxPool { size, stride, padding } => {
            let begin = window * stride;
            begin.saturating_sub(padding)..(begin + size - padding).min(length)
        }
        LayerSpec::AdaptiveMaxPool { height, width } => {
            let count = if down { height } else { width };
            window * length / count..((window + 1) * length).div_ceil(count)
        }
        ref other => panic!("{other:?} is no pooling"),
    };
    (0..windows).map(range).collect()
}

/// The elements of each window of a pooling, for each element of what it gives.
pub(super) fn windows(layer: &LayerSpec, input: Shape, output: Shape) -> Vec<Vec<usize>> {
    let (channels, in_rows, in_columns) = sizes(input);
    let (_, rows, columns) = sizes(output);
    let (rows, columns) = (ranges(layer, in_rows, rows, true), ranges(layer, in_columns, columns, false));
    let mut windows = vec![];
    for channel in 0..channels {
        for row_range in &rows {
            for column_range in &columns {
                let mut window = vec![];
                for row in row_range.clone() {
                    window.extend(column_range.clone().map(|c| (channel * in_rows + row) * in_columns + c));
                }
                windows.push(window);
            }
        }
    }
    windows
}

/// The element of a window that is greatest: the first of them, and the first that is not a number before all.
pub(super) fn greatest(window: &[usize], x: &[f64]) -> usize {
    let better = |found: f64, best: f64| found > best || (found.is_nan() && !best.is_nan());
    window.iter().fold(window[0], |best, i| if better(x[*i], x[best]) { *i } else { best })
}
