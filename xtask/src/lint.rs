//! `cargo xtask lint`: what the compiler, clippy and rustdoc say, and the rules of the repository.

use crate::command::{Outcome, cargo, run};
use crate::repository;

type Check = fn() -> Outcome;

/// Runs every check, even where one has failed, so that one run shows everything.
pub(crate) fn run_all() -> Outcome {
    let checks: [(&str, Check); 7] = [
        ("format", format),
        ("unsafe code only in the named modules", repository::check_unsafe_code),
        ("one minimum Rust version", repository::check_rust_version),
        ("the import rule", repository::check_imports),
        ("no big files", repository::check_file_sizes),
        ("clippy", clippy),
        ("documentation", documentation),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(message) = check() {
            eprintln!("xtask: {name}: {message}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("{} checks passed", checks.len());
        return Ok(());
    }
    Err(format!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", ")))
}

fn format() -> Outcome {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn documentation() -> Outcome {
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
}
