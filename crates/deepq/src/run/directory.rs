//! The folder of a run: made, found, opened.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use deepq_core::network::Parameters;
use deepq_envs::Registry;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::checkpoint::{self, CheckpointChoice};
use super::files::{create_folder, natural_order, read_json_lines, write_atomically};
use super::metrics::{EvaluationLine, MetricsLine};
use super::weights::{parse_statistics, parse_weights, weights_file};
use crate::config::{ConfigError, FinalPolicy};
use crate::{Config, EnvFactory, Error, MemoryUse, Policy, Trainer, network_spec_of};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It trains, or was killed while it did.
    Running,
    /// It came to its end.
    Finished,
    /// It was stopped before its end, with a checkpoint.
    Interrupted,
    /// It failed.
    Failed,
}

/// What `run.json` tells of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The version of this file's format.
    pub format: u32,
    /// The version of deepq.
    pub deepq: String,
    /// The environment's id.
    pub env: String,
    /// The algorithm.
    pub algo: String,
    /// The preset it was made from.
    pub preset: String,
    /// The seed.
    pub seed: u64,
    /// How it stands.
    pub status: RunStatus,
    /// The command line.
    pub command: Vec<String>,
    /// Operating system and processor architecture.
    pub host: String,
    /// The instruction set of the CPU engine.
    pub instruction_set: String,
    /// How many threads shared its large passes; null for runs before there were threads.
    #[serde(default)]
    pub threads: Option<usize>,
    /// The bytes of memory that it takes; null for runs before they were told.
    #[serde(default)]
    pub memory_bytes: Option<MemoryUse>,
    /// When it began, in UTC (ISO 8601).
    pub started_at: String,
    /// Seconds of training; null until it ended.
    pub wall_s: Option<f64>,
    /// Env steps at its end.
    pub env_steps: Option<u64>,
    /// Gradient steps at its end.
    pub gradient_steps: Option<u64>,
    /// Episodes at its end.
    pub episodes: Option<u64>,
    /// What went wrong, where it failed.
    pub error: Option<String>,
}

/// A run directory.
pub struct RunDirectory {
    path: PathBuf,
    /// Held while this process writes to the directory.
    lock: Option<File>,
}

/// The best policy of an evaluation while training.
const BEST: &str = "best/network.safetensors";

/// What the lock's file holds while a run goes on: room for the last word on a disk that is full.
const RESERVE: [u8; 8192] = [b'\n'; 8192];

impl Drop for RunDirectory {
    fn drop(&mut self) {
        self.release_reserve();
    }
}

