//! Where results go, and the machine they are from.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Writes a result with its command and its machine to `benches/results/<name>.json`.
pub(crate) fn write_result(name: &str, command: &str, result: Value) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    std::fs::create_dir_all(&folder)?;
    let path: PathBuf = folder.join(format!("{name}.json"));
    let document = json!({ "command": command, "machine": machine(), "result": result });
    // In one step: who reads it meanwhile finds the earlier one whole.
    let unfinished = folder.join(format!("{name}.json.tmp"));
    std::fs::write(&unfinished, serde_json::to_string_pretty(&document)? + "\n")?;
    std::fs::rename(&unfinished, &path)?;
    println!("written: benches/results/{name}.json");
    Ok(())
}

/// What was written to `benches/results/<name>.json` before; `None` where there is no such file.
pub(crate) fn read_result(name: &str) -> std::io::Result<Option<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(format!("{name}.json"));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(serde_json::from_str::<Value>(&text)?.get("result").cloned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Held by one process at a time while it reads a result and writes it anew: two studies may go on side by side.
pub(crate) fn lock_result(name: &str) -> std::io::Result<File> {
    let lock = File::create(std::env::temp_dir().join(format!("deepq-bench-{name}.lock")))?;
    lock.lock()?;
    Ok(lock)
}

/// The processor, its cores and its load, as the system tells them.
pub(crate) fn machine() -> Value {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "processor": format!("{} family {} model {}", field("model name"), field("cpu family"), field("model")),
        "cores": cores(&cpuinfo),
        "instruction_set": deepq::instruction_set().unwrap_or_else(|error| error.to_string()),
        "load_average_1_min": load.split_whitespace().next().unwrap_or("unknown"),
        "date": time::OffsetDateTime::now_utc().date().to_string(),
        "compiler": compiler(),
        "commit": commit(),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// What the working tree is at, and whether it differs from that. Results and the pages made from them do not count:
/// a study changes them as it goes.
pub(crate) fn commit() -> String {
    let commit = answer("git", &["describe", "--always", "--abbrev=12"]);
    let but_results = [".", ":!results", ":!../docs", ":!../README.md"];
    match answer("git", &[&["status", "--porcelain", "--"], &but_results[..]].concat()).as_str() {
        "" => commit,
        _ => commit + "-dirty",
    }
}

/// The machine's, however few of them this process may use.
fn cores(cpuinfo: &str) -> usize {
    match cpuinfo.lines().filter(|line| line.starts_with("processor")).count() {
        0 => std::thread::available_parallelism().map_or(0, |cores| cores.get()),
        cores => cores,
    }
}

/// As `rustc --version` says it, of the compiler that Cargo runs here, without what it says in brackets.
fn compiler() -> String {
    let version = answer("rustc", &["--version"]);
    version.split(" (").next().unwrap_or_default().to_owned()
}

/// What a program prints when it is run in the repository.
fn answer(program: &str, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stderr(std::process::Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| format!("unknown {program}"), |text| text.trim().to_owned())
}
