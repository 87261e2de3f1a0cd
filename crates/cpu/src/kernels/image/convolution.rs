//! Convolutions of one image, as products whose left side is read in place (implicit GEMM).
//!
//! Filters stand `[filter row][filter column][channel][output channel]` with the biases as the last row. The order
//! of every sum is part of deepq's promise that a seed gives the same bytes everywhere: outputs start at the bias
//! and add the filter's elements in that order; gradients of filters add the samples first to last, in each the
//! places row by row; gradients of inputs add, for each output row, the filter's rows and columns, and in those
//! the output channels; each step is one fused multiply-add.
#![allow(clippy::needless_range_loop)] // As in `linear`.

use std::ops::Range;

use super::super::simd::Simd;
use super::super::tiles::{Scalars, Split, Sums, Vectors, accumulate, next_width, transpose, with_shape};
use crate::program::{Convolution, ImageSlot};

/// A convolution between two slots.
#[derive(Clone, Copy)]
pub(super) struct Geometry<'a> {
    pub(super) convolution: &'a Convolution,
    pub(super) input: ImageSlot,
    pub(super) output: ImageSlot,
}

impl Geometry<'_> {
    /// Elements of a filter that stand side by side in the image, and how many such runs a row of it has: a whole
    /// row is one where pixels have no padding, else the channels of one place are.
    #[inline(always)]
    fn run(&self) -> (usize, usize) {
        let (size, channels) = (self.convolution.size, self.input.channels);
        if self.input.pixel == channels { (size * channels, 1) } else { (channels, size) }
    }

    /// Where the input begins that place `(row, column)` of the output sees, in a sample's slots.
    #[inline(always)]
    fn seen(&self, row: usize, column: usize) -> usize {
        let Convolution { stride, padding, .. } = *self.convolution;
        // The border is at least as wide as the padding.
        let spare = self.input.border - padding;
        let (row, column) = (row * stride + spare, column * stride + spare);
        self.input.offset + row * self.input.row() + column * self.input.pixel
    }

    /// Elements from what one place of the output sees to what the next one in its row does.
    #[inline(always)]
    fn step(&self) -> usize {
        self.convolution.stride * self.input.pixel
    }
}

/// Columns `first..` of a product, `vectors` vectors of them.
#[derive(Clone, Copy)]
struct Columns {
    first: usize,
    vectors: usize,
}

/// Runs `$method::<$S>` and `$method::<Half>` for columns that cover `$width`, a multiple of 8: whole vectors,
/// then half of one where the width is no multiple of whole ones.
macro_rules! cover {
    ($S:ty, $width:expr, $this:expr, $method:ident $arguments:tt) => {
        let (whole, mut done) = ($width / <$S>::LANES, 0);
        while done < whole {
            let vectors = next_width::<$S>(whole - done);
            let columns = Columns { first: done * <$S>::LANES, vectors };
            cover!(@call $this, $method, $S, 4, columns, $arguments);
            done += vectors;
        }
        if const { <<$S as Simd>::Half as Simd>::LANES < <$S>::LANES } && whole * <$S>::LANES < $width {
            let columns = Columns { first: whole * <$S>::LANES, vectors: 1 };
            cover!(@call $this, $method, <$S as Simd>::Half, 1, columns, $arguments);
        }
    };
    (@call $this:expr, $method:ident, $S:ty, $widest:literal, $columns:ident, ($($argument:expr),*)) => {
        $this.$method::<$S, $widest>($columns, $($argument),*)
    };
}

/// The outputs of one sample.
pub(super) struct Forward<'a> {
    pub(super) geometry: Geometry<'a>,
    /// The filters.
    pub(super) weights: *const f32,
    /// The sample's slots.
    pub(super) sample: *mut f32,
}

impl Forward<'_> {
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self) {
        // SAFETY: the caller vouches for the slots; columns are inside the output's pixels.
        unsafe {
            cover!(S, self.geometry.output.pixel, self, columns());
        }
    }

    #[inline(always)]
    unsafe fn columns<S: Simd, const WIDEST: usize>(&self, columns: Columns) {
        let Geometry { convolution, output, .. } = self.geometry;
        for row in 0..output.height {
            let mut tiles = Split::new(output.width, S::max_strided_rows(columns.vectors));
            while let Some((first, places)) = tiles.step() {
                // SAFETY: places `first..first + places` of the row are the output's own.
                unsafe {
                    let (len, runs) = self.geometry.run();
                    let tile = ForwardTile {
                        filter_rows: convolution.size,
                        runs,
                        len,
                        input: self.sample.add(self.geometry.seen(row, first)),
                        input_row: self.geometry.input.row(),
                        pixel: self.geometry.input.pixel,
                        step: self.geometry.step(),
                        weights: self.weights.add(columns.first),
                        stride: convolution.filters.stride,
                        output: self.sample.add(output.at(row, first) + columns.first),
                        output_pixel: output.pixel,
                        rectified: convolution.filters.rectified,
                    };
                    with_shape!(S, WIDEST, places, columns.vectors, forward_tile(tile))
                }
            }
        }
    }
}

