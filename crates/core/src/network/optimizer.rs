//! How parameters follow the gradient, as data.

use serde::{Deserialize, Serialize};

/// How parameters follow the gradient. The learning rate is given with every step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Adam (Kingma & Ba 2015), with epsilon as PyTorch or as Keras has it: see [`EpsilonForm`].
    Adam {
        /// Decay of the mean of the gradients, β₁.
        #[serde(default = "default_beta1")]
        beta1: f32,
        /// Decay of the mean of their squares, β₂.
        #[serde(default = "default_beta2")]
        beta2: f32,
        /// Added to the root.
        #[serde(default = "default_epsilon")]
        epsilon: f32,
        /// To which root it is added.
        #[serde(default)]
        epsilon_form: EpsilonForm,
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

fn default_beta1() -> f32 {
    0.9
}
fn default_beta2() -> f32 {
    0.999
}
fn default_epsilon() -> f32 {
    1e-8
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam {
            beta1: default_beta1(),
            beta2: default_beta2(),
            epsilon: default_epsilon(),
            epsilon_form: EpsilonForm::default(),
        }
    }
}
