//! Checkpoints: folders that are there whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use deepq_core::network::ParameterLayout;
use serde::{Deserialize, Serialize};

use super::files::{create_folder, write_synced};
use super::weights::{parse_weights, weights_file};
use crate::{Error, Trainer, TrainerState};

const NETWORK: &str = "network.safetensors";
const OPTIMIZER: &str = "optimizer.state";
const REPLAY: &str = "replay.state";
const TRAINER: &str = "trainer.state";
const PARTS: [&str; 4] = [NETWORK, OPTIMIZER, REPLAY, TRAINER];
const MANIFEST: &str = "state.json";
const FORMAT: u32 = 1;

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointChoice {
    /// The policy that the run ended with, as its configuration says.
    Final,
    /// The best policy of an evaluation.
    Best,
    /// The newest checkpoint.
    Last,
    /// The checkpoint after so many env steps.
    EnvSteps(u64),
}

impl std::str::FromStr for CheckpointChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "final" => Ok(Self::Final),
            "best" => Ok(Self::Best),
            "last" => Ok(Self::Last),
            number => number.replace('_', "").parse().map(Self::EnvSteps).map_err(|_| {
                format!("'{text}' is no checkpoint: allowed are final, best, last, or a number of env steps")
            }),
        }
    }
}

impl std::fmt::Display for CheckpointChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Final => f.write_str("final"),
            Self::Best => f.write_str("best"),
            Self::Last => f.write_str("last"),
            Self::EnvSteps(env_steps) => write!(f, "{env_steps}"),
        }
    }
}

/// What is in a checkpoint, so that a reader can tell whether all of it is there.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    deepq: String,
    env_steps: u64,
    gradient_steps: u64,
    episodes: u64,
    files: Vec<ManifestFile>,
}

#[derive(Serialize, Deserialize)]
struct ManifestFile {
    name: String,
    bytes: u64,
    crc32c: u32,
}

/// Writes a checkpoint into `checkpoints/<env_steps>`, and removes all but the newest `keep`.
///
/// At no time is there no checkpoint where there was one: a whole one of the same step holds the same bytes and
/// stays, and a damaged one goes when the new one has its name.
pub(super) fn write(checkpoints: &Path, trainer: &Trainer, keep: usize) -> Result<PathBuf, Error> {
    remove_left_behind(checkpoints);
    let folder = checkpoints.join(trainer.progress().env_steps.to_string());
    if !is_whole(&folder, trainer) {
        replace(checkpoints, &folder, trainer)?;
    }
    let mut all = list(checkpoints)?;
    all.truncate(all.len().saturating_sub(keep));
    for old in all {
        // One that cannot be removed takes up room and does no other harm.
        let _ = fs::remove_dir_all(checkpoints.join(old.to_string()));
    }
    Ok(folder)
}

/// Removes what runs that were killed while they wrote a checkpoint left behind.
fn remove_left_behind(checkpoints: &Path) {
    let Ok(entries) = fs::read_dir(checkpoints) else { return };
    for entry in entries.filter_map(|entry| entry.ok()) {
        let name = entry.file_name();
        let env_steps = name.to_str().and_then(|name| name.strip_prefix('.')).and_then(|name| {
            let name = name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".old"))?;
            name.parse::<u64>().ok()
        });
        if env_steps.is_some() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// True where the folder holds the checkpoint of the trainer's step, every length and checksum verified.
fn is_whole(folder: &Path, trainer: &Trainer) -> bool {
    let progress = trainer.progress();
    Manifest::read(folder).is_ok_and(|manifest| {
        (manifest.gradient_steps, manifest.episodes) == (progress.gradient_steps, progress.episodes)
            && PARTS.iter().all(|name| manifest.verified(folder, name).is_ok())
    })
}

/// Writes a checkpoint under another name, which it then gives up for its own.
fn replace(checkpoints: &Path, folder: &Path, trainer: &Trainer) -> Result<(), Error> {
    let env_steps = trainer.progress().env_steps;
    let temporary = checkpoints.join(format!(".{env_steps}.tmp"));
    let aside = checkpoints.join(format!(".{env_steps}.old"));
    let outcome = write_parts(&temporary, trainer).and_then(|()| {
        let moved = fs::rename(folder, &aside).is_ok();
        fs::rename(&temporary, folder).map_err(|error| {
            if moved {
                let _ = fs::rename(&aside, folder);
            }
            Error::io("cannot write", folder, error)
        })
    });
    if outcome.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    outcome?;
    sync_folder(checkpoints);
    let _ = fs::remove_dir_all(&aside);
    Ok(())
}

