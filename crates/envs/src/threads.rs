//! Environments that work in threads of their own, for those whose steps take long.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::time::Duration;
//!
//! use deepq_core::VectorEnv;
//! use deepq_envs::threads::EnvThreads;
//!
//! let threads = EnvThreads::new(NonZeroUsize::new(2).unwrap(), Some(Duration::from_secs(60)))?;
//! let envs = (0..8).map(|_| Ok(Box::new(threads.put(deepq_envs::make("CartPole-v1")?)) as _));
//! let mut envs = VectorEnv::new(envs.collect::<Result<_, deepq_envs::MakeError>>()?)?;
//! envs.reset(&[0, 1, 2, 3, 4, 5, 6, 7])?;
//! envs.step(&[0; 8])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What an environment gives does not depend on the number of threads, nor on there being any. Handing a step over
//! and waiting for it costs microseconds: environments that are quicker than that are quicker without.

use std::any::Any;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use deepq_core::{
    Env, EnvError, EnvSpec, EpisodeStatistics, Frame, ObservationBuffer, ObservationMut, StateError,
    StateReader, StateWriter, Step,
};

/// Threads that environments work in. Clones are handles to the same threads; they end when the last handle and
/// the last environment are gone.
#[derive(Clone, Debug)]
pub struct EnvThreads {
    pool: Arc<Pool>,
}

/// What the environments of one [`EnvThreads`] share.
#[derive(Debug)]
struct Pool {
    queue: Arc<Queue>,
    step_limit: Option<Duration>,
}

impl EnvThreads {
    /// So many threads. A step or a reset may take `step_limit`, where there is one.
    ///
    /// # Errors
    /// Where the operating system gives no thread.
    pub fn new(threads: NonZeroUsize, step_limit: Option<Duration>) -> Result<Self, EnvError> {
        let queue = Arc::new(Queue::new(threads.get()));
        // From here on, dropping the pool ends the threads that there are.
        let pool = Arc::new(Pool { queue: Arc::clone(&queue), step_limit });
        for index in 0..threads.get() {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("env-{index}"))
                .spawn(move || work(&queue, index))
                .map_err(|error| EnvError::with_source("no thread for environments", error))?;
        }
        Ok(Self { pool })
    }

    /// How many threads there are.
    pub fn len(&self) -> usize {
        lock(&self.pool.queue.state).busy_since.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `env`, at work in these threads. It belongs inside of wrappers that share something between environments,
    /// as [`NormalizeObservation`](crate::wrappers::NormalizeObservation) does.
    pub fn put(&self, env: Box<dyn Env>) -> ThreadedEnv {
        let spec = env.spec().clone();
        let (element, len) = (spec.observation_space.element(), spec.observation_space.len());
        let buffer = ObservationBuffer::zeros(element, len);
        ThreadedEnv { spec, pool: Arc::clone(&self.pool), slot: Arc::default(), at: At::Home { env, buffer } }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.queue.state).closed = true;
        self.queue.changed.notify_all();
    }
}

/// Locks whatever a panic has left: nothing that can panic is done while a lock is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The calls that wait for a thread.
#[derive(Debug)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState {
    waiting: VecDeque<Arc<Slot>>,
    /// For each thread, since when it has been at its present call.
    busy_since: Vec<Option<Instant>>,
    sleeping: usize,
    closed: bool,
}

