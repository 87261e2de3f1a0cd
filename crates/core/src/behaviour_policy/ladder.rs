//! Another probability of exploring in each environment.

use crate::math::pow;

/// The probabilities of Ape-X (Horgan et al. 2018, arXiv 1803.00933): `ε_i = ε^(1 + i/(N−1) · α)` in environment `i` of
/// `N`, so that the first explores as much as ε says and each further one less. The paper has ε = 0.4 and α = 7. One
/// environment alone explores with ε.
#[derive(Clone, Debug)]
pub struct EpsilonLadder {
    /// One an environment.
    exponents: Vec<f64>,
    /// The ε that `epsilons` are of.
    epsilon: f64,
    epsilons: Vec<f64>,
}

impl EpsilonLadder {
    /// For `envs` environments, with the exponent α.
    pub fn new(envs: usize, alpha: f64) -> Self {
        let last = envs.saturating_sub(1).max(1) as f64;
        let exponents: Vec<f64> = (0..envs).map(|env| 1.0 + env as f64 / last * alpha).collect();
        // Powers of 1 are 1.
        Self { epsilons: vec![1.0; envs], epsilon: 1.0, exponents }
    }

    /// The same probability everywhere.
    pub fn flat(envs: usize) -> Self {
        Self::new(envs, 0.0)
    }

    /// The probabilities of all environments where the first one explores with `epsilon`.
    #[inline]
    pub fn at(&mut self, epsilon: f64) -> &[f64] {
        if epsilon != self.epsilon {
            self.epsilon = epsilon;
            for (each, exponent) in self.epsilons.iter_mut().zip(&self.exponents) {
                *each = pow(epsilon, *exponent);
            }
        }
        &self.epsilons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_that_of_ape_x() {
        let mut ladder = EpsilonLadder::new(8, 7.0);
        for (found, exponent) in ladder.at(0.4).iter().zip(1..) {
            assert!((found - 0.4f64.powi(exponent)).abs() < 1e-15, "{found} with exponent {exponent}");
        }
        assert_eq!(ladder.at(0.0), [0.0; 8]);
        assert_eq!(ladder.at(1.0), [1.0; 8]);
        assert_eq!(EpsilonLadder::new(1, 7.0).at(0.3), [0.3]);
        assert_eq!(EpsilonLadder::flat(3).at(0.3), [0.3; 3], "to the bit");
    }
}
