//! The recipes of the family: parts that are put on top of an environment's settings.

use deepq_core::loss::{Head, TargetRule};
use deepq_core::replay::SamplerConfig;
use toml::{Table, Value};

use super::settings::remove;
use super::{Config, Preset, ReplayConfig};

/// The keys of a recipe's file that are no settings.
const FOR: &str = "for";
const WITHOUT: &str = "without";

macro_rules! recipes {
    ($($name:literal),* $(,)?) => {
        &[$(Preset {
            env: None,
            name: $name,
            folder: "recipes",
            toml: include_str!(concat!("../../presets/recipes/", $name, ".toml")),
        }),*]
    };
}

/// All recipes, from the simplest on.
pub(super) const RECIPES: &[Preset] = recipes![
    "dqn",
    "double-dqn",
    "dueling-dqn",
    "minto",
    "c51",
    "hl-gauss",
    "qr-dqn",
    "iqn",
    "fqf",
    "m-dqn",
    "m-iqn",
    "rainbow",
    "bbf",
    "btr",
    "pqn",
    "stream-q",
];

/// The settings that recipes change where an environment has none of its own.
pub(super) const GENERAL: &str = include_str!("../../presets/general/dqn.toml");

/// The settings of `env` with a recipe's parts in place of its own.
pub(super) fn on_top(recipe: &Table, mut settings: Table, env: &str) -> Table {
    let mut parts = recipe.clone();
    let for_env = parts.remove(FOR);
    put(&mut settings, parts);
    let Some(Value::Table(for_env)) = for_env else { return settings };
    // Those of all environments of its family, MinAtar/Breakout-v1 is of MinAtar, then the environment's own.
    let family = env.split('/').next().filter(|family| *family != env);
    for name in family.into_iter().chain([env]) {
        for (names, own) in &for_env {
            if let Value::Table(own) = own
                && names_in(names).any(|of| of == name)
            {
                put(&mut settings, own.clone());
            }
        }
    }
    settings
}

/// The names of a key of `for`, which is of one environment or family or of several, with commas between them.
fn names_in(key: &str) -> impl Iterator<Item = &str> {
    key.split(',').map(str::trim)
}

/// Puts parts in place, after what they do without is gone.
fn put(settings: &mut Table, mut parts: Table) {
    for path in parts.remove(WITHOUT).iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str) {
        remove(settings, path);
    }
    merge(settings, parts);
}

/// Puts values in place, table by table. A table of another kind takes the whole place: the keys of a linear schedule
/// mean nothing to a constant one, nor those of one network to another.
fn merge(settings: &mut Table, parts: Table) {
    for (key, value) in parts {
        match (settings.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if !is_another(old, &new) => merge(old, new),
            (_, value) => {
                settings.insert(key, value);
            }
        }
    }
}

fn is_another(old: &Table, new: &Table) -> bool {
    let networks = ["hidden", "architecture", "layers"];
    let other_kind = new.get("kind").is_some_and(|kind| old.get("kind") != Some(kind));
    other_kind || networks.iter().any(|key| new.contains_key(*key) && !old.contains_key(*key))
}

/// The parts of a configuration that make an algorithm, each in a few words.
pub fn parts(config: &Config) -> Vec<String> {
    let loss = config.loss.iter().flat_map(|loss| [target_part(&loss.target), head_part(&loss.head)]);
    let traits = config.network.traits();
    let is_prioritised = |replay: &ReplayConfig| matches!(replay.sampler, SamplerConfig::Prioritized { .. });
    let others = [
        (config.rollout.is_some(), "lambda-returns over rollouts"),
        (config.streaming.is_some(), "eligibility trace with a bounded step"),
        (traits.dueling, "dueling"),
        (traits.noisy, "noisy"),
        (traits.layer_norm, "layer norm"),
        (config.replay.as_ref().is_some_and(is_prioritised), "prioritised replay"),
        (config.reset.is_some(), "resets"),
        (config.learning.n_step > 1, "n-step returns"),
    ];
    let others = others.into_iter().map(|(there, part)| there.then_some(part));
    loss.chain(others).flatten().map(str::to_owned).collect()
}

fn target_part(target: &TargetRule) -> Option<&'static str> {
    match target {
        TargetRule::QLearning { double: true, .. } => Some("Double Q-learning"),
        TargetRule::QLearning { minimum_of_networks: true, .. } => Some("minimum of both networks"),
        TargetRule::QLearning { .. } => Some("Q-learning"),
        TargetRule::Munchausen { .. } => Some("Munchausen"),
        _ => None,
    }
}

