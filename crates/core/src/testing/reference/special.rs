//! Functions of one number that the standard library does not have.

use std::f64::consts::PI;

/// `1/(1 + e^−x)`.
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The density of the normal distribution, φ.
pub(super) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// The normal distribution Φ, by two expansions that share nothing (Abramowitz & Stegun 26.2.11 and 26.2.14), to
/// 1e-11 of its value and better: at −4 most of it cancels out.
pub(super) fn normal_distribution(x: f64) -> f64 {
    if x.abs() < 4.0 {
        return 0.5 + normal_density(x) * series(x);
    }
    let tail = normal_density(x) / continued_fraction(x.abs());
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// `x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + …`
fn series(x: f64) -> f64 {
    let (mut sum, mut term) = (x, x);
    for n in 1..100 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    sum
}

/// `x + 1/(x + 2/(x + 3/(x + …)))`
fn continued_fraction(x: f64) -> f64 {
    (1..100).rev().fold(x, |below, n| x + f64::from(n) / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Φ to 16 digits, by arithmetic of any length.
    #[test]
    fn the_normal_distribution_has_its_known_values() {
        for (x, expected) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (-3.0, 1.349_898_031_630_094_6e-3),
            (-4.0, 3.167_124_183_311_992e-5),
            (-5.0, 2.866_515_718_791_939e-7),
            (-8.0, 6.220_960_574_271_785e-16),
            (6.0, 0.999_999_999_013_412_3),
        ] {
            let found = normal_distribution(x);
            assert!((found - expected).abs() <= 1e-13 * expected, "{x}: {found:e}, expected {expected:e}");
        }
        assert!(normal_distribution(f64::NAN).is_nan());
    }

    #[test]
    fn both_expansions_agree_where_they_meet() {
        for i in 0..=20 {
            let x = 3.0 + f64::from(i) / 10.0;
            let (by_series, by_fraction) =
                (0.5 - normal_density(x) * series(x), normal_density(x) / continued_fraction(x));
            assert!((by_series - by_fraction).abs() < 1e-15, "{x}: {by_series:e}, {by_fraction:e}");
        }
    }
}
