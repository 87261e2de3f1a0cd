//! The tutorial's faults, mended one by one.

use std::error::Error;

use deepq::Config;
use serde_json::json;

use crate::machine::write_result;
use crate::seeds::{line, run_seeds, summarize};

/// A name for the guide, and the settings that differ from the preset `tutorial`.
const VARIANTS: &[(&str, &[&str])] = &[
    ("as written", &[]),
    ("truncation bootstraps", &[TRUNCATION]),
    ("loss on the action taken only", &[ACTION]),
    ("one gradient step of 64", &[STEP]),
    ("ε per env step, 1 to 0.01 over 10,000", &[EPSILON]),
    ("Huber loss", &["loss.head.error={kind=\"huber\",kappa=1.0}"]),
    ("Double Q-learning", &["loss.target.double=true"]),
    ("observations scaled", &["network.divide_observations_by=[2.4,2.5,0.21,2.5]"]),
    ("target every 500 env steps", &["target.period={unit=\"env-steps\",every=500}"]),
    ("10-step returns", &["learning.n_step=10"]),
    ("Polyak target, τ 0.01", &[TAU, EVERY]),
    ("the small faults together, target as written", &[TRUNCATION, ACTION, STEP, EPSILON]),
    (
        "Polyak target, 10-step returns, truncation, target network judged",
        &[TAU, EVERY, "learning.n_step=10", TRUNCATION, "evaluation.parameters=\"target\""],
    ),
];
const TRUNCATION: &str = "learning.bootstrap_at_truncation=true";
const ACTION: &str = "loss.average_over_actions=false";
const STEP: &str = "learning.minibatch_size=64";
const EPSILON: &str = "exploration.epsilon={kind=\"linear\",from=1.0,to=0.01,env_steps=10000}";
const TAU: &str = "target.tau=0.01";
const EVERY: &str = "target.period={unit=\"gradient-steps\",every=1}";

/// Runs every variant, and the corrected preset, over the same seeds.
pub(crate) fn run(first: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let mut rows = vec![];
    let fixed = ("the preset tutorial-fixed", &[][..], "tutorial-fixed");
    let variants = VARIANTS.iter().map(|(name, set)| (*name, *set, "tutorial")).chain([fixed]);
    for (name, set, preset) in variants {
        let mut all: Vec<String> = vec!["evaluation.every_env_steps=1000".into()];
        all.extend(set.iter().map(|setting| (*setting).to_owned()));
        let (config, _) = Config::resolve("CartPole-v1", Some(preset), None, &all)?;
        let seeds = run_seeds(&config, first, count, false)?;
        let summary = summarize(&seeds);
        if let Some(summary) = &summary {
            println!("{name}\n  {}", line(summary));
        }
        rows.push(json!({
            "name": name, "preset": preset, "set": set, "summary": summary,
            "finals": seeds.iter().map(|seed| seed.final_mean).collect::<Vec<_>>(),
        }));
    }
    Ok(write_result("faults", &format!("cargo xtask study faults {first} {count}"), json!(rows))?)
}
