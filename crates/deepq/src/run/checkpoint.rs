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
pub(super) fn write(checkpoints: &Path, trainer: &Trainer, keep: usize) -> Result<PathBuf, Error> {
    let progress = trainer.progress();
    let folder = checkpoints.join(progress.env_steps.to_string());
    let temporary = checkpoints.join(format!(".{}.tmp", progress.env_steps));
    let outcome = write_parts(&temporary, trainer).and_then(|()| {
        // A checkpoint of the same step holds the same bytes; the new one takes its place.
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&temporary, &folder).map_err(|error| Error::io("cannot write", &folder, error))
    });
    if outcome.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    outcome?;
    sync_folder(checkpoints);
    let mut all = list(checkpoints)?;
    all.truncate(all.len().saturating_sub(keep));
    for old in all {
        // One that cannot be removed takes up room and does no other harm.
        let _ = fs::remove_dir_all(checkpoints.join(old.to_string()));
    }
    Ok(folder)
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
    let network = weights_file(&folder.join(NETWORK), trainer.network().layout(), &sets)?;
    let mut manifest = Manifest {
        format: FORMAT,
        deepq: env!("CARGO_PKG_VERSION").into(),
        env_steps: progress.env_steps,
        gradient_steps: progress.gradient_steps,
        episodes: progress.episodes,
        files: vec![],
    };
    let parts: [(&str, &[u8]); 4] = [
        (NETWORK, &network),
        (OPTIMIZER, &state.optimizer),
        (REPLAY, &state.replay),
        (TRAINER, &state.trainer),
    ];
    for (name, bytes) in parts {
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
    write_synced(&path, &text).map_err(|error| Error::io("cannot write", &path, error))
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

/// Reads the parameters of one network of a checkpoint.
pub(super) fn read_policy(folder: &Path, layout: &ParameterLayout, prefix: &str) -> Result<Vec<f32>, Error> {
    let network = Manifest::read(folder)?.verified(folder, NETWORK)?;
    parse_weights(&folder.join(NETWORK), &network, layout, prefix)
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
