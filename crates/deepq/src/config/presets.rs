//! The recipes that are built in.

use super::recipes::{GENERAL, RECIPES, on_top};
use super::{Config, ConfigError};

/// A recipe: a configuration file that is built into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The environment it is for; `None` for a recipe, which goes with any.
    pub env: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// The folder of `presets` that its file stands in: the environment's id, that of a family whose
    /// environments share it, or `recipes`.
    pub folder: &'static str,
    /// The file, as TOML. A shared one leaves `env.id` open, a recipe all but its parts.
    pub toml: &'static str,
}

/// Recipes by the folder they stand in, for the environments after the colon.
macro_rules! presets {
    ($($folder:literal / $name:literal: $($env:literal)+;)*) => {
        &[$($(Preset {
            env: Some($env),
            name: $name,
            folder: $folder,
            toml: include_str!(concat!("../../presets/", $folder, "/", $name, ".toml")),
        },)+)*]
    };
}

const PRESETS: &[Preset] = presets![
    "CartPole-v1" / "default": "CartPole-v1";
    "CartPole-v1" / "default-fixed": "CartPole-v1";
    "CartPole-v1" / "tutorial": "CartPole-v1";
    "CartPole-v1" / "tutorial-fixed": "CartPole-v1";
    "CartPole-v1" / "cleanrl-dqn": "CartPole-v1";
    "CartPole-v1" / "sb3-dqn": "CartPole-v1";
    "Acrobot-v1" / "default": "Acrobot-v1";
    "Acrobot-v1" / "cleanrl-dqn": "Acrobot-v1";
    "Acrobot-v1" / "sb3-dqn": "Acrobot-v1";
    "MountainCar-v0" / "default": "MountainCar-v0";
    "MountainCar-v0" / "cleanrl-dqn": "MountainCar-v0";
    "MountainCar-v0" / "sb3-dqn": "MountainCar-v0";
    "LunarLander-v3" / "default": "LunarLander-v3";
    "LunarLander-v3" / "sb3-dqn": "LunarLander-v3";
    "FrozenLake-v1" / "default": "FrozenLake-v1";
    "FrozenLake8x8-v1" / "default": "FrozenLake8x8-v1";
    "CliffWalking-v1" / "default": "CliffWalking-v1";
    "CliffWalkingSlippery-v1" / "default": "CliffWalkingSlippery-v1";
    "Taxi-v4" / "default": "Taxi-v4";
    "Blackjack-v1" / "default": "Blackjack-v1";
    "MinAtar" / "default":
        "MinAtar/Asterix-v0" "MinAtar/Asterix-v1"
        "MinAtar/Breakout-v0" "MinAtar/Breakout-v1"
        "MinAtar/Freeway-v0" "MinAtar/Freeway-v1"
        "MinAtar/Seaquest-v0" "MinAtar/Seaquest-v1"
        "MinAtar/SpaceInvaders-v0" "MinAtar/SpaceInvaders-v1";
    "MinAtar" / "young-tian-dqn":
        "MinAtar/Asterix-v0" "MinAtar/Breakout-v0" "MinAtar/Freeway-v0" "MinAtar/Seaquest-v0"
        "MinAtar/SpaceInvaders-v0";
];

/// The presets of all environments.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

/// The recipes of the family: each holds the parts that make an algorithm, which are put on top of an environment's
/// `default` settings, or of general ones where it has none.
pub fn algorithms() -> &'static [Preset] {
    RECIPES
}

impl Preset {
    /// The first comment of the file: what it is and where it comes from, its lines joined.
    pub fn description(&self) -> String {
        let comment = self.toml.lines().map_while(|line| line.strip_prefix('#'));
        comment.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// All settings for the environment `env`.
    pub(super) fn table(&self, env: &str) -> Result<toml::Table, toml::de::Error> {
        let own: toml::Table = toml::from_str(self.toml)?;
        match self.env {
            Some(_) => Ok(own),
            None => {
                let base = find_preset(env, "default").map_or(GENERAL, |preset| preset.toml);
                Ok(on_top(&own, toml::from_str(base)?, env))
            }
        }
    }

    /// The file's name, for messages.
    pub(super) fn file(&self) -> String {
        format!("presets/{}/{}.toml", self.folder, self.name)
    }
}

impl Config {
    /// The preset `name` of the environment `env`.
    ///
    /// # Errors
    /// [`ConfigError`] where there is none.
    pub fn preset(env: &str, name: &str) -> Result<Self, ConfigError> {
        Self::from_preset(find_preset(env, name)?, env, &[])
    }

