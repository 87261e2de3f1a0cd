//! `cargo xtask sanitize`: the kernels under Miri and AddressSanitizer, which need a nightly toolchain.
//!
//! Miri interprets the portable path, and finds undefined behaviour of every kind; it takes some hundred times as
//! long, so that it runs the kernels' own tests and two small networks. AddressSanitizer watches every
//! instruction set of this processor touch memory, in all tests of the engine.

use crate::command::{Outcome, command, output, run, rustup};
use crate::tools::ready_or_skipped;

const ENGINE: [&str; 4] = ["test", "--package", "deepq-cpu", "--lib"];

/// What Miri runs: tests whose names contain one of these.
const SHORT_TESTS: [&str; 2] = ["kernels::", "a_tiny_"];

/// A name, the components of the toolchain that are needed, and what is run.
type Check = (&'static str, &'static [&'static str], fn() -> Outcome);

/// Runs both, even where one has failed.
pub(crate) fn run_all() -> Outcome {
    let checks: [Check; 2] =
        [("Miri", &["miri", "rust-src"], miri), ("AddressSanitizer", &["cargo", "rustc"], address_sanitizer)];
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, components, check) in checks {
        if !ready_or_skipped(&format!("sanitize: {name}"), prepare(components))? {
            continue;
        }
        match check() {
            Ok(()) => passed += 1,
            Err(message) => failed.push(format!("{name}: {message}")),
        }
    }
    println!("{passed} of {} sanitizers passed", checks.len());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Makes sure of a nightly toolchain with the components.
fn prepare(components: &[&str]) -> Outcome {
    let installed = output(&mut rustup(&["component", "list", "--toolchain", "nightly", "--installed"]));
    let installed = installed.map(|list| String::from_utf8_lossy(&list).into_owned()).unwrap_or_default();
    let is_there = |component: &&str| installed.lines().any(|line| line.starts_with(component));
    if components.iter().all(is_there) {
        return Ok(());
    }
    let components = components.join(",");
    let arguments =
        ["toolchain", "install", "nightly", "--profile", "minimal", "--no-self-update", "--component"];
    run(&mut rustup(&[&arguments[..], &[&components]].concat()))
        .map_err(|error| format!("{error}. Is there a network, and a nightly that has all components?"))
}

fn nightly_cargo(arguments: &[&str]) -> std::process::Command {
    rustup(&[&["run", "nightly", "cargo"], arguments].concat())
}

fn miri() -> Outcome {
    let tests = ["--test", "golden_bits", "--"];
    let mut command = nightly_cargo(&[&["miri"], &ENGINE[..], &tests, &SHORT_TESTS].concat());
    // Where a test makes a panic on purpose, its backtrace would be interpreted too.
    run(command.env("RUST_BACKTRACE", "0"))
}

fn address_sanitizer() -> Outcome {
    // With a target, build scripts and procedural macros are compiled without the sanitizer.
    let target = host()?;
    let mut command = nightly_cargo(&[&ENGINE[..], &["--tests", "--target", &target]].concat());
    run(command.env("RUSTFLAGS", "-Zsanitizer=address"))
}

/// What this machine's programs are compiled for.
fn host() -> Outcome<String> {
    let version = output(&mut command("rustc", &["-vV"])).ok_or("`rustc -vV` failed")?;
    let version = String::from_utf8_lossy(&version);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}
