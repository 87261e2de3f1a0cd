//! The packages whose environments are timed beside ours.

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{OURS, OURS_IN_THREADS};
use crate::process::Engine;

/// A package, the script that runs it, and the set of packages it is installed with.
struct Peer {
    name: &'static str,
    script: &'static str,
    set: &'static str,
}

const PEERS: [Peer; 5] = [
    Peer { name: "Gymnasium", script: "env_gymnasium.py", set: "envs" },
    Peer { name: "MinAtar", script: "env_minatar.py", set: "envs" },
    Peer { name: "EnvPool", script: "env_envpool.py", set: "envs" },
    Peer { name: "gymnax", script: "env_gymnax.py", set: "envs-gymnax" },
    Peer { name: "PufferLib", script: "env_pufferlib.py", set: "envs-pufferlib" },
];

/// What the caller prepared: `python:SET=PATH` for a set of packages that is installed, `missing:SET=REASON` for one
/// that is not, and the ids of the environments to measure.
pub(super) struct Prepared {
    pythons: Vec<(String, Result<PathBuf, String>)>,
    pub(super) ids: Vec<String>,
}

impl Prepared {
    pub(super) fn of(arguments: &[String]) -> Result<Self, String> {
        let (mut pythons, mut ids) = (vec![], vec![]);
        for argument in arguments {
            let Some((kind, rest)) = argument.split_once(':') else {
                ids.push(argument.clone());
                continue;
            };
            let wrong =
                || format!("bench envs: {argument:?} is neither python:SET=PATH nor missing:SET=REASON");
            let (set, value) = rest.split_once('=').ok_or_else(wrong)?;
            pythons.push(match kind {
                "python" => (set.to_owned(), Ok(PathBuf::from(value))),
                "missing" => (set.to_owned(), Err(value.to_owned())),
                _ => return Err(wrong()),
            });
        }
        Ok(Self { pythons, ids })
    }

    fn python(&self, set: &str) -> Result<&Path, String> {
        match self.pythons.iter().find(|(name, _)| name == set) {
            Some((_, Ok(python))) => Ok(python),
            Some((_, Err(reason))) => Err(reason.clone()),
            None => Err(format!("no Python with the packages of requirements-{set}.txt was given")),
        }
    }
}

/// The processes that are compared, ours first, and the packages that are not among them.
pub(super) struct Peers {
    pub(super) engines: Vec<(&'static str, Engine)>,
    /// By name, why.
    pub(super) not_available: Map<String, Value>,
}

impl Peers {
    pub(super) fn start(
        prepared: &Prepared,
        ids: &[&str],
        core: Option<usize>,
    ) -> Result<Self, Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get()).to_string();
        let (server, threads) = (Path::new("env-server"), Path::new(&threads));
        let mut engines = vec![
            (OURS, Engine::start(OURS, &program, &[server], core)?),
            (OURS_IN_THREADS, Engine::start(OURS_IN_THREADS, &program, &[server, threads], None)?),
        ];
        let mut not_available = Map::new();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for Peer { name, script, set } in PEERS {
            let script = scripts.join(script);
            let arguments: Vec<&Path> =
                std::iter::once(&*script).chain(ids.iter().map(|id| Path::new(*id))).collect();
            let started = prepared.python(set).and_then(|python| {
                Engine::start(name, python, &arguments, core).map_err(|error| error.to_string())
            });
            match started {
                Ok(engine) => engines.push((name, engine)),
                Err(reason) => {
                    println!("{name}: not available: {reason}");
                    not_available.insert(name.to_owned(), json!(reason));
                }
            }
        }
        Ok(Self { engines, not_available })
    }

    /// As the packages tell them.
    pub(super) fn versions(&self) -> Map<String, Value> {
        let told = self.engines.iter().filter_map(|(_, engine)| engine.greeting["versions"].as_object());
        told.flatten().map(|(name, version)| (name.clone(), version.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_is_told_from_ids() {
        let arguments =
            ["python:envs=/a/python", "MinAtar/Breakout-v1", "missing:envs-gymnax=no network: 1=2"];
        let prepared = Prepared::of(&arguments.map(str::to_owned)).unwrap();
        assert_eq!(prepared.ids, ["MinAtar/Breakout-v1"]);
        assert_eq!(prepared.python("envs"), Ok(Path::new("/a/python")));
        assert_eq!(prepared.python("envs-gymnax"), Err("no network: 1=2".to_owned()));
        assert!(prepared.python("envs-pufferlib").unwrap_err().contains("requirements-envs-pufferlib.txt"));
        for wrong in ["pythn:envs=x", "python:envs"] {
            assert!(Prepared::of(&[wrong.to_owned()]).is_err_and(|error| error.contains(wrong)));
        }
    }

    #[test]
    fn every_script_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for Peer { script, set, .. } in PEERS {
            assert!(folder.join(script).is_file(), "{script}");
            assert!(folder.join(format!("requirements-{set}.txt")).is_file(), "{set}");
        }
    }
}
