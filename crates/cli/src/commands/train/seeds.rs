//! Several seeds of one recipe.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use deepq::Progress;
use deepq::events::{Answer, Event, Observer};
use deepq::run::{AcrossSeeds, RunStatus, RunSummary, TrainRequest, train_seeds};
use deepq_view::report::write_report;
use serde_json::json;

use super::{fresh_page, how_to_film};
use crate::args::Train;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, path_json};
use crate::progress::{duration, memory, thousands};

/// Tells when one run of several has ended.
pub(super) struct SeedNote<'a> {
    /// What stands before the seed.
    label: String,
    seed: u64,
    count: u64,
    ended: &'a Mutex<u64>,
    output: &'a Output,
    began: Instant,
    progress: Progress,
    /// Whether this is the one that tells of its memory: all seeds take the same.
    tells_memory: bool,
}

impl<'a> SeedNote<'a> {
    pub(super) fn new(
        label: impl Into<String>,
        seed: u64,
        count: u64,
        ended: &'a Mutex<u64>,
        output: &'a Output,
    ) -> Self {
        let (label, began, progress) = (label.into(), Instant::now(), Progress::default());
        Self { label, seed, count, ended, output, began, progress, tells_memory: false }
    }

    /// The same, telling of its memory if it is that of the seed `first`.
    pub(super) fn telling_memory_of(mut self, first: u64) -> Self {
        self.tells_memory = self.seed == first;
        self
    }
}

impl Observer for SeedNote<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::Beginning(trainer) if self.tells_memory => {
                self.output.note(format!("{}each run: {}", self.label, memory(&trainer.memory())));
            }
            Event::EpisodeEnded(ended) => self.progress = ended.progress,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A run lets go of its observer when all of it is over, the final evaluation included.
impl Drop for SeedNote<'_> {
    fn drop(&mut self) {
        // Held while it is told, so that the count never goes back.
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended += 1;
        self.output.note(format!(
            "{}seed {:>4}  ended after {} episodes, {}  ({ended} of {})",
            self.label,
            self.seed,
            thousands(self.progress.episodes as f64),
            duration(self.began.elapsed().as_secs_f64()),
            self.count
        ));
    }
}

pub(super) fn run_seeds(
    args: &Train,
    request: &TrainRequest,
    count: u64,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let last = args.seed.saturating_add(count - 1);
    let ended = Mutex::new(0);
    let seeds = match count {
        1 => format!("seed {last}"),
        _ => format!("seeds {} to {last}, side by side", args.seed),
    };
    output.note(format!("training {} on {} with {seeds}", request.preset, request.config.env.id));
    let summary = train_seeds(request, count, |seed| {
        SeedNote::new("", seed, count, &ended, output).telling_memory_of(args.seed)
    })?;
    let paths: Vec<PathBuf> = summary.runs.iter().map(|run| run.run.clone()).collect();
    interrupt.end_at_once();
    let mut json = json!(summary);
    let Some(eval) = &summary.eval else {
        output.result(&json, &stopped(&summary.runs))?;
        return Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS));
    };
    let report = report_path(request, &paths);
    write_report(&paths, &report)?;
    json["report"] = path_json(&report);
    let how_to_film = how_to_film(request, &paths[0]);
    let text = format!("{}\nreport {}{how_to_film}", finished(&summary.runs, eval), report.display());
    output.result(&json, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// One line for each run, and one for all of them.
fn finished(runs: &[RunSummary], eval: &AcrossSeeds) -> String {
    let line = |run: &RunSummary| {
        let mean = run.eval.as_ref().map_or(f64::NAN, |eval| eval.mean);
        format!(
            "seed {:>4}  mean return {mean:>7.1}  {:>9} env steps  {}\n",
            run.seed,
            thousands(run.env_steps as f64),
            duration(run.wall_s)
        )
    };
    let AcrossSeeds { seeds, mean, iqm, ci95 } = eval;
    let lines: String = runs.iter().map(line).collect();
    match ci95 {
        None => format!("{lines}1 seed: mean {mean:.1}; several would tell an interval"),
        Some((low, high)) => format!(
            "{lines}{seeds} seeds: mean {mean:.1}, IQM {iqm:.1}, 95 % interval of the IQM {low:.1} to {high:.1}"
        ),
    }
}

/// One line for each run that had begun.
pub(super) fn stopped(runs: &[RunSummary]) -> String {
    let line = |run: &RunSummary| {
        let how = if run.status == RunStatus::Interrupted { "stopped" } else { "finished" };
        format!(
            "seed {:>4}  {how} after {} env steps  {}",
            run.seed,
            thousands(run.env_steps as f64),
            run.run.display()
        )
    };
    runs.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The report on several runs stands beside their folders.
fn report_path(request: &TrainRequest, paths: &[PathBuf]) -> PathBuf {
    let parent = request.out.clone().or_else(|| paths.first()?.parent().map(Path::to_owned));
    let parent = parent.unwrap_or_default();
    match &request.out {
        Some(_) => fresh_page(&parent, "report"),
        None => fresh_page(&parent, &format!("report-{}-s{}", request.preset, request.seed)),
    }
}
