//! Training a run from its configuration to its last evaluation, with everything on disk.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deepq_core::network::Parameters;
use deepq_core::{CallMonitor, EnvFailure, Progress};
use deepq_cpu::InstructionSet;
use deepq_envs::Registry;
use serde::Serialize;
use time::OffsetDateTime;

use super::directory::{RunDirectory, RunInfo, RunStatus, iso_8601, write_run_info};
use super::metrics::MetricsWriter;
use super::watchdog::Watchdog;
use crate::events::{Answer, Evaluated, Event, Observer};
use crate::{Config, EnvFactory, Error, EvaluationSummary, Evaluator, StopReason, Trainer, evaluation_seeds};

/// What to do where an environment hangs.
pub type HangHandler = Arc<dyn Fn(EnvFailure) + Send + Sync>;

/// What to train, and where to write it.
#[derive(Clone)]
pub struct TrainRequest {
    /// The configuration.
    pub config: Config,
    /// The preset it came from, for the record.
    pub preset: String,
    /// The seed.
    pub seed: u64,
    /// The run directory, which must not hold anything yet; a fresh one under `runs/` where nothing is said.
    pub out: Option<PathBuf>,
    /// The command line, for the record.
    pub command: Vec<String>,
    /// The environments to choose from.
    pub registry: Registry,
    /// Set to true to end training cleanly.
    pub stop_flag: Arc<AtomicBool>,
    /// How many runs go on side by side, this one counted. Beside others a run takes one thread for its passes unless its
    /// configuration asks for more, and the memory of all of them has to be there.
    pub runs_at_once: usize,
    /// What to do, from another thread, where a call of the environment lasts longer than `env.step_limit_s`, after
    /// `run.json` was told; there is none yet where the very first reset hangs. Nothing can take the thread back
    /// that the environment holds: a program will want to end itself here. All that was written stays whole.
    pub on_hang: Option<HangHandler>,
}

impl TrainRequest {
    /// A request with the built-in environments and a fresh run directory.
    pub fn new(config: Config, preset: impl Into<String>, seed: u64) -> Self {
        Self {
            config,
            preset: preset.into(),
            seed,
            out: None,
            command: vec![],
            registry: Registry::builtin(),
            stop_flag: Arc::new(AtomicBool::new(false)),
            runs_at_once: 1,
            on_hang: None,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run directory.
    #[serde(serialize_with = "lossy")]
    pub run: PathBuf,
    /// The environment's id.
    pub env: String,
    /// The algorithm.
    pub algo: String,
    /// The preset.
    pub preset: String,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub status: RunStatus,
    /// Whether an evaluation was good enough to stop early.
    pub solved_early: bool,
    /// Env steps taken.
    pub env_steps: u64,
    /// Steps of the optimiser taken.
    pub gradient_steps: u64,
    /// Episodes that ended.
    pub episodes: u64,
    /// Seconds of training, evaluations while training included.
    pub wall_s: f64,
    /// Env steps a second of training.
    pub env_steps_per_s: f64,
    /// The judgement of the policy it ended with; null where it was interrupted.
    pub eval: Option<EvaluationSummary>,
}

/// JSON knows no bytes that are not UTF-8: in a path they are replaced.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// How often the best policy is written at most, checkpoints aside: a run of a second has no time for a slow disk.
const BEST_EVERY: Duration = Duration::from_secs(10);

/// Writes a checkpoint when one is due, and the best policy so far now and then: a run that is killed leaves it.
struct CheckpointWriter<'a> {
    directory: &'a RunDirectory,
    best_every: Duration,
    /// After how many env steps the best policy was taken that was written last.
    best_env_steps: Option<u64>,
    /// When it was written, or the run began.
    best_written: Instant,
}

impl<'a> CheckpointWriter<'a> {
    fn new(directory: &'a RunDirectory, best_every: Duration) -> Self {
        Self { directory, best_every, best_env_steps: None, best_written: Instant::now() }
    }

