//! Sums of exponentials over a slice, for losses: from the first element to the last, one at a time.

use super::{exp, keep_nan, ln};

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
    greatest + ln(values.iter().fold(0.0, |sum, &value| sum + exp(value - greatest)))
}

/// Each value becomes ln softmax: value − ln Σ exp(values\[j\]).
///
/// The differences from the greatest value are taken first, so that values far from 0 lose no more than their own
/// rounding. All become NaN where one is NaN or ∞, or all are −∞; a single −∞ among finite values stays.
pub fn log_softmax(values: &mut [f32]) {
    let greatest = greatest(values);
    let sum = values.iter().fold(0.0, |sum, &value| sum + exp(value - greatest));
    let logarithm = ln(sum);
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
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = exp(*value - greatest);
        sum += *value;
    }
    for value in values {
        let result = *value / sum;
        *value = keep_nan(result, result);
    }
}

/// The greatest value, NaN left out; −∞ for none.
fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(f32::NEG_INFINITY, |greatest, &value| if greatest < value { value } else { greatest })
}
