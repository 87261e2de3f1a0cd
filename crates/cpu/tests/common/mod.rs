//! What several tests need: networks, batches, and a plain reference in `f64`.
#![allow(dead_code)] // Each test program uses a part of it.

use deepq_core::network::{Initialization, LayerSpec, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::{ElementKind, ObservationBuffer, RandomStream};
use deepq_cpu::{CpuNetwork, InstructionSet};

/// A network with first parameters of seed `seed`.
pub(crate) fn network(spec: &NetworkSpec, seed: u64, set: InstructionSet) -> CpuNetwork {
    let mut stream = RandomStream::new(seed, "initialization", 0);
    CpuNetwork::with_instruction_set(spec, OptimizerConfig::default(), &mut stream, set).unwrap()
}

/// Layers of the widths given, from inputs to outputs.
pub(crate) fn mlp(widths: &[usize]) -> NetworkSpec {
    let (inputs, rest) = widths.split_first().unwrap();
    let (outputs, hidden) = rest.split_last().unwrap();
    NetworkSpec::mlp(*inputs, hidden, *outputs, Initialization::FanInUniform)
}

/// Numbers between −1 and 1.
pub(crate) fn numbers(stream: &mut RandomStream, len: usize) -> Vec<f32> {
    (0..len).map(|_| 2.0 * stream.uniform_f32() - 1.0).collect()
}

/// Random observations of a network.
pub(crate) fn observations(stream: &mut RandomStream, spec: &NetworkSpec, batch: usize) -> ObservationBuffer {
    let len = batch * spec.inputs();
    match spec.element {
        ElementKind::F32 => ObservationBuffer::F32(numbers(stream, len)),
        ElementKind::U8 => ObservationBuffer::U8((0..len).map(|_| stream.below(256) as u8).collect()),
    }
}

/// `steps` steps of the optimiser towards random targets; returns all parameters and the last outputs.
pub(crate) fn train(
    network: &mut CpuNetwork,
    batch: usize,
    steps: usize,
    stream: &mut RandomStream,
) -> Vec<f32> {
    let spec = network.spec().clone();
    let outputs = spec.outputs();
    let mut output = vec![0.0; batch * outputs];
    for step in 0..steps {
        let observation = observations(stream, &spec, batch);
        let observation = observation.as_observation();
        let wanted = numbers(stream, batch * outputs);
        network.forward(Parameters::Target, observation, &mut output);
        let next = output.clone();
        network.forward_train(observation, &mut output);
        let d_output: Vec<f32> = output
            .iter()
            .zip(&wanted)
            .zip(&next)
            .map(|((output, wanted), next)| (output - wanted - 0.5 * next) / batch as f32)
            .collect();
        network.backward(&d_output);
        network.optimizer_step(1e-3, (step % 2 == 0).then_some(0.5));
        network.update_target(if step % 50 == 49 { 1.0 } else { 0.01 });
    }
    let mut all = network.parameters(Parameters::Online);
    all.extend(network.parameters(Parameters::Target));
    all.extend(network.gradient());
    all.extend(output);
    all
}

/// Bits, so that comparisons tell −0 from 0.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The values and the gradient of a network, in `f64` and as plainly as possible.
pub(crate) fn reference(
    spec: &NetworkSpec,
    parameters: &[f32],
    observation: &[f64],
    d_output: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let layout = spec.layout().unwrap();
    let mut gradient = vec![0.0; layout.len()];
    let mut values = Vec::new();
    for (row, d_row) in observation.chunks(spec.inputs()).zip(d_output.chunks(spec.outputs())) {
        let mut activations = vec![row.to_vec()];
        let mut tensors = layout.tensors().chunks(2);
        for (index, layer) in spec.layers.iter().enumerate() {
            let input = &activations[index];
            activations.push(match layer {
                LayerSpec::Divide { by } => {
                    input.iter().zip(by).map(|(value, by)| value / f64::from(*by)).collect()
                }
                LayerSpec::Relu => input.iter().map(|value| value.max(0.0)).collect(),
                LayerSpec::Linear { outputs, .. } => {
                    let pair = tensors.next().unwrap();
                    let (weight, bias) = (&parameters[pair[0].range()], &parameters[pair[1].range()]);
                    (0..*outputs)
                        .map(|output| {
                            let weights = &weight[output * input.len()..][..input.len()];
                            let sum: f64 = weights.iter().zip(input).map(|(w, x)| f64::from(*w) * x).sum();
                            sum + f64::from(bias[output])
                        })
                        .collect()
                }
                other => panic!("the reference has no {other:?}"),
            });
        }
        values.extend(activations.last().unwrap());
        let mut d: Vec<f64> = d_row.iter().map(|value| f64::from(*value)).collect();
        let mut tensors = layout.tensors().chunks(2).rev();
        for (index, layer) in spec.layers.iter().enumerate().rev() {
            let input = &activations[index];
            match layer {
                LayerSpec::Relu => {
                    for (d, value) in d.iter_mut().zip(input) {
                        *d = if *value > 0.0 { *d } else { 0.0 };
                    }
                }
                LayerSpec::Linear { .. } => {
                    let pair = tensors.next().unwrap();
                    let mut d_input = vec![0.0; input.len()];
                    for (output, d) in d.iter().enumerate() {
                        gradient[pair[1].offset + output] += d;
                        for (position, value) in input.iter().enumerate() {
                            let place = pair[0].offset + output * input.len() + position;
                            gradient[place] += d * value;
                            d_input[position] += d * f64::from(parameters[place]);
                        }
                    }
                    d = d_input;
                }
                _ => {}
            }
        }
    }
    (values, gradient)
}

/// ‖found − expected‖ / ‖expected‖.
pub(crate) fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error: f64 = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).powi(2)).sum();
    let norm: f64 = expected.iter().map(|e| e * e).sum();
    if norm == 0.0 { error.sqrt() } else { (error / norm).sqrt() }
}
