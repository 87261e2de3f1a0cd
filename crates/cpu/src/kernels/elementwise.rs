//! The optimiser, the target update and the norm of the gradient: passes over flat vectors.

use super::simd::Simd;
use super::{Dense, Operation};
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
    /// Added to the root times `root_scale`.
    pub(crate) epsilon: f32,
}

/// Adam over `len` elements, a multiple of 16.
///
/// A parameter whose gradient stays 0, a dead ReLU's say, has means that halve and halve until they are
/// subnormal, and there they stay for ever (0.9 times the least number rounds to it): on many processors each
/// operation on such a number takes as long as a hundred others. So means nearer to 0 than 2⁻¹⁰⁰ become 0.
/// Beside any epsilon of use (1e-8 squared is 2⁻⁵³) they change no parameter.
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
                let mean = S::flush(S::multiply_add(one_minus_beta1, S::subtract(gradient, mean), mean));
                let square = S::multiply(beta2, S::load(self.square.add(index)));
                let square =
                    S::flush(S::multiply_add(S::multiply(one_minus_beta2, gradient), gradient, square));
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

/// The sum of the squares of all elements laid out as the layers' parameters are: 16 sums, then a tree.
///
/// Which of the sums an element goes to is given by its output alone (its number modulo 16), and padding adds
/// zeros, so that neither the padding nor the instruction set changes the result.
pub(super) struct SumOfSquares<'a> {
    pub(super) layers: &'a [Dense],
    pub(super) values: *const f32,
}

impl Operation for SumOfSquares<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // Halves are the widest steps that all rows are whole numbers of.
        let mut lanes = [0.0f32; LINE];
        // SAFETY: `Kernels` has checked that all rows of all layers are inside the vector.
        unsafe {
            // Room for the narrowest vector; the compiler drops what a wider one leaves unused.
            let mut sums = [S::Half::splat(0.0); 4];
            let (vectors, length) = (LINE / S::Half::LANES, S::Half::LANES);
            for layer in self.layers {
                for row in 0..=layer.inputs {
                    let start = self.values.add(layer.offset + row * layer.stride);
                    for (index, place) in (0..layer.stride).step_by(length).enumerate() {
                        let value = S::Half::load(start.add(place));
                        let sum = &mut sums[index % vectors];
                        *sum = S::Half::multiply_add(value, value, *sum);
                    }
                }
            }
            for (vector, sum) in sums.iter().enumerate().take(vectors) {
                S::Half::store(lanes.as_mut_ptr().add(vector * length), *sum);
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
