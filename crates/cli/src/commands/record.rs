//! `deepq record`

use std::process::ExitCode;

use deepq::{Registry, RunDirectory};
use deepq_view::recorder::{RecordRequest, record};
use serde_json::json;

use crate::args::Record;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &Record, output: &Output) -> Result<ExitCode, Failure> {
    let registry = Registry::builtin();
    let directory = RunDirectory::open(&args.run.run)?;
    let out = args.out.clone().unwrap_or_else(|| directory.path().join("videos"));
    let request = RecordRequest {
        run: &directory,
        choice: args.run.checkpoint,
        episodes: args.episodes as usize,
        seed: args.seed.unwrap_or(directory.info()?.seed),
        out: &out,
        registry: &registry,
    };
    let videos = record(&request)?;
    let lines = videos.iter().map(|video| {
        format!("{}  return {:.1}, {} steps", video.path.display(), video.episodic_return, video.length)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    output.result(&json!({ "run": args.run.run, "videos": videos }), &text)?;
    Ok(ExitCode::SUCCESS)
}
