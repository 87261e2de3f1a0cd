//! What happens to a run in the middle: signals, another process, a disk that fills up.
#![cfg(unix)]

#[path = "../../../xtask/skip.rs"]
mod skip;

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::{deepq, finish, names, run, succeed};
use serde_json::Value;

/// Training that goes on until it is stopped, with lines in `metrics.jsonl` that tell that it has begun.
fn endless(folder: &Path, more: &[&str]) -> Child {
    let args =
        ["train", "CartPole-v1", "--preset", "cleanrl-dqn", "--env-steps", "900000000", "--out", "run"];
    let mut command = deepq(folder);
    command.args(args).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for something that takes well under a second on an idle machine.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn has_begun(run: &Path) -> bool {
    std::fs::metadata(run.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0)
}

fn send(signal: &str, child: &Child) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn info(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// Stops a run in the middle with one signal.
fn stopped_by(signal: &str, code: i32) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let child = endless(folder.path(), &["--json"]);
    wait_for("the first episodes", || has_begun(&run));
    send(signal, &child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{signal}: {stderr}");
    assert!(stderr.contains("stopped, checkpoint written"), "{stderr}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["status"], &summary["eval"]), (&"interrupted".into(), &Value::Null));
    assert_eq!(info(&run)["status"], "interrupted");
    assert_eq!(names(&run.join("checkpoints")), [summary["env_steps"].to_string()]);
    let eval = succeed(folder.path(), &["eval", "run", "--episodes", "3", "--json"]).json();
    assert_eq!(eval["returns"].as_array().unwrap().len(), 3);
}

#[test]
fn ctrl_c_ends_with_130_and_a_checkpoint() {
    stopped_by("-INT", 130);
}

#[test]
fn the_terminate_signal_ends_with_143_and_a_checkpoint() {
    stopped_by("-TERM", 143);
}

#[test]
fn the_terminals_end_ends_with_129_and_a_checkpoint() {
    stopped_by("-HUP", 129);
}

#[test]
fn a_stopped_study_ends_with_130_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let child = endless(folder.path(), &["--seeds", "40", "--json"]);
    wait_for("the first episodes", || has_begun(&folder.path().join("run/s1")));
    send("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = summary["runs"].as_array().unwrap();
    assert_eq!(summary["status"], "interrupted");
    assert!(runs.len() < 40, "those that had not begun do not begin");
    assert_eq!(names(&folder.path().join("run")).len(), runs.len());
    for run in runs {
        assert_eq!(run["status"], "interrupted");
        succeed(folder.path(), &["eval", run["run"].as_str().unwrap(), "--episodes", "1"]);
    }
}

#[test]
fn a_stopped_study_of_several_algorithms_ends_with_130_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["train", "CartPole-v1", "--algo", "dqn,double-dqn", "--seeds", "20", "--out", "run", "--json"];
    let mut command = deepq(folder.path());
    command.args(args).args(["--env-steps", "900000000"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    wait_for("the first episodes", || has_begun(&folder.path().join("run/dqn/s1")));
    send("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = summary["runs"].as_array().unwrap();
    assert_eq!(summary["status"], "interrupted");
    assert!((1..40).contains(&runs.len()), "those that had not begun do not begin");
    assert_eq!((&summary["groups"], summary.get("report")), (&serde_json::json!([]), None));
    for run in runs {
        assert_eq!(run["status"], "interrupted");
        succeed(folder.path(), &["eval", run["run"].as_str().unwrap(), "--episodes", "1"]);
    }
}

/// The second Ctrl-C does not wait for anything: here a step in which hours of learning are due.
#[test]
fn a_second_ctrl_c_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let slow = [
        "--set",
        "learning.batches=1000000",
        "--set",
        "learning.batch_size=4096",
        "--set",
        "learning.start_env_steps=5000",
        "--set",
        "network.hidden=[512, 512]",
        "--set",
        "learning.every_env_steps=5000",
    ];
    let child = endless(folder.path(), &slow);
    wait_for("the run's folder", || folder.path().join("run/metrics.jsonl").is_file());
    // The first 5,000 env steps are over soon; then only the second signal helps.
    std::thread::sleep(Duration::from_millis(500));
    send("-INT", &child);
    std::thread::sleep(Duration::from_millis(1_000));
    send("-INT", &child);
    let mut child = child;
    let status = wait_at_most(&mut child, Duration::from_secs(20));
    assert_eq!(status.code(), Some(130), "{status:?} {:?}", status.signal());
    assert_eq!(
        info(&folder.path().join("run"))["status"],
        "running",
        "the first would have ended it cleanly"
    );
}

/// `timeout` sends its signal to the program and to the program's group.
#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = endless(folder.path(), &[]);
    wait_for("the first episodes", || has_begun(&folder.path().join("run")));
    send("-TERM", &child);
    send("-TERM", &child);
    let status = wait_at_most(&mut child, Duration::from_secs(60));
    assert_eq!(status.code(), Some(143), "{status:?} {:?}", status.signal());
    assert_eq!(info(&folder.path().join("run"))["status"], "interrupted");
    succeed(folder.path(), &["eval", "run", "--episodes", "1"]);
}

/// Filming is stopped between two pictures: the videos that are finished stay and are listed, nothing else is left.
#[test]
fn ctrl_c_while_filming_leaves_whole_videos_only() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["--env-steps", "300", "--set", "evaluation.final_episodes=2", "--out", "run"];
    let args =
        ["train", "CartPole-v1", "--set", "recording.episodes=1000", "--set", "evaluation.stop_early=off"];
    let mut command = deepq(folder.path());
    command.args(args).args(few).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let (run, videos) = (folder.path().join("run"), folder.path().join("run/videos"));
    // Several are filmed at once, and end in any order.
    let is_filmed = |episode: &u32| videos.join(format!("rl-video-episode-{episode}.mp4")).is_file();
    wait_for("three videos", || (0..1000).filter(is_filmed).count() >= 3);
    send("-INT", &child);
    assert_eq!(wait_at_most(&mut child, Duration::from_secs(60)).code(), Some(130));
    let list: Value =
        serde_json::from_slice(&std::fs::read(videos.join("recordings.json")).unwrap()).unwrap();
    let listed = list.as_array().unwrap().iter().map(|video| video["file"].as_str().unwrap().to_owned());
    let mut listed: Vec<String> = listed.collect();
    assert!((3..1000).contains(&listed.len()), "{listed:?}");
    listed.push("recordings.json".to_owned());
    listed.sort();
    assert_eq!(names(&videos), listed);
    assert!(run.join("report.html").is_file());
    assert_eq!(info(&run)["status"], "finished");
}

fn wait_at_most(child: &mut Child, limit: Duration) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > limit {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_folder_in_which_another_process_trains() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = endless(folder.path(), &[]);
    wait_for("the run's folder", || folder.path().join("run/run.json").is_file());
    let other = run(folder.path(), &["train", "CartPole-v1", "--out", "run"]);
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.stderr.contains("another process is training in this folder right now"), "{other:?}");
    // A run that goes on can be listed; one that has no checkpoint yet cannot be judged.
    let list = succeed(folder.path(), &["list", "runs", "--below", ".", "--json"]).json();
    assert_eq!(list["runs"][0]["status"], "running");
    let eval = run(folder.path(), &["eval", "run"]);
    assert_eq!(eval.code, Some(2));
    assert!(eval.stderr.contains("there is no complete checkpoint"), "{eval:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A disk of 192 KiB in a mount namespace of its own, which needs no root.
#[test]
fn a_disk_that_fills_up() {
    let there =
        Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return skip::skip("a_disk_that_fills_up", "no mount namespace can be made here");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        mkdir disk && mount -t tmpfs -o size=192k none disk || exit 99
        "$0" train CartPole-v1 --preset default-fixed --env-steps 5000 --out disk/run --json \
            --set checkpoint.every_env_steps=1000
        echo "code $?" >&2
        find disk -type f | sed 's/^/file /' >&2
        sed 's/^/info /' disk/run/run.json >&2"#;
    let mut command = Command::new("unshare");
    let command = command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_deepq")]);
    let outcome = finish(command.current_dir(folder.path()));
    assert!(outcome.stderr.contains("code 1\n"), "{outcome:?}");
    let error = &outcome.json()["error"];
    assert_eq!(error["kind"], "io", "{outcome:?}");
    assert!(error["message"].as_str().unwrap().contains("No space left on device"), "{outcome:?}");
    assert!(error["message"].as_str().unwrap().contains("disk/run/"), "{outcome:?}");
    assert!(error["help"].as_str().unwrap().contains("free some space"), "{outcome:?}");
    let files: Vec<&str> = outcome.stderr.lines().filter_map(|line| line.strip_prefix("file ")).collect();
    assert!(files.contains(&"disk/run/config.toml"), "{files:?}");
    assert!(files.iter().all(|file| !file.contains(".tmp")), "half a file is left: {files:?}");
    let info: String = outcome.stderr.lines().filter_map(|line| line.strip_prefix("info ")).collect();
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["status"], "failed", "{info}");
    assert!(info["error"].as_str().unwrap().contains("No space left on device"));
}

/// Where a file may not grow any further the run fails as on a full disk; no right to mount is needed.
#[test]
fn a_limit_on_the_size_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 64; \"$0\" train CartPole-v1 --preset default-fixed --env-steps 5000 --out run";
    let mut command = Command::new("bash");
    let command = command.args(["-c", script, env!("CARGO_BIN_EXE_deepq")]);
    let outcome = finish(command.current_dir(folder.path()));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("cannot write run/") && outcome.stderr.contains("File too large"),
        "{outcome:?}"
    );
    let run = folder.path().join("run");
    assert_eq!(info(&run)["status"], "failed");
    assert_eq!(names(&run.join("checkpoints")), [""; 0], "no half of a checkpoint");
}

#[test]
fn a_full_standard_output_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = deepq(folder.path()).args(["list", "envs"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("cannot write to standard output") && stderr.contains("No space left"),
        "{stderr}"
    );
}
