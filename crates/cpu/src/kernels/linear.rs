//! Fully connected layers over panels, forward and backward.
//!
//! Inside, activations stand feature-major in panels of a few vectors of samples, so that one vector holds one
//! feature of many samples: narrow layers then waste no lanes. A layer's weights stand `[inputs + 1][stride]`,
//! an output's in one column, with the biases as the last row. So the gradient of the biases is that of one more
//! input which is always 1.
//!
//! The order of every sum is part of deepq's promise that a seed gives the same bytes everywhere:
//! outputs start at the bias and add the inputs first to last; gradients of weights add the samples first to
//! last; gradients of inputs add the outputs first to last; each step is one fused multiply-add.
#![allow(clippy::needless_range_loop)] // Indices into registers: iterators over them are not always taken apart.

use std::ops::Range;

use super::simd::Simd;
use super::tiles::{
    Panel, PanelRuns, Panels, Scalars, Split, Sums, Vectors, accumulate, next_width, transpose, with_shape,
};
use crate::program::Dense;

/// The depth of a product is cut where a panel's rows would no longer stay in the first-level cache.
const DEPTH_BLOCK: usize = 256;
/// Layers less deep than this are not cut.
const DEPTH_UNCUT: usize = 512;

/// The outputs `outputs` of one panel: `input` and `output` are the panel's first features.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(
    layer: &Dense,
    weights: *const f32,
    input: *const f32,
    output: *mut f32,
    panel: Panel,
    outputs: Range<usize>,
) {
    let block = if layer.inputs > DEPTH_UNCUT { DEPTH_BLOCK } else { layer.inputs };
    let mut begin = 0;
    while begin < layer.inputs {
        let depth = block.min(layer.inputs - begin);
        let mut tiles = Split::new(outputs.len(), S::max_rows(panel.vectors));
        while let Some((first, rows)) = tiles.step() {
            let first = outputs.start + first;
            // SAFETY: outputs `first..first + rows` and inputs `begin..begin + depth` are the layer's own.
            unsafe {
                let tile = ForwardTile {
                    depth,
                    weights: weights.add(begin * layer.stride + first),
                    stride: layer.stride,
                    input: input.add(begin * panel.width),
                    width: panel.width,
                    bias: (begin == 0).then_some(weights.add(layer.inputs * layer.stride + first)),
                    output: output.add(first * panel.width),
                    rectified: layer.rectified && begin + depth == layer.inputs,
                };
                with_shape!(S, rows, panel.vectors, forward_tile(tile))
            }
        }
        begin += depth;
    }
}

struct ForwardTile {
    depth: usize,
    weights: *const f32,
    stride: usize,
    input: *const f32,
    width: usize,
    /// None where the tile goes on from the sums that stand in `output`.
    bias: Option<*const f32>,
    output: *mut f32,
    rectified: bool,
}

#[inline(always)]
unsafe fn forward_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: ForwardTile) {
    // SAFETY: the caller vouches for ROWS outputs of VECTORS vectors at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                sums[row][vector] = match tile.bias {
                    Some(bias) => S::splat(*bias.add(row)),
                    None => S::load(tile.output.add(row * tile.width + vector * S::LANES)),
                };
            }
        }
        let scalars = Scalars { start: tile.weights, row_stride: 1, depth_stride: tile.stride };
        let vectors = Vectors { start: tile.input, depth_stride: tile.width };
        accumulate::<S, ROWS, VECTORS>(tile.depth, scalars, vectors, &mut sums);
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let sum = sums[row][vector];
                let sum = if tile.rectified { S::rectify(sum) } else { sum };
                S::store(tile.output.add(row * tile.width + vector * S::LANES), sum);
            }
        }
    }
}

