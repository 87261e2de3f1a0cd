//! Videos of a run's policy: one file an episode, named as Gymnasium's `RecordVideo` names them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use deepq::run::CheckpointChoice;
use deepq::{MOST_EPISODE_STEPS, Registry, RunDirectory, evaluation_seeds};
use serde::Serialize;

use crate::ViewError;
use crate::episode::Episode;
use crate::mp4::Mp4Writer;

/// An episode that was filmed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recording {
    /// The video.
    pub path: PathBuf,
    /// The sum of the episode's rewards.
    #[serde(rename = "return")]
    pub episodic_return: f64,
    /// The episode's steps.
    pub length: u32,
    /// The episode's seed.
    pub seed: u64,
}

/// What to film.
#[derive(Clone)]
pub struct RecordRequest<'a> {
    /// The run whose policy plays.
    pub run: &'a RunDirectory,
    /// Which of its policies.
    pub choice: CheckpointChoice,
    /// How many episodes.
    pub episodes: usize,
    /// The seed that the episodes' own seeds are drawn from.
    pub seed: u64,
    /// The folder the videos are written to; it is made where it is missing.
    pub out: &'a Path,
    /// The environments to choose from.
    pub registry: &'a Registry,
}

/// Films episodes, several side by side, and gives them in their order.
///
/// `rl-video-episode-0.mp4` and so on each hold the first observation's picture and one after every step, at the
/// environment's frame rate.
///
/// # Errors
/// Where the run cannot be read, the environment draws nothing, or a file cannot be written.
pub fn record(request: &RecordRequest<'_>) -> Result<Vec<Recording>, ViewError> {
    let env = request.run.config()?.env.id;
    std::fs::create_dir_all(request.out).map_err(|source| ViewError::Io {
        action: "create the folder",
        path: request.out.display().to_string(),
        source,
    })?;
    let seeds = evaluation_seeds(request.seed, "recording", request.episodes);
    let next = AtomicUsize::new(0);
    let recordings = Mutex::new(vec![None; seeds.len()]);
    let film = || -> Result<(), ViewError> {
        let policy = request.run.policy(request.choice, request.registry)?;
        let mut episode = Episode::new(request.registry, &env, policy)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(number) else { return Ok(()) };
            let path = request.out.join(format!("rl-video-episode-{number}.mp4"));
            let recording = film_episode(&mut episode, *seed, path)?;
            recordings.lock().unwrap_or_else(|poisoned| poisoned.into_inner())[number] = Some(recording);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(seeds.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(film)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let recordings = recordings.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    Ok(recordings.into_iter().flatten().collect())
}

fn film_episode(episode: &mut Episode, seed: u64, path: PathBuf) -> Result<Recording, ViewError> {
    episode.reset(seed)?;
    let first = episode.frame()?;
    let frames_per_second = f64::from(episode.env().spec().render_fps);
    let mut video = Mp4Writer::create(&path, first.width(), first.height(), frames_per_second)?;
    video.write(&first)?;
    loop {
        let step = episode.step()?;
        video.write(&episode.frame()?)?;
        if step.ended() || episode.steps() == MOST_EPISODE_STEPS {
            break;
        }
    }
    video.finish()?;
    Ok(Recording { path, episodic_return: episode.episodic_return(), length: episode.steps(), seed })
}
