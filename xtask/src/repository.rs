//! Rules of the repository that no other tool checks.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Outcome, cargo, command, output, root};
use crate::source::{code_only, lines_with_word};

/// Where `unsafe` may stand: the kernels and what else is compiled for the processor's vector instructions, the tests that count
/// allocations, for a global allocator of their own, and the safe face of a library in C++.
const UNSAFE_MODULES: [&str; 7] = [
    "crates/cpu/src/kernels",
    "crates/core/src/math/fused.rs",
    "crates/cpu/tests/allocations.rs",
    "crates/core/tests/replay_allocations.rs",
    "crates/box2d/src/ffi.rs",
    "crates/box2d/src/world.rs",
    "crates/envs/tests/wrappers_allocations.rs",
];

/// The largest file the repository takes, in bytes.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// The import rule: which packages of the workspace a package may depend on. Tests and benches (dev-dependencies)
/// may use any.
const IMPORTS: [(&str, &[&str]); 11] = [
    ("deepq-core", &[]),
    ("deepq-box2d", &[]),
    ("deepq-envs", &["deepq-core", "deepq-box2d"]),
    ("deepq-cpu", &["deepq-core"]),
    ("deepq-burn", &["deepq-core"]),
    ("deepq", &["deepq-core", "deepq-envs", "deepq-cpu"]),
    ("deepq-view", &["deepq-core", "deepq"]),
    ("deepq-cli", &["deepq", "deepq-view"]),
    ("deepq-python", &["deepq", "deepq-view"]),
    ("deepq-bench", &["deepq", "deepq-cpu"]),
    ("xtask", &[]),
];

pub(crate) fn check_unsafe_code() -> Outcome {
    let mut found = Vec::new();
    for path in files()?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        if UNSAFE_MODULES.iter().any(|module| is_in_module(path, module)) {
            continue;
        }
        let source = std::fs::read_to_string(root().join(path))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = lines_with_word(&code_only(&source), "unsafe");
        found.extend(lines.iter().map(|line| format!("{}:{line}", path.display())));
    }
    verdict(found, &format!("`unsafe` is allowed in {} only", UNSAFE_MODULES.join(", ")))
}

/// Whether `path` is the module's file or lies in its folder.
fn is_in_module(path: &Path, module: &str) -> bool {
    path.starts_with(module) || path == Path::new(&format!("{module}.rs"))
}

pub(crate) fn check_rust_version() -> Outcome {
    let path = root().join("rust-toolchain.toml");
    let toolchain = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let channel = toolchain_channel(&toolchain).ok_or("rust-toolchain.toml names no `channel`")?;
    let mut wrong = Vec::new();
    for package in packages(&metadata()?) {
        let stated = package["rust_version"].as_str();
        if !stated.is_some_and(|stated| is_same_release(stated, channel)) {
            let stated = stated.unwrap_or("none");
            wrong
                .push(format!("{}: rust-version {stated}", package["manifest_path"].as_str().unwrap_or("?")));
        }
    }
    verdict(
        wrong,
        &format!("the `rust-version` of each package must be that of rust-toolchain.toml, {channel}"),
    )
}

fn toolchain_channel(toolchain: &str) -> Option<&str> {
    let value = toolchain.lines().find_map(|line| line.trim().strip_prefix("channel"))?;
    Some(value.trim_start().strip_prefix('=')?.trim().trim_matches('"'))
}

/// `1.95` and `1.95.0` are the same release, `1.95` and `1.950.0` are not.
fn is_same_release(stated: &str, channel: &str) -> bool {
    let components = |version: &str| {
        let mut components: Vec<String> = version.split('.').map(str::to_owned).collect();
        components.resize(3, "0".to_owned());
        components
    };
    components(stated) == components(channel)
}

pub(crate) fn check_imports() -> Outcome {
    verdict(forbidden_imports(&metadata()?), "the import rule (see CONTRIBUTING.md) is broken")
}

