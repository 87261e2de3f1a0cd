//! Runs compared: by environment, and within it by recipe.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::directory::{RunDirectory, RunInfo, RunStatus};
use super::metrics::EvaluationLine;
use super::seeds::AcrossSeeds;
use crate::Error;
use crate::statistics::{StratifiedBootstrap, probability_of_improvement};

/// Fewer seeds than these say little (Agarwal et al. 2021 find the intervals of so few too narrow).
pub const FEW_SEEDS: usize = 5;

/// How groups of runs compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The groups, by environment in the order in which these come, and within it in the order in which they come.
    pub groups: Vec<ComparedGroup>,
    /// Every pair of groups of one environment.
    pub improvement: Vec<Improvement>,
    /// What stands in the way of a fair comparison.
    pub warnings: Vec<String>,
}

/// Runs of one environment, one algorithm and one preset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedGroup {
    /// The environment's id.
    pub env: String,
    /// The algorithm.
    pub algo: String,
    /// The preset.
    pub preset: String,
    /// What the group is called: its algorithm, and behind a slash its preset where that has another name.
    pub label: String,
    /// How many runs.
    pub seeds: usize,
    /// The mean of the scores.
    pub mean: f64,
    /// Their interquartile mean.
    pub iqm: f64,
    /// The 95 % bootstrap interval of the interquartile mean; null for a single run, which tells nothing of others.
    pub ci95: Option<(f64, f64)>,
    /// The least score.
    pub min: f64,
    /// The greatest score.
    pub max: f64,
    /// The score of each run: the mean return of its final evaluation.
    pub scores: Vec<f64>,
    /// The runs.
    #[serde(serialize_with = "lossy")]
    pub runs: Vec<PathBuf>,
}

/// How probable it is that a run of one group scores more than one of another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Improvement {
    /// The environment's id.
    pub env: String,
    /// The label of the one group.
    pub x: String,
    /// The label of the other.
    pub y: String,
    /// The probability that a run of `x` scores more than one of `y`; equal scores count one half.
    pub probability: f64,
    /// Its 95 % bootstrap interval; null where a group has a single run.
    pub ci95: Option<(f64, f64)>,
}

/// JSON knows no bytes that are not UTF-8: in a path they are replaced.
fn lossy<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

impl Comparison {
    /// Compares the runs in these folders: run directories, or folders with run directories at any depth. A run
    /// that is named twice counts once. One that cannot be read or whose final policy was not judged is left out,
    /// with a warning.
    ///
    /// # Errors
    /// Where a folder is none or holds no run, or none of them was judged and can be read.
    pub fn of(paths: &[PathBuf]) -> Result<Self, Error> {
        let (judged, mut warnings) = judged(paths)?;
        let groups = grouped(&judged);
        let compared: Vec<ComparedGroup> = groups.iter().filter_map(|runs| ComparedGroup::of(runs)).collect();
        warnings.extend(groups.iter().flat_map(|runs| unlike_each_other(runs)));
        warnings.extend(unlike_tasks(&groups));
        warnings.extend(few_seeds(&compared));
        let improvement = pairs(&compared).filter_map(|(x, y)| Improvement::of(x, y)).collect();
        Ok(Self { groups: compared, improvement, warnings })
    }

    /// The environments, in the order in which they come.
    pub fn envs(&self) -> Vec<&str> {
        let mut envs: Vec<&str> = vec![];
        for group in &self.groups {
            if !envs.contains(&group.env.as_str()) {
                envs.push(&group.env);
            }
        }
        envs
    }

    /// The pairs of groups of `env`.
    pub fn pairs_of(&self, env: &str) -> Vec<&Improvement> {
        self.improvement.iter().filter(|pair| pair.env == env).collect()
    }

