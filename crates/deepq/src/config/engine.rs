//! How a run is computed. Nothing here changes what comes out of it.

use std::num::NonZeroUsize;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;

/// How a run is computed. It changes how long that takes and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How many threads share a pass of the network that is large enough to be worth it.
    pub threads: Threads,
}

/// How many threads share a large pass: `"auto"` or a number in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// One for every two cores that the process has, up to [`MOST_AUTOMATIC`](Self::MOST_AUTOMATIC); 1 where several runs go
    /// on side by side.
    #[default]
    Auto,
    /// So many.
    Count(usize),
}

impl Threads {
    /// More threads than this are only taken where somebody asks for them: the passes of these networks are too
    /// short to be cut into many pieces.
    pub const MOST_AUTOMATIC: usize = 8;
    /// More threads than this are refused.
    pub const MOST: usize = 256;

    /// How many threads that are on this machine, for a run that goes on by itself, or beside others.
    pub fn count(self, beside_others: bool) -> usize {
        match (self, beside_others) {
            (Self::Count(count), _) => count,
            (Self::Auto, true) => 1,
            (Self::Auto, false) => {
                // Threads wait for each other many times in a pass. Where another program takes a core from one of
                // them, all of them stand still for as long, and a pass takes many times what it takes alone.
                let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
                (cores / 2).clamp(1, Self::MOST_AUTOMATIC)
            }
        }
    }

    pub(super) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::Count(count) if !(1..=Self::MOST).contains(&count) => {
                let message = format!("found {count}, allowed is \"auto\" or 1 to {}", Self::MOST);
                Err(ConfigError::new("engine.threads", message))
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for Threads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Count(count) => serializer.serialize_u64(count as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Threads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ThreadsVisitor)
    }
}

struct ThreadsVisitor;

impl Visitor<'_> for ThreadsVisitor {
    type Value = Threads;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"auto\" or a whole number from 1 to {}", Threads::MOST)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Threads, E> {
        match text {
            "auto" => Ok(Threads::Auto),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Threads, E> {
        let invalid = |_| E::invalid_value(Unexpected::Signed(count), &self);
        usize::try_from(count).map(Threads::Count).map_err(invalid)
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Threads, E> {
        let invalid = |_| E::invalid_value(Unexpected::Unsigned(count), &self);
        usize::try_from(count).map(Threads::Count).map_err(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn threads_are_auto_or_a_number() {
        let threads = |set: &str| {
            Config::resolve("CartPole-v1", None, None, &[set.to_owned()]).map(|(config, _)| config)
        };
        let (default, _) = Config::resolve("CartPole-v1", None, None, &[]).unwrap();
        assert_eq!(default.engine.threads, Threads::Auto);
        assert!(default.to_toml().contains("[engine]\nthreads = \"auto\"\n"), "{}", default.to_toml());
        assert_eq!(threads("engine.threads=auto").unwrap(), default);
        let three = threads("engine.threads=3").unwrap();
        assert_eq!(three.engine.threads, Threads::Count(3));
        assert!(three.to_toml().contains("[engine]\nthreads = 3\n"), "{}", three.to_toml());
        assert_eq!(Config::from_toml(&three.to_toml(), "config.toml").unwrap(), three);
        for (set, words) in [
            ("engine.threads=0", "found 0, allowed is \"auto\" or 1 to 256"),
            ("engine.threads=257", "found 257, allowed is \"auto\" or 1 to 256"),
            ("engine.threads=-1", "found -1, allowed is \"auto\" or a whole number from 1 to 256"),
            ("engine.threads=atuo", "found \"atuo\", allowed is \"auto\""),
            ("engine.threads=1.5", "found 1.5, allowed is \"auto\""),
            ("engine.thread=2", "there is no key 'thread' here"),
        ] {
            let error = threads(set).unwrap_err().to_string();
            assert!(error.contains(words), "{set}: {error}");
        }
    }

    #[test]
    fn files_without_an_engine_are_auto() {
        let text = Config::preset("CartPole-v1", "default").unwrap().to_toml();
        let without = text.replace("[engine]\nthreads = \"auto\"\n", "");
        assert_ne!(text, without);
        assert_eq!(Config::from_toml(&without, "config.toml").unwrap().engine.threads, Threads::Auto);
    }

    #[test]
    fn runs_beside_others_have_one_thread_unless_somebody_says_so() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(Threads::Auto.count(false), (cores / 2).clamp(1, 8));
        assert_eq!(Threads::Auto.count(true), 1);
        assert_eq!([true, false].map(|beside_others| Threads::Count(3).count(beside_others)), [3, 3]);
    }
}
