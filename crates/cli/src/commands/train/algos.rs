//! Several algorithms, each with several seeds, and how they compare.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use deepq::config::ConfigError;
use deepq::network_spec_of;
use deepq::run::{Comparison, RunStatus, RunSummary, TrainRequest, seed_requests, train_all};
use serde_json::json;

use super::seeds::{SeedNotes, stopped};
use super::{fresh_page, how_to_film};
use crate::args::{Render, Train};
use crate::commands::compare;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Trains `count` seeds of each recipe, then compares the recipes.
pub(super) fn run_algos(
    args: &Train,
    recipes: &[TrainRequest],
    count: u64,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<ExitCode, Failure> {
    check(args, recipes)?;
    let requests = all_requests(recipes, count)?;
    let names: Vec<&str> = recipes.iter().map(|recipe| recipe.preset.as_str()).collect();
    let (env, first, last) = (&args.env, args.seed, args.seed.saturating_add(count - 1));
    let seeds = if count == 1 { format!("seed {first}") } else { format!("seeds {first} to {last}") };
    let announcement = format!("training {} on {env} with {seeds}, side by side", names.join(", "));
    let notes = SeedNotes::new(announcement, requests.len() as u64, first, output);
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let runs =
        train_all(&requests, |request| notes.of(format!("{:<width$}  ", request.preset), request.seed))?;
    interrupt.end_at_once();
    let is_whole = runs.iter().flatten().filter(|run| run.eval.is_some()).count() == requests.len();
    let runs: Vec<RunSummary> = runs.into_iter().flatten().collect();
    if !is_whole {
        let status = RunStatus::Interrupted;
        let json = json!({ "status": status, "groups": [], "improvement": [], "warnings": [], "runs": runs });
        output.result(&json, &stopped(requests.len(), &runs))?;
        return Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS));
    }
    let paths: Vec<PathBuf> = runs.iter().map(|run| run.run.clone()).collect();
    let page = page_path(args, &names, &paths);
    let mut told = compare::tell(&Comparison::of(&paths)?, Some(&page), output)?;
    told.json["status"] = json!(RunStatus::Finished);
    told.json["runs"] = json!(runs);
    output.result(&told.json, &format!("{}{}", told.text, how_to_film(&recipes[0], &paths[0])))?;
    Ok(ExitCode::SUCCESS)
}

/// All that can be known to be wrong before the first run begins.
fn check(args: &Train, recipes: &[TrainRequest]) -> Result<(), Failure> {
    if args.render != Render::None {
        let message = "a screen shows one run: it cannot be used with several algorithms";
        return Err(ConfigError::new("--render", message).into());
    }
    for (index, recipe) in recipes.iter().enumerate() {
        let name = &recipe.preset;
        if recipes[..index].iter().any(|other| other.preset == *name) {
            return Err(ConfigError::new("--algo", format!("'{name}' is named twice")).into());
        }
        let told = |error: ConfigError| {
            let place = format!("--algo {name}: {}", error.place);
            Failure::from(ConfigError { place, ..error })
        };
        recipe.config.validate().map_err(told)?;
        network_spec_of(&recipe.config, &recipe.registry).map_err(told)?;
    }
    Ok(())
}

/// A request for every seed of every recipe. With `--out` each recipe has a folder of its own.
fn all_requests(recipes: &[TrainRequest], count: u64) -> Result<Vec<TrainRequest>, Failure> {
    let mut requests = vec![];
    for recipe in recipes {
        let out = recipe.out.as_ref().map(|parent| parent.join(&recipe.preset));
        requests.extend(seed_requests(&TrainRequest { out, ..recipe.clone() }, count)?);
    }
    Ok(requests)
}

/// The page stands beside the folders of the runs.
fn page_path(args: &Train, names: &[&str], paths: &[PathBuf]) -> PathBuf {
    match (&args.out, paths.first().and_then(|path| path.parent())) {
        (Some(parent), _) => fresh_page(parent, "compare"),
        (None, parent) => {
            let names: String = names.join("-").chars().take(100).collect();
            fresh_page(parent.unwrap_or(Path::new("")), &format!("compare-{names}-s{}", args.seed))
        }
    }
}
