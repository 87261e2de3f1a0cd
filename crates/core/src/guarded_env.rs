//! Calls of an environment that nothing wrong gets through.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::call_monitor::{CallMonitor, CallRecord};
use crate::{
    Env, EnvError, EnvSpec, EpisodeStatistics, ObservationMut, StateError, StateReader, StateWriter, Step,
};

/// One call of one environment: enough to come to the same place again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvCall {
    /// Which of several environments, counted from 0.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// The seed of the last reset that had one.
    pub seed: Option<u64>,
    /// Episodes begun since that reset, this one included.
    pub episode: u64,
    /// Steps of this episode, this one included; 0 in a reset.
    pub episode_steps: u32,
    /// The action it was given; `None` in a reset.
    pub action: Option<u32>,
}

impl fmt::Display for EnvCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "environment {} ({}), ", self.index, self.id)?;
        if let Some(seed) = self.seed {
            write!(formatter, "seed {seed}, ")?;
        }
        write!(formatter, "episode {}, ", self.episode)?;
        match self.action {
            Some(action) => write!(formatter, "step {}, action {action}", self.episode_steps),
            None => write!(formatter, "in reset"),
        }
    }
}

/// An environment failed, or gave what no environment may give.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {message}")]
pub struct EnvFailure {
    /// Where it happened.
    pub call: Box<EnvCall>,
    /// What was wrong.
    pub message: String,
    /// The environment's own error, where it gave one.
    #[source]
    pub source: Option<EnvError>,
}

/// An environment whose every call is checked: an error, a panic, or a number that is not finite, in a reward or
/// an observation, becomes an [`EnvFailure`] that says where it happened. It counts its episodes.
pub struct GuardedEnv {
    env: Box<dyn Env>,
    index: usize,
    seed: Option<u64>,
    episode: u64,
    /// That of the latest step; none after a reset.
    action: Option<u32>,
    so_far: EpisodeStatistics,
    record: Arc<CallRecord>,
}

impl GuardedEnv {
    /// `env`, which is number `index` among its like.
    pub fn new(index: usize, env: Box<dyn Env>) -> Self {
        let record = Arc::new(CallRecord::new(index, &env.spec().id));
        Self {
            env,
            index,
            seed: None,
            episode: 0,
            action: None,
            so_far: EpisodeStatistics::default(),
            record,
        }
    }

    /// Lets `monitor` see its calls.
    pub fn watched_by(self, monitor: &CallMonitor) -> Self {
        monitor.add(Arc::clone(&self.record));
        self
    }

    /// What is known of it.
    pub fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    /// The environment itself, to look at.
    pub fn inner(&self) -> &dyn Env {
        &*self.env
    }

    /// Tells it of the step that is next: see [`Env::begin_step`].
    ///
    /// # Errors
    /// Where it panics.
    pub fn begin_step(&mut self, action: u32) -> Result<(), EnvFailure> {
        let begun = caught(|| {
            self.env.begin_step(action as usize);
            Ok(())
        });
        begun.map_err(|error| self.failure(Some(action), error))
    }

    /// Begins an episode: see [`Env::reset`].
    ///
    /// # Errors
    /// Where the environment fails or panics, or where its observation is not finite.
    pub fn reset(
        &mut self,
        seed: Option<u64>,
        mut observation: ObservationMut<'_>,
    ) -> Result<(), EnvFailure> {
        if seed.is_some() {
            (self.seed, self.episode) = (seed, 0);
        }
        self.episode += 1;
        self.action = None;
        self.so_far = EpisodeStatistics::default();
        self.record.begin_reset(self.seed, self.episode);
        let outcome = caught(|| self.env.reset(seed, observation.reborrow()));
        self.record.end();
        outcome.map_err(|error| self.failure(None, error))?;
        self.check_observation(None, &observation)
    }

    /// Takes a step: see [`Env::step`].
    ///
    /// # Errors
    /// Where the environment fails or panics, or where its reward or observation is not finite.
    #[inline]
    pub fn step(&mut self, action: u32, observation: ObservationMut<'_>) -> Result<Step, EnvFailure> {
        let mut step = Step::default();
        self.step_into(action, observation, &mut step).map(|()| step)
    }

