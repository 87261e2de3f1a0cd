//! What of the optimiser is worked out once a step, not once an element.

use deepq_core::network::{EpsilonForm, OptimizerConfig, SpecError};

use crate::kernels::AdamStep;

/// Adam's settings, in double precision as PyTorch keeps them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamSettings {
    beta1: f64,
    beta2: f64,
    epsilon: f32,
    epsilon_form: EpsilonForm,
}

impl AdamSettings {
    /// # Errors
    /// Where this engine has no such optimiser.
    pub(crate) fn new(config: OptimizerConfig) -> Result<Self, SpecError> {
        match config {
            OptimizerConfig::Adam {
                beta1,
                beta2,
                epsilon,
                epsilon_form: epsilon_form @ (EpsilonForm::Corrected | EpsilonForm::Uncorrected),
            } => Ok(Self { beta1: decimal(beta1), beta2: decimal(beta2), epsilon, epsilon_form }),
            _ => Err(SpecError { layer: String::new(), message: "the CPU engine has no such optimiser".to_string() }),
        }
    }

    /// Step number `count`, counted from 1, along the gradient times `gradient_scale`.
    pub(crate) fn step(&self, count: u64, learning_rate: f32, gradient_scale: f32) -> AdamStep {
        let correction1 = 1.0 - power(self.beta1, count);
        let correction2 = 1.0 - power(self.beta2, count);
        let root_scale = 1.0 / correction2.sqrt();
        // The kernel adds to the scaled root: scaling what is added too is adding before the scaling.
        let epsilon = match self.epsilon_form {
            EpsilonForm::Uncorrected => (f64::from(self.epsilon) * root_scale) as f32,
            _ => self.epsilon,
        };
        AdamStep {
            gradient_scale,
            one_minus_beta1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            one_minus_beta2: (1.0 - self.beta2) as f32,
            step_size: (f64::from(learning_rate) / correction1) as f32,
            root_scale: root_scale as f32,
            epsilon,
        }
    }
}

/// The number whose shortest decimal is that of `value`: 0.999, where `value` is the `f32` next to 0.999.
///
/// It is what the user wrote, and what PyTorch computes with: 1 − β₂ would otherwise be off by 1e-5.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// `base` to the power of `exponent` by repeated squaring: the library's `powi` does not promise equal bits on
/// every machine, this order of multiplications does.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            result *= base;
        }
        base *= base;
        exponent /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_what_its_decimal_says() {
        assert_eq!(decimal(0.9), 0.9);
        assert_eq!(decimal(0.999), 0.999);
        assert_eq!(decimal(0.0), 0.0);
    }

    #[test]
    fn powers_are_right() {
        for exponent in [0u64, 1, 2, 3, 10, 1000] {
            let expected = 0.999f64.powf(exponent as f64);
            assert!((power(0.999, exponent) - expected).abs() < 1e-13 * expected);
        }
        assert_eq!(power(0.999, u64::MAX), 0.0);
    }
}
