//! The distribution of the return as a histogram: C51.
//!
//! - Bellemare, Dabney, Munos 2017, *A Distributional Perspective on Reinforcement Learning*, arXiv 1707.06887
//!
//! ```text
//! z_i  = v_min + i·Δ,  Δ = (v_max − v_min) / (atoms − 1)                    the support
//! p(s, a) = softmax(the atoms of a at s)
//! m    = Φ Σ_a' weight(a') · [reward + discount · (z + offset(a')) with p(next, a'; target)]
//!        Φ: each return, cut off at v_min and v_max, is shared by the two z_i next to it
//! L    = −Σ_i m_i · ln p_i(observation, action; online)                     cross-entropy
//! TD error: KL(m ‖ p) = L + Σ_i m_i · ln m_i
//! ```

use super::bootstrap::{Bootstrap, Part};
use super::{Fractions, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions};
use crate::math::{exp, fused, ln, log_softmax, softmax};

/// The loss of a distribution over fixed returns.
#[derive(Clone, Debug)]
pub struct CategoricalLoss {
    v_min: f32,
    v_max: f32,
    atoms: usize,
    readout: Readout,
    bootstrap: Bootstrap,
    /// `m`.
    target: Vec<f32>,
    /// `p` of the one that is bootstrapped from, then ln `p` of the one that is trained.
    probabilities: Vec<f32>,
}

/// The returns `v_min` to `v_max` in `atoms` equal distances.
pub(super) fn support(v_min: f32, v_max: f32, atoms: usize) -> Vec<f32> {
    let distance = (f64::from(v_max) - f64::from(v_min)) / (atoms - 1) as f64;
    (0..atoms).map(|i| (f64::from(v_min) + i as f64 * distance) as f32).collect()
}

impl CategoricalLoss {
    /// The loss over `atoms` returns from `v_min` to `v_max`.
    ///
    /// # Panics
    /// If there are fewer than 2 atoms or `v_min` is not below `v_max`.
    pub fn new(rule: TargetRule, v_min: f32, v_max: f32, atoms: usize) -> Self {
        assert!(atoms >= 2 && v_min < v_max, "{atoms} atoms from {v_min} to {v_max}");
        let bootstrap = Bootstrap::new(rule, Fractions::None, |_| Fractions::None);
        let readout = Readout::Support(support(v_min, v_max, atoms));
        let (target, probabilities) = (vec![0.0; atoms], vec![0.0; atoms]);
        Self { v_min, v_max, atoms, readout, bootstrap, target, probabilities }
    }

    /// `m` for a transition with the discount `discount`, to whose return `reward` is added.
    fn project(
        target: &mut [f32],
        probabilities: &mut [f32],
        range: (f32, f32),
        (reward, discount): (f32, f32),
        parts: impl Iterator<Item = (Part, impl AsRef<[f32]>)>,
    ) {
        target.fill(0.0);
        let mut nothing = true;
        for (part, logits) in parts {
            nothing = false;
            probabilities.copy_from_slice(logits.as_ref());
            softmax(probabilities);
            let first = f64::from(reward) + f64::from(discount) * f64::from(part.offset);
            share_all(target, probabilities, range, first, discount, part.weight);
        }
        if nothing {
            share(target, range, f64::from(reward), 1.0);
        }
    }
}

fused! {
    /// Shares `weight · p_i` at each `first + discount · z_i` out.
    fn share_all(
        target: &mut [f32],
        probabilities: &[f32],
        range: (f32, f32),
        first: f64,
        discount: f32,
        weight: f32,
    ) {
        let low = f64::from(range.0);
        let distance = (f64::from(range.1) - low) / (probabilities.len() - 1) as f64;
        for (i, probability) in probabilities.iter().enumerate() {
            let z = low + i as f64 * distance;
            share(target, range, first + f64::from(discount) * z, weight * probability);
        }
    }
}

/// Shares the mass of one return between the two atoms next to it. All of it arrives, also where the return is an
/// atom's own, the first one's or the last one's, or beyond.
#[inline(always)]
fn share(target: &mut [f32], (v_min, v_max): (f32, f32), value: f64, mass: f32) {
    let (low, high, last) = (f64::from(v_min), f64::from(v_max), target.len() - 1);
    // In double precision: the place of a return among many atoms leaves too few digits of a single one.
    let place = (value.clamp(low, high) - low) * (last as f64 / (high - low));
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    let upper = mass * (place - below as f64) as f32;
    target[below] += mass - upper;
    target[above] += upper;
}

