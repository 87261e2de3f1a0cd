//! The recipes of the family over seeds: `study family ENV[,ENV]... RECIPE[,RECIPE]...|all [--seeds N] [--env-steps N]`

use std::error::Error;

use deepq::Config;
use deepq::config::algorithms;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::machine::{lock_result, read_result, write_result};
use crate::presets::{Seed, over_seeds, tell};

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

/// Runs the study. A recipe's figures are written as soon as some seeds are done, in the place of its earlier ones;
/// seeds that are there already with the same settings are not trained again.
pub(crate) fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let request = Request::parse(arguments)?;
    for env in &request.envs {
        for recipe in &request.recipes {
            run_recipe(&request, env, recipe)?;
        }
    }
    Ok(())
}

fn run_recipe(request: &Request, env: &str, recipe: &str) -> Result<(), Box<dyn Error>> {
    let (config, _) = Config::resolve(env, None, Some(recipe), &request.settings())?;
    let (limit, settings) = (config.stop.env_steps, config.to_toml());
    let done = seeds_done(read_result(NAME)?, (env, recipe), &settings, request.seeds);
    if done.len() as u64 == request.seeds {
        println!("{env}/{recipe}: all {} seeds are there", request.seeds);
        return Ok(());
    }
    let mut keep = |entry: &Value| {
        let mut entry = entry.clone();
        entry["env_steps_limit"] = json!(limit);
        entry["settings"] = json!(settings);
        let _alone = lock_result(NAME)?;
        let all = with_entry(read_result(NAME)?, entry);
        Ok(write_result(NAME, &format!("cargo xtask study {NAME}"), all)?)
    };
    let steps = request.env_steps.map_or(String::new(), |steps| format!(" --env-steps {steps}"));
    let command = format!("cargo xtask study {NAME} {env} {recipe}{steps}");
    tell(&over_seeds(config, (env, recipe), &command, request.seeds, done, &mut keep)?);
    Ok(())
}

/// The seeds up to `count` that an earlier study trained with the same settings. With the same program the same would
/// come out again; each seed tells the commit that it is from.
fn seeds_done(all: Option<Value>, (env, recipe): (&str, &str), settings: &str, count: u64) -> Vec<Seed> {
    let Some(Value::Array(all)) = all else { return vec![] };
    let entry = all
        .into_iter()
        .find(|entry| entry["env"] == env && entry["preset"] == recipe && entry["settings"] == settings);
    let Some(Value::Array(seeds)) = entry.map(|mut entry| entry["seeds"].take()) else { return vec![] };
    // A seed without a number is `null` there, and is trained again.
    let seeds = seeds.into_iter().filter_map(|seed| Seed::deserialize(seed).ok());
    seeds.filter(|seed| seed.seed <= count).collect()
}

/// `all` with `entry` in the place of the earlier one of the same recipe over as many env steps; by environment, in
/// the recipes' order, the shorter before the longer.
fn with_entry(all: Option<Value>, entry: Value) -> Value {
    let mut all = match all {
        Some(Value::Array(all)) => all,
        _ => vec![],
    };
    let key = |entry: &Value| ["env", "preset", "env_steps_limit"].map(|key| entry[key].clone());
    all.retain(|other| key(other) != key(&entry));
    all.push(entry);
    all.sort_by_key(|entry| {
        let recipe = algorithms().iter().position(|recipe| entry["preset"] == recipe.name);
        (entry["env"].as_str().unwrap_or_default().to_owned(), recipe, entry["env_steps_limit"].as_u64())
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

    #[test]
    fn seeds_with_the_same_settings_are_not_trained_again() {
        let seed = |seed: u64, score: Option<f64>| {
            json!({ "seed": seed, "score": score, "greedy_mean": 1.0, "last_greedy_mean": 1.0,
                "last_100_training_returns": 1.0, "env_steps": 1, "gradient_steps": 1, "episodes": 1, "wall_s": 1.0 })
        };
        let entry = |settings: &str, seeds: &[Value]| json!({ "env": "B", "preset": "dqn", "settings": settings, "seeds": seeds });
        let all = json!([
            entry("new", &[seed(1, Some(1.0)), seed(2, Some(1.0)), seed(3, Some(1.0))]),
            entry("without a number", &[seed(1, Some(1.0)), seed(2, None), seed(3, Some(1.0))]),
        ]);
        let done =
            |settings: &str, count: u64| seeds_done(Some(all.clone()), ("B", "dqn"), settings, count).len();
        assert_eq!(
            [done("new", 10), done("new", 2), done("old", 10), done("without a number", 10)],
            [3, 2, 0, 2]
        );
        assert_eq!(seeds_done(Some(all.clone()), ("A", "dqn"), "new", 10).len(), 0);
        assert_eq!(seeds_done(None, ("B", "dqn"), "new", 10).len(), 0);
    }

    #[test]
    fn figures_over_other_numbers_of_env_steps_stand_beside_each_other() {
        let entry = |limit: u64, mean: f64| json!({ "env": "B", "preset": "pqn", "env_steps_limit": limit, "mean": mean });
        let all = [entry(10, 1.0), entry(5, 2.0), entry(10, 3.0)].into_iter();
        let all = all.fold(None, |all, entry| Some(with_entry(all, entry)));
        assert_eq!(all, Some(json!([entry(5, 2.0), entry(10, 3.0)])));
    }
}
