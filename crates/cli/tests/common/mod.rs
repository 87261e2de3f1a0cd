//! What the tests of the program share.

#![allow(dead_code)] // Each test takes what it needs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program in a folder, with no settings of whoever runs the tests.
pub(crate) fn deepq(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deepq"));
    command.current_dir(folder).stdin(Stdio::null());
    for variable in ["DEEPQ_ISA", "DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The last line of standard output, which `--json` makes an object.
    pub(crate) fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_else(|| panic!("no output: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command to its end. No outcome may ever hold a panic.
pub(crate) fn finish(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let outcome =
        Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    assert!(!outcome.stderr.contains("panicked") && !outcome.stdout.contains("panicked"), "{outcome:?}");
    outcome
}

/// Runs the program with arguments.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Outcome {
    finish(deepq(folder).args(args))
}

/// Runs the program, which must succeed.
pub(crate) fn succeed<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Outcome {
    let outcome = run(folder, args);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

/// Trains for so short a time that nobody waits, into `folder/name`.
pub(crate) fn train_small(folder: &Path, name: &str, more: &[&str]) -> Outcome {
    let args = ["train", "CartPole-v1", "--env-steps", "700", "--out", name];
    let small = ["--set", "recording.episodes=1", "--set", "evaluation.final_episodes=5"];
    succeed(folder, &[&args[..], &small, more].concat())
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
