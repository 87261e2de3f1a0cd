//! `cargo xtask bench` and `cargo xtask study`: the programs that measure, built in release.

use crate::command::{Outcome, cargo, run};

const STUDIES: [&str; 5] = ["default", "default-fixed", "cleanrl", "sb3", "faults"];
const BENCHES: [&str; 3] = ["engine", "speed", "start-up"];

pub(crate) fn bench(arguments: &[&str]) -> Outcome {
    match arguments {
        ["engine", rest @ ..] => {
            let example = ["run", "--release", "--package", "deepq-cpu", "--example", "bench_engine", "--"];
            run(&mut cargo(&[&example[..], rest].concat()))
        }
        ["speed"] => run_bench(arguments),
        ["start-up"] => {
            run(&mut cargo(&["build", "--release", "--package", "deepq-cli"]))?;
            run_bench(arguments)
        }
        _ => Err(format!("bench takes one of: {}", BENCHES.join(", "))),
    }
}

pub(crate) fn study(arguments: &[&str]) -> Outcome {
    match arguments {
        [name, ..] if STUDIES.contains(name) => run_bench(arguments),
        _ => Err(format!("study takes one of: {}, then the first seed and how many", STUDIES.join(", "))),
    }
}

fn run_bench(arguments: &[&str]) -> Outcome {
    let program = ["run", "--release", "--package", "deepq-bench", "--"];
    run(&mut cargo(&[&program[..], arguments].concat()))
}
