//! Several seeds of one recipe.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use deepq::Progress;
use deepq::events::{Answer, Event, Observer};
use deepq::run::{AcrossSeeds, RunStatus, RunSummary, TrainRequest, train_seeds};
use deepq_view::report::{duration, write_report};
use serde_json::json;

use super::{fresh_page, how_to_film};
use crate::args::Train;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, compare_command, path_json};
use crate::progress::{memory, thousands};

/// What is told of several runs while they go on: how many there are when the first begins, and when each has ended.
pub(super) struct SeedNotes<'a> {
    /// Told when the first run begins, and not where none does.
    announcement: Mutex<Option<String>>,
    ended: Mutex<u64>,
    count: u64,
    /// All seeds take the same memory: it is told of this one.
    tells_memory_of: u64,
    output: &'a Output,
}

impl<'a> SeedNotes<'a> {
    pub(super) fn new(announcement: String, count: u64, tells_memory_of: u64, output: &'a Output) -> Self {
        let (announcement, ended) = (Mutex::new(Some(announcement)), Mutex::new(0));
        Self { announcement, ended, count, tells_memory_of, output }
    }

    /// The observer of one run; `label` stands before its seed.
    pub(super) fn of(&'a self, label: impl Into<String>, seed: u64) -> SeedNote<'a> {
        let progress = Progress::default();
        SeedNote { notes: self, label: label.into(), seed, began: None, progress }
    }

    fn announce(&self) {
        // Held while it is told, so that it stands before what the other runs tell.
        let mut announcement = self.announcement.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(announcement) = announcement.take() {
            self.output.note(announcement);
        }
    }
}

/// Tells when one run of several has ended.
pub(super) struct SeedNote<'a> {
    notes: &'a SeedNotes<'a>,
    label: String,
    seed: u64,
    /// None where the run could not begin.
    began: Option<Instant>,
    progress: Progress,
}

impl Observer for SeedNote<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::Beginning(trainer) => {
                self.began = Some(Instant::now());
                self.notes.announce();
                if self.seed == self.notes.tells_memory_of {
                    let memory = memory(&trainer.memory());
                    self.notes.output.note(format!("{}each run: {memory}", self.label));
                }
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
        let Some(began) = self.began else { return };
        // Held while it is told, so that the count never goes back.
        let mut ended = self.notes.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended += 1;
        self.notes.output.note(format!(
            "{}seed {:>4}  ended after {} episodes, {}  ({ended} of {})",
            self.label,
            self.seed,
            thousands(self.progress.episodes as f64),
            duration(began.elapsed().as_secs_f64()),
            self.notes.count
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
    let seeds = match count {
        1 => format!("seed {last}"),
        _ => format!("seeds {} to {last}, side by side", args.seed),
    };
    let announcement = format!("training {} on {} with {seeds}", request.preset, request.config.env.id);
    let notes = SeedNotes::new(announcement, count, args.seed, output);
    let summary = train_seeds(request, count, |seed| notes.of("", seed))?;
    let paths: Vec<PathBuf> = summary.runs.iter().map(|run| run.run.clone()).collect();
    interrupt.end_at_once();
    let mut json = json!(summary);
    let Some(eval) = &summary.eval else {
        json["status"] = json!(RunStatus::Interrupted);
        output.result(&json, &stopped(count as usize, &summary.runs))?;
        return Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS));
    };
    let report = report_path(request, &paths);
    write_report(&paths, &report)?;
    json["status"] = json!(RunStatus::Finished);
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

/// What several runs that were stopped leave: a line for each that had begun, and how those can be compared that
/// finished.
pub(super) fn stopped(planned: usize, runs: &[RunSummary]) -> String {
    let line = |run: &RunSummary| {
        let how = if run.status == RunStatus::Interrupted { "stopped" } else { "finished" };
        let steps = thousands(run.env_steps as f64);
        format!("seed {:>4}  {how} after {steps} env steps  {}\n", run.seed, run.run.display())
    };
    let lines: String = runs.iter().map(line).collect();
    let finished: Vec<PathBuf> =
        runs.iter().filter(|run| run.eval.is_some()).map(|run| run.run.clone()).collect();
    let count = format!("{} of {planned} runs finished, {} not begun", finished.len(), planned - runs.len());
    match finished.is_empty() {
        true => lines + &count,
        false => format!("{lines}{count}; to compare those that finished:\n{}", compare_command(&finished)),
    }
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
