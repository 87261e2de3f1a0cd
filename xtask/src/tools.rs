//! What the tests need beyond a Rust toolchain: found, or installed, or said to be missing.

use std::path::PathBuf;

use crate::command::{Outcome, command, output, root, run, target_directory};

/// How a tool's presence shows.
#[derive(Clone, Copy)]
enum Sign {
    /// A program of this name is on the `PATH`.
    Program(&'static str),
    /// The dynamic linker knows a library of this name.
    Library(&'static str),
    /// Python can import this module.
    PythonModule(&'static str),
}

struct Tool {
    sign: Sign,
    debian_package: &'static str,
    needed_for: &'static str,
}

const fn tool(sign: Sign, debian_package: &'static str, needed_for: &'static str) -> Tool {
    Tool { sign, debian_package, needed_for }
}

/// In the order in which they are checked: Python's module is looked for with Python.
const TOOLS: [Tool; 10] = [
    tool(Sign::Program("python3"), "python3", "event files read back by TensorBoard"),
    tool(Sign::PythonModule("ensurepip"), "python3-venv", "event files read back by TensorBoard"),
    tool(Sign::Program("ffmpeg"), "ffmpeg", "videos decoded by another program"),
    tool(Sign::Program("ffprobe"), "ffmpeg", "codec, size and frame count of videos"),
    tool(Sign::Program("chromium"), "chromium", "the report and its videos in a browser"),
    tool(Sign::Program("Xvfb"), "xvfb", "the window"),
    tool(Sign::Library("libXcursor.so.1"), "libxcursor1", "the window"),
    tool(Sign::Program("xdotool"), "xdotool", "the window, operated"),
    tool(Sign::Program("import"), "imagemagick", "pictures of the window"),
    tool(Sign::Program("tmux"), "tmux", "the terminal's picture"),
];

/// What the tests are told about their tools.
pub(crate) struct Prepared {
    /// A Python that has the packages of `requirements-test.txt`.
    pub(crate) python: Option<PathBuf>,
    /// Whether nothing is missing, so that no test has a reason to be skipped.
    pub(crate) complete: bool,
}

/// Finds what the tests need and installs what is missing, where it can. Under `CI=true` a missing tool is an
/// error; elsewhere the tests that need it are skipped.
pub(crate) fn prepare() -> Outcome<Prepared> {
    let missing_before: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_present(tool.sign)).collect();
    if !missing_before.is_empty() {
        let mut packages: Vec<_> = missing_before.iter().map(|tool| tool.debian_package).collect();
        packages.dedup();
        tolerate_outside_ci(install(&packages))?;
    }
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_present(tool.sign)).collect();
    for tool in &missing {
        let (name, package) = (name(tool.sign), tool.debian_package);
        eprintln!("xtask: no {name} (Debian package {package}): tests of {} are skipped", tool.needed_for);
    }
    if let (true, Some(tool)) = (is_ci(), missing.first()) {
        return Err(format!("{} is missing, and under CI=true no test may be skipped", name(tool.sign)));
    }
    let python = tolerate_outside_ci(python_with_packages())?;
    Ok(Prepared { complete: missing.is_empty() && python.is_some(), python })
}

/// Finds programs and other files, each given with its Debian package, and installs those that are missing, where
/// it can. Programs go by their name, other files by their whole path.
pub(crate) fn need_files(files: &[(&'static str, &'static str)]) -> Outcome {
    let missing = || files.iter().filter(|(file, _)| !is_present(Sign::Program(file)));
    let packages: Vec<&str> = missing().map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        install(&packages)?;
    }
    match missing().next() {
        Some((file, package)) => Err(format!("no {file} (Debian package {package})")),
        None => Ok(()),
    }
}

/// Whether `what` can be done after its preparation. Where it could not be prepared, that is an error under CI;
/// elsewhere it is said, and `what` is skipped.
pub(crate) fn ready_or_skipped(what: &str, prepared: Outcome) -> Outcome<bool> {
    match prepared {
        Ok(()) => Ok(true),
        Err(message) if is_ci() => Err(format!("{what}: {message}")),
        Err(message) => {
            println!("skipped: {what}: {message}");
            Ok(false)
        }
    }
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Under CI an error stays one; elsewhere it is shown, and what it would have brought is `None`.
fn tolerate_outside_ci<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(message) if is_ci() => Err(message),
        Err(message) => {
            eprintln!("xtask: {message}");
            Ok(None)
        }
    }
}

fn name(sign: Sign) -> &'static str {
    match sign {
        Sign::Program(name) | Sign::Library(name) => name,
        Sign::PythonModule(_) => "python3 -m venv",
    }
}

fn is_present(sign: Sign) -> bool {
    match sign {
        Sign::Program(name) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
        }
        Sign::Library(name) => ["ldconfig", "/sbin/ldconfig"].iter().any(|ldconfig| {
            let known = output(&mut command(ldconfig, &["-p"]));
            known.is_some_and(|known| String::from_utf8_lossy(&known).contains(name))
        }),
        Sign::PythonModule(name) => {
            output(&mut command("python3", &["-c", &format!("import venv, {name}")])).is_some()
        }
    }
}

fn install(packages: &[&str]) -> Outcome {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !is_present(Sign::Program("apt-get")) {
        return Err(format!("apt-get is not here to install with; on Debian it would be `{by_hand}`"));
    }
    let is_root = output(&mut command("id", &["-u"])).is_some_and(|id| id.trim_ascii() == b"0");
    if !is_root && output(&mut command("sudo", &["-n", "true"])).is_none() {
        return Err(format!("this user may not install packages without a password: `sudo {by_hand}`"));
    }
    let before: &[&str] = if is_root { &[] } else { &["sudo", "-n"] };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    for arguments in [&["update"][..], &install] {
        let wait = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "--quiet"];
        let words = [before, &["env"], &wait, arguments].concat();
        run(&mut command(words[0], &words[1..]))
            .map_err(|error| format!("{error}. Is there a network? By hand: `{by_hand}`"))?;
    }
    Ok(())
}

/// Makes the virtual environment of the tests, or finds it as made before.
fn python_with_packages() -> Outcome<PathBuf> {
    virtual_environment("test-venv", "xtask/requirements-test.txt")
}

/// Makes the virtual environment `name` below the target directory with the packages of a requirements file of the
/// repository, or finds it as made before from the same requirements: the path of its Python.
pub(crate) fn virtual_environment(name: &str, requirements: &str) -> Outcome<PathBuf> {
    let requirements = root().join(requirements);
    let wanted =
        std::fs::read(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let environment = target_directory().join(name);
    let installed = environment.join("requirements-installed.txt");
    let python = environment.join("bin/python");
    if python.is_file() && std::fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let arguments = ["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), environment.as_os_str()];
    run(&mut command("python3", &arguments))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let mut pip = command(&python, &pip);
    pip.arg(&requirements);
    run(&mut pip).map_err(|error| format!("{error}. Is there a network?"))?;
    std::fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(python)
}
