//! From text to a configuration, with errors that show the place.

use deepq_envs::MakeError;

use super::Config;
use super::describe::{describe, in_words, unknown_name_in};

/// A configuration, or a name given on the command line, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// The file and line, the flag, or the key that is wrong.
    pub place: String,
    /// What was found, and what is wrong with it.
    pub message: String,
    /// All that is allowed, where that can be listed.
    pub allowed: Vec<String>,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl ConfigError {
    /// A value that cannot be used.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), allowed: vec![], nearest: None }
    }

    /// A name `found` that is none of `allowed`; `what` is the kind of thing it names.
    pub fn unknown_name<'a>(
        place: &str,
        what: &str,
        found: &str,
        allowed: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut error = Self::new(place, format!("there is no {what} '{found}'"));
        error.allowed = allowed.into_iter().map(str::to_owned).collect();
        error.nearest = nearest(found, &error.allowed);
        error
    }

    /// An environment that cannot be made; `place` is where its name stands.
    pub fn from_make(place: &str, error: &MakeError) -> Self {
        match error {
            MakeError::Unknown(error) => {
                let allowed = error.allowed.iter().map(String::as_str);
                let nearest = error.nearest.clone();
                Self { nearest, ..Self::unknown_name(place, "environment", &error.found, allowed) }
            }
            other => {
                let message = other.to_string();
                let wrong = ["unknown field", "invalid type: ", "invalid value: ", "missing field "];
                let told = wrong.iter().find_map(|start| message.find(start)).unwrap_or(message.len());
                let (before, told) = message.split_at(told);
                let (nearest, allowed) = match unknown_name_in(told) {
                    Some((found, allowed)) => (nearest(found, &allowed), allowed),
                    None => (None, vec![]),
                };
                Self { nearest, allowed, ..Self::new(place, format!("{before}{}", in_words(told))) }
            }
        }
    }

    pub(super) fn conflict(one: &str, other: &str) -> Self {
        Self::new(one, format!("cannot be given together with {other}"))
    }

    /// What to do about it, where something is known.
    pub fn help(&self) -> Option<String> {
        let allowed = match &self.allowed[..] {
            [] => None,
            names => Some(format!("there are: {}", names.join(", "))),
        };
        let nearest = self.nearest.as_ref().map(|name| format!("did you mean '{name}'?"));
        match (nearest, allowed) {
            (None, None) => None,
            (nearest, allowed) => {
                Some([nearest, allowed].into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// The most similar of `allowed`, if any is similar enough to have been meant.
pub(crate) fn nearest(found: &str, allowed: &[String]) -> Option<String> {
    let found = found.to_lowercase();
    let similarity = |name: &String| strsim::jaro_winkler(&found, &name.to_lowercase());
    let best = allowed.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(best) > 0.75).then(|| best.clone())
}

impl Config {
    /// Reads a configuration; `file` is its name for messages.
    ///
    /// # Errors
    /// [`ConfigError`] with the line, what was found, what is allowed and what is nearest.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| describe(&error, text, file))?;
        let config: Self = toml::from_str(text).map_err(|error| describe(&error, text, file))?;
        check_keys(&table, &config, file)?;
        config
            .validate()
            .map_err(|error| ConfigError { place: format!("{file}: {}", error.place), ..error })?;
        Ok(config)
    }
}

/// Refuses keys that serde passes over: those beside the name of a kind that has none, as in
/// `{ kind = "relu", size = 3 }`. Whatever was understood is there again when the configuration is written.
pub(super) fn check_keys(given: &toml::Table, config: &Config, place: &str) -> Result<(), ConfigError> {
    let understood = toml::Table::try_from(config).expect("a configuration is a table of plain values");
    match unread_key(given, &understood, "") {
        None => Ok(()),
        Some((path, key, allowed)) => {
            let place = format!("{place}: {}", path.trim_start_matches('.'));
            Err(ConfigError::unknown_name(&place, "key", key, allowed))
        }
    }
}

/// The first key of `given` that `understood` lacks: the path of its table, the key, and those that are there.
pub(super) fn unread_key<'a>(
    given: &'a toml::Table,
    understood: &'a toml::Table,
    path: &str,
) -> Option<(String, &'a str, Vec<&'a str>)> {
    use toml::Value::{Array, Boolean, Table};
    given.iter().find_map(|(key, value)| match (value, understood.get(key)) {
        // Where nothing is usual nothing is written.
        (Array(given), None) if given.is_empty() => None,
        (Table(given), None) if given.is_empty() => None,
        (Boolean(false), None) => None,
        (_, None) => Some((path.to_owned(), key.as_str(), understood.keys().map(String::as_str).collect())),
        (Table(given), Some(Table(understood))) => unread_key(given, understood, &format!("{path}.{key}")),
        (Array(given), Some(Array(understood))) => {
            given.iter().zip(understood).enumerate().find_map(|(index, pair)| match pair {
                (Table(given), Table(understood)) => {
                    unread_key(given, understood, &format!("{path}.{key}.{index}"))
                }
                _ => None,
            })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_name_their_line() {
        let text = Config::preset("CartPole-v1", "default").unwrap().to_toml();
        let line = 1 + text.lines().position(|line| line.starts_with("gamma")).unwrap();
        let error = Config::from_toml(&text.replace("gamma", "gama"), "config.toml").unwrap_err();
        assert_eq!(error.place, format!("config.toml:{line}"));
        assert_eq!(error.nearest.as_deref(), Some("gamma"));
    }

    #[test]
    fn unknown_presets_are_listed() {
        let error = Config::preset("CartPole-v1", "tutoral").unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("tutorial"));
        assert!(error.help().unwrap().contains("cleanrl-dqn"));
    }
}
