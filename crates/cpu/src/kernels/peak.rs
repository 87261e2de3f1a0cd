//! The processor's limit, to measure everything else by.
#![allow(clippy::needless_range_loop)] // As in `linear`.

use std::hint::black_box;

use super::Operation;
use super::simd::Simd;

/// Sums that do not wait for each other: enough to hide the latency, few enough for 16 registers.
const CHAINS: usize = 12;

/// Nothing but fused multiply-adds on registers.
pub(super) struct MultiplyAdds {
    pub(super) rounds: usize,
}

impl MultiplyAdds {
    /// Floating point operations of all rounds: a multiplication and an addition a lane.
    pub(super) fn operations<S: Simd>(rounds: usize) -> f64 {
        2.0 * (CHAINS * S::LANES * rounds) as f64
    }
}

impl Operation for MultiplyAdds {
    /// The number of floating point operations, and a number so that the compiler cannot drop them.
    type Output = (f64, f32);

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> (f64, f32) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: registers, and `lanes` holds every vector.
        unsafe {
            // Black boxes and unequal beginnings, lest the compiler see through the loop.
            let (factor, addend) = (S::splat(black_box(0.75)), S::splat(black_box(0.5)));
            let mut sums = [S::splat(0.0); CHAINS];
            for chain in 0..CHAINS {
                sums[chain] = S::splat(black_box(chain as f32));
            }
            for _ in 0..self.rounds {
                for chain in 0..CHAINS {
                    sums[chain] = S::multiply_add(sums[chain], factor, addend);
                }
            }
            for chain in 1..CHAINS {
                sums[0] = S::multiply_add(sums[0], factor, sums[chain]);
            }
            S::store(lanes.as_mut_ptr(), sums[0]);
        }
        (Self::operations::<S>(self.rounds), lanes.iter().sum())
    }
}
