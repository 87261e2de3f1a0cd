//! The functions that are made of one exponential: sigmoid, SiLU and the hyperbolic tangent.

use super::exponential::{exp_between_limits, exp_but_for_nan};
use super::{Number, keep_nan, limited_magnitude, polynomial};

/// From here on e⁻ˣ is 0 as [`exp`](super::exp) counts.
const EXP_IS_ZERO: f32 = 88.0;
/// From here on tanh x is 1 in `f32`.
const TANH_IS_ONE: f32 = 10.0;

/// Below this tanh has a polynomial of its own.
const TANH_LIMIT: f32 = 0.625;
/// (tanh(x)/x − 1)/x² as a polynomial in x².
const TANH: [f32; 5] = [-0.3333328, 0.13331442, -0.053739715, 0.020639088, -0.0057049873];

/// σ(x) = 1 / (1 + e⁻ˣ).
///
/// Off by less than 2 ulp; σ(−∞) = 0. Below −87.33654 it is 0, as [`exp`](super::exp) is.
///
/// With e = exp(−|x|) and z = e / (1 + e) = σ(−|x|), it is 1 − z, or e − e·z where x is negative: that is z too,
/// but rounded better.
#[inline(always)]
pub fn sigmoid<N: Number>(x: N) -> N {
    let one = N::splat(1.0);
    let exponential = exp_but_for_nan(x.absolute().negate());
    let less = exponential.divide(one.add(exponential));
    let whole = N::select(x.is_less(N::splat(0.0)), exponential, one);
    keep_nan(x, whole.negate().multiply_add(less, whole))
}

/// SiLU, also called swish: x·σ(x).
///
/// Off by less than 3 ulp. Below −87.33654, −∞ included, it is −0 (and rightly less than 1.1·10⁻³⁶ away).
#[inline(always)]
pub fn silu<N: Number>(x: N) -> N {
    // Not −∞ itself, whose product with 0 is no number.
    let factor = N::select(x.is_less(N::splat(f32::MIN)), N::splat(f32::MIN), x);
    keep_nan(x, factor.multiply(sigmoid(x)))
}

/// The derivative of [`silu`]: σ(x) + x·σ(x)·σ(−x).
///
/// Off by less than 2·10⁻⁷, absolutely. 0 at −∞, 1 at ∞.
#[inline(always)]
pub fn silu_derivative<N: Number>(x: N) -> N {
    let magnitude = limited_magnitude(x, EXP_IS_ZERO);
    let exponential = exp_but_for_nan(magnitude.negate());
    let greater = N::splat(1.0).divide(N::splat(1.0).add(exponential));
    let less = exponential.multiply(greater);
    let sigmoid = N::select(x.is_less(N::splat(0.0)), less, greater);
    keep_nan(x, magnitude.copy_sign(x).multiply_add(greater.multiply(less), sigmoid))
}

/// tanh x.
///
/// Off by less than 2 ulp, near 0 too; tanh(±0) = ±0, tanh(±∞) = ±1.
///
/// Below 0.625 it is x + x³·TANH(x²), from there on 1 − 2 / (1 + e²ˣ).
#[inline(always)]
pub fn tanh<N: Number>(x: N) -> N {
    let square = x.multiply(x);
    let near_0 = x.multiply(square).multiply_add(polynomial(square, TANH), x);
    let (one, two) = (N::splat(1.0), N::splat(2.0));
    let magnitude = limited_magnitude(x, TANH_IS_ONE);
    let exponential = exp_between_limits(magnitude.multiply(two));
    let beyond = one.subtract(two.divide(one.add(exponential)));
    // Near 0 has the sign already, but for −0.
    keep_nan(x, N::select(magnitude.is_less(N::splat(TANH_LIMIT)), near_0, beyond).copy_sign(x))
}
