//! `deepq record`

use std::process::ExitCode;

use deepq::{Registry, RunDirectory};
use deepq_view::recorder::{RecordRequest, Recording, record};
use serde_json::{Value, json};

use crate::args::Record;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &Record, output: &Output) -> Result<ExitCode, Failure> {
    let registry = Registry::builtin();
    let directory = RunDirectory::open(&args.run.run)?;
    // Nothing is made where the run cannot be filmed.
    directory.policy(args.run.checkpoint, &registry)?;
    let out = args.out.clone().unwrap_or_else(|| directory.path().join("videos"));
    let interrupt = Interrupt::watch()?;
    let stop = interrupt.stop_flag();
    let request = RecordRequest {
        run: &directory,
        choice: args.run.checkpoint,
        episodes: args.episodes as usize,
        seed: args.seed.unwrap_or(directory.info()?.seed),
        out: &out,
        registry: &registry,
        stop: Some(&stop),
    };
    let videos = record_until_stopped(&request, output)?;
    let lines = videos.iter().map(|video| {
        format!("{}  return {:.1}, {} steps", video.path.display(), video.episodic_return, video.length)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    output.result(&json!({ "run": path_json(&args.run.run), "videos": videos_json(&videos) }), &text)?;
    Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS))
}

/// Films, and tells where that was stopped.
pub(super) fn record_until_stopped(
    request: &RecordRequest<'_>,
    output: &Output,
) -> Result<Vec<Recording>, Failure> {
    let videos = record(request)?;
    if videos.len() < request.episodes {
        output.note(format!("filming stopped after {} of {} episodes", videos.len(), request.episodes));
    }
    Ok(videos)
}

fn videos_json(videos: &[Recording]) -> Vec<Value> {
    let video = |video: &Recording| {
        json!({
            "path": path_json(&video.path), "return": video.episodic_return, "length": video.length,
            "seed": video.seed,
        })
    };
    videos.iter().map(video).collect()
}
