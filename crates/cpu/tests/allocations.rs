//! A batch size that was seen before costs no allocation.
#![allow(unsafe_code)] // A global allocator cannot be written without.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{mlp, network, numbers};
use deepq_core::network::{InputShape, LayerSpec, NetworkSpec, Parameters, QNetwork};
use deepq_core::testing::{Chain, conformance};
use deepq_core::{
    Env, EpsilonGreedy, Observation, RandomStream, RolloutConfig, RolloutLearner, StreamingConfig,
    StreamingLearner, VectorEnv,
};
use deepq_cpu::{CpuNetwork, InstructionSet};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_gradient_step_allocates_nothing() {
    let mut stream = RandomStream::new(1, "test", 0);
    for set in InstructionSet::supported() {
        let spec = mlp(&[4, 24, 17, 2]).with_divided_observations(vec![2.0; 4]);
        let mut network = network(&spec, 1, set);
        let observation = numbers(&mut stream, 64 * 4);
        let bytes = [7u8; 64 * 4];
        let mut output = vec![0.0; 64 * 2];
        let mut step = |batch: usize| {
            let output = &mut output[..batch * 2];
            let observation = Observation::F32(&observation[..batch * 4]);
            network.forward(Parameters::Target, observation, output);
            network.forward(Parameters::Online, observation, output);
            network.forward(Parameters::Online, Observation::U8(&bytes[..batch * 4]), output);
            network.forward_train(observation, output);
            network.backward(output);
            network.optimizer_step(1e-3, Some(1.0));
            network.optimizer_step(1e-3, None);
            network.update_target(0.01);
            network.update_target(1.0);
        };
        let before = ALLOCATIONS.get();
        [64, 32, 33, 1].into_iter().for_each(&mut step);
        assert!(ALLOCATIONS.get() > before, "the first steps make the buffers: the counter counts");
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            [1, 33, 64, 32].into_iter().for_each(&mut step);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{set}");
    }
}

/// Filters are normalised anew for each step, in place.
#[test]
fn normalized_filters_and_features_allocate_nothing() {
    let input = InputShape::ChannelsFirst { channels: 2, height: 9, width: 8 };
    let embedding = LayerSpec::CosineEmbedding { cosines: 4, initialization: Default::default() };
    let mut spec = NetworkSpec::impala(2, 1, 3).with_spectral_norm();
    (spec.input, spec.actions) = (input, 3);
    spec.layers.insert(spec.layers.len() - 1, embedding);
    let features = spec.features_len().unwrap();
    let mut network = network(&spec, 1, InstructionSet::detect());
    let (pictures, fractions) = ([9u8; 4 * 2 * 9 * 8], [0.5f32; 4 * 2]);
    let (mut output, mut values) = (vec![0.0; 4 * 3 * 2], vec![0.0; 4 * features]);
    let mut step = || {
        let observation = Observation::U8(&pictures);
        network.forward_at(Parameters::Target, observation, &fractions, &mut output);
        network.forward_features(Parameters::Online, observation, &mut values);
        network.forward_train_at(observation, &fractions, &mut output);
        network.backward(&output);
        network.optimizer_step(1e-3, Some(1.0));
        network.update_target(0.01);
        network.reset_optimizer();
    };
    step();
    let before = ALLOCATIONS.get();
    (0..3).for_each(|_| step());
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn no_optimizer_allocates() {
    let spec = mlp(&[4, 24, 2]);
    for optimizer in conformance::optimizers() {
        let mut stream = RandomStream::new(1, "test", 0);
        let set = InstructionSet::detect();
        let mut network = CpuNetwork::with_instruction_set(&spec, optimizer, &mut stream, set).unwrap();
        let mut output = [0.0; 2];
        network.forward_train(Observation::F32(&[1.0; 4]), &mut output);
        network.backward(&output);
        let before = ALLOCATIONS.get();
        for step in 0..10 {
            network.optimizer_step(1e-3, (step % 2 == 0).then_some(1e-3));
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{optimizer:?}");
    }
}

fn chains(count: usize) -> (VectorEnv, Box<EpsilonGreedy>) {
    let envs = (0..count).map(|_| Box::new(Chain::new(3)) as Box<dyn Env>).collect();
    (VectorEnv::new(envs).unwrap(), Box::new(EpsilonGreedy::new(1, count, 2)))
}

/// Collecting, with episodes that end in both ways, and learning.
#[test]
fn pqn_allocates_nothing() {
    let mut spec = mlp(&[3, 24, 2]);
    spec.layers[2] = LayerSpec::NoisyLinear { outputs: 2, noise: 0.5 };
    let network = Box::new(network(&spec, 1, InstructionSet::detect()));
    let (envs, policy) = chains(8);
    let config = RolloutConfig { steps: 8, minibatches: 4, ..RolloutConfig::default() };
    let mut learner = RolloutLearner::new(envs, policy, network, config, 1).unwrap();
    learner.reset(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let mut rollouts = |count: usize| {
        for _ in 0..count * config.steps {
            learner.step(0.5, |_| 1e-3).unwrap();
        }
    };
    rollouts(1);
    let before = ALLOCATIONS.get();
    rollouts(10);
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn learning_from_a_stream_allocates_nothing() {
    let network = Box::new(network(&mlp(&[3, 24, 2]), 1, InstructionSet::detect()));
    let (envs, policy) = chains(1);
    let mut learner = StreamingLearner::new(envs, policy, network, StreamingConfig::default(), 1).unwrap();
    learner.reset(&[1]).unwrap();
    learner.step(0.5, 1.0).unwrap();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        learner.step(0.5, 1.0).unwrap();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
