//! What the program says when it fails, and with which exit code.

use deepq_view::ViewError;

/// A failure, ready to be told.
#[derive(Debug)]
pub(crate) struct Failure {
    /// A word for programs to tell failures apart by.
    pub(crate) kind: &'static str,
    /// What went wrong: where, what was found, what is allowed.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// 1 where something failed while running, 2 where the usage or the configuration is wrong.
    pub(crate) code: u8,
}

impl From<deepq::Error> for Failure {
    fn from(error: deepq::Error) -> Self {
        let code = match &error {
            deepq::Error::Config(_) | deepq::Error::Run { .. } => 2,
            deepq::Error::Io { action, .. } if action.starts_with("cannot create the folder") => 2,
            _ => 1,
        };
        Self { kind: error.kind(), message: error.to_string(), help: error.help(), code }
    }
}

impl From<deepq::config::ConfigError> for Failure {
    fn from(error: deepq::config::ConfigError) -> Self {
        deepq::Error::from(error).into()
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Run(error) => error.into(),
            other => {
                let kind = match &other {
                    ViewError::Mp4(_) => "video",
                    ViewError::Screen(_) => "screen",
                    ViewError::NoPicture { .. } => "no-picture",
                    _ => "io",
                };
                Self { kind, message: other.to_string(), help: None, code: 1 }
            }
        }
    }
}
