//! What is printed where: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use deepq::Config;
use deepq_view::shell::quoted;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::Failure;

/// Where and how much is printed.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, verbose: global.verbose }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// True where a line may be drawn over again.
    pub(crate) fn is_live(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Tells something by the way.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            // A closed standard error is no reason to stop training.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints the result: as one object with --json, else as text.
    pub(crate) fn result(&self, json: &serde_json::Value, text: &str) -> Result<(), Failure> {
        let line = if self.json { json.to_string() } else { text.trim_end().to_owned() };
        match writeln!(std::io::stdout(), "{line}") {
            // Whoever reads has read enough: `deepq list envs | head -1`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure {
                kind: "io",
                message: format!("cannot write to standard output: {error}"),
                help: None,
                code: 1,
            }),
            Ok(()) => Ok(()),
        }
    }

    /// Tells of a failure, and gives the exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let error = json!({ "kind": failure.kind, "message": failure.message, "help": failure.help });
            let _ = writeln!(std::io::stdout(), "{}", json!({ "error": error }));
        }
        let help = failure.help.as_ref().map(|help| format!("{} {help}\n", style("help:", "36")));
        let report = format!("{} {}\n{}", style("error:", "1;31"), failure.message, help.unwrap_or_default());
        let _ = write!(std::io::stderr(), "{report}");
        ExitCode::from(failure.code)
    }
}

/// A path for JSON, which knows no bytes that are not UTF-8: these are replaced.
pub(crate) fn path_json(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

/// Text in a colour (an ANSI code) where standard error is a terminal and `NO_COLOR` is not set.
fn style(text: &str, code: &str) -> String {
    let coloured =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Tells of a command line that cannot be understood, or prints the help that was asked for.
pub(crate) fn usage(error: clap::Error) -> ExitCode {
    let error = with_setting(error);
    let wants_json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message).trim_end();
        let error = json!({ "kind": "usage", "message": message, "help": help.trim() });
        let _ = writeln!(std::io::stdout(), "{}", json!({ "error": error }));
    }
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

/// A flag that other libraries have, `--gamma` say, is a setting here.
fn with_setting(mut error: clap::Error) -> clap::Error {
    let mut words = std::env::args_os().skip(1).filter(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let is_of_train = words.next().is_some_and(|command| command == "train");
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && is_of_train
        && let Some((setting, value)) = Config::setting_meant_by(flag)
    {
        let tip = match &setting[..] {
            "stop.env_steps" => "how long to train is told with --env-steps".to_owned(),
            _ => {
                let example = quoted(&format!("{setting}={value}"));
                format!("settings are changed with --set, as in --set {example}")
            }
        };
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// A path as a word that a shell reads back.
pub(crate) fn shell_word(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// The command that compares runs.
pub(crate) fn compare_command(runs: &[PathBuf]) -> String {
    let words = runs.iter().map(|run| shell_word(run));
    format!("deepq compare {}", words.collect::<Vec<_>>().join(" "))
}
