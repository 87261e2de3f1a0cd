//! `cargo xtask bench` and `cargo xtask study`: the programs that measure, built in release.

use crate::command::{Outcome, cargo, run};
use crate::tools::virtual_environment;

const STUDIES: [&str; 7] = ["bits", "default", "default-fixed", "cleanrl", "sb3", "presets", "faults"];
const BENCHES: [&str; 5] = ["engine", "peers", "envs", "speed", "start-up"];
const PEERS_REQUIREMENTS: &str = "benches/peers/requirements-step.txt";
/// Packages with environments, which cannot all be installed together.
const ENV_SETS: [&str; 3] = ["envs", "envs-gymnax", "envs-pufferlib"];

pub(crate) fn bench(arguments: &[&str]) -> Outcome {
    match arguments {
        ["engine", ..] | ["speed"] => run_bench(arguments),
        ["peers", networks @ ..] => peers(networks),
        ["envs", ids @ ..] => envs(ids),
        ["start-up"] => {
            run(&mut cargo(&["build", "--release", "--package", "deepq-cli"]))?;
            run_bench(arguments)
        }
        _ => Err(format!("bench takes one of: {}", BENCHES.join(", "))),
    }
}

/// PyTorch and JAX beside the engine, in a virtual environment of their own.
fn peers(networks: &[&str]) -> Outcome {
    let python = match virtual_environment("bench-venv", PEERS_REQUIREMENTS) {
        Ok(python) => python,
        Err(message) => {
            println!("skipped: bench peers: no Python with the packages of {PEERS_REQUIREMENTS}: {message}");
            return Ok(());
        }
    };
    let python = python.to_string_lossy();
    run_bench(&[&["peers", &python], networks].concat())
}

/// Other packages' environments beside ours, in virtual environments of their own. What cannot be installed is named
/// in the results.
fn envs(ids: &[&str]) -> Outcome {
    let mut arguments = vec!["envs".to_owned()];
    for set in ENV_SETS {
        let requirements = format!("benches/peers/requirements-{set}.txt");
        arguments.push(match virtual_environment(&format!("bench-{set}-venv"), &requirements) {
            Ok(python) => format!("python:{set}={}", python.display()),
            Err(message) => format!("missing:{set}={message}"),
        });
    }
    arguments.extend(ids.iter().map(|id| (*id).to_owned()));
    run_bench(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
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
