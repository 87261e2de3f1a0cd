//! The recipes of the family over seeds: `study family ENV[,ENV]... RECIPE[,RECIPE]...|all [--seeds N] [--env-steps N]`

use std::error::Error;

use deepq::Config;
use deepq::config::algorithms;
use serde_json::{Value, json};

use crate::machine::{read_result, write_result};
use crate::presets::{over_seeds, tell};

const NAME: &str = "family";

/// What is asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    envs: Vec<String>,
    recipes: Vec<String>,
    seeds: u64,
    /// Fewer env steps than the recipe has, where a night is too short for them.
    env_steps: Option<u64>,
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let (mut names, mut seeds, mut env_steps) = (vec![], 10, None);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut number = || match rest.next().and_then(|text| text.parse::<u64>().ok()) {
                Some(number) if number > 0 => Ok(number),
                _ => Err(format!("{argument} needs a whole number, 1 or more")),
            };
            match argument.as_str() {
                "--seeds" => seeds = number()?,
                "--env-steps" => env_steps = Some(number()?),
                name => names.push(name.split(',').map(str::to_owned).collect::<Vec<_>>()),
            }
        }
        let [envs, recipes] = &names[..] else {
            return Err("environments and recipes are needed, as in: family Acrobot-v1 dqn,c51".into());
        };
        let all = || algorithms().iter().map(|recipe| recipe.name.to_owned()).collect();
        let recipes = if recipes[..] == ["all"] { all() } else { recipes.clone() };
        Ok(Self { envs: envs.clone(), recipes, seeds, env_steps })
    }

    fn settings(&self) -> Vec<String> {
        self.env_steps.map(|steps| format!("stop.env_steps={steps}")).into_iter().collect()
    }
}

/// Runs the study. A recipe's figures are written as soon as some seeds are done, in the place of its earlier ones.
pub(crate) fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let request = Request::parse(arguments)?;
    for env in &request.envs {
        for recipe in &request.recipes {
            let (config, _) = Config::resolve(env, None, Some(recipe), &request.settings())?;
            let steps = request.env_steps.map_or(String::new(), |steps| format!(" --env-steps {steps}"));
            let command = format!("cargo xtask study {NAME} {env} {recipe}{steps}");
            let limit = config.stop.env_steps;
            let mut keep = |entry: &Value| {
                let mut entry = entry.clone();
                entry["env_steps_limit"] = json!(limit);
                let all = with_entry(read_result(NAME)?, entry);
                Ok(write_result(NAME, &format!("cargo xtask study {NAME}"), all)?)
            };
            tell(&over_seeds(config, (env, recipe), &command, request.seeds, &mut keep)?);
        }
    }
    Ok(())
}

/// `all` with `entry` in the place of the earlier one of the same recipe, by environment and in the recipes' order.
fn with_entry(all: Option<Value>, entry: Value) -> Value {
    let mut all = match all {
        Some(Value::Array(all)) => all,
        _ => vec![],
    };
    let key = |entry: &Value| (entry["env"].clone(), entry["preset"].clone());
    all.retain(|other| key(other) != key(&entry));
    all.push(entry);
    all.sort_by_key(|entry| {
        let recipe = algorithms().iter().position(|recipe| entry["preset"] == recipe.name);
        (entry["env"].as_str().unwrap_or_default().to_owned(), recipe)
    });
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_and_recipes_are_lists() {
        let parse = |text: &str| Request::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let request = parse("Acrobot-v1,MountainCar-v0 dqn,c51 --seeds 3 --env-steps 500").unwrap();
        assert_eq!(request.envs, ["Acrobot-v1", "MountainCar-v0"]);
        assert_eq!((&request.recipes[..], request.seeds), (&["dqn".to_owned(), "c51".to_owned()][..], 3));
        assert_eq!(request.settings(), ["stop.env_steps=500"]);
        assert_eq!(parse("Acrobot-v1 all").unwrap().recipes.len(), algorithms().len());
        for wrong in ["Acrobot-v1", "Acrobot-v1 dqn --seeds 0", "Acrobot-v1 dqn --seeds"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn entries_stand_by_environment_in_the_recipes_order() {
        let entry =
            |env: &str, preset: &str, mean: f64| json!({ "env": env, "preset": preset, "mean": mean });
        let all = with_entry(None, entry("B", "c51", 1.0));
        let all = with_entry(Some(all), entry("B", "dqn", 2.0));
        let all = with_entry(Some(all), entry("A", "pqn", 3.0));
        let all = with_entry(Some(all), entry("B", "c51", 4.0));
        assert_eq!(all, json!([entry("A", "pqn", 3.0), entry("B", "dqn", 2.0), entry("B", "c51", 4.0)]));
    }
}
