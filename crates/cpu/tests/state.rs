//! State out and in, target updates, and what wrong state is answered with.

mod common;

use common::{bits, mlp, network, numbers, train};
use deepq_core::network::{Parameters, QNetwork};
use deepq_core::testing::conformance;
use deepq_core::{Observation, RandomStream, StateError, StateReader, StateWriter};
use deepq_cpu::{CpuNetwork, InstructionSet};

fn saved(network: &CpuNetwork) -> Vec<u8> {
    let mut state = StateWriter::new();
    network.save_optimizer(&mut state);
    state.into_bytes()
}

fn load(network: &mut CpuNetwork, bytes: &[u8]) -> Result<(), StateError> {
    let mut reader = StateReader::new(bytes);
    network.load_optimizer(&mut reader)?;
    reader.finish()
}

#[test]
fn a_network_goes_on_from_its_state() {
    let spec = mlp(&[3, 17, 5]);
    let mut stream = RandomStream::new(9, "test", 0);
    let mut first = network(&spec, 1, InstructionSet::detect());
    train(&mut first, 20, 30, &mut stream);

    let mut second = network(&spec, 2, InstructionSet::Portable);
    for which in [Parameters::Online, Parameters::Target] {
        second.set_parameters(which, &first.parameters(which));
    }
    load(&mut second, &saved(&first)).unwrap();
    assert_eq!(second.gradient_steps(), 30);
    assert_eq!(saved(&second), saved(&first));

    let one = train(&mut first, 20, 30, &mut stream.clone());
    let other = train(&mut second, 20, 30, &mut stream);
    assert_eq!(bits(&one), bits(&other));
    assert_eq!(saved(&second), saved(&first));
}

#[test]
fn wrong_state_is_refused_and_changes_nothing() {
    let mut stream = RandomStream::new(9, "test", 0);
    let mut trained = network(&mlp(&[3, 17, 5]), 1, InstructionSet::detect());
    train(&mut trained, 4, 3, &mut stream);
    let good = saved(&trained);
    let mut other = network(&mlp(&[3, 16, 5]), 1, InstructionSet::detect());
    let before = saved(&other);

    assert!(matches!(load(&mut other, &good), Err(StateError::Mismatch { .. })), "another network's");
    for len in 0..good.len() {
        assert!(load(&mut trained, &good[..len]).is_err(), "cut to {len} bytes");
    }
    assert_eq!(saved(&trained), good);
    let mut long = good.clone();
    long.push(0);
    assert!(matches!(load(&mut trained, &long), Err(StateError::TooLong { left: 1 })));
    // A length of 2^64 − 1 elements must not be believed.
    let mut huge = good.clone();
    huge[28..36].fill(0xff);
    assert!(matches!(load(&mut trained, &huge), Err(StateError::Truncated { .. })));
    assert!(load(&mut other, b"no state at all").is_err());
    assert_eq!(saved(&other), before);
    assert_eq!(saved(&trained), good);
}

