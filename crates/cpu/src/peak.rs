//! The processor's limit.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::InstructionSet;
use crate::kernels::Kernels;

/// Rounds of one measurement: some ten microseconds, short enough that many are undisturbed.
const ROUNDS: usize = 4096;
/// How long to measure.
const PATIENCE: Duration = Duration::from_millis(300);

/// The greatest number of floating point operations a second that one core reaches with `set`: a loop of
/// independent fused multiply-adds, the best of many tries within 0.3 seconds. 0 where the processor has not got
/// the set.
///
/// Benchmarks report shares of it, since times say as much about the machine as about the program.
pub fn peak_flops(set: InstructionSet) -> f64 {
    let Some(kernels) = Kernels::new(set) else { return 0.0 };
    let (mut best, started) = (0.0f64, Instant::now());
    while started.elapsed() < PATIENCE {
        let timer = Instant::now();
        let (operations, result) = kernels.multiply_adds(black_box(ROUNDS));
        let seconds = timer.elapsed().as_secs_f64();
        black_box(result);
        if seconds > 0.0 {
            best = best.max(operations / seconds);
        }
    }
    best
}
