//! Fully connected layers, forward and backward, over a whole network at a time.
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

use super::simd::Simd;
use super::tiles::{
    Panel, PanelRuns, Panels, Scalars, Split, Sums, Vectors, accumulate, next_width, transpose, with_shape,
};
use super::{Dense, Operation};

/// The depth of a product is cut where a panel's rows would no longer stay in the first-level cache.
const DEPTH_BLOCK: usize = 256;
/// Layers less deep than this are not cut.
const DEPTH_UNCUT: usize = 512;

/// A forward pass by panels.
pub(super) struct Forward<'a> {
    pub(super) layers: &'a [Dense],
    pub(super) parameters: *const f32,
    pub(super) rows: *const f32,
    pub(super) divisors: Option<&'a [f32]>,
    pub(super) batch: usize,
    pub(super) outputs: *mut f32,
    pub(super) keep: Keep,
}

/// Where the activations of a forward pass go.
pub(super) enum Keep {
    /// Into two panels that take turns.
    Last([*mut f32; 2]),
    /// Into one region after the other, each ending in a row of ones, for a backward pass.
    All { activations: *mut f32, padded_batch: usize },
}

impl Operation for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut panels = Panels::new(self.batch);
        while let Some(panel) = panels.step::<S>() {
            // SAFETY: `Kernels` checked the sizes of all slices for the batch.
            unsafe { self.panel::<S>(panel) }
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    unsafe fn panel<S: Simd>(&self, panel: Panel) {
        let (inputs, outputs) = (self.layers[0].inputs, self.layers[self.layers.len() - 1].outputs);
        // SAFETY: the places of a panel's activations are inside the buffers by `Keep`'s construction.
        unsafe {
            let mut region = 0;
            let mut input = self.place(0, 0, inputs, panel);
            let rows = self.rows.add(panel.start * inputs);
            load_rows::<S>(rows, inputs, self.divisors, input, panel);
            for (index, layer) in self.layers.iter().enumerate() {
                if let Keep::All { padded_batch, .. } = self.keep {
                    fill_row::<S>(input.add(layer.inputs * panel.width), panel, 1.0);
                    region += padded_batch * (layer.inputs + 1);
                }
                let output = self.place(index + 1, region, layer.outputs, panel);
                forward_layer::<S>(layer, self.parameters.add(layer.offset), input, output, panel);
                input = output;
            }
            let to = self.outputs.add(panel.start * outputs);
            transpose::<S>((outputs, panel.samples), (input, panel.width), (to, outputs));
        }
    }

    /// Where the activations between layers `index − 1` and `index` stand.
    #[inline(always)]
    unsafe fn place(&self, index: usize, region: usize, features: usize, panel: Panel) -> *mut f32 {
        match self.keep {
            Keep::Last(buffers) => buffers[index % 2],
            // SAFETY: region and panel are inside the buffer that `Kernels` checked.
            Keep::All { activations, .. } => unsafe {
                activations.add(region + panel.start * (features + 1))
            },
        }
    }
}

/// Sets one feature of a panel.
#[inline(always)]
unsafe fn fill_row<S: Simd>(row: *mut f32, panel: Panel, value: f32) {
    for vector in 0..panel.vectors {
        // SAFETY: the row has `panel.vectors` vectors.
        unsafe { S::store(row.add(vector * S::LANES), S::splat(value)) }
    }
}

/// Row-major samples become a panel; the padding becomes 0.
#[inline(always)]
unsafe fn load_rows<S: Simd>(
    rows: *const f32,
    features: usize,
    divisors: Option<&[f32]>,
    to: *mut f32,
    panel: Panel,
) {
    // SAFETY: the caller vouches for `panel.samples` rows and for a panel of `features` rows.
    unsafe {
        if panel.samples < panel.width {
            for feature in 0..features {
                fill_row::<S>(to.add(feature * panel.width), panel, 0.0);
            }
        }
        transpose::<S>((panel.samples, features), (rows, features), (to, panel.width));
        for (feature, divisor) in divisors.unwrap_or(&[]).iter().enumerate() {
            let divisor = S::splat(*divisor);
            for vector in 0..panel.vectors {
                let place = to.add(feature * panel.width + vector * S::LANES);
                S::store(place, S::divide(S::load(place), divisor));
            }
        }
    }
}

