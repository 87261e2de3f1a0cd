//! The suite that every network engine passes, on every instruction set of this processor.

use deepq_core::RandomStream;
use deepq_core::network::{NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::testing::conformance;
use deepq_cpu::{CpuNetwork, InstructionSet};

fn network(
    spec: &NetworkSpec,
    optimizer: OptimizerConfig,
    initial: &[f32],
    set: InstructionSet,
) -> Box<dyn QNetwork> {
    let mut stream = RandomStream::new(1, "initialization", 0);
    let mut network = CpuNetwork::with_instruction_set(spec, optimizer, &mut stream, set).unwrap();
    network.set_parameters(Parameters::Online, initial);
    network.set_parameters(Parameters::Target, initial);
    Box::new(network)
}

#[test]
fn every_instruction_set_passes_the_suite() {
    for set in InstructionSet::supported() {
        println!("{set}");
        conformance::run(|spec, optimizer, initial| network(spec, optimizer, initial, set));
    }
}
