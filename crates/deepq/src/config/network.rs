//! The network of a run: fully connected layers, a network that a paper gave a name, or a list of layers.

use deepq_core::network::{Initialization, LayerSpec};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::ConfigError;
use super::validate::check;

/// The network, its last layer aside: that one, with an output for each action, is added for the environment.
///
/// In files it is one table, of which exactly one of `hidden`, `architecture` and `layers` is a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NetworkTable", into = "NetworkTable")]
#[non_exhaustive]
pub enum NetworkConfig {
    /// Fully connected layers with ReLU between them. Observations of any shape are taken as a row of numbers.
    Hidden {
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// How weights and biases begin.
        initialization: Initialization,
        /// What each element of an observation is divided by first.
        divide_observations_by: Option<Vec<f32>>,
        /// What its layers have besides.
        extras: Extras,
    },
    /// A network for images that a paper gave a name.
    Architecture {
        /// Which one.
        architecture: Architecture,
        /// Which axis of an observation the channels are; told from their lengths where nothing is said.
        channels: Option<ChannelAxis>,
        /// What its layers have besides.
        extras: Extras,
    },
    /// A list of layers. Observations of three axes are images, all others a row of numbers.
    ///
    /// Behind it comes a linear layer with an output for each action. Where it ends with a dueling head, each of
    /// the head's branches gets one, that of the value with one output.
    Layers {
        /// The layers, first to last.
        layers: Vec<LayerSpec>,
        /// How weights and biases of the added layers begin.
        initialization: Initialization,
        /// Which axis of an observation the channels are; told from their lengths where nothing is said.
        channels: Option<ChannelAxis>,
    },
}

/// Parts that a network of [hidden layers](NetworkConfig::Hidden) or with a [name](NetworkConfig::Architecture) may
/// have besides. Among [layers](NetworkConfig::Layers) they are layers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extras {
    /// A value and advantages in two branches (Wang et al. 2016), which begin with the last hidden layer.
    pub dueling: bool,
    /// Noise in the last hidden layer and the outputs (Fortunato et al. 2018), by this σ₀.
    pub noisy: Option<f32>,
    /// A layer norm before each activation.
    pub layer_norm: bool,
    /// Spectral norm in the residual blocks; for IMPALA's network only.
    pub spectral_norm: bool,
}

/// Which parts of the family a network has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) dueling: bool,
    pub(crate) noisy: bool,
    pub(crate) layer_norm: bool,
}

/// A network that a paper gave a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// Young & Tian (2019): see [`NetworkSpec::minatar`](deepq_core::network::NetworkSpec::minatar).
    Minatar,
    /// Mnih et al. (2015): see [`NetworkSpec::nature`](deepq_core::network::NetworkSpec::nature).
    Nature,
    /// Espeholt et al. (2018): see [`NetworkSpec::impala`](deepq_core::network::NetworkSpec::impala).
    Impala {
        /// How many times as wide it is as in the paper.
        scale: usize,
    },
}

/// Which axis of an image the channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelAxis {
    /// `[channel][row][column]`: stacked frames.
    First,
    /// `[row][column][channel]`: coloured pictures, and MinAtar's grids.
    Last,
}

/// The key of the list of layers.
pub(crate) const LAYERS: &str = "network.layers";

/// What stands in a file.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with hidden, architecture or layers")]
struct NetworkTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<ArchitectureName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initialization: Option<Initialization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divide_observations_by: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<ChannelAxis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dueling: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noisy: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_norm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spectral_norm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "numbered_layers")]
    layers: Option<Vec<LayerSpec>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ArchitectureName {
    Minatar,
    Nature,
    Impala,
}

