//! Factorised noise on the weights of a layer (Fortunato et al. 2018).
//!
//! The weight of input `i` and output `o` is `fma(S, e_i·e_o, W)`, the bias `fma(s, e_o, b)`: the bias row is that
//! of one more input whose noise is 1.

use std::ops::Range;

use super::Operation;
use super::simd::Simd;
use crate::program::Dense;

/// The noise of a layer's input `row`; 1 for the biases.
#[inline(always)]
unsafe fn of_input(layer: &Dense, noise: *const f32, row: usize) -> f32 {
    // SAFETY: the caller vouches for the layer's noise.
    if row < layer.inputs { unsafe { *noise.add(row) } } else { 1.0 }
}

/// Weights with noise.
pub(super) struct Apply<'a> {
    pub(super) layer: &'a Dense,
    /// Where the layer's noise begins.
    pub(super) noise: *const f32,
    /// Where its weights begin, the scales of their noise, and the weights with noise.
    pub(super) weights: *const f32,
    pub(super) scales: *const f32,
    pub(super) effective: *mut f32,
}

impl Operation for Apply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layer, noise, weights, scales, effective } = self;
        // SAFETY: rows are a multiple of 8 long, as long as the layer's noise by outputs with its padding.
        unsafe {
            let by_output = noise.add(layer.inputs);
            for row in 0..=layer.inputs {
                let by_input = S::Half::splat(of_input(layer, noise, row));
                for column in (0..layer.stride).step_by(S::Half::LANES) {
                    let place = row * layer.stride + column;
                    let product = S::Half::multiply(by_input, S::Half::load(by_output.add(column)));
                    let weight = S::Half::load(weights.add(place));
                    let scale = S::Half::load(scales.add(place));
                    S::Half::store(effective.add(place), S::Half::multiply_add(scale, product, weight));
                }
            }
        }
    }
}

/// The gradient by the scales of the noise, from that by the weights, for some inputs.
#[inline(always)]
pub(super) unsafe fn gradient<S: Simd>(
    layer: &Dense,
    noise: *const f32,
    d_weights: *const f32,
    d_scales: *mut f32,
    inputs: Range<usize>,
) {
    // SAFETY: as above.
    unsafe {
        let by_output = noise.add(layer.inputs);
        for row in inputs {
            let by_input = S::Half::splat(of_input(layer, noise, row));
            for column in (0..layer.stride).step_by(S::Half::LANES) {
                let place = row * layer.stride + column;
                let product = S::Half::multiply(by_input, S::Half::load(by_output.add(column)));
                let d = S::Half::multiply(S::Half::load(d_weights.add(place)), product);
                S::Half::store(d_scales.add(place), d);
            }
        }
    }
}
