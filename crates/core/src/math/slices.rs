//! Sums of exponentials over a slice, for losses: from the first element to the last, one at a time.

use super::{exp, fused, keep_nan, ln};

/// So many exponentials are independent of each other, and a compiler can make them side by side.
const SIDE_BY_SIDE: usize = 16;

fused! {
    /// ln Σ exp(values\[i\]), without overflow: m + ln Σ exp(values\[i\] − m) with m the greatest value.
    ///
    /// −∞ for no values and where all are −∞; ∞ where one is ∞; NaN where one is NaN.
    pub fn log_sum_exp(values: &[f32]) -> f32 {
        let greatest = greatest(values);
        if values.iter().any(|value| value.is_nan()) {
            return f32::NAN;
        }
        if greatest.is_infinite() {
            return greatest;
        }
        greatest + ln(sum_of_exp(values, greatest))
    }

    /// Each value becomes ln softmax: value − ln Σ exp(values\[j\]).
    ///
    /// The differences from the greatest value are taken first, so that values far from 0 lose no more than their own
    /// rounding. All become NaN where one is NaN or ∞, or all are −∞; a single −∞ among finite values stays.
    pub fn log_softmax(values: &mut [f32]) {
        let greatest = greatest(values);
        let logarithm = ln(sum_of_exp(values, greatest));
        for value in values {
            let result = (*value - greatest) - logarithm;
            *value = keep_nan(result, result);
        }
    }

    /// Each value becomes exp(value) / Σ exp(values\[j\]). They add up to 1 but for rounding.
    ///
    /// All become NaN where one is NaN or ∞, or all are −∞.
    pub fn softmax(values: &mut [f32]) {
        let greatest = greatest(values);
        for value in values.iter_mut() {
            *value = exp(*value - greatest);
        }
        let mut sum = 0.0;
        for value in values.iter() {
            sum += value;
        }
        for value in values {
            let result = *value / sum;
            *value = keep_nan(result, result);
        }
    }

    /// Σ softmax(logits)_i · values_i, without an array of probabilities.
    pub(crate) fn mean_of_softmax(logits: &[f32], values: &[f32]) -> f32 {
        let greatest = greatest(logits);
        let (mut sum, mut mean) = (0.0, 0.0);
        for (logits, values) in logits.chunks(SIDE_BY_SIDE).zip(values.chunks(SIDE_BY_SIDE)) {
            let weights = each_exp(logits, greatest);
            for (weight, value) in weights[..logits.len()].iter().zip(values) {
                sum += weight;
                mean += weight * value;
            }
        }
        mean / sum
    }
}

#[inline(always)]
fn sum_of_exp(values: &[f32], greatest: f32) -> f32 {
    let mut sum = 0.0;
    for values in values.chunks(SIDE_BY_SIDE) {
        let exponentials = each_exp(values, greatest);
        for exponential in &exponentials[..values.len()] {
            sum += exponential;
        }
    }
    sum
}

/// exp(value − greatest) of each value.
#[inline(always)]
fn each_exp(values: &[f32], greatest: f32) -> [f32; SIDE_BY_SIDE] {
    let mut all = [0.0; SIDE_BY_SIDE];
    all[..values.len()].copy_from_slice(values);
    for value in &mut all {
        *value = exp(*value - greatest);
    }
    all
}

/// The greatest value, NaN left out; −∞ for none.
#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(f32::NEG_INFINITY, |greatest, &value| if greatest < value { value } else { greatest })
}
