//! Equal bits on every instruction set, and whatever batch an observation stands in.

mod common;

use common::{bits, mlp, network, numbers, train};
use deepq_core::network::{InputShape, NetworkSpec, Parameters, QNetwork};
use deepq_core::{Observation, RandomStream};
use deepq_cpu::InstructionSet;

/// Every instruction set with one thread, and with two and three.
fn engines() -> impl Iterator<Item = (InstructionSet, usize)> {
    InstructionSet::supported().into_iter().flat_map(|set| [1, 2, 3].map(|threads| (set, threads)))
}

fn same_bits_after(steps: usize, spec: &NetworkSpec, batch: usize) {
    let results: Vec<_> = engines()
        .map(|(set, threads)| {
            let mut stream = RandomStream::new(11, "test", 0);
            let mut network = network(spec, 5, set).with_threads(threads);
            assert_eq!(network.threads(), threads);
            (set, threads, bits(&train(&mut network, batch, steps, &mut stream)))
        })
        .collect();
    let (first, _, expected) = &results[0];
    for (set, threads, result) in &results[1..] {
        assert!(
            result == expected,
            "{set} with {threads} threads and {first} with one differ on {:?}",
            spec.layers
        );
    }
}

#[test]
fn after_1000_steps_of_the_tutorials_network() {
    same_bits_after(1000, &mlp(&[4, 24, 24, 2]), 64);
}

#[test]
fn after_100_steps_of_cleanrls_network() {
    same_bits_after(100, &mlp(&[4, 120, 84, 2]), 128);
}

#[test]
fn after_1000_steps_of_a_wider_network() {
    same_bits_after(1000, &mlp(&[4, 120, 84, 2]), 17);
}

// Large enough that threads share every pass.
#[test]
fn after_20_steps_of_the_zoos_network() {
    same_bits_after(20, &mlp(&[4, 256, 256, 2]), 128);
}

#[test]
fn after_2_steps_of_the_network_for_atari() {
    same_bits_after(2, &NetworkSpec::nature(4, 4), 32);
}

#[test]
fn after_20_steps_of_the_network_for_minatar() {
    same_bits_after(20, &NetworkSpec::minatar(4, 6), 32);
}

#[test]
fn after_a_step_of_a_residual_network() {
    let mut spec = NetworkSpec::impala(3, 1, 5);
    spec.input = InputShape::ChannelsFirst { channels: 3, height: 37, width: 30 };
    same_bits_after(1, &spec, 7);
    same_bits_after(2, &spec.with_spectral_norm(), 5);
}

#[test]
fn after_1000_steps_of_odd_sizes() {
    for (widths, batch) in [
        (vec![1, 3, 17, 1], 5),
        (vec![3, 63, 17, 3], 33),
        (vec![17, 1, 3], 7),
        (vec![63, 17, 63], 1),
        (vec![600, 5], 3),
    ] {
        same_bits_after(1000, &mlp(&widths), batch);
    }
    same_bits_after(1000, &mlp(&[3, 9, 2]).with_divided_observations(vec![0.3, 3.0, -7.0]), 9);
}

#[test]
fn one_observation_gives_what_it_gives_in_a_batch() {
    for set in InstructionSet::supported() {
        for widths in [&[4, 24, 24, 2][..], &[4, 120, 84, 2], &[600, 17, 33], &[1, 1], &[3, 300, 63]] {
            let mut network = network(&mlp(widths), 3, set);
            let (inputs, outputs) = (network.spec().inputs(), network.spec().outputs());
            let observation = numbers(&mut RandomStream::new(1, "test", 0), 130 * inputs);
            let mut alone = vec![0.0; 130 * outputs];
            for (row, result) in observation.chunks(inputs).zip(alone.chunks_mut(outputs)) {
                network.forward(Parameters::Online, Observation::F32(row), result);
            }
            for batch in [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 32, 48, 63, 64, 65, 100, 128, 130] {
                let mut output = vec![0.0; batch * outputs];
                let observation = Observation::F32(&observation[..batch * inputs]);
                network.forward(Parameters::Online, observation, &mut output);
                assert_eq!(
                    bits(&output),
                    bits(&alone[..batch * outputs]),
                    "{widths:?}, batch {batch}, {set}"
                );
                network.forward_train(observation, &mut output);
                assert_eq!(
                    bits(&output),
                    bits(&alone[..batch * outputs]),
                    "{widths:?}, batch {batch}, {set}"
                );
            }
        }
    }
}

#[test]
fn buffers_of_an_earlier_batch_leave_no_trace() {
    for set in InstructionSet::supported() {
        let spec = mlp(&[3, 20, 5]);
        let (mut used, mut fresh) = (network(&spec, 3, set), network(&spec, 3, set));
        for (parameter, poison) in [(f32::NAN, 100), (f32::INFINITY, 33)] {
            let mut output = vec![0.0; poison * 5];
            used.forward_train(Observation::F32(&vec![parameter; poison * 3]), &mut output);
            used.backward(&vec![parameter; poison * 5]);
        }
        for batch in [1, 7, 18, 35] {
            let mut stream = RandomStream::new(4, "test", 0);
            let used = train(&mut used, batch, 3, &mut stream);
            let fresh = train(&mut fresh, batch, 3, &mut RandomStream::new(4, "test", 0));
            assert_eq!(bits(&used), bits(&fresh), "batch {batch}, {set}");
        }
    }
}