/// Panels of gradients by a layer's outputs become rows, since the gradient by the weights sums over samples and
/// has outputs side by side. Only `outputs`, which begin at a multiple of 16.
#[inline(always)]
pub(super) unsafe fn rows_of_panels<S: Simd>(
    layer: &Dense,
    d_output: *const f32,
    d_rows: *mut f32,
    batch: usize,
    outputs: Range<usize>,
) {
    let stride = layer.sample_stride();
    let padded = layer.outputs.next_multiple_of(S::LANES);
    let last = outputs.end == layer.outputs;
    let mut panels = Panels::new(batch);
    while let Some(panel) = panels.step::<S>() {
        // SAFETY: the panel is inside the batch, and `padded` is at most the stride.
        unsafe {
            let from = d_output.add(panel.start * (layer.outputs + 1) + outputs.start * panel.width);
            let to = d_rows.add(panel.start * stride);
            if layer.outputs < padded && last {
                // The last vector of a row: its columns behind the outputs must be 0.
                for sample in 0..panel.samples {
                    S::store(to.add(sample * stride + padded - S::LANES), S::splat(0.0));
                }
            }
            let to = to.add(outputs.start);
            transpose::<S>((outputs.len(), panel.samples), (from, panel.width), (to, stride));
        }
    }
}

/// The gradient by the weights of the inputs `inputs`, of which the last is the one that is always 1.
pub(super) struct WeightGradient<'a> {
    pub(super) layer: &'a Dense,
    pub(super) batch: usize,
    /// The first panel of the layer's inputs.
    pub(super) activations: *const f32,
    /// Gradients by its outputs, row-major.
    pub(super) d_rows: *const f32,
    /// Where its weights' gradients begin.
    pub(super) gradient: *mut f32,
}

impl WeightGradient<'_> {
    /// Columns of whole vectors, then what is left over: half a vector where that is enough.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, inputs: Range<usize>) {
        let (whole, left) = (self.layer.outputs / S::LANES, self.layer.outputs % S::LANES);
        let half = S::Half::LANES < S::LANES && (1..=S::Half::LANES).contains(&left);
        let width = whole + usize::from(left > 0 && !half);
        let mut column = 0;
        while column < width {
            let vectors = next_width::<S>(width - column);
            let mut tiles = Split::new(inputs.len(), S::max_rows(vectors));
            while let Some((first, rows)) = tiles.step() {
                let place = (inputs.start + first, column * S::LANES);
                let mut runs = PanelRuns::new(self.batch);
                while let Some(run) = runs.step::<S>() {
                    // SAFETY: rows `first..first + rows` and the columns are the layer's own.
                    unsafe {
                        let tile = WeightTile::new(self, run, place);
                        with_shape!(S, rows, vectors, weight_tile(tile))
                    }
                }
            }
            column += vectors;
        }
        if const { S::Half::LANES < S::LANES } && half {
            let mut tiles = Split::new(inputs.len(), S::Half::max_rows(1));
            while let Some((first, rows)) = tiles.step() {
                let place = (inputs.start + first, whole * S::LANES);
                let mut runs = PanelRuns::new(self.batch);
                while let Some(run) = runs.step::<S>() {
                    // SAFETY: as above.
                    unsafe {
                        let tile = WeightTile::new(self, run, place);
                        with_shape!(S::Half, 1, rows, 1, weight_tile(tile))
                    }
                }
            }
        }
    }
}

struct WeightTile {
    /// Panels of equal width that are summed in one go.
    panels: usize,
    samples: usize,
    width: usize,
    features: usize,
    activations: *const f32,
    d_rows: *const f32,
    sample_stride: usize,
    gradient: *mut f32,
    stride: usize,
    /// Whether earlier samples' sums stand in `gradient` already.
    goes_on: bool,
}

impl WeightTile {
    /// The tile whose first row and column are given, over `panels` panels from `panel` on.
    #[inline(always)]
    unsafe fn new(
        of: &WeightGradient<'_>,
        (panel, panels): (Panel, usize),
        (row, column): (usize, usize),
    ) -> Self {
        let layer = of.layer;
        let (features, sample_stride) = (layer.inputs + 1, layer.sample_stride());
        // SAFETY: the caller vouches for the panels and the place.
        unsafe {
            Self {
                panels,
                samples: panel.samples,
                width: panel.width,
                features,
                activations: of.activations.add(panel.start * features + row * panel.width),
                d_rows: of.d_rows.add(panel.start * sample_stride + column),
                sample_stride,
                gradient: of.gradient.add(row * layer.stride + column),
                stride: layer.stride,
                goes_on: panel.start > 0,
            }
        }
    }
}

