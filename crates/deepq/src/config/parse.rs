//! From text to a configuration, with errors that show the place.

use deepq_envs::MakeError;

use super::{Config, LAYERS, Preset};

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
                let unknown = message.find("unknown field").and_then(|at| unknown_name_in(&message[at..]));
                let nearest = unknown.and_then(|(found, allowed)| nearest(found, &allowed));
                Self { nearest, ..Self::new(place, message) }
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

    /// A preset for the environment `env` with settings changed; each of `set` is `path.to.key=value`.
    pub(super) fn from_preset(preset: Preset, env: &str, set: &[String]) -> Result<Self, ConfigError> {
        let file = preset.file();
        let mut table = preset.table(env).map_err(|error| describe(&error, preset.toml, &file))?;
        if preset.env != Some(preset.folder) {
            assign(&mut table, "env.id", toml::Value::String(env.to_owned()), "--env")?;
        }
        let text = toml::to_string(&table).expect("a table of plain values");
        let mut config = Self::from_toml(&text, &file)?;
        // With every default written out, a key can be set whose table the file leaves out.
        let mut table = toml::Table::try_from(&config).expect("a configuration is a table of plain values");
        for setting in set {
            let flag = format!("--set {setting}");
            let Some((path, value)) = setting.split_once('=') else {
                return Err(ConfigError::new(
                    flag,
                    "has no '='; it is written KEY=VALUE, as in learning.gamma=0.9",
                ));
            };
            assign(&mut table, path.trim(), parse_value(value.trim()), &flag)?;
            config = table.clone().try_into().map_err(|error| describe(&error, "", &flag))?;
            check_keys(&table, &config, &flag)?;
        }
        let place = |error: ConfigError| match set {
            [] => ConfigError { place: format!("{file}: {}", error.place), ..error },
            _ => error,
        };
        config.validate().map_err(place)?;
        Ok(config)
    }
}

/// A value as TOML writes it; what is not TOML is a string.
fn parse_value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        Some(value) => value,
        None => toml::Value::String(text.to_owned()),
    }
}

