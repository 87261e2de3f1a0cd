//! The distribution of the return as a function of the fraction: implicit quantile networks.
//!
//! - Dabney, Ostrovski, Silver, Munos 2018, *Implicit Quantile Networks for Distributional Reinforcement Learning*,
//!   arXiv 1806.06923
//!
//! ```text
//! τ_i, i of N, and τ'_j, j of N': uniform from 0 to 1, drawn anew for each transition
//! Q(s, a) = the mean of Z_τ(s, a) over K midpoints                       which chooses the next action
//! y_j  = reward + discount · Σ_a' weight(a') · (Z_τ'j(next, a'; target) + offset(a'))
//! u_ij = y_j − Z_τi(observation, action; online)
//! L    = Σ_i 1/N' Σ_j ρ_τi(u_ij)                                          see quantile.rs
//! ```
//!
//! The paper draws the K fractions too; their midpoints have nearly the same mean, without its noise.

use super::bootstrap::{Bootstrap, Purpose};
use super::quantile::{quantile_targets, regress};
use super::{Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions};

/// How many fractions an implicit quantile network is asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImplicitQuantiles {
    /// N: of the online network.
    pub online: usize,
    /// N': of the target.
    pub target: usize,
    /// K: those whose mean is an action's value.
    pub midpoints: usize,
}

/// The loss of quantiles at drawn fractions.
#[derive(Clone, Debug)]
pub struct ImplicitQuantileLoss {
    kappa: f32,
    counts: ImplicitQuantiles,
    bootstrap: Bootstrap,
    targets: Vec<f32>,
}

impl ImplicitQuantileLoss {
    /// The loss at so many fractions, quadratic for errors up to `kappa`.
    pub fn new(rule: TargetRule, counts: ImplicitQuantiles, kappa: f32) -> Self {
        let trained = Fractions::Drawn { drawn: counts.online, midpoints: 0 };
        let bootstrap = Bootstrap::new(rule, trained, |purpose| match purpose {
            Purpose::Choosing => Fractions::Drawn { drawn: 0, midpoints: counts.midpoints },
            Purpose::Learning => Fractions::Drawn { drawn: counts.target, midpoints: 0 },
            Purpose::Both => Fractions::Drawn { drawn: counts.target, midpoints: counts.midpoints },
        });
        Self { kappa, counts, bootstrap, targets: vec![] }
    }
}

impl Loss for ImplicitQuantileLoss {
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
        let ImplicitQuantiles { target: drawn, midpoints, .. } = self.counts;
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            // Those that choose stand last.
            let value = |_: usize, atoms: &[f32]| Readout::Mean.value(&atoms[atoms.len() - midpoints..]);
            let (bonus, parts) = self.bootstrap.at(b, transitions, outputs, value);
            let (reward, discount) = (transitions.reward[b] + bonus, transitions.discount[b]);
            quantile_targets(&mut self.targets, b, (reward, discount), parts, outputs, drawn);
            let fractions = outputs[0].fractions_of(b);
            regress(b, transitions, &outputs[0], fractions, &self.targets, self.kappa, result);
        }
    }
}