#[inline(always)]
unsafe fn weight_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: WeightTile) {
    // SAFETY: the caller vouches for ROWS features and VECTORS vectors of outputs at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        if tile.goes_on {
            for row in 0..ROWS {
                for vector in 0..VECTORS {
                    sums[row][vector] = S::load(tile.gradient.add(row * tile.stride + vector * S::LANES));
                }
            }
        }
        for panel in 0..tile.panels {
            let start = tile.activations.add(panel * tile.width * tile.features);
            let scalars = Scalars { start, row_stride: tile.width, depth_stride: 1 };
            let start = tile.d_rows.add(panel * tile.width * tile.sample_stride);
            let vectors = Vectors { start, depth_stride: tile.sample_stride };
            accumulate::<S, ROWS, VECTORS>(tile.samples, scalars, vectors, &mut sums);
        }
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                S::store(tile.gradient.add(row * tile.stride + vector * S::LANES), sums[row][vector]);
            }
        }
    }
}

/// Where the gradient by a layer's inputs comes from and goes to: the first panel of each.
pub(super) struct InputGradient<'a> {
    pub(super) layer: &'a Dense,
    pub(super) weights: *const f32,
    pub(super) d_output: *const f32,
    /// The inputs, where the gradient goes back through their ReLU.
    pub(super) mask: Option<*const f32>,
    pub(super) d_input: *mut f32,
    /// Whether to add to what stands in `d_input`.
    pub(super) accumulate: bool,
}

impl InputGradient<'_> {
    /// The gradient by the inputs `inputs` of one panel.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, panel: Panel, inputs: Range<usize>) {
        let layer = self.layer;
        let mut tiles = Split::new(inputs.len(), S::max_strided_rows(panel.vectors));
        while let Some((first, rows)) = tiles.step() {
            let first = inputs.start + first;
            // SAFETY: inputs `first..first + rows` are the layer's own, the panel is inside the batch.
            unsafe {
                let place = panel.start * (layer.inputs + 1) + first * panel.width;
                let tile = InputTile {
                    outputs: layer.outputs,
                    weights: self.weights.add(first * layer.stride),
                    stride: layer.stride,
                    d_output: self.d_output.add(panel.start * (layer.outputs + 1)),
                    width: panel.width,
                    mask: self.mask.map(|mask| mask.add(place)),
                    d_input: self.d_input.add(place),
                    accumulate: self.accumulate,
                };
                with_shape!(S, rows, panel.vectors, input_tile(tile))
            }
        }
    }
}

struct InputTile {
    outputs: usize,
    weights: *const f32,
    stride: usize,
    d_output: *const f32,
    width: usize,
    mask: Option<*const f32>,
    d_input: *mut f32,
    accumulate: bool,
}

#[inline(always)]
unsafe fn input_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: InputTile) {
    // SAFETY: the caller vouches for ROWS inputs of VECTORS vectors at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
        if tile.accumulate {
            for row in 0..ROWS {
                for vector in 0..VECTORS {
                    sums[row][vector] = S::load(tile.d_input.add(row * tile.width + vector * S::LANES));
                }
            }
        }
        let scalars = Scalars { start: tile.weights, row_stride: tile.stride, depth_stride: 1 };
        let vectors = Vectors { start: tile.d_output, depth_stride: tile.width };
        accumulate::<S, ROWS, VECTORS>(tile.outputs, scalars, vectors, &mut sums);
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let place = row * tile.width + vector * S::LANES;
                let sum = match tile.mask {
                    Some(mask) => S::rectify_gradient(S::load(mask.add(place)), sums[row][vector]),
                    None => sums[row][vector],
                };
                S::store(tile.d_input.add(place), sum);
            }
        }
    }
}
