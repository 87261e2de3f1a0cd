//! The expected return learned as a class: the target is a histogram of a normal distribution around it.
//!
//! - Farebrother et al. 2024, *Stop Regressing: Training Value Functions via Classification for Scalable Deep RL*,
//!   arXiv 2403.03950; Imani & White 2018
//!
//! ```text
//! y    = the target: see TargetRule, cut off at v_min and v_max
//! m_i  = (F(e_{i+1}) − F(e_i)) / (F(v_max) − F(v_min)),  F(x) = Φ((x − y) / σ),  e_i = v_min + i · width
//! σ    = sigma_ratio · width
//! L    = −Σ_i m_i · ln p_i(observation, action; online)
//! Q    = Σ_i p_i · centre_i
//! TD error: y − Q(observation, action; online)
//! ```
//!
//! The mean of `m` is `y` well within the ends. Nearer to one than about 3 σ a part of the distribution is cut off and
//! the mean moves away from that end, at the end itself by `σ · √(2/π)`: so the range is best some σ wider than what a
//! return can be.

use super::bootstrap::Bootstrap;
use super::categorical::cross_entropy;
use super::{Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions};
use crate::math::{erf, fused};

/// The loss of a histogram around a scalar target.
#[derive(Clone, Debug)]
pub struct HlGaussLoss {
    /// The ends of the bins, one more than there are bins.
    edges: Vec<f32>,
    sigma: f32,
    readout: Readout,
    bootstrap: Bootstrap,
    target: Vec<f32>,
    logits: Vec<f32>,
}

/// The centres of `bins` equal bins from `v_min` to `v_max`.
pub(super) fn centres(v_min: f32, v_max: f32, bins: usize) -> Vec<f32> {
    let edges = edges(v_min, v_max, bins);
    edges.windows(2).map(|edges| 0.5 * (edges[0] + edges[1])).collect()
}

fn edges(v_min: f32, v_max: f32, bins: usize) -> Vec<f32> {
    super::categorical::support(v_min, v_max, bins + 1)
}

impl HlGaussLoss {
    /// The loss over `bins` bins from `v_min` to `v_max`; the normal distribution is `sigma_ratio` bins wide.
    ///
    /// # Panics
    /// If there is no bin, if `v_min` is not below `v_max`, or if `sigma_ratio` is not positive.
    pub fn new(rule: TargetRule, v_min: f32, v_max: f32, bins: usize, sigma_ratio: f32) -> Self {
        assert!(bins >= 1 && v_min < v_max && sigma_ratio > 0.0, "{bins} bins from {v_min} to {v_max}");
        Self {
            edges: edges(v_min, v_max, bins),
            sigma: sigma_ratio * ((v_max - v_min) / bins as f32),
            readout: Readout::Support(centres(v_min, v_max, bins)),
            bootstrap: Bootstrap::new(rule, Fractions::None, |_| Fractions::None),
            target: vec![0.0; bins],
            logits: vec![0.0; bins],
        }
    }

    /// `m`: the histogram of a normal distribution around `y`.
    fn spread(&mut self, y: f32) {
        spread(&mut self.target, &self.edges, 1.0 / (self.sigma * std::f32::consts::SQRT_2), y);
    }
}

fused! {
    fn spread(target: &mut [f32], edges: &[f32], scale: f32, y: f32) {
        // Twice the distribution function and 1 less: both cancel in the quotient.
        let first = erf((edges[0] - y) * scale);
        for (mass, edge) in target.iter_mut().zip(&edges[1..]) {
            *mass = erf((*edge - y) * scale);
        }
        let all = target[target.len() - 1] - first;
        let mut before = first;
        for mass in target {
            let here = *mass;
            *mass = (here - before) / all;
            before = here;
        }
    }
}

impl Loss for HlGaussLoss {
    fn passes(&self) -> &[Pass] {
        self.bootstrap.passes()
    }

    fn readout(&self) -> &Readout {
        &self.readout
    }

    fn evaluate(
        &mut self,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        result: &mut LossResult<'_>,
    ) {
        let (actions, bins) = (outputs[0].actions, self.target.len());
        let (low, high) = (self.edges[0], self.edges[bins]);
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            let readout = &self.readout;
            let value = |atoms: &[f32]| readout.value(atoms);
            let (bonus, parts) = self.bootstrap.at(b, transitions, outputs, |_, atoms| value(atoms));
            let next: f32 = parts
                .iter()
                .map(|part| part.weight * (value(outputs[part.pass].atoms_of(b, part.action)) + part.offset))
                .sum();
            // No value beyond the ends can be learned: an error that counts them would never go away.
            let y = (transitions.reward[b] + bonus + transitions.discount[b] * next).clamp(low, high);

            let a = transitions.action[b] as usize;
            let q = value(outputs[0].atoms_of(b, a));
            self.spread(y);
            self.logits.copy_from_slice(outputs[0].atoms_of(b, a));
            let first = (b * actions + a) * bins;
            let d_logits = &mut result.d_output[first..first + bins];
            (result.loss[b], _) = cross_entropy(&self.target, &mut self.logits, d_logits);
            result.td_error[b] = y - q;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_the_same_bits_with_and_without_the_instruction() {
        use crate::math::fused_tests::{bits, both};
        for y in [-9.99, -3.3, 0.0, 0.123, 8.0] {
            let [fused, plain] = both(|| {
                let mut loss = HlGaussLoss::new(TargetRule::Q_LEARNING, -10.0, 10.0, 51, 0.75);
                loss.spread(y);
                bits(&loss.target)
            });
            assert_eq!(fused, plain, "{y}");
        }
    }

    #[test]
    fn a_histogram_has_the_mean_it_was_made_for() {
        let mut loss = HlGaussLoss::new(TargetRule::Q_LEARNING, -10.0, 10.0, 50, 0.75);
        let centres = centres(-10.0, 10.0, 50);
        for y in [0.0, 3.3, -7.77, 5.0] {
            loss.spread(y);
            let sum: f32 = loss.target.iter().sum();
            let mean: f32 = loss.target.iter().zip(&centres).map(|(mass, centre)| mass * centre).sum();
            assert!((sum - 1.0).abs() < 1e-5 && (mean - y).abs() < 1e-3, "{y}: sum {sum}, mean {mean}");
        }
        loss.spread(10.0);
        assert!((loss.target.iter().sum::<f32>() - 1.0).abs() < 1e-5, "also at the end of the range");
        // Half of the distribution is cut off there, and the mean of bins is 9.724: about σ · √(2/π) from the end.
        let mean: f32 = loss.target.iter().zip(&centres).map(|(mass, centre)| mass * centre).sum();
        assert!((mean - 9.723_941).abs() < 1e-3, "{mean}");
    }
}