    /// Takes a step and puts what it gave into `step`, whose content after an error is of no meaning.
    ///
    /// Copied from result to result, a [`Step`] is read in pieces that span several of its fields, which has to wait
    /// until the fields' own stores have left the processor's queue.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    #[inline]
    pub(crate) fn step_into(
        &mut self,
        action: u32,
        mut observation: ObservationMut<'_>,
        step: &mut Step,
    ) -> Result<(), EnvFailure> {
        self.so_far.episode_length = self.so_far.episode_length.saturating_add(1);
        self.action = Some(action);
        self.record.begin_step(action);
        let outcome = caught(|| {
            let Step { reward, terminated, truncated } =
                self.env.step(action as usize, observation.reborrow())?;
            (step.reward, step.terminated, step.truncated) = (reward, terminated, truncated);
            Ok(())
        });
        self.record.end();
        outcome.map_err(|error| self.failure(Some(action), error))?;
        let reward = step.reward;
        if !reward.is_finite() {
            let message = format!("its reward is {reward}, which is not a finite number");
            return Err(self.failure(Some(action), EnvError::new(message)));
        }
        self.so_far.episodic_return += reward;
        self.check_observation(Some(action), &observation)
    }

    /// A NaN would make every later value of a network one.
    #[inline]
    fn check_observation(
        &self,
        action: Option<u32>,
        observation: &ObservationMut<'_>,
    ) -> Result<(), EnvFailure> {
        match observation.as_observation().first_not_finite() {
            None => Ok(()),
            Some((element, value)) => {
                let message =
                    format!("element {element} of its observation is {value}, which is not a finite number");
                Err(self.failure(action, EnvError::new(message)))
            }
        }
    }

    /// Copies the mask of the actions allowed now to `mask`, one flag an action: see [`Env::action_mask`].
    ///
    /// # Errors
    /// Where the environment panics or gives none, one of another length, or one that allows nothing.
    pub fn copy_mask(&self, mask: &mut [bool]) -> Result<(), EnvFailure> {
        let copied = caught(|| {
            let wrong = match self.env.action_mask() {
                None => "its spec says that it masks actions, but it gives no mask".to_owned(),
                Some(found) if found.len() != mask.len() => {
                    format!("its action mask has {} flags for {} actions", found.len(), mask.len())
                }
                Some(found) if !found.contains(&true) => {
                    "its action mask allows no action, though the episode goes on".to_owned()
                }
                Some(found) => {
                    mask.copy_from_slice(found);
                    return Ok(());
                }
            };
            Err(EnvError::new(wrong))
        });
        copied.map_err(|error| self.failure(self.action, error))
    }

    #[cold]
    fn failure(&self, action: Option<u32>, source: EnvError) -> EnvFailure {
        let call = EnvCall {
            index: self.index,
            id: self.env.spec().id.clone(),
            seed: self.seed,
            episode: self.episode,
            episode_steps: self.so_far.episode_length,
            action,
        };
        EnvFailure { call: Box::new(call), message: source.to_string(), source: Some(source) }
    }

    /// Return and length of the episode under way or just ended: the environment's own
    /// [count](Env::episode_statistics) where it has one.
    pub fn statistics(&self) -> EpisodeStatistics {
        self.env.episode_statistics().unwrap_or(self.so_far)
    }

    /// Writes the environment's state and that of its episode.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.bool(self.seed.is_some());
        state.u64(self.seed.unwrap_or(0));
        state.u64(self.episode);
        state.f64(self.so_far.episodic_return);
        state.u32(self.so_far.episode_length);
        self.env.save_state(state);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of such an environment.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let seeded = state.bool("whether the environment was seeded")?;
        let seed = state.u64("seed of the environment")?;
        let episode = state.u64("episodes of the environment")?;
        let so_far = EpisodeStatistics {
            episodic_return: state.f64("return so far")?,
            episode_length: state.u32("steps of the episode so far")?,
        };
        self.env.load_state(state)?;
        (self.seed, self.episode, self.so_far) = (seeded.then_some(seed), episode, so_far);
        self.record.go_on(self.seed, episode, so_far.episode_length);
        Ok(())
    }
}

/// A panic as an error. What panicked must not be used again.
#[inline]
fn caught<T>(call: impl FnOnce() -> Result<T, EnvError>) -> Result<T, EnvError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

#[cold]
fn panicked(payload: &(dyn std::any::Any + Send)) -> EnvError {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    EnvError::new(format!("it panicked: {}", text.unwrap_or("without a message")))
}