/// A list of layers whose errors say which one it is: they know no line.
fn numbered_layers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<LayerSpec>>, D::Error> {
    struct Layers;
    impl<'de> Visitor<'de> for Layers {
        type Value = Vec<LayerSpec>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list of tables, such as [{ kind = \"linear\", outputs = 64 }]")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<LayerSpec>, A::Error> {
            let mut layers = vec![];
            loop {
                match list.next_element() {
                    Ok(Some(layer)) => layers.push(layer),
                    Ok(None) => return Ok(layers),
                    Err(error) => {
                        let error = error.to_string();
                        let message = error.lines().next().unwrap_or_default();
                        let place = layers.len();
                        return Err(A::Error::custom(format!("{LAYERS}.{place}: {message}")));
                    }
                }
            }
        }
    }
    deserializer.deserialize_seq(Layers).map(Some)
}

impl TryFrom<NetworkTable> for NetworkConfig {
    type Error = String;

    fn try_from(table: NetworkTable) -> Result<Self, String> {
        table.check_keys()?;
        let NetworkTable { hidden, scale, initialization, divide_observations_by, channels, .. } = table;
        let initialization = initialization.unwrap_or_default();
        let on = |key: Option<bool>| key.unwrap_or(false);
        let extras = Extras {
            dueling: on(table.dueling),
            noisy: table.noisy,
            layer_norm: on(table.layer_norm),
            spectral_norm: on(table.spectral_norm),
        };
        if let Some(name) = table.architecture {
            let architecture = match name {
                ArchitectureName::Minatar => Architecture::Minatar,
                ArchitectureName::Nature => Architecture::Nature,
                ArchitectureName::Impala => Architecture::Impala { scale: scale.unwrap_or(1) },
            };
            return Ok(Self::Architecture { architecture, channels, extras });
        }
        Ok(match (table.layers, hidden) {
            (Some(layers), _) => Self::Layers { layers, initialization, channels },
            (None, hidden) => Self::Hidden {
                hidden: hidden.unwrap_or_default(),
                initialization,
                divide_observations_by,
                extras,
            },
        })
    }
}

const AMONG_LAYERS_DUELING: &str =
    "hidden and with architecture; among layers it is { kind = \"dueling\", value = [..], advantage = [..] }";
const AMONG_LAYERS_NOISY: &str =
    "hidden and with architecture; among layers it is { kind = \"noisy-linear\", outputs = .. }";
const AMONG_LAYERS_NORM: &str = "hidden and with architecture; among layers it is { kind = \"layer-norm\" }";

impl NetworkTable {
    /// The table with the keys of the extras that are not as usual.
    fn with(self, extras: Extras) -> Self {
        let on = |flag: bool| flag.then_some(true);
        Self {
            dueling: on(extras.dueling),
            noisy: extras.noisy,
            layer_norm: on(extras.layer_norm),
            spectral_norm: on(extras.spectral_norm),
            ..self
        }
    }

    /// By which of its keys the network is given.
    fn kind(&self) -> Result<&'static str, String> {
        let of = |given: bool, key: &'static str| given.then_some(key);
        let kinds = [
            of(self.hidden.is_some(), "hidden"),
            of(self.architecture.is_some(), "architecture"),
            of(self.layers.is_some(), "layers"),
        ];
        match kinds.into_iter().flatten().collect::<Vec<_>>()[..] {
            [kind] => Ok(kind),
            [] => Err("network has none of hidden, architecture and layers; one of them is needed".into()),
            [one, other, ..] => Err(format!(
                "network.{other} cannot be given together with network.{one}: each of them is a whole network. \
                 Setting network as a whole takes the place of what is there: --set 'network={{{one}=…}}' or \
                 --set 'network={{{other}=…}}'"
            )),
        }
    }

    /// Refuses keys that do not go together.
    fn check_keys(&self) -> Result<(), String> {
        let kind = self.kind()?;
        let impala = self.architecture == Some(ArchitectureName::Impala);
        for (given, key, fits, belongs) in [
            (self.scale.is_some(), "scale", impala, "architecture = \"impala\""),
            (
                self.initialization.is_some(),
                "initialization",
                kind != "architecture",
                "hidden and with layers",
            ),
            (
                self.divide_observations_by.is_some(),
                "divide_observations_by",
                kind == "hidden",
                "hidden; among layers it is { kind = \"divide\", by = [..] }",
            ),
            (self.channels.is_some(), "channels", kind != "hidden", "architecture and with layers"),
            (self.dueling.is_some(), "dueling", kind != "layers", AMONG_LAYERS_DUELING),
            (self.noisy.is_some(), "noisy", kind != "layers", AMONG_LAYERS_NOISY),
            (self.layer_norm.is_some(), "layer_norm", kind != "layers", AMONG_LAYERS_NORM),
            (self.spectral_norm.is_some(), "spectral_norm", impala, "architecture = \"impala\""),
        ] {
            if given && !fits {
                return Err(format!("network.{key} does not go with {kind}: it goes with {belongs}"));
            }
        }
        Ok(())
    }
}