    /// How the group `x` of `env` compares with its group `y`, whichever of them comes first.
    pub fn improvement_of(&self, env: &str, x: &str, y: &str) -> Option<Improvement> {
        self.pairs_of(env).into_iter().find_map(|pair| {
            if pair.x == x && pair.y == y {
                Some(pair.clone())
            } else if pair.x == y && pair.y == x {
                Some(pair.turned())
            } else {
                None
            }
        })
    }

    /// How the group of `env` with the greatest interquartile mean compares with each of the others.
    pub fn best_over_others(&self, env: &str) -> Vec<Improvement> {
        let groups = || self.groups.iter().filter(|group| group.env == env);
        let Some(best) = groups().max_by(|a, b| a.iqm.total_cmp(&b.iqm)) else { return vec![] };
        groups().filter_map(|other| self.improvement_of(env, &best.label, &other.label)).collect()
    }
}

/// The runs in these folders that were judged, and a warning for each of the others.
fn judged(paths: &[PathBuf]) -> Result<(Vec<Judged>, Vec<String>), Error> {
    let (mut judged, mut left_out, mut of_damage) = (vec![], vec![], None);
    for path in runs_in(paths)? {
        let reason = match Judged::read(&path) {
            Ok(Ok(run)) => {
                judged.push(run);
                continue;
            }
            Ok(Err(reason)) => reason,
            Err(error) => {
                let reason = error.to_string();
                of_damage = of_damage.or(error.help());
                reason
            }
        };
        left_out.push(format!("{} is left out: {reason}", path.display()));
    }
    if judged.is_empty() {
        let path = paths.first().map_or(Path::new(""), |path| path);
        let unfinished = "a run is judged when it comes to its end: let one finish, or train again";
        let message = format!("there is nothing to compare: {}", left_out.join("; "));
        return Err(Error::run(path, message, of_damage.unwrap_or_else(|| unfinished.to_owned())));
    }
    Ok((judged, left_out))
}

