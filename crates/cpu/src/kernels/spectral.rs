//! Filters divided by their greatest singular value (Miyato et al. 2018), and the gradient through that.
//!
//! The matrix stands transposed, `[input][output]`. `W·v` goes over the inputs first to last, its outputs side by
//! side; a sum over outputs has 32 parts whatever the width of a vector, and lengths are added up in double
//! precision, so that every instruction set gives the same bits.
#![allow(clippy::needless_range_loop)] // As in `linear`.

use deepq_core::network::{LEAST_SINGULAR_VALUE, SPECTRAL_ITERATIONS, spectral_start};

use super::Kernels;
use super::dispatch::Operation;
use super::simd::Simd;
use crate::program::{Convolution, Dense, HALF_LINE, ImageKind, Program, Spectral};

/// Sums of products that go on side by side.
const SUMS: usize = 32;

/// Elements whose squares are added up in single precision.
const CHUNK: usize = 512;

/// Where the filters of a convolution stand, and what is made of them. Whoever makes one vouches for the pointers.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    filters: &'a Dense,
    spectral: Spectral,
    /// Where the normalised filters of all convolutions begin.
    normalized: *mut f32,
}

impl Matrix<'_> {
    /// A place of the convolution's own.
    #[inline(always)]
    unsafe fn at(&self, offset: usize) -> *mut f32 {
        // SAFETY: the maker's word.
        unsafe { self.normalized.add(offset) }
    }

    /// Elements of `v` with its padding.
    #[inline(always)]
    fn v_len(&self) -> usize {
        self.filters.inputs.next_multiple_of(HALF_LINE)
    }
}

/// The sum of `len` products: those of element `i` go to sum `i` modulo 32, and the sums are added as a tree.
#[inline(always)]
unsafe fn dot<S: Simd>(left: *const f32, right: *const f32, len: usize) -> f32 {
    let whole = len / SUMS * SUMS;
    let mut lanes = [0.0f32; SUMS];
    // SAFETY: the caller vouches for `len` elements on both sides, and vectors divide 32.
    unsafe {
        // Room for vectors of 4; the compiler drops what wider ones leave unused.
        let mut sums = [S::splat(0.0); SUMS / 4];
        for start in (0..whole).step_by(SUMS) {
            for vector in 0..SUMS / S::LANES {
                let place = start + vector * S::LANES;
                sums[vector] =
                    S::multiply_add(S::load(left.add(place)), S::load(right.add(place)), sums[vector]);
            }
        }
        for vector in 0..SUMS / S::LANES {
            S::store(lanes.as_mut_ptr().add(vector * S::LANES), sums[vector]);
        }
        for index in whole..len {
            let lane = &mut lanes[index - whole];
            *lane = (*left.add(index)).mul_add(*right.add(index), *lane);
        }
    }
    for width in [16, 8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

/// Divides a vector by its length, which it gives; one of nearly no length becomes 0.
#[inline(always)]
unsafe fn normalize<S: Simd>(vector: *mut f32, len: usize) -> f64 {
    // SAFETY: the caller vouches for `len` elements.
    unsafe {
        let mut squares = 0.0f64;
        for start in (0..len).step_by(CHUNK) {
            let from = vector.add(start);
            squares += f64::from(dot::<S>(from, from, CHUNK.min(len - start)));
        }
        let length = squares.sqrt();
        let scale = if length < LEAST_SINGULAR_VALUE { 0.0 } else { (1.0 / length) as f32 };
        for index in 0..len {
            *vector.add(index) *= scale;
        }
        length
    }
}

/// Some columns of `W·v`.
#[inline(always)]
unsafe fn columns<S: Simd, const VECTORS: usize>(
    filters: &Dense,
    weights: *const f32,
    v: *const f32,
    u: *mut f32,
) {
    // SAFETY: the caller vouches for VECTORS vectors in each row of the filters and in `u`.
    unsafe {
        let mut sums = [S::splat(0.0); VECTORS];
        for input in 0..filters.inputs {
            let by_input = S::splat(*v.add(input));
            for vector in 0..VECTORS {
                let weight = S::load(weights.add(input * filters.stride + vector * S::LANES));
                sums[vector] = S::multiply_add(by_input, weight, sums[vector]);
            }
        }
        for vector in 0..VECTORS {
            S::store(u.add(vector * S::LANES), sums[vector]);
        }
    }
}

/// The power iteration, and the filters that follow from it.
struct Normalize<'a> {
    matrix: Matrix<'a>,
    /// The filters as they are trained.
    weights: *const f32,
}

impl Operation for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { matrix, weights } = self;
        let Matrix { filters, spectral, .. } = matrix;
        // SAFETY: the maker's word; rows are a multiple of 8 long.
        unsafe {
            let (u, v) = (matrix.at(spectral.u), matrix.at(spectral.v));
            for output in 0..filters.stride {
                *u.add(output) = if output < filters.outputs { spectral_start(output) } else { 0.0 };
            }
            let mut length = 0.0;
            for _ in 0..SPECTRAL_ITERATIONS {
                for input in 0..filters.inputs {
                    *v.add(input) = dot::<S>(weights.add(input * filters.stride), u, filters.stride);
                }
                normalize::<S>(v, matrix.v_len());
                let mut column = 0;
                while column + 4 * S::LANES <= filters.stride {
                    columns::<S, 4>(filters, weights.add(column), v, u.add(column));
                    column += 4 * S::LANES;
                }
                while column < filters.stride {
                    columns::<S::Half, 1>(filters, weights.add(column), v, u.add(column));
                    column += S::Half::LANES;
                }
                length = normalize::<S>(u, filters.stride);
            }
            // Not `max`, which would make a number of NaN.
            let reciprocal = if length < LEAST_SINGULAR_VALUE { 1.0 } else { (1.0 / length) as f32 };
            *matrix.at(spectral.reciprocal) = reciprocal;
            let (to, biases) = (matrix.at(spectral.filters), filters.inputs * filters.stride);
            for index in 0..biases {
                *to.add(index) = *weights.add(index) * reciprocal;
            }
            std::ptr::copy_nonoverlapping(weights.add(biases), to.add(biases), filters.stride);
        }
    }
}

