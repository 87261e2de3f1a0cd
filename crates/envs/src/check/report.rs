//! What a check found.

use std::fmt::{Display, Formatter, Result};

use super::kinds::{FindingKind, Severity};

/// A call to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Making it.
    Make,
    /// [`Env::reset`](deepq_core::Env::reset).
    Reset,
    /// [`Env::step`](deepq_core::Env::step).
    Step,
    /// [`Env::action_mask`](deepq_core::Env::action_mask).
    ActionMask,
    /// [`Env::render`](deepq_core::Env::render).
    Render,
    /// [`Env::save_state`](deepq_core::Env::save_state).
    SaveState,
    /// [`Env::load_state`](deepq_core::Env::load_state).
    LoadState,
    /// Dropping it.
    Drop,
}

/// Where in the life of an environment something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which call.
    pub call: Call,
    /// The latest seed that a reset was given; `None` before.
    pub seed: Option<u64>,
    /// Steps of the episode, the one in question included.
    pub episode_steps: u32,
    /// The latest action; `None` where the episode has had none.
    pub action: Option<usize>,
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let name = match self.call {
            Call::Make => return formatter.write_str("when it was made"),
            Call::Reset => "reset",
            Call::Step => "step",
            Call::ActionMask => "action_mask",
            Call::Render => "render",
            Call::SaveState => "save_state",
            Call::LoadState => "load_state",
            Call::Drop => "drop",
        };
        write!(formatter, "in {name}")?;
        match self.seed {
            Some(seed) => write!(formatter, ", seed {seed}")?,
            None => write!(formatter, ", without a seed")?,
        }
        write!(formatter, ", step {}", self.episode_steps)?;
        self.action.map_or(Ok(()), |action| write!(formatter, ", action {action}"))
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Of which kind it is; the kind knows severity, why it matters, and how it is mended.
    pub kind: FindingKind,
    /// What was found.
    pub found: String,
    /// Where it was first found; `None` for what concerns the whole.
    pub place: Option<Place>,
    /// How many times a fault of this kind was met.
    pub times: u32,
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        writeln!(formatter, "{}: {}", self.severity(), self.kind.name())?;
        write!(formatter, "  found: {}", self.found)?;
        if let Some(place) = &self.place {
            write!(formatter, " ({place})")?;
        }
        if self.times > 1 {
            write!(formatter, "; {} times in all", self.times)?;
        }
        writeln!(formatter, "\n  why:   {}", self.kind.why())?;
        writeln!(formatter, "  mend:  {}", self.kind.mend())
    }
}

/// What [`check_env`](super::check_env) found, to be printed or asked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReport {
    /// The environment's id; empty where it could not be made.
    pub id: String,
    /// The faults, errors first, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// Steps that were taken.
    pub env_steps: u64,
    /// Episodes that were begun.
    pub episodes: u64,
}

impl CheckReport {
    /// True where there is no error; there may be warnings.
    pub fn is_ok(&self) -> bool {
        self.errors().next().is_none()
    }

    /// The faults that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error)
    }

    /// The faults that are warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Warning)
    }

    /// The fault of that kind, where one was found.
    pub fn find(&self, kind: FindingKind) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.kind == kind)
    }
}

impl Display for CheckReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let count = |count: usize, noun: &str| match count {
            0 => format!("no {noun}s"),
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        writeln!(
            formatter,
            "{}: {}, {} ({} steps, {} episodes)",
            if self.id.is_empty() { "the environment" } else { &self.id },
            count(self.errors().count(), "error"),
            count(self.warnings().count(), "warning"),
            self.env_steps,
            self.episodes
        )?;
        self.findings.iter().try_for_each(|finding| write!(formatter, "\n{finding}"))
    }
}
