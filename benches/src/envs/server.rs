//! Our own environments as one of the processes that are compared.

use std::error::Error;
use std::io::{BufRead, Write};
use std::num::NonZeroUsize;
use std::time::Instant;

use deepq::envs::threads::EnvThreads;
use deepq::envs::wrappers::FlattenObservation;
use deepq::{Env, ObservationBuffer, RandomStream, Space, VectorEnv, consecutive_seeds};
use serde_json::{Map, Value, json};

/// Copies in a vector environment.
pub(super) const COPIES: usize = 64;
/// Rows of actions that are drawn beforehand, one action a copy.
const ACTION_ROWS: usize = 1024;
const ACTIONS: usize = ACTION_ROWS * COPIES;
/// Env steps of one call.
const STEPS_PER_CALL: usize = 1024;
const SEED: u64 = 1;

/// The forms of an environment, and what follows its id in their names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `step` of the environment alone, with `reset` where an episode ends.
    Loop,
    /// A [`VectorEnv`] of so many copies.
    Vector(usize),
    /// [`COPIES`] in a [`VectorEnv`], at work in so many [`EnvThreads`].
    Threads(NonZeroUsize),
}

/// Those of every environment.
const KINDS: [Kind; 3] = [Kind::Loop, Kind::Vector(1), Kind::Vector(COPIES)];
/// The environments that threads are meant for: those whose steps take long.
const WITH_THREADS: [&str; 1] = ["LunarLander-v3"];

impl Kind {
    pub(super) fn name(self) -> String {
        match self {
            Self::Loop => "loop".to_owned(),
            Self::Vector(copies) => format!("vector-{copies}"),
            Self::Threads(threads) => format!("threads-{threads}-{COPIES}"),
        }
    }
}

/// The name of a form.
pub(super) fn form(id: &str, kind: Kind) -> String {
    format!("{id}:{}", kind.name())
}

/// What is measured: without `threads` all environments in this thread, else some in so many.
fn subjects(threads: Option<NonZeroUsize>) -> Vec<(&'static str, Kind)> {
    let ids = deepq::envs::ids().map(|(id, _)| id);
    match threads {
        None => ids.flat_map(|id| KINDS.map(|kind| (id, kind))).collect(),
        Some(threads) => {
            ids.filter(|id| WITH_THREADS.contains(id)).map(|id| (id, Kind::Threads(threads))).collect()
        }
    }
}

/// Answers lines until standard input ends; what they are stands in [`crate::process`].
pub(super) fn run(threads: Option<NonZeroUsize>) -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout();
    let mut forms = Map::new();
    let mut subjects: Vec<_> = subjects(threads).into_iter().map(|(id, kind)| (id, kind, None)).collect();
    for (id, kind, _) in &subjects {
        forms.insert(form(id, *kind), json!(STEPS_PER_CALL));
    }
    let versions = json!({ "deepq": env!("CARGO_PKG_VERSION") });
    writeln!(output, "{}", json!({ "versions": versions, "forms": forms }))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let question: Vec<&str> = line.split(' ').collect();
        let ["time", name, calls] = question[..] else {
            return Err(format!("{line:?} is no question").into());
        };
        let calls: usize = calls.parse()?;
        let subject = subjects.iter_mut().find(|(id, kind, _)| form(id, *kind) == name);
        let (id, kind, subject) = subject.ok_or_else(|| format!("there is no form {name}"))?;
        // Made when first asked for: all copies of all environments at once would share the cache.
        let subject: &mut Subject = match subject {
            Some(subject) => subject,
            None => subject.insert(Subject::new(id, *kind)?),
        };
        let answer: Value = json!(subject.seconds(calls)?);
        writeln!(output, "{answer}")?;
    }
    Ok(())
}

/// An environment, or several, with the actions it is to be given again and again.
struct Subject {
    stepper: Stepper,
    actions: Vec<u32>,
    /// The next of them.
    at: usize,
}

