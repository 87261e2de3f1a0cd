//! Sine and cosine of small numbers as NumPy computes them in `f32`.

/// Sine and cosine of an angle within ±π/4, in radians: NumPy's polynomials, which are minimax ones of the
/// Cephes library (S. L. Moshier), each operation a fused multiply-add.
pub(super) fn sin_cos(x: f32) -> (f32, f32) {
    // From the highest power down: of x, x³ … for the sine, of 1, x² … for the cosine. Given by their bits, for
    // they are roundings of longer numbers.
    const SIN: [u32; 5] = [0x363e_9dde, 0xb950_35dd, 0x3c08_88cd, 0xbe2a_aaab, 0];
    const COS: [u32; 5] = [0x37cc_730b, 0xbab6_036e, 0x3d2a_aa9e, 0xbf00_0000, 0x3f80_0000];
    let square = x * x;
    let polynomial = |coefficients: [u32; 5]| {
        coefficients.map(f32::from_bits).into_iter().reduce(|sum, next| sum.mul_add(square, next))
    };
    let (sin, cos) = (polynomial(SIN).unwrap_or_default(), polynomial(COS).unwrap_or_default());
    (sin.mul_add(x, x), cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_within_two_units_of_the_last_place() {
        for index in -1000..=1000 {
            let x = index as f32 * 7.8e-4;
            let (sin, cos) = sin_cos(x);
            let near = |found: f32, exact: f64| (f64::from(found) - exact).abs() <= 2.0 * 2f64.powi(-24);
            assert!(near(sin, f64::from(x).sin()), "sin {x}");
            assert!(near(cos, f64::from(x).cos()), "cos {x}");
        }
    }
}
