//! What a report reads of a run.

use std::fs;
use std::path::{Path, PathBuf};

use deepq::run::{EvaluationLine, MetricsLine, RunInfo};
use deepq::{Config, Error, RunDirectory};

use super::thin::{Point, moving_mean};
use crate::ViewError;
use crate::recorder::{self, Listed};

/// No page holds more videos than these, and no more bytes of them.
const MOST_VIDEOS: usize = 5;
const MOST_VIDEO_BYTES: u64 = 32 << 20;

/// A run, read from its files.
pub(super) struct RunData {
    pub(super) path: PathBuf,
    pub(super) info: RunInfo,
    /// `config.toml` as it stands there.
    pub(super) config_text: String,
    /// What it says, where it can be used.
    pub(super) config: Option<Config>,
    pub(super) metrics: Vec<MetricsLine>,
    pub(super) evaluations: Vec<EvaluationLine>,
    /// Why there are no metrics, where their file is damaged.
    pub(super) without_metrics: Option<String>,
}

impl RunData {
    pub(super) fn read(path: &Path) -> Result<Self, ViewError> {
        let run = RunDirectory::open(path)?;
        Ok(Self { metrics: or_nothing_yet(run.metrics())?, ..Self::but_for_metrics(path, &run)? })
    }

    /// As [`read`](Self::read), for a page that can do without the metrics: that they are damaged is kept.
    pub(super) fn read_for_comparison(path: &Path) -> Result<Self, ViewError> {
        let run = RunDirectory::open(path)?;
        let (metrics, without_metrics) = match or_nothing_yet(run.metrics()) {
            Ok(metrics) => (metrics, None),
            Err(error) => (vec![], Some(error.to_string())),
        };
        Ok(Self { metrics, without_metrics, ..Self::but_for_metrics(path, &run)? })
    }

    fn but_for_metrics(path: &Path, run: &RunDirectory) -> Result<Self, ViewError> {
        let config_path = path.join("config.toml");
        let config_text = fs::read_to_string(&config_path).map_err(|source| Error::Io {
            action: "cannot read",
            path: config_path,
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            info: run.info()?,
            config: Config::from_toml(&config_text, "config.toml").ok(),
            config_text,
            metrics: vec![],
            evaluations: or_nothing_yet(run.evaluations())?,
            without_metrics: None,
        })
    }

    /// The judgement of the policy that the run ended with.
    pub(super) fn final_evaluation(&self) -> Option<&EvaluationLine> {
        self.evaluations.iter().rev().find(|line| line.is_final)
    }

    /// The mean returns of the evaluations while training.
    pub(super) fn evaluation_curve(&self) -> Vec<Point> {
        let lines = self.evaluations.iter().filter(|line| !line.is_final);
        lines.map(|line| (line.env_steps as f64, line.summary.mean)).collect()
    }

    /// One value an episode, where there is one.
    pub(super) fn curve(&self, value: impl Fn(&MetricsLine) -> Option<f64>) -> Vec<Point> {
        let point = |line: &MetricsLine| Some((line.env_steps as f64, value(line)?));
        self.metrics.iter().filter_map(point).collect()
    }

    /// The moving mean of the returns while training, and over how many episodes it is.
    pub(super) fn smooth_returns(&self) -> (Vec<Point>, usize) {
        let window = if self.metrics.len() < 400 { 20 } else { 100 };
        (moving_mean(&self.curve(|line| Some(line.episodic_return)), window), window)
    }

    /// Env steps, gradient steps and episodes: those at the end, or those of the last episode.
    pub(super) fn progress(&self) -> (u64, u64, u64) {
        let last = self.metrics.last();
        (
            self.info.env_steps.or(last.map(|line| line.env_steps)).unwrap_or(0),
            self.info.gradient_steps.or(last.map(|line| line.gradient_steps)).unwrap_or(0),
            self.info.episodes.or(last.map(|line| line.episodes)).unwrap_or(0),
        )
    }

    /// Seconds of training.
    pub(super) fn wall_s(&self) -> Option<f64> {
        self.info.wall_s.or(self.metrics.last().map(|line| line.wall_s))
    }