impl Queue {
    fn new(threads: usize) -> Self {
        let busy_since = vec![None; threads];
        let state = QueueState { waiting: VecDeque::new(), busy_since, sleeping: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn push(&self, slot: Arc<Slot>) {
        let mut state = lock(&self.state);
        state.waiting.push_back(slot);
        let wake = state.sleeping > 0;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
    }

    /// The next call for thread `index`, which is done with the one before; `None` where it should end.
    fn pop(&self, index: usize) -> Option<Arc<Slot>> {
        let mut state = lock(&self.state);
        state.busy_since[index] = None;
        loop {
            if let Some(slot) = state.waiting.pop_front() {
                state.busy_since[index] = Some(Instant::now());
                return Some(slot);
            }
            if state.closed {
                return None;
            }
            state.sleeping += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
    }

    /// True where every thread has been at one call for longer than `limit`: no other call will begin.
    fn is_stuck(&self, limit: Duration) -> bool {
        lock(&self.state).busy_since.iter().all(|since| since.is_some_and(|since| since.elapsed() > limit))
    }
}

/// Where an environment and its thread meet.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<SlotState>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    job: Job,
    /// Somebody waits for `done`.
    awaited: bool,
}

#[derive(Default)]
enum Job {
    #[default]
    None,
    Waiting(Work),
    Running {
        since: Instant,
    },
    Done(Outcome),
    /// Nobody wants it any more.
    Abandoned,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Waiting(_) => "Waiting",
            Self::Running { .. } => "Running",
            Self::Done(_) => "Done",
            Self::Abandoned => "Abandoned",
        })
    }
}

/// An environment on its way to a thread.
struct Work {
    env: Box<dyn Env>,
    buffer: ObservationBuffer,
    call: Call,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Reset(Option<u64>),
    Step(usize),
}

/// An environment on its way back; where it panicked there is none any more.
type Outcome = Result<(Work, Result<Step, EnvError>), String>;

impl Work {
    fn run(mut self) -> Outcome {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let len = self.buffer.len();
            let observation = self.buffer.slice_mut(0..len);
            match self.call {
                Call::Reset(seed) => self.env.reset(seed, observation).map(|()| Step::default()),
                Call::Step(action) => self.env.step(action, observation),
            }
        }));
        match outcome {
            Ok(step) => Ok((self, step)),
            Err(panic) => {
                drop_quietly(self);
                Err(message_of(&*panic))
            }
        }
    }
}

/// Drops what may panic in it: the thread has others to serve.
fn drop_quietly<T>(thing: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(thing)));
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

/// What a thread does until the queue is closed.
fn work(queue: &Queue, index: usize) {
    while let Some(slot) = queue.pop(index) {
        let mut state = lock(&slot.state);
        let work = match std::mem::replace(&mut state.job, Job::Running { since: Instant::now() }) {
            Job::Waiting(work) => work,
            other => {
                state.job = other;
                continue;
            }
        };
        drop(state);
        let outcome = work.run();
        let mut state = lock(&slot.state);
        if matches!(state.job, Job::Abandoned) {
            drop(state);
            drop_quietly(outcome);
            continue;
        }
        state.job = Job::Done(outcome);
        let awaited = state.awaited;
        drop(state);
        if awaited {
            slot.done.notify_one();
        }
    }
}

/// Where the environment is.
enum At {
    /// Here, between calls.
    Home { env: Box<dyn Env>, buffer: ObservationBuffer },
    /// With a thread, or on the way to or from one.
    Away(Call),
    /// Nowhere any more, for this reason.
    Lost(String),
}

/// An environment that works in the threads of an [`EnvThreads`]: see [`EnvThreads::put`].
///
/// Between calls it rests with whoever holds it, so its state and its picture are had at once. A call that panics
/// or takes longer than the limit is an error, and the environment is then gone; after a call past the limit its
/// thread is left behind as well.
pub struct ThreadedEnv {
    spec: EnvSpec,
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    at: At,
}

impl std::fmt::Debug for ThreadedEnv {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ThreadedEnv").field("id", &self.spec.id).finish_non_exhaustive()
    }
}

impl ThreadedEnv {
    /// Sends the environment off with a call, where it is at home.
    fn send(&mut self, call: Call) {
        match std::mem::replace(&mut self.at, At::Away(call)) {
            At::Home { env, buffer } => {
                lock(&self.slot.state).job = Job::Waiting(Work { env, buffer, call });
                self.pool.queue.push(Arc::clone(&self.slot));
            }
            elsewhere => self.at = elsewhere,
        }
    }

