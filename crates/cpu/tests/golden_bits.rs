//! The same bits on every machine: what training gives is compared with numbers kept here.
//!
//! `same_bits` compares the instruction sets of one processor with each other. Here x86-64 and AArch64 meet, this
//! year's compiler and next year's.

mod common;

use common::{mlp, network, train};
use deepq_core::RandomStream;
use deepq_core::network::NetworkSpec;
use deepq_cpu::InstructionSet;

/// A 64-bit hash (FNV-1a) of the bits of all numbers.
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Trains for some steps and compares everything that came of it: parameters, target, gradient and outputs.
fn trained(spec: &NetworkSpec, batch: usize, steps: usize, expected: u64) {
    for set in InstructionSet::supported() {
        let mut stream = RandomStream::new(11, "test", 0);
        let found = hash(&train(&mut network(spec, 5, set), batch, steps, &mut stream));
        assert_eq!(
            found, expected,
            "{set}: the result is {found:#018x}. A seed no longer gives the bytes that it gave: where that is \
             meant, put the new number here, and say in the changelog that runs do not repeat"
        );
    }
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