impl From<NetworkConfig> for NetworkTable {
    fn from(config: NetworkConfig) -> Self {
        let none = Self::default();
        match config {
            NetworkConfig::Hidden { hidden, initialization, divide_observations_by, extras } => Self {
                hidden: Some(hidden),
                initialization: Some(initialization),
                divide_observations_by,
                ..none
            }
            .with(extras),
            NetworkConfig::Architecture { architecture, channels, extras } => {
                let (name, scale) = match architecture {
                    Architecture::Minatar => (ArchitectureName::Minatar, None),
                    Architecture::Nature => (ArchitectureName::Nature, None),
                    Architecture::Impala { scale } => (ArchitectureName::Impala, Some(scale)),
                };
                Self { architecture: Some(name), scale, channels, ..none }.with(extras)
            }
            NetworkConfig::Layers { layers, initialization, channels } => {
                Self { layers: Some(layers), initialization: Some(initialization), channels, ..none }
            }
        }
    }
}

/// The widest layer. With [`MOST_LAYERS`] and [`MOST_ROWS`] it keeps all counts of parameters below 2⁶³.
const MOST_OUTPUTS: usize = 65536;
/// The largest filter, step or window of an image's layer.
const MOST_ROWS: usize = 1024;
/// The longest list of layers, those inside others counted.
const MOST_LAYERS: usize = 1024;
/// How deep residual blocks may stand inside each other.
const MOST_DEPTH: usize = 4;

impl NetworkConfig {
    /// What its layers have besides.
    pub(crate) fn extras(&self) -> Extras {
        match self {
            Self::Hidden { extras, .. } | Self::Architecture { extras, .. } => *extras,
            Self::Layers { .. } => Extras::default(),
        }
    }

    /// Which of the extras it has, whether as keys or among its layers.
    pub(crate) fn traits(&self) -> Traits {
        let has = |holds: &dyn Fn(&LayerSpec) -> bool| match self {
            Self::Layers { layers, .. } => find_layer(layers, LAYERS, holds).is_some(),
            _ => false,
        };
        let extras = self.extras();
        Traits {
            dueling: extras.dueling || has(&|layer| matches!(layer, LayerSpec::Dueling { .. })),
            noisy: extras.noisy.is_some() || has(&|layer| matches!(layer, LayerSpec::NoisyLinear { .. })),
            layer_norm: extras.layer_norm || has(&|layer| matches!(layer, LayerSpec::LayerNorm { .. })),
        }
    }

    /// Sets which axis the channels are, where nothing was said.
    pub(crate) fn settle_channels(&mut self, axis: ChannelAxis) {
        match self {
            Self::Hidden { .. } => {}
            Self::Architecture { channels, .. } | Self::Layers { channels, .. } => {
                channels.get_or_insert(axis);
            }
        }
    }

    /// The key and the value that say what it is made of, for messages.
    pub(crate) fn told(&self) -> (&'static str, String) {
        match self {
            Self::Hidden { hidden, .. } => ("network.hidden", format!("widths of {hidden:?}")),
            Self::Architecture { architecture: Architecture::Impala { scale }, .. } => {
                ("network.scale", format!("{scale} times the widths"))
            }
            Self::Architecture { .. } => ("network.architecture", "its layers".into()),
            Self::Layers { .. } => (LAYERS, "these layers".into()),
        }
    }

    /// Checks all that can be checked without the environment.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(noise) = self.extras().noisy {
            check(
                noise.is_finite() && noise > 0.0,
                "network.noisy",
                noise,
                "a positive number; 0.5 is usual",
            )?;
        }
        match self {
            Self::Hidden { hidden, divide_observations_by, .. } => {
                for width in hidden {
                    let holds = (1..=MOST_OUTPUTS).contains(width);
                    check(holds, "network.hidden", width, "widths of 1 to 65536")?;
                }
                check_divisors("network.divide_observations_by", divide_observations_by.as_deref())
            }
            Self::Architecture { architecture: Architecture::Impala { scale }, .. } => {
                check((1..=64).contains(scale), "network.scale", scale, "1 to 64")
            }
            Self::Architecture { .. } => Ok(()),
            Self::Layers { layers, .. } => {
                let count = count(layers);
                check(count <= MOST_LAYERS, LAYERS, format!("{count} layers"), "up to 1024")?;
                check_layers(layers, LAYERS, 0)?;
                check_end(layers, LAYERS)
            }
        }
    }
}

fn check_divisors(key: &str, divisors: Option<&[f32]>) -> Result<(), ConfigError> {
    for by in divisors.into_iter().flatten() {
        check(by.is_finite() && *by != 0.0, key, by, "numbers other than 0")?;
    }
    Ok(())
}

/// The lists of layers inside a layer.
fn branches(layer: &LayerSpec) -> Vec<(&'static str, &[LayerSpec])> {
    match layer {
        LayerSpec::Residual { layers } => vec![("layers", layers)],
        LayerSpec::Dueling { value, advantage } => vec![("value", value), ("advantage", advantage)],
        _ => vec![],
    }
}

