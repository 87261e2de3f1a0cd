//! `deepq report`

use std::path::PathBuf;
use std::process::ExitCode;

use deepq_view::report::write_report;
use serde_json::json;

use crate::args::Report;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &Report, output: &Output) -> Result<ExitCode, Failure> {
    let out = args.out.clone().unwrap_or_else(|| match &args.runs[..] {
        [run] => run.join("report.html"),
        _ => PathBuf::from("report.html"),
    });
    write_report(&args.runs, &out)?;
    output.result(&json!({ "runs": args.runs, "report": out }), &out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}
