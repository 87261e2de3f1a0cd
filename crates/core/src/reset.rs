//! Giving a network back its ability to learn.

use serde::{Deserialize, Serialize};

use crate::Period;
use crate::RandomStream;
use crate::network::{LayerSpec, NetworkSpec, Parameters, QNetwork};

/// Every so often parameters move back to where a new network begins: `keep · parameter + (1 − keep) · new`.
///
/// With many gradient steps an env step networks lose their ability to learn; resets let them begin anew from a full
/// memory (Nikishin et al. 2022, *The Primacy Bias*, arXiv 2205.07802; D'Oro et al. 2023). Moving only part of the
/// way is shrink-and-perturb (Ash & Adams 2020); BBF (Schwarzer et al. 2023, arXiv 2305.19452) keeps half of the
/// encoder and nothing of the rest. The optimiser's means begin anew too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetConfig {
    /// How often, counted in what.
    pub period: Period,
    /// What is kept of the encoder: of the layers up to the one that flattens an image. Networks for other
    /// observations have none.
    #[serde(default = "half")]
    pub keep_encoder: f32,
    /// What is kept of all other layers.
    #[serde(default)]
    pub keep_rest: f32,
}

fn half() -> f32 {
    0.5
}

impl ResetConfig {
    /// Moves the online and the target parameters; both get the same new ones.
    pub fn apply(&self, network: &mut dyn QNetwork, stream: &mut RandomStream) {
        let new = network.spec().initial_parameters(stream).expect("the network was made from this spec");
        let keep = self.keep(network);
        for which in [Parameters::Online, Parameters::Target] {
            let mut values = network.parameters(which);
            for ((value, new), keep) in values.iter_mut().zip(&new).zip(&keep) {
                *value = keep * *value + (1.0 - keep) * new;
            }
            network.set_parameters(which, &values);
        }
        network.reset_optimizer();
    }

    /// What is kept of each parameter.
    fn keep(&self, network: &dyn QNetwork) -> Vec<f32> {
        let encoder = encoder_layers(network.spec());
        let layout = network.layout();
        let mut keep = vec![self.keep_rest; layout.len()];
        for tensor in layout.tensors() {
            // Names are layers.3.weight, layers.3.value.0.weight.
            let layer = tensor.name.split('.').nth(1).and_then(|number| number.parse::<usize>().ok());
            if layer.is_some_and(|layer| layer < encoder) {
                keep[tensor.range()].fill(self.keep_encoder);
            }
        }
        keep
    }
}

/// How many of the first layers see an image.
fn encoder_layers(spec: &NetworkSpec) -> usize {
    spec.layers.iter().position(|layer| matches!(layer, LayerSpec::Flatten)).unwrap_or(0)
}
