//! What a step of an optimiser multiplies, divides and adds with.

use deepq_core::network::{EpsilonForm, OptimizerConfig};
use deepq_core::power;

use crate::kernels::{AdamStep, Decay, Formula, RmsPropStep, SgdStep};

/// The numbers of step number `count`, counted from 1. All are worked out in double precision, as PyTorch does.
pub(super) fn numbers(config: &OptimizerConfig, count: u64, rate: f64) -> (Formula, Decay) {
    match *config {
        OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form, weight_decay } => {
            let root_scale = 1.0 / (1.0 - power(beta2, count)).sqrt();
            // The kernel adds to the scaled root: scaling what is added too is adding before the scaling.
            let epsilon = match epsilon_form {
                EpsilonForm::Uncorrected => epsilon * root_scale,
                _ => epsilon,
            };
            let step_size = rate / (1.0 - power(beta1, count));
            (adam([beta1, beta2], step_size, root_scale, epsilon), in_gradient(weight_decay))
        }
        OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay } => {
            let root_scale = 1.0 / (1.0 - power(beta2, count)).sqrt();
            let step_size = rate / (1.0 - power(beta1, count));
            (adam([beta1, beta2], step_size, root_scale, epsilon), decoupled(rate * weight_decay))
        }
        OptimizerConfig::RAdam { beta1, beta2, epsilon, weight_decay, decoupled_weight_decay } => {
            let decay = match decoupled_weight_decay {
                true => decoupled(rate * weight_decay),
                false => in_gradient(weight_decay),
            };
            let step_size = rate / (1.0 - power(beta1, count));
            let formula = match rectification(beta2, count) {
                Some(factor) => adam([beta1, beta2], step_size * factor, 1.0, epsilon),
                // Divided by 0 · root + 1.
                None => adam([beta1, beta2], step_size, 0.0, 1.0),
            };
            (formula, decay)
        }
        OptimizerConfig::RmsProp {
            alpha,
            epsilon,
            epsilon_inside_root,
            momentum,
            centered,
            weight_decay,
        } => {
            let epsilon = epsilon as f32;
            let (epsilon_inside, epsilon_outside) =
                if epsilon_inside_root { (epsilon, 0.0) } else { (0.0, epsilon) };
            let step = RmsPropStep {
                alpha: alpha as f32,
                one_minus_alpha: (1.0 - alpha) as f32,
                epsilon_inside,
                epsilon_outside,
                momentum: momentum as f32,
                learning_rate: rate as f32,
            };
            (Formula::RmsProp { step, centered, momentum: momentum > 0.0 }, in_gradient(weight_decay))
        }
        OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
            let step = SgdStep { momentum: momentum as f32, learning_rate: rate as f32 };
            (Formula::Sgd { step, momentum: momentum > 0.0, nesterov }, in_gradient(weight_decay))
        }
        ref other => unreachable!("an optimiser that `new` refuses: {other:?}"),
    }
}

fn adam([beta1, beta2]: [f64; 2], step_size: f64, root_scale: f64, epsilon: f64) -> Formula {
    Formula::Adam(AdamStep {
        one_minus_beta1: (1.0 - beta1) as f32,
        beta2: beta2 as f32,
        one_minus_beta2: (1.0 - beta2) as f32,
        step_size: step_size as f32,
        root_scale: root_scale as f32,
        epsilon: epsilon as f32,
    })
}

fn in_gradient(share: f64) -> Decay {
    if share == 0.0 { Decay::None } else { Decay::InGradient(share as f32) }
}

/// Rounded as PyTorch rounds it: with numbers of single precision, less than 3e-8 a step is lost, there and here.
fn decoupled(share: f64) -> Decay {
    if share == 0.0 { Decay::None } else { Decay::Decoupled((1.0 - share) as f32) }
}

/// RAdam's factor of step `count`, the correction of the mean square included; none where the variance of so few
/// gradients is not known (Liu et al. 2020).
fn rectification(beta2: f64, count: u64) -> Option<f64> {
    let decayed = power(beta2, count);
    let correction = 1.0 - decayed;
    let most = 2.0 / (1.0 - beta2) - 1.0;
    let length = most - 2.0 * count as f64 * decayed / correction;
    (length > 5.0).then(|| {
        let squared = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
        (squared * correction).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectification_begins_with_the_sixth_step() {
        let steps: Vec<bool> = (1..8).map(|count| rectification(0.999, count).is_some()).collect();
        assert_eq!(steps, [false, false, false, false, false, true, true]);
        assert!((1..10_000).all(|count| rectification(0.6, count).is_none()), "never known for short means");
        let late = rectification(0.999, 1_000_000).unwrap();
        assert!((late - 1.0).abs() < 1e-12, "{late}");
    }
}
