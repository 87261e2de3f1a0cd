//! How a run can end: finished, interrupted, failed; and what is on disk then.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{config, files, request};
use deepq::events::{Answer, Event, Observer};
use deepq::run::{CheckpointChoice, RunStatus, TrainRequest, train, train_all, train_seeds};
use deepq::{Config, Error, Registry, RunDirectory, Trainer};

/// Does something after so many episodes.
struct AfterEpisodes<F>(u64, F);

impl<F: FnMut() -> Answer> Observer for AfterEpisodes<F> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::EpisodeEnded(ended) if ended.progress.episodes == self.0 => (self.1)(),
            _ => Ok(ControlFlow::Continue(())),
        }
    }
}

fn small() -> Config {
    config("default-fixed", &["stop.env_steps=3000", "network.hidden=[8]", "evaluation.every_env_steps=500"])
}

/// Exactly one whole checkpoint, that a fresh trainer takes over, and no temporary file.
fn assert_whole(run: &Path, env_steps: u64) {
    let directory = RunDirectory::open(run).unwrap();
    let mut trainer = Trainer::new(&directory.config().unwrap(), directory.info().unwrap().seed).unwrap();
    let state = directory.newest_state(&trainer).unwrap();
    trainer.load_state(&state).unwrap();
    assert_eq!(trainer.progress().env_steps, env_steps);
    directory.policy(CheckpointChoice::Last, &Registry::builtin()).unwrap();
    let names: Vec<String> = files(run).into_keys().collect();
    assert!(names.iter().all(|name| !name.contains("tmp")), "{names:?}");
}

#[test]
fn a_finished_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let summary = train(&request(small(), 1, &run), &mut ()).unwrap();
    let info = RunDirectory::open(&run).unwrap().info().unwrap();
    assert_eq!((info.status, info.env_steps, info.error), (RunStatus::Finished, Some(3000), None));
    assert_eq!(summary.eval.unwrap().episodes, 100);
    assert_whole(&run, 3000);
    let names: Vec<String> = files(&run).into_keys().collect();
    for name in ["config.toml", "run.json", "metrics.jsonl", "eval.jsonl", "best/network.safetensors"] {
        assert!(names.iter().any(|found| found == name), "{name} is missing: {names:?}");
    }
}

#[test]
fn the_stop_flag_interrupts_with_a_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut request = request(small(), 1, &run);
    let flag = Arc::new(AtomicBool::new(false));
    request.stop_flag = Arc::clone(&flag);
    let mut observer = AfterEpisodes(30, || {
        flag.store(true, Ordering::Relaxed);
        Ok(ControlFlow::Continue(()))
    });
    let summary = train(&request, &mut observer).unwrap();
    assert_eq!((summary.status, summary.eval), (RunStatus::Interrupted, None));
    assert!(summary.env_steps > 200 && summary.env_steps < 3000, "{}", summary.env_steps);
    let info = RunDirectory::open(&run).unwrap().info().unwrap();
    assert_eq!((info.status, info.env_steps), (RunStatus::Interrupted, Some(summary.env_steps)));
    assert_whole(&run, summary.env_steps);
}

#[test]
fn a_run_can_be_stopped_before_its_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let request = request(small(), 1, &run);
    request.stop_flag.store(true, Ordering::Relaxed);
    let summary = train(&request, &mut ()).unwrap();
    assert_eq!((summary.status, summary.env_steps), (RunStatus::Interrupted, 0));
    assert_whole(&run, 0);
}

#[test]
fn an_observer_interrupts_too() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut observer = AfterEpisodes(20, || Ok(ControlFlow::Break(())));
    let summary = train(&request(small(), 1, &run), &mut observer).unwrap();
    assert_eq!((summary.status, summary.episodes), (RunStatus::Interrupted, 20));
    assert_whole(&run, summary.env_steps);
}

