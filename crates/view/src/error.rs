//! What can go wrong on the way to a picture.

use crate::mp4::Mp4Error;
use crate::player::ScreenError;

/// A run could not be shown, recorded or reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The run itself.
    #[error(transparent)]
    Run(#[from] deepq::Error),
    /// A video.
    #[error(transparent)]
    Mp4(#[from] Mp4Error),
    /// A screen.
    #[error(transparent)]
    Screen(#[from] ScreenError),
    /// The environment draws nothing.
    #[error("{env} draws no picture, so there is nothing to show")]
    NoPicture {
        /// The environment's id.
        env: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: `write` …
        action: &'static str,
        /// On which file.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl From<deepq::config::ConfigError> for ViewError {
    fn from(error: deepq::config::ConfigError) -> Self {
        Self::Run(error.into())
    }
}
