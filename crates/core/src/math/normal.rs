//! The error function, and GELU, which are made of the normal distribution's Φ.

use super::exponential::exp_between_limits;
use super::{Number, keep_nan, limited_magnitude, polynomial};

/// From here on Φ(−t) is below 2⁻¹²⁶ or nearly so.
const TAIL_LIMIT: f32 = 12.9;
const TAIL_SLOPE: f32 = 0.3;
/// Φ(−t)·exp(t²/2)/(1 − v) with v = u/(1 + u) and u = 0.3 t, for t from 0 to 12.9.
const TAIL: [f32; 10] = [
    0.5,
    -0.82980716,
    0.61814535,
    -0.081023365,
    -0.1397069,
    0.023264151,
    0.010344028,
    0.070869915,
    -0.072958715,
    0.020559039,
];

/// Below this erf has a polynomial of its own.
const ERF_LIMIT: f32 = 0.9;
/// From here on erf x is 1 in `f32`.
const ERF_IS_ONE: f32 = 4.0;
/// erf(x)/x − 1 as a polynomial in x².
const ERF: [f32; 7] = [
    0.128_379_17,
    -0.376_126_35,
    0.112_837_15,
    -0.026_860_509,
    0.005_203_859_4,
    -0.000_817_563_97,
    8.513_105_4e-5,
];

/// The density of the normal distribution at 0.
const ONE_OVER_SQRT_2_PI: f32 = 0.398_942_3;

/// erf x = 2/√π ∫₀ˣ exp(−s²) ds.
///
/// Off by less than 2 ulp; erf(±0) = ±0, erf(±∞) = ±1.
///
/// Below 0.9 it is x + x·ERF(x²), from there on 1 − 2 Φ(−√2 x).
#[inline(always)]
pub fn erf<N: Number>(x: N) -> N {
    let near_0 = x.multiply_add(polynomial(x.multiply(x), ERF), x);
    let magnitude = limited_magnitude(x, ERF_IS_ONE);
    let (tail, _) = normal_tail(magnitude.multiply(N::splat(std::f32::consts::SQRT_2)));
    let beyond = tail.multiply_add(N::splat(-2.0), N::splat(1.0)).copy_sign(x);
    keep_nan(x, N::select(magnitude.is_less(N::splat(ERF_LIMIT)), near_0, beyond))
}

/// GELU: x·Φ(x) = ½ x·(1 + erf(x/√2)), the exact form.
///
/// Off by less than 4.5 ulp from −1 on and by less than 8 ulp below, where ½ (1 + erf) would lose its digits. Below
/// −12.9, −∞ included, the result is −0 (and rightly less than 3·10⁻³⁷ away).
#[inline(always)]
pub fn gelu<N: Number>(x: N) -> N {
    let (probability, _) = normal_distribution(x);
    let result = N::select(x.is_less(N::splat(-TAIL_LIMIT)), N::splat(-0.0), x.multiply(probability));
    keep_nan(x, result)
}

/// The derivative of [`gelu`]: Φ(x) + x·φ(x), with φ(x) = exp(−x²/2)/√(2π).
///
/// Off by less than 1.6·10⁻⁷, absolutely. Below −12.9 it is −0, as GELU is.
#[inline(always)]
pub fn gelu_derivative<N: Number>(x: N) -> N {
    let (probability, exponential) = normal_distribution(x);
    let density = exponential.multiply(N::splat(ONE_OVER_SQRT_2_PI));
    let result = limited_magnitude(x, TAIL_LIMIT).copy_sign(x).multiply_add(density, probability);
    keep_nan(x, N::select(x.is_less(N::splat(-TAIL_LIMIT)), N::splat(-0.0), result))
}

/// `(Φ(x), exp(−x²/2))`, with x moved to ±12.9 where it is beyond.
#[inline(always)]
fn normal_distribution<N: Number>(x: N) -> (N, N) {
    let (tail, exponential) = normal_tail(limited_magnitude(x, TAIL_LIMIT));
    let probability = N::select(x.is_less(N::splat(0.0)), tail, N::splat(1.0).subtract(tail));
    (probability, exponential)
}

/// `(Φ(−t), exp(−t²/2))` for t from 0 to 12.9, both with small relative errors.
#[inline(always)]
fn normal_tail<N: Number>(t: N) -> (N, N) {
    let minus_half = N::splat(-0.5);
    let square = t.multiply(t);
    // What rounding left out of the square would be up to 5·10⁻⁶ of the exponential.
    let square_low = t.multiply_add(t, square.negate());
    let exponential = exp_between_limits(square.multiply(minus_half));
    let exponential = exponential.multiply(square_low).multiply_add(minus_half, exponential);

    let u = t.multiply(N::splat(TAIL_SLOPE));
    let one_minus_v = N::splat(1.0).divide(u.add(N::splat(1.0)));
    let ratio = one_minus_v.multiply(polynomial(u.multiply(one_minus_v), TAIL));
    (exponential.multiply(ratio), exponential)
}