/// Waits until the disk has the names in a folder, where the system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn write_parts(folder: &Path, trainer: &Trainer) -> Result<(), Error> {
    let _ = fs::remove_dir_all(folder);
    create_folder(folder)?;
    let (state, progress) = (trainer.state(), trainer.progress());
    let sets: [(&str, &[f32]); 2] = [("online.", &state.online), ("target.", &state.target)];
    let network = weights_file(
        &folder.join(NETWORK),
        trainer.network().layout(),
        &sets,
        trainer.observation_statistics().as_ref(),
    )?;
    let mut manifest = Manifest {
        format: FORMAT,
        deepq: env!("CARGO_PKG_VERSION").into(),
        env_steps: progress.env_steps,
        gradient_steps: progress.gradient_steps,
        episodes: progress.episodes,
        files: vec![],
    };
    let contents: [&[u8]; 4] = [&network, &state.optimizer, &state.replay, &state.trainer];
    for (name, bytes) in PARTS.into_iter().zip(contents) {
        let path = folder.join(name);
        write_synced(&path, bytes).map_err(|error| Error::io("cannot write", &path, error))?;
        manifest.files.push(ManifestFile {
            name: name.into(),
            bytes: bytes.len() as u64,
            crc32c: crc32c::crc32c(bytes),
        });
    }
    let path = folder.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| Error::damaged(&path, error))?;
    write_synced(&path, &text).map_err(|error| Error::io("cannot write", &path, error))?;
    sync_folder(folder);
    Ok(())
}

/// The env steps of all complete checkpoints, in ascending order.
pub(super) fn list(checkpoints: &Path) -> Result<Vec<u64>, Error> {
    let entries = match fs::read_dir(checkpoints) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(Error::io("cannot read", checkpoints, error)),
    };
    let mut all: Vec<u64> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join(MANIFEST).is_file())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    all.sort_unstable();
    Ok(all)
}

/// Reads a whole checkpoint, every length and checksum verified.
pub(super) fn read(folder: &Path, layout: &ParameterLayout) -> Result<TrainerState, Error> {
    let manifest = Manifest::read(folder)?;
    let network = manifest.verified(folder, NETWORK)?;
    let parameters = |prefix| parse_weights(&folder.join(NETWORK), &network, layout, prefix);
    Ok(TrainerState {
        online: parameters("online.")?,
        target: parameters("target.")?,
        optimizer: manifest.verified(folder, OPTIMIZER)?,
        replay: manifest.verified(folder, REPLAY)?,
        trainer: manifest.verified(folder, TRAINER)?,
    })
}

/// The file with the networks of a checkpoint and its contents, length and checksum verified.
pub(super) fn read_network(folder: &Path) -> Result<(PathBuf, Vec<u8>), Error> {
    Ok((folder.join(NETWORK), Manifest::read(folder)?.verified(folder, NETWORK)?))
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|error| Error::io("cannot read", &path, error))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| Error::damaged(&path, error))?;
        if manifest.format != FORMAT {
            let message = format!("it has format {}, this program reads format {FORMAT}", manifest.format);
            return Err(Error::damaged(&path, message));
        }
        if folder.file_name().is_some_and(|name| *name != *manifest.env_steps.to_string()) {
            let message = format!("its folder is not named after its {} env steps", manifest.env_steps);
            return Err(Error::damaged(&path, message));
        }
        Ok(manifest)
    }

    /// The contents of a file. Only ever the program's own names are opened, whatever the manifest lists, and
    /// nothing is read that has not got the length it lists.
    fn verified(&self, folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
        let Some(expected) = self.files.iter().find(|file| file.name == name) else {
            return Err(Error::damaged(&folder.join(MANIFEST), format!("it does not list {name}")));
        };
        let path = folder.join(name);
        let io = |error| Error::io("cannot read", &path, error);
        let length = fs::metadata(&path).map_err(io)?.len();
        if length != expected.bytes {
            let message = format!("expected {} bytes, found {length}", expected.bytes);
            return Err(Error::damaged(&path, message));
        }
        let bytes = fs::read(&path).map_err(io)?;
        let checksum = crc32c::crc32c(&bytes);
        if checksum != expected.crc32c {
            let message = format!("expected the checksum {:08x}, found {checksum:08x}", expected.crc32c);
            return Err(Error::damaged(&path, message));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn trainer() -> Trainer {
        let set = ["network.hidden=[3]", "replay.capacity=24", "learning.batch_size=8"].map(str::to_owned);
        let config = Config::resolve("CartPole-v1", Some("default-fixed"), None, &set).unwrap().0;
        Trainer::new(&config, 1).unwrap()
    }

    #[test]
    fn a_whole_checkpoint_stays_and_a_damaged_one_is_replaced() {
        let (folder, trainer) = (tempfile::tempdir().unwrap(), trainer());
        let path = write(folder.path(), &trainer, 1).unwrap();
        let state = read(&path, trainer.network().layout()).unwrap();
        let mark = path.join("mark");
        fs::write(&mark, "").unwrap();
        assert_eq!(write(folder.path(), &trainer, 1).unwrap(), path);
        assert!(mark.exists(), "the folder was written again");
        for name in PARTS.into_iter().chain([MANIFEST]) {
            fs::write(&mark, "").unwrap();
            fs::write(path.join(name), "x").unwrap();
            write(folder.path(), &trainer, 1).unwrap();
            assert!(!mark.exists(), "the folder with a damaged {name} stayed");
            assert!(read(&path, trainer.network().layout()).unwrap() == state);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_killed_runs_left_behind_is_removed_and_nothing_else() {
        let (folder, trainer) = (tempfile::tempdir().unwrap(), trainer());
        for name in [".7.tmp", ".0.tmp", ".9.old", ".mine.tmp", "notes.tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(NETWORK), "half").unwrap();
        }
        write(folder.path(), &trainer, 1).unwrap();
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".mine.tmp", "0", "notes.tmp"]);
    }
}