    /// The configuration, one `section.key = value` a line, to compare.
    pub(super) fn settings(&self) -> Vec<String> {
        let mut section = "";
        let mut settings = vec![];
        for line in self.config_text.lines().map(str::trim) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => section = name,
                None if line.is_empty() || line.starts_with('#') => {}
                None if section.is_empty() => settings.push(line.to_owned()),
                None => settings.push(format!("{section}.{line}")),
            }
        }
        settings
    }

    /// The videos of the run, the first ones of them, and how many more there are.
    pub(super) fn videos(&self) -> Result<(Vec<Video>, usize), ViewError> {
        let folder = self.path.join("videos");
        let listed = recorder::listed(&folder);
        let numbers = video_numbers(&folder);
        let (mut videos, mut bytes_left) = (vec![], MOST_VIDEO_BYTES);
        for number in numbers.iter().take(MOST_VIDEOS) {
            let name = recorder::file_name(*number);
            let path = folder.join(&name);
            // Not followed where it is a link: the page may be handed on, and must not carry other files.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if !metadata.is_file() || metadata.len() > bytes_left {
                continue;
            }
            let bytes =
                fs::read(&path).map_err(|source| Error::Io { action: "cannot read", path, source })?;
            if bytes.get(4..8) == Some(b"ftyp") {
                bytes_left = bytes_left.saturating_sub(bytes.len() as u64);
                let listed = listed.iter().find(|listed| listed.file == name).cloned();
                videos.push(Video { number: *number, bytes, listed });
            }
        }
        let left_out = numbers.len() - videos.len();
        Ok((videos, left_out))
    }
}

/// A video of a run.
pub(super) struct Video {
    pub(super) number: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) listed: Option<Listed>,
}

fn video_numbers(folder: &Path) -> Vec<usize> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut numbers: Vec<usize> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("rl-video-episode-")?.strip_suffix(".mp4")?.parse().ok()?;
            (recorder::file_name(number) == name).then_some(number)
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// A run that failed early has no such file.
fn or_nothing_yet<T>(lines: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match lines {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
        lines => lines,
    }
}

/// Runs of one environment, one preset and the same settings.
pub(super) struct Group<'a> {
    pub(super) runs: Vec<&'a RunData>,
}

impl<'a> Group<'a> {
    /// Groups runs, in the order in which they come.
    pub(super) fn of(runs: &'a [RunData]) -> Vec<Self> {
        let mut groups: Vec<Self> = vec![];
        for run in runs {
            let belongs = |group: &&mut Self| {
                let first = group.first();
                first.info.env == run.info.env
                    && first.info.preset == run.info.preset
                    && first.settings() == run.settings()
            };
            match groups.iter_mut().find(belongs) {
                Some(group) => group.runs.push(run),
                None => groups.push(Self { runs: vec![run] }),
            }
        }
        groups
    }

    /// The first run; there is one in every group.
    pub(super) fn first(&self) -> &'a RunData {
        self.runs[0]
    }

    /// What the runs have in common.
    pub(super) fn name(&self) -> String {
        format!("{}, preset {}", self.first().info.env, self.first().info.preset)
    }

    /// The final mean return of every run that has one.
    pub(super) fn final_means(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|run| Some(run.final_evaluation()?.summary.mean)).collect()
    }

    /// A curve for each run, and what it shows. Evaluations where every run has some: they judge the policy alone,
    /// without the random actions of training.
    pub(super) fn curves(&self) -> (Vec<Vec<Point>>, CurveKind) {
        let evaluations: Vec<_> = self.runs.iter().map(|run| run.evaluation_curve()).collect();
        if evaluations.iter().all(|curve| curve.len() >= 2) {
            return (evaluations, CurveKind::Evaluations);
        }
        (self.runs.iter().map(|run| run.smooth_returns().0).collect(), CurveKind::MovingMeans)
    }
}

/// What the curves of several runs show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CurveKind {
    /// The mean returns of the evaluations while training.
    Evaluations,
    /// The moving means of the returns of training.
    MovingMeans,
}