#[test]
fn an_observers_error_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut observer = AfterEpisodes(20, || Err("the screen fell over".into()));
    let error = train(&request(small(), 1, &run), &mut observer).unwrap_err();
    assert_eq!(error.to_string(), "the screen fell over");
    let info = RunDirectory::open(&run).unwrap().info().unwrap();
    assert_eq!((info.status, info.error.as_deref()), (RunStatus::Failed, Some("the screen fell over")));
    let lines = RunDirectory::open(&run).unwrap().metrics().unwrap();
    assert_eq!(lines.len(), 20, "what was measured before the failure is there");
}

#[test]
fn stopped_seeds_leave_no_empty_runs() {
    let folder = tempfile::tempdir().unwrap();
    let request = request(small(), 1, folder.path());
    let flag = Arc::clone(&request.stop_flag);
    let summary = train_seeds(&request, 500, |_| {
        let flag = Arc::clone(&flag);
        AfterEpisodes(10, move || {
            flag.store(true, Ordering::Relaxed);
            Ok(ControlFlow::Continue(()))
        })
    })
    .unwrap();
    assert!(summary.eval.is_none());
    let begun = summary.runs.len();
    assert!((1..500).contains(&begun), "{begun} runs");
    assert_eq!(RunDirectory::find_all(folder.path()).len(), begun);
    for run in &summary.runs {
        assert_eq!(run.status, RunStatus::Interrupted);
        assert_whole(&run.run, run.env_steps);
    }
}

#[test]
fn a_seed_that_fails_stops_the_others_and_leaves_the_callers_flag() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = small();
    config.stop.env_steps = Some(100_000_000);
    let request = request(config, 1, folder.path());
    let answer = |seed| match seed {
        1 => Err("the screen fell over".into()),
        _ => Ok(ControlFlow::Continue(())),
    };
    let error = train_seeds(&request, 500, |seed| AfterEpisodes(10, move || answer(seed))).unwrap_err();
    assert!(matches!(error, Error::OneOfSeveral { seed: 1, .. }), "{error:?}");
    assert!(error.to_string().ends_with(" with seed 1: the screen fell over"), "{error}");
    assert_eq!(error.kind(), "observer");
    assert!(!request.stop_flag.load(Ordering::Relaxed));
    let runs = RunDirectory::find_all(folder.path());
    assert!((1..500).contains(&runs.len()), "{} runs", runs.len());
    for run in runs {
        let status = RunDirectory::open(&run).unwrap().info().unwrap().status;
        let failed = run.ends_with("s1");
        assert_eq!(status, if failed { RunStatus::Failed } else { RunStatus::Interrupted }, "{run:?}");
    }
}

/// What befalls one run alone costs the others nothing.
#[test]
fn a_seed_that_diverges_lets_the_others_finish() {
    let folder = tempfile::tempdir().unwrap();
    let right = request(small(), 1, &folder.path().join("right"));
    let mut wrong = request(small(), 2, &folder.path().join("wrong"));
    wrong.config.learning.learning_rate = deepq_core::Schedule::Constant { value: 1e30 };
    let last = TrainRequest { seed: 3, out: Some(folder.path().join("last")), ..right.clone() };
    let error = train_all(&[wrong, right, last], |_| ()).unwrap_err();
    let Error::OneOfSeveral { seed: 2, finished, source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**source, Error::Diverged { .. }), "{error}");
    assert_eq!(*finished, ["right", "last"].map(|name| folder.path().join(name)));
    let status = |run: &PathBuf| RunDirectory::open(run).unwrap().info().unwrap().status;
    assert!(finished.iter().all(|run| status(run) == RunStatus::Finished));
}

#[test]
fn learning_that_diverges_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = small();
    config.learning.learning_rate = deepq_core::Schedule::Constant { value: 1e30 };
    let error = train(&request(config, 1, &run), &mut ()).unwrap_err();
    assert!(error.to_string().starts_with("learning diverged: after "), "{error}");
    assert!(error.help().unwrap().contains("learning.learning_rate"));
    assert!(matches!(error, Error::Diverged { env_steps, .. } if env_steps < 1000), "{error}");
    assert_eq!(RunDirectory::open(&run).unwrap().info().unwrap().status, RunStatus::Failed);
}