    /// A preset with settings changed, as the program does it.
    ///
    /// `preset` and `algo` are names, of which at most one may be given; without both it is `default`, or
    /// where the environment has no preset of that name the recipe `dqn`. A recipe's parts are put on top of the
    /// environment's `default`, or of general settings where it has none; its name stands for the environment's
    /// preset of that name where there is one. Each of `set` is `path.to.key=value`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the flag, what was found, what is allowed and what is nearest.
    pub fn resolve(
        env: &str,
        preset: Option<&str>,
        algo: Option<&str>,
        set: &[String],
    ) -> Result<(Self, Preset), ConfigError> {
        let found = match (preset, algo) {
            (Some(_), Some(_)) => return Err(ConfigError::conflict("--preset", "--algo")),
            (Some(preset), None) => find_preset(env, preset)?,
            (None, Some(algo)) => find_algorithm(env, algo)?,
            (None, None) => find_preset(env, "default").or_else(|_| find_algorithm(env, "dqn"))?,
        };
        Ok((Self::from_preset(found, env, set)?, found))
    }
}

fn find_preset(env: &str, name: &str) -> Result<Preset, ConfigError> {
    let names = || PRESETS.iter().filter(|preset| preset.env == Some(env));
    names().find(|preset| preset.name == name).copied().ok_or_else(|| {
        let allowed = names().map(|preset| preset.name);
        let error = ConfigError::unknown_name("--preset", &format!("preset of {env}"), name, allowed);
        let algorithm = RECIPES.iter().any(|recipe| recipe.name == name).then(|| format!("--algo {name}"));
        ConfigError { nearest: algorithm.or(error.nearest), ..error }
    })
}

/// What others call some of the recipes.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("ddqn", "double-dqn"),
    ("d3qn", "dueling-dqn"),
    ("munchausen-dqn", "m-dqn"),
    ("munchausen-iqn", "m-iqn"),
];

fn find_algorithm(env: &str, name: &str) -> Result<Preset, ConfigError> {
    let of_env = PRESETS.iter().find(|preset| preset.env == Some(env) && preset.name == name);
    let general = RECIPES.iter().find(|preset| preset.name == name);
    of_env.or(general).copied().ok_or_else(|| {
        let allowed = RECIPES.iter().map(|preset| preset.name);
        let error = ConfigError::unknown_name("--algo", "algorithm", name, allowed);
        let meant = OTHER_NAMES.iter().find(|(other, _)| *other == name.to_lowercase());
        let meant = meant.map(|(_, recipe)| (*recipe).to_owned()).or(error.nearest);
        let preset = || find_preset(env, name).err()?.nearest.filter(|nearest| !nearest.starts_with("--"));
        ConfigError { nearest: meant.or_else(|| Some(format!("--preset {}", preset()?))), ..error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_says_what_it_is() {
        for preset in PRESETS.iter().chain(RECIPES) {
            let env = preset.env.unwrap_or("CartPole-v1");
            let config = Config::from_preset(*preset, env, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(config.env.id, env, "{}", preset.file());
            assert!(preset.description().len() > 40, "{} says nothing of itself", preset.file());
            let again = Config::from_toml(&config.to_toml(), "config.toml").unwrap();
            assert_eq!(config, again, "{} survives being written and read", preset.file());
        }
    }

    #[test]
    fn an_algorithm_stands_for_the_environments_preset_of_that_name() {
        let (config, preset) = Config::resolve("CartPole-v1", None, Some("cleanrl-dqn"), &[]).unwrap();
        assert_eq!(preset.env, Some("CartPole-v1"));
        assert!(config.to_toml().contains("hidden = [120, 84]"), "{}", config.to_toml());
        let (_, preset) = Config::resolve("CartPole-v1", None, Some("double-dqn"), &[]).unwrap();
        assert_eq!(preset.env, None);
    }

    #[test]
    fn what_was_meant_is_told() {
        let nearest = |preset: Option<&str>, algo: Option<&str>| {
            Config::resolve("CartPole-v1", preset, algo, &[]).unwrap_err().nearest
        };
        assert_eq!(nearest(Some("c51"), None).as_deref(), Some("--algo c51"));
        assert_eq!(nearest(None, Some("DDQN")).as_deref(), Some("double-dqn"));
        assert_eq!(nearest(None, Some("tutoral")).as_deref(), Some("--preset tutorial"));
        assert!(OTHER_NAMES.iter().all(|(_, recipe)| RECIPES.iter().any(|there| there.name == *recipe)));
    }
}
