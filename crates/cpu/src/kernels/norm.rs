//! The sum of the squares of a flat vector, for the norm of the gradient.

use super::dispatch::Operation;
use super::simd::Simd;
use super::stretches::{WORTH_A_TEAM, hand_out, stretch_len};
use super::{Kernels, Team};
use crate::aligned::LINE;

/// Elements that give one partial sum. A fixed number, so that no number of threads changes a bit.
pub(crate) const CHUNK: usize = 16_384;

/// Sums of a chunk that go on side by side: enough that the adder of the widest set never waits for itself.
const SUMS: usize = 64;

/// The sum of the squares of `len` elements, a multiple of 16: element `i` goes to sum `i` modulo 64, and the
/// sums are added as a tree, so that the instruction set does not change the result. Padding adds zeros.
struct SumOfSquares {
    len: usize,
    values: *const f32,
}

impl Operation for SumOfSquares {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        let whole = self.len / SUMS * SUMS;
        let mut lanes = [0.0f32; SUMS];
        // SAFETY: there are `len` elements, and vectors divide 64.
        unsafe {
            // Room for vectors of 4; the compiler drops what wider ones leave unused.
            let mut sums = [S::splat(0.0); SUMS / 4];
            for start in (0..whole).step_by(SUMS) {
                for vector in 0..SUMS / S::LANES {
                    let value = S::load(self.values.add(start + vector * S::LANES));
                    sums[vector] = S::multiply_add(value, value, sums[vector]);
                }
            }
            for vector in 0..SUMS / S::LANES {
                S::store(lanes.as_mut_ptr().add(vector * S::LANES), sums[vector]);
            }
            for index in whole..self.len {
                let value = *self.values.add(index);
                lanes[index - whole] = value.mul_add(value, lanes[index - whole]);
            }
        }
        for width in [32, 16, 8, 4, 2, 1] {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
        lanes[0]
    }
}

/// How many partial sums a vector of `len` elements has.
pub(crate) fn partial_sums(len: usize) -> usize {
    len.div_ceil(CHUNK)
}

impl Kernels {
    /// The sum of the squares of each chunk of [`CHUNK`] elements; the last one may be shorter. The length is a
    /// multiple of 16.
    fn squares_of_chunks(&self, values: &[f32], partial: &mut [f32]) {
        assert!(
            values.len().is_multiple_of(LINE) && partial.len() == partial_sums(values.len()),
            "a vector to be summed must have a length that is a multiple of 16, and a place for each chunk"
        );
        for (chunk, sum) in values.chunks(CHUNK).zip(partial) {
            // SAFETY: the pointer and the length are one slice's.
            *sum = unsafe { self.run(SumOfSquares { len: chunk.len(), values: chunk.as_ptr() }) };
        }
    }

    /// The sum of all squares: the chunks' sums, which the team shares where the vector is long, added in their
    /// order in double precision.
    pub(crate) fn sum_of_squares(&self, team: &mut Team, values: &[f32], partial: &mut [f32]) -> f64 {
        if team.count() == 1 || values.len() < WORTH_A_TEAM {
            self.squares_of_chunks(values, partial);
        } else {
            let each = stretch_len(team, values.len(), CHUNK);
            let stretches = values.chunks(each).zip(partial.chunks_mut(each / CHUNK));
            hand_out(team, stretches, &|(values, partial)| self.squares_of_chunks(values, partial));
        }
        partial.iter().fold(0.0, |sum, partial| sum + f64::from(*partial))
    }
}