impl Loss for CategoricalLoss {
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
        let width = outputs[0].actions * self.atoms;
        result.d_output.fill(0.0);
        for b in 0..transitions.len() {
            let readout = &self.readout;
            let (bonus, parts) = self.bootstrap.at(b, transitions, outputs, |_, atoms| readout.value(atoms));
            let parts = parts.iter().map(|part| (*part, outputs[part.pass].atoms_of(b, part.action)));
            let (reward, discount) = (transitions.reward[b] + bonus, transitions.discount[b]);
            let range = (self.v_min, self.v_max);
            Self::project(&mut self.target, &mut self.probabilities, range, (reward, discount), parts);

            let a = transitions.action[b] as usize;
            let first = b * width + a * self.atoms;
            let d_logits = &mut result.d_output[first..first + self.atoms];
            let log_p = &mut self.probabilities;
            log_p.copy_from_slice(outputs[0].atoms_of(b, a));
            (result.loss[b], result.td_error[b]) = cross_entropy(&self.target, log_p, d_logits);
        }
    }
}

fused! {
    /// The cross-entropy of logits to a target distribution and the divergence between the two; the gradient by the
    /// logits. `logits` become their logarithmic probabilities.
    pub(super) fn cross_entropy(target: &[f32], logits: &mut [f32], d_logits: &mut [f32]) -> (f32, f32) {
        log_softmax(logits);
        let log_p = logits;
        for (d, log_p) in d_logits.iter_mut().zip(&*log_p) {
            *d = exp(*log_p);
        }
        let (mut loss, mut divergence) = (0.0, 0.0);
        for ((m, log_p), d) in target.iter().zip(&*log_p).zip(d_logits) {
            *d -= m;
            if *m > 0.0 {
                loss -= m * log_p;
                divergence += m * (ln(*m) - log_p);
            }
        }
        (loss, divergence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projected(reward: f32, discount: f32, logits: &[f32]) -> Vec<f32> {
        let (mut target, mut probabilities) = (vec![0.0; logits.len()], vec![0.0; logits.len()]);
        let part = Part { action: 0, pass: 1, weight: 1.0, offset: 0.0 };
        let parts = [(part, logits)].into_iter().filter(|_| discount != 0.0);
        let (range, shift) = ((-2.0, 2.0), (reward, discount));
        CategoricalLoss::project(&mut target, &mut probabilities, range, shift, parts);
        target
    }

    /// Row 7: all mass arrives where a return falls on an atom, on the first, on the last, beyond, and at the end.
    #[test]
    fn row_7_the_projection_keeps_all_mass() {
        let logits = [0.3, -0.5, 0.9, 0.1, -1.0];
        for (reward, discount) in [
            (1.0, 1.0),
            (0.0, 1.0),
            (-2.0, 0.0),
            (2.0, 0.0),
            (-9.0, 1.0),
            (9.0, 0.99),
            (0.5, 0.0),
            (0.25, 0.5),
        ] {
            let target = projected(reward, discount, &logits);
            let sum: f32 = target.iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "reward {reward}, discount {discount}: {target:?}");
            assert!(target.iter().all(|mass| *mass >= 0.0));
        }
        assert_eq!(projected(-2.0, 0.0, &logits), [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(projected(2.0, 0.0, &logits), [0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(projected(0.5, 0.0, &logits), [0.0, 0.0, 0.5, 0.5, 0.0]);
        assert_eq!(projected(9.0, 0.99, &logits)[4], projected(9.0, 0.99, &logits).iter().sum::<f32>());
    }

    #[test]
    fn losses_have_the_same_bits_with_and_without_the_instruction() {
        use crate::math::fused_tests::{bits, both, numbers};
        for seed in 0..50 {
            let logits = numbers(51, 2 * seed);
            let evaluated = both(|| {
                let (mut target, mut probabilities, mut d) = (vec![0.0; 51], vec![0.0; 51], vec![0.0; 51]);
                let part = Part { action: 0, pass: 1, weight: 0.75, offset: -0.3 };
                let parts = [(part, &logits[..])].into_iter();
                CategoricalLoss::project(&mut target, &mut probabilities, (-5.0, 7.0), (0.4, 0.97), parts);
                let mut log_p = logits.clone();
                let (loss, divergence) = cross_entropy(&target, &mut log_p, &mut d);
                [bits(&target), bits(&log_p), bits(&d), bits(&[loss, divergence])]
            });
            assert_eq!(evaluated[0], evaluated[1], "{logits:?}");
        }
    }
}
