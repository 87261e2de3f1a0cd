//! The optimisers, slow and obviously right.

use crate::network::{EpsilonForm, OptimizerConfig};
use crate::{StateError, StateReader, StateWriter};

/// An optimiser that computes everything in `f64`, one number after the other.
#[derive(Clone, Debug)]
pub(super) struct ReferenceOptimizer {
    config: OptimizerConfig,
    /// Adam's running mean of the gradient, and of its square.
    mean: Vec<f64>,
    mean_square: Vec<f64>,
    gradient_steps: u64,
}

impl ReferenceOptimizer {
    /// For `count` parameters, before its first step.
    pub(super) fn new(config: OptimizerConfig, count: usize) -> Self {
        Self { config, mean: vec![0.0; count], mean_square: vec![0.0; count], gradient_steps: 0 }
    }

    /// The number of steps taken.
    pub(super) fn gradient_steps(&self) -> u64 {
        self.gradient_steps
    }

    /// One step along `gradient`, scaled down to the norm `max_gradient_norm` where it is longer. Parameters are
    /// rounded to `f32`.
    pub(super) fn step(
        &mut self,
        learning_rate: f32,
        max_gradient_norm: Option<f32>,
        online: &mut [f32],
        gradient: &[f64],
    ) {
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = match max_gradient_norm {
            Some(most) => (f64::from(most) / (norm + 1e-6)).min(1.0),
            None => 1.0,
        };
        self.gradient_steps += 1;
        let OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form } = self.config;
        let (beta1, beta2, epsilon) = (f64::from(beta1), f64::from(beta2), f64::from(epsilon));
        let step = self.gradient_steps as f64;
        for i in 0..online.len() {
            let g = gradient[i] * scale;
            self.mean[i] = beta1 * self.mean[i] + (1.0 - beta1) * g;
            self.mean_square[i] = beta2 * self.mean_square[i] + (1.0 - beta2) * g * g;
            let (correction1, correction2) = (1.0 - beta1.powf(step), 1.0 - beta2.powf(step));
            let direction = match epsilon_form {
                EpsilonForm::Corrected => {
                    (self.mean[i] / correction1) / ((self.mean_square[i] / correction2).sqrt() + epsilon)
                }
                EpsilonForm::Uncorrected => {
                    correction2.sqrt() / correction1 * self.mean[i] / (self.mean_square[i].sqrt() + epsilon)
                }
            };
            online[i] = (f64::from(online[i]) - f64::from(learning_rate) * direction) as f32;
        }
    }

    /// Writes its step count and its means.
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.tag("reference-adam");
        state.u64(self.gradient_steps);
        state.f64_slice(&self.mean);
        state.f64_slice(&self.mean_square);
    }

    /// Takes over what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of this optimiser on as many parameters; it then is as it was.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("reference-adam")?;
        let gradient_steps = state.u64("gradient steps")?;
        let (mean, mean_square) = (state.f64_vec("Adam's mean")?, state.f64_vec("Adam's mean square")?);
        for found in [&mean, &mean_square] {
            if found.len() != self.mean.len() {
                return Err(StateError::mismatch("Adam's means", self.mean.len(), found.len()));
            }
        }
        (self.gradient_steps, self.mean, self.mean_square) = (gradient_steps, mean, mean_square);
        Ok(())
    }
}
