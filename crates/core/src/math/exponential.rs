//! The exponential function.

use super::{LN_2_HIGH, LN_2_LOW, Number, keep_nan, polynomial};

/// The greatest argument whose exponential is finite.
const GREATEST: f32 = 88.722_83;
/// The least argument whose exponential is a normal number.
const LEAST: f32 = -87.336_54;

/// (eʳ − 1 − r) / r², for |r| ≤ ½ ln 2.
const EXP: [f32; 5] = [0.499_999_97, 0.166_665_43, 0.041_667_2, 0.008_366_520_5, 0.001_388_252];

/// eˣ.
///
/// Off by less than 1.1 ulp. Above 88.72283 the result is ∞, below −87.33654, where it would be a subnormal number
/// (less than 2⁻¹²⁶), it is 0: subnormal numbers help no loss, and they are slow to compute with.
#[inline(always)]
pub fn exp<N: Number>(x: N) -> N {
    keep_nan(x, exp_but_for_nan(x))
}

/// [`exp`], but where `x` is NaN the result is anything.
#[inline(always)]
pub(super) fn exp_but_for_nan<N: Number>(x: N) -> N {
    let result = N::select(N::splat(GREATEST).is_less(x), N::splat(f32::INFINITY), exp_between_limits(x));
    N::select(x.is_less(N::splat(LEAST)), N::splat(0.0), result)
}

/// [`exp`] where the result is a normal number; elsewhere the result is anything.
///
/// With n = round(x / ln 2) and r = x − n ln 2, eˣ = 2ⁿ·(1 + r + r²·EXP(r)).
#[inline(always)]
pub(super) fn exp_between_limits<N: Number>(x: N) -> N {
    let n = x.multiply(N::splat(std::f32::consts::LOG2_E)).round();
    // The first of these is exact.
    let r = n.multiply_add(N::splat(-LN_2_HIGH), x);
    let r = n.multiply_add(N::splat(-LN_2_LOW), r);
    let rest = r.multiply(r).multiply_add(polynomial(r, EXP), r);
    N::splat(1.0).add(rest).scale_by_power_of_two(n)
}
