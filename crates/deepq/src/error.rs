//! What can go wrong, and what to do about it.

use std::path::{Path, PathBuf};

use deepq_core::EnvFailure;

/// Something went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be used; nothing was begun.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// An environment failed.
    #[error(transparent)]
    Env(#[from] EnvFailure),
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {message}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// The folder is no run directory, or lacks something that is asked of it.
    #[error("{}: {message}", path.display())]
    Run {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// What to do.
        help: String,
    },
    /// Learning diverged.
    #[error(
        "learning diverged: after {env_steps} env steps and {gradient_steps} gradient steps the network's numbers \
         are no longer finite"
    )]
    Diverged {
        /// Env steps taken.
        env_steps: u64,
        /// Steps of the optimiser taken.
        gradient_steps: u64,
    },
    /// One of several runs failed.
    #[error("{preset} with seed {seed}: {source}")]
    OneOfSeveral {
        /// The recipe of the run.
        preset: String,
        /// Its seed.
        seed: u64,
        /// The folders of the other runs that have finished.
        finished: Vec<PathBuf>,
        /// What went wrong.
        source: Box<Error>,
    },
    /// An observer of the run failed.
    #[error("{0}")]
    Observer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure to read or write.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// A file whose contents cannot be used.
    pub fn damaged(path: &Path, message: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), message: message.to_string() }
    }

    /// A folder that does not serve as the run directory asked for.
    pub fn run(path: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Run { path: path.to_owned(), message: message.into(), help: help.into() }
    }

    /// A word for programs to tell errors apart by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Env(_) => "env",
            Self::Io { .. } => "io",
            Self::Damaged { .. } => "damaged",
            Self::Run { .. } => "run",
            Self::Diverged { .. } => "diverged",
            Self::OneOfSeveral { source, .. } => source.kind(),
            Self::Observer(_) => "observer",
        }
    }

    /// What to do about it, where something is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.help(),
            Self::Run { help, .. } => Some(help.clone()),
            Self::OneOfSeveral { source, .. } => source.help(),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("choose a folder that you may write to with --out".into())
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space, or choose a folder on another disk with --out".into())
            }
            Self::Damaged { path, .. } => {
                let folder = |above: usize| path.ancestors().nth(above).and_then(Path::file_name);
                let is_of_a_policy = folder(1).is_some_and(|name| name == "best")
                    || folder(2).is_some_and(|name| name == "checkpoints");
                Some(match is_of_a_policy {
                    true => "use another checkpoint, or train again".into(),
                    false => "put the file back from a copy, or train again".into(),
                })
            }
            Self::Diverged { .. } => {
                Some("lower learning.learning_rate, or limit learning.max_gradient_norm".into())
            }
            _ => None,
        }
    }
}