    /// Waits for the environment to come home, and returns what its call gave.
    fn receive(&mut self) -> Result<Step, EnvError> {
        if let At::Lost(reason) = &self.at {
            return Err(EnvError::new(format!("the environment is gone: {reason}")));
        }
        match self.wait() {
            Ok(Ok((Work { env, buffer, .. }, step))) => {
                self.at = At::Home { env, buffer };
                step
            }
            Ok(Err(panic)) => Err(self.lose(format!("it panicked: {panic}"))),
            Err(reason) => Err(self.lose(reason)),
        }
    }

    fn lose(&mut self, reason: String) -> EnvError {
        let error = EnvError::new(reason.clone());
        self.at = At::Lost(reason);
        error
    }

    /// The outcome of the call under way, or why there will be none.
    fn wait(&self) -> Result<Outcome, String> {
        let mut state = lock(&self.slot.state);
        loop {
            let (running_for, call) = match std::mem::take(&mut state.job) {
                Job::Done(outcome) => return Ok(outcome),
                job @ Job::Running { since } => (Some(since.elapsed()), job),
                job => (None, job),
            };
            state.job = call;
            state.awaited = true;
            state = match self.pool.step_limit {
                None => self.slot.done.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    if let Some(reason) = self.too_late(running_for, limit) {
                        state.job = Job::Abandoned;
                        return Err(reason);
                    }
                    let patience = limit.saturating_sub(running_for.unwrap_or_default());
                    let patience = patience.max(Duration::from_millis(1));
                    self.slot.done.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.awaited = false;
        }
    }

    fn too_late(&self, running_for: Option<Duration>, limit: Duration) -> Option<String> {
        match running_for {
            Some(time) => (time > limit).then(|| format!("it did not answer within {limit:?}")),
            None => self.pool.queue.is_stuck(limit).then(|| {
                format!("no thread was free to call it: the others did not answer within {limit:?}")
            }),
        }
    }

    /// Makes a call and waits for it.
    fn call(&mut self, call: Call, mut observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.send(call);
        let step = self.receive()?;
        if let At::Home { buffer, .. } = &self.at {
            observation.copy_from(buffer.as_observation());
        }
        Ok(step)
    }

    fn home(&self) -> Option<&dyn Env> {
        match &self.at {
            At::Home { env, .. } => Some(&**env),
            _ => None,
        }
    }
}

impl Env for ThreadedEnv {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let At::Away(_) = self.at {
            // Nobody asked for what the step that was begun gave.
            let _ = self.receive();
        }
        self.call(Call::Reset(seed), observation).map(drop)
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        match self.at {
            At::Away(begun) if begun != Call::Step(action) => {
                let _ = self.receive();
                Err(EnvError::new(format!("{begun:?} was begun, but action {action} asked for")))
            }
            _ => self.call(Call::Step(action), observation),
        }
    }

    fn begin_step(&mut self, action: usize) {
        self.send(Call::Step(action));
    }

    fn steps_elsewhere(&self) -> bool {
        true
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.home()?.action_mask()
    }

    fn episode_statistics(&self) -> Option<EpisodeStatistics> {
        self.home()?.episode_statistics()
    }

    fn render(&self) -> Option<Frame> {
        self.home()?.render()
    }

    /// What the environment writes; nothing between [`begin_step`](Env::begin_step) and [`step`](Env::step), nor
    /// where it is gone.
    fn save_state(&self, state: &mut StateWriter) {
        if let Some(env) = self.home() {
            env.save_state(state);
        }
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        if let At::Away(_) = self.at {
            let _ = self.receive();
        }
        match &mut self.at {
            At::Home { env, .. } => env.load_state(state),
            At::Lost(reason) => Err(StateError::mismatch("environment in a thread", "one at rest", reason)),
            At::Away(_) => Err(StateError::mismatch("environment in a thread", "one at rest", "one at work")),
        }
    }
}

impl Drop for ThreadedEnv {
    fn drop(&mut self) {
        let job = std::mem::replace(&mut lock(&self.slot.state).job, Job::Abandoned);
        drop(job);
    }
}