struct ForwardTile {
    filter_rows: usize,
    runs: usize,
    len: usize,
    input: *const f32,
    input_row: usize,
    pixel: usize,
    step: usize,
    weights: *const f32,
    stride: usize,
    output: *mut f32,
    output_pixel: usize,
    rectified: bool,
}

#[inline(always)]
unsafe fn forward_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: ForwardTile) {
    // SAFETY: the caller vouches for ROWS places of VECTORS vectors at all places of the tile.
    unsafe {
        let depth = tile.filter_rows * tile.runs * tile.len;
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        for vector in 0..VECTORS {
            let bias = S::load(tile.weights.add(depth * tile.stride + vector * S::LANES));
            for row in 0..ROWS {
                sums[row][vector] = bias;
            }
        }
        let mut weights = tile.weights;
        for filter_row in 0..tile.filter_rows {
            for run in 0..tile.runs {
                let start = tile.input.add(filter_row * tile.input_row + run * tile.pixel);
                let scalars = Scalars { start, row_stride: tile.step, depth_stride: 1 };
                let vectors = Vectors { start: weights, depth_stride: tile.stride };
                accumulate::<S, ROWS, VECTORS>(tile.len, scalars, vectors, &mut sums);
                weights = weights.add(tile.len * tile.stride);
            }
        }
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let sum = sums[row][vector];
                let sum = if tile.rectified { S::rectify(sum) } else { sum };
                S::store(tile.output.add(row * tile.output_pixel + vector * S::LANES), sum);
            }
        }
    }
}

/// One sample's part of the gradient by the filters.
pub(super) struct FilterGradient<'a> {
    pub(super) geometry: Geometry<'a>,
    /// The sample's slots, and the gradients by them.
    pub(super) sample: *const f32,
    pub(super) d_sample: *const f32,
    /// Where the filters' gradients begin.
    pub(super) gradient: *mut f32,
    /// Whether earlier samples' sums stand there already.
    pub(super) goes_on: bool,
}

impl FilterGradient<'_> {
    /// That of the elements `share` of the filters, the last of which is the bias.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, share: Range<usize>) {
        // SAFETY: the caller vouches for the slots; columns are inside the output's pixels.
        unsafe {
            cover!(S, self.geometry.output.pixel, self, columns(&share));
        }
    }

    #[inline(always)]
    unsafe fn columns<S: Simd, const WIDEST: usize>(&self, columns: Columns, share: &Range<usize>) {
        let Geometry { convolution, input, .. } = self.geometry;
        let (len, runs) = self.geometry.run();
        // SAFETY: elements of the share are the filters' own.
        unsafe {
            for filter_row in 0..convolution.size {
                for run in 0..runs {
                    let begin = (filter_row * runs + run) * len;
                    let (from, to) = (begin.max(share.start), (begin + len).min(share.end));
                    if from >= to {
                        continue;
                    }
                    let seen = self.geometry.seen(0, 0) + filter_row * input.row() + run * input.pixel;
                    let mut tiles = Split::new(to - from, S::max_rows(columns.vectors));
                    while let Some((first, rows)) = tiles.step() {
                        let element = from + first;
                        let tile = self.tile(columns, element, seen + element - begin);
                        with_shape!(S, WIDEST, rows, columns.vectors, filter_tile(tile))
                    }
                }
            }
            if share.end == convolution.filters.inputs + 1 {
                self.bias::<S>(columns);
            }
        }
    }

    /// The tile whose first element stands at `seen` for the first place.
    #[inline(always)]
    unsafe fn tile(&self, columns: Columns, element: usize, seen: usize) -> FilterTile {
        let Geometry { convolution, input, output } = self.geometry;
        // SAFETY: the caller vouches for the element.
        unsafe {
            FilterTile {
                rows: output.height,
                columns: output.width,
                input: self.sample.add(seen),
                input_row: convolution.stride * input.row(),
                step: self.geometry.step(),
                d_output: self.d_sample.add(output.at(0, 0) + columns.first),
                output_row: output.row(),
                output_pixel: output.pixel,
                gradient: self.gradient.add(element * convolution.filters.stride + columns.first),
                stride: convolution.filters.stride,
                goes_on: self.goes_on,
            }
        }
    }

    /// The gradient by the biases: the sum over all places.
    #[inline(always)]
    unsafe fn bias<S: Simd>(&self, columns: Columns) {
        let Geometry { convolution, output, .. } = self.geometry;
        for vector in 0..columns.vectors {
            // SAFETY: the columns are the filters' own.
            unsafe {
                let column = columns.first + vector * S::LANES;
                let filters = &convolution.filters;
                let place = self.gradient.add(filters.inputs * filters.stride + column);
                let mut sum = if self.goes_on { S::load(place) } else { S::splat(0.0) };
                for row in 0..output.height {
                    let d_output = self.d_sample.add(output.at(row, 0) + column);
                    for index in 0..output.width {
                        sum = S::add(sum, S::load(d_output.add(index * output.pixel)));
                    }
                }
                S::store(place, sum);
            }
        }
    }
}

