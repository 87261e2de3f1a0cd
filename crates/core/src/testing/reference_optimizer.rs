//! The optimisers, slow and obviously right.

use crate::network::{EpsilonForm, OptimizerConfig};
use crate::{StateError, StateReader, StateWriter};

/// An optimiser that computes everything in `f64`, one number after the other.
#[derive(Clone, Debug)]
pub(super) struct ReferenceOptimizer {
    config: OptimizerConfig,
    elements: Vec<Element>,
    gradient_steps: u64,
    /// Those since the last reset.
    steps_since_reset: u64,
}

/// What an optimiser keeps of one parameter. Each uses a part of it.
#[derive(Clone, Copy, Debug, Default)]
struct Element {
    /// The running mean of the gradient.
    mean: f64,
    /// The running mean of its square.
    mean_square: f64,
    /// The momentum.
    buffer: f64,
}

/// What one parameter's step begins with.
#[derive(Clone, Copy)]
struct Given {
    parameter: f64,
    /// After clipping.
    gradient: f64,
    learning_rate: f64,
    /// The number of the step since the last reset, counted from 1.
    step: f64,
}

impl ReferenceOptimizer {
    /// For `count` parameters, before its first step.
    pub(super) fn new(config: OptimizerConfig, count: usize) -> Self {
        Self { config, elements: vec![Element::default(); count], gradient_steps: 0, steps_since_reset: 0 }
    }

    /// The number of steps taken.
    pub(super) fn gradient_steps(&self) -> u64 {
        self.gradient_steps
    }

    /// Back to before the first step, but for the number of steps taken.
    pub(super) fn reset(&mut self) {
        self.elements.fill(Element::default());
        self.steps_since_reset = 0;
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
        self.steps_since_reset += 1;
        let (learning_rate, step) = (f64::from(learning_rate), self.steps_since_reset as f64);
        for ((element, online), gradient) in self.elements.iter_mut().zip(online).zip(gradient) {
            let (parameter, gradient) = (f64::from(*online), gradient * scale);
            let given = Given { parameter, gradient, learning_rate, step };
            *online = element.step(self.config, given) as f32;
        }
    }

    /// Writes its step counts and all its numbers.
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.tag("reference-optimizer");
        state.u64(self.gradient_steps);
        state.u64(self.steps_since_reset);
        let numbers: Vec<f64> =
            self.elements.iter().flat_map(|e| [e.mean, e.mean_square, e.buffer]).collect();
        state.f64_slice(&numbers);
    }

    /// Takes over what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of an optimiser of as many parameters; it then is as it was.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("reference-optimizer")?;
        let gradient_steps = state.u64("gradient steps")?;
        let steps_since_reset = state.u64_at_most("gradient steps since the reset", gradient_steps)?;
        let numbers = state.f64_vec("the optimiser's numbers")?;
        let expected = 3 * self.elements.len();
        if numbers.len() != expected {
            return Err(StateError::mismatch("the optimiser's numbers", expected, numbers.len()));
        }
        (self.gradient_steps, self.steps_since_reset) = (gradient_steps, steps_since_reset);
        for (element, numbers) in self.elements.iter_mut().zip(numbers.chunks_exact(3)) {
            *element = Element { mean: numbers[0], mean_square: numbers[1], buffer: numbers[2] };
        }
        Ok(())
    }
}

impl Element {
    /// The parameter after the step: each formula as [`OptimizerConfig`] has it.
    fn step(&mut self, config: OptimizerConfig, given: Given) -> f64 {
        let Given { parameter, gradient, learning_rate, step } = given;
        match config {
            OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form, weight_decay } => {
                let (c1, c2) = self.follow(gradient + weight_decay * parameter, beta1, beta2, step);
                let direction = match epsilon_form {
                    EpsilonForm::Corrected => (self.mean / c1) / ((self.mean_square / c2).sqrt() + epsilon),
                    EpsilonForm::Uncorrected => {
                        c2.sqrt() / c1 * self.mean / (self.mean_square.sqrt() + epsilon)
                    }
                };
                parameter - learning_rate * direction
            }
            OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let (c1, c2) = self.follow(gradient, beta1, beta2, step);
                let direction = (self.mean / c1) / ((self.mean_square / c2).sqrt() + epsilon);
                parameter * (1.0 - learning_rate * weight_decay) - learning_rate * direction
            }
            OptimizerConfig::RAdam { beta1, beta2, epsilon, weight_decay, decoupled_weight_decay } => {
                let decay = weight_decay * parameter;
                let (gradient, parameter) = match decoupled_weight_decay {
                    true => (gradient, parameter - learning_rate * decay),
                    false => (gradient + decay, parameter),
                };
                let (c1, c2) = self.follow(gradient, beta1, beta2, step);
                let rho_inf = 2.0 / (1.0 - beta2) - 1.0;
                let rho = rho_inf - 2.0 * step * beta2.powf(step) / c2;
                let adapted = match rho > 5.0 {
                    true => {
                        let numerator = (rho - 4.0) * (rho - 2.0) * rho_inf;
                        let rectification = numerator / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho);
                        rectification.sqrt() * c2.sqrt() / (self.mean_square.sqrt() + epsilon)
                    }
                    false => 1.0,
                };
                parameter - learning_rate * self.mean / c1 * adapted
            }
            OptimizerConfig::RmsProp {
                alpha,
                epsilon,
                epsilon_inside_root,
                momentum,
                centered,
                weight_decay,
            } => {
                let gradient = gradient + weight_decay * parameter;
                self.mean = alpha * self.mean + (1.0 - alpha) * gradient;
                self.mean_square = alpha * self.mean_square + (1.0 - alpha) * gradient * gradient;
                let centre = if centered { self.mean } else { 0.0 };
                let variance = self.mean_square - centre * centre;
                // Not `max`, which would make 0 of NaN.
                let variance = if variance < 0.0 { 0.0 } else { variance };
                let root = match epsilon_inside_root {
                    true => (variance + epsilon).sqrt(),
                    false => variance.sqrt() + epsilon,
                };
                self.buffer = momentum * self.buffer + gradient / root;
                parameter - learning_rate * self.buffer
            }
            OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
                let gradient = gradient + weight_decay * parameter;
                self.buffer = momentum * self.buffer + gradient;
                let direction = if nesterov { gradient + momentum * self.buffer } else { self.buffer };
                parameter - learning_rate * direction
            }
        }
    }

    /// Adam's means follow the gradient; gives 1−β₁ᵗ and 1−β₂ᵗ.
    fn follow(&mut self, gradient: f64, beta1: f64, beta2: f64, step: f64) -> (f64, f64) {
        self.mean = beta1 * self.mean + (1.0 - beta1) * gradient;
        self.mean_square = beta2 * self.mean_square + (1.0 - beta2) * gradient * gradient;
        (1.0 - beta1.powf(step), 1.0 - beta2.powf(step))
    }
}
