//! The natural logarithm.

use super::{LN_2_HIGH, LN_2_LOW, Number, keep_nan, polynomial};

/// (ln(1 + f) − f + ½ f²) / f³, for 1 + f from √½ to √2.
const LN: [f32; 8] = [
    0.333_333_3,
    -0.250_008_2,
    0.200_012_27,
    -0.166_233_57,
    0.142_017_6,
    -0.131_601_83,
    0.127_615_62,
    -0.076_344_76,
];

/// A power of two that makes a normal number of every subnormal one, and its exponent.
const SUBNORMAL_SCALE: f32 = 8_388_608.0;
const SUBNORMAL_EXPONENT: f32 = 23.0;

/// ln x.
///
/// Off by less than 1 ulp, for subnormal numbers too. ln ±0 = −∞, ln ∞ = ∞, and NaN below 0.
///
/// With x = 2ⁿ·(1 + f), ln x = n ln 2 + f − ½ f² + f³·LN(f).
#[inline(always)]
pub fn ln<N: Number>(x: N) -> N {
    let is_subnormal = x.is_less(N::splat(f32::MIN_POSITIVE));
    let normal = N::select(is_subnormal, x.multiply(N::splat(SUBNORMAL_SCALE)), x);
    let (mantissa, exponent) = normal.split_exponent();
    let n = N::select(is_subnormal, exponent.subtract(N::splat(SUBNORMAL_EXPONENT)), exponent);

    let f = mantissa.subtract(N::splat(1.0));
    let rest = f.multiply_add(polynomial(f, LN), N::splat(-0.5));
    let rest = f.multiply(f).multiply_add(rest, n.multiply(N::splat(LN_2_LOW)));
    let result = n.multiply_add(N::splat(LN_2_HIGH), f.add(rest));

    let result = N::select(N::splat(f32::MAX).is_less(x), N::splat(f32::INFINITY), result);
    let result = N::select(N::splat(0.0).is_less(x), result, N::splat(f32::NEG_INFINITY));
    keep_nan(x, N::select(x.is_less(N::splat(0.0)), N::splat(f32::NAN), result))
}
