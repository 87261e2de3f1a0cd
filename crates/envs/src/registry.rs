//! Environments by their ids.

use std::sync::Arc;

use deepq_core::{Env, EnvError};
use serde::de::DeserializeOwned;

use crate::task::{Task, TaskEnv};
use crate::{box2d, classic_control, minatar, toy_text};

/// An environment of this crate.
pub(crate) struct Builtin {
    pub(crate) id: &'static str,
    pub(crate) description: &'static str,
    pub(crate) make: fn(EnvOptions) -> Result<Box<dyn Env>, EnvError>,
}

/// The environments of this crate, family by family.
const FAMILIES: [&[Builtin]; 4] =
    [classic_control::BUILTIN, toy_text::BUILTIN, box2d::BUILTIN, minatar::BUILTIN];

/// What an environment is made with beside its id: Gymnasium's keyword arguments, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvOptions(toml::Table);

impl EnvOptions {
    /// The options as an environment's own type, whose fields are the names there are.
    ///
    /// # Errors
    /// Where a name or a value is none that this environment takes; the error tells those it does.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, EnvError> {
        let message = |error: toml::de::Error| format!("in its options: {}", error.message());
        self.0.try_into().map_err(|error| EnvError::new(message(error)))
    }

    /// For environments without options.
    ///
    /// # Errors
    /// Where there are some.
    pub fn none(self) -> Result<(), EnvError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(EnvError::new(format!("it has no options, found '{name}'"))),
        }
    }
}

impl From<toml::Table> for EnvOptions {
    fn from(table: toml::Table) -> Self {
        Self(table)
    }
}

/// An environment could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// There is none of that id.
    #[error(transparent)]
    Unknown(#[from] UnknownEnv),
    /// It cannot be made with these options.
    #[error("{id}: {source}")]
    Options {
        /// The environment's id.
        id: String,
        /// Its own words.
        source: EnvError,
    },
}

/// There is no environment of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown environment '{found}'{} There are: {}", suggestion(.nearest), .allowed.join(", "))]
pub struct UnknownEnv {
    /// The id asked for.
    pub found: String,
    /// All ids there are, in the order of registration.
    pub allowed: Vec<String>,
    /// The id most likely meant, where one is similar.
    pub nearest: Option<String>,
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(".".to_owned(), |id| format!(": did you mean '{id}'?"))
}

/// An environment of that name is registered already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment '{id}' is registered already: give yours another id, '{id}-mine' say")]
pub struct AlreadyRegistered {
    /// The id in question.
    pub id: String,
}

type Constructor = Arc<dyn Fn(EnvOptions) -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

#[derive(Clone)]
struct Entry {
    id: String,
    description: String,
    constructor: Constructor,
}

/// Environments by id: those of this crate, and one's own.
///
/// A registry is a value, not a global: whoever trains by id is given one.
///
/// ```
/// use deepq_envs::{CartPole, Registry, TimeLimit};
/// use std::num::NonZeroU32;
///
/// let mut registry = Registry::builtin();
/// let limit = NonZeroU32::new(50).unwrap();
/// registry.register("ShortCartPole", "CartPole of a second", move || {
///     TimeLimit::new(CartPole::new(), limit)
/// })?;
/// assert_eq!(registry.make("ShortCartPole")?.spec().max_episode_steps, Some(50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// A registry without an environment.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The environments of this crate.
    pub fn builtin() -> Self {
        let entry = |builtin: &Builtin| Entry {
            id: builtin.id.to_owned(),
            description: builtin.description.to_owned(),
            constructor: Arc::new(builtin.make),
        };
        Self { entries: FAMILIES.into_iter().flatten().map(entry).collect() }
    }

    /// Adds an environment without options: its `id`, one line of `description`, and how to make one.
    ///
    /// # Errors
    /// Where an environment of that id is there already.
    pub fn register<E: Env + 'static>(
        &mut self,
        id: impl Into<String>,
        description: impl Into<String>,
        constructor: impl Fn() -> E + Send + Sync + 'static,
    ) -> Result<(), AlreadyRegistered> {
        self.register_with_options(id, description, move |options| options.none().map(|()| constructor()))
    }

    /// As [`register`](Self::register), for an environment that takes [options](EnvOptions).
    ///
    /// # Errors
    /// Where an environment of that id is there already.
    pub fn register_with_options<E: Env + 'static>(
        &mut self,
        id: impl Into<String>,
        description: impl Into<String>,
        constructor: impl Fn(EnvOptions) -> Result<E, EnvError> + Send + Sync + 'static,
    ) -> Result<(), AlreadyRegistered> {
        let id = id.into();
        if self.entries.iter().any(|entry| entry.id == id) {
            return Err(AlreadyRegistered { id });
        }
        let constructor: Constructor =
            Arc::new(move |options| constructor(options).map(|env| Box::new(env) as Box<dyn Env>));
        self.entries.push(Entry { id, description: description.into(), constructor });
        Ok(())
    }

    /// Adds an environment that is a [`Task`], under the id of its spec, with one line of `description`.
    ///
    /// # Errors
    /// Where an environment of that id is there already.
    pub fn register_task<T: Task>(
        &mut self,
        description: impl Into<String>,
    ) -> Result<(), AlreadyRegistered> {
        self.register(T::spec().id, description, TaskEnv::<T>::new)
    }

    /// All ids with their descriptions, in the order of registration.
    pub fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.id.as_str(), entry.description.as_str()))
    }

    /// A new environment with its own settings.
    ///
    /// # Errors
    /// Where there is no environment of that id; the error knows the nearest one.
    pub fn make(&self, id: &str) -> Result<Box<dyn Env>, MakeError> {
        self.make_with(id, EnvOptions::default())
    }

    /// A new environment with some settings of one's own.
    ///
    /// ```
    /// use deepq_envs::Registry;
    ///
    /// let options = toml::toml! { gravity = -1.62 };
    /// let error = Registry::builtin().make_with("CartPole-v1", options.into()).err().unwrap();
    /// assert_eq!(error.to_string(), "CartPole-v1: it has no options, found 'gravity'");
    /// ```
    ///
    /// # Errors
    /// Where there is no environment of that id, or none with such options.
    pub fn make_with(&self, id: &str, options: EnvOptions) -> Result<Box<dyn Env>, MakeError> {
        match self.entries.iter().find(|entry| entry.id == id) {
            Some(entry) => (entry.constructor)(options)
                .map_err(|source| MakeError::Options { id: id.to_owned(), source }),
            None => Err(self.unknown(id).into()),
        }
    }

    fn unknown(&self, found: &str) -> UnknownEnv {
        let allowed: Vec<String> = self.entries.iter().map(|entry| entry.id.clone()).collect();
        let nearest = nearest(found, &allowed).map(str::to_owned);
        UnknownEnv { found: found.to_owned(), allowed, nearest }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.ids()).finish()
    }
}

