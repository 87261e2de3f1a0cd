//! Every command's good path, from the command line to the files and the last line of standard output.

mod common;

use std::process::Stdio;

use common::{deepq, finish, names, run, succeed, train_small};
use serde_json::Value;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn assert_has(value: &Value, expected: &[&str]) {
    let keys = keys(value);
    assert!(expected.iter().all(|key| keys.contains(key)), "{expected:?} in {keys:?}");
}

#[test]
fn every_command_has_its_help() {
    let folder = tempfile::tempdir().unwrap();
    let commands = ["train", "eval", "play", "record", "report", "compare", "list", "completions"];
    let all = succeed(folder.path(), &["--help"]).stdout;
    for command in commands {
        assert!(all.contains(&format!("\n  {command} ")), "{command} is missing:\n{all}");
        let help = succeed(folder.path(), &[command, "--help"]);
        assert!(help.stdout.contains(&format!("Usage: deepq {command}")), "{}", help.stdout);
        for option in ["--json", "--quiet", "--verbose", "--help"] {
            assert!(help.stdout.contains(option), "{option} is missing:\n{}", help.stdout);
        }
        assert!(help.stderr.is_empty());
    }
    // What is not there yet is not promised.
    for absent in ["resume", "watch", "doctor", "export"] {
        assert!(!all.contains(&format!("\n  {absent} ")), "{all}");
    }
    assert!(succeed(folder.path(), &["--version"]).stdout.starts_with("deepq 0."));
}

#[test]
fn train_then_eval_then_record_then_report_then_list() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let outcome = train_small(folder, "run", &["--json", "--seed", "3"]);
    let json = outcome.json();
    let promised = "run env algo preset seed env_steps gradient_steps episodes wall_s env_steps_per_s eval videos report";
    assert_has(&json, &promised.split(' ').collect::<Vec<_>>());
    assert_has(&json["eval"], &["mean", "std", "iqm", "min", "max", "episodes"]);
    assert_eq!((json["run"].as_str(), json["seed"].as_u64()), (Some("run"), Some(3)));
    assert_eq!((json["env_steps"].as_u64(), json["eval"]["episodes"].as_u64()), (Some(700), Some(5)));
    assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    let files = names(&folder.join("run"));
    let promised = "checkpoints config.toml eval.jsonl metrics.jsonl report.html run.json tensorboard videos";
    assert!(promised.split(' ').all(|name| files.iter().any(|found| found == name)), "{files:?}");
    assert_eq!(names(&folder.join("run/checkpoints/700")).len(), 5);
    for video in json["videos"].as_array().unwrap() {
        let bytes = std::fs::read(folder.join(video.as_str().unwrap())).unwrap();
        assert_eq!(&bytes[4..8], b"ftyp");
    }
    assert_eq!(json["videos"].as_array().unwrap().len(), 1);
    assert!(folder.join(json["report"].as_str().unwrap()).is_file());

    let eval = succeed(folder, &["eval", "run", "--json"]).json();
    assert_has(&eval, &["run", "checkpoint", "mean", "std", "iqm", "min", "max", "episodes", "returns"]);
    assert_eq!(
        (eval["checkpoint"].as_str(), eval["mean"].as_f64()),
        (Some("final"), json["eval"]["mean"].as_f64())
    );
    let eval =
        succeed(folder, &["eval", "run", "--json", "--episodes", "7", "--seed", "9", "--checkpoint", "700"]);
    assert_eq!(eval.json()["returns"].as_array().unwrap().len(), 7);
    let told = succeed(folder, &["eval", "run"]).stdout;
    assert!(told.starts_with("CartPole-v1, final policy, 5 episodes: mean return "), "{told}");

    let record = succeed(folder, &["record", "run", "--episodes", "2", "--out", "films", "--json"]).json();
    assert_has(&record["videos"][0], &["path", "return", "length"]);
    let mut films = names(&folder.join("films"));
    films.retain(|name| name.ends_with(".mp4"));
    assert_eq!(films, ["rl-video-episode-0.mp4", "rl-video-episode-1.mp4"]);

    let report = succeed(folder, &["report", "run", "--out", "page.html", "--json"]).json();
    assert_eq!(report["report"].as_str(), Some("page.html"));
    assert!(folder.join("page.html").is_file());

    let runs = succeed(folder, &["list", "runs", "--below", ".", "--json"]).json();
    assert_eq!(
        (runs["runs"][0]["seed"].as_u64(), runs["runs"][0]["status"].as_str()),
        (Some(3), Some("finished"))
    );
}

