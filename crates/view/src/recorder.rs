//! Videos of a run's policy: one file an episode, named as Gymnasium's `RecordVideo` names them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deepq::run::CheckpointChoice;
use deepq::{EnvFactory, MOST_EPISODE_STEPS, Registry, RunDirectory, evaluation_seeds};
use serde::{Deserialize, Serialize};

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
    /// Filming ends where this turns true: what is finished stays, the episodes under way leave nothing.
    pub stop: Option<&'a AtomicBool>,
}

impl RecordRequest<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// What `recordings.json`, beside the videos, tells of one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// The name of the video's file.
    pub(crate) file: String,
    /// The sum of the episode's rewards; null where it is no number.
    #[serde(rename = "return")]
    pub(crate) episodic_return: Option<f64>,
    /// The episode's steps.
    pub(crate) length: u32,
    /// The episode's seed.
    pub(crate) seed: u64,
}

const LIST: &str = "recordings.json";

/// The name of an episode's video.
pub(crate) fn file_name(episode: usize) -> String {
    format!("rl-video-episode-{episode}.mp4")
}

/// What is known of the videos in a folder: nothing where the list is missing or damaged.
pub(crate) fn listed(folder: &Path) -> Vec<Listed> {
    let text = std::fs::read(folder.join(LIST)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn write_list(folder: &Path, list: &[Listed]) -> Result<(), ViewError> {
    let text = serde_json::to_vec_pretty(list).expect("a list of plain values");
    Ok(deepq::run::write_atomically(&folder.join(LIST), &text)?)
}

/// Films episodes, several side by side, and gives those that were finished, in their order.
///
/// `rl-video-episode-0.mp4` and so on each hold the first observation's picture and one after every step, at the
/// environment's frame rate. `recordings.json` beside them tells each one's return, length and seed.
///
/// # Errors
/// Where the run cannot be read, the environment draws nothing, or a file cannot be written.
pub fn record(request: &RecordRequest<'_>) -> Result<Vec<Recording>, ViewError> {
    let factory = request.run.env_factory(request.registry)?;
    std::fs::create_dir_all(request.out).map_err(|source| ViewError::Io {
        action: "create the folder",
        path: request.out.display().to_string(),
        source,
    })?;
    let mut before = listed(request.out);
    if request.out.join(LIST).exists() {
        // Should the program be killed half way, no new video stands beside an old one's return.
        let stays = |old: &&Listed| (0..request.episodes).all(|episode| file_name(episode) != old.file);
        write_list(request.out, &before.iter().filter(stays).cloned().collect::<Vec<_>>())?;
    }
    let recordings = film_all(request, &factory)?;
    let new = recordings.iter().map(|recording| Listed {
        file: recording.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        episodic_return: recording.episodic_return.is_finite().then_some(recording.episodic_return),
        length: recording.length,
        seed: recording.seed,
    });
    let mut list: Vec<Listed> = new.collect();
    // Filming may have been stopped: the old video of an episode that was not filmed anew is still there.
    before.retain(|old| list.iter().all(|new| new.file != old.file));
    list.extend(before);
    if !list.is_empty() {
        write_list(request.out, &list)?;
    }
    Ok(recordings)
}

fn film_all(request: &RecordRequest<'_>, factory: &EnvFactory) -> Result<Vec<Recording>, ViewError> {
    let seeds = evaluation_seeds(request.seed, "recording", request.episodes);
    let next = AtomicUsize::new(0);
    let recordings = Mutex::new(vec![None; seeds.len()]);
    let film = || -> Result<(), ViewError> {
        let policy = request.run.policy(request.choice, request.registry)?;
        let mut episode = Episode::new(factory, policy)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(number) else { return Ok(()) };
            let path = request.out.join(file_name(number));
            let Some(recording) = film_episode(request, &mut episode, *seed, path)? else { return Ok(()) };
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

/// None where filming is stopped.
fn film_episode(
    request: &RecordRequest<'_>,
    episode: &mut Episode,
    seed: u64,
    path: PathBuf,
) -> Result<Option<Recording>, ViewError> {
    episode.reset(seed)?;
    let first = episode.frame()?;
    let frames_per_second = f64::from(episode.env().spec().render_fps);
    let mut video = Mp4Writer::create(&path, first.width(), first.height(), frames_per_second)?;
    video.write(&first)?;
    loop {
        if request.is_stopped() {
            return Ok(None);
        }
        let step = episode.step()?;
        video.write(&episode.frame()?)?;
        if step.ended() || episode.steps() == MOST_EPISODE_STEPS {
            break;
        }
    }
    video.finish()?;
    let (episodic_return, length) = (episode.episodic_return(), episode.steps());
    Ok(Some(Recording { path, episodic_return, length, seed }))
}
