//! The distribution of the return at fractions that are learned: fully parameterised quantile functions.
//!
//! - Yang et al. 2019, *Fully Parameterized Quantile Function for Distributional Reinforcement Learning*,
//!   arXiv 1911.02140
//!
//! ```text
//! 0 = τ_0 < τ_1 < … < τ_N = 1: proposed for each observation       τ̂_i = (τ_i + τ_{i+1}) / 2
//! Q(s, a) = Σ_i (τ_{i+1} − τ_i) · Z_τ̂i(s, a)                       which chooses the next action
//! y_j  = reward + discount · Σ_a' weight(a') · (Z_τ̂'j(next, a'; target) + offset(a'))
//! L    = Σ_i 1/N Σ_j ρ_τ̂i(y_j − Z_τ̂i(observation, action; online))                 see quantile.rs
//!
//! ∂W₁/∂τ_i = 2·Z_τi − Z_τ̂i − Z_τ̂{i−1}   at the observation and the action, for i = 1 … N − 1
//! ```
//!
//! The gradient by the proposed fractions goes on through [`FractionProposal`](crate::FractionProposal).

use super::bootstrap::Bootstrap;
use super::quantile::{quantile_targets, regress};
use super::{At, Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions};
use crate::network::Parameters;

/// The loss of quantiles at proposed fractions, and of the proposals.
#[derive(Clone, Debug)]
pub struct ProposedQuantileLoss {
    kappa: f32,
    bootstrap: Bootstrap,
    targets: Vec<f32>,
}

impl ProposedQuantileLoss {
    /// The loss, quadratic for errors up to `kappa`.
    pub fn new(rule: TargetRule, kappa: f32) -> Self {
        let midpoints = Fractions::ProposedMidpoints;
        let mut bootstrap = Bootstrap::new(rule, midpoints, |_| midpoints);
        let (parameters, at) = (Parameters::Online, At::Observation);
        bootstrap.push_pass(Pass { parameters, at, fractions: Fractions::Proposed });
        Self { kappa, bootstrap, targets: vec![] }
    }
}

/// Σ_i (τ_{i+1} − τ_i) · Z_τ̂i, from the midpoints alone: τ_{i+1} = 2·τ̂_i − τ_i.
fn weighted_mean(quantiles: &[f32], midpoints: &[f32]) -> f32 {
    let (mut edge, mut mean) = (0.0, 0.0);
    for (quantile, midpoint) in quantiles.iter().zip(midpoints) {
        let next = 2.0 * midpoint - edge;
        mean += (next - edge) * quantile;
        edge = next;
    }
    mean
}

impl Loss for ProposedQuantileLoss {
    fn passes(&self) -> &[Pass] {
        self.bootstrap.passes()
    }

    fn readout(&self) -> &Readout {
        &Readout::Mean
    }

    fn evaluate(
        &mut self,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        result: &mut LossResult<'_>,
    ) {
        let proposed = &outputs[outputs.len() - 1];
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            let value = |pass: usize, atoms: &[f32]| weighted_mean(atoms, outputs[pass].fractions_of(b));
            let (bonus, parts) = self.bootstrap.at(b, transitions, outputs, value);
            let (reward, discount) = (transitions.reward[b] + bonus, transitions.discount[b]);
            quantile_targets(&mut self.targets, b, (reward, discount), parts, outputs, outputs[1].atoms);
            let midpoints = outputs[0].fractions_of(b);
            regress(b, transitions, &outputs[0], midpoints, &self.targets, self.kappa, result);

            let a = transitions.action[b] as usize;
            let (at_midpoints, at_edges) = (outputs[0].atoms_of(b, a), proposed.atoms_of(b, a));
            let d_fractions = &mut result.d_fractions[b * proposed.atoms..(b + 1) * proposed.atoms];
            for (i, (d, at_edge)) in d_fractions.iter_mut().zip(at_edges).enumerate() {
                *d = 2.0 * at_edge - at_midpoints[i + 1] - at_midpoints[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_count_by_the_width_of_their_part() {
        // Edges 0, ¼, ½, 1.
        let mean = weighted_mean(&[4.0, 8.0, 2.0], &[0.125, 0.375, 0.75]);
        assert_eq!(mean, 0.25 * 4.0 + 0.25 * 8.0 + 0.5 * 2.0);
    }
}
