//! From the layers of a network to those that give the values: norms, noise, an embedding of fractions, a dueling
//! head, and the outputs that a loss's head asks for.

use deepq_core::loss::Head;
use deepq_core::network::{Initialization, LayerSpec, NormalizedAxes};

use crate::config::Extras;

/// What the last layers are made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    pub(super) actions: usize,
    /// Values of each action.
    pub(super) atoms: usize,
    /// Whether they stand behind an embedding of fractions.
    pub(super) takes_fractions: bool,
    pub(super) initialization: Initialization,
}

impl Outputs {
    pub(super) fn of(head: &Head, actions: usize, initialization: Initialization) -> Self {
        Self { actions, atoms: head.atoms(), takes_fractions: head.takes_fractions(), initialization }
    }

    /// The linear layer with a value for each action and atom, noisy by `noise`.
    fn action_layer(&self, noise: Option<f32>) -> LayerSpec {
        self.linear(self.actions * self.atoms, noise)
    }

    fn linear(&self, outputs: usize, noise: Option<f32>) -> LayerSpec {
        match noise {
            Some(noise) => LayerSpec::NoisyLinear { outputs, noise },
            None => LayerSpec::Linear { outputs, initialization: self.initialization },
        }
    }

    /// A network's layers from a `body` whose last hidden layer is its last linear one.
    ///
    /// Noise, an embedding and a dueling head begin with that layer: what stands before it are features.
    pub(super) fn behind(&self, body: Vec<LayerSpec>, extras: Extras) -> Vec<LayerSpec> {
        let body = if extras.layer_norm { with_layer_norm(body) } else { body };
        let is_linear = |layer: &LayerSpec| matches!(layer, LayerSpec::Linear { .. });
        let last_hidden = body.iter().rposition(is_linear).unwrap_or(body.len());
        let has_features = body[..last_hidden]
            .iter()
            .any(|layer| matches!(layer, LayerSpec::Linear { .. } | LayerSpec::Flatten));
        // One hidden layer of a vector is all the features that there are: an embedding of the observation itself
        // would know nothing of it.
        let split = if has_features || !self.takes_fractions { last_hidden } else { body.len() };
        let mut layers = body;
        let mut stream: Vec<LayerSpec> = layers.split_off(split);
        if let Some(noise) = extras.noisy {
            for layer in &mut stream {
                if let LayerSpec::Linear { outputs, .. } = *layer {
                    *layer = LayerSpec::NoisyLinear { outputs, noise };
                }
            }
        }
        if self.takes_fractions {
            layers.push(LayerSpec::CosineEmbedding { cosines: 64, initialization: self.initialization });
        }
        if extras.dueling {
            let with = |last| stream.iter().cloned().chain([last]).collect();
            let (value, advantage) =
                (with(self.linear(self.atoms, extras.noisy)), with(self.action_layer(extras.noisy)));
            layers.push(LayerSpec::Dueling { value, advantage });
        } else {
            layers.extend(stream);
            layers.push(self.action_layer(extras.noisy));
        }
        layers
    }

    /// The same for a list of layers, to which only the last ones are added. They are noisy where the list has a noisy
    /// layer.
    pub(super) fn added_to(&self, mut layers: Vec<LayerSpec>) -> Vec<LayerSpec> {
        let noise = noise_of(&layers);
        match layers.last_mut() {
            Some(LayerSpec::Dueling { value, advantage }) => {
                value.push(self.linear(self.atoms, noise));
                advantage.push(self.action_layer(noise));
            }
            _ => layers.push(self.action_layer(noise)),
        }
        layers
    }
}

/// The noise of the first noisy layer.
fn noise_of(layers: &[LayerSpec]) -> Option<f32> {
    layers.iter().find_map(|layer| match layer {
        LayerSpec::NoisyLinear { noise, .. } => Some(*noise),
        LayerSpec::Dueling { value, advantage } => noise_of(value).or_else(|| noise_of(advantage)),
        _ => None,
    })
}

/// A layer norm between each linear layer or convolution and its activation.
fn with_layer_norm(body: Vec<LayerSpec>) -> Vec<LayerSpec> {
    let mut layers = Vec::with_capacity(2 * body.len());
    let mut places = body.into_iter().peekable();
    while let Some(layer) = places.next() {
        let axes = match layer {
            LayerSpec::Convolution { .. } => Some(NormalizedAxes::Channels),
            LayerSpec::Linear { .. } => Some(NormalizedAxes::All),
            _ => None,
        };
        layers.push(layer);
        let activated = matches!(places.peek(), Some(LayerSpec::Relu));
        layers.extend(axes.filter(|_| activated).map(|axes| LayerSpec::LayerNorm { axes, epsilon: 1e-5 }));
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(head: Head) -> Outputs {
        Outputs::of(&head, 3, Initialization::FanInUniform)
    }

    fn body(widths: &[usize]) -> Vec<LayerSpec> {
        widths.iter().flat_map(|width| [LayerSpec::linear(*width), LayerSpec::Relu]).collect()
    }

    #[test]
    fn rainbows_layers_stand_in_their_place() {
        let extras = Extras { dueling: true, noisy: Some(0.5), ..Extras::default() };
        let head = Head::Categorical { atoms: 51, v_min: 0.0, v_max: 1.0 };
        let layers = outputs(head).behind(body(&[64, 32]), extras);
        let noisy = |outputs| LayerSpec::NoisyLinear { outputs, noise: 0.5 };
        let stream = |last| vec![noisy(32), LayerSpec::Relu, noisy(last)];
        let dueling = LayerSpec::Dueling { value: stream(51), advantage: stream(153) };
        assert_eq!(layers, [LayerSpec::linear(64), LayerSpec::Relu, dueling]);
    }

    #[test]
    fn an_embedding_stands_behind_features() {
        let head =
            Head::ImplicitQuantile { fractions: 8, target_fractions: 8, acting_fractions: 8, kappa: 1.0 };
        let place = |widths: &[usize]| {
            let layers = outputs(head).behind(body(widths), Extras::default());
            layers.iter().position(|layer| matches!(layer, LayerSpec::CosineEmbedding { .. })).unwrap()
        };
        assert_eq!(place(&[64, 32]), 2, "before the last hidden layer");
        assert_eq!(place(&[64]), 2, "behind the only one");
    }

    #[test]
    fn norms_stand_before_activations() {
        let extras = Extras { layer_norm: true, ..Extras::default() };
        let head = Head::Quantile { quantiles: 5, kappa: 1.0 };
        let layers = outputs(head).behind(body(&[8]), extras);
        let norm = LayerSpec::LayerNorm { axes: NormalizedAxes::All, epsilon: 1e-5 };
        assert_eq!(layers, [LayerSpec::linear(8), norm, LayerSpec::Relu, LayerSpec::linear(15)]);
    }
}
