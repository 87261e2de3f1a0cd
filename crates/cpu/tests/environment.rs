//! The environment variable that names an instruction set, read by a process of its own.

mod common;

use std::process::Command;

use common::mlp;
use deepq_core::RandomStream;
use deepq_core::network::OptimizerConfig;
use deepq_cpu::{CpuNetwork, INSTRUCTION_SET_VARIABLE, InstructionSet};

/// Run by the tests below with the variable set; by itself it only must not fail.
#[test]
fn report() {
    match InstructionSet::from_environment() {
        Ok(set) => println!("<set {set}>"),
        Err(error) => println!("<error {error}>"),
    }
    let mut stream = RandomStream::new(1, "initialization", 0);
    let network = CpuNetwork::new(&mlp(&[2, 3, 2]), OptimizerConfig::default(), &mut stream).unwrap();
    println!("<network {}>", network.instruction_set());
}

/// This program once more. Where it is one for another processor, `DEEPQ_TEST_RUNNER` has the words of the command
/// that runs such programs (`cargo xtask cross` sets it).
fn again() -> Command {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var("DEEPQ_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn report_with(value: &str) -> String {
    let output = again()
        .args(["--exact", "report", "--nocapture"])
        .env(INSTRUCTION_SET_VARIABLE, value)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_is_honoured() {
    for set in InstructionSet::supported() {
        let report = report_with(set.name());
        assert!(report.contains(&format!("<set {set}>")), "{report}");
        assert!(report.contains(&format!("<network {set}>")), "{report}");
    }
    let best = InstructionSet::detect();
    assert!(report_with("").contains(&format!("<set {best}>")));
}

#[test]
fn a_wrong_value_is_named_and_stops_nothing() {
    let report = report_with("sse9");
    let expected =
        "<error environment variable DEEPQ_ISA: instruction set \"sse9\" is not known; here it can be";
    assert!(report.contains(expected), "{report}");
    assert!(report.contains(&format!("<network {}>", InstructionSet::detect())), "{report}");
}
