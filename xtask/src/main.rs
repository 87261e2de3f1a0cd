//! The repository's own commands: `cargo xtask COMMAND`. Each command is one file.

mod bench;
mod command;
mod cross;
mod lint;
mod repository;
mod sanitize;
mod source;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
The repository's own commands.

Usage: cargo xtask COMMAND

Commands:
  lint      Format, clippy, documentation, and the rules of the repository
  test      Install what the tests need, then run every test of the workspace
  cross     The network engine on other processors, under qemu (installs it)
  sanitize  The kernels under Miri and AddressSanitizer (installs a nightly toolchain)
  bench     Measure: engine, peers, envs, speed, start-up (release; leave the machine alone meanwhile)
  study     Train over many seeds: default, default-fixed, cleanrl, sb3, presets, faults; or bits: equal bits everywhere
  help      Print this

What bench and study find is written to benches/results/.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test"] => test::run_all(),
        ["lint"] => lint::run_all(),
        ["cross"] => cross::run_all(),
        ["sanitize"] => sanitize::run_all(),
        ["bench", arguments @ ..] => bench::bench(arguments),
        ["study", arguments @ ..] => bench::study(arguments),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [] => return bad_usage("a command is missing"),
        ["test" | "lint" | "cross" | "sanitize", surplus, ..] => {
            return bad_usage(&format!("`{surplus}` is one argument too many: the command takes none"));
        }
        [unknown, ..] => return bad_usage(&format!("there is no command `{unknown}`")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn bad_usage(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{HELP}");
    ExitCode::from(2)
}
