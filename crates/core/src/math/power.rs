//! Powers in double precision.
//!
//! Priorities, importance weights and probabilities of exploring are powers. They are computed here in plain
//! additions, multiplications and divisions of `f64`, each rounded once, and not by the standard library's `powf`,
//! whose bits differ from system to system.

/// ln 2 in two parts: its first 32 bits, so that its product with an exponent is exact, and what is left.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Below this eˣ would be a subnormal number.
const LEAST: f64 = -708.0;
/// Above this eˣ would be infinite, or nearly so.
const GREATEST: f64 = 709.0;
/// 1/3, 1/5 … 1/23: what is left out of the series of artanh is below 2⁻⁵⁵ of the sum.
const ODD: [f64; 11] = [23.0, 21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0];

/// `base` to the power of `exponent`, for a `base` of at least 0.
///
/// Off by less than (2 + 2·|t|)·2⁻⁵² of the result, where eᵗ is the result: by less than 10⁻¹³ of it as long as it
/// lies between 10⁻⁹⁰ and 10⁹⁰. 1 where the exponent is 0 or the base 1; 0 where the result would be below e⁻⁷⁰⁸, ∞
/// where it would be above e⁷⁰⁹; NaN where the base is negative, or either of the two NaN.
pub fn pow(base: f64, exponent: f64) -> f64 {
    if exponent == 0.0 || base == 1.0 {
        return 1.0;
    }
    if exponent == 1.0 && base >= 0.0 {
        return base;
    }
    exponential(exponent * logarithm(base))
}

/// ln x = n ln 2 + 2 artanh s with x = 2ⁿ·m, m from √½ to √2 and s = (m − 1) / (m + 1).
fn logarithm(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_nan() || x < 0.0 || x == f64::INFINITY {
        return if x > 0.0 { x } else { f64::NAN };
    }
    let (scaled, shift) = if x < f64::MIN_POSITIVE { (x * POWER_54, -54) } else { (x, 0) };
    const LEAST_MANTISSA_BITS: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let n = (scaled.to_bits().wrapping_sub(LEAST_MANTISSA_BITS) as i64) >> 52;
    let mantissa = f64::from_bits(scaled.to_bits().wrapping_sub((n as u64) << 52));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = ODD.iter().fold(0.0, |sum, odd| (sum + 1.0 / odd) * square);
    let n = (n + shift) as f64;
    n * LN_2_HIGH + (2.0 * s + (2.0 * s * series + n * LN_2_LOW))
}

/// A power of two that makes a normal number of every subnormal one.
const POWER_54: f64 = (1u64 << 54) as f64;

/// eˣ = 2ⁿ·eʳ with n = round(x / ln 2), and Taylor's series for eʳ.
fn exponential(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x < LEAST {
        return 0.0;
    }
    if x > GREATEST {
        return f64::INFINITY;
    }
    let n = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // 1 + r (1 + r/2 (1 + r/3 (…))); the first term left out is below 2⁻⁵⁶.
    let series = (2..=14).rev().fold(1.0, |sum, by| 1.0 + sum * r / f64::from(by));
    let result = 1.0 + r * series;
    f64::from_bits(result.to_bits().wrapping_add((n as i64 as u64) << 52))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RandomStream;

    fn assert_near(base: f64, exponent: f64) {
        let (found, expected) = (pow(base, exponent), base.powf(exponent));
        if !(1e-307..1e307).contains(&expected) {
            return;
        }
        let allowed = (2.0 + 2.0 * expected.ln().abs()) * f64::EPSILON * expected;
        assert!((found - expected).abs() <= allowed, "{base}^{exponent} = {found}, expected {expected}");
    }

    #[test]
    fn powers_are_near_those_of_the_standard_library() {
        let mut stream = RandomStream::new(1, "test", 0);
        for _ in 0..200_000 {
            let base = 2f64.powf(40.0 * stream.uniform_f64() - 20.0);
            assert_near(base, 16.0 * stream.uniform_f64() - 8.0);
            assert_near(stream.uniform_f64(), stream.uniform_f64());
        }
        for base in
            [5e-324, 1e-310, 1e-300, 1e-6, f64::MIN_POSITIVE, 0.5, 0.999_999, 1.000_001, 2.0, 1e300, f64::MAX]
        {
            for exponent in [-1.0, -0.5, -1e-3, 1e-3, 0.4, 0.5, 0.6, 1.0] {
                assert_near(base, exponent);
            }
        }
    }

    #[test]
    fn ends_are_those_that_are_told() {
        assert_eq!([pow(0.0, 0.0), pow(f64::INFINITY, 0.0), pow(1.0, f64::INFINITY)], [1.0; 3]);
        assert_eq!([pow(0.0, 0.6), pow(10.0, -308.0), pow(f64::INFINITY, -1.0)], [0.0; 3]);
        assert_eq!([pow(0.0, -0.6), pow(10.0, 308.0), pow(f64::INFINITY, 0.5)], [f64::INFINITY; 3]);
        assert!(pow(-1.0, 0.5).is_nan() && pow(f64::NAN, 0.5).is_nan() && pow(0.5, f64::NAN).is_nan());
        assert!(pow(-1.0, 1.0).is_nan());
    }

    /// These bits are part of the promise that a seed gives the same bytes on every machine.
    #[test]
    fn the_bits_are_these() {
        let powers = [(0.3, 0.6), (7.25, -0.4), (1e-6, 0.5), (123.0, 2.5)].map(|(x, y)| pow(x, y).to_bits());
        let bits =
            [0x3fdf_13f6_3c03_331e, 0x3fdc_f9f6_d9df_4512, 0x3f50_624d_d2f1_a9fd, 0x4104_7b65_d07f_6296];
        assert_eq!(powers, bits, "{powers:#x?}");
    }
}
