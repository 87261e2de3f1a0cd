//! Forward passes of a few samples, one sample at a time: an acting agent has one.
//!
//! Vectors hold outputs side by side, so nothing is transposed. The order of every sum is that of
//! [`linear`](super::linear), and so are the bits.
#![allow(clippy::needless_range_loop)] // As in `linear`.

use super::simd::Simd;
use super::tiles::Split;
use super::{Dense, Operation};

/// The widest strip of outputs, in vectors.
const MAX_STRIP: usize = 8;

/// A forward pass by rows.
pub(super) struct ForwardRows<'a> {
    pub(super) layers: &'a [Dense],
    pub(super) parameters: *const f32,
    pub(super) rows: &'a [f32],
    pub(super) divisors: Option<&'a [f32]>,
    /// Two rows, each as long as the longest stride or input, that take turns.
    pub(super) buffers: [*mut f32; 2],
    pub(super) outputs: &'a mut [f32],
}

impl Operation for ForwardRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (inputs, outputs) = (self.layers[0].inputs, self.layers[self.layers.len() - 1].outputs);
        for (row, result) in self.rows.chunks_exact(inputs).zip(self.outputs.chunks_exact_mut(outputs)) {
            let mut input = row.as_ptr();
            // SAFETY: `Kernels` checked that every buffer holds a row of every layer.
            unsafe {
                if let Some(divisors) = self.divisors {
                    for (index, (value, divisor)) in row.iter().zip(divisors).enumerate() {
                        *self.buffers[0].add(index) = value / divisor;
                    }
                    input = self.buffers[0];
                }
                for (index, layer) in self.layers.iter().enumerate() {
                    let output = self.buffers[(index + 1) % 2];
                    layer_row::<S>(layer, self.parameters.add(layer.offset), input, output);
                    input = output;
                }
                for (index, result) in result.iter_mut().enumerate() {
                    *result = *input.add(index);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn layer_row<S: Simd>(layer: &Dense, weights: *const f32, input: *const f32, output: *mut f32) {
    let mut strips = Split::new(layer.outputs.div_ceil(S::LANES), MAX_STRIP);
    while let Some((first, vectors)) = strips.step() {
        // SAFETY: the columns are inside the layer's stride, which is a multiple of every vector's length.
        unsafe {
            let (weights, output) = (weights.add(first * S::LANES), output.add(first * S::LANES));
            match vectors {
                8 => strip::<S, 8>(layer, weights, input, output),
                7 => strip::<S, 7>(layer, weights, input, output),
                6 => strip::<S, 6>(layer, weights, input, output),
                5 => strip::<S, 5>(layer, weights, input, output),
                4 => strip::<S, 4>(layer, weights, input, output),
                3 => strip::<S, 3>(layer, weights, input, output),
                2 => strip::<S, 2>(layer, weights, input, output),
                _ => strip::<S, 1>(layer, weights, input, output),
            }
        }
    }
}

#[inline(always)]
unsafe fn strip<S: Simd, const VECTORS: usize>(
    layer: &Dense,
    weights: *const f32,
    input: *const f32,
    output: *mut f32,
) {
    // SAFETY: the caller vouches for VECTORS vectors in each of the layer's rows and in `output`.
    unsafe {
        let mut sums = [S::splat(0.0); VECTORS];
        for vector in 0..VECTORS {
            sums[vector] = S::load(weights.add(layer.inputs * layer.stride + vector * S::LANES));
        }
        for index in 0..layer.inputs {
            let value = S::splat(*input.add(index));
            for vector in 0..VECTORS {
                let weight = S::load(weights.add(index * layer.stride + vector * S::LANES));
                sums[vector] = S::multiply_add(value, weight, sums[vector]);
            }
        }
        for vector in 0..VECTORS {
            let sum = if layer.rectified { S::rectify(sums[vector]) } else { sums[vector] };
            S::store(output.add(vector * S::LANES), sum);
        }
    }
}