/// One layer of one panel.
#[inline(always)]
unsafe fn forward_layer<S: Simd>(
    layer: &Dense,
    weights: *const f32,
    input: *const f32,
    output: *mut f32,
    panel: Panel,
) {
    let block = if layer.inputs > DEPTH_UNCUT { DEPTH_BLOCK } else { layer.inputs };
    let mut begin = 0;
    while begin < layer.inputs {
        let depth = block.min(layer.inputs - begin);
        let mut tiles = Split::new(layer.outputs, S::max_rows(panel.vectors));
        while let Some((first, rows)) = tiles.step() {
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

/// A backward pass.
pub(super) struct Backward<'a> {
    pub(super) layers: &'a [Dense],
    pub(super) parameters: *const f32,
    pub(super) activations: *const f32,
    pub(super) padded_batch: usize,
    pub(super) batch: usize,
    pub(super) d_outputs: *const f32,
    /// Gradients by activations, feature-major; two that take turns.
    pub(super) d_panels: [*mut f32; 2],
    /// Gradients by one layer's outputs, row-major.
    pub(super) d_rows: *mut f32,
    pub(super) gradient: *mut f32,
}

impl Operation for Backward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let last = self.layers.len() - 1;
        let regions: usize = self.layers.iter().map(|layer| layer.inputs + 1).sum();
        // SAFETY: `Kernels` checked the sizes of all slices for the batch.
        unsafe {
            let mut region = self.activations.add(regions * self.padded_batch);
            self.load_d_outputs::<S>(region);
            for index in (0..=last).rev() {
                let layer = &self.layers[index];
                let d_output = self.d_panels[index % 2];
                region = region.sub(self.padded_batch * (layer.inputs + 1));
                self.rows_of_panels::<S>(layer, d_output);
                self.weight_gradient::<S>(layer, region);
                if index > 0 {
                    let mask = self.layers[index - 1].rectified.then_some(region);
                    self.input_gradient::<S>(layer, mask, d_output, self.d_panels[(index + 1) % 2]);
                }
            }
        }
    }
}

