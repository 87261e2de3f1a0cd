//! The cosine of multiples of π.

use super::{Number, polynomial};

/// (sin(π·t)/t − 2) / v as a polynomial in v = ¼ − t², for |t| ≤ ½.
const SIN_PI: [f32; 5] = [4.0, 2.130_395, 0.521_592_8, 0.073_272_504, 0.007_016_589_4];

/// cos(π·x), for every finite x; NaN at ±∞.
///
/// Off by less than 2 ulp, and exact where x is a multiple of ½. The argument is reduced without error, so that
/// large x are as good as small ones. From 2²⁴ on every `f32` is even and the result 1.
///
/// With r = x − 2 round(x/2), which is in \[−1, 1\], and t = ½ − |r|, cos(π·x) = sin(π·t) = 2t + t·v·SIN_PI(v).
#[inline(always)]
pub fn cos_pi<N: Number>(x: N) -> N {
    let turns = x.multiply(N::splat(0.5)).round();
    let r = turns.multiply_add(N::splat(-2.0), x);
    let t = N::splat(0.5).subtract(r.absolute());
    let v = t.negate().multiply_add(t, N::splat(0.25));
    let result = t.multiply_add(N::splat(2.0), t.multiply(v.multiply(polynomial(v, SIN_PI))));
    N::select(x.absolute().is_less(N::splat(f32::INFINITY)), result, N::splat(f32::NAN))
}
