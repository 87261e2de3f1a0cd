//! How parameters follow the gradient, as data.
//!
//! The formulas are PyTorch's (`torch.optim`), with these letters: `p` a parameter, `g` its gradient after
//! clipping, `t` the number of the step counted from 1, `η` the learning rate, `λ` the weight decay. All running
//! means begin at 0.
//!
//! # Weight decay
//! The L2 form adds it to the gradient before anything else, `g += λ·p`; the decoupled form (Loshchilov &
//! Hutter 2019) shrinks the parameter itself before the step, `p *= 1 − η·λ`. Either form decays every parameter,
//! biases too.

use serde::{Deserialize, Serialize};

use crate::SettingError;

/// How parameters follow the gradient. The learning rate is given with every step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Adam (Kingma & Ba 2015), with epsilon as PyTorch or as Keras has it: see [`EpsilonForm`].
    ///
    /// `m += (1−β₁)·(g−m)`, `v = β₂·v + (1−β₂)·g²`,
    /// `p −= η · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + epsilon)`.
    Adam {
        /// Decay of the mean of the gradients, β₁.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of their squares, β₂.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// To which root it is added.
        #[serde(default)]
        epsilon_form: EpsilonForm,
        /// Weight decay λ in the L2 form.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW {
        /// Decay of the mean of the gradients, β₁.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of their squares, β₂.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root of the corrected mean.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Weight decay λ in the decoupled form.
        #[serde(default = "default_decoupled_weight_decay")]
        weight_decay: f64,
    },
    /// Rectified Adam (Liu et al. 2020): the step is divided by the root only once enough gradients were seen to
    /// know its variance.
    ///
    /// With `ρ∞ = 2/(1−β₂) − 1` and `ρ = ρ∞ − 2t·β₂ᵗ/(1−β₂ᵗ)`: where `ρ > 5`,
    /// `p −= η · (m/(1−β₁ᵗ)) · √(1−β₂ᵗ) / (√v + epsilon) · √((ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ))`, else
    /// `p −= η · m/(1−β₁ᵗ)`.
    #[serde(rename = "radam")]
    RAdam {
        /// Decay of the mean of the gradients, β₁.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of their squares, β₂.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root of the mean as it is.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Weight decay λ.
        #[serde(default)]
        weight_decay: f64,
        /// Whether it has the decoupled form, not the L2 form.
        #[serde(default)]
        decoupled_weight_decay: bool,
    },
    /// RMSprop (Hinton 2012; centred: Graves 2013).
    ///
    /// `v = α·v + (1−α)·g²`, centred also `m += (1−α)·(g−m)` and then `v−m²` in the place of `v`,
    /// `d = g / (√v + epsilon)`, with momentum `b = momentum·b + d` in the place of `d`, `p −= η·d`.
    ///
    /// `v−m²` cannot be below 0 but for rounding; where it is, it counts as 0. (PyTorch gives NaN there.)
    ///
    /// What Mnih et al. (2015) used is `alpha = 0.95`, `centered = true`, `epsilon = 0.01`,
    /// `epsilon_inside_root = true`.
    #[serde(rename = "rmsprop")]
    RmsProp {
        /// Decay of the mean of the squares, α.
        #[serde(default = "default_alpha")]
        alpha: f64,
        /// Added to the root.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Whether epsilon is added below the root, `√(v + epsilon)`, as in TensorFlow and in the program of
        /// Mnih et al. (2015), not to the root as in PyTorch: the same number then means less, 0.01 what 0.1
        /// means to the root.
        #[serde(default)]
        epsilon_inside_root: bool,
        /// Share of the last change that is kept; 0 for none.
        #[serde(default)]
        momentum: f64,
        /// Whether the mean square is that of the deviations from the mean gradient.
        #[serde(default)]
        centered: bool,
        /// Weight decay λ in the L2 form.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Stochastic gradient descent: `p −= η·g`; with momentum (Polyak 1964) `b = momentum·b + g` and
    /// `p −= η·b`; in the form of Nesterov (1983; Sutskever et al. 2013) `p −= η·(g + momentum·b)`.
    Sgd {
        /// Share of the last change that is kept; 0 for none.
        #[serde(default)]
        momentum: f64,
        /// Whether the step looks ahead along the momentum.
        #[serde(default)]
        nesterov: bool,
        /// Weight decay λ in the L2 form.
        #[serde(default)]
        weight_decay: f64,
    },
}

