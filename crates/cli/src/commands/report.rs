//! `deepq report`

use std::path::PathBuf;
use std::process::ExitCode;

use deepq_view::report::write_report;
use serde_json::{Value, json};

use super::check_page;
use crate::args::Report;
use crate::failure::Failure;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &Report, output: &Output) -> Result<ExitCode, Failure> {
    let out = args.out.clone().unwrap_or_else(|| match &args.runs[..] {
        [run] => run.join("report.html"),
        _ => PathBuf::from("report.html"),
    });
    check_page(&out)?;
    write_report(&args.runs, &out)?;
    let runs: Vec<Value> = args.runs.iter().map(|run| path_json(run)).collect();
    output.result(&json!({ "runs": runs, "report": path_json(&out) }), &out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}