impl Backward<'_> {
    /// Row-major gradients by the network's outputs become panels.
    #[inline(always)]
    unsafe fn load_d_outputs<S: Simd>(&self, activations: *const f32) {
        let last = self.layers.len() - 1;
        let layer = &self.layers[last];
        let mut panels = Panels::new(self.batch);
        while let Some(panel) = panels.step::<S>() {
            // SAFETY: the panel is inside the batch.
            unsafe {
                let to = self.d_panels[last % 2].add(panel.start * layer.outputs);
                let from = self.d_outputs.add(panel.start * layer.outputs);
                load_rows::<S>(from, layer.outputs, None, to, panel);
                if layer.rectified {
                    let output = activations.add(panel.start * (layer.outputs + 1));
                    for vector in 0..layer.outputs * panel.vectors {
                        let place = to.add(vector * S::LANES);
                        let output = S::load(output.add(vector * S::LANES));
                        S::store(place, S::rectify_gradient(output, S::load(place)));
                    }
                }
            }
        }
    }

    /// Panels of gradients by a layer's outputs become rows, since the gradient by the weights sums over
    /// samples and has outputs side by side.
    #[inline(always)]
    unsafe fn rows_of_panels<S: Simd>(&self, layer: &Dense, d_output: *const f32) {
        let stride = layer.sample_stride();
        let padded = layer.outputs.next_multiple_of(S::LANES);
        let mut panels = Panels::new(self.batch);
        while let Some(panel) = panels.step::<S>() {
            // SAFETY: the panel is inside the batch, and `padded` is at most the stride.
            unsafe {
                let from = d_output.add(panel.start * layer.outputs);
                let to = self.d_rows.add(panel.start * stride);
                if layer.outputs < padded {
                    // The last vector of a row: its columns behind the outputs must be 0.
                    for sample in 0..panel.samples {
                        S::store(to.add(sample * stride + padded - S::LANES), S::splat(0.0));
                    }
                }
                let size = (layer.outputs, panel.samples);
                transpose::<S>(size, (from, panel.width), (to, stride));
            }
        }
    }

    /// Columns of whole vectors, then what is left over: half a vector where that is enough.
    #[inline(always)]
    unsafe fn weight_gradient<S: Simd>(&self, layer: &Dense, activations: *const f32) {
        let (whole, left) = (layer.outputs / S::LANES, layer.outputs % S::LANES);
        let half = S::Half::LANES < S::LANES && (1..=S::Half::LANES).contains(&left);
        let width = whole + usize::from(left > 0 && !half);
        let mut column = 0;
        while column < width {
            let vectors = next_width::<S>(width - column);
            let mut tiles = Split::new(layer.inputs + 1, S::max_rows(vectors));
            while let Some((first, rows)) = tiles.step() {
                let mut runs = PanelRuns::new(self.batch);
                while let Some((panel, panels)) = runs.step::<S>() {
                    let place = (first, column * S::LANES);
                    // SAFETY: rows `first..first + rows` and the columns are the layer's own.
                    unsafe {
                        let tile = WeightTile::new(self, layer, activations, (panel, panels), place);
                        with_shape!(S, rows, vectors, weight_tile(tile))
                    }
                }
            }
            column += vectors;
        }
        if half {
            let mut tiles = Split::new(layer.inputs + 1, S::Half::max_rows(1));
            while let Some((first, rows)) = tiles.step() {
                let mut runs = PanelRuns::new(self.batch);
                while let Some((panel, panels)) = runs.step::<S>() {
                    let place = (first, whole * S::LANES);
                    // SAFETY: as above.
                    unsafe {
                        let tile = WeightTile::new(self, layer, activations, (panel, panels), place);
                        with_shape!(S::Half, rows, 1, weight_tile(tile))
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn input_gradient<S: Simd>(
        &self,
        layer: &Dense,
        mask: Option<*const f32>,
        d_output: *const f32,
        d_input: *mut f32,
    ) {
        let mut panels = Panels::new(self.batch);
        while let Some(panel) = panels.step::<S>() {
            let mut tiles = Split::new(layer.inputs, S::max_strided_rows(panel.vectors));
            while let Some((first, rows)) = tiles.step() {
                // SAFETY: inputs `first..first + rows` are the layer's own, the panel is inside the batch.
                unsafe {
                    let place = panel.start * layer.inputs + first * panel.width;
                    let tile = InputTile {
                        outputs: layer.outputs,
                        weights: self.parameters.add(layer.offset + first * layer.stride),
                        stride: layer.stride,
                        d_output: d_output.add(panel.start * layer.outputs),
                        width: panel.width,
                        mask: mask
                            .map(|mask| mask.add(panel.start * (layer.inputs + 1) + first * panel.width)),
                        d_input: d_input.add(place),
                    };
                    with_shape!(S, rows, panel.vectors, input_tile(tile))
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
    /// The tile whose first row and column are `place`, over `panels` panels from `panel` on.
    #[inline(always)]
    unsafe fn new(
        pass: &Backward<'_>,
        layer: &Dense,
        activations: *const f32,
        (panel, panels): (Panel, usize),
        (row, column): (usize, usize),
    ) -> Self {
        let (features, sample_stride) = (layer.inputs + 1, layer.sample_stride());
        // SAFETY: the caller vouches for the panels and the place.
        unsafe {
            Self {
                panels,
                samples: panel.samples,
                width: panel.width,
                features,
                activations: activations.add(panel.start * features + row * panel.width),
                d_rows: pass.d_rows.add(panel.start * sample_stride + column),
                sample_stride,
                gradient: pass.gradient.add(layer.offset + row * layer.stride + column),
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

struct InputTile {
    outputs: usize,
    weights: *const f32,
    stride: usize,
    d_output: *const f32,
    width: usize,
    /// The activations whose ReLU the gradient goes back through.
    mask: Option<*const f32>,
    d_input: *mut f32,
}

#[inline(always)]
unsafe fn input_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(tile: InputTile) {
    // SAFETY: the caller vouches for ROWS inputs of VECTORS vectors at all places of the tile.
    unsafe {
        let mut sums: Sums<S, ROWS, VECTORS> = [[S::splat(0.0); VECTORS]; ROWS];
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
