//! Functions that give the same bits on every processor.
//!
//! `exp`, `ln` and the like differ from one system's library to the next. Losses and layers take them from here:
//! they are made of [`Number`]'s operations alone, each of which is rounded alike everywhere, in an order that is
//! written down. The same source runs on one `f32` and on vectors of any width.
//!
//! There are no branches and no tables; both sides of a distinction are computed and one is selected. Where an
//! argument is NaN the result is [`f32::NAN`], the same one always. An **ulp** is the distance between an `f32`
//! and the next of greater magnitude, at the true result. The bounds were found by trying every argument from
//! 2⁻³⁰ to 128 in magnitude and many beyond; see `tests/math.rs`. The coefficients come from
//! `fixtures/math/coefficients.py`. [`pow`] alone is of `f64`, and has branches.

mod cosine;
mod exponential;
mod fused;
mod logarithm;
mod normal;
mod number;
mod power;
mod sigmoid;
mod slices;

pub use cosine::cos_pi;
pub use exponential::exp;
pub(crate) use fused::fused;
#[cfg(test)]
pub(crate) use fused::tests as fused_tests;
pub use logarithm::ln;
pub use normal::{erf, gelu, gelu_derivative};
pub use number::{LEAST_MANTISSA, Number};
pub use power::pow;
pub use sigmoid::{sigmoid, silu, silu_derivative, tanh};
pub(crate) use slices::mean_of_softmax;
pub use slices::{log_softmax, log_sum_exp, softmax};

/// ln 2 in two parts: the nearest `f32`, and the nearest to what is left.
const LN_2_HIGH: f32 = std::f32::consts::LN_2;
const LN_2_LOW: f32 = -1.904_654_2e-9;

/// `c[0] + c[1]·x + c[2]·x² + …` by Horner's rule.
#[inline(always)]
fn polynomial<N: Number, const SIZE: usize>(x: N, coefficients: [f32; SIZE]) -> N {
    let mut sum = N::splat(coefficients[SIZE - 1]);
    for index in (0..SIZE - 1).rev() {
        sum = sum.multiply_add(x, N::splat(coefficients[index]));
    }
    sum
}

/// `|x|`, but at most `limit`; `limit` for NaN.
#[inline(always)]
fn limited_magnitude<N: Number>(x: N, limit: f32) -> N {
    let (magnitude, limit) = (x.absolute(), N::splat(limit));
    N::select(magnitude.is_less(limit), magnitude, limit)
}

/// `result`, but the one NaN where `x` is NaN.
#[inline(always)]
fn keep_nan<N: Number>(x: N, result: N) -> N {
    N::select(x.is_nan(), N::splat(f32::NAN), result)
}
