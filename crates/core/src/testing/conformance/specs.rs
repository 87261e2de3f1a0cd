//! The networks that the checks are run on.

use crate::ElementKind;
use crate::network::{Initialization, InputShape, LayerSpec, NetworkSpec, NormalizedAxes};

/// A network with a name for messages.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSpec {
    /// The name.
    pub name: &'static str,
    /// The network.
    pub spec: NetworkSpec,
}

impl std::fmt::Display for NamedSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"{}\" ({:?})", self.name, self.spec)
    }
}

/// The networks that the checks are run on: every layer by itself, and what they make together. They are small,
/// and most of their widths are no multiples of anything.
pub fn specs() -> Vec<NamedSpec> {
    let lists = [
        fully_connected(),
        vectors(),
        branches(),
        quantiles(),
        convolutions(),
        spectral(),
        pools(),
        wholes(),
    ];
    lists.into_iter().flatten().map(|(name, spec)| NamedSpec { name, spec }).collect()
}

type Named = (&'static str, NetworkSpec);

const RELU: LayerSpec = LayerSpec::Relu;

fn linear(outputs: usize) -> LayerSpec {
    LayerSpec::linear(outputs)
}

fn noisy(outputs: usize) -> LayerSpec {
    LayerSpec::NoisyLinear { outputs, noise: 0.5 }
}

fn leaky(slope: f32) -> LayerSpec {
    LayerSpec::LeakyRelu { slope }
}

/// A convolution with spectral normalisation.
fn normalized(channels: usize, size: usize, stride: usize, padding: usize) -> LayerSpec {
    let initialization = Initialization::FanInUniform;
    LayerSpec::Convolution { channels, size, stride, padding, initialization, spectral_norm: true }
}

fn norm(axes: NormalizedAxes) -> LayerSpec {
    LayerSpec::LayerNorm { axes, epsilon: 1e-5 }
}

fn residual(layers: Vec<LayerSpec>) -> LayerSpec {
    LayerSpec::Residual { layers }
}

fn dueling(value: Vec<LayerSpec>, advantage: Vec<LayerSpec>) -> LayerSpec {
    LayerSpec::Dueling { value, advantage }
}

fn embedding(cosines: usize) -> LayerSpec {
    LayerSpec::CosineEmbedding { cosines, initialization: Initialization::FanInUniform }
}

/// A network on numbers in a row.
fn on_vector(len: usize, actions: usize, atoms: usize, layers: Vec<LayerSpec>) -> NetworkSpec {
    NetworkSpec {
        element: ElementKind::F32,
        full_byte: 255,
        input: InputShape::Vector { len },
        actions,
        atoms,
        layers,
    }
}

/// A network on bytes, `[channel][row][column]`.
fn on_frames(size: (usize, usize, usize), actions: usize, layers: Vec<LayerSpec>) -> NetworkSpec {
    let (channels, height, width) = size;
    let input = InputShape::ChannelsFirst { channels, height, width };
    NetworkSpec { element: ElementKind::U8, full_byte: 255, input, actions, atoms: 1, layers }
}

/// A network on numbers, `[row][column][channel]`.
fn on_grid(size: (usize, usize, usize), actions: usize, layers: Vec<LayerSpec>) -> NetworkSpec {
    let (height, width, channels) = size;
    let input = InputShape::ChannelsLast { height, width, channels };
    NetworkSpec { element: ElementKind::F32, full_byte: 255, input, actions, atoms: 1, layers }
}

fn fully_connected() -> Vec<Named> {
    let mlp = |inputs, hidden: &[usize], outputs| {
        NetworkSpec::mlp(inputs, hidden, outputs, Initialization::FanInUniform)
    };
    let glorot = |outputs| LayerSpec::Linear { outputs, initialization: Initialization::GlorotUniform };
    let mut rectified = mlp(5, &[9], 4);
    rectified.layers.push(RELU);
    let mut atoms = mlp(4, &[17], 6);
    (atoms.actions, atoms.atoms) = (2, 3);
    let mut bytes = mlp(12, &[17, 3], 3);
    bytes.element = ElementKind::U8;
    let few_bytes = NetworkSpec { full_byte: 3, ..bytes.clone() };
    let divisors = (0..63).map(|i| 0.5 + i as f32 / 16.0).collect();
    vec![
        ("two hidden layers", mlp(4, &[24, 24], 2)),
        ("one of each", mlp(1, &[1], 1)),
        ("few of each", mlp(1, &[3, 1], 2)),
        ("odd widths", mlp(3, &[17, 63], 3)),
        ("one linear layer", mlp(17, &[], 5)),
        ("wide, divided", mlp(63, &[63, 17], 1).with_divided_observations(divisors)),
        ("even widths, divided", mlp(4, &[64, 64], 2).with_divided_observations(vec![2.4, 2.5, 0.21, -2.5])),
        ("nothing between layers", on_vector(3, 2, 1, vec![glorot(17), glorot(2)])),
        ("a ReLU at the end", rectified),
        ("atoms", atoms),
        ("bytes", bytes),
        ("bytes of which few count as 1", few_bytes),
    ]
}

fn vectors() -> Vec<Named> {
    use LayerSpec::{Gelu, Silu, Tanh};
    let all = || norm(NormalizedAxes::All);
    let channels = || norm(NormalizedAxes::Channels);
    vec![
        ("tanh", on_vector(3, 3, 1, vec![linear(17), Tanh, linear(63), Tanh, linear(3)])),
        ("silu", on_vector(17, 1, 1, vec![linear(63), Silu, linear(3), Silu, linear(1)])),
        ("gelu", on_vector(5, 2, 1, vec![linear(17), Gelu, linear(3), Gelu, linear(2)])),
        ("leaky relu", on_vector(3, 2, 1, vec![linear(17), leaky(0.01), linear(5), leaky(0.25), linear(2)])),
        ("an activation first", on_vector(9, 3, 1, vec![Tanh, linear(3)])),
        (
            "layer norm",
            on_vector(4, 2, 1, vec![linear(63), all(), RELU, linear(17), channels(), Tanh, linear(2)]),
        ),
        ("layer norm first and last", on_vector(17, 9, 1, vec![all(), linear(17), Silu, linear(9), all()])),
        ("layer norm of one", on_vector(3, 2, 1, vec![linear(1), all(), Tanh, linear(2)])),
        ("noisy", on_vector(4, 3, 1, vec![noisy(17), RELU, noisy(3)])),
        ("noise between", on_vector(3, 1, 1, vec![linear(9), Tanh, noisy(63), Silu, linear(1)])),
    ]
}

fn branches() -> Vec<Named> {
    use LayerSpec::{Gelu, Silu, Tanh};
    let stream = |outputs| vec![noisy(9), RELU, noisy(outputs)];
    let block = || residual(vec![norm(NormalizedAxes::All), linear(3), Gelu, linear(17)]);
    vec![
        ("dueling", on_vector(4, 3, 1, vec![linear(17), RELU, dueling(vec![linear(1)], vec![linear(3)])])),
        (
            "dueling branches of their own depth",
            on_vector(3, 2, 1, vec![dueling(vec![linear(1)], vec![linear(17), Tanh, linear(2)])]),
        ),
        ("dueling for one action", on_vector(5, 1, 17, vec![dueling(vec![linear(17)], vec![linear(17)])])),
        (
            "noisy dueling with atoms",
            on_vector(5, 2, 3, vec![linear(17), RELU, dueling(stream(3), stream(6))]),
        ),
        (
            "residual blocks",
            on_vector(7, 2, 1, vec![linear(17), block(), block(), norm(NormalizedAxes::All), linear(2)]),
        ),
        (
            "a residual block in another",
            on_vector(3, 3, 1, vec![residual(vec![linear(3), residual(vec![Silu, noisy(3)]), Tanh])]),
        ),
        ("a residual block of an activation", on_vector(9, 2, 1, vec![residual(vec![Tanh]), linear(2)])),
    ]
}

fn quantiles() -> Vec<Named> {
    let stream = |outputs| vec![noisy(9), RELU, noisy(outputs)];
    let picture = vec![
        LayerSpec::convolution(3, 3, 2, 0),
        RELU,
        LayerSpec::Flatten,
        linear(17),
        RELU,
        embedding(3),
        linear(9),
        RELU,
        linear(2),
    ];
    vec![
        ("quantiles", on_vector(4, 3, 1, vec![linear(17), RELU, embedding(5), linear(63), RELU, linear(3)])),
        (
            "quantiles, noisy and dueling",
            on_vector(
                3,
                2,
                1,
                vec![linear(9), LayerSpec::Silu, embedding(64), dueling(stream(1), stream(2))],
            ),
        ),
        ("quantiles of observations", on_vector(3, 3, 1, vec![embedding(1)])),
        ("quantiles of frames", on_frames((2, 7, 6), 2, picture)),
    ]
}

fn convolutions() -> Vec<Named> {
    let convolution = LayerSpec::convolution;
    let then = |layers: &[LayerSpec], outputs| [layers, &[LayerSpec::Flatten, linear(outputs)]].concat();
    vec![
        ("a flattened grid", on_grid((3, 2, 3), 2, vec![LayerSpec::Flatten, linear(2)])),
        ("flattened frames", on_frames((2, 3, 5), 2, vec![LayerSpec::Flatten, linear(17), RELU, linear(2)])),
        ("a convolution of frames", on_frames((3, 7, 5), 3, then(&[convolution(17, 3, 2, 1), RELU], 3))),
        (
            "convolutions of a grid of one channel",
            on_grid((6, 9, 1), 2, then(&[convolution(3, 2, 1, 0), RELU, convolution(17, 3, 2, 1), RELU], 2)),
        ),
        (
            "many channels become one",
            on_grid((4, 3, 17), 3, then(&[convolution(1, 1, 1, 0), LayerSpec::Tanh], 3)),
        ),
        ("a stride beyond the size", on_grid((8, 5, 3), 2, then(&[convolution(3, 2, 3, 0)], 2))),
        (
            "filters larger than the image",
            on_frames((1, 2, 2), 2, then(&[convolution(3, 3, 1, 3), RELU, convolution(1, 5, 2, 0)], 2)),
        ),
        (
            "layer norm over channels",
            on_grid((5, 4, 2), 2, then(&[convolution(17, 3, 1, 1), norm(NormalizedAxes::Channels), RELU], 2)),
        ),
        (
            "layer norm over an image",
            on_frames((3, 4, 5), 2, then(&[convolution(3, 2, 1, 0), norm(NormalizedAxes::All), RELU], 2)),
        ),
        (
            "a flattened image beside a vector",
            on_grid((3, 2, 2), 3, vec![LayerSpec::Flatten, residual(vec![linear(12)]), linear(3)]),
        ),
        (
            "a flattened image at the end",
            on_frames((2, 4, 3), 18, vec![convolution(3, 2, 1, 0), LayerSpec::Flatten, LayerSpec::Tanh]),
        ),
        (
            "a flattened image as advantages",
            on_grid((2, 2, 3), 12, vec![LayerSpec::Flatten, dueling(vec![linear(1)], vec![])]),
        ),
        ("layer norm of frames", on_frames((3, 3, 2), 2, then(&[norm(NormalizedAxes::All)], 2))),
    ]
}

/// Filters of one output and of one input, whose matrices have but one singular value, and larger ones.
fn spectral() -> Vec<Named> {
    let then = |layers: &[LayerSpec], outputs| [layers, &[LayerSpec::Flatten, linear(outputs)]].concat();
    let block = residual(vec![RELU, normalized(3, 3, 1, 1), RELU, normalized(3, 3, 1, 1)]);
    vec![
        ("a spectral norm of one filter", on_grid((4, 3, 2), 2, then(&[normalized(1, 2, 1, 0), RELU], 2))),
        ("a spectral norm of one input", on_grid((2, 3, 1), 2, then(&[normalized(9, 1, 1, 0), RELU], 2))),
        (
            "spectral norms one behind the other",
            on_frames(
                (2, 6, 5),
                2,
                then(&[normalized(17, 3, 2, 1), leaky(0.1), normalized(35, 2, 1, 0), RELU], 2),
            ),
        ),
        (
            "residual blocks with spectral norms",
            on_frames(
                (2, 5, 4),
                2,
                then(&[LayerSpec::convolution(3, 3, 1, 1), block.clone(), block, RELU], 2),
            ),
        ),
        (
            "leaky relu of an image",
            on_grid((3, 3, 2), 2, then(&[LayerSpec::convolution(5, 2, 1, 0), leaky(0.3)], 2)),
        ),
    ]
}

fn pools() -> Vec<Named> {
    let convolution = LayerSpec::convolution;
    let pool = |size, stride, padding| LayerSpec::MaxPool { size, stride, padding };
    let adaptive = |height, width| LayerSpec::AdaptiveMaxPool { height, width };
    let then = |layers: &[LayerSpec], outputs| [layers, &[LayerSpec::Flatten, linear(outputs)]].concat();
    vec![
        (
            "max-pooling with padding",
            on_frames((2, 7, 6), 2, then(&[convolution(3, 3, 1, 1), pool(3, 2, 1)], 2)),
        ),
        (
            "max-pooling after a ReLU",
            on_grid((6, 5, 3), 3, then(&[convolution(17, 2, 1, 0), RELU, pool(2, 2, 0)], 3)),
        ),
        ("max-pooling of a grid", on_grid((5, 7, 3), 2, then(&[pool(2, 1, 0), convolution(3, 2, 2, 0)], 2))),
        (
            "adaptive max-pooling, smaller",
            on_grid((7, 5, 2), 2, then(&[convolution(3, 2, 1, 1), adaptive(3, 2)], 2)),
        ),
        (
            "adaptive max-pooling, larger",
            on_frames((1, 3, 4), 2, then(&[convolution(3, 2, 1, 0), adaptive(5, 4)], 2)),
        ),
    ]
}

fn wholes() -> Vec<Named> {
    let convolution = LayerSpec::convolution;
    let block =
        |channels| residual(vec![RELU, convolution(channels, 3, 1, 1), RELU, convolution(channels, 3, 1, 1)]);
    let stage = |channels| {
        let pool = LayerSpec::MaxPool { size: 3, stride: 2, padding: 1 };
        vec![convolution(channels, 3, 1, 1), pool, block(channels), block(channels)]
    };
    let end = |outputs| vec![RELU, LayerSpec::Flatten, linear(17), RELU, linear(outputs)];
    let stream = |outputs| vec![noisy(9), RELU, noisy(outputs)];
    let nature = [vec![convolution(9, 8, 4, 0), RELU, convolution(17, 4, 2, 1)], end(3)].concat();
    let mut rainbow = on_grid(
        (5, 5, 4),
        3,
        vec![convolution(9, 3, 1, 0), RELU, LayerSpec::Flatten, dueling(stream(3), stream(9))],
    );
    rainbow.atoms = 3;
    vec![
        ("the small network of a grid", NetworkSpec::minatar(4, 3)),
        ("large filters", on_frames((4, 20, 17), 3, nature)),
        ("a noisy dueling network of a grid with atoms", rainbow),
        ("stages of residual blocks", on_frames((2, 9, 7), 3, [stage(3), stage(4), end(3)].concat())),
    ]
}
