//! What the program says when it fails, and with which exit code.

use deepq_view::ViewError;

use crate::output::compare_command;

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

impl Failure {
    /// A failure before anything was begun: what was asked for cannot be had here.
    pub(crate) fn before_the_start(error: ViewError) -> Self {
        Self { code: 2, ..error.into() }
    }
}

impl From<deepq::Error> for Failure {
    fn from(error: deepq::Error) -> Self {
        use deepq::Error::{Config, Damaged, Io, OneOfSeveral, Run};
        let cause = match &error {
            OneOfSeveral { source, .. } => source,
            other => other,
        };
        let code = match cause {
            Config(_) | Run { .. } | Damaged { .. } => 2,
            // What is read is what the user names; what is written is the work under way.
            Io { action, .. } if action.starts_with("cannot read") => 2,
            _ => 1,
        };
        let mut help = error.help();
        if let OneOfSeveral { finished, .. } = &error
            && !finished.is_empty()
        {
            let (count, command) = (finished.len(), compare_command(finished));
            let compare = format!("{count} of the other runs finished; to compare them: {command}");
            help = Some(help.map_or(compare.clone(), |help| format!("{help}\n{compare}")));
        }
        Self { kind: error.kind(), message: error.to_string(), help, code }
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
                let help = match &other {
                    ViewError::Screen(_) | ViewError::NoPicture { .. } => {
                        Some("`deepq record` films a run without a screen, and `deepq train` needs none without --render".into())
                    }
                    _ => None,
                };
                Self { kind, message: other.to_string(), help, code: 1 }
            }
        }
    }
}
