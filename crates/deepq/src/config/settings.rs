//! Settings that are changed one by one, as `--set path.to.key=value` does it.

use toml::{Table, Value};

use super::describe::{describe, is_missing_key};
use super::parse::check_keys;
use super::value::parse_value;
use super::{Config, ConfigError, Preset};

/// The value by which a setting becomes what it is where nothing is said of it; false, where it is true or false.
const OFF: &str = "off";

/// Keys as Stable-Baselines3 calls them.
const OTHER_KEYS: [(&str, &str); 9] = [
    ("lr", "learning.learning_rate"),
    ("total_timesteps", "stop.env_steps"),
    ("buffer_size", "replay.capacity"),
    ("learning_starts", "learning.start_env_steps"),
    ("train_freq", "learning.every_env_steps"),
    ("gradient_steps", "learning.batches"),
    ("target_update_interval", "target.period"),
    ("exploration_fraction", "exploration.epsilon"),
    ("net_arch", "network.hidden"),
];

impl Config {
    /// The setting that a flag such as `--learning-rate` probably means, where there is one of this name or of that
    /// in other libraries, with a value as an example: `learning.learning_rate` and `0.001`.
    pub fn setting_meant_by(flag: &str) -> Option<(String, String)> {
        let key = flag.trim_start_matches('-').replace('-', "_");
        let (config, _) = Self::resolve("CartPole-v1", None, None, &[]).ok()?;
        let mut table = Settings::new(config).table;
        let path = path_of(&key, &table, "")?;
        let value = at_mut(&mut table, &path)?.to_string();
        Some((path, value))
    }

    /// A preset for the environment `env` with settings changed; each of `set` is `path.to.key=value`.
    pub(super) fn from_preset(preset: Preset, env: &str, set: &[String]) -> Result<Self, ConfigError> {
        let file = preset.file();
        let mut table = preset.table(env).map_err(|error| describe(&error, preset.toml, &file))?;
        if preset.env != Some(preset.folder) {
            assign(&mut table, "env.id", Value::String(env.to_owned()), "--env")?;
        }
        let text = toml::to_string(&table).expect("a table of plain values");
        let mut settings = Settings::new(Self::from_toml(&text, &file)?);
        for setting in set {
            settings.change(setting)?;
        }
        let config = settings.finish()?;
        config.validate()?;
        Ok(config)
    }
}

/// A configuration while its settings are changed.
struct Settings {
    /// With every default written out, so that a key can be set whose table the file leaves out.
    table: Table,
    /// What the table says, or said when it was last whole.
    config: Config,
    /// The setting since which a key is missing, and which one.
    incomplete: Option<ConfigError>,
}

impl Settings {
    fn new(config: Config) -> Self {
        let table = Table::try_from(&config).expect("a configuration is a table of plain values");
        Self { table, config, incomplete: None }
    }

    fn change(&mut self, setting: &str) -> Result<(), ConfigError> {
        let flag = format!("--set {setting}");
        let Some((path, value)) = setting.split_once('=') else {
            let message = "has no '='; it is written KEY=VALUE, as in learning.gamma=0.9";
            return Err(ConfigError::new(flag, message));
        };
        let path = path.trim();
        match value.trim() {
            // What an environment's options may be, only the environment knows.
            OFF if !path.starts_with("env.options.") => self.switch_off(path, &flag)?,
            value => {
                let parsed = parse_value(value).map_err(|error| not_toml(value, &error, &flag))?;
                put(&mut self.table, path, parsed, &flag)?;
            }
        }
        self.read(path, flag)
            .map_err(|error| self.of_another_way(in_brackets(error, path, value.trim()), path))
    }

    /// The error of a setting, or that it belongs to another way to learn.
    fn of_another_way(&self, error: ConfigError, path: &str) -> ConfigError {
        match self.config.has_no_place_for(path) {
            Some(message) => ConfigError::new(error.place, message),
            None => error,
        }
    }