fn head_part(head: &Head) -> Option<&'static str> {
    match head {
        Head::Expected { .. } => Some("expected return"),
        Head::Categorical { .. } => Some("categorical distribution"),
        Head::HlGauss { .. } => Some("HL-Gauss classification"),
        Head::Quantile { .. } => Some("fixed quantiles"),
        Head::ImplicitQuantile { .. } => Some("implicit quantiles"),
        Head::ProposedQuantile { .. } => Some("proposed quantiles"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_the_place_of_others() {
        let settings: Table = toml::from_str(
            "a = 1\n[network]\nhidden = [2]\n[exploration]\nepsilon = { kind = \"linear\", to = 0.1 }\n[replay]\ncapacity = 5",
        )
        .unwrap();
        let recipe: Table = toml::from_str(
            "without = [\"replay.capacity\"]\nnetwork.dueling = true\nexploration.epsilon = 0.0\n\
             [for.\"MinAtar\"]\nnetwork = { layers = [] }\n[for.\"MinAtar/Breakout-v1\"]\na = 2",
        )
        .unwrap();
        let found = on_top(&recipe, settings.clone(), "CartPole-v1");
        assert_eq!(found["network"].to_string(), "{ hidden = [2], dueling = true }");
        assert_eq!(found["exploration"]["epsilon"].as_float(), Some(0.0));
        assert!(found["replay"].as_table().unwrap().is_empty());
        let found = on_top(&recipe, settings, "MinAtar/Breakout-v1");
        assert_eq!(found["network"].to_string(), "{ layers = [] }");
        assert_eq!(found["a"].as_integer(), Some(2));
    }

    #[test]
    fn every_environment_that_a_recipe_names_is_there() {
        for recipe in RECIPES {
            let table: Table = toml::from_str(recipe.toml).unwrap();
            for name in table
                .get(FOR)
                .and_then(Value::as_table)
                .into_iter()
                .flat_map(Table::keys)
                .flat_map(|key| names_in(key))
            {
                let of_family = format!("{name}/");
                let is_there = |(id, _): (&str, _)| id == name || id.starts_with(&of_family);
                assert!(deepq_envs::Registry::builtin().ids().any(is_there), "{}: {name}", recipe.name);
            }
        }
    }

    /// A recipe that lost a part would still train, as another algorithm.
    #[test]
    fn every_recipe_has_its_parts() {
        let expected = [
            ("dqn", "Q-learning, expected return, n-step returns"),
            ("double-dqn", "Double Q-learning, expected return, n-step returns"),
            ("dueling-dqn", "Double Q-learning, expected return, dueling, n-step returns"),
            ("minto", "minimum of both networks, expected return, n-step returns"),
            ("c51", "Q-learning, categorical distribution, n-step returns"),
            ("hl-gauss", "Double Q-learning, HL-Gauss classification, n-step returns"),
            ("qr-dqn", "Q-learning, fixed quantiles, n-step returns"),
            ("iqn", "Q-learning, implicit quantiles, n-step returns"),
            ("fqf", "Q-learning, proposed quantiles, n-step returns"),
            ("m-dqn", "Munchausen, expected return, n-step returns"),
            ("m-iqn", "Munchausen, implicit quantiles, n-step returns"),
            (
                "rainbow",
                "Double Q-learning, categorical distribution, dueling, noisy, prioritised replay, n-step returns",
            ),
            ("bbf", "Double Q-learning, categorical distribution, dueling, resets, n-step returns"),
            ("btr", "Munchausen, implicit quantiles, dueling, noisy, prioritised replay, n-step returns"),
            ("pqn", "lambda-returns over rollouts, layer norm"),
            ("stream-q", "eligibility trace with a bounded step, layer norm"),
        ];
        assert_eq!(RECIPES.len(), expected.len());
        for env in ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3", "MinAtar/Seaquest-v0"] {
            for (name, words) in expected {
                let (config, _) = Config::resolve(env, None, Some(name), &[]).unwrap();
                assert_eq!(parts(&config).join(", "), words, "{name} in {env}");
            }
        }
    }

    /// Every recipe fits every environment that there are settings for.
    #[test]
    fn every_recipe_goes_with_every_environment() {
        for recipe in RECIPES {
            for (env, _) in deepq_envs::Registry::builtin().ids() {
                let resolved = Config::resolve(env, None, Some(recipe.name), &[]);
                let (config, _) =
                    resolved.unwrap_or_else(|error| panic!("{} in {env}: {error}", recipe.name));
                assert_eq!(config.algo, recipe.name);
                assert_eq!(config.env.id, env);
                let again = Config::from_toml(&config.to_toml(), "config.toml").unwrap();
                assert_eq!(config, again, "{} in {env}", recipe.name);
                assert!(parts(&config).len() >= 2, "{} in {env}", recipe.name);
                let registry = deepq_envs::Registry::builtin();
                if let Err(error) = crate::network_spec_of(&config, &registry) {
                    panic!("{} in {env}: {error}", recipe.name);
                }
            }
        }
    }
}
