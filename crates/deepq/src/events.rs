//! What a run tells those who watch it. Training never knows that anybody does.

use std::error::Error;
use std::ops::ControlFlow;

use deepq_core::{FinishedEpisode, Progress, VectorEnv};

use crate::Trainer;

/// Something that happened in a run.
#[non_exhaustive]
pub enum Event<'a> {
    /// A [run](crate::run::train) is about to begin; no step is taken yet.
    Beginning(&'a Trainer),
    /// One step in every environment. Only told to an observer that [watches steps](Observer::watches_steps).
    Step {
        /// How far the run has come.
        progress: Progress,
        /// The environments after the step, to be drawn.
        envs: &'a VectorEnv,
        /// The actions taken.
        actions: &'a [u32],
        /// The probability with which these actions were random.
        epsilon: f64,
    },
    /// An episode ended.
    EpisodeEnded(EpisodeEnded),
    /// The policy was judged while training.
    Evaluated(Evaluated<'a>),
    /// It is time to write a checkpoint.
    CheckpointDue(&'a Trainer),
}

/// An episode, and how learning stood at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeEnded {
    /// How far the run has come, this episode included.
    pub progress: Progress,
    /// The episode.
    pub episode: FinishedEpisode,
    /// The present probability of a random action.
    pub epsilon: f64,
    /// The mean loss of the batches since the last episode's end; `None` where there was none.
    pub loss: Option<f64>,
    /// The mean over these batches of the greatest value at the observation; `None` where there was none.
    pub q_mean: Option<f64>,
}

/// An evaluation while training.
#[derive(Clone, Copy)]
pub struct Evaluated<'a> {
    /// The trainer, which holds the [best](Trainer::best) policy so far.
    pub trainer: &'a Trainer,
    /// How far the run has come.
    pub progress: Progress,
    /// The return of each episode.
    pub returns: &'a [f64],
    /// Whether this is the best policy of the run so far.
    pub is_best: bool,
}

/// What an observer answers: go on, stop the run cleanly, or an error that fails it.
pub type Answer = Result<ControlFlow<()>, Box<dyn Error + Send + Sync>>;

/// Somebody who watches a run.
pub trait Observer {
    /// Something happened.
    ///
    /// # Errors
    /// What keeps the observer from its work, a full disk say. It ends the run.
    fn on_event(&mut self, event: &Event<'_>) -> Answer;

    /// Whether it wants to be told of every single step, which costs time.
    fn watches_steps(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Observer for () {
    fn on_event(&mut self, _event: &Event<'_>) -> Answer {
        Ok(ControlFlow::Continue(()))
    }
}

/// Two watch; the first is told first.
impl<A: Observer + ?Sized, B: Observer + ?Sized> Observer for (&mut A, &mut B) {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        let first = self.0.on_event(event)?;
        let second = self.1.on_event(event)?;
        Ok(if first.is_break() { first } else { second })
    }

    fn watches_steps(&self) -> bool {
        self.0.watches_steps() || self.1.watches_steps()
    }
}

/// A function that watches, and never stops the run by itself.
pub struct Watcher<F>(pub F);

impl<F: FnMut(&Event<'_>)> Observer for Watcher<F> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        (self.0)(event);
        Ok(ControlFlow::Continue(()))
    }
}
