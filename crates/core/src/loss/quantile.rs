//! The distribution of the return by its quantiles: QR-DQN.
//!
//! - Dabney, Rowland, Bellemare, Munos 2018, *Distributional Reinforcement Learning with Quantile Regression*,
//!   arXiv 1710.10044
//!
//! ```text
//! τ_i  = (i + ½) / N                                      θ_i(s, a): the quantile of the return at τ_i
//! y_j  = reward + discount · Σ_a' weight(a') · (θ_j(next, a'; target) + offset(a'))     for j of N'
//! u_ij = y_j − θ_i(observation, action; online)
//! ρ_τ(u) = |τ − 1{u < 0}| · H_κ(u) / κ,   H_κ(u) = ½·u² where |u| ≤ κ, κ·(|u| − ½·κ) elsewhere
//!          |τ − 1{u < 0}| · |u|                                                         for κ = 0
//! L    = Σ_i 1/N' Σ_j ρ_τi(u_ij)
//! TD error: the mean of |u_ij|
//! ```

use super::bootstrap::{Bootstrap, Part};
use super::{Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions, midpoints};

/// The loss of quantiles at fixed fractions.
#[derive(Clone, Debug)]
pub struct QuantileLoss {
    kappa: f32,
    fractions: Vec<f32>,
    bootstrap: Bootstrap,
    /// `y`.
    targets: Vec<f32>,
}

impl QuantileLoss {
    /// The loss of `quantiles` quantiles, quadratic for errors up to `kappa`.
    pub fn new(rule: TargetRule, quantiles: usize, kappa: f32) -> Self {
        let bootstrap = Bootstrap::new(rule, Fractions::None, |_| Fractions::None);
        Self { kappa, fractions: midpoints(quantiles).collect(), bootstrap, targets: vec![] }
    }
}

impl Loss for QuantileLoss {
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
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            let (bonus, parts) =
                self.bootstrap.at(b, transitions, outputs, |_, atoms| Readout::Mean.value(atoms));
            let (reward, discount) = (transitions.reward[b] + bonus, transitions.discount[b]);
            quantile_targets(&mut self.targets, b, (reward, discount), parts, outputs, outputs[1].atoms);
            regress(b, transitions, &outputs[0], &self.fractions, &self.targets, self.kappa, result);
        }
    }
}

/// Writes `y_j`, one for each of the first `count` atoms that are bootstrapped from.
pub(super) fn quantile_targets(
    targets: &mut Vec<f32>,
    b: usize,
    (reward, discount): (f32, f32),
    parts: &[Part],
    outputs: &[Output<'_>],
    count: usize,
) {
    targets.clear();
    targets.resize(count, 0.0);
    for part in parts {
        let atoms = &outputs[part.pass].atoms_of(b, part.action)[..count];
        for (y, atom) in targets.iter_mut().zip(atoms) {
            *y += part.weight * (atom + part.offset);
        }
    }
    targets.iter_mut().for_each(|y| *y = reward + discount * *y);
}

/// Loss, TD error and gradient of transition `b`, whose online quantiles stand at `fractions`.
pub(super) fn regress(
    b: usize,
    transitions: Transitions<'_>,
    online: &Output<'_>,
    fractions: &[f32],
    targets: &[f32],
    kappa: f32,
    result: &mut LossResult<'_>,
) {
    let a = transitions.action[b] as usize;
    let first = (b * online.actions + a) * online.atoms;
    let d_quantiles = &mut result.d_output[first..first + online.atoms];
    let share = 1.0 / targets.len() as f32;
    let (mut loss, mut distance) = (0.0, 0.0);
    for ((theta, tau), d) in online.atoms_of(b, a).iter().zip(fractions).zip(d_quantiles) {
        let (sum, slope, magnitude) = match kappa > 0.0 {
            true => pairs(*theta, *tau, targets, |u| huber(u, kappa)),
            false => pairs(*theta, *tau, targets, |u| (u.abs(), sign(u))),
        };
        loss += sum * share;
        distance += magnitude * share;
        *d = -slope * share;
    }
    result.loss[b] = loss;
    result.td_error[b] = distance / fractions.len() as f32;
}

/// Sums over the targets: of ρ, of its slope by u, and of |u|.
#[inline]
fn pairs(theta: f32, tau: f32, targets: &[f32], error: impl Fn(f32) -> (f32, f32)) -> (f32, f32, f32) {
    let (mut sum, mut slope, mut magnitude) = (0.0, 0.0, 0.0);
    for y in targets {
        let u = y - theta;
        let weight = if u < 0.0 { 1.0 - tau } else { tau };
        let (value, derivative) = error(u);
        sum += weight * value;
        slope += weight * derivative;
        magnitude += u.abs();
    }
    (sum, slope, magnitude)
}

/// H_κ(u)/κ and its derivative.
#[inline]
fn huber(u: f32, kappa: f32) -> (f32, f32) {
    let slope = u.clamp(-kappa, kappa);
    (slope * (u - 0.5 * slope) / kappa, slope / kappa)
}

/// The derivative of |u|, 0 at 0.
fn sign(u: f32) -> f32 {
    if u == 0.0 { 0.0 } else { 1.0f32.copysign(u) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 8: the sum goes over the online quantiles and the mean over the target's, on numbers worked out by hand.
    #[test]
    fn row_8_sum_over_online_quantiles_mean_over_targets() {
        let online = [1.0, 4.0];
        let output = Output { values: &online, actions: 1, atoms: 2, fractions: &[] };
        let transitions =
            Transitions { action: &[0], reward: &[0.0], discount: &[1.0], mask: &[], next_mask: &[] };
        let (mut loss, mut td_error, mut d_output) = ([0.0], [0.0], [0.0; 2]);
        let mut result = LossResult {
            loss: &mut loss,
            td_error: &mut td_error,
            d_output: &mut d_output,
            d_fractions: &mut [],
        };
        // u for θ = 1: 1, −1, 2; for θ = 4: −2, −4, −1. κ = 1.
        regress(0, transitions, &output, &[0.25, 0.75], &[2.0, 0.0, 3.0], 1.0, &mut result);
        let first = 0.25 * 0.5 + 0.75 * 0.5 + 0.25 * 1.5;
        let second = 0.25 * (1.5 + 3.5 + 0.5);
        assert!((loss[0] - (first + second) / 3.0).abs() < 1e-6, "{loss:?}");
        let slopes = [0.25 - 0.75 + 0.25, -0.25 * 3.0].map(|slope: f32| -slope / 3.0);
        assert!(
            d_output.iter().zip(slopes).all(|(found, slope)| (found - slope).abs() < 1e-6),
            "{d_output:?}"
        );
        assert!((td_error[0] - 11.0 / 6.0).abs() < 1e-6, "{td_error:?}");
    }
}
