//! From a configuration and an environment to a network.

use std::cmp::Ordering;

use deepq_core::network::{Initialization, InputShape, LayerSpec, NetworkSpec, Shape, SpecError};
use deepq_core::{BoxSpace, ElementKind, EnvSpec, RandomStream, Space};
use deepq_cpu::CpuNetwork;
use deepq_envs::Registry;

use super::body::Outputs;
use crate::EnvFactory;
use crate::config::{Architecture, ChannelAxis, Config, ConfigError, LAYERS, NetworkConfig, find_layer};

/// The network of a configuration, for its environment.
///
/// # Errors
/// Where the environment is unknown, or the network does not fit it.
pub fn network_spec_of(config: &Config, registry: &Registry) -> Result<NetworkSpec, ConfigError> {
    network_spec(config, EnvFactory::new(registry, &config.env)?.spec())
}

/// The network of a configuration, for the environment that it is trained in.
pub(super) fn network_spec(config: &Config, env: &EnvSpec) -> Result<NetworkSpec, ConfigError> {
    let Space::Box(space) = &env.observation_space else {
        let message = format!("observations of {:?} fit no network", env.observation_space);
        return Err(ConfigError::new("env.id", message));
    };
    let observations = Observations { id: &config.env.id, space };
    let head = config.head();
    let outputs = |initialization| Outputs::of(&head, env.actions, initialization);
    let spec = match &config.network {
        NetworkConfig::Hidden { hidden, initialization, divide_observations_by, extras } => {
            let mut spec = NetworkSpec::mlp(space.len(), hidden, env.actions, *initialization);
            spec.layers.pop();
            spec.layers = outputs(*initialization).behind(spec.layers, *extras);
            observations.divided(spec, divide_observations_by)?
        }
        NetworkConfig::Architecture { architecture, channels, extras } => {
            let (usual, mut spec) = match *architecture {
                Architecture::Minatar => (ChannelAxis::Last, NetworkSpec::minatar(1, env.actions)),
                Architecture::Nature => (ChannelAxis::First, NetworkSpec::nature(1, env.actions)),
                Architecture::Impala { scale } => {
                    (ChannelAxis::First, NetworkSpec::impala(1, scale, env.actions))
                }
            };
            if extras.spectral_norm {
                spec = spec.with_spectral_norm();
            }
            spec.layers.pop();
            let layers = outputs(Initialization::FanInUniform).behind(spec.layers, *extras);
            let input = observations.image("network.architecture", *channels, Some(usual))?;
            NetworkSpec { input, layers, ..spec }
        }
        NetworkConfig::Layers { layers, initialization, channels } => {
            let input = observations.input(layers, *channels)?;
            let layers = outputs(*initialization).added_to(layers.clone());
            let spec = NetworkSpec::mlp(0, &[], env.actions, *initialization);
            NetworkSpec { input, layers, ..spec }
        }
    };
    let spec = NetworkSpec { atoms: head.atoms(), ..spec };
    let spec = NetworkSpec { element: space.element, full_byte: full_byte(space), ..spec };
    check_fit(config, &observations, &spec)?;
    Ok(spec)
}

/// The byte that counts as 1: the greatest one that an observation may have.
fn full_byte(space: &BoxSpace) -> u8 {
    // A bound that is no number from 1 to 255 says nothing of bytes.
    let high = space.high.iter().copied().fold(0.0, f32::max);
    if (1.0..=255.0).contains(&high) { high as u8 } else { 255 }
}

/// The most values that a layer may give for one observation.
const MOST_VALUES: usize = 1 << 31;

/// Checks that the layers fit the observations and each other.
fn check_fit(
    config: &Config,
    observations: &Observations<'_>,
    spec: &NetworkSpec,
) -> Result<(), ConfigError> {
    let (mut end, mut too_large) = (spec.input.shape(), None);
    let walked = spec.walk(&mut |at| {
        if at.depth == 0 {
            end = at.output;
        }
        if at.output.len() > MOST_VALUES && too_large.is_none() {
            too_large = Some((at.path.to_owned(), at.output));
        }
    });
    if let Some((layer, output)) = too_large {
        let message = format!("gives {output}, more than {MOST_VALUES} values");
        return Err(no_network(config, observations, SpecError { layer, message }));
    }
    let added = spec.layers.len() - 1;
    walked.map_err(|error| match (&config.network, end) {
        (NetworkConfig::Layers { .. }, Shape::Image { .. }) if error.layer == added.to_string() => {
            let message = format!(
                "the last layer gives {end}; let {{ kind = \"flatten\" }} follow, for the linear layer that is added \
                 behind"
            );
            ConfigError::new(LAYERS, message)
        }
        _ => no_network(config, observations, error),
    })
}