fn forbidden_imports(metadata: &Value) -> Vec<String> {
    let packages = packages(metadata);
    let is_ours = |name: &str| packages.iter().any(|package| package["name"] == name);
    let mut forbidden = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or("?");
        let Some((_, allowed)) = IMPORTS.iter().find(|(importer, _)| *importer == name) else {
            forbidden.push(format!("{name} has no line in IMPORTS of xtask/src/repository.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let imported = dependency["name"].as_str().unwrap_or("?");
            if dependency["kind"] != "dev" && is_ours(imported) && !allowed.contains(&imported) {
                forbidden.push(format!("{name} depends on {imported}"));
            }
        }
    }
    forbidden
}

pub(crate) fn check_file_sizes() -> Outcome {
    let mut big = Vec::new();
    for path in files()? {
        let bytes = std::fs::symlink_metadata(root().join(&path)).map_or(0, |metadata| metadata.len());
        if bytes > FILE_BYTES_MAX {
            big.push(format!("{}: {bytes} bytes", path.display()));
        }
    }
    verdict(big, &format!("a file of the repository has at most {FILE_BYTES_MAX} bytes"))
}

fn verdict(faults: Vec<String>, rule: &str) -> Outcome {
    if faults.is_empty() { Ok(()) } else { Err(format!("{rule}:\n  {}", faults.join("\n  "))) }
}

/// The files of the checkout that are in the repository or about to be: tracked, or new and not ignored.
fn files() -> Outcome<Vec<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed =
        output(&mut command("git", &arguments)).ok_or("`git ls-files` failed: is this a git checkout?")?;
    let listed = String::from_utf8_lossy(&listed);
    let paths = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    let paths: Vec<PathBuf> = paths.filter(|path| root().join(path).is_file()).collect();
    if paths.is_empty() { Err("git lists no file".to_owned()) } else { Ok(paths) }
}

fn metadata() -> Outcome<Value> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let text = output(&mut cargo(&arguments)).ok_or("`cargo metadata` failed")?;
    serde_json::from_slice(&text).map_err(|error| format!("`cargo metadata`: {error}"))
}

/// The packages of the workspace.
fn packages(metadata: &Value) -> Vec<&Value> {
    metadata["packages"].as_array().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn releases_are_compared_by_component() {
        assert!(is_same_release("1.95", "1.95.0") && is_same_release("1.95.0", "1.95.0"));
        assert!(!is_same_release("1.9", "1.95.0") && !is_same_release("1.95", "1.95.1"));
        assert!(!is_same_release("1.95", "stable"));
    }

    #[test]
    fn the_channel_is_found() {
        assert_eq!(toolchain_channel("# channel\n[toolchain]\nchannel = \"1.95.0\"\n"), Some("1.95.0"));
        assert_eq!(toolchain_channel("[toolchain]\nprofile = \"minimal\"\n"), None);
    }

    #[test]
    fn a_module_is_its_file_or_its_folder() {
        let is_in = |path| is_in_module(Path::new(path), "crates/cpu/src/kernels");
        assert!(is_in("crates/cpu/src/kernels.rs") && is_in("crates/cpu/src/kernels/avx2.rs"));
        assert!(!is_in("crates/cpu/src/kernels_too.rs") && !is_in("crates/cpu/src/lib.rs"));
    }

    #[test]
    fn only_the_named_imports_are_allowed() {
        let metadata = json!({"packages": [
            {"name": "deepq-core", "dependencies": [
                {"name": "serde", "kind": null}, {"name": "deepq-cpu", "kind": "dev"}, {"name": "deepq", "kind": "build"},
            ]},
            {"name": "deepq-cpu", "dependencies": [{"name": "deepq-core", "kind": null}]},
            {"name": "deepq", "dependencies": [{"name": "deepq-cpu", "kind": null}, {"name": "xtask", "kind": null}]},
            {"name": "xtask", "dependencies": []},
            {"name": "deepq-new", "dependencies": []},
        ]});
        let forbidden = forbidden_imports(&metadata);
        assert_eq!(forbidden[..2], ["deepq-core depends on deepq", "deepq depends on xtask"]);
        assert!(forbidden.len() == 3 && forbidden[2].starts_with("deepq-new has no line"));
    }
}