impl RunDirectory {
    /// Makes the directory of a fresh run, and holds it against other processes.
    ///
    /// # Errors
    /// Where the folder holds something already, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        Self::check_free(path)?;
        create_folder(path).map_err(|error| Self::unusable(path, error))?;
        Self::hold(path)
    }

    /// As [`create`](Self::create), under a name that nobody else has: see [`fresh_path`](Self::fresh_path).
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub(super) fn create_fresh(env: &str, algo: &str, seed: u64) -> Result<Self, Error> {
        loop {
            let path = Self::fresh_path(env, algo, seed);
            if let Some(parent) = path.parent() {
                create_folder(parent).map_err(|error| Self::unusable(parent, error))?;
            }
            match fs::create_dir(&path) {
                Ok(()) => return Self::hold(&path),
                // Another process took the name just now.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Self::unusable(&path, Error::io("cannot create the folder", &path, error)));
                }
            }
        }
    }

    /// Fails where the folder holds something already, or cannot be looked into.
    pub(super) fn check_free(path: &Path) -> Result<(), Error> {
        if path.as_os_str().is_empty() {
            return Err(Error::run(path, "a folder's name cannot be empty", "choose a folder with --out"));
        }
        match fs::read_dir(path) {
            Ok(entries) => match entries.into_iter().next() {
                Some(_) => Err(Self::occupied(path)),
                None => Ok(()),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Self::unusable(path, Error::io("cannot read", path, error))),
        }
    }

    /// Fails where a folder that it would stand in is a run.
    pub(super) fn check_in_no_run(path: &Path) -> Result<(), Error> {
        match path.ancestors().skip(1).find(|folder| folder.join("run.json").is_file()) {
            Some(run) => {
                Err(Error::run(run, "this folder holds a run already", "choose another folder with --out"))
            }
            None => Ok(()),
        }
    }

    fn hold(path: &Path) -> Result<Self, Error> {
        let lock_path = path.join("run.lock");
        // What is in the file is another process's until this one has the lock.
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| Self::unusable(path, Error::io("cannot write", &lock_path, error)))?;
        match lock.try_lock() {
            Ok(()) => {
                // Without the reserve a run goes on as well.
                let _ = (&lock).write_all(&RESERVE);
                Ok(Self { path: path.to_owned(), lock: Some(lock) })
            }
            Err(fs::TryLockError::WouldBlock) => Err(Self::occupied(path)),
            Err(fs::TryLockError::Error(error)) => Err(Error::io("cannot lock", &lock_path, error)),
        }
    }

    /// Removes what a run that could not begin wrote, so that its folder can be used again; with it the folder
    /// itself where `with_folder` says so.
    pub(super) fn abandon(self, with_folder: bool) {
        // What cannot be removed is no worse than what has already gone wrong.
        for name in ["config.toml", "run.json", "run.lock"] {
            let _ = fs::remove_file(self.path.join(name));
        }
        if with_folder {
            let _ = fs::remove_dir(&self.path);
        }
    }

    /// A folder that a run cannot begin in.
    fn unusable(path: &Path, error: Error) -> Error {
        let help = error.help().unwrap_or_else(|| "choose a folder that you may write to with --out".into());
        Error::run(path, format!("no run can be made here: {error}"), help)
    }

    fn occupied(path: &Path) -> Error {
        let locked = File::open(path.join("run.lock")).is_ok_and(|lock| lock.try_lock_shared().is_err());
        let message = match (locked, path.join("run.json").is_file()) {
            (true, _) => "another process is training in this folder right now",
            (false, true) => "this folder holds a run already",
            (false, false) => "this folder is not empty",
        };
        Error::run(path, message, "choose another folder with --out, or leave --out away for a fresh one")
    }

    /// A name for a fresh run directory that does not exist yet: `runs/<env>/<algo>-s<seed>-<time>`.
    pub fn fresh_path(env: &str, algo: &str, seed: u64) -> PathBuf {
        let parent = Path::new("runs").join(file_name(env));
        let name = format!("{}-s{seed}-{}", file_name(algo), stamp(OffsetDateTime::now_utc()));
        let candidates = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
        let mut paths = candidates.map(|name| parent.join(name));
        paths.find(|path| !path.exists()).unwrap_or(parent)
    }

    /// Opens the directory of a run that exists.
    ///
    /// # Errors
    /// Where it is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let help = "give the folder of a run, which holds run.json and config.toml; `deepq list runs --below DIR` shows them";
        if !path.exists() {
            return Err(Error::run(path, "there is no such folder", help));
        }
        if !path.is_dir() {
            return Err(Error::run(path, "this is no run directory but a file", help));
        }
        for name in ["run.json", "config.toml"] {
            if !path.join(name).is_file() {
                return Err(Error::run(path, format!("this is no run directory: {name} is missing"), help));
            }
        }
        Ok(Self { path: path.to_owned(), lock: None })
    }

    /// All run directories below a folder, by their names, in which s2 stands before s10. Folders that cannot be read
    /// are left out, and each is looked into once, however many links lead to it.
    pub fn find_all(below: &Path) -> Vec<PathBuf> {
        Self::find_unseen(below, &mut HashSet::new())
    }

    /// Whether a folder is that of a run, a damaged one included.
    pub(super) fn is_run(path: &Path) -> bool {
        ["run.json", "config.toml"].iter().any(|name| path.join(name).is_file())
    }

    fn find_unseen(below: &Path, seen: &mut HashSet<PathBuf>) -> Vec<PathBuf> {
        if !fs::canonicalize(below).is_ok_and(|path| seen.insert(path)) {
            return vec![];
        }
        let Ok(entries) = fs::read_dir(below) else { return vec![] };
        let mut folders: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok())
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort_by_cached_key(|folder| natural_order(folder));
        let runs = folders.into_iter().flat_map(|folder| match Self::is_run(&folder) {
            true => vec![folder],
            false => Self::find_unseen(&folder, seen),
        });
        runs.collect()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration.
    ///
    /// # Errors
    /// Where `config.toml` cannot be read or used.
    pub fn config(&self) -> Result<Config, Error> {
        let path = self.path.join("config.toml");
        let text = fs::read_to_string(&path).map_err(|error| Error::io("cannot read", &path, error))?;
        Ok(Config::from_toml(&text, &path.display().to_string())?)
    }

    /// What `run.json` tells.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn info(&self) -> Result<RunInfo, Error> {
        let path = self.path.join("run.json");
        let text = fs::read_to_string(&path).map_err(|error| Error::io("cannot read", &path, error))?;
        serde_json::from_str(&text).map_err(|error| Error::damaged(&path, error))
    }

    pub(super) fn write_info(&self, info: &RunInfo) -> Result<(), Error> {
        write_run_info(&self.path, info).or_else(|_| {
            self.release_reserve();
            write_run_info(&self.path, info)
        })
    }

    fn release_reserve(&self) {
        if let Some(lock) = &self.lock {
            let _ = lock.set_len(0);
        }
    }

    pub(super) fn write_config(&self, config: &Config) -> Result<(), Error> {
        write_atomically(&self.path.join("config.toml"), config.to_toml().as_bytes())
    }

    /// The episodes of training.
    ///
    /// # Errors
    /// Where `metrics.jsonl` cannot be read.
    pub fn metrics(&self) -> Result<Vec<MetricsLine>, Error> {
        read_json_lines(&self.path.join("metrics.jsonl"))
    }

    /// The evaluations, those while training and the final one.
    ///
    /// # Errors
    /// Where `eval.jsonl` cannot be read.
    pub fn evaluations(&self) -> Result<Vec<EvaluationLine>, Error> {
        read_json_lines(&self.path.join("eval.jsonl"))
    }

    /// Writes a checkpoint of `trainer`.
    pub(super) fn write_checkpoint(&self, trainer: &Trainer) -> Result<(), Error> {
        let keep = trainer.config().checkpoint.keep;
        checkpoint::write(&self.path.join("checkpoints"), trainer, keep)?;
        self.write_best(trainer)
    }

    /// Writes the best policy of an evaluation so far, where there is one.
    pub(super) fn write_best(&self, trainer: &Trainer) -> Result<(), Error> {
        let Some((env_steps, mean_return, parameters)) = trainer.best() else { return Ok(()) };
        let best = self.path.join("best");
        create_folder(&best)?;
        let path = self.path.join(BEST);
        let statistics = trainer.best_observation_statistics();
        let file = weights_file(&path, trainer.network().layout(), &[("", parameters)], statistics)?;
        write_atomically(&path, &file)?;
        let told = serde_json::json!({ "env_steps": env_steps, "mean_return": mean_return });
        write_atomically(&best.join("state.json"), told.to_string().as_bytes())
    }

    /// What makes the environments of the run.
    ///
    /// # Errors
    /// Where its environment cannot be made.
    pub fn env_factory(&self, registry: &Registry) -> Result<EnvFactory, Error> {
        EnvFactory::new(registry, &self.config()?.env).map_err(|error| self.in_config(error))
    }

    /// An error of the configuration, with the file it stands in.
    fn in_config(&self, error: ConfigError) -> Error {
        let file = self.path.join("config.toml");
        ConfigError { place: format!("{}: {}", file.display(), error.place), ..error }.into()
    }

    /// A policy of the run.
    ///
    /// # Errors
    /// Where there is no such checkpoint, or its files are damaged.
    pub fn policy(&self, choice: CheckpointChoice, registry: &Registry) -> Result<Policy, Error> {
        let config = self.config()?;
        let spec = network_spec_of(&config, registry).map_err(|error| self.in_config(error))?;
        let layout = spec.layout().map_err(|error| Error::damaged(&self.path.join("config.toml"), error))?;
        let (file, weights, prefix) = match self.is_best(choice, &config)? {
            true => self.best_weights()?,
            false => self.checkpoint_weights(choice, config.evaluation.parameters)?,
        };
        let parameters = parse_weights(&file, &weights, &layout, prefix)?;
        let policy = Policy::with_head(&spec, &parameters, &config.head())
            .map_err(|error| Error::damaged(&self.path, error))?;
        let statistics = match self.env_factory(registry)?.statistics() {
            Some(statistics) => {
                let read = parse_statistics(&file, &weights)?;
                statistics.assign(&read).map_err(|error| Error::damaged(&file, error))?;
                Some(statistics)
            }
            None => None,
        };
        Ok(policy.with_statistics(statistics))
    }

    /// Whether a choice is the best policy of an evaluation while training.
    fn is_best(&self, choice: CheckpointChoice, config: &Config) -> Result<bool, Error> {
        match choice {
            CheckpointChoice::Best => Ok(true),
            CheckpointChoice::Final if config.evaluation.final_policy == FinalPolicy::Best => {
                // Where there was one and its file is gone, no other takes its place.
                Ok(self.path.join(BEST).exists() || self.was_evaluated_while_training()?)
            }
            _ => Ok(false),
        }
    }

    /// A file, its contents, and what stands before the names of the parameters in it.
    fn best_weights(&self) -> Result<(PathBuf, Vec<u8>, &'static str), Error> {
        let file = self.path.join(BEST);
        if !file.exists() {
            let message = match self.was_evaluated_while_training()? {
                true => {
                    "the best policy, best/network.safetensors, is missing: the run was killed before it was \
                     written, or the file was removed"
                }
                false => "this run was not evaluated while training, so none of its policies is the best",
            };
            let help = match checkpoint::list(&self.path.join("checkpoints"))?.is_empty() {
                true => "train again",
                false => "use --checkpoint last",
            };
            return Err(Error::run(&self.path, message, help));
        }
        let weights = fs::read(&file).map_err(|error| Error::io("cannot read", &file, error))?;
        Ok((file, weights, ""))
    }

    /// The same of a checkpoint.
    fn checkpoint_weights(
        &self,
        choice: CheckpointChoice,
        parameters: Parameters,
    ) -> Result<(PathBuf, Vec<u8>, &'static str), Error> {
        let prefix = match parameters {
            Parameters::Online => "online.",
            Parameters::Target => "target.",
        };
        let (file, weights) = checkpoint::read_network(&self.checkpoint_folder(choice)?)?;
        Ok((file, weights, prefix))
    }

    fn was_evaluated_while_training(&self) -> Result<bool, Error> {
        Ok(self.evaluations_so_far()?.iter().any(|line| !line.is_final))
    }

    /// As [`evaluations`](Self::evaluations); none where a run failed before there was such a file.
    pub(super) fn evaluations_so_far(&self) -> Result<Vec<EvaluationLine>, Error> {
        match self.evaluations() {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
            lines => lines,
        }
    }

    fn checkpoint_folder(&self, choice: CheckpointChoice) -> Result<PathBuf, Error> {
        let folder = self.path.join("checkpoints");
        let all = checkpoint::list(&folder)?;
        let found = match choice {
            CheckpointChoice::EnvSteps(env_steps) => all.contains(&env_steps).then_some(env_steps),
            _ => all.last().copied(),
        };
        match found {
            Some(env_steps) => Ok(folder.join(env_steps.to_string())),
            None if all.is_empty() => {
                let help = match self.path.join(BEST).exists() {
                    true => {
                        "the run was stopped before its first checkpoint: use --checkpoint best, or train again"
                    }
                    false => "the run was stopped before its first checkpoint: train again",
                };
                Err(Error::run(&self.path, "there is no complete checkpoint", help))
            }
            None => {
                let all: Vec<String> = all.iter().map(u64::to_string).collect();
                let help = format!("there are checkpoints after these env steps: {}", all.join(", "));
                Err(Error::run(&self.path, "there is no such checkpoint", help))
            }
        }
    }

    /// The newest checkpoint's state, every length and checksum verified.
    ///
    /// # Errors
    /// Where there is none, or its files are damaged.
    pub fn newest_state(&self, trainer: &Trainer) -> Result<crate::TrainerState, Error> {
        checkpoint::read(&self.checkpoint_folder(CheckpointChoice::Last)?, trainer.network().layout())
    }
}

/// Writes `run.json` into a run's folder.
pub(super) fn write_run_info(folder: &Path, info: &RunInfo) -> Result<(), Error> {
    let path = folder.join("run.json");
    let text = serde_json::to_vec_pretty(info).map_err(|error| Error::damaged(&path, error))?;
    write_atomically(&path, &text)
}

/// A name with all that has a meaning in paths replaced.
fn file_name(name: &str) -> String {
    let harmless = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name: String = name.chars().map(|letter| if harmless(letter) { letter } else { '_' }).collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// A time as `20261122T153000Z`, which may stand in a file's name.
fn stamp(time: OffsetDateTime) -> String {
    iso_8601(time).replace(['-', ':'], "")
}

/// A time as `2026-11-22T15:30:00Z`.
pub(super) fn iso_8601(time: OffsetDateTime) -> String {
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_of_another_process_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let held = RunDirectory::create(folder.path()).unwrap();
        let length = || fs::metadata(folder.path().join("run.lock")).unwrap().len();
        assert!(RunDirectory::hold(folder.path()).is_err());
        assert_eq!(length(), RESERVE.len() as u64);
        drop(held);
        assert_eq!(length(), 0);
    }
}