/// In one line, before anything is trained: alone as with several seeds and algorithms.
#[test]
fn the_memory_that_a_run_takes_is_told_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "replay.capacity=100000"];
    let alone = train_small(folder.path(), "run", &set);
    let lines: Vec<&str> = alone.stderr.lines().filter(|line| line.contains("memory about ")).collect();
    assert_eq!(lines.len(), 1, "{}", alone.stderr);
    let experience = "MiB of it for experience (";
    assert!(lines[0].starts_with("memory about ") && lines[0].contains(experience), "{}", lines[0]);
    let place = |text: &str| alone.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", alone.stderr));
    assert!(place("training ") < place("memory about ") && place("memory about ") < place("done after"));

    let several = train_small(folder.path(), "seeds", &["--seeds", "3", set[0], set[1]]);
    assert_eq!(several.stderr.matches("each run: memory about ").count(), 1, "{}", several.stderr);
}

#[test]
fn without_json_standard_output_holds_the_result_alone() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = train_small(folder.path(), "run", &[]);
    assert_eq!(outcome.stdout, "run\n");
    assert!(
        outcome.stderr.contains("mean return") && outcome.stderr.contains("deepq play run"),
        "{outcome:?}"
    );
    // Neither is a terminal: no colours, no line drawn over again.
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\r'), "{outcome:?}");
    let quiet = train_small(folder.path(), "quiet", &["-q"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("quiet\n", ""));
    let quiet = train_small(folder.path(), "quiet-json", &["-q", "--json"]);
    assert!(quiet.stderr.is_empty() && quiet.stdout.lines().count() == 1);
    let verbose = train_small(folder.path(), "verbose", &["-v"]);
    assert!(verbose.stderr.lines().filter(|line| line.contains("  episode ")).count() > 10, "{verbose:?}");
}

#[test]
fn the_tutorials_log_lines_are_as_in_the_tutorial() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "CartPole-v1", "--preset", "tutorial", "--episodes", "21", "--out", "run"];
    let small = ["--set", "recording.episodes=0", "--set", "evaluation.final_episodes=1"];
    let outcome = succeed(folder.path(), &[&args[..], &small].concat());
    let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("Episode: ")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[1].starts_with("Episode: 10, Total Reward: ") && lines[1].ends_with(", Epsilon: 0.95"),
        "{lines:?}"
    );
}

#[test]
fn without_a_folder_a_fresh_one_is_made_under_runs() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "CartPole-v1", "--env-steps", "100", "--set", "recording.episodes=0", "--json"];
    let runs: Vec<_> = (0..3)
        .map(|_| {
            deepq(folder.path()).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        assert_eq!(run.wait_with_output().unwrap().status.code(), Some(0));
    }
    let names = names(&folder.path().join("runs/CartPole-v1"));
    assert_eq!(names.len(), 3, "three at the same time have three folders: {names:?}");
    assert!(names.iter().all(|name| name.starts_with("dqn-s1-20")), "{names:?}");
}

#[test]
fn seeds_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = train_small(folder.path(), "study", &["--seeds", "3", "--seed", "5", "--json"]);
    let json = outcome.json();
    assert_has(&json, &["runs", "eval", "report"]);
    assert_has(&json["eval"], &["mean", "iqm", "ci95", "seeds"]);
    assert_eq!(json["eval"]["seeds"].as_u64(), Some(3));
    assert_eq!(json["eval"]["ci95"].as_array().unwrap().len(), 2);
    assert_has(&json["runs"][2], &["run", "seed", "env_steps", "eval"]);
    assert_eq!(names(&folder.path().join("study")), ["report.html", "s5", "s6", "s7"]);
    let told = train_small(folder.path(), "told", &["--seeds", "2"]).stdout;
    assert!(told.lines().next().unwrap().starts_with("seed    1  mean return"), "{told}");
}