/// A new environment of this crate, with its own settings.
///
/// # Errors
/// Where there is no environment of that id; the error knows the nearest one.
pub fn make(id: &str) -> Result<Box<dyn Env>, MakeError> {
    Registry::builtin().make(id)
}

/// The ids of the environments of this crate, each with one line that describes it.
pub fn ids() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.into_iter().flatten().map(|builtin| (builtin.id, builtin.description))
}

/// The id that `found` most likely means; of equally near ones the one of the highest version.
fn nearest<'a>(found: &str, ids: &'a [String]) -> Option<&'a str> {
    let limit = plain(found).len() / 3;
    ids.iter()
        .map(|id| (distance(found, id), id))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, id)| (*distance, std::cmp::Reverse(version(id))))
        .map(|(_, id)| id.as_str())
}

/// How many letters have to change to turn `found` into `id`; a version or namespace left out costs nothing.
fn distance(found: &str, id: &str) -> usize {
    let short = if found.contains('/') { id } else { id.rsplit('/').next().unwrap_or(id) };
    let short = if version(found).is_some() { short } else { stem(short) };
    strsim::osa_distance(&plain(found), &plain(short))
}

fn plain(id: &str) -> String {
    id.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The number behind a last `-v`.
fn version(id: &str) -> Option<u32> {
    let digits = id.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let (before, number) = id.split_at(digits);
    before.ends_with(['v', 'V']).then(|| number.parse().ok()).flatten()
}

/// The id without its version.
fn stem(id: &str) -> &str {
    match version(id) {
        Some(_) => {
            id.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches(['v', 'V', '-'])
        }
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CartPole;

    #[test]
    fn every_id_makes_an_environment_of_that_id() {
        for (id, description) in ids() {
            assert_eq!(make(id).unwrap().spec().id, id);
            assert_eq!(Registry::builtin().make(id).unwrap().spec().id, id);
            assert!(!description.is_empty());
        }
        assert_eq!(Registry::builtin().ids().count(), ids().count());
    }

    #[test]
    fn the_nearest_spelling_is_found() {
        let nearest = |found| match make(found).err() {
            Some(MakeError::Unknown(error)) => error.nearest,
            other => panic!("{other:?}"),
        };
        for found in
            ["cartpole", "CartPole", "cart-pole", "Cart Pole", "CARTPOLE-V1", "cartpolev1", "CartPole-v2"]
        {
            assert_eq!(nearest(found).as_deref(), Some("CartPole-v1"), "{found}");
        }
        for found in ["cartpole-v0", "CrtPole-v0", "CratPole-v0"] {
            assert_eq!(nearest(found).as_deref(), Some("CartPole-v0"), "{found}");
        }
        for found in ["", "Pong-v5", "v1", "-"] {
            assert_eq!(nearest(found), None, "{found}");
        }
    }

    #[test]
    fn a_namespace_may_be_left_out() {
        let ids = ["MinAtar/Breakout-v0", "MinAtar/Breakout-v1", "Pole"].map(str::to_owned);
        assert_eq!(nearest("breakout", &ids), Some("MinAtar/Breakout-v1"));
        assert_eq!(nearest("minatar/Brekout-v0", &ids), Some("MinAtar/Breakout-v0"));
    }

    #[test]
    fn the_error_says_what_was_found_and_what_is_allowed() {
        let error = make("cartpole").err().unwrap().to_string();
        let start =
            "unknown environment 'cartpole': did you mean 'CartPole-v1'? There are: CartPole-v0, CartPole-v1";
        assert!(error.starts_with(start), "{error}");
        let error = make("Pong").err().unwrap().to_string();
        assert!(error.starts_with("unknown environment 'Pong'. There are: CartPole-v0, "), "{error}");
    }

    #[test]
    fn an_id_is_registered_once() {
        let mut registry = Registry::builtin();
        registry.register("Mine", "my own", CartPole::new).unwrap();
        let error = registry.register("Mine", "again", CartPole::new).unwrap_err();
        assert_eq!(error.id, "Mine");
        assert!(registry.register("CartPole-v1", "another", CartPole::new).is_err());
        assert_eq!(registry.ids().last(), Some(("Mine", "my own")));
        assert!(make("Mine").is_err());
    }
}