struct FilterTile {
    rows: usize,
    columns: usize,
    input: *const f32,
    input_row: usize,
    step: usize,
    d_output: *const f32,
    output_row: usize,
    output_pixel: usize,
    gradient: *mut f32,
    stride: usize,
    goes_on: bool,
}

#[inline(always)]
unsafe fn filter_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: FilterTile) {
    // SAFETY: the caller vouches for ROWS elements of VECTORS vectors at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        if tile.goes_on {
            for row in 0..ROWS {
                for vector in 0..VECTORS {
                    sums[row][vector] = S::load(tile.gradient.add(row * tile.stride + vector * S::LANES));
                }
            }
        }
        for row in 0..tile.rows {
            let start = tile.input.add(row * tile.input_row);
            let scalars = Scalars { start, row_stride: 1, depth_stride: tile.step };
            let start = tile.d_output.add(row * tile.output_row);
            let vectors = Vectors { start, depth_stride: tile.output_pixel };
            accumulate::<S, ROWS, VECTORS>(tile.columns, scalars, vectors, &mut sums);
        }
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                S::store(tile.gradient.add(row * tile.stride + vector * S::LANES), sums[row][vector]);
            }
        }
    }
}

/// Filters as the gradient by the inputs needs them: `[filter row][filter column][output channel][pixel]`. The
/// places of the filter in `share`.
#[inline(always)]
pub(super) unsafe fn transpose_filters<S: Simd>(
    convolution: &Convolution,
    input: ImageSlot,
    weights: *const f32,
    transposed: *mut f32,
    share: Range<usize>,
) {
    let filters = &convolution.filters;
    for place in share {
        // SAFETY: the caller vouches for the filters and for room for as many with padding.
        unsafe {
            let from = weights.add(place * input.channels * filters.stride);
            let to = transposed.add(place * filters.outputs * input.pixel);
            transpose::<S>((input.channels, filters.outputs), (from, filters.stride), (to, input.pixel));
        }
    }
}

/// The gradient by the input of one sample, added to what stands there.
pub(super) struct InputGradient<'a> {
    pub(super) geometry: Geometry<'a>,
    pub(super) transposed: *const f32,
    /// The gradients by the sample's slots.
    pub(super) d_sample: *mut f32,
}

impl InputGradient<'_> {
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self) {
        // SAFETY: the caller vouches for the slots; columns are inside the input's pixels.
        unsafe {
            cover!(S, self.geometry.input.pixel, self, columns());
        }
    }

    #[inline(always)]
    unsafe fn columns<S: Simd, const WIDEST: usize>(&self, columns: Columns) {
        let Geometry { convolution, input, output } = self.geometry;
        let (size, outputs) = (convolution.size, convolution.filters.outputs);
        for row in 0..output.height {
            for place in 0..size * size {
                let mut tiles = Split::new(output.width, S::max_strided_rows(columns.vectors));
                while let Some((first, places)) = tiles.step() {
                    let seen = self.geometry.seen(row, first)
                        + place / size * input.row()
                        + place % size * input.pixel;
                    // SAFETY: places `first..first + places` of the row, and what they see, are inside the slots.
                    unsafe {
                        let tile = InputTile {
                            outputs,
                            d_output: self.d_sample.add(output.at(row, first)),
                            output_pixel: output.pixel,
                            transposed: self.transposed.add(place * outputs * input.pixel + columns.first),
                            pixel: input.pixel,
                            d_input: self.d_sample.add(seen + columns.first),
                            step: self.geometry.step(),
                        };
                        with_shape!(S, WIDEST, places, columns.vectors, input_tile(tile))
                    }
                }
            }
        }
    }
}

struct InputTile {
    outputs: usize,
    d_output: *const f32,
    output_pixel: usize,
    transposed: *const f32,
    pixel: usize,
    d_input: *mut f32,
    step: usize,
}

#[inline(always)]
unsafe fn input_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: InputTile) {
    // SAFETY: the caller vouches for ROWS places of VECTORS vectors at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                sums[row][vector] = S::load(tile.d_input.add(row * tile.step + vector * S::LANES));
            }
        }
        let scalars = Scalars { start: tile.d_output, row_stride: tile.output_pixel, depth_stride: 1 };
        let vectors = Vectors { start: tile.transposed, depth_stride: tile.pixel };
        accumulate::<S, ROWS, VECTORS>(tile.outputs, scalars, vectors, &mut sums);
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                S::store(tile.d_input.add(row * tile.step + vector * S::LANES), sums[row][vector]);
            }
        }
    }
}
