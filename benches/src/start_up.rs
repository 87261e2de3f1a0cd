//! How long the program takes to its first step, and how much memory it needs.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use deepq::statistics;
use serde_json::json;

use crate::machine::write_result;

const RUNS: usize = 20;

/// Runs the release build of `deepq` for one env step, as a whole process, and for a whole training.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name("deepq");
    let folder = std::env::temp_dir().join(format!("deepq-start-up-{}", std::process::id()));
    let one_step =
        ["--env-steps", "1", "--set", "evaluation={final_episodes=1}", "--set", "recording.episodes=0"];
    let mut walls_ms = vec![];
    for number in 0..RUNS {
        let started = Instant::now();
        train(&program, &folder.join(format!("one-{number}")), &one_step)?;
        walls_ms.push(1e3 * started.elapsed().as_secs_f64());
    }
    let training_kib = train(&program, &folder.join("default"), &["--set", "recording.episodes=0"])?;
    let whole_kib = train(&program, &folder.join("whole"), &[])?;
    std::fs::remove_dir_all(&folder)?;
    let median = statistics::median(&walls_ms).unwrap_or_default();
    let greatest = statistics::percentile(&walls_ms, 100.0).unwrap_or_default();
    println!(
        "one env step, whole process, files and report included: median {median:.1} ms, max {greatest:.1} ms"
    );
    println!(
        "peak memory: training {} MiB, with five videos and the report {} MiB",
        training_kib / 1024,
        whole_kib / 1024
    );
    let result = json!({
        "one_env_step_whole_process_ms": walls_ms, "median_ms": median,
        "peak_memory_training_kib": training_kib, "peak_memory_with_videos_kib": whole_kib,
    });
    Ok(write_result("start-up", "cargo xtask bench start-up", result)?)
}

/// Trains CartPole-v1 with the default preset, and gives the greatest resident memory in KiB that was seen.
fn train(program: &PathBuf, out: &PathBuf, more: &[&str]) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(program)
        .args(["train", "CartPole-v1", "-q", "--out"])
        .arg(out)
        .args(more)
        .stdout(Stdio::null())
        .spawn()?;
    let status_path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let status = loop {
        // The system keeps the greatest value itself, so that looking now and then misses little.
        let text = std::fs::read_to_string(&status_path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let seen = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    };
    if !status.success() {
        return Err(format!("{} failed: {status}", program.display()).into());
    }
    Ok(peak)
}
