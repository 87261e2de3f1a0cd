//! An environment under watch: panics are caught, results kept, and the call under way is known.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deepq_core::{
    ElementKind, Env, EnvError, EnvSpec, EpisodeStatistics, Frame, Observation, ObservationBuffer,
    StateReader, StateWriter, Step,
};

use super::CheckOptions;
use super::kinds::FindingKind;
use super::report::{Call, CheckReport, Finding, Place};

/// A part of the check cannot go on: what stopped it is in the log.
#[derive(Debug)]
pub(super) struct Stop;

/// What has been found, and what is being done, for the thread that watches.
#[derive(Default)]
pub(super) struct Log {
    id: Mutex<String>,
    findings: Mutex<Vec<Finding>>,
    latest: Mutex<Option<(Instant, Place)>>,
    env_steps: AtomicU64,
    episodes: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Notes a fault: the first of each kind with its words, the others by number.
    pub(super) fn add(&self, kind: FindingKind, place: Option<Place>, found: impl Into<String>) {
        let mut findings = lock(&self.findings);
        match findings.iter_mut().find(|finding| finding.kind == kind) {
            Some(finding) => finding.times = finding.times.saturating_add(1),
            None => findings.push(Finding { kind, found: found.into(), place, times: 1 }),
        }
    }

    pub(super) fn named(&self, id: &str) {
        *lock(&self.id) = id.to_owned();
    }

    fn enter(&self, place: Place) {
        *lock(&self.latest) = Some((Instant::now(), place));
        match place.call {
            Call::Reset => drop(self.episodes.fetch_add(1, Ordering::Relaxed)),
            Call::Step => drop(self.env_steps.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    pub(super) fn latest(&self) -> Option<Place> {
        lock(&self.latest).map(|(_, place)| place)
    }

    /// The latest call, where it began longer than `limit` ago.
    pub(super) fn overdue(&self, limit: Duration) -> Option<Place> {
        lock(&self.latest).filter(|(began, _)| began.elapsed() > limit).map(|(_, place)| place)
    }

    pub(super) fn report(&self) -> CheckReport {
        let mut findings = lock(&self.findings).clone();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
        CheckReport {
            id: lock(&self.id).clone(),
            findings,
            env_steps: self.env_steps.load(Ordering::Relaxed),
            episodes: self.episodes.load(Ordering::Relaxed),
        }
    }
}

/// What all parts of the check share.
pub(super) struct Context<'a, E> {
    pub(super) make: &'a dyn Fn() -> E,
    pub(super) log: &'a Log,
    pub(super) options: &'a CheckOptions,
}

impl<'a, E: Env> Context<'a, E> {
    /// A new copy, whose buffers hold `poison` before each call.
    pub(super) fn probe(&self, poison: Poison) -> Result<Probe<'a, E>, Stop> {
        let place = Place { call: Call::Make, seed: None, episode_steps: 0, action: None };
        self.log.enter(place);
        match catch_unwind(AssertUnwindSafe(|| (self.make)())) {
            Ok(env) => Ok(Probe::new(env, self.log, poison)),
            Err(panic) => {
                self.log.add(FindingKind::Panics, Some(place), message_of(&*panic));
                Err(Stop)
            }
        }
    }
}

/// What a buffer holds before an environment writes to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Poison {
    One,
    Other,
}

impl Poison {
    fn f32(self) -> f32 {
        match self {
            Self::One => -7_771.937,
            Self::Other => 6_543.312,
        }
    }

    fn u8(self) -> u8 {
        match self {
            Self::One => 0x5b,
            Self::Other => 0xa4,
        }
    }

    fn buffer(self, element: ElementKind, len: usize) -> ObservationBuffer {
        match element {
            ElementKind::F32 => ObservationBuffer::F32(vec![self.f32(); len]),
            ElementKind::U8 => ObservationBuffer::U8(vec![self.u8(); len]),
        }
    }