fn no_network(config: &Config, observations: &Observations<'_>, error: SpecError) -> ConfigError {
    let SpecError { layer, message } = error;
    match config.network {
        NetworkConfig::Hidden { .. } => ConfigError::new("network", format!("layer {layer} {message}")),
        NetworkConfig::Architecture { .. } => {
            let message = format!("its layer {layer} {message}; {observations}");
            ConfigError::new("network.architecture", message)
        }
        _ => ConfigError::new(format!("{LAYERS}.{layer}"), format!("{message}; {observations}")),
    }
}

/// The observations of an environment.
struct Observations<'a> {
    id: &'a str,
    space: &'a BoxSpace,
}

impl std::fmt::Display for Observations<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let elements = match self.space.element {
            ElementKind::F32 => "numbers",
            ElementKind::U8 => "bytes",
        };
        match self.space.shape[..] {
            [len] => write!(f, "an observation of {} is {len} {elements}", self.id),
            _ => write!(f, "an observation of {} is {:?} {elements}", self.id, self.space.shape),
        }
    }
}

impl Observations<'_> {
    /// The same network with its observations divided first, where that is asked for.
    fn divided(&self, spec: NetworkSpec, by: &Option<Vec<f32>>) -> Result<NetworkSpec, ConfigError> {
        match by {
            None => Ok(spec),
            Some(by) if by.len() == self.space.len() => Ok(spec.with_divided_observations(by.clone())),
            Some(by) => {
                let message = format!(
                    "found {} numbers, allowed is one for each of the {} elements of an observation of {}",
                    by.len(),
                    self.space.len(),
                    self.id
                );
                Err(ConfigError::new("network.divide_observations_by", message))
            }
        }
    }

    /// How they enter a list of layers.
    fn input(&self, layers: &[LayerSpec], channels: Option<ChannelAxis>) -> Result<InputShape, ConfigError> {
        let takes_image = |layer: &LayerSpec| {
            use LayerSpec::{AdaptiveMaxPool, Convolution, Flatten, MaxPool};
            matches!(layer, Convolution { .. } | MaxPool { .. } | AdaptiveMaxPool { .. } | Flatten)
        };
        match (find_layer(layers, LAYERS, &takes_image), channels) {
            _ if self.space.shape.len() == 3 => self.image(LAYERS, channels, None),
            (Some((place, _)), _) => Err(self.no_image(&place, "this layer")),
            (None, Some(_)) => Err(self.no_image("network.channels", "the axis of the channels")),
            (None, None) => Ok(InputShape::Vector { len: self.space.len() }),
        }
    }

    /// The same as an image. Where nothing is said of its channels they are the shorter one of the first and the
    /// last axis; of two equal ones the `usual` one.
    fn image(
        &self,
        key: &str,
        channels: Option<ChannelAxis>,
        usual: Option<ChannelAxis>,
    ) -> Result<InputShape, ConfigError> {
        let [first, middle, last] = self.space.shape[..] else {
            return Err(self.no_image(key, "this network"));
        };
        let told = channels.or(match first.cmp(&last) {
            Ordering::Less => Some(ChannelAxis::First),
            Ordering::Greater => Some(ChannelAxis::Last),
            Ordering::Equal => usual,
        });
        match told {
            Some(ChannelAxis::First) => {
                Ok(InputShape::ChannelsFirst { channels: first, height: middle, width: last })
            }
            Some(ChannelAxis::Last) => {
                Ok(InputShape::ChannelsLast { height: first, width: middle, channels: last })
            }
            None => Err(ConfigError::new(
                "network.channels",
                format!(
                    "is not given, and {self}, whose first and last axis are equally long; allowed are \"first\" and \
                     \"last\""
                ),
            )),
        }
    }

    fn no_image(&self, key: &str, what: &str) -> ConfigError {
        let message = format!(
            "{what} is for images, which have three axes, but {self}; \
                               network.hidden takes any observation"
        );
        ConfigError::new(key, message)
    }
}

/// Which axis the channels are, where the network takes images.
pub(super) fn channel_axis(spec: &NetworkSpec) -> Option<ChannelAxis> {
    match spec.input {
        InputShape::Vector { .. } => None,
        InputShape::ChannelsFirst { .. } => Some(ChannelAxis::First),
        InputShape::ChannelsLast { .. } => Some(ChannelAxis::Last),
    }
}

/// The network with its first parameters.
pub(super) fn make_network(
    config: &Config,
    spec: &NetworkSpec,
    seed: u64,
    threads: usize,
) -> Result<CpuNetwork, ConfigError> {
    let mut stream = RandomStream::new(seed, "initialization", 0);
    let network = CpuNetwork::new(spec, config.optimizer, &mut stream);
    let network = network.map_err(|error| ConfigError::new("network", error.to_string()))?;
    Ok(network.with_threads(threads))
}
