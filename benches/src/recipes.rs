//! The presets of CartPole-v1 over many seeds.

use std::error::Error;

use deepq::Config;
use serde_json::json;

use crate::machine::write_result;
use crate::seeds::{Seed, line, run_seeds, summarize};

const ENV: &str = "CartPole-v1";

/// Runs a preset over seeds, prints the figures and writes all of them down.
fn study(
    preset: &str,
    set: &[&str],
    first: u64,
    count: u64,
    timed: bool,
) -> Result<Vec<Seed>, Box<dyn Error>> {
    let set: Vec<String> = set.iter().map(|setting| (*setting).to_owned()).collect();
    let (config, _) = Config::resolve(ENV, Some(preset), None, &set)?;
    let seeds = run_seeds(&config, first, count, timed)?;
    if let Some(summary) = summarize(&seeds) {
        println!("{preset} {}\n  {}", set.join(" "), line(&summary));
    }
    Ok(seeds)
}

fn publish(name: &str, first: u64, count: u64, set: &[&str], seeds: &[Seed]) -> Result<(), Box<dyn Error>> {
    let result = json!({
        "preset": name, "set": set, "summary": summarize(seeds), "seeds": seeds,
    });
    let study = name.strip_suffix("-more-seeds").unwrap_or(name);
    Ok(write_result(name, &format!("cargo xtask study {study} {first} {count}"), result)?)
}

/// The default recipe on one core.
pub(crate) fn default(first: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let seeds = study("default", &[], first, count, true)?;
    publish("default", first, count, &[], &seeds)
}

/// The default recipe without its early stop: does it stay solved?
pub(crate) fn default_fixed(first: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let seeds = study("default-fixed", &[], first, count, true)?;
    publish("default-fixed", first, count, &[], &seeds)
}

/// CleanRL's recipe: training returns of the last 100 episodes at the final ε.
pub(crate) fn cleanrl(first: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let seeds = study("cleanrl-dqn", &[], first, count, true)?;
    publish("cleanrl", first, count, &[], &seeds)
}

/// Stable-Baselines3's recipe, with the evaluations of the peer's study.
pub(crate) fn sb3(first: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let set = ["evaluation.every_env_steps=1000"];
    let seeds = study("sb3-dqn", &set, first, count, false)?;
    // The comparison is over the peer's own seeds; others say how far 20 seeds can be trusted.
    let name = if (first, count) == (2001, 20) { "sb3" } else { "sb3-more-seeds" };
    publish(name, first, count, &set, &seeds)
}

/// Any recipe, printed only.
pub(crate) fn attempt(preset: &str, first: u64, count: u64, set: &[String]) -> Result<(), Box<dyn Error>> {
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let seeds = study(preset, &set, first, count, false)?;
    let finals: Vec<String> = seeds.iter().map(|seed| format!("{:.0}", seed.final_mean)).collect();
    println!("  finals {}", finals.join(" "));
    Ok(())
}