#[test]
fn lists() {
    let folder = tempfile::tempdir().unwrap();
    let json = |what: &str| succeed(folder.path(), &["list", what, "--json"]).json();
    assert!(json("envs")["envs"].as_array().unwrap().iter().any(|env| env["id"] == "CartPole-v1"));
    let presets = json("presets");
    for name in ["default", "default-fixed", "tutorial", "tutorial-fixed", "cleanrl-dqn", "sb3-dqn"] {
        let all = presets["presets"].as_array().unwrap();
        let preset = all.iter().find(|preset| preset["name"] == name).expect(name);
        assert!(preset["description"].as_str().unwrap().len() > 40);
    }
    assert!(json("algos")["algos"].as_array().unwrap().iter().any(|algo| algo["name"] == "double-dqn"));
    assert_eq!(json("runs")["runs"], serde_json::json!([]));
    assert!(run(folder.path(), &["list", "runs"]).stderr.contains("deepq train CartPole-v1"));
}

#[test]
fn completions_for_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = succeed(folder.path(), &["completions", shell]).stdout;
        assert!(script.contains("deepq") && script.contains("env-steps"), "{shell}: {script}");
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    train_small(folder.path(), "run", &[]);
    for args in [
        &["list", "presets"][..],
        &["completions", "bash"],
        &["--help"],
        &["train", "--help"],
        &["eval", "run"],
        &["eval", "run", "--json"],
        &["train", "CartPole-v1", "-v", "--env-steps", "300", "--set", "recording.episodes=0"],
    ] {
        // Both pipes are closed before anything is written.
        let closed = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer
        };
        let status = deepq(folder.path()).args(args).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}: {status:?}");
        let mut command = deepq(folder.path());
        let child = command.args(args).stdout(closed()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{args:?}: {stderr}");
    }
}

/// The bits of what is learned do not depend on the processor's instructions.
#[test]
fn every_instruction_set_gives_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["train", "CartPole-v1", "--env-steps", "1500", "-q", "--set", "recording.episodes=0", "--out"];
    let network = |isa: &str, name: &str| {
        let mut command = deepq(folder.path());
        let outcome = finish(command.args(args).arg(name).env("DEEPQ_ISA", isa));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let run = folder.path().join(name);
        let info: Value = serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
        let bytes = std::fs::read(run.join("checkpoints/1500/network.safetensors")).unwrap();
        (info["instruction_set"].as_str().unwrap().to_owned(), bytes)
    };
    let (best, expected) = network("", "best");
    let (portable, found) = network("portable", "portable");
    assert_eq!(portable, "portable");
    assert!(found == expected, "{best} and portable differ");
}

#[test]
fn threads_are_as_asked_for_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, args: &[&str]| {
        train_small(folder.path(), name, args);
        let read = |file: &str| std::fs::read_to_string(folder.path().join(name).join(file)).unwrap();
        let info: Value = serde_json::from_str(&read("run.json")).unwrap();
        let config = read("config.toml");
        let mut engine = config.lines().skip_while(|line| *line != "[engine]");
        let line = engine.find(|line| line.starts_with("threads")).unwrap().to_owned();
        (info["threads"].as_u64().unwrap(), line)
    };
    assert_eq!(told("two", &["--threads", "2"]), (2, "threads = 2".into()));
    let (count, line) = told("auto", &["--set", "engine.threads=3", "--threads", "auto"]);
    assert!((1..=8).contains(&count));
    assert_eq!(line, "threads = \"auto\"");
    assert_eq!(told("set", &["--set", "engine.threads=3"]).0, 3);
}