    /// How much element `index` is above what it was before.
    pub(super) fn above(self, observation: Observation<'_>, index: usize) -> f32 {
        match observation {
            Observation::F32(values) => values[index] - self.f32(),
            Observation::U8(values) => values[index].wrapping_sub(self.u8()).into(),
        }
    }
}

/// All that a reset or a step gave.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) observation: ObservationBuffer,
    pub(super) step: Step,
    pub(super) mask: Option<Vec<bool>>,
    statistics: Option<EpisodeStatistics>,
}

impl Moment {
    /// What `other` has otherwise, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let (one, two) = (self.observation.as_observation(), other.observation.as_observation());
        if let Some(index) = (0..one.len()).find(|index| bits(one, *index) != bits(two, *index)) {
            let (one, two) = (value(one, index), value(two, index));
            return Some(format!(
                "element {index} of the observation is {one} in one and {two} in the other"
            ));
        }
        if self.step.reward.to_bits() != other.step.reward.to_bits() {
            let (one, two) = (self.step.reward, other.step.reward);
            return Some(format!("the reward is {one} in one and {two} in the other"));
        }
        if (self.step.terminated, self.step.truncated) != (other.step.terminated, other.step.truncated) {
            return Some("the episode's end differs".into());
        }
        if self.mask != other.mask {
            return Some("the action mask differs".into());
        }
        (self.statistics != other.statistics).then(|| "the episode's statistics differ".into())
    }
}

fn bits(observation: Observation<'_>, index: usize) -> u32 {
    match observation {
        Observation::F32(values) => values[index].to_bits(),
        Observation::U8(values) => values[index].into(),
    }
}

/// Element `index` as a number.
pub(super) fn value(observation: Observation<'_>, index: usize) -> f32 {
    match observation {
        Observation::F32(values) => values[index],
        Observation::U8(values) => values[index].into(),
    }
}

/// What became of a step that need not succeed.
pub(super) enum Outcome {
    Taken(Moment),
    Refused,
    Panicked(String),
}

/// One copy of the environment.
pub(super) struct Probe<'a, E> {
    env: E,
    pub(super) spec: EnvSpec,
    log: &'a Log,
    poison: Poison,
    place: Place,
}

impl<'a, E: Env> Probe<'a, E> {
    fn new(env: E, log: &'a Log, poison: Poison) -> Self {
        let spec = env.spec().clone();
        let place = Place { call: Call::Make, seed: None, episode_steps: 0, action: None };
        Self { env, spec, log, poison, place }
    }

    /// Where the latest call was made.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Makes a call; a panic is caught and returned as its message.
    fn call<T>(&mut self, call: Call, work: impl FnOnce(&mut E) -> T) -> Result<T, String> {
        self.place.call = call;
        self.log.enter(self.place);
        let env = &mut self.env;
        catch_unwind(AssertUnwindSafe(|| work(env))).map_err(|panic| message_of(&*panic))
    }

