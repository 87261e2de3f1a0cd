//! The optimiser, the target update and the norm of the gradient: passes over flat vectors.

use super::Operation;
use super::simd::Simd;
use crate::aligned::LINE;

/// One step of Adam, with everything that depends on the step count already worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// Multiplies the gradient first: 1 where nothing is clipped.
    pub(crate) gradient_scale: f32,
    /// 1 − β₁.
    pub(crate) one_minus_beta1: f32,
    /// β₂.
    pub(crate) beta2: f32,
    /// 1 − β₂.
    pub(crate) one_minus_beta2: f32,
    /// Learning rate / (1 − β₁ᵗ).
    pub(crate) step_size: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub(crate) root_scale: f32,
    /// Added to the root.
    pub(crate) epsilon: f32,
}

/// Adam over `len` elements, a multiple of 16.
pub(super) struct Adam {
    pub(super) step: AdamStep,
    pub(super) len: usize,
    pub(super) parameters: *mut f32,
    pub(super) gradient: *const f32,
    pub(super) mean: *mut f32,
    pub(super) square: *mut f32,
}

impl Operation for Adam {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: all four vectors have `len` elements, and vectors divide 16.
        unsafe {
            let scale = S::splat(self.step.gradient_scale);
            let (step_size, epsilon) = (S::splat(self.step.step_size), S::splat(self.step.epsilon));
            let one_minus_beta1 = S::splat(self.step.one_minus_beta1);
            let (beta2, one_minus_beta2) = (S::splat(self.step.beta2), S::splat(self.step.one_minus_beta2));
            let root_scale = S::splat(self.step.root_scale);
            for index in (0..self.len).step_by(S::LANES) {
                let gradient = S::multiply(S::load(self.gradient.add(index)), scale);
                let mean = S::load(self.mean.add(index));
                let mean = S::multiply_add(one_minus_beta1, S::subtract(gradient, mean), mean);
                let square = S::multiply(beta2, S::load(self.square.add(index)));
                let square = S::multiply_add(S::multiply(one_minus_beta2, gradient), gradient, square);
                S::store(self.mean.add(index), mean);
                S::store(self.square.add(index), square);
                let root = S::multiply_add(S::square_root(square), root_scale, epsilon);
                let change = S::divide(S::multiply(step_size, mean), root);
                let parameter = S::load(self.parameters.add(index));
                S::store(self.parameters.add(index), S::subtract(parameter, change));
            }
        }
    }
}

/// `target += tau · (online − target)` over `len` elements, a multiple of 16.
pub(super) struct MoveTowards {
    pub(super) tau: f32,
    pub(super) len: usize,
    pub(super) online: *const f32,
    pub(super) target: *mut f32,
}

impl Operation for MoveTowards {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: both vectors have `len` elements, and vectors divide 16.
        unsafe {
            let tau = S::splat(self.tau);
            for index in (0..self.len).step_by(S::LANES) {
                let target = S::load(self.target.add(index));
                let difference = S::subtract(S::load(self.online.add(index)), target);
                S::store(self.target.add(index), S::multiply_add(tau, difference, target));
            }
        }
    }
}

/// The sum of the squares of `len` elements, a multiple of 16: 16 interleaved sums, then a tree.
///
/// Rows of a layer's gradient begin at multiples of 16, and padding adds zeros, so that an element's sum is given
/// by its output alone and no amount of padding changes the result.
pub(super) struct SumOfSquares {
    pub(super) len: usize,
    pub(super) values: *const f32,
}

impl Operation for SumOfSquares {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        let mut lanes = [0.0f32; LINE];
        // SAFETY: `len` elements, and vectors divide 16.
        unsafe {
            // Room for the narrowest vector; the compiler drops what a wider one leaves unused.
            let mut sums = [S::splat(0.0); 4];
            let vectors = LINE / S::LANES;
            for index in (0..self.len).step_by(LINE) {
                for (vector, sum) in sums.iter_mut().enumerate().take(vectors) {
                    let value = S::load(self.values.add(index + vector * S::LANES));
                    *sum = S::multiply_add(value, value, *sum);
                }
            }
            for (vector, sum) in sums.iter().enumerate().take(vectors) {
                S::store(lanes.as_mut_ptr().add(vector * S::LANES), *sum);
            }
        }
        for width in [8, 4, 2, 1] {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
        lanes[0]
    }
}
