//! Several runs, trained side by side: seeds of one configuration, or any.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::directory::RunStatus;
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
    /// The 95 % stratified bootstrap interval of the interquartile mean; null for a single seed, which tells nothing of
    /// others.
    pub ci95: Option<(f64, f64)>,
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
            ci95: match scores {
                [_] => None,
                scores => Some(bootstrap.interval(&[scores], statistics::interquartile_mean)?),
            },
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
/// As [`train_all`].
pub fn train_seeds<O: Observer>(
    request: &TrainRequest,
    count: u64,
    observer: impl Fn(u64) -> O + Sync,
) -> Result<SeedsSummary, Error> {
    let runs = train_all(&seed_requests(request, count)?, |request| observer(request.seed))?;
    let all = runs.iter().all(Option::is_some);
    let runs: Vec<RunSummary> = runs.into_iter().flatten().collect();
    let means: Option<Vec<f64>> = runs.iter().map(|run| run.eval.as_ref().map(|eval| eval.mean)).collect();
    Ok(SeedsSummary { eval: means.filter(|_| all).and_then(|means| AcrossSeeds::of(&means)), runs })
}

/// A request for each of `count` seeds from the request's on, whose folder is the parent of theirs.
///
/// # Errors
/// Where there are no such seeds.
pub fn seed_requests(request: &TrainRequest, count: u64) -> Result<Vec<TrainRequest>, Error> {
    let with_seed = |seed| {
        let out = request.out.as_ref().map(|parent| run_path(parent, seed));
        TrainRequest { seed, out, ..request.clone() }
    };
    Ok(seeds(request.seed, count)?.into_iter().map(with_seed).collect())
}

/// Trains all these runs, as many side by side as there are cores: what came of each, in the same order, and
/// `None` for those that had not begun when a stop flag was set.
///
/// `observer` makes the observer of each run.
///
/// # Errors
/// As [`train`]. Where what failed is a run's own, its learning or its environment, the others go on to their end
/// first; for any other reason, a full disk say, they are stopped, and the requests' stop flags stay as they are.
/// Where a configuration or a folder cannot be used, no run begins.
pub fn train_all<O: Observer>(
    requests: &[TrainRequest],
    observer: impl Fn(&TrainRequest) -> O + Sync,
) -> Result<Vec<Option<RunSummary>>, Error> {
    // Before the first begins, so that none is stopped for another's sake.
    for request in requests {
        request.config.validate()?;
        if let Some(out) = request.out.as_deref() {
            RunDirectory::check_free(out)?;
            RunDirectory::check_in_no_run(out)?;
        }
    }
    let failed = AtomicBool::new(false);
    let at_once = requests.len().min(rayon::current_num_threads());
    let outcomes: Vec<Result<Option<RunSummary>, Error>> = requests
        .par_iter()
        .with_max_len(1)
        .map(|request| {
            if request.stop_flag.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let mut observer = UntilFailure::new(observer(request), &failed);
            let runs_at_once = request.runs_at_once.max(at_once);
            let outcome = train(&TrainRequest { runs_at_once, ..request.clone() }, &mut observer);
            if outcome.as_ref().is_err_and(|error| !is_its_own(error)) {
                failed.store(true, Ordering::Relaxed);
            }
            outcome.map(Some)
        })
        .collect();
    match requests.len() {
        1 => outcomes.into_iter().collect(),
        _ => all_or_first_failure(requests, outcomes),
    }
}

/// Whether a failure says nothing of the other runs.
fn is_its_own(error: &Error) -> bool {
    matches!(error, Error::Diverged { .. } | Error::Env(_))
}

/// Says in which of several runs something went wrong, and which have finished.
fn all_or_first_failure(
    requests: &[TrainRequest],
    outcomes: Vec<Result<Option<RunSummary>, Error>>,
) -> Result<Vec<Option<RunSummary>>, Error> {
    let has_finished = |run: &&RunSummary| run.status == RunStatus::Finished;
    let runs = outcomes.iter().flatten().flatten();
    let finished: Vec<PathBuf> = runs.filter(has_finished).map(|run| run.run.clone()).collect();
    let of_one = |(request, outcome): (&TrainRequest, Result<_, Error>)| {
        outcome.map_err(|error| Error::OneOfSeveral {
            preset: request.preset.clone(),
            seed: request.seed,
            finished: finished.clone(),
            source: Box::new(error),
        })
    };
    requests.iter().zip(outcomes).map(of_one).collect()
}

/// Interrupts a run when another has failed in a way that concerns all. The request's flag is its caller's, who may use it again.
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