/// Sets `path.to.key`, making tables on the way; `list.0.key` is a key of the list's first entry.
fn assign(table: &mut toml::Table, path: &str, value: toml::Value, flag: &str) -> Result<(), ConfigError> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let (mut table, mut keys) = (table, keys.into_iter());
    while let Some(key) = keys.next() {
        let mut inner = table.entry(key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(len) = inner.as_array().map(Vec::len) {
            let place = keys.next().and_then(|place| place.parse().ok()).filter(|place| *place < len);
            let Some(place): Option<usize> = place else {
                let message = format!(
                    "'{key}' is a list with {len} entries: give all of it, or a key of one by its place, counted from 0, \
                     as in {key}.0.kind"
                );
                return Err(ConfigError::new(flag, message));
            };
            inner = &mut inner[place];
        }
        let found = inner.type_str();
        let Some(inner) = inner.as_table_mut() else {
            return Err(ConfigError::new(flag, format!("'{key}' is a {found} and has no keys of its own")));
        };
        table = inner;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// Refuses keys that serde passes over: those beside the name of a kind that has none, as in
/// `{ kind = "relu", size = 3 }`. Whatever was understood is there again when the configuration is written.
fn check_keys(given: &toml::Table, config: &Config, place: &str) -> Result<(), ConfigError> {
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
fn unread_key<'a>(
    given: &'a toml::Table,
    understood: &'a toml::Table,
    path: &str,
) -> Option<(String, &'a str, Vec<&'a str>)> {
    use toml::Value::{Array, Table};
    given.iter().find_map(|(key, value)| match (value, understood.get(key)) {
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

/// Says where in `text` the error is, and which of the allowed names is nearest to an unknown one.
fn describe(error: &toml::de::Error, text: &str, file: &str) -> ConfigError {
    let line = error
        .span()
        .filter(|_| !text.is_empty())
        .map(|span| 1 + text[..span.start.min(text.len())].bytes().filter(|byte| *byte == b'\n').count());
    let place = match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    };
    let message = error.message();
    let mut described = ConfigError::new(place, message);
    // Errors in a list of layers begin with the layer's place.
    let (place, told) = match message.split_once(": ") {
        Some((place, told)) if place.starts_with(LAYERS) => (format!("{place}: "), told),
        _ => (String::new(), message),
    };
    if let Some((found, allowed)) = unknown_name_in(told) {
        described.nearest = nearest(found, &allowed);
        described.allowed = allowed;
        let what = if told.starts_with("unknown field") { "key" } else { "value" };
        described.message = format!("{place}there is no {what} '{found}' here");
    }
    described
}

/// The name that serde does not know in what it `told`, and those that it would have known.
fn unknown_name_in(told: &str) -> Option<(&str, Vec<String>)> {
    if !told.starts_with("unknown field") && !told.starts_with("unknown variant") {
        return None;
    }
    // serde quotes the unknown name first and then each allowed one.
    let mut quoted = told.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    Some((found, quoted.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use deepq_envs::wrappers::WrapperConfig;

    use super::*;

    fn resolve(set: &[&str]) -> Result<Config, ConfigError> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        Config::resolve("CartPole-v1", None, None, &set).map(|(config, _)| config)
    }

    #[test]
    fn settings_change_the_preset() {
        let config = resolve(&[
            "learning.gamma=0.9",
            "network.hidden=[8, 8]",
            "target.period={unit=\"episodes\",every=3}",
            "exploration.epsilon.to=0.2",
        ])
        .unwrap();
        assert_eq!(config.learning.gamma, 0.9);
        assert!(config.to_toml().contains("hidden = [8, 8]"), "{}", config.to_toml());
        assert_eq!(config.target.unwrap().period, deepq_core::Period::Episodes { every: 3, first: None });
    }

    #[test]
    fn one_key_of_a_list_is_set_by_its_place() {
        let list = "env.wrappers=[{kind=\"scale-reward\",factor=0.5},{kind=\"frame-stack\",frames=2}]";
        let config = resolve(&[list, "env.wrappers.1.frames=3"]).unwrap();
        assert_eq!(
            config.env.wrappers[1],
            WrapperConfig::FrameStack { frames: 3, padding: Default::default() }
        );
        assert_eq!(config.env.wrappers[0], WrapperConfig::ScaleReward { factor: 0.5 });
        for wrong in ["env.wrappers.2.frames=3", "env.wrappers.first.frames=3", "env.wrappers.1=3"] {
            let error = resolve(&[list, wrong]).unwrap_err();
            assert_eq!(error.place, format!("--set {wrong}"));
            assert!(error.message.contains("'wrappers' is a list with 2 entries"), "{error}");
        }
        let error = resolve(&[list, "env.wrappers.1.frame=3"]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("frames"));
        let error = resolve(&["env.wrappers=[{kind=\"frame-stak\",frames=2}]"]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("frame-stack"));
        let error =
            resolve(&["env.wrappers=[{kind=\"frame-stack\",frames=2,padding=\"zeros\"}]"]).unwrap_err();
        assert_eq!(
            (error.nearest.as_deref(), &error.allowed[..]),
            (Some("zero"), &["reset", "zero"].map(str::to_owned)[..])
        );
    }

    #[test]
    fn wrong_settings_name_the_flag_and_the_nearest_key() {
        let error = resolve(&["learning.gama=0.9"]).unwrap_err();
        assert_eq!(error.place, "--set learning.gama=0.9");
        assert_eq!(error.nearest.as_deref(), Some("gamma"));
        let error = resolve(&["learning.gamma=high"]).unwrap_err();
        assert!(error.message.contains("invalid type: string \"high\""), "{error}");
        let error = resolve(&["learning"]).unwrap_err();
        assert!(error.message.contains("KEY=VALUE"), "{error}");
        let error = resolve(&["learning.gamma.x=1"]).unwrap_err();
        assert!(error.message.contains("'gamma' is a float"), "{error}");
        let error = resolve(&["loss.target.kind=\"q-lerning\""]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("q-learning"));
        let error = resolve(&["evaluation.parameters=targets"]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("target"));
    }

    #[test]
    fn wrong_values_name_their_key() {
        let error = resolve(&["learning.gamma=1.5"]).unwrap_err();
        assert_eq!(error.place, "learning.gamma");
        assert!(error.message.contains("1.5"), "{error}");
    }

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