fn count(layers: &[LayerSpec]) -> usize {
    layers.iter().map(|layer| 1 + branches(layer).iter().map(|(_, inner)| count(inner)).sum::<usize>()).sum()
}

/// The place of the first layer, in their order, of which `holds` is true. Layers are counted from 0, as in the
/// names of parameters.
pub(crate) fn find_layer<'a>(
    layers: &'a [LayerSpec],
    path: &str,
    holds: &dyn Fn(&LayerSpec) -> bool,
) -> Option<(String, &'a LayerSpec)> {
    layers.iter().enumerate().find_map(|(index, layer)| {
        let path = format!("{path}.{index}");
        if holds(layer) {
            return Some((path, layer));
        }
        let inside =
            |(name, inner): (&str, &'a [LayerSpec])| find_layer(inner, &format!("{path}.{name}"), holds);
        branches(layer).into_iter().find_map(inside)
    })
}

fn check_layers(layers: &[LayerSpec], path: &str, depth: usize) -> Result<(), ConfigError> {
    check(depth <= MOST_DEPTH, path, format!("layers inside {depth} others"), "up to 4")?;
    for (index, layer) in layers.iter().enumerate() {
        let path = format!("{path}.{index}");
        check_layer(layer, &path)?;
        if let (LayerSpec::Dueling { .. }, true) = (layer, index + 1 < layers.len()) {
            let message = "is a dueling head, which can only be the last layer";
            return Err(ConfigError::new(path, message));
        }
        for (name, inner) in branches(layer) {
            check_layers(inner, &format!("{path}.{name}"), depth + 1)?;
        }
    }
    Ok(())
}

/// Checks a layer's numbers, and refuses what would be a layer in name only.
fn check_layer(layer: &LayerSpec, path: &str) -> Result<(), ConfigError> {
    let number = |key: &str, found: usize, least: usize, most: usize| {
        let allowed = format!("{least} to {most}");
        check((least..=most).contains(&found), &format!("{path}.{key}"), found, &allowed)
    };
    match layer {
        LayerSpec::Divide { by } => check_divisors(&format!("{path}.by"), Some(by)),
        LayerSpec::Linear { outputs, .. } => number("outputs", *outputs, 1, MOST_OUTPUTS),
        LayerSpec::LayerNorm { epsilon, .. } => {
            let holds = epsilon.is_finite() && *epsilon > 0.0;
            check(holds, &format!("{path}.epsilon"), epsilon, "a positive number")
        }
        LayerSpec::Convolution { channels, size, stride, padding, .. } => {
            number("channels", *channels, 1, MOST_OUTPUTS)?;
            number("size", *size, 1, MOST_ROWS)?;
            number("stride", *stride, 1, MOST_ROWS)?;
            number("padding", *padding, 0, size - 1)
        }
        LayerSpec::MaxPool { size, stride, padding } => {
            number("size", *size, 1, MOST_ROWS)?;
            number("stride", *stride, 1, MOST_ROWS)?;
            number("padding", *padding, 0, size / 2)
        }
        LayerSpec::AdaptiveMaxPool { height, width } => {
            number("height", *height, 1, MOST_ROWS)?;
            number("width", *width, 1, MOST_ROWS)
        }
        LayerSpec::NoisyLinear { outputs, noise } => {
            number("outputs", *outputs, 1, MOST_OUTPUTS)?;
            let holds = noise.is_finite() && *noise > 0.0;
            check(holds, &format!("{path}.noise"), noise, "a positive number")
        }
        LayerSpec::CosineEmbedding { cosines, .. } => number("cosines", *cosines, 1, MOST_OUTPUTS),
        LayerSpec::LeakyRelu { slope } => {
            check(slope.is_finite(), &format!("{path}.slope"), slope, "a finite number")
        }
        _ => Ok(()),
    }
}

/// Refuses a list, or a branch of a dueling head, that ends with what is added anyway.
fn check_end(layers: &[LayerSpec], path: &str) -> Result<(), ConfigError> {
    let Some(last) = layers.last() else { return Ok(()) };
    let path = format!("{path}.{}", layers.len() - 1);
    match last {
        LayerSpec::Linear { .. } => Err(ConfigError::new(
            path,
            "is a linear layer at the end, right before the one with an output for each action that is added by \
             itself: leave it out, or let { kind = \"relu\" } follow",
        )),
        LayerSpec::Dueling { value, advantage } => {
            check_end(value, &format!("{path}.value"))?;
            check_end(advantage, &format!("{path}.advantage"))
        }
        _ => Ok(()),
    }
}
