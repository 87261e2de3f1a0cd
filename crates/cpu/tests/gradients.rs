//! Values and gradients against a plain reference in `f64`, for sizes that fit no vector.

mod common;

use common::{mlp, network, numbers, reference, relative_error};
use deepq_core::network::{LayerSpec, NetworkSpec, Parameters, QNetwork};
use deepq_core::{Observation, RandomStream};
use deepq_cpu::InstructionSet;

fn check(spec: &NetworkSpec, batch: usize, set: InstructionSet) {
    let mut network = network(spec, 7, set);
    let mut stream = RandomStream::new(3, "test", batch as u64);
    // Mostly positive: a sum whose parts cancel has no small relative error, whoever computes it.
    let mut draw = |len| numbers(&mut stream, len).iter().map(|x| x + 0.5).collect::<Vec<f32>>();
    let (observation, d_output) = (draw(batch * spec.inputs()), draw(batch * spec.outputs()));
    let mut output = vec![f32::NAN; batch * spec.outputs()];
    network.forward_train(Observation::F32(&observation), &mut output);
    network.backward(&d_output);

    let exact: Vec<f64> = observation.iter().map(|value| f64::from(*value)).collect();
    let (values, gradient) = reference(spec, &network.parameters(Parameters::Online), &exact, &d_output);
    let what = format!("{:?}, batch {batch}, {set}", spec.layers);
    assert!(relative_error(&output, &values) < 2e-6, "values of {what}");
    let found = network.gradient();
    for tensor in network.layout().tensors() {
        let error = relative_error(&found[tensor.range()], &gradient[tensor.range()]);
        assert!(error < 2e-6, "{} of {what}: {error:e}", tensor.name);
    }
    let mut alone = vec![f32::NAN; output.len()];
    network.forward(Parameters::Online, Observation::F32(&observation), &mut alone);
    assert_eq!(common::bits(&alone), common::bits(&output), "forward and forward_train of {what}");
}

#[test]
fn they_agree_for_every_size() {
    let shapes: [&[usize]; 9] = [
        &[4, 24, 24, 2],
        &[1, 1],
        &[1, 3, 1],
        &[3, 17, 63, 5],
        &[17, 1, 9],
        &[63, 65, 33],
        &[7, 130, 3, 12],
        &[4, 120, 84, 2],
        &[600, 40, 2],
    ];
    for set in InstructionSet::supported() {
        for widths in shapes {
            for batch in [1, 2, 5, 8, 16, 17, 31, 33, 64, 65, 100] {
                check(&mlp(widths), batch, set);
            }
        }
    }
}

#[test]
fn a_relu_behind_the_last_layer_is_gone_through() {
    let mut spec = mlp(&[5, 19, 20]);
    spec.layers.push(LayerSpec::Relu);
    for set in InstructionSet::supported() {
        for batch in [1, 9, 40] {
            check(&spec, batch, set);
        }
    }
}

#[test]
fn observations_are_divided_first() {
    let spec = mlp(&[3, 20, 2]).with_divided_observations(vec![0.5, -3.0, 7.0]);
    for set in InstructionSet::supported() {
        for batch in [1, 3, 21, 64] {
            check(&spec, batch, set);
        }
    }
}

#[test]
fn bytes_are_divided_by_255() {
    let spec = mlp(&[5, 20, 2]);
    for set in InstructionSet::supported() {
        let mut network = network(&spec, 2, set);
        for batch in [1, 2, 50] {
            let bytes: Vec<u8> = (0..batch * 5).map(|index| (index * 37 % 256) as u8).collect();
            let numbers: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
            let (mut from_bytes, mut from_numbers) = (vec![0.0; batch * 2], vec![1.0; batch * 2]);
            network.forward(Parameters::Online, Observation::U8(&bytes), &mut from_bytes);
            network.forward(Parameters::Online, Observation::F32(&numbers), &mut from_numbers);
            assert_eq!(from_bytes, from_numbers);
            network.forward_train(Observation::U8(&bytes), &mut from_bytes);
            assert_eq!(from_bytes, from_numbers);
        }
    }
}