/// To which root Adam adds its epsilon: the same number means a larger one in the second form, by
/// `1/√(1−β₂ᵗ)`, which is 32 at the first step with a β₂ of 0.999 and nears 1 with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EpsilonForm {
    /// To the root of the corrected mean, as PyTorch does and algorithm 1 of Kingma & Ba (2015):
    /// `p −= learning_rate · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + epsilon)`.
    #[default]
    Corrected,
    /// To the root of the mean as it is, as Keras does; the "epsilon hat" of section 2 of Kingma & Ba (2015):
    /// `p −= learning_rate · √(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + epsilon)`.
    Uncorrected,
}

fn default_beta1() -> f64 {
    0.9
}
fn default_beta2() -> f64 {
    0.999
}
fn default_alpha() -> f64 {
    0.99
}
fn default_epsilon() -> f64 {
    1e-8
}
fn default_decoupled_weight_decay() -> f64 {
    0.01
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam {
            beta1: default_beta1(),
            beta2: default_beta2(),
            epsilon: default_epsilon(),
            epsilon_form: EpsilonForm::default(),
            weight_decay: 0.0,
        }
    }
}

/// State nearer to 0 than this may count as 0 in an engine of `f32`, which an epsilon below its root would
/// make felt.
const LEAST_EPSILON: f64 = 1e-15;

impl OptimizerConfig {
    /// Checks the range of every setting.
    ///
    /// # Errors
    /// [`SettingError`] for the first that cannot be used.
    pub fn validate(&self) -> Result<(), SettingError> {
        match *self {
            Self::Adam { beta1, beta2, epsilon, epsilon_form: _, weight_decay }
            | Self::AdamW { beta1, beta2, epsilon, weight_decay }
            | Self::RAdam { beta1, beta2, epsilon, weight_decay, decoupled_weight_decay: _ } => {
                check_share("beta1", beta1)?;
                check_share("beta2", beta2)?;
                check_epsilon(epsilon)?;
                check_weight_decay(weight_decay)
            }
            Self::RmsProp { alpha, epsilon, epsilon_inside_root: _, momentum, centered: _, weight_decay } => {
                check_share("alpha", alpha)?;
                check_epsilon(epsilon)?;
                check_share("momentum", momentum)?;
                check_weight_decay(weight_decay)
            }
            Self::Sgd { momentum, nesterov, weight_decay } => {
                check_share("momentum", momentum)?;
                let allowed = "false without momentum; set momentum, to 0.9 say";
                SettingError::unless(!nesterov || momentum > 0.0, "nesterov", nesterov, allowed)?;
                check_weight_decay(weight_decay)
            }
        }
    }

    /// How many vectors as long as the parameters it keeps from step to step.
    pub fn state_vectors(&self) -> usize {
        match *self {
            Self::Adam { .. } | Self::AdamW { .. } | Self::RAdam { .. } => 2,
            Self::RmsProp { momentum, centered, .. } => {
                1 + usize::from(centered) + usize::from(momentum > 0.0)
            }
            Self::Sgd { momentum, .. } => usize::from(momentum > 0.0),
        }
    }
}

fn check_share(setting: &'static str, value: f64) -> Result<(), SettingError> {
    SettingError::unless((0.0..1.0).contains(&value), setting, value, "0 up to, but not, 1")
}

fn check_epsilon(value: f64) -> Result<(), SettingError> {
    let holds = value >= LEAST_EPSILON && (value as f32).is_finite();
    SettingError::unless(holds, "epsilon", value, "a positive number of at least 1e-15")
}