#[test]
fn only_the_newest_checkpoints_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = config(
        "default-fixed",
        &["stop.env_steps=2500", "network.hidden=[4]", "checkpoint={every_env_steps=400, keep=3}"],
    );
    train(&request(config, 1, &run), &mut ()).unwrap();
    let mut kept: Vec<u64> = fs::read_dir(run.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [2000, 2400, 2500]);
    let directory = RunDirectory::open(&run).unwrap();
    directory.policy(CheckpointChoice::EnvSteps(2000), &Registry::builtin()).unwrap();
    let error = directory.policy(CheckpointChoice::EnvSteps(1), &Registry::builtin()).err().unwrap();
    assert!(error.help().unwrap().contains("2000, 2400, 2500"), "{error}");
}

#[test]
fn folders_that_cannot_be_used_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let occupied = folder.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    fs::write(occupied.join("notes.txt"), "mine").unwrap();
    let used = folder.path().join("used");
    train(&request(config("default", &["stop.env_steps=100"]), 1, &used), &mut ()).unwrap();
    let before = files(folder.path());
    for (path, message) in [
        (file.clone(), "Not a directory"),
        (file.join("below"), "Not a directory"),
        (occupied, "this folder is not empty"),
        (used, "this folder holds a run already"),
        ("".into(), "cannot be empty"),
        ("/proc/deepq".into(), "no run can be made here"),
    ] {
        let error = train(&request(small(), 1, &path), &mut ()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(matches!(error, Error::Run { .. }), "{error:?}");
        assert!(error.help().unwrap().contains("--out"));
    }
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_folder_in_use_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let _held = RunDirectory::create(&run).unwrap();
    let error = train(&request(small(), 1, &run), &mut ()).unwrap_err();
    assert!(error.to_string().contains("another process is training in this folder right now"), "{error}");
}

#[test]
fn runs_are_found_once_however_many_links_lead_to_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b/run", "a/run"] {
        train(&request(config("default", &["stop.env_steps=50"]), 1, &folder.path().join(name)), &mut ())
            .unwrap();
    }
    #[cfg(unix)]
    for link in ["a/up", "b/up", "c", "d"] {
        std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
    }
    let found = RunDirectory::find_all(folder.path());
    assert_eq!(found, [folder.path().join("a/run"), folder.path().join("b/run")]);
}

/// `--set algo=…` is a label, and must not lead a run out of its folder.
#[test]
fn names_of_fresh_runs_stay_in_their_folder() {
    for (env, algo) in [("MinAtar/Breakout-v1", "../../up"), ("..", "/etc"), ("a\\b", ""), ("C:x", "a\nb")] {
        let path = RunDirectory::fresh_path(env, algo, 1);
        let parts: Vec<_> = path.components().collect();
        assert_eq!(parts.len(), 3, "{path:?}");
        assert!(parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))), "{path:?}");
        assert!(path.starts_with("runs"));
    }
}

#[test]
fn row_17_the_last_policy_is_there_beside_the_best() {
    let set = [
        "stop.env_steps=3000",
        "network.hidden=[8]",
        "evaluation.every_env_steps=500",
        "evaluation.stop_early=off",
        "evaluation.final_policy=best",
    ];
    let config = config("default-fixed", &set);
    let mut trainer = Trainer::new(&config, 1).unwrap();
    trainer.run(&mut ()).unwrap();
    let (_, _, best) = trainer.best().unwrap();
    let last = trainer.network().parameters(config.evaluation.parameters);
    assert_ne!(best, last, "another one was better");
    assert_eq!(trainer.policy().parameters(), best);
    assert_eq!(trainer.last_policy().parameters(), last);
}
