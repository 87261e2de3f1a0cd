//! What the tests of runs share.

#![allow(dead_code)] // Each test takes what it needs.

pub(crate) mod pictures;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deepq::Config;
use deepq::run::{RunSummary, TrainRequest, train};

/// A preset with settings changed, each `path.to.key=value`.
pub(crate) fn config(preset: &str, set: &[&str]) -> Config {
    let set: Vec<String> = set.iter().map(|setting| (*setting).to_owned()).collect();
    let resolved = Config::resolve("CartPole-v1", Some(preset), None, &set);
    resolved.unwrap_or_else(|error| panic!("{error}")).0
}

/// A request to train in a folder.
pub(crate) fn request(config: Config, seed: u64, out: &Path) -> TrainRequest {
    let mut request = TrainRequest::new(config, "test", seed);
    request.out = Some(out.to_owned());
    request
}

/// Trains in a folder.
pub(crate) fn train_in(config: Config, seed: u64, out: &Path) -> RunSummary {
    train(&request(config, seed, out), &mut ()).unwrap_or_else(|error| panic!("{error}"))
}

/// All files below a folder, by their path in it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The files that a seed determines: configuration, checkpoints and the best policy.
pub(crate) fn determined(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(run);
    files.retain(|name, _| {
        name == "config.toml" || name.starts_with("checkpoints/") || name.starts_with("best/")
    });
    files
}

/// The lines of a file of JSON lines without the wall clock's fields.
pub(crate) fn lines_without_clock(path: &Path) -> Vec<serde_json::Value> {
    let lines: Vec<serde_json::Value> = deepq::run::read_json_lines(path).unwrap();
    let strip = |mut line: serde_json::Value| {
        assert!(line.as_object_mut().unwrap().remove("wall_s").is_some());
        line
    };
    lines.into_iter().map(strip).collect()
}