fn check_weight_decay(value: f64) -> Result<(), SettingError> {
    let holds = value >= 0.0 && (value as f32).is_finite();
    SettingError::unless(holds, "weight_decay", value, "0 for none, or a positive number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> OptimizerConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_left_out_is_as_in_pytorch() {
        assert_eq!(read(r#"{"kind": "adam"}"#), OptimizerConfig::default());
        let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
        assert_eq!(
            read(r#"{"kind": "adamw"}"#),
            OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay: 0.01 }
        );
        let (weight_decay, decoupled_weight_decay) = (0.0, false);
        assert_eq!(
            read(r#"{"kind": "radam"}"#),
            OptimizerConfig::RAdam { beta1, beta2, epsilon, weight_decay, decoupled_weight_decay }
        );
        let rmsprop = read(r#"{"kind": "rmsprop"}"#);
        let (alpha, momentum, centered, epsilon_inside_root) = (0.99, 0.0, false, false);
        assert_eq!(
            rmsprop,
            OptimizerConfig::RmsProp {
                alpha,
                epsilon,
                epsilon_inside_root,
                momentum,
                centered,
                weight_decay
            }
        );
        assert_eq!(
            read(r#"{"kind": "sgd"}"#),
            OptimizerConfig::Sgd { momentum, nesterov: false, weight_decay }
        );
        for wrong in [r#"{"kind": "adam", "momentum": 0.5}"#, r#"{"kind": "sgd", "dampening": 0}"#] {
            assert!(serde_json::from_str::<OptimizerConfig>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        for (json, setting) in [
            (r#"{"kind": "adam", "beta1": 1.0}"#, "beta1"),
            (r#"{"kind": "adamw", "beta2": -0.1}"#, "beta2"),
            (r#"{"kind": "radam", "epsilon": 0.0}"#, "epsilon"),
            (r#"{"kind": "radam", "epsilon": 1e-16}"#, "epsilon"),
            (r#"{"kind": "adam", "epsilon": 1e40}"#, "epsilon"),
            (r#"{"kind": "adam", "weight_decay": -1e-9}"#, "weight_decay"),
            (r#"{"kind": "adamw", "weight_decay": 1e39}"#, "weight_decay"),
            (r#"{"kind": "rmsprop", "alpha": 1.0}"#, "alpha"),
            (r#"{"kind": "rmsprop", "momentum": 1.0}"#, "momentum"),
            (r#"{"kind": "rmsprop", "epsilon": -1.0}"#, "epsilon"),
            (r#"{"kind": "sgd", "momentum": -0.5}"#, "momentum"),
            (r#"{"kind": "sgd", "nesterov": true}"#, "nesterov"),
        ] {
            assert_eq!(read(json).validate().unwrap_err().setting, setting, "{json}");
        }
        let mut adam = OptimizerConfig::default();
        assert_eq!(adam.validate(), Ok(()));
        if let OptimizerConfig::Adam { epsilon, .. } = &mut adam {
            *epsilon = f64::NAN;
        }
        assert_eq!(adam.validate().unwrap_err().setting, "epsilon");
        let edges = r#"{"kind": "rmsprop", "alpha": 0.0, "momentum": 0.0, "epsilon": 1e-15}"#;
        assert_eq!(read(edges).validate(), Ok(()));
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        for (json, vectors) in [
            (r#"{"kind": "adam"}"#, 2),
            (r#"{"kind": "adamw"}"#, 2),
            (r#"{"kind": "radam"}"#, 2),
            (r#"{"kind": "rmsprop"}"#, 1),
            (r#"{"kind": "rmsprop", "centered": true}"#, 2),
            (r#"{"kind": "rmsprop", "momentum": 0.1}"#, 2),
            (r#"{"kind": "rmsprop", "momentum": 0.1, "centered": true}"#, 3),
            (r#"{"kind": "sgd"}"#, 0),
            (r#"{"kind": "sgd", "momentum": 0.9}"#, 1),
        ] {
            assert_eq!(read(json).state_vectors(), vectors, "{json}");
        }
    }
}
