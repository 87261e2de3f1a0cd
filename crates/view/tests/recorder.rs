//! Filming that is stopped.

#[path = "common/runs.rs"]
mod runs;

use std::fs;
use std::sync::atomic::AtomicBool;

use deepq::run::CheckpointChoice;
use deepq::{Registry, RunDirectory};
use deepq_view::recorder::{RecordRequest, record};

#[test]
fn videos_that_are_not_filmed_anew_stay_and_stay_listed() {
    let folder = tempfile::tempdir().unwrap();
    let run = runs::trained(folder.path().join("run"), 1, &[]);
    let videos = run.join("videos");
    assert_eq!(runs::filmed(&run, 2, 5).len(), 2);
    let list = || fs::read_to_string(videos.join("recordings.json")).unwrap();
    let before = list();
    let recordings = record(&RecordRequest {
        run: &RunDirectory::open(&run).unwrap(),
        choice: CheckpointChoice::Final,
        episodes: 3,
        seed: 6,
        out: &videos,
        registry: &Registry::builtin(),
        stop: Some(&AtomicBool::new(true)),
    });
    assert!(recordings.unwrap().is_empty());
    assert_eq!(list(), before);
    assert_eq!(fs::read_dir(&videos).unwrap().count(), 3, "two videos and the list");
}
