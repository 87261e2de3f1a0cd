//! The presets over seeds: `study presets [ENV/NAME]... [--seeds N] [--set KEY=VALUE]...`

pub(crate) mod published;

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use deepq::config::{FinalPolicy, presets};
use deepq::events::{Answer, Event, Observer};
use deepq::{Config, EnvFactory, Evaluator, Policy, Registry, Trainer, evaluation_seeds, statistics};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::published::optimum;
use self::published::{Protocol, protocol, published};
use crate::machine::{commit, machine, read_result, write_result};

const NAME: &str = "presets";
const SEEDS: u64 = 10;
/// Studies of their own judge these, over more seeds.
const ELSEWHERE: &str = "CartPole-v1";
/// A seed of these takes most of an hour: they are trained where they are asked for by name.
const LONG: &str = "young-tian-dqn";

/// What is asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Environment and preset.
    presets: Vec<(String, String)>,
    seeds: u64,
    /// Settings that are tried: what comes out is printed only.
    set: Vec<String>,
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut request = Self { presets: vec![], seeds: SEEDS, set: vec![] };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--seeds" => {
                    let text = value()?;
                    let seeds = text.parse().ok().filter(|seeds| *seeds > 0);
                    request.seeds =
                        seeds.ok_or_else(|| format!("--seeds: found '{text}', allowed is 1 or more"))?;
                }
                "--set" => request.set.push(value()?.clone()),
                name => request.presets.extend(named(name)?),
            }
        }
        if request.presets.is_empty() {
            request.presets = named("")?;
        }
        Ok(request)
    }
}

/// The presets called `name`: `ENV/PRESET`, or all of an environment; all there are for no name.
fn named(name: &str) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let all = presets().iter().filter_map(|preset| Some((preset.env?, preset.name)));
    let found: Vec<(String, String)> = all
        .filter(|(env, preset)| match name {
            "" => *env != ELSEWHERE && *preset != LONG,
            _ => name == *env && *preset != LONG || name == format!("{env}/{preset}"),
        })
        .map(|(env, preset)| (env.to_owned(), preset.to_owned()))
        .collect();
    match found.is_empty() {
        true => {
            Err(format!("there is no preset '{name}'; it is written ENV/NAME: see deepq list presets").into())
        }
        false => Ok(found),
    }
}

/// What one seed gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seed {
    pub(crate) seed: u64,
    /// What the seed is judged by.
    score: f64,
    /// The greedy mean return of the policy the run ended with, over unseen episodes.
    greedy_mean: f64,
    /// The same of the policy of the last step.
    last_greedy_mean: f64,
    /// The mean of the training returns of the last 100 episodes; of all where there were fewer.
    last_100_training_returns: f64,
    env_steps: u64,
    gradient_steps: u64,
    episodes: u64,
    /// Seconds of training with its internal evaluations.
    wall_s: f64,
    /// Of the program that trained it.
    #[serde(default)]
    commit: String,
}

#[derive(Default)]
struct Returns(Vec<f64>);