enum Stepper {
    Single(Box<dyn Env>, ObservationBuffer),
    Vector(VectorEnv),
}

impl Stepper {
    /// With the number of actions.
    fn vector(
        envs: impl Iterator<Item = Result<Box<dyn Env>, Box<dyn Error>>>,
    ) -> Result<(Self, usize), Box<dyn Error>> {
        let mut envs = VectorEnv::new(envs.collect::<Result<_, _>>()?)?;
        envs.reset(&consecutive_seeds(SEED, envs.len()))?;
        let actions = envs.spec().actions;
        Ok((Self::Vector(envs), actions))
    }
}

impl Subject {
    fn new(id: &str, kind: Kind) -> Result<Self, Box<dyn Error>> {
        let mut stream = RandomStream::new(SEED, "actions", 0);
        let (stepper, actions) = match kind {
            Kind::Loop => {
                let mut env = deepq::envs::make(id)?;
                let space = &env.spec().observation_space;
                let mut buffer = ObservationBuffer::zeros(space.element(), space.len());
                let (len, actions) = (buffer.len(), env.spec().actions);
                env.reset(Some(SEED), buffer.slice_mut(0..len))?;
                (Stepper::Single(env, buffer), actions)
            }
            Kind::Vector(copies) => Stepper::vector((0..copies).map(|_| boxed(id)))?,
            Kind::Threads(threads) => {
                let threads = EnvThreads::new(threads, None)?;
                let put = |env| -> Box<dyn Env> { Box::new(threads.put(env)) };
                Stepper::vector((0..COPIES).map(|_| boxed(id).map(put)))?
            }
        };
        let drawn = (0..ACTIONS).map(|_| stream.below(actions) as u32);
        Ok(Self { stepper, actions: drawn.collect(), at: 0 })
    }

    /// Takes the steps of so many calls: the seconds they took.
    fn seconds(&mut self, calls: usize) -> Result<f64, Box<dyn Error>> {
        let steps = calls * STEPS_PER_CALL;
        let timer = Instant::now();
        match &mut self.stepper {
            Stepper::Single(env, buffer) => {
                let len = buffer.len();
                for _ in 0..steps {
                    let action = self.actions[self.at] as usize;
                    self.at = (self.at + 1) % ACTIONS;
                    if env.step(action, buffer.slice_mut(0..len))?.ended() {
                        env.reset(None, buffer.slice_mut(0..len))?;
                    }
                }
            }
            Stepper::Vector(envs) => {
                let copies = envs.len();
                for _ in 0..steps / copies {
                    envs.step(&self.actions[self.at..self.at + copies])?;
                    self.at = (self.at + copies) % ACTIONS;
                }
            }
        }
        Ok(timer.elapsed().as_secs_f64())
    }
}

/// As a training makes it: with observations that a network can take.
fn boxed(id: &str) -> Result<Box<dyn Env>, Box<dyn Error>> {
    let env = deepq::envs::make(id)?;
    if matches!(env.spec().observation_space, Space::Box(_)) {
        return Ok(env);
    }
    Ok(Box::new(FlattenObservation::new(env)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_environment_takes_the_steps_of_a_call_in_every_form() {
        for (id, kind) in [subjects(None), subjects(NonZeroUsize::new(2))].concat() {
            let mut subject = Subject::new(id, kind).unwrap();
            assert!(subject.seconds(1).unwrap() > 0.0, "{id}");
            assert_eq!(subject.at, STEPS_PER_CALL, "{id} {}", kind.name());
            let Stepper::Vector(envs) = subject.stepper else { continue };
            assert_eq!(envs.len(), if kind == Kind::Vector(1) { 1 } else { COPIES });
        }
    }

    #[test]
    fn what_has_threads_is_there() {
        assert_eq!(subjects(NonZeroUsize::new(2)).len(), WITH_THREADS.len());
        assert_eq!(form("X-v1", Kind::Threads(NonZeroUsize::new(2).unwrap())), "X-v1:threads-2-64");
    }
}