/// The same vectors mean something else to another optimiser.
#[test]
fn the_state_of_another_optimizer_is_refused() {
    let make = |optimizer| {
        let mut stream = RandomStream::new(1, "initialization", 0);
        let mut network = CpuNetwork::new(&mlp(&[3, 5, 2]), optimizer, &mut stream).unwrap();
        train(&mut network, 4, 3, &mut stream);
        network
    };
    let mut networks: Vec<_> = conformance::optimizers().into_iter().map(make).collect();
    let states: Vec<_> = networks.iter().map(saved).collect();
    // "adam" of "adamw": the tag, its length before it.
    let tag = |state: &[u8]| state[..8 + state[0] as usize].to_vec();
    let mut refused = 0;
    for (network, own) in networks.iter_mut().zip(&states) {
        for other in &states {
            let loaded = load(network, other);
            assert_eq!(loaded.is_ok(), tag(other) == tag(own), "{:?}", String::from_utf8_lossy(&tag(other)));
            if loaded.is_err() {
                refused += 1;
            } else {
                load(network, own).unwrap();
            }
            assert_eq!(saved(network), *own);
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn the_target_follows() {
    for set in InstructionSet::supported() {
        let mut network = network(&mlp(&[3, 17, 5]), 1, set);
        let len = network.layout().len();
        let start = network.parameters(Parameters::Target);
        assert_eq!(bits(&start), bits(&network.parameters(Parameters::Online)));
        // Far apart in size, where target + 1·(online − target) would not be online.
        let online: Vec<f32> = (0..len).map(|index| 1e-9 * index as f32).collect();
        network.set_parameters(Parameters::Online, &online);
        network.set_parameters(Parameters::Target, &vec![1.0; len]);
        network.update_target(0.25);
        for (target, online) in network.parameters(Parameters::Target).iter().zip(&online) {
            assert_eq!(*target, 0.25f32.mul_add(online - 1.0, 1.0));
        }
        network.update_target(0.0);
        assert!((network.parameters(Parameters::Target)[0] - 0.75).abs() < 1e-6);
        network.update_target(1.0);
        assert_eq!(bits(&network.parameters(Parameters::Target)), bits(&online));
        assert_eq!(bits(&network.parameters(Parameters::Online)), bits(&online));
    }
}

#[test]
fn a_forward_pass_does_not_disturb_a_gradient() {
    let spec = mlp(&[3, 17, 5]);
    let mut stream = RandomStream::new(9, "test", 0);
    let (observation, d_output) = (numbers(&mut stream, 40 * 3), numbers(&mut stream, 40 * 5));
    let (mut output, mut others) = (vec![0.0; 40 * 5], vec![0.0; 100 * 5]);
    let mut gradients = Vec::new();
    for disturb in [false, true] {
        let mut network = network(&spec, 1, InstructionSet::detect());
        network.forward_train(Observation::F32(&observation), &mut output);
        if disturb {
            let many = numbers(&mut stream, 100 * 3);
            network.forward(Parameters::Target, Observation::F32(&many), &mut others);
            network.forward(Parameters::Online, Observation::U8(&[1, 2, 3]), &mut others[..5]);
        }
        network.backward(&d_output);
        gradients.push(bits(&network.gradient()));
    }
    assert_eq!(gradients[0], gradients[1]);
}

#[test]
fn clipping_scales_the_step_and_leaves_the_gradient() {
    for set in InstructionSet::supported() {
        let spec = mlp(&[3, 2]);
        let (mut clipped, mut whole) = (network(&spec, 1, set), network(&spec, 1, set));
        for network in [&mut clipped, &mut whole] {
            network.forward_train(Observation::F32(&[1.0, 2.0, 3.0]), &mut [0.0; 2]);
            network.backward(&[1.0, -2.0]);
        }
        let before = clipped.gradient();
        let norm = before.iter().map(|value| value * value).sum::<f32>().sqrt();
        clipped.optimizer_step(0.1, Some(norm / 2.0));
        whole.optimizer_step(0.1, Some(norm * 2.0));
        assert_eq!(clipped.gradient(), before);
        let mean = |network: &CpuNetwork| {
            let bytes = saved(network);
            // Behind the tag (8 + 4 bytes), both counts of steps (8 + 8) and the length (8).
            f32::from_le_bytes(bytes[36..40].try_into().unwrap())
        };
        assert!((mean(&whole) - 0.1 * before[0]).abs() < 1e-6);
        assert!((mean(&clipped) - 0.05 * before[0]).abs() < 1e-6);
    }
}

/// A subnormal mean would stay one for ever, and slow every later step down.
#[test]
fn means_of_gradients_that_stay_zero_become_zero() {
    for isa in InstructionSet::supported() {
        let spec = mlp(&[3, 8, 2]);
        let mut network = network(&spec, 1, isa);
        let (observation, mut output) = ([0.5, -1.0, 2.0], [0.0; 2]);
        for step in 0..80_000 {
            network.forward_train(Observation::F32(&observation), &mut output);
            let d_output = if step == 0 { [1.0, -1.0] } else { [0.0; 2] };
            network.backward(&d_output);
            network.optimizer_step(1e-3, None);
            if isa == InstructionSet::Portable && step > 2_000 {
                break;
            }
        }
        let bytes = saved(&network);
        let mut state = StateReader::new(&bytes);
        state.tag("adam").unwrap();
        state.u64("steps").unwrap();
        state.u64("steps since the reset").unwrap();
        let (mean, square) = (state.f32_vec("mean").unwrap(), state.f32_vec("square").unwrap());
        assert!(mean.iter().all(|value| *value == 0.0), "{isa}: {mean:?}");
        assert!(square.iter().all(|value| !value.is_subnormal()), "{isa}: {square:?}");
    }
}