    /// Reads the table again. A key that is missing may come with a later setting, as those of a kind do.
    fn read(&mut self, path: &str, flag: String) -> Result<(), ConfigError> {
        let id = &self.config.env.id;
        match read(&self.table, &flag) {
            Ok(config) if config.env.id != *id => {
                let message = "the environment is named by itself, as in deepq train CartPole-v1";
                return Err(ConfigError::new(flag, message));
            }
            Ok(config) => (self.config, self.incomplete) = (config, None),
            Err(error) if is_missing_key(&error) => {
                let place = self.incomplete.take().map_or(flag, |since| since.place);
                self.incomplete = Some(self.of_another_way(ConfigError { place, ..error }, path));
            }
            Err(error) => return Err(elsewhere(error, path, &self.table)),
        }
        Ok(())
    }

    fn switch_off(&mut self, path: &str, flag: &str) -> Result<(), ConfigError> {
        if let Some(Value::Boolean(is_on)) = at_mut(&mut self.table, path) {
            *is_on = false;
            return Ok(());
        }
        // No value of a key that is none is right, which is told of the configuration as it was last whole.
        let mut whole = Self::new(self.config.clone());
        assign(&mut whole.table, path, Value::String(OFF.into()), flag)?;
        if let Err(error) = read(&whole.table, flag)
            && error.message.contains("there is no key")
        {
            return Err(elsewhere(error, path, &whole.table));
        }
        remove(&mut self.table, path);
        Ok(())
    }

    fn finish(self) -> Result<Config, ConfigError> {
        self.incomplete.map_or(Ok(self.config), Err)
    }
}

fn not_toml(value: &str, error: &str, flag: &str) -> ConfigError {
    let message = format!("'{}' is no value as TOML writes one: {error}", shortened(value));
    ConfigError::new(shortened(flag), message)
}

/// How a list is written, for whoever wrote `network.hidden=64,64` or `env.wrappers=time-limit`.
fn in_brackets(mut error: ConfigError, path: &str, value: &str) -> ConfigError {
    if error.message.ends_with("allowed is a list") && !value.starts_with(['[', '{']) {
        let of_tables = ["env.wrappers", "network.layers"].contains(&path);
        let list = if of_tables { format!("[{{kind=\"{value}\"}}]") } else { format!("[{value}]") };
        if parse_value(&list).is_ok() {
            error.nearest.get_or_insert_with(|| format!("{path}={list}"));
        }
    }
    error
}

fn read(table: &Table, flag: &str) -> Result<Config, ConfigError> {
    let config = table.clone().try_into().map_err(|error| describe(&error, "", flag))?;
    check_keys(table, &config, flag)?;
    Ok(config)
}

/// Sets one key. The name of a kind stands for a table of its own, which has nothing of the kind before.
fn put(table: &mut Table, path: &str, value: Value, flag: &str) -> Result<(), ConfigError> {
    let mut kind_of = |path: &str| {
        let kind = at_mut(table, path)?.get("kind")?.as_str()?;
        Some((path.to_owned(), kind.to_owned()))
    };
    // `optimizer=radam` is `optimizer.kind=radam`.
    let of_kind = kind_of(path).or_else(|| kind_of(path.strip_suffix(".kind")?));
    match (of_kind, &value) {
        (Some((_, before)), Value::String(kind)) if *kind == before => Ok(()),
        (Some((path, _)), Value::String(_)) => {
            let own = Table::from_iter([("kind".to_owned(), value)]);
            assign(table, &path, Value::Table(own), flag)
        }
        _ => assign(table, path, value, flag),
    }
}

/// Names the key that was probably meant by an unknown one: `gamma` is one of `learning`, `lr` is what others call one.
fn elsewhere(error: ConfigError, path: &str, table: &Table) -> ConfigError {
    let key = path.rsplit('.').next().unwrap_or(path);
    if !error.message.contains(&format!("no key '{key}'")) {
        // It may have been a table of this name that is none, as in `total.gamma`.
        return error;
    }
    let meant = path_of(key, table, path);
    ConfigError { nearest: meant.or(error.nearest), ..error }
}

/// Where a key stands in one table, or what stands there for another library's key; not at `besides`.
fn path_of(key: &str, table: &Table, besides: &str) -> Option<String> {
    let has_key = |value: &Value| value.as_table().is_some_and(|table| table.contains_key(key));
    let there = table.iter().filter(|(_, value)| has_key(value)).map(|(name, _)| format!("{name}.{key}"));
    let there: Vec<String> = there.filter(|there| there != besides).collect();
    match &there[..] {
        [only] => Some(only.clone()),
        _ => OTHER_KEYS.iter().find(|(other, _)| *other == key).map(|(_, ours)| (*ours).to_owned()),
    }
}

