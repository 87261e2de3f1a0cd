//! Small runs to report on, and the report read back.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use deepq::config::Config;
use deepq::run::{CheckpointChoice, TrainRequest, train};
use deepq::{Registry, RunDirectory};
use deepq_view::recorder::{RecordRequest, Recording, record};
use deepq_view::report::write_report;
use serde_json::Value;

/// Trains 1,500 env steps of CartPole, with these changes, into `out`.
pub(crate) fn trained(out: PathBuf, seed: u64, set: &[&str]) -> PathBuf {
    let mut changes =
        vec!["stop={env_steps=1500}", "evaluation.every_env_steps=500", "evaluation.final_episodes=5"];
    changes.extend(set);
    let changes: Vec<String> = changes.into_iter().map(String::from).collect();
    let (config, preset) = Config::resolve("CartPole-v1", None, None, &changes).unwrap();
    let mut request = TrainRequest::new(config, preset.name, seed);
    request.command =
        ["deepq", "train", "CartPole-v1", "--env-steps", "1500", "--out", "x y"].map(String::from).to_vec();
    request.out = Some(out.clone());
    train(&request, &mut ()).unwrap();
    out
}

/// Films episodes of a run.
pub(crate) fn filmed(run: &Path, episodes: usize, seed: u64) -> Vec<Recording> {
    record(&RecordRequest {
        run: &RunDirectory::open(run).unwrap(),
        choice: CheckpointChoice::Final,
        episodes,
        seed,
        out: &run.join("videos"),
        registry: &Registry::builtin(),
        stop: None,
    })
    .unwrap()
}

/// Changes what `run.json` tells.
pub(crate) fn edit_info(run: &Path, edit: impl FnOnce(&mut Value)) {
    let path = run.join("run.json");
    let mut info = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut info);
    fs::write(path, info.to_string()).unwrap();
}

/// Writes the report on these runs beside the first, and gives its path and text.
pub(crate) fn reported(runs: &[PathBuf]) -> (PathBuf, String) {
    let out = runs[0].join("report.html");
    write_report(runs, &out).unwrap();
    let page = fs::read_to_string(&out).unwrap();
    (out, page)
}
