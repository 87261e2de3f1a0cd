//! Threads change how long a run takes and nothing else.

mod common;

use common::{config, determined, lines_without_clock, request};
use deepq::RunDirectory;
use deepq::config::Threads;
use deepq::run::{train, train_seeds};

/// A network and batches that are large enough for several threads to share every pass.
const WIDE: [&str; 8] = [
    "network={hidden=[512,512]}",
    "learning.batch_size=256",
    "learning.start_env_steps=256",
    "learning.every_env_steps=8",
    "stop.env_steps=320",
    "evaluation={final_episodes=2}",
    "replay.capacity=400",
    "env.copies=2",
];

fn wide(threads: &str) -> deepq::Config {
    let setting = format!("engine.threads={threads}");
    config("default", &[&WIDE[..], &[&setting]].concat())
}

#[test]
fn runs_with_more_threads_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let run = |threads: usize| {
        let path = folder.path().join(threads.to_string());
        let summary = train(&request(wide(&threads.to_string()), 5, &path), &mut ()).unwrap();
        assert_eq!(summary.gradient_steps, 9);
        assert_eq!(RunDirectory::open(&path).unwrap().info().unwrap().threads, Some(threads));
        let mut files = determined(&path);
        let config = String::from_utf8(files.remove("config.toml").unwrap()).unwrap();
        (files, lines_without_clock(&path.join("metrics.jsonl")), summary.eval, config)
    };
    let (one, two, three) = (run(1), run(2), run(3));
    for other in [&two, &three] {
        assert!(one.0.keys().eq(other.0.keys()) && one.0.len() >= 5, "{:?}", other.0.keys());
        for (name, bytes) in &one.0 {
            assert!(*bytes == other.0[name], "{name} differs");
        }
        assert_eq!((&one.1, &one.2), (&other.1, &other.2));
    }
    assert_eq!(one.3.replace("threads = 1\n", "threads = 2\n"), two.3);
}

#[test]
fn automatic_threads_are_written_as_such_and_one_where_seeds_share_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config("default", &["stop.env_steps=600", "evaluation={final_episodes=2}"]);
    let parent = folder.path();
    let threads = |path: &str| {
        let run = RunDirectory::open(&parent.join(path)).unwrap();
        assert_eq!(run.config().unwrap().engine.threads, Threads::Auto);
        let text = std::fs::read_to_string(parent.join(path).join("config.toml")).unwrap();
        assert!(text.contains("[engine]\nthreads = \"auto\"\n"), "{text}");
        run.info().unwrap().threads.unwrap()
    };
    let cores = std::thread::available_parallelism().unwrap().get();
    train(&request(config.clone(), 1, &parent.join("alone")), &mut ()).unwrap();
    assert_eq!(threads("alone"), (cores / 2).clamp(1, 8));
    train_seeds(&request(config.clone(), 1, &parent.join("only")), 1, |_| ()).unwrap();
    assert_eq!(threads("only/s1"), (cores / 2).clamp(1, 8));
    train_seeds(&request(config.clone(), 1, &parent.join("two")), 2, |_| ()).unwrap();
    assert_eq!([threads("two/s1"), threads("two/s2")], [1, 1]);
    // Who asks for a number gets it.
    config.engine.threads = Threads::Count(3);
    train_seeds(&request(config, 1, &parent.join("asked")), 2, |_| ()).unwrap();
    let asked = RunDirectory::open(&parent.join("asked/s2")).unwrap();
    assert_eq!(asked.info().unwrap().threads, Some(3));
}

/// Runs of earlier versions say nothing of threads.
#[test]
fn runs_without_threads_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("default", &["stop.env_steps=600", "evaluation={final_episodes=2}"]);
    train(&request(config.clone(), 1, folder.path()), &mut ()).unwrap();
    for (name, of_them) in [("run.json", 1), ("config.toml", 2)] {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let (with, without): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.contains("threads") || *line == "[engine]");
        assert_eq!(with.iter().filter(|line| line.contains("threads")).count(), of_them, "{text}");
        let without = without.join("\n");
        std::fs::write(path, without).unwrap();
    }
    let run = RunDirectory::open(folder.path()).unwrap();
    assert_eq!(run.info().unwrap().threads, None);
    assert_eq!(run.config().unwrap(), config);
}
