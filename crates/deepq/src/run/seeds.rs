//! Several seeds of one configuration, trained side by side.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rayon::prelude::*;
use serde::Serialize;

use super::session::{RunSummary, TrainRequest, train};
use crate::events::Observer;
use crate::statistics::{self, StratifiedBootstrap};
use crate::{Error, RunDirectory};

/// What came of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedsSummary {
    /// The runs, in the order of their seeds.
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
/// As [`train`]; the other seeds are then stopped.
pub fn train_seeds<O: Observer>(
    request: &TrainRequest,
    count: u64,
    observer: impl Fn(u64) -> O + Sync,
) -> Result<SeedsSummary, Error> {
    let seeds: Vec<u64> = (0..count).map(|i| request.seed.wrapping_add(i)).collect();
    let runs: Result<Vec<RunSummary>, Error> = seeds
        .into_par_iter()
        .with_max_len(1)
        .map(|seed| {
            let out = Some(match &request.out {
                Some(parent) => parent.join(format!("s{seed}")),
                None => fresh(request, seed),
            });
            let outcome = train(&TrainRequest { seed, out, ..request.clone() }, &mut observer(seed));
            if outcome.is_err() {
                request.stop_flag.store(true, Ordering::Relaxed);
            }
            outcome
        })
        .collect();
    let runs = runs?;
    let means: Option<Vec<f64>> = runs.iter().map(|run| run.eval.as_ref().map(|eval| eval.mean)).collect();
    Ok(SeedsSummary { eval: means.and_then(|means| AcrossSeeds::of(&means)), runs })
}

fn fresh(request: &TrainRequest, seed: u64) -> PathBuf {
    RunDirectory::fresh_path(&request.config.env.id, &request.config.algo, seed)
}
