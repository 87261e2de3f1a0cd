//! `cargo xtask cross`: the network engine on processors that this machine has not got, under qemu.
//!
//! The bits must be the same everywhere: `crates/cpu/tests/golden_bits.rs` and `crates/core/tests/math.rs` keep
//! numbers that every processor must meet.

use crate::command::{Outcome, cargo, run, rustup};
use crate::tools::{need_files, ready_or_skipped};

const AARCH64: &str = "aarch64-unknown-linux-gnu";

struct Processor {
    name: &'static str,
    /// What is compiled for, where it is not what everything else here is compiled for.
    target: Option<&'static str>,
    /// Programs, and other files, and the Debian packages that have them.
    files: &'static [(&'static str, &'static str)],
    /// The words of the command that runs a program of this processor.
    runner: &'static str,
    /// What of which package is tested.
    tests: &'static [&'static [&'static str]],
}

const ENGINE: &[&str] = &[
    "--package",
    "deepq-cpu",
    "--lib",
    "--test",
    "golden_bits",
    "--test",
    "environment",
    "--",
    "--skip",
    TEAM,
];

/// A suite whose threads wait for each other so often that it takes minutes under qemu.
const TEAM: &str = "a_team_passes_the_suite";

const PROCESSORS: [Processor; 3] = [
    Processor {
        name: "AArch64",
        target: Some(AARCH64),
        files: &[
            ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
            ("/usr/aarch64-linux-gnu/lib/libc.so", "libc6-dev-arm64-cross"),
            ("qemu-aarch64", "qemu-user"),
        ],
        runner: "qemu-aarch64 -L /usr/aarch64-linux-gnu",
        tests: &[
            ENGINE,
            &["--package", "deepq-cpu", "--test", "conformance", "--test", "gradients", "--test", "state"],
            // Not the large networks, which take minutes.
            &["--package", "deepq-cpu", "--test", "same_bits", "--", "tutorials", "one_observation"],
            &["--package", "deepq-core", "--test", "math"],
        ],
    },
    Processor {
        name: "x86-64 without AVX",
        target: None,
        files: &[("qemu-x86_64", "qemu-user")],
        runner: "qemu-x86_64 -cpu Nehalem",
        tests: &[ENGINE],
    },
    Processor {
        name: "x86-64 with AVX2, without AVX-512",
        target: None,
        files: &[("qemu-x86_64", "qemu-user")],
        // Without what qemu does not emulate, lest it warn of it in every run.
        runner: "qemu-x86_64 -cpu Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm",
        tests: &[ENGINE],
    },
];

/// Runs the tests on every processor, even where one has failed.
pub(crate) fn run_all() -> Outcome {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err("cross runs on x86-64 with Linux only; here is `cargo xtask test`".to_owned());
    }
    let (mut passed, mut failed) = (0, Vec::new());
    for processor in &PROCESSORS {
        if !ready_or_skipped(&format!("cross: {}", processor.name), prepare(processor))? {
            continue;
        }
        match test(processor) {
            Ok(()) => passed += 1,
            Err(message) => failed.push(format!("{}: {message}", processor.name)),
        }
    }
    println!("the tests pass on {passed} of {} processors", PROCESSORS.len());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn prepare(processor: &Processor) -> Outcome {
    need_files(processor.files)?;
    match processor.target {
        // Says so and does nothing where it is there.
        Some(target) => run(&mut rustup(&["target", "add", target])),
        None => Ok(()),
    }
}

fn test(processor: &Processor) -> Outcome {
    for tests in processor.tests {
        let target = processor.target.map_or(vec![], |target| vec!["--target", target]);
        let mut command = cargo(&[&["test"], &target[..], tests].concat());
        command
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", processor.runner)
            .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", processor.runner)
            // For tests that start a program of their own.
            .env("DEEPQ_TEST_RUNNER", processor.runner);
        run(&mut command)?;
    }
    Ok(())
}
