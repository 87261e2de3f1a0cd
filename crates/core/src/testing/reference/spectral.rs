//! Spectral normalisation of a matrix.

use crate::network::{LEAST_SINGULAR_VALUE, SPECTRAL_ITERATIONS, spectral_start};

/// The greatest singular value of a matrix with its vectors, as far as the power iteration finds them.
pub(super) struct Spectral {
    /// One number an output.
    u: Vec<f64>,
    /// One number an input.
    v: Vec<f64>,
    sigma: f64,
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// Divides by the length, which it gives; a vector of nearly no length becomes 0.
fn normalize(vector: &mut [f64]) -> f64 {
    let length = dot(vector, vector).sqrt();
    vector
        .iter_mut()
        .for_each(|value| *value = if length < LEAST_SINGULAR_VALUE { 0.0 } else { *value / length });
    length
}

impl Spectral {
    /// Of `weight`, `[outputs, inputs]`.
    pub(super) fn of(weight: &[f64], outputs: usize) -> Self {
        let inputs = weight.len() / outputs;
        let mut u: Vec<f64> = (0..outputs).map(|o| f64::from(spectral_start(o))).collect();
        let (mut v, mut length) = (vec![], 0.0);
        for _ in 0..SPECTRAL_ITERATIONS {
            v = vec![0.0; inputs];
            for (row, u) in weight.chunks(inputs).zip(&u) {
                v.iter_mut().zip(row).for_each(|(v, w)| *v += w * u);
            }
            normalize(&mut v);
            u = weight.chunks(inputs).map(|row| dot(row, &v)).collect();
            length = normalize(&mut u);
        }
        // Not `max`, which would make a number of NaN.
        let sigma = if length < LEAST_SINGULAR_VALUE { 1.0 } else { length };
        Self { u, v, sigma }
    }

    /// `W/σ`.
    pub(super) fn normalized(&self, weight: &[f64]) -> Vec<f64> {
        weight.iter().map(|w| w / self.sigma).collect()
    }

    /// The gradient by `W`, from that by `W/σ`, with `u` and `v` as constants.
    pub(super) fn gradient(&self, weight: &[f64], d_normalized: &[f64]) -> Vec<f64> {
        let along = dot(d_normalized, weight) / self.sigma;
        let outer = self.u.iter().flat_map(|u| self.v.iter().map(move |v| u * v));
        d_normalized.iter().zip(outer).map(|(d, uv)| (d - along * uv) / self.sigma).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two rows the singular values are those of a matrix of 2 by 2, which have a formula.
    #[test]
    fn the_greatest_singular_value_is_found() {
        let weight = [3.0, 1.0, -2.0, 0.5, 0.25, -1.0, 2.0, 1.5];
        let (first, second) = weight.split_at(4);
        let (a, b, c) = (dot(first, first), dot(first, second), dot(second, second));
        let sigma = (0.5 * (a + c + ((a - c) * (a - c) + 4.0 * b * b).sqrt())).sqrt();
        let found = Spectral::of(&weight, 2);
        assert!((found.sigma - sigma).abs() < 1e-9 * sigma, "{}, expected {sigma}", found.sigma);
        let normalized = Spectral::of(&found.normalized(&weight), 2);
        assert!((normalized.sigma - 1.0).abs() < 1e-9);
        assert!(found.sigma <= sigma * (1.0 + 1e-15), "it is never too large");
    }

    #[test]
    fn zeros_and_nans_stay_what_they_are() {
        let nothing = Spectral::of(&[0.0; 6], 3);
        assert_eq!((nothing.sigma, nothing.normalized(&[0.0; 6])), (1.0, vec![0.0; 6]));
        assert_eq!(nothing.gradient(&[0.0; 6], &[1.0; 6]), [1.0; 6]);
        assert!(Spectral::of(&[1.0, f64::NAN, 2.0, 3.0], 2).sigma.is_nan());
    }
}