/// The gradient by the filters, from that by the normalised ones, in its place.
struct Gradient<'a> {
    matrix: Matrix<'a>,
    gradient: *mut f32,
}

impl Operation for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { matrix, gradient } = self;
        let Matrix { filters, spectral, .. } = matrix;
        let stride = filters.stride;
        // SAFETY: the maker's word; rows are a multiple of 8 long.
        unsafe {
            let (normalized, u) = (matrix.at(spectral.filters), matrix.at(spectral.u));
            let mut along = 0.0f64;
            for input in 0..filters.inputs {
                let (d, filter) = (gradient.add(input * stride), normalized.add(input * stride));
                along += f64::from(dot::<S>(d, filter, stride));
            }
            let reciprocal = S::Half::splat(*matrix.at(spectral.reciprocal));
            for input in 0..filters.inputs {
                let by_input = S::Half::splat(-along as f32 * *matrix.at(spectral.v + input));
                for column in (0..stride).step_by(S::Half::LANES) {
                    let place = gradient.add(input * stride + column);
                    let by_output = S::Half::load(u.add(column));
                    let across = S::Half::multiply_add(by_input, by_output, S::Half::load(place));
                    S::Half::store(place, S::Half::multiply(across, reciprocal));
                }
            }
        }
    }
}

/// The convolutions whose filters are normalised.
fn normalized(program: &Program) -> impl Iterator<Item = (&Convolution, Spectral)> {
    let steps = program.image.iter().flat_map(|image| &image.steps);
    steps.filter_map(|step| match &step.kind {
        ImageKind::Convolution(convolution) => Some((convolution, convolution.spectral?)),
        _ => None,
    })
}

impl Kernels {
    /// Normalised filters, from the parameters: `to` has room for those of all convolutions that have some.
    pub(crate) fn normalize(&self, program: &Program, parameters: &[f32], to: &mut [f32]) {
        assert!(parameters.len() == program.parameters_len && to.len() == program.normalized_len);
        for (Convolution { filters, .. }, spectral) in normalized(program) {
            let matrix = Matrix { filters, spectral, normalized: to.as_mut_ptr() };
            let weights = parameters[filters.offset..].as_ptr();
            // SAFETY: the filters and what is made of them are inside the slices.
            unsafe { self.run(Normalize { matrix, weights }) }
        }
    }

    /// Makes gradients by filters of those by normalised filters, which `normalized_filters` holds.
    pub(super) fn spectral_gradient(
        &self,
        program: &Program,
        normalized_filters: &[f32],
        gradient: &mut [f32],
    ) {
        assert!(
            gradient.len() == program.parameters_len && normalized_filters.len() == program.normalized_len
        );
        for (Convolution { filters, .. }, spectral) in normalized(program) {
            let matrix = Matrix { filters, spectral, normalized: normalized_filters.as_ptr().cast_mut() };
            let gradient = gradient[filters.offset..].as_mut_ptr();
            // SAFETY: the filters and what was made of them are inside the slices; those are read only.
            unsafe { self.run(Gradient { matrix, gradient }) }
        }
    }
}