/// What stands at `path.to.key`, where something does.
fn at_mut<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    let mut keys = path.split('.');
    let first = table.get_mut(keys.next()?)?;
    keys.try_fold(first, |value, key| match key.parse::<usize>() {
        Ok(place) if value.is_array() => value.get_mut(place),
        _ => value.get_mut(key),
    })
}

/// Takes `path.to.key` away, where it is there.
pub(super) fn remove(table: &mut Table, path: &str) {
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (at_mut(table, parent).and_then(Value::as_table_mut), key),
        None => (Some(table), path),
    };
    parent.and_then(|parent| parent.remove(key));
}

/// More keys in a path than any setting has.
const MOST_KEYS: usize = 16;

/// Sets `path.to.key`, making tables on the way; `list.0.key` is a key of the list's first entry.
fn assign(table: &mut Table, path: &str, value: Value, flag: &str) -> Result<(), ConfigError> {
    let mut keys: Vec<&str> = path.split('.').collect();
    if keys.len() > MOST_KEYS || keys.contains(&"") {
        let message = format!("'{}' is no path of a setting, such as learning.gamma", shortened(path));
        return Err(ConfigError::new(shortened(flag), message));
    }
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
            let found = if matches!(found, "float" | "integer") { "number" } else { found };
            return Err(ConfigError::new(flag, format!("'{key}' is a {found} and has no keys of its own")));
        };
        table = inner;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// The beginning of what is too long to be shown.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
        let error = resolve(&["network.hidden=64,64"]).unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("network.hidden=[64,64]"));
        let error = resolve(&["learning"]).unwrap_err();
        assert!(error.message.contains("KEY=VALUE"), "{error}");
        let error = resolve(&["learning.gamma.x=1"]).unwrap_err();
        assert!(error.message.contains("'gamma' is a number"), "{error}");
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

    fn of(algo: &str, set: &[&str]) -> Result<Config, ConfigError> {
        let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
        Config::resolve("CartPole-v1", None, Some(algo), &set).map(|(config, _)| config)
    }

    #[test]
    fn a_setting_is_off_where_nothing_is_said_of_it() {
        let rainbow =
            of("rainbow", &["network.noisy=off", "replay.sampler=off", "network.dueling=off"]).unwrap();
        assert!(!rainbow.network.traits().noisy && !rainbow.network.traits().dueling);
        assert_eq!(rainbow.replay.unwrap().sampler, deepq_core::replay::SamplerConfig::Uniform);
        assert_eq!(of("dqn", &["network.noisy=off"]).unwrap(), of("dqn", &[]).unwrap());
        assert!(
            !of("dqn", &["env.action_masks=off"]).unwrap().env.action_masks,
            "what is true becomes false"
        );
        let wrappers = "env.wrappers=[{kind=\"frame-stack\",frames=2,padding=\"zero\"}]";
        let config = of("dqn", &[wrappers, "env.wrappers.0.padding=off"]).unwrap();
        assert_eq!(
            config.env.wrappers,
            of("dqn", &[&wrappers.replace("zero", "reset")]).unwrap().env.wrappers
        );
        for (set, place, nearest) in [
            (&["network.nosy=off"][..], "--set network.nosy=off", "noisy"),
            (&["loss.head=categorical", "network.nosy=off"], "--set network.nosy=off", "noisy"),
        ] {
            let error = of("dqn", set).unwrap_err();
            assert_eq!((error.place.as_str(), error.nearest.as_deref()), (place, Some(nearest)));
        }
        assert_eq!(of("dqn", &["learning.gamma=off"]).unwrap_err().message, "the key 'gamma' is missing");
        assert!(
            of("dqn", &["env.options.a=off"]).unwrap().env.options.contains_key("a"),
            "the environment is asked"
        );
    }

    #[test]
    fn another_kind_takes_nothing_of_the_kind_before() {
        let heads = ["expected", "categorical", "hl-gauss", "quantile"];
        let whole = |kind: &str| match kind {
            "expected" => "error={kind=\"squared\"}",
            "quantile" => "quantiles=9",
            _ => "v_min=0,v_max=9",
        };
        for before in heads {
            for now in heads.into_iter().filter(|now| *now != before) {
                let first = format!("loss.head={{kind=\"{before}\",{}}}", whole(before));
                let table = format!("loss.head={{kind=\"{now}\",{}}}", whole(now));
                let keys = whole(now).split(',').map(|key| format!("loss.head.{key}"));
                let by_name = [first.clone(), format!("loss.head={now}")].into_iter().chain(keys);
                let by_name: Vec<String> = by_name.collect();
                let by_name: Vec<&str> = by_name.iter().map(String::as_str).collect();
                assert_eq!(resolve(&by_name).unwrap(), resolve(&[&first, &table]).unwrap(), "{before} {now}");
            }
        }
        for optimizer in ["adamw", "radam", "rmsprop", "sgd"] {
            let table = format!("optimizer={{kind=\"{optimizer}\"}}");
            assert_eq!(resolve(&[&format!("optimizer={optimizer}")]), resolve(&[&table]), "{optimizer}");
        }
        let same = resolve(&["optimizer.epsilon=0.5", "optimizer.kind=adam"]).unwrap();
        assert_eq!(same, resolve(&["optimizer.epsilon=0.5"]).unwrap(), "the kind it was");
        let error = resolve(&["loss.head.kind=quantile", "loss.head.error=1"]).unwrap_err();
        assert_eq!(error.place, "--set loss.head.error=1");
    }

    #[test]
    fn settings_that_need_each_other_are_read_together() {
        let categorical = ["loss.head=categorical", "loss.head.v_min=0", "loss.head.v_max=200"];
        let whole = resolve(&["loss.head={kind=\"categorical\",v_min=0.0,v_max=200.0}"]).unwrap();
        assert_eq!(resolve(&categorical).unwrap(), whole);
        for (set, place, message) in [
            (&categorical[..2], "--set loss.head=categorical", "the key 'v_max' is missing"),
            (
                &["loss.head=categorical", "loss.head.v_min=high"],
                "--set loss.head.v_min=high",
                "found \"high\", allowed is a number",
            ),
            (
                &["learning.gama=0.9", "learning.n_step=2"],
                "--set learning.gama=0.9",
                "there is no key 'gama' here",
            ),
        ] {
            let error = resolve(set).unwrap_err();
            assert_eq!((error.place.as_str(), error.message.as_str()), (place, message));
        }
    }

    #[test]
    fn a_key_of_another_table_is_found() {
        for set in [&["gamma=0.9"][..], &["gamma=0.9", "learning.n_step=2"]] {
            assert_eq!(resolve(set).unwrap_err().nearest.as_deref(), Some("learning.gamma"));
        }
        for (set, meant) in [
            ("replay.batch_size=8", "learning.batch_size"),
            ("lr=0.1", "learning.learning_rate"),
            ("replay.buffer_size=9", "replay.capacity"),
        ] {
            assert_eq!(resolve(&[set]).unwrap_err().nearest.as_deref(), Some(meant), "{set}");
        }
        let mut whole = Table::try_from(resolve(&[]).unwrap()).unwrap();
        for (other, ours) in OTHER_KEYS {
            assert!(at_mut(&mut whole, ours).is_some() || ours == "stop.env_steps", "{other}: {ours}");
        }
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
        assert_eq!(resolve(&["env.options={}"]).unwrap(), resolve(&[]).unwrap());
        let schedule = |steps: &str| {
            resolve(&[&format!("exploration.epsilon={{kind=\"linear\",from=1.0,to=1e-1,env_steps={steps}}}")])
                .unwrap()
        };
        assert_eq!(schedule("1e3"), schedule("1000"));
    }

    #[test]
    fn the_environment_is_no_setting() {
        for set in ["env.id=Acrobot-v1", "env={id=\"Acrobot-v1\"}"] {
            assert!(resolve(&[set]).unwrap_err().message.contains("named by itself"), "{set}");
        }
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        for path in ["a..b", "", "learning.", &"a.".repeat(10_000)] {
            let error = resolve(&[&format!("{path}=1")]).unwrap_err();
            assert!(error.message.contains("is no path of a setting"), "{error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
        assert!(resolve(&["learning.gamma=0.9\nn_step=3"]).is_err(), "no second line");
    }
}