    /// Whether there is another best policy than the one that is written, and it is time to write it.
    fn best_is_due(&self, trainer: &Trainer) -> bool {
        let best_env_steps = trainer.best().map(|(env_steps, ..)| env_steps);
        best_env_steps != self.best_env_steps && self.best_written.elapsed() >= self.best_every
    }

    fn wrote_best_of(&mut self, trainer: &Trainer) {
        self.best_env_steps = trainer.best().map(|(env_steps, ..)| env_steps);
        self.best_written = Instant::now();
    }
}

impl Observer for CheckpointWriter<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::Evaluated(Evaluated { trainer, .. }) if self.best_is_due(trainer) => {
                self.directory.write_best(trainer)?;
                self.wrote_best_of(trainer);
            }
            Event::CheckpointDue(trainer) => {
                self.directory.write_checkpoint(trainer)?;
                self.wrote_best_of(trainer);
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Trains a run: checks the configuration, makes the directory, trains, writes the last checkpoint, and judges
/// the policy it ended with in episodes of their own. Where the stop flag ends it, the checkpoint is written
/// and the judgement left out.
///
/// # Errors
/// Where the configuration cannot be used (nothing was written then), or where the run fails: the directory
/// then stays, with the status `failed`.
pub fn train(request: &TrainRequest, observer: &mut dyn Observer) -> Result<RunSummary, Error> {
    request.config.validate()?;
    let (monitor, begun) = (CallMonitor::default(), Begun::default());
    // From here on: making a trainer resets the environments.
    let watchdog = watch(request, monitor.clone(), Arc::clone(&begun))?;
    let TrainRequest { runs_at_once, config, seed, registry, .. } = request;
    let mut trainer = Trainer::beside(*runs_at_once, config, *seed, registry, monitor)?;
    trainer.set_stop_flag(Arc::clone(&request.stop_flag));
    let was_there = request.out.as_ref().is_some_and(|path| path.exists());
    let directory = match &request.out {
        Some(path) => RunDirectory::create(path)?,
        None => RunDirectory::create_fresh(&request.config.env.id, &request.config.algo, request.seed)?,
    };
    let (directory, mut info) = begin_or_abandon(request, &trainer, directory, !was_there)?;
    *begun.lock().unwrap_or_else(PoisonError::into_inner) = Some((directory.path().to_owned(), info.clone()));
    let outcome = train_in(request, &mut trainer, &directory, &mut info, observer);
    drop(watchdog);
    if let Err(error) = &outcome {
        info.status = RunStatus::Failed;
        info.error = Some(error.to_string());
        // What went wrong is worth more than that it could not be noted.
        let _ = directory.write_info(&info);
    }
    outcome
}

/// The folder of a run and what its `run.json` says, once it is there.
type Begun = Arc<Mutex<Option<(PathBuf, RunInfo)>>>;

/// Lets somebody notice where an environment hangs.
fn watch(request: &TrainRequest, monitor: CallMonitor, begun: Begun) -> Result<Watchdog, Error> {
    let on_hang = request.on_hang.clone();
    let limit = Duration::from_secs_f64(request.config.env.step_limit_s);
    // Environments in threads of their own are noticed there, and the run ends by itself.
    let limit = if request.config.env.threads > 0 { 3 * limit + Duration::from_secs(1) } else { limit };
    let tell = move |failure: EnvFailure| {
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((path, info)) = begun {
            let (status, error) = (RunStatus::Failed, Some(failure.to_string()));
            // What went wrong is worth more than that it could not be noted.
            let _ = write_run_info(&path, &RunInfo { status, error, ..info });
        }
        if let Some(on_hang) = on_hang {
            on_hang(failure);
        }
    };
    let out = request.out.as_deref().unwrap_or(Path::new("runs"));
    Watchdog::start(monitor, limit, tell).map_err(|error| Error::io("cannot start a thread for", out, error))
}

/// As [`begin`]; where it fails, for a full disk for example, the folder is as it was before and can be used again.
fn begin_or_abandon(
    request: &TrainRequest,
    trainer: &Trainer,
    directory: RunDirectory,
    with_folder: bool,
) -> Result<(RunDirectory, RunInfo), Error> {
    match begin(request, trainer, &directory) {
        Ok(info) => Ok((directory, info)),
        Err(error) => {
            directory.abandon(with_folder);
            Err(error)
        }
    }
}

fn begin(request: &TrainRequest, trainer: &Trainer, directory: &RunDirectory) -> Result<RunInfo, Error> {
    let info = RunInfo {
        format: 1,
        deepq: env!("CARGO_PKG_VERSION").into(),
        env: request.config.env.id.clone(),
        algo: request.config.algo.clone(),
        preset: request.preset.clone(),
        seed: request.seed,
        status: RunStatus::Running,
        command: request.command.clone(),
        host: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        instruction_set: InstructionSet::from_environment()
            .unwrap_or_else(|_| InstructionSet::detect())
            .to_string(),
        threads: Some(trainer.threads()),
        memory_bytes: Some(trainer.memory()),
        started_at: iso_8601(OffsetDateTime::now_utc()),
        wall_s: None,
        env_steps: None,
        gradient_steps: None,
        episodes: None,
        error: None,
    };
    directory.write_config(trainer.config())?;
    directory.write_info(&info)?;
    Ok(info)
}

fn train_in(
    request: &TrainRequest,
    trainer: &mut Trainer,
    directory: &RunDirectory,
    info: &mut RunInfo,
    observer: &mut dyn Observer,
) -> Result<RunSummary, Error> {
    let mut metrics = MetricsWriter::create(directory.path())?;
    let mut checkpoints = CheckpointWriter::new(directory, BEST_EVERY);
    let mut files = (&mut metrics, &mut checkpoints);
    let mut watching = (&mut files, observer);
    let begun = watching.on_event(&Event::Beginning(trainer)).map_err(Error::Observer);
    let reason = match begun {
        Ok(flow) if flow.is_break() => Ok(StopReason::Interrupted),
        Ok(_) => trainer.run(&mut watching),
        Err(error) => Err(error),
    };
    let wall_s = metrics.wall_s();
    metrics.flush()?;
    let reason = reason.map_err(unwrap_observer)?;
    check_finite(trainer)?;
    directory.write_checkpoint(trainer)?;
    let progress = trainer.progress();
    let interrupted = reason == StopReason::Interrupted;
    let returns = match interrupted {
        true => vec![],
        false => judge(request, trainer)?,
    };
    let (env_steps, gradient_steps) = trainer.policy_taken_at();
    metrics.evaluation(env_steps, gradient_steps, &returns, true)?;
    info.status = if interrupted { RunStatus::Interrupted } else { RunStatus::Finished };
    info.wall_s = Some(wall_s);
    info.env_steps = Some(progress.env_steps);
    info.gradient_steps = Some(progress.gradient_steps);
    info.episodes = Some(progress.episodes);
    directory.write_info(info)?;
    Ok(RunSummary {
        run: directory.path().to_owned(),
        env: info.env.clone(),
        algo: info.algo.clone(),
        preset: info.preset.clone(),
        seed: request.seed,
        status: info.status,
        solved_early: reason == StopReason::Solved,
        env_steps: progress.env_steps,
        gradient_steps: progress.gradient_steps,
        episodes: progress.episodes,
        wall_s,
        env_steps_per_s: progress.env_steps as f64 / wall_s.max(1e-9),
        eval: EvaluationSummary::of(&returns),
    })
}

/// An episode that does not end tells nobody of its losses.
fn check_finite(trainer: &Trainer) -> Result<(), Error> {
    let Progress { env_steps, gradient_steps, .. } = trainer.progress();
    let parameters =
        [Parameters::Online, Parameters::Target].map(|which| trainer.network().parameters(which));
    match parameters.iter().flatten().all(|parameter| parameter.is_finite()) {
        true => Ok(()),
        false => Err(Error::Diverged { env_steps, gradient_steps }),
    }
}

/// The returns of the policy a trainer ended with, in episodes that it has not seen.
fn judge(request: &TrainRequest, trainer: &Trainer) -> Result<Vec<f64>, Error> {
    let seeds = evaluation_seeds(request.seed, "final-evaluation", request.config.evaluation.final_episodes);
    let factory = EnvFactory::new(&request.registry, &request.config.env)?;
    let mut evaluator = Evaluator::within(factory).watched_by(&trainer.call_monitor());
    evaluator.evaluate_policy(&mut trainer.policy(), &seeds)
}

/// The writers of the run directory are observers too: their errors are told as what they are.
fn unwrap_observer(error: Error) -> Error {
    match error {
        Error::Observer(source) => match source.downcast::<Error>() {
            Ok(inner) => *inner,
            Err(source) => Error::Observer(source),
        },
        other => other,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Lets time pass at the first evaluation that finds no better policy.
    struct TimePasses<'a> {
        writer: CheckpointWriter<'a>,
        has_passed: bool,
    }

    impl Observer for TimePasses<'_> {
        fn on_event(&mut self, event: &Event<'_>) -> Answer {
            let Event::Evaluated(evaluated) = event else { return Ok(ControlFlow::Continue(())) };
            let best = self.writer.directory.path().join("best");
            if !self.has_passed && !evaluated.is_best {
                assert!(!best.exists(), "written too soon");
                self.writer.best_every = Duration::ZERO;
                self.has_passed = true;
            }
            let answer = self.writer.on_event(event);
            if self.has_passed {
                let told = std::fs::read(best.join("state.json")).unwrap();
                let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
                assert_eq!(told["env_steps"], evaluated.trainer.best().unwrap().0);
            }
            answer
        }
    }

    #[test]
    fn a_run_that_is_killed_leaves_the_best_policy_so_far() {
        let parent = tempfile::tempdir().unwrap();
        let set = ["evaluation.every_env_steps=100", "stop={env_steps=2000}"].map(String::from);
        let config = Config::resolve("CartPole-v1", None, None, &set).unwrap().0;
        let directory = RunDirectory::create(&parent.path().join("run")).unwrap();
        let writer = CheckpointWriter::new(&directory, Duration::from_secs(1000));
        let mut observer = TimePasses { writer, has_passed: false };
        Trainer::new(&config, 1).unwrap().run(&mut observer).unwrap();
        assert!(observer.has_passed, "no evaluation was worse than the one before");
    }

    #[test]
    fn a_folder_that_a_run_could_not_begin_in_can_be_used_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let config = Config::resolve("CartPole-v1", Some("default-fixed"), None, &[]).unwrap().0;
        let trainer = Trainer::new(&config, 1).unwrap();
        let request = TrainRequest::new(config, "test", 1);
        for with_folder in [false, true] {
            let directory = RunDirectory::create(&path).unwrap();
            // Every write to this file fails as on a disk that is full.
            std::os::unix::fs::symlink("/dev/full", path.join("config.toml.tmp")).unwrap();
            let error =
                begin_or_abandon(&request, &trainer, directory, with_folder).err().unwrap().to_string();
            assert!(error.contains("config.toml"), "{error}");
            assert_eq!(path.exists(), !with_folder);
            RunDirectory::check_free(&path).unwrap();
        }
        let directory = RunDirectory::create(&path).unwrap();
        std::fs::create_dir(path.join("run.json.tmp")).unwrap();
        assert!(begin_or_abandon(&request, &trainer, directory, true).is_err());
        assert!(!path.join("config.toml").exists() && !path.join("run.lock").exists());
    }
}
