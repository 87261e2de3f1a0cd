//! Several seeds of one configuration, trained side by side.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::session::{RunSummary, TrainRequest, train};
use crate::config::ConfigError;
use crate::events::{Answer, Event, Observer};
use crate::statistics::{self, StratifiedBootstrap};
use crate::{Error, RunDirectory};

/// What came of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedsSummary {
    /// The runs, in the order of their seeds; where they were stopped, only those that had begun.
    pub runs: Vec<RunSummary>,
    /// Over the runs' mean returns; null where a run was interrupted.
    pub eval: Option<AcrossSeeds>,
}

/// Statistics over the final mean returns of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AcrossSeeds {
    /// Their mean.
    pub mean: f64,
    /// Their interquartile mean.
    pub iqm: f64,
    /// The 95 % stratified bootstrap interval of the interquartile mean.
    pub ci95: (f64, f64),
    /// How many seeds.
    pub seeds: usize,
}

impl AcrossSeeds {
    /// Sums up one score a seed; `None` where there is none.
    pub fn of(scores: &[f64]) -> Option<Self> {
        let bootstrap = StratifiedBootstrap::default();
        Some(Self {
            mean: statistics::mean(scores)?,
            iqm: statistics::interquartile_mean(scores)?,
            ci95: bootstrap.interval(&[scores], statistics::interquartile_mean)?,
            seeds: scores.len(),
        })
    }
}

/// Trains `count` seeds from the request's on, as many side by side as there are cores. The request's folder is
/// the parent of their run directories.
///
/// `observer` makes the observer of each seed.
///
/// # Errors
/// As [`train`]; the other seeds are then stopped, and the request's stop flag stays as it is.
pub fn train_seeds<O: Observer>(
    request: &TrainRequest,
    count: u64,
    observer: impl Fn(u64) -> O + Sync,
) -> Result<SeedsSummary, Error> {
    let seeds = seeds(request.seed, count)?;
    if let Some(parent) = &request.out {
        // Before the first begins, so that none is stopped for another's sake.
        seeds.iter().try_for_each(|seed| RunDirectory::check_free(&run_path(parent, *seed)))?;
    }
    let failed = AtomicBool::new(false);
    let beside_others = request.beside_others || seeds.len() > 1;
    let runs: Result<Vec<Option<RunSummary>>, Error> = seeds
        .into_par_iter()
        .with_max_len(1)
        .map(|seed| {
            if request.stop_flag.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let out = request.out.as_ref().map(|parent| run_path(parent, seed));
            let mut observer = UntilFailure::new(observer(seed), &failed);
            let outcome = train(&TrainRequest { seed, out, beside_others, ..request.clone() }, &mut observer);
            if outcome.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            outcome.map(Some)
        })
        .collect();
    let runs = runs?;
    let all = runs.iter().all(Option::is_some);
    let runs: Vec<RunSummary> = runs.into_iter().flatten().collect();
    let means: Option<Vec<f64>> = runs.iter().map(|run| run.eval.as_ref().map(|eval| eval.mean)).collect();
    Ok(SeedsSummary { eval: means.filter(|_| all).and_then(|means| AcrossSeeds::of(&means)), runs })
}

/// Interrupts a seed when another has failed. The request's flag is its caller's, who may use it again.
struct UntilFailure<'a, O> {
    observer: O,
    watches_steps: bool,
    failed: &'a AtomicBool,
}

impl<'a, O: Observer> UntilFailure<'a, O> {
    fn new(observer: O, failed: &'a AtomicBool) -> Self {
        Self { watches_steps: observer.watches_steps(), observer, failed }
    }
}

impl<O: Observer> Observer for UntilFailure<'_, O> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        let answer = match event {
            Event::Step { .. } if !self.watches_steps => ControlFlow::Continue(()),
            _ => self.observer.on_event(event)?,
        };
        Ok(if self.failed.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { answer })
    }

    fn watches_steps(&self) -> bool {
        true
    }
}

/// More seeds than anybody trains at once.
const MOST_SEEDS: u64 = 100_000;

fn seeds(first: u64, count: u64) -> Result<Vec<u64>, ConfigError> {
    if !(1..=MOST_SEEDS).contains(&count) {
        return Err(ConfigError::new("--seeds", format!("found {count}, allowed is 1 to {MOST_SEEDS}")));
    }
    match first.checked_add(count - 1) {
        Some(last) => Ok((first..=last).collect()),
        None => Err(ConfigError::new(
            "--seeds",
            format!("{count} seeds from {first} on go beyond the greatest seed, which is {}", u64::MAX),
        )),
    }
}

fn run_path(parent: &Path, seed: u64) -> PathBuf {
    parent.join(format!("s{seed}"))
}
