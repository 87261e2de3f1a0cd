//! The same bits on every machine: what training gives is compared with numbers kept here.
//!
//! `same_bits` compares the instruction sets of one processor with each other. Here x86-64 and AArch64 meet, this
//! year's compiler and next year's.

mod common;

use common::{mlp, network, numbers, observations, train};
use deepq_core::network::{InputShape, LayerSpec, NetworkSpec, NormalizedAxes, Parameters, QNetwork};
use deepq_core::{ElementKind, RandomStream};
use deepq_cpu::{CpuNetwork, InstructionSet};

/// A 64-bit hash (FNV-1a) of the bits of all numbers.
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Trains for some steps and compares everything that came of it: parameters, target, gradient and outputs.
fn trained(spec: &NetworkSpec, batch: usize, steps: usize, expected: u64) {
    expect(expected, |set, stream| train(&mut network(spec, 5, set), batch, steps, stream));
}

/// Compares what `results` gives on every instruction set with what is kept.
fn expect(expected: u64, results: impl Fn(InstructionSet, &mut RandomStream) -> Vec<f32>) {
    for set in InstructionSet::supported() {
        let found = hash(&results(set, &mut RandomStream::new(11, "test", 0)));
        assert_eq!(
            found, expected,
            "{set}: the result is {found:#018x}. A seed no longer gives the bytes that it gave: where that is \
             meant, put the new number here, and say in the changelog that runs do not repeat"
        );
    }
}

/// As [`trained`], with noise and, for a network that takes them, 3 fractions an observation.
fn trained_with_noise(spec: &NetworkSpec, batch: usize, steps: usize, expected: u64) {
    let step = |network: &mut CpuNetwork, stream: &mut RandomStream, output: &mut [f32]| {
        let mut noise = vec![0.0; spec.noise_len()];
        NetworkSpec::draw_noise(stream, &mut noise);
        network.set_noise(Parameters::Online, Some(&noise));
        let fractions = if spec.takes_fractions() { 3 * batch } else { 0 };
        let fractions: Vec<f32> = (0..fractions).map(|_| stream.uniform_f32()).collect();
        let observation = observations(stream, spec, batch);
        network.forward_train_at(observation.as_observation(), &fractions, output);
        let d_output: Vec<f32> = output
            .iter()
            .zip(numbers(stream, output.len()))
            .map(|(output, wanted)| (output - wanted) / batch as f32)
            .collect();
        network.backward(&d_output);
        network.optimizer_step(1e-3, None);
        network.update_target(0.1);
    };
    expect(expected, |set, stream| {
        let mut network = network(spec, 5, set);
        let values = spec.outputs() * if spec.takes_fractions() { 3 } else { 1 };
        let mut output = vec![0.0; batch * values];
        (0..steps).for_each(|_| step(&mut network, stream, &mut output));
        let mut all = network.parameters(Parameters::Online);
        all.extend(network.parameters(Parameters::Target));
        all.extend(network.gradient());
        all.extend(output);
        all
    });
}

/// A vector through every kind of layer that takes one.
fn vector_layers(width: usize) -> NetworkSpec {
    let branch = |outputs| {
        vec![
            LayerSpec::NoisyLinear { outputs: width, noise: 0.5 },
            LayerSpec::Relu,
            LayerSpec::NoisyLinear { outputs, noise: 0.5 },
        ]
    };
    let layers = vec![
        LayerSpec::linear(width),
        LayerSpec::LayerNorm { axes: NormalizedAxes::All, epsilon: 1e-5 },
        LayerSpec::Gelu,
        LayerSpec::Residual { layers: vec![LayerSpec::linear(width), LayerSpec::Silu] },
        LayerSpec::linear(width),
        LayerSpec::Tanh,
        LayerSpec::Dueling { value: branch(2), advantage: branch(6) },
    ];
    let input = InputShape::Vector { len: 5 };
    NetworkSpec { element: ElementKind::F32, full_byte: 255, input, actions: 3, atoms: 2, layers }
}

/// A picture through every kind of layer that takes one, and quantiles behind it.
fn image_layers(size: usize, channels: usize) -> NetworkSpec {
    let block = vec![
        LayerSpec::Relu,
        LayerSpec::convolution(channels, 3, 1, 1),
        LayerSpec::LayerNorm { axes: NormalizedAxes::Channels, epsilon: 1e-5 },
    ];
    let layers = vec![
        LayerSpec::convolution(channels, 3, 2, 1),
        LayerSpec::MaxPool { size: 3, stride: 2, padding: 1 },
        LayerSpec::Residual { layers: block },
        LayerSpec::AdaptiveMaxPool { height: 2, width: 2 },
        LayerSpec::Flatten,
        LayerSpec::linear(2 * channels),
        LayerSpec::Relu,
        LayerSpec::CosineEmbedding { cosines: 7, initialization: Default::default() },
        LayerSpec::linear(3),
    ];
    let input = InputShape::ChannelsFirst { channels: 2, height: size, width: size + 1 };
    NetworkSpec { element: ElementKind::U8, full_byte: 255, input, actions: 3, atoms: 1, layers }
}

#[test]
fn a_tiny_network() {
    trained(&mlp(&[3, 9, 2]), 5, 3, 0x4775_38e3_2181_745e);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn the_tutorials_network() {
    trained(&mlp(&[4, 24, 24, 2]), 64, 60, 0x9b3b_e89c_7eaf_71f7);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn odd_sizes() {
    trained(
        &mlp(&[3, 63, 17, 5]).with_divided_observations(vec![0.3, 3.0, -7.0]),
        33,
        60,
        0x2cce_c204_d9f2_9c2c,
    );
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn many_inputs() {
    trained(&mlp(&[600, 130, 3]), 17, 10, 0x4e56_19e7_fb2d_0744);
}

#[test]
fn a_tiny_network_of_all_layers_for_vectors() {
    trained_with_noise(&vector_layers(5), 3, 2, 0xf14c_776f_b245_ab60);
}

#[test]
fn a_tiny_network_of_all_layers_for_images() {
    trained_with_noise(&image_layers(7, 3), 2, 2, 0xe225_1f1e_e8de_ae47);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn all_layers_for_vectors() {
    trained_with_noise(&vector_layers(37), 33, 30, 0xd71f_7244_31e2_24c3);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn all_layers_for_images() {
    trained_with_noise(&image_layers(29, 17), 5, 10, 0x731a_2339_502d_98ab);
}

/// Residual blocks with spectral norms, and leaky ReLUs of images and of vectors.
fn normalized_layers(size: usize, channels: usize) -> NetworkSpec {
    let leaky = || LayerSpec::LeakyRelu { slope: 0.01 };
    let block = vec![leaky(), LayerSpec::convolution(channels, 3, 1, 1)];
    let layers = vec![
        LayerSpec::convolution(channels, 3, 2, 1),
        LayerSpec::Residual { layers: block },
        LayerSpec::Flatten,
        LayerSpec::linear(2 * channels),
        leaky(),
        LayerSpec::linear(3),
    ];
    let input = InputShape::ChannelsLast { height: size, width: size + 1, channels: 2 };
    let spec = NetworkSpec { element: ElementKind::F32, full_byte: 255, input, actions: 3, atoms: 1, layers };
    spec.with_spectral_norm()
}

#[test]
fn a_tiny_network_with_spectral_norms() {
    trained_with_noise(&normalized_layers(5, 3), 3, 2, 0x840a_9d20_0da4_7443);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn spectral_norms() {
    trained_with_noise(&normalized_layers(9, 37), 5, 10, 0xb951_4417_f1c4_6541);
}
