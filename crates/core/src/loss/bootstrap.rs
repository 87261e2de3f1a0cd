//! What a [`TargetRule`] makes of the values at the next observation, for any head.

use super::{At, Fractions, Output, Pass, TargetRule, Transitions, allows, argmax_allowed, mask_row};
use crate::math::{exp, fused, ln};
use crate::network::Parameters;

/// One part of the mixture that is bootstrapped from: `weight · (Z(next, action; pass) + offset)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) action: usize,
    /// The number of the pass whose values count.
    pub(super) pass: usize,
    pub(super) weight: f32,
    pub(super) offset: f32,
}

/// What the values of a pass beside the trained one are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Action values, which choose an action or make a policy.
    Choosing,
    /// Targets, which are learned from.
    Learning,
    Both,
}

/// A target rule at work on one transition after the other.
#[derive(Clone, Debug)]
pub(super) struct Bootstrap {
    rule: TargetRule,
    passes: Vec<Pass>,
    /// The action values that a choice is made by.
    q: Vec<f32>,
    parts: Vec<Part>,
}

/// The pass of the target network at the next observation.
const TARGET_NEXT: usize = 1;
/// The pass of the other network or at the other observation, where the rule needs one.
const OTHER: usize = 2;

impl Bootstrap {
    /// The passes are: the trained one at `trained` fractions, then all others at the fractions for their purpose.
    pub(super) fn new(
        rule: TargetRule,
        trained: Fractions,
        fractions_for: impl Fn(Purpose) -> Fractions,
    ) -> Self {
        let pass = |parameters, at, purpose| Pass { parameters, at, fractions: fractions_for(purpose) };
        let least = matches!(rule, TargetRule::QLearning { minimum_of_networks: true, .. });
        let target_next = match rule.needs_online_next() && !least {
            true => Purpose::Learning,
            false => Purpose::Both,
        };
        let mut passes = vec![
            Pass { parameters: Parameters::Online, at: At::Observation, fractions: trained },
            pass(Parameters::Target, At::NextObservation, target_next),
        ];
        if rule.needs_online_next() {
            let purpose = if least { Purpose::Both } else { Purpose::Choosing };
            passes.push(pass(Parameters::Online, At::NextObservation, purpose));
        }
        if rule.needs_target_now() {
            passes.push(pass(Parameters::Target, At::Observation, Purpose::Choosing));
        }
        Self { rule, passes, q: vec![], parts: vec![] }
    }

    pub(super) fn passes(&self) -> &[Pass] {
        &self.passes
    }

    /// Adds a pass behind those of the rule.
    pub(super) fn push_pass(&mut self, pass: Pass) {
        self.passes.push(pass);
    }

    /// What transition `b` adds to its reward, and what it bootstraps from: nothing where its discount is 0.
    /// `value` gives the action value that the atoms of a pass stand for.
    pub(super) fn at(
        &mut self,
        b: usize,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        value: impl Fn(usize, &[f32]) -> f32,
    ) -> (f32, &[Part]) {
        let actions = outputs[TARGET_NEXT].actions;
        let next_mask = mask_row(transitions.next_mask, b, actions);
        let goes_on = transitions.discount[b] != 0.0;
        self.parts.clear();
        let mut bonus = 0.0;
        match self.rule {
            TargetRule::QLearning { double, minimum_of_networks } if goes_on => {
                let part = match minimum_of_networks {
                    true => self.least(b, outputs, next_mask, &value),
                    false => {
                        let chooses = if double { OTHER } else { TARGET_NEXT };
                        self.read(chooses, b, outputs, &value);
                        let action = argmax_allowed(&self.q, next_mask);
                        Part { action, pass: TARGET_NEXT, weight: 1.0, offset: 0.0 }
                    }
                };
                self.parts.push(part);
            }
            TargetRule::QLearning { .. } => {}
            TargetRule::Munchausen { alpha, temperature, clip } => {
                self.read(OTHER, b, outputs, &value);
                let mask = mask_row(transitions.mask, b, actions);
                scaled_log_policy(&mut self.q, mask, temperature);
                bonus = alpha * self.q[transitions.action[b] as usize].clamp(clip, 0.0);
                if goes_on {
                    self.read(TARGET_NEXT, b, outputs, &value);
                    self.push_soft_policy(next_mask, temperature);
                }
            }
        }
        (bonus, &self.parts)
    }

    /// Reads the action values of a pass.
    fn read(&mut self, pass: usize, b: usize, outputs: &[Output<'_>], value: &impl Fn(usize, &[f32]) -> f32) {
        self.q.clear();
        let output = &outputs[pass];
        self.q.extend((0..output.actions).map(|action| value(pass, output.atoms_of(b, action))));
    }

    /// max_a min(Q(a; target), Q(a; online)).
    fn least(
        &mut self,
        b: usize,
        outputs: &[Output<'_>],
        mask: &[bool],
        value: &impl Fn(usize, &[f32]) -> f32,
    ) -> Part {
        self.read(TARGET_NEXT, b, outputs, value);
        let online = &outputs[OTHER];
        for (action, q) in self.q.iter_mut().enumerate() {
            *q = q.min(value(OTHER, online.atoms_of(b, action)));
        }
        let action = argmax_allowed(&self.q, mask);
        let by_target = value(TARGET_NEXT, outputs[TARGET_NEXT].atoms_of(b, action)) <= self.q[action];
        Part { action, pass: if by_target { TARGET_NEXT } else { OTHER }, weight: 1.0, offset: 0.0 }
    }

    fn push_soft_policy(&mut self, mask: &[bool], temperature: f32) {
        scaled_log_policy(&mut self.q, mask, temperature);
        for (action, &scaled) in self.q.iter().enumerate().filter(|(action, _)| allows(mask, *action)) {
            let weight = exp(scaled / temperature);
            // An action that is never taken has no entropy: 0 · ln 0 = 0.
            if weight > 0.0 {
                self.parts.push(Part { action, pass: TARGET_NEXT, weight, offset: -scaled });
            }
        }
    }
}

fused! {
    /// Action values become τ · ln softmax(q / τ) over the actions that a mask allows:
    /// `(q − m) − τ · ln Σ exp((q − m) / τ)` with m the greatest of them, which neither overflows nor loses digits.
    fn scaled_log_policy(q: &mut [f32], mask: &[bool], temperature: f32) {
        let greatest = q[argmax_allowed(q, mask)];
        let mut sum = 0.0;
        for (action, q) in q.iter().enumerate() {
            if allows(mask, action) {
                sum += exp((q - greatest) / temperature);
            }
        }
        let logarithm = temperature * ln(sum);
        q.iter_mut().for_each(|q| *q = (*q - greatest) - logarithm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 10: values far apart neither overflow nor become NaN.
    #[test]
    fn row_10_log_policies_are_stable() {
        let mut q = [1e4, -1e4, 9_999.97];
        scaled_log_policy(&mut q, &[], 0.03);
        let sum: f32 = 1.0 + (-1.0f32).exp();
        assert!((q[0] + 0.03 * sum.ln()).abs() < 2e-3, "{q:?}");
        assert!((q[1] + 2e4).abs() < 0.02, "{q:?}");
        let mut masked = [1e4, 1.0, 2.0];
        scaled_log_policy(&mut masked, &[false, true, true], 1.0);
        let expected = [1.0, 2.0].map(|q: f32| q - (1f32.exp() + 2f32.exp()).ln());
        assert!(masked[1..].iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
    }
}
