//! The commands: each turns its arguments into one call of the library, and prints what came of it.

mod compare;
mod eval;
mod list;
mod play;
mod record;
mod report;
mod train;

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use deepq::config::ConfigError;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: Args, output: &Output) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Train(args) => train::run(&args, output),
        Command::Eval(args) => eval::run(&args, output),
        Command::Play(args) => play::run(&args, output),
        Command::Record(args) => record::run(&args, output),
        Command::Report(args) => report::run(&args, output),
        Command::Compare(args) => compare::run(&args, output),
        Command::List(args) => list::run(&args, output),
        Command::Completions(args) => {
            let mut script = vec![];
            clap_complete::generate(args.shell, &mut Args::command(), "deepq", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            output
                .result(&serde_json::json!({ "shell": args.shell.to_string(), "script": script }), &script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A page may take the place of a file that ends in `.html`, and of nothing else.
fn check_page(page: &Path) -> Result<(), ConfigError> {
    let is_page = page.extension().is_some_and(|extension| extension == "html") && !page.is_dir();
    match page.exists() && !is_page {
        true => {
            let message =
                format!("{} is there already; only a file that ends in .html is overwritten", page.display());
            Err(ConfigError::new("--out", message))
        }
        false => Ok(()),
    }
}
