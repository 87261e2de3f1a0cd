//! The program `deepq`: train, watch, record and judge deep Q-learning agents.

mod args;
mod commands;
mod failure;
mod interrupt;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return output::usage(error),
    };
    let output = output::Output::new(&args.global);
    let outcome = deepq::instruction_set().map_err(failure::Failure::from);
    match outcome.and_then(|_| commands::run(args, &output)) {
        Ok(code) => code,
        Err(failure) => output.failure(&failure),
    }
}