/// All runs in these folders, each once.
fn runs_in(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let (mut seen, mut runs) = (vec![], vec![]);
    for path in paths {
        let found = match (path.is_dir(), RunDirectory::is_run(path)) {
            (true, false) => RunDirectory::find_all(path),
            (true, true) => vec![path.clone()],
            (false, _) => vec![RunDirectory::open(path)?.path().to_owned()],
        };
        if found.is_empty() {
            let help =
                "give run directories, or a folder that holds some; `deepq list runs --below DIR` shows them";
            return Err(Error::run(path, "there is no run in this folder", help));
        }
        for run in found {
            let canonical = run.canonicalize().unwrap_or_else(|_| run.clone());
            if !seen.contains(&canonical) {
                seen.push(canonical);
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

/// A run whose final policy was judged.
struct Judged {
    path: PathBuf,
    info: RunInfo,
    score: f64,
    settings: BTreeMap<String, String>,
}

impl Judged {
    /// Reads a run; the inner error says why it has no score.
    fn read(path: &Path) -> Result<Result<Self, String>, Error> {
        let run = RunDirectory::open(path)?;
        let info = run.info()?;
        let lines = run.evaluations_so_far()?;
        let is_final = |line: &&EvaluationLine| line.is_final;
        let Some(line) = lines.iter().rev().find(is_final) else {
            return Ok(Err(why_not_judged(&info)));
        };
        let (score, settings) = (line.summary.mean, settings(path)?);
        Ok(Ok(Self { path: path.to_owned(), info, score, settings }))
    }

    fn label(&self) -> String {
        let RunInfo { algo, preset, .. } = &self.info;
        if algo == preset { algo.clone() } else { format!("{algo}/{preset}") }
    }
}

fn why_not_judged(info: &RunInfo) -> String {
    let how = match info.status {
        RunStatus::Running => "it is still training, or was killed",
        RunStatus::Finished => "it has no final evaluation",
        RunStatus::Interrupted => "it was interrupted",
        RunStatus::Failed => "it failed",
    };
    match &info.error {
        Some(error) => format!("{how} ({error})"),
        None => how.to_owned(),
    }
}

/// What `config.toml` says, one entry for each setting. Files that a version of deepq wrote which knew other
/// settings are read as well.
fn settings(run: &Path) -> Result<BTreeMap<String, String>, Error> {
    let path = run.join("config.toml");
    let text = fs::read_to_string(&path).map_err(|error| Error::io("cannot read", &path, error))?;
    let table: toml::Table = text.parse().map_err(|error| Error::damaged(&path, error))?;
    let mut settings = BTreeMap::new();
    flatten("", &table, &mut settings);
    match settings.contains_key("env.id") {
        true => Ok(settings),
        false => Err(Error::damaged(&path, "it has no env.id")),
    }
}

fn flatten(prefix: &str, table: &toml::Table, settings: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, settings),
            value => {
                settings.insert(key, value.to_string());
            }
        }
    }
}

/// The runs by environment, algorithm and preset.
fn grouped(runs: &[Judged]) -> Vec<Vec<&Judged>> {
    let mut groups: Vec<Vec<&Judged>> = vec![];
    let env = |group: &[&Judged]| group[0].info.env.clone();
    for run in runs {
        let is_same =
            |group: &&mut Vec<&Judged>| env(group) == run.info.env && group[0].label() == run.label();
        if let Some(group) = groups.iter_mut().find(is_same) {
            group.push(run);
            continue;
        }
        // Behind the last group of its environment.
        let place = groups.iter().rposition(|group| env(group) == run.info.env);
        groups.insert(place.map_or(groups.len(), |place| place + 1), vec![run]);
    }
    groups
}

impl ComparedGroup {
    fn of(runs: &[&Judged]) -> Option<Self> {
        let first = runs.first()?;
        let scores: Vec<f64> = runs.iter().map(|run| run.score).collect();
        let AcrossSeeds { mean, iqm, ci95, seeds } = AcrossSeeds::of(&scores)?;
        Some(Self {
            env: first.info.env.clone(),
            algo: first.info.algo.clone(),
            preset: first.info.preset.clone(),
            label: first.label(),
            seeds,
            mean,
            iqm,
            ci95,
            min: scores.iter().copied().fold(f64::INFINITY, f64::min),
            max: scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs: runs.iter().map(|run| run.path.clone()).collect(),
            scores,
        })
    }
}

/// One warning for each environment in which groups have few seeds.
fn few_seeds(groups: &[ComparedGroup]) -> Vec<String> {
    let few = groups.iter().filter(|group| group.seeds < FEW_SEEDS);
    let by_env: Vec<Vec<&ComparedGroup>> = few.fold(vec![], |mut by_env, group| {
        match by_env.last_mut().filter(|groups| groups[0].env == group.env) {
            Some(groups) => groups.push(group),
            None => by_env.push(vec![group]),
        }
        by_env
    });
    let told = |groups: &Vec<&ComparedGroup>| {
        let each: Vec<String> =
            groups.iter().map(|group| format!("{} ({})", group.label, group.seeds)).collect();
        let (env, each) = (&groups[0].env, each.join(", "));
        format!(
            "{env} has few seeds of {each}: with fewer than {FEW_SEEDS} a difference may be luck, and an interval is too narrow"
        )
    };
    by_env.iter().map(told).collect()
}

/// Every two groups of one environment.
fn pairs(groups: &[ComparedGroup]) -> impl Iterator<Item = (&ComparedGroup, &ComparedGroup)> {
    let later = |(index, x)| groups[index + 1..].iter().map(move |y| (x, y));
    groups.iter().enumerate().flat_map(later).filter(|(x, y)| x.env == y.env)
}

impl Improvement {
    fn of(x: &ComparedGroup, y: &ComparedGroup) -> Option<Self> {
        let (of_x, of_y) = ([&x.scores[..]], [&y.scores[..]]);
        let interval =
            || StratifiedBootstrap::default().interval_of_two(&of_x, &of_y, probability_of_improvement);
        Some(Self {
            env: x.env.clone(),
            x: x.label.clone(),
            y: y.label.clone(),
            probability: probability_of_improvement(&of_x, &of_y)?,
            ci95: if x.seeds > 1 && y.seeds > 1 { interval() } else { None },
        })
    }

    /// The same of `y` over `x`.
    pub fn turned(&self) -> Self {
        Self {
            env: self.env.clone(),
            x: self.y.clone(),
            y: self.x.clone(),
            probability: 1.0 - self.probability,
            ci95: self.ci95.map(|(low, high)| (1.0 - high, 1.0 - low)),
        }
    }
}

/// Warnings on runs of one group that are not alike in all but their seed.
fn unlike_each_other(runs: &[&Judged]) -> Vec<String> {
    let name = format!("{}, {}", runs[0].info.env, runs[0].label());
    let mut warnings = vec![];
    let mut seeds: Vec<u64> = runs.iter().map(|run| run.info.seed).collect();
    seeds.sort_unstable();
    let mut twice: Vec<u64> =
        seeds.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    if let [first, ..] = &twice[..] {
        let more = match twice.len() - 1 {
            0 => String::new(),
            more => format!(" (so are {more} others)"),
        };
        warnings.push(format!("{name}: seed {first} is there more than once{more}, and counts as often"));
    }
    let decides = |key: &str| !NO_MATTER.iter().any(|section| key.starts_with(section));
    let other = runs[1..].iter().find_map(|run| Some((run, difference(runs[0], run, decides)?)));
    if let Some((run, difference)) = other {
        let (a, b) = (runs[0].path.display(), run.path.display());
        warnings.push(format!(
            "{name}: the runs have not all the same settings: {a} and {b} differ in {difference}"
        ));
    }
    warnings
}

/// Sections that never change what is learned or how it is judged.
const NO_MATTER: [&str; 6] =
    ["engine.", "recording.", "log.", "checkpoint.", "env.threads", "env.step_limit_s"];

/// What must be alike for scores to be comparable: what was to be learned, in how many steps, and the judgement.
const TASK: [&str; 5] =
    ["env.options", "env.wrappers", "env.action_masks", "stop.", "evaluation.final_episodes"];

/// Warnings on groups of one environment that did not learn the same task for the same time.
fn unlike_tasks(groups: &[Vec<&Judged>]) -> Vec<String> {
    let belongs = |key: &str| TASK.iter().any(|prefix| key.starts_with(prefix));
    let mut warnings: Vec<String> = vec![];
    for (index, group) in groups.iter().enumerate() {
        let (run, env) = (group[0], &group[0].info.env);
        let Some(first) = groups[..index].iter().map(|group| group[0]).find(|other| other.info.env == *env)
        else {
            continue;
        };
        if let Some(difference) = difference(first, run, belongs) {
            let (a, b) = (first.label(), run.label());
            warnings.push(format!(
                "{env}: {a} and {b} were not trained or judged alike: they differ in {difference}"
            ));
        }
    }
    warnings
}

/// The settings in which two runs differ, of those whose key is asked for, as far as one can read them.
fn difference(a: &Judged, b: &Judged, asked: impl Fn(&str) -> bool) -> Option<String> {
    let keys = a.settings.keys().chain(b.settings.keys().filter(|key| !a.settings.contains_key(*key)));
    let value = |run: &Judged, key: &str| run.settings.get(key).map_or("nothing".to_owned(), String::clone);
    let differ = |key: &&String| asked(key) && a.settings.get(*key) != b.settings.get(*key);
    let told: Vec<String> =
        keys.filter(differ).map(|key| format!("{key} ({} and {})", value(a, key), value(b, key))).collect();
    match told.len() {
        0 => None,
        1..=3 => Some(told.join(", ")),
        more => Some(format!("{} and {} more", told[..3].join(", "), more - 3)),
    }
}
