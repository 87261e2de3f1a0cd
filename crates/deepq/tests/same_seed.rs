//! The same seed gives the same bytes, other seeds others; and nothing that only watches changes what is learned.

mod common;

use std::path::Path;

use common::{config, determined, lines_without_clock, request, train_in};
use deepq::Config;
use deepq::run::{train, train_seeds};

/// Trains twice with one seed and once with another, and compares all that is on disk.
fn assert_the_seed_decides(config: &Config) {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: u64| {
        let path = folder.path().join(name);
        train_in(config.clone(), seed, &path);
        (determined(&path), lines_without_clock(&path.join("metrics.jsonl")), path)
    };
    let (first, again, other) = (run("first", 7), run("again", 7), run("other", 8));
    for name in ["network.safetensors", "optimizer.state", "replay.state", "trainer.state", "state.json"] {
        assert!(first.0.keys().any(|path| path.ends_with(name)), "{name} is missing: {:?}", first.0.keys());
    }
    assert_same(&first.0, &again.0);
    assert_eq!(first.1, again.1);
    let evaluations = |path: &Path| lines_without_clock(&path.join("eval.jsonl"));
    assert_eq!(evaluations(&first.2), evaluations(&again.2));

    let networks = |files: &std::collections::BTreeMap<String, Vec<u8>>| -> Vec<Vec<u8>> {
        files
            .iter()
            .filter(|(name, _)| name.ends_with("network.safetensors"))
            .map(|(_, b)| b.clone())
            .collect()
    };
    assert_ne!(networks(&first.0), networks(&other.0));
    assert_ne!(first.1, other.1);
}

fn assert_same(
    first: &std::collections::BTreeMap<String, Vec<u8>>,
    again: &std::collections::BTreeMap<String, Vec<u8>>,
) {
    assert!(first.keys().eq(again.keys()), "{:?} {:?}", first.keys(), again.keys());
    for (name, bytes) in first {
        assert!(*bytes == again[name], "{name} differs");
    }
}

#[test]
fn default() {
    let config = config("default", &["stop.env_steps=4000", "checkpoint.every_env_steps=1500"]);
    let folder = tempfile::tempdir().unwrap();
    train_in(config.clone(), 7, &folder.path().join("run"));
    assert!(determined(&folder.path().join("run")).contains_key("best/network.safetensors"));
    assert_the_seed_decides(&config);
}

#[test]
fn default_with_three_copies() {
    assert_the_seed_decides(&config("default", &["stop.env_steps=3000", "env.copies=3"]));
}

#[test]
fn tutorial() {
    assert_the_seed_decides(&config("tutorial", &["stop.episodes=40"]));
}

#[test]
fn cleanrl_dqn() {
    assert_the_seed_decides(&config("cleanrl-dqn", &["stop.env_steps=12000"]));
}

#[test]
fn sb3_dqn() {
    assert_the_seed_decides(&config("sb3-dqn", &["stop.env_steps=2000"]));
}

#[test]
fn seeds_side_by_side_give_the_bytes_of_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("default", &["stop.env_steps=2000"]);
    let together = folder.path().join("together");
    let summary = train_seeds(&request(config.clone(), 5, &together), 3, |_| ()).unwrap();
    assert_eq!(summary.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [5, 6, 7]);
    let across = summary.eval.expect("all seeds were judged");
    assert_eq!(across.seeds, 3);
    let (low, high) = across.ci95.unwrap();
    assert!(low <= across.iqm && across.iqm <= high, "{across:?}");
    for seed in 5..8 {
        let alone = folder.path().join(format!("alone-{seed}"));
        let alone_summary = train_in(config.clone(), seed, &alone);
        assert_same(&determined(&alone), &determined(&together.join(format!("s{seed}"))));
        assert_eq!(alone_summary.eval, summary.runs[seed as usize - 5].eval);
    }
}

#[test]
fn a_folder_in_use_stops_seeds_before_the_first_begins() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("s6");
    std::fs::create_dir(&occupied).unwrap();
    std::fs::write(occupied.join("notes.txt"), "mine").unwrap();
    let config = config("default", &["stop.env_steps=1000"]);
    let error = train_seeds(&request(config, 5, folder.path()), 3, |_| ()).unwrap_err().to_string();
    assert!(error.contains("s6") && error.contains("not empty"), "{error}");
    assert_eq!(common::files(folder.path()).into_keys().collect::<Vec<_>>(), ["s6/notes.txt"]);
}

#[test]
fn numbers_of_seeds_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("default", &["stop.env_steps=1000"]);
    for (first, count) in [(1, 0), (1, u64::MAX), (u64::MAX, 2), (u64::MAX - 1, 100_000), (0, 1 << 40)] {
        let error = train_seeds(&request(config.clone(), first, folder.path()), count, |_| ()).unwrap_err();
        assert!(error.to_string().starts_with("--seeds"), "{error}");
        assert_eq!(error.kind(), "config");
    }
    assert!(common::files(folder.path()).is_empty());
    let summary = train_seeds(&request(config, u64::MAX, folder.path()), 1, |_| ()).unwrap();
    assert_eq!(summary.runs[0].seed, u64::MAX);
}

/// Row 17 of the correctness table: evaluation shares nothing with training.
#[test]
fn row_17_evaluating_often_does_not_change_what_is_learned() {
    let folder = tempfile::tempdir().unwrap();
    let learned = |name: &str, set: &[&str]| {
        let path = folder.path().join(name);
        let mut all = vec!["stop.env_steps=3000", "env.copies=2"];
        all.extend(set);
        train_in(config("default-fixed", &all), 3, &path);
        let mut files = determined(&path);
        // The best policy is the evaluations' business.
        files.retain(|name, _| name.starts_with("checkpoints/3000") && !name.ends_with("trainer.state"));
        files.retain(|name, _| !name.ends_with("state.json"));
        let evaluations = std::fs::read_to_string(path.join("eval.jsonl")).unwrap().lines().count();
        (files, lines_without_clock(&path.join("metrics.jsonl")), evaluations)
    };
    let often = learned("often", &["evaluation.every_env_steps=50", "evaluation.episodes=3"]);
    let seldom = learned("seldom", &["evaluation.every_env_steps=2000", "evaluation.episodes=20"]);
    let never = learned("never", &["evaluation.every_env_steps=1000000"]);
    assert_eq!((often.2, seldom.2, never.2), (61, 2, 1));
    assert_eq!(often.0.len(), 3, "network, optimizer and replay: {:?}", often.0.keys());
    assert_same(&often.0, &never.0);
    assert_same(&seldom.0, &never.0);
    assert_eq!(often.1, never.1);
}

/// The observers are told of every step or of none; training does not notice.
#[test]
fn watching_every_step_does_not_change_what_is_learned() {
    struct EveryStep(u64);
    impl deepq::Observer for EveryStep {
        fn on_event(&mut self, event: &deepq::Event<'_>) -> deepq::events::Answer {
            if let deepq::Event::Step { .. } = event {
                self.0 += 1;
            }
            Ok(std::ops::ControlFlow::Continue(()))
        }
        fn watches_steps(&self) -> bool {
            true
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config = config("default", &["stop.env_steps=1500"]);
    let (watched, unseen) = (folder.path().join("watched"), folder.path().join("unseen"));
    let mut watcher = EveryStep(0);
    train(&request(config.clone(), 1, &watched), &mut watcher).unwrap();
    train_in(config, 1, &unseen);
    assert_eq!(watcher.0, 1500);
    assert_same(&determined(&watched), &determined(&unseen));
}
