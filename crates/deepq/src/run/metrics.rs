//! Metrics on disk: JSON lines, which are the truth, and TensorBoard's event files.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use deepq_core::Progress;
use serde::{Deserialize, Serialize};

use super::files::LineWriter;
use crate::events::{Answer, EpisodeEnded, Evaluated, Event, Observer};
use crate::tensorboard::EventWriter;
use crate::{Error, EvaluationSummary};

/// One line of `metrics.jsonl`: an episode that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    /// Steps taken so far, over all environments.
    pub env_steps: u64,
    /// Steps of the optimiser so far.
    pub gradient_steps: u64,
    /// Episodes that ended so far.
    pub episodes: u64,
    /// Seconds since training began.
    pub wall_s: f64,
    /// The sum of the episode's rewards.
    pub episodic_return: f64,
    /// The episode's steps.
    pub episode_length: u32,
    /// The probability of a random action.
    pub epsilon: f64,
    /// The mean loss since the episode before; null where nothing was learned.
    pub loss: Option<f64>,
    /// The mean of the greatest value at the observations learned from; null where nothing was learned.
    pub q_mean: Option<f64>,
}

/// One line of `eval.jsonl`: an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationLine {
    /// The env steps after which the policy that was judged was taken.
    pub env_steps: u64,
    /// Steps of the optimiser so far.
    pub gradient_steps: u64,
    /// Seconds since training began.
    pub wall_s: f64,
    /// Whether this is the judgement of the policy that the run ended with.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The returns summed up.
    #[serde(flatten)]
    pub summary: EvaluationSummary,
    /// The return of each episode.
    pub returns: Vec<f64>,
}

/// Writes what happens in a run to its directory.
pub(super) struct MetricsWriter {
    metrics: LineWriter,
    evaluations: LineWriter,
    tensorboard: EventWriter,
    tensorboard_path: std::path::PathBuf,
    recent: VecDeque<(f64, u32)>,
    started: Instant,
    flushed: Instant,
}

/// TensorBoard's rollout means are over as many episodes, as Stable-Baselines3's are.
const RECENT_EPISODES: usize = 100;

/// Whoever follows the files while a run goes on sees them this fresh.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

impl MetricsWriter {
    pub(super) fn create(run: &Path) -> Result<Self, Error> {
        let tensorboard_path = run.join("tensorboard");
        let tensorboard = EventWriter::create(&tensorboard_path)
            .map_err(|error| Error::io("cannot write", &tensorboard_path, error))?;
        let now = Instant::now();
        Ok(Self {
            metrics: LineWriter::create(&run.join("metrics.jsonl"))?,
            evaluations: LineWriter::create(&run.join("eval.jsonl"))?,
            tensorboard,
            tensorboard_path,
            recent: VecDeque::with_capacity(RECENT_EPISODES),
            started: now,
            flushed: now,
        })
    }

    /// Seconds since training began.
    pub(super) fn wall_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn scalars(&mut self, env_steps: u64, scalars: &[(&str, f64)]) -> Result<(), Error> {
        for (tag, value) in scalars {
            let written = self.tensorboard.scalar(tag, env_steps, *value as f32);
            written.map_err(|error| Error::io("cannot write", &self.tensorboard_path, error))?;
        }
        Ok(())
    }

    fn episode(&mut self, ended: &EpisodeEnded) -> Result<(), Error> {
        let (progress, wall_s) = (ended.progress, self.wall_s());
        let Progress { env_steps, gradient_steps, episodes } = progress;
        if ended.loss.is_some_and(|loss| !loss.is_finite()) {
            return Err(Error::Diverged { env_steps, gradient_steps });
        }
        self.metrics.write(&MetricsLine {
            env_steps,
            gradient_steps,
            episodes,
            wall_s,
            episodic_return: ended.episode.episodic_return,
            episode_length: ended.episode.episode_length,
            epsilon: ended.epsilon,
            loss: ended.loss,
            q_mean: ended.q_mean,
        })?;
        if self.recent.len() == RECENT_EPISODES {
            self.recent.pop_front();
        }
        self.recent.push_back((ended.episode.episodic_return, ended.episode.episode_length));
        let count = self.recent.len() as f64;
        let mean_return = self.recent.iter().map(|(value, _)| value).sum::<f64>() / count;
        let mean_length = self.recent.iter().map(|(_, length)| f64::from(*length)).sum::<f64>() / count;
        self.scalars(
            env_steps,
            &[
                ("rollout/ep_rew_mean", mean_return),
                ("rollout/ep_len_mean", mean_length),
                ("rollout/exploration_rate", ended.epsilon),
                ("time/fps", env_steps as f64 / wall_s.max(1e-9)),
            ],
        )?;
        if let (Some(loss), Some(q_mean)) = (ended.loss, ended.q_mean) {
            let updates = gradient_steps as f64;
            let learned = [("train/loss", loss), ("train/q_mean", q_mean), ("train/n_updates", updates)];
            self.scalars(env_steps, &learned)?;
        }
        if self.flushed.elapsed() > FLUSH_EVERY {
            self.flush()?;
        }
        Ok(())
    }

    fn evaluated(&mut self, evaluated: &Evaluated<'_>) -> Result<(), Error> {
        let env_steps = evaluated.progress.env_steps;
        self.evaluation(env_steps, evaluated.progress.gradient_steps, evaluated.returns, false)
    }

    /// Adds an evaluation of the policy taken after `env_steps`.
    pub(super) fn evaluation(
        &mut self,
        env_steps: u64,
        gradient_steps: u64,
        returns: &[f64],
        is_final: bool,
    ) -> Result<(), Error> {
        let Some(summary) = EvaluationSummary::of(returns) else { return Ok(()) };
        let (mean, wall_s, returns) = (summary.mean, self.wall_s(), returns.to_vec());
        self.evaluations.write(&EvaluationLine {
            env_steps,
            gradient_steps,
            wall_s,
            is_final,
            summary,
            returns,
        })?;
        if is_final {
            return self.flush();
        }
        self.scalars(env_steps, &[("eval/mean_reward", mean)])
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.flushed = Instant::now();
        self.metrics.flush()?;
        self.evaluations.flush()?;
        self.tensorboard.flush().map_err(|error| Error::io("cannot write", &self.tensorboard_path, error))
    }
}

impl Observer for MetricsWriter {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::EpisodeEnded(ended) => self.episode(ended)?,
            Event::Evaluated(evaluated) => self.evaluated(evaluated)?,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}
