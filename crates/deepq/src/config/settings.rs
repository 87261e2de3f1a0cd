//! Settings that are changed one by one, as `--set path.to.key=value` does it.

use toml::{Table, Value};

use super::describe::{describe, unknown_name_in};
use super::parse::{check_keys, unread_key};
use super::recipes::remove;
use super::{Config, ConfigError, Preset};

/// The value by which a setting becomes what it is where nothing is said of it.
const OFF: &str = "off";

impl Config {
    /// A preset for the environment `env` with settings changed; each of `set` is `path.to.key=value`.
    pub(super) fn from_preset(preset: Preset, env: &str, set: &[String]) -> Result<Self, ConfigError> {
        let file = preset.file();
        let mut table = preset.table(env).map_err(|error| describe(&error, preset.toml, &file))?;
        if preset.env != Some(preset.folder) {
            assign(&mut table, "env.id", Value::String(env.to_owned()), "--env")?;
        }
        let text = toml::to_string(&table).expect("a table of plain values");
        let config = Self::from_toml(&text, &file)?.with_settings(set)?;
        let place = |error: ConfigError| match set {
            [] => ConfigError { place: format!("{file}: {}", error.place), ..error },
            _ => error,
        };
        config.validate().map_err(place)?;
        Ok(config)
    }

    /// The same with all of `set` changed, not validated yet.
    fn with_settings(self, set: &[String]) -> Result<Self, ConfigError> {
        // With every default written out, a key can be set whose table the file leaves out.
        let mut table = Table::try_from(&self).expect("a configuration is a table of plain values");
        let mut outcome: Result<Self, ConfigError> = Ok(self);
        for setting in set {
            let flag = format!("--set {setting}");
            let Some((path, value)) = setting.split_once('=') else {
                let message = "has no '='; it is written KEY=VALUE, as in learning.gamma=0.9";
                return Err(ConfigError::new(flag, message));
            };
            let (path, value) = (path.trim(), value.trim());
            change(&mut table, path, value, &flag)?;
            // What is missing after one may come with the next, as the keys of another kind do. Where it does not, the
            // one is told since which it is missing.
            outcome = match (read(&table, &flag), outcome) {
                (Ok(config), _) => Ok(config),
                (Err(now), Err(earlier)) if now.message == earlier.message => Err(earlier),
                (Err(now), Err(earlier)) => Err(ConfigError { place: earlier.place, ..now }),
                (Err(now), Ok(_)) => Err(elsewhere(now, path, &table)),
            };
        }
        outcome
    }
}

fn read(table: &Table, flag: &str) -> Result<Config, ConfigError> {
    let config = table.clone().try_into().map_err(|error| describe(&error, "", flag))?;
    check_keys(table, &config, flag)?;
    Ok(config)
}

/// Sets one key, and what goes with it.
fn change(table: &mut Table, path: &str, text: &str, flag: &str) -> Result<(), ConfigError> {
    if path == "env.id" {
        let message = "the environment is named by itself, as in deepq train CartPole-v1";
        return Err(ConfigError::new(flag, message));
    }
    if text == OFF {
        let before = table.clone();
        assign(table, path, Value::String(OFF.into()), flag)?;
        let is_known = unknown_key(table).is_none();
        *table = before;
        return match is_known {
            true => Ok(remove(table, path)),
            false => assign(table, path, Value::String(OFF.into()), flag),
        };
    }
    let value = parse_value(text);
    // The name of a kind may stand for the table that it makes: optimizer=radam.
    let has_kinds = at(table, path).is_some_and(|there| there.get("kind").is_some());
    let path = match has_kinds && value.is_str() {
        true => format!("{path}.kind"),
        false => path.to_owned(),
    };
    assign(table, &path, value, flag)?;
    if let Some(parent) = path.strip_suffix(".kind") {
        drop_keys_of_other_kinds(table, parent);
    }
    Ok(())
}

/// Takes away what the table at `path` has from its kind before, and its kind now does not know.
fn drop_keys_of_other_kinds(table: &mut Table, path: &str) {
    while let Some(key) = unknown_key(table) {
        let own = at_mut(table, path).and_then(Value::as_table_mut);
        if key == "kind" || own.is_none_or(|own| own.remove(&key).is_none()) {
            return;
        }
    }
}

/// The first key that no configuration has there.
fn unknown_key(table: &Table) -> Option<String> {
    match table.clone().try_into::<Config>() {
        Ok(config) => {
            let understood = Table::try_from(config).expect("a configuration is a table of plain values");
            unread_key(table, &understood, "").map(|(_, key, _)| key.to_owned())
        }
        Err(error) => {
            let told = Some(error.message()).filter(|told| told.starts_with("unknown field"));
            told.and_then(unknown_name_in).map(|(key, _)| key.to_owned())
        }
    }
}

/// Names the key of another table that was probably meant by an unknown one: `gamma` is one of `learning`.
fn elsewhere(error: ConfigError, path: &str, table: &Table) -> ConfigError {
    let key = path.rsplit('.').next().unwrap_or(path);
    if !error.message.contains(&format!("no key '{key}'")) {
        return error;
    }
    let meant = table.iter().find_map(|(name, value)| {
        let there = value.as_table().is_some_and(|table| table.contains_key(key));
        Some(format!("{name}.{key}")).filter(|meant| there && meant != path)
    });
    ConfigError { nearest: meant.or(error.nearest), ..error }
}

fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut keys = path.split('.');
    let first = table.get(keys.next()?)?;
    keys.try_fold(first, |value, key| match key.parse::<usize>() {
        Ok(place) if value.is_array() => value.get(place),
        _ => value.get(key),
    })
}

fn at_mut<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    let mut keys = path.split('.');
    let first = table.get_mut(keys.next()?)?;
    keys.try_fold(first, |value, key| match key.parse::<usize>() {
        Ok(place) if value.is_array() => value.get_mut(place),
        _ => value.get_mut(key),
    })
}

/// A value as TOML writes it; what is not TOML is a string. A whole number may be written as `1e6`.
fn parse_value(text: &str) -> Value {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        Some(Value::Float(number)) if text.contains(['e', 'E']) && is_whole(number) => {
            Value::Integer(number as i64)
        }
        Some(value) => value,
        None => Value::String(text.to_owned()),
    }
}

/// Whether it is a whole number that no rounding has touched.
fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < (1_u64 << f64::MANTISSA_DIGITS) as f64
}

/// Sets `path.to.key`, making tables on the way; `list.0.key` is a key of the list's first entry.
fn assign(table: &mut Table, path: &str, value: Value, flag: &str) -> Result<(), ConfigError> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let (mut table, mut keys) = (table, keys.into_iter());
    while let Some(key) = keys.next() {
        let mut inner = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
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
        assert!(error.message.contains("found \"high\", allowed is a number"), "{error}");
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
    fn a_setting_is_off_where_nothing_is_said_of_it() {
        let resolve = |algo: &str, set: &[&str]| {
            let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
            Config::resolve("CartPole-v1", None, Some(algo), &set).map(|(config, _)| config)
        };
        let rainbow =
            resolve("rainbow", &["network.noisy=off", "replay.sampler=off", "network.dueling=off"]).unwrap();
        assert!(!rainbow.network.traits().noisy && !rainbow.network.traits().dueling);
        assert_eq!(rainbow.replay.unwrap().sampler, deepq_core::replay::SamplerConfig::Uniform);
        assert_eq!(resolve("dqn", &["network.noisy=off"]).unwrap(), resolve("dqn", &[]).unwrap());
        let error = resolve("dqn", &["network.nosy=off"]).unwrap_err();
        assert_eq!(
            (error.place.as_str(), error.nearest.as_deref()),
            ("--set network.nosy=off", Some("noisy"))
        );
        let error = resolve("dqn", &["learning.gamma=off"]).unwrap_err();
        assert_eq!(error.message, "the key 'gamma' is missing");
    }

    #[test]
    fn another_kind_takes_none_of_the_keys_of_the_kind_before() {
        let config = resolve(&["loss.head.kind=quantile"]).unwrap();
        assert_eq!(config.loss, resolve(&["loss.head={kind=\"quantile\"}"]).unwrap().loss);
        assert_eq!(config.loss, resolve(&["loss.head=quantile"]).unwrap().loss);
        assert_eq!(resolve(&["optimizer=radam"]), resolve(&["optimizer={kind=\"radam\"}"]));
        let error = resolve(&["loss.head.kind=quantile", "loss.head.error=1"]).unwrap_err();
        assert_eq!(error.place, "--set loss.head.error=1");
    }

    #[test]
    fn settings_that_need_each_other_are_read_together() {
        let categorical = ["loss.head=categorical", "loss.head.v_min=0", "loss.head.v_max=200"];
        let whole = resolve(&["loss.head={kind=\"categorical\",v_min=0.0,v_max=200.0}"]).unwrap();
        assert_eq!(resolve(&categorical).unwrap(), whole);
        let error = resolve(&categorical[..2]).unwrap_err();
        assert_eq!(
            (error.place.as_str(), error.message.as_str()),
            ("--set loss.head=categorical", "the key 'v_max' is missing")
        );
        let error = resolve(&["learning.gama=0.9", "learning.n_step=2"]).unwrap_err();
        assert_eq!(
            (error.place.as_str(), error.nearest.as_deref()),
            ("--set learning.gama=0.9", Some("gamma"))
        );
    }

    #[test]
    fn a_key_of_another_table_is_found() {
        for set in [&["gamma=0.9"][..], &["gamma=0.9", "learning.n_step=2"]] {
            assert_eq!(resolve(set).unwrap_err().nearest.as_deref(), Some("learning.gamma"));
        }
        let error = resolve(&["replay.batch_size=8"]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("learning.batch_size"));
    }

    #[test]
    fn whole_numbers_may_be_written_with_an_exponent_and_lists_may_be_empty() {
        assert_eq!(
            resolve(&["stop={env_steps=10_000}"]).unwrap(),
            resolve(&["stop=off", "stop.env_steps=1e4"]).unwrap()
        );
        assert!(
            resolve(&["stop.env_steps=1.5"])
                .unwrap_err()
                .message
                .contains("found 1.5, allowed is a whole number")
        );
        assert_eq!(resolve(&["env.wrappers=[]"]).unwrap(), resolve(&[]).unwrap());
    }

    #[test]
    fn the_environment_is_no_setting() {
        assert!(resolve(&["env.id=Acrobot-v1"]).unwrap_err().message.contains("named by itself"));
    }
}