    /// Makes a call that must succeed.
    fn must<T, F: std::fmt::Display>(
        &mut self,
        call: Call,
        work: impl FnOnce(&mut E) -> Result<T, F>,
    ) -> Result<T, Stop> {
        let (kind, message) = match self.call(call, work) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => (FindingKind::Fails, error.to_string()),
            Err(panic) => (FindingKind::Panics, panic),
        };
        self.log.add(kind, Some(self.place), message);
        Err(Stop)
    }

    fn buffer(&self) -> ObservationBuffer {
        let space = &self.spec.observation_space;
        self.poison.buffer(space.element(), space.len())
    }

    /// Begins an episode.
    pub(super) fn reset(&mut self, seed: Option<u64>) -> Result<Moment, Stop> {
        self.place.seed = seed.or(self.place.seed);
        (self.place.episode_steps, self.place.action) = (0, None);
        let mut observation = self.buffer();
        let len = observation.len();
        self.must(Call::Reset, |env| env.reset(seed, observation.slice_mut(0..len)))?;
        self.moment(observation, Step::default())
    }

    /// Takes a step.
    pub(super) fn step(&mut self, action: usize) -> Result<Moment, Stop> {
        let mut observation = self.buffer();
        self.count(action);
        let step = self.must(Call::Step, |env| take(env, action, &mut observation))?;
        self.moment(observation, step)
    }

    /// Takes a step that the environment may refuse.
    pub(super) fn try_step(&mut self, action: usize) -> Result<Outcome, Stop> {
        let mut observation = self.buffer();
        self.count(action);
        match self.call(Call::Step, |env| take(env, action, &mut observation)) {
            Ok(Ok(step)) => self.moment(observation, step).map(Outcome::Taken),
            Ok(Err(_)) => Ok(Outcome::Refused),
            Err(panic) => Ok(Outcome::Panicked(panic)),
        }
    }

    fn count(&mut self, action: usize) {
        self.place.episode_steps = self.place.episode_steps.saturating_add(1);
        self.place.action = Some(action);
    }

    /// The mask of the present state.
    pub(super) fn mask(&mut self) -> Result<Option<Vec<bool>>, Stop> {
        self.must(Call::ActionMask, |env| Ok::<_, EnvError>(env.action_mask().map(<[bool]>::to_vec)))
    }

    fn moment(&mut self, observation: ObservationBuffer, step: Step) -> Result<Moment, Stop> {
        let call = self.place.call;
        let mask = self.mask()?;
        if *self.env.spec() != self.spec {
            self.log.add(
                FindingKind::SpecChanges,
                Some(self.place),
                "spec() gives another EnvSpec than at first",
            );
            return Err(Stop);
        }
        self.place.call = call;
        Ok(Moment { observation, step, mask, statistics: self.env.episode_statistics() })
    }

    pub(super) fn render(&mut self) -> Result<Option<Frame>, Stop> {
        self.must(Call::Render, |env| Ok::<_, EnvError>(env.render()))
    }

    pub(super) fn save_state(&mut self) -> Result<Vec<u8>, Stop> {
        self.must(Call::SaveState, |env| {
            let mut writer = StateWriter::new();
            env.save_state(&mut writer);
            Ok::<_, EnvError>(writer.into_bytes())
        })
    }

    /// Loads a state and returns how many bytes were left over.
    pub(super) fn load_state(&mut self, bytes: &[u8]) -> Result<u64, Stop> {
        self.must(Call::LoadState, |env| load(env, bytes))
    }

    /// Loads a state that need not be one; true where it was taken with nothing left over.
    pub(super) fn try_load_state(&mut self, bytes: &[u8]) -> Result<bool, Stop> {
        match self.call(Call::LoadState, |env| load(env, bytes)) {
            Ok(outcome) => Ok(matches!(outcome, Ok(0))),
            Err(panic) => {
                let message = format!("on a damaged state: {panic}");
                self.log.add(FindingKind::Panics, Some(self.place), message);
                Err(Stop)
            }
        }
    }
}

/// The place counts on, so that a drop that hangs is told as one.
impl<E> Drop for Probe<'_, E> {
    fn drop(&mut self) {
        self.log.enter(Place { call: Call::Drop, ..self.place });
    }
}

fn take<E: Env>(env: &mut E, action: usize, observation: &mut ObservationBuffer) -> Result<Step, EnvError> {
    if env.steps_elsewhere() {
        env.begin_step(action);
    }
    let len = observation.len();
    env.step(action, observation.slice_mut(0..len))
}

fn load<E: Env>(env: &mut E, bytes: &[u8]) -> Result<u64, deepq_core::StateError> {
    let mut reader = StateReader::new(bytes);
    env.load_state(&mut reader)?;
    match reader.finish() {
        Err(deepq_core::StateError::TooLong { left }) => Ok(left),
        _ => Ok(0),
    }
}

/// The words of a panic.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it says nothing".to_owned())
}