#[test]
fn relu_keeps_nan_and_the_gradient_stops_at_zero() {
    for set in InstructionSet::supported() {
        let mut network = network(&mlp(&[1, 1, 1]), 1, set);
        network.set_parameters(Parameters::Online, &[1.0, 0.0, 1.0, 0.0]);
        for (value, output, gradient) in [
            (2.0, 2.0, 2.0),
            (-2.0, 0.0, 0.0),
            (0.0, 0.0, 0.0),
            (-0.0, 0.0, 0.0),
            (f32::NAN, f32::NAN, f32::NAN),
        ] {
            for batch in [1, 40] {
                let observation = vec![value; batch];
                let mut found = vec![7.0; batch];
                network.forward(Parameters::Online, Observation::F32(&observation), &mut found);
                assert!(found.iter().all(|x| *x == output || (x.is_nan() && output.is_nan())), "{found:?}");
                network.forward_train(Observation::F32(&observation), &mut found);
                network.backward(&vec![1.0 / batch as f32; batch]);
                let d = network.gradient()[0];
                assert!((d - gradient).abs() < 1e-6 || (d.is_nan() && gradient.is_nan()), "{value}: {d}");
            }
        }
    }
}

#[test]
fn an_empty_batch_has_no_gradient() {
    for set in InstructionSet::supported() {
        let mut network = network(&mlp(&[3, 4, 2]), 1, set);
        // The gradient of a batch before must not stay.
        network.forward_train(Observation::F32(&[1.0, -2.0, 3.0]), &mut [0.0; 2]);
        network.backward(&[1.0, 1.0]);
        assert!(network.gradient().iter().any(|value| *value != 0.0));
        network.forward(Parameters::Online, Observation::F32(&[]), &mut []);
        network.forward_train(Observation::F32(&[]), &mut []);
        network.backward(&[]);
        assert!(network.gradient().iter().all(|value| *value == 0.0), "{set}");
    }
}

/// Slices that do not fit are refused before anything is read: a caller that catches the panic gets another one,
/// not foreign memory.
#[test]
fn a_pass_that_failed_cannot_go_backwards() {
    let caught = |act: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_err();
    for set in InstructionSet::supported() {
        let mut network = network(&mlp(&[3, 20, 2]), 1, set);
        let (few, many) = (vec![0.5; 4 * 3], vec![0.5; 200_000 * 3]);
        network.forward_train(Observation::F32(&few), &mut [0.0; 8]);
        assert!(caught(&mut || network.forward_train(Observation::F32(&many), &mut [0.0; 8])));
        assert!(caught(&mut || network.backward(&vec![1.0; 200_000 * 2])));
        network.forward_train(Observation::F32(&few), &mut [0.0; 8]);
        network.backward(&[1.0; 8]);
        assert!(network.gradient().iter().any(|value| *value != 0.0));
    }
}

#[test]
fn fractions_need_observations() {
    let mut spec = mlp(&[3, 2]);
    let initialization = Default::default();
    spec.layers.insert(0, LayerSpec::CosineEmbedding { cosines: 4, initialization });
    let mut network = network(&spec, 1, InstructionSet::detect());
    let mut forward = |observation: &[f32], fractions: &[f32], output: &mut [f32]| {
        let pass =
            || network.forward_at(Parameters::Online, Observation::F32(observation), fractions, output);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(pass)).is_ok()
    };
    assert!(forward(&[1.0; 3], &[0.5; 2], &mut [0.0; 4]));
    assert!(forward(&[], &[], &mut []));
    assert!(!forward(&[], &[0.5; 3], &mut [0.0; 6]));
    assert!(!forward(&[1.0; 3], &[], &mut [0.0; 2]));
    assert!(!forward(&[1.0; 6], &[0.5; 3], &mut [0.0; 6]));
}
