//! Steps of the optimiser, and what follows them.

use super::pair::{Pair, bits, regress};
use super::{Make, NamedSpec, batches};
use crate::network::{EpsilonForm, OptimizerConfig, Parameters, QNetwork};

/// The optimisers that the checks use: every one of them, and every switch on and off. Where epsilon is added to
/// a root it is large, so that the sign of a gradient that is 0 but for rounding decides nothing.
pub fn optimizers() -> Vec<OptimizerConfig> {
    let (beta1, beta2, epsilon, weight_decay) = (0.8, 0.99, 1.5e-4, 0.1);
    let adam = |epsilon_form, weight_decay| OptimizerConfig::Adam {
        beta1,
        beta2,
        epsilon,
        epsilon_form,
        weight_decay,
    };
    let radam = |weight_decay, decoupled_weight_decay| OptimizerConfig::RAdam {
        beta1,
        beta2,
        epsilon,
        weight_decay,
        decoupled_weight_decay,
    };
    let rmsprop = |centered, momentum, epsilon_inside_root, weight_decay| OptimizerConfig::RmsProp {
        alpha: 0.95,
        epsilon: if epsilon_inside_root { 1e-4 } else { 1e-2 },
        epsilon_inside_root,
        momentum,
        centered,
        weight_decay,
    };
    let sgd = |momentum, nesterov, weight_decay| OptimizerConfig::Sgd { momentum, nesterov, weight_decay };
    vec![
        OptimizerConfig::default(),
        adam(EpsilonForm::Corrected, 0.0),
        adam(EpsilonForm::Uncorrected, weight_decay),
        OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay: 2.0 },
        radam(weight_decay, false),
        radam(2.0, true),
        rmsprop(false, 0.0, false, weight_decay),
        rmsprop(false, 0.9, true, 0.0),
        rmsprop(true, 0.0, true, 0.0),
        rmsprop(true, 0.9, false, weight_decay),
        sgd(0.0, false, weight_decay),
        sgd(0.9, false, 0.0),
        sgd(0.9, true, weight_decay),
    ]
}

/// Every optimiser on the first network, and on every other the default and, unless it is large, one of the rest in
/// turn: what an optimiser does to a parameter does not depend on the layer that it is in.
pub(super) fn trained(specs: &[NamedSpec]) -> Vec<(&NamedSpec, OptimizerConfig)> {
    let optimizers = optimizers();
    let mut all = vec![];
    for (place, named) in specs.iter().enumerate() {
        let some = match named.spec.multiply_adds() {
            _ if place == 0 => optimizers.clone(),
            0..50_000 => vec![optimizers[0], optimizers[1 + place % (optimizers.len() - 1)]],
            _ => vec![optimizers[0]],
        };
        all.extend(some.into_iter().map(|optimizer| (named, optimizer)));
    }
    all
}

/// Twenty steps of every optimiser, with and without clipping, follow the reference's.
///
/// # Panics
/// Where they do not.
pub fn trajectory(make: Make<'_>, specs: &[NamedSpec]) {
    for (named, optimizer) in trained(specs) {
        let mut pair = Pair::new(make, named, optimizer);
        let batches = batches(&named.spec);
        for step in 0..20u64 {
            let batch = batches[step as usize % batches.len()];
            let learning_rate = 1e-3 / (1.0 + step as f32 / 10.0);
            let norm = [None, Some(0.05), Some(1e6)][step as usize % 3];
            pair.draw_noise(Parameters::Online);
            pair.regress(batch, learning_rate, norm);
            pair.compare_gradients(&format!("before clipping, at step {step}"));
            assert_eq!(pair.network.gradient_steps(), step + 1, "gradient steps of {named}");
            pair.compare_parameters(step);
        }
    }
}

/// After a reset of the optimiser the next steps are those of a new one, to the bit, and follow the reference's; the
/// steps that were taken still count.
///
/// # Panics
/// Where it is not so.
pub fn optimizer_reset(make: Make<'_>, specs: &[NamedSpec]) {
    for (named, optimizer) in trained(specs) {
        let mut pair = Pair::new(make, named, optimizer);
        (0..4).for_each(|_| pair.regress(3, 1e-3, None));
        let online = pair.network.parameters(Parameters::Online);
        pair.network.reset_optimizer();
        pair.reference.reset_optimizer();
        let kept = pair.network.parameters(Parameters::Online);
        assert!(bits(&kept) == bits(&online), "a reset of the optimiser changes the parameters of {named}");
        assert_eq!(pair.network.gradient_steps(), 4, "gradient steps of {named} after a reset");
        let mut fresh = make(&named.spec, optimizer, &online);
        for step in 0..3 {
            let (inputs, aims) = pair.regress_given(3, 1e-3, None);
            regress(&mut *fresh, &inputs, &aims, 1e-3, None);
            pair.compare_parameters(step);
            let [found, expected] =
                [&*pair.network, &*fresh].map(|network| bits(&network.parameters(Parameters::Online)));
            assert!(found == expected, "{named} after a reset, step {step}, and a new one: {optimizer:?}");
        }
        assert_eq!(pair.network.gradient_steps(), 7, "gradient steps of {named} after a reset");
    }
}

impl Pair {
    /// Where a gradient is nearly 0, Adam's first steps depend on its sign alone, which rounding may turn: so a
    /// single parameter may be off by more than all are in the mean.
    pub(super) fn compare_parameters(&self, step: u64) {
        let found = self.network.parameters(Parameters::Online);
        let expected = self.reference.parameters(Parameters::Online);
        let errors: Vec<f64> =
            found.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - f64::from(*e)).abs()).collect();
        let greatest = errors.iter().fold(0.0f64, |greatest, error| greatest.max(*error));
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!(
            greatest < 5e-5 && mean < 1e-6,
            "parameters of {} after step {step} of {:?} are off by {greatest:e}, in the mean by {mean:e}",
            self.named,
            self.optimizer
        );
    }
}

/// Hard and soft target updates.
///
/// # Panics
/// Where the target parameters are not what they should be, or the online ones have changed.
pub fn target_updates(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        let online = pair.network.parameters(Parameters::Online);
        for tau in [0.01, 0.01, 0.5, 1.0] {
            pair.network.update_target(tau);
            pair.reference.update_target(tau);
            let found = pair.network.parameters(Parameters::Target);
            let expected = pair.reference.parameters(Parameters::Target);
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 1e-6,
                    "the target of {named} after tau {tau} is {found}, the reference has {expected}"
                );
            }
            assert_eq!(bits(&pair.network.parameters(Parameters::Online)), bits(&online), "online, {tau}");
        }
        assert_eq!(bits(&pair.network.parameters(Parameters::Target)), bits(&online), "tau 1 copies");
        pair.regress(3, 1e-2, None);
        assert_eq!(
            bits(&pair.network.parameters(Parameters::Target)),
            bits(&online),
            "a gradient step of {named} moves the online parameters only"
        );
        assert_ne!(bits(&pair.network.parameters(Parameters::Online)), bits(&online), "a step moves them");
    }
}