impl Observer for Returns {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        if let Event::EpisodeEnded(ended) = event {
            self.0.push(ended.episode.episodic_return);
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn run_seed(config: &Config, protocol: Protocol, seed: u64) -> Result<Seed, deepq::Error> {
    let mut returns = Returns::default();
    let mut trainer = Trainer::new(config, seed)?;
    let started = Instant::now();
    trainer.run(&mut returns)?;
    let wall_s = started.elapsed().as_secs_f64();
    let mut evaluator = Evaluator::within(EnvFactory::new(&Registry::builtin(), &config.env)?);
    let seeds = evaluation_seeds(seed, "final-evaluation", config.evaluation.final_episodes);
    let mut mean_of = |mut policy: Policy| {
        let returns = evaluator.evaluate_policy(&mut policy, &seeds)?;
        Ok::<_, deepq::Error>(statistics::mean(&returns).unwrap_or(f64::NAN))
    };
    let greedy_mean = mean_of(trainer.policy())?;
    let last_greedy_mean = match config.evaluation.final_policy {
        FinalPolicy::Best => mean_of(trainer.last_policy())?,
        FinalPolicy::Last => greedy_mean,
    };
    let last = &returns.0[returns.0.len().saturating_sub(100)..];
    let last_100_training_returns = statistics::mean(last).unwrap_or(f64::NAN);
    let score = match protocol {
        Protocol::Greedy => greedy_mean,
        Protocol::LastTrainingReturns => last_100_training_returns,
    };
    let progress = trainer.progress();
    Ok(Seed {
        seed,
        score,
        greedy_mean,
        last_greedy_mean,
        last_100_training_returns,
        env_steps: progress.env_steps,
        gradient_steps: progress.gradient_steps,
        episodes: progress.episodes,
        wall_s,
        commit: commit(),
    })
}

/// Takes the figures so far.
pub(crate) type Keep<'a> = dyn FnMut(&Value) -> Result<(), Box<dyn Error>> + 'a;

/// Trains one preset over seeds 1, 2, … side by side. `keep` gets the figures over all seeds so far each time some are
/// done, so that a study that is broken off has lost nothing.
fn study(env: &str, name: &str, request: &Request, keep: &mut Keep<'_>) -> Result<Value, Box<dyn Error>> {
    let (config, _) = Config::resolve(env, Some(name), None, &request.set)?;
    let command = format!("cargo xtask study {NAME} {env}/{name}");
    over_seeds(config, (env, name), &command, request.seeds, vec![], keep)
}

/// Trains a configuration over seeds, those left out that are `done`; see [`study`].
pub(crate) fn over_seeds(
    mut config: Config,
    (env, name): (&str, &str),
    command: &str,
    count: u64,
    done: Vec<Seed>,
    keep: &mut Keep<'_>,
) -> Result<Value, Box<dyn Error>> {
    // Seeds go on side by side, a core each.
    config.engine.threads = deepq::config::Threads::Count(1);
    let (protocol, threshold) = (protocol(name), reward_threshold(&config)?);
    let (mut seeds, mut entry) = (done, Value::Null);
    let left: Vec<u64> = (1..=count).filter(|seed| seeds.iter().all(|done| done.seed != *seed)).collect();
    for together in left.chunks(rayon::current_num_threads()) {
        let outcomes = together.par_iter().with_max_len(1).map(|seed| run_seed(&config, protocol, *seed));
        seeds.extend(outcomes.collect::<Result<Vec<Seed>, _>>()?);
        entry = summarize((env, name), command, &seeds, threshold)?;
        keep(&entry)?;
    }
    Ok(entry)
}

fn reward_threshold(config: &Config) -> Result<Option<f64>, Box<dyn Error>> {
    Ok(EnvFactory::new(&Registry::builtin(), &config.env)?.spec().reward_threshold)
}

fn summarize(
    (env, name): (&str, &str),
    command: &str,
    seeds: &[Seed],
    threshold: Option<f64>,
) -> Result<Value, Box<dyn Error>> {
    let column = |of: fn(&Seed) -> f64| seeds.iter().map(of).collect::<Vec<f64>>();
    let scores = column(|seed| seed.score);
    let bootstrap = statistics::StratifiedBootstrap::default();
    let mean = statistics::mean(&scores).ok_or("no seeds")?;
    let figures: Vec<Value> = published(env, name)
        .iter()
        .map(|figure| json!({ "source": figure.source, "mean": figure.mean, "spread": figure.spread, "found": figure.place(&scores) }))
        .collect();
    Ok(json!({
        "env": env,
        "preset": name,
        "command": format!("{command} --seeds {}", seeds.len()),
        "machine": machine(),
        "protocol": protocol(name),
        "mean": mean,
        "std": statistics::standard_deviation(&scores),
        "iqm": statistics::interquartile_mean(&scores),
        "iqm_ci95": bootstrap.interval(&[&scores[..]], statistics::interquartile_mean),
        "least": statistics::percentile(&scores, 0.0),
        "reward_threshold": threshold,
        "seeds_at_threshold": threshold.map(|least| scores.iter().filter(|score| **score >= least).count()),
        "published": figures,
        "env_steps_median": statistics::median(&column(|seed| seed.env_steps as f64)),
        "wall_s_median": statistics::median(&column(|seed| seed.wall_s)),
        "seeds": seeds,
    }))
}

pub(crate) fn tell(entry: &Value) {
    let number = |key: &str| entry[key].as_f64().unwrap_or(f64::NAN);
    let scores = entry["seeds"].as_array().into_iter().flatten().filter_map(|seed| seed["score"].as_f64());
    let scores: Vec<String> = scores.map(|score| format!("{score:.4}")).collect();
    println!(
        "{}/{}: {:.4} ± {:.4}, IQM {:.4}, median {:.1} s, published {}\n  scores {}",
        entry["env"].as_str().unwrap_or("?"),
        entry["preset"].as_str().unwrap_or("?"),
        number("mean"),
        number("std"),
        number("iqm"),
        number("wall_s_median"),
        entry["published"],
        scores.join(" ")
    );
}

/// Runs the study. A preset's figures are written as soon as they are there, in the place of its earlier ones.
pub(crate) fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let request = Request::parse(arguments)?;
    for (env, name) in &request.presets {
        let mut keep = |entry: &Value| match request.set.is_empty() {
            true => {
                let all = with_entry(read_result(NAME)?, entry.clone());
                Ok(write_result(NAME, &format!("cargo xtask study {NAME}"), all)?)
            }
            false => Ok(()),
        };
        tell(&study(env, name, &request, &mut keep)?);
    }
    Ok(())
}

/// `all` with `entry` in the place of the earlier one of the same preset, in the order of the presets.
fn with_entry(all: Option<Value>, entry: Value) -> Value {
    let mut all = match all {
        Some(Value::Array(all)) => all,
        _ => vec![],
    };
    let key = |entry: &Value| (entry["env"].clone(), entry["preset"].clone());
    all.retain(|other| key(other) != key(&entry));
    all.push(entry);
    let place = |entry: &Value| {
        presets().iter().position(|preset| (json!(preset.env), json!(preset.name)) == key(entry))
    };
    all.sort_by_key(place);
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request, String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Request::parse(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn presets_are_named_by_environment_and_name() {
        let pair = |env: &str, name: &str| (env.to_owned(), name.to_owned());
        let one =
            parse(&["MinAtar/Breakout-v0/default", "--seeds", "2", "--set", "learning.gamma=0.9"]).unwrap();
        assert_eq!(one.presets, [pair("MinAtar/Breakout-v0", "default")]);
        assert_eq!((one.seeds, &one.set[..]), (2, &["learning.gamma=0.9".to_owned()][..]));
        let env = parse(&["Acrobot-v1"]).unwrap();
        assert!(env.presets.len() == 3 && env.presets.contains(&pair("Acrobot-v1", "sb3-dqn")), "{env:?}");
        let all = parse(&[]).unwrap();
        assert!(all.presets.contains(&pair("Taxi-v4", "default")) && all.seeds == 10);
        assert!(all.presets.iter().all(|(env, name)| env != ELSEWHERE && name != LONG), "{all:?}");
        assert_eq!(parse(&["MinAtar/Breakout-v0/young-tian-dqn"]).unwrap().presets.len(), 1);
        for (wrong, words) in [
            (&["Acrobot-v1/fault"][..], "no preset 'Acrobot-v1/fault'"),
            (&["--seeds", "0"], "found '0'"),
            (&["--set"], "--set needs a value"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_entry_takes_the_place_of_the_earlier_one() {
        let entry = |env: &str, mean: f64| json!({ "env": env, "preset": "default", "mean": mean });
        let all = with_entry(None, entry("Taxi-v4", 1.0));
        let all = with_entry(Some(all), entry("Acrobot-v1", 2.0));
        let all = with_entry(Some(all), entry("Taxi-v4", 3.0));
        assert_eq!(all, json!([entry("Acrobot-v1", 2.0), entry("Taxi-v4", 3.0)]));
    }

    #[test]
    fn figures_are_over_all_seeds() {
        let seed = |seed: u64, score: f64| Seed {
            seed,
            score,
            greedy_mean: score,
            last_greedy_mean: score,
            last_100_training_returns: 0.0,
            env_steps: 10,
            gradient_steps: 5,
            episodes: 1,
            wall_s: 0.5,
            commit: String::new(),
        };
        let seeds = [seed(1, -70.0), seed(2, -80.0), seed(3, -120.0), seed(4, -78.0)];
        let entry = summarize(("Acrobot-v1", "sb3-dqn"), "study", &seeds, Some(-100.0)).unwrap();
        assert_eq!((&entry["mean"], &entry["iqm"]), (&json!(-87.0), &json!(-79.0)));
        assert_eq!((&entry["least"], &entry["seeds_at_threshold"]), (&json!(-120.0), &json!(3)));
        assert_eq!(entry["published"][0]["found"], "within");
        assert_eq!(entry["published"][1]["found"], "below");
    }
}
