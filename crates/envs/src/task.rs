//! An environment of one's own from a plain struct.
//!
//! ```
//! use deepq_core::{BoxSpace, EnvSpec, ObservationMut, RandomStream, Step};
//! use deepq_envs::{Registry, Task, TaskEnv, check::check_env};
//! use serde::{Deserialize, Serialize};
//!
//! /// A corridor of ten fields. The right end is worth 1, and every step costs 0.01.
//! #[derive(Serialize, Deserialize)]
//! struct Corridor {
//!     field: usize,
//! }
//!
//! impl Task for Corridor {
//!     fn spec() -> EnvSpec {
//!         let position = BoxSpace::vector(&[0.0], &[1.0]);
//!         EnvSpec { max_episode_steps: Some(100), ..EnvSpec::new("Corridor", position, 2) }
//!     }
//!
//!     fn begin(random: &mut RandomStream) -> Self {
//!         Self { field: random.below(9) }
//!     }
//!
//!     fn observe(&self, observation: ObservationMut<'_>) {
//!         observation.f32()[0] = self.field as f32 / 9.0;
//!     }
//!
//!     fn step(&mut self, action: usize, _random: &mut RandomStream) -> Step {
//!         self.field = if action == 1 { self.field + 1 } else { self.field.saturating_sub(1) };
//!         let terminated = self.field == 9;
//!         Step { reward: if terminated { 1.0 } else { -0.01 }, terminated, truncated: false }
//!     }
//! }
//!
//! let mut registry = Registry::builtin();
//! registry.register_task::<Corridor>("walk to the right end")?;
//! assert_eq!(registry.make("Corridor")?.spec().actions, 2);
//!
//! let report = check_env(TaskEnv::<Corridor>::new);
//! assert!(report.is_ok(), "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use deepq_core::{
    Env, EnvError, EnvSpec, Frame, ObservationMut, RandomStream, StateError, StateReader, StateWriter, Step,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An environment whose state is a plain struct: the value itself is the state of an episode.
/// [`TaskEnv`] makes an [`Env`] of it, with all that every environment needs: seeds, the limit of
/// [`EnvSpec::max_episode_steps`], exact resume, and errors where it is not used as it should be.
///
/// For exact resume everything that a step reads or changes belongs into the struct. It is saved as
/// [postcard](https://docs.rs/postcard) does, which keeps every bit of every number, but takes none of serde's
/// attributes `tag`, `untagged` and `flatten`.
pub trait Task: Serialize + DeserializeOwned + Send + Sized + 'static {
    /// True where [`allows`](Self::allows) is to be asked: there is an action mask then.
    const MASKS_ACTIONS: bool = false;

    /// What is known of the environment: id, observations, actions, and the most steps of an episode.
    fn spec() -> EnvSpec;

    /// The state in which an episode begins.
    fn begin(random: &mut RandomStream) -> Self;

    /// Writes every element of the observation of this state.
    fn observe(&self, observation: ObservationMut<'_>);

    /// Takes `action`, which is below [`EnvSpec::actions`]. The limit to the steps of an episode is not its
    /// matter: `truncated` is false, but for other limits from outside.
    fn step(&mut self, action: usize, random: &mut RandomStream) -> Step;

    /// The picture of this state, of [`EnvSpec::frame_size`] pixels.
    fn render(&self) -> Option<Frame> {
        None
    }

    /// Whether `action` may be taken in this state; asked only where
    /// [`MASKS_ACTIONS`](Self::MASKS_ACTIONS) is true.
    fn allows(&self, _action: usize) -> bool {
        true
    }

    /// Whether this is a state to go on from; asked of one that was read from a file.
    fn is_valid(&self) -> bool {
        true
    }
}

/// A [`Task`] as an environment.
#[derive(Clone, Debug)]
pub struct TaskEnv<T> {
    spec: EnvSpec,
    random: RandomStream,
    /// The state of the episode; `None` before the first reset.
    task: Option<T>,
    episode_steps: u32,
    has_ended: bool,
    mask: Vec<bool>,
}

impl<T: Task> TaskEnv<T> {
    /// The environment before its first reset. Without a seed it begins as with seed 0.
    pub fn new() -> Self {
        let spec = EnvSpec { action_masks: T::MASKS_ACTIONS, ..T::spec() };
        let mask = if T::MASKS_ACTIONS { vec![true; spec.actions] } else { vec![] };
        Self { spec, random: stream(0), task: None, episode_steps: 0, has_ended: false, mask }
    }

    /// The state of the episode; `None` before the first reset.
    pub fn task(&self) -> Option<&T> {
        self.task.as_ref()
    }

    #[cold]
    fn refused(&self, action: usize) -> EnvError {
        let id = &self.spec.id;
        EnvError::new(match &self.task {
            None => format!("{id}: a step before the first reset"),
            Some(_) if self.has_ended => format!("{id}: a step after the end of the episode; reset it first"),
            Some(_) => format!(
                "{id}: there is no action {action}, only 0 to {}",
                self.spec.actions.saturating_sub(1)
            ),
        })
    }
}

fn stream(seed: u64) -> RandomStream {
    RandomStream::new(seed, "task", 0)
}

fn set_mask<T: Task>(mask: &mut [bool], task: &T) {
    mask.iter_mut().enumerate().for_each(|(action, allowed)| *allowed = task.allows(action));
}

impl<T: Task> Default for TaskEnv<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Task> Env for TaskEnv<T> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.random = stream(seed);
        }
        let task = T::begin(&mut self.random);
        task.observe(observation);
        set_mask(&mut self.mask, &task);
        (self.task, self.episode_steps, self.has_ended) = (Some(task), 0, false);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let Some(task) = self.task.as_mut().filter(|_| !self.has_ended && action < self.spec.actions) else {
            return Err(self.refused(action));
        };
        let mut step = task.step(action, &mut self.random);
        task.observe(observation);
        set_mask(&mut self.mask, task);
        self.episode_steps = self.episode_steps.saturating_add(1);
        step.truncated |= self.spec.max_episode_steps.is_some_and(|limit| self.episode_steps >= limit);
        self.has_ended = step.ended();
        Ok(step)
    }

    fn action_mask(&self) -> Option<&[bool]> {
        T::MASKS_ACTIONS.then_some(&self.mask)
    }

    fn render(&self) -> Option<Frame> {
        self.task.as_ref().and_then(T::render)
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("task");
        self.random.save_state(state);
        state.u32(self.episode_steps);
        state.bool(self.has_ended);
        // A state that cannot be written is noticed when it is read: there is no other place for the error.
        let bytes = postcard::to_stdvec(&self.task);
        state.bool(bytes.is_ok());
        state.bytes_with_len(&bytes.unwrap_or_else(|error| error.to_string().into_bytes()));
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("task")?;
        let mut random = self.random.clone();
        random.load_state(state)?;
        let episode_steps = state.u32("steps since the episode began")?;
        let has_ended = state.bool("whether the episode has ended")?;
        let is_whole = state.bool("whether the task could be written")?;
        let bytes = state.bytes_with_len("the task")?;
        if !is_whole {
            let reason = String::from_utf8_lossy(bytes);
            return Err(StateError::mismatch(
                "the task",
                "one that was saved",
                format!("an error: {reason}"),
            ));
        }
        let task: Option<T> = read(bytes)?;
        if let Some(task) = &task {
            set_mask(&mut self.mask, task);
        }
        (self.task, self.random, self.episode_steps, self.has_ended) =
            (task, random, episode_steps, has_ended);
        Ok(())
    }
}

fn read<T: Task>(bytes: &[u8]) -> Result<Option<T>, StateError> {
    let (task, left): (Option<T>, _) = postcard::take_from_bytes(bytes)
        .map_err(|error| StateError::mismatch("the task", std::any::type_name::<T>(), error))?;
    if !left.is_empty() {
        return Err(StateError::TooLong { left: left.len() as u64 });
    }
    match task {
        Some(task) if !task.is_valid() => {
            Err(StateError::mismatch("the task", "a state to go on from", "one that is_valid refuses"))
        }
        task => Ok(task),
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::{BoxSpace, Space};
    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;
    use crate::Registry;
    use crate::check::{FindingKind, check_env};

    /// A walk on a line of ten places, with things in its state that are hard to save.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Walk {
        place: i64,
        seen: Vec<u8>,
        sum: f64,
        nothing: f32,
        last: Option<Direction>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    enum Direction {
        Left,
        Right { steps: i64 },
    }

    impl Task for Walk {
        const MASKS_ACTIONS: bool = true;

        fn spec() -> EnvSpec {
            let space = Space::Tuple(vec![Space::discrete(10), BoxSpace::vector(&[0.0], &[1e6]).into()]);
            EnvSpec {
                max_episode_steps: Some(25),
                frame_size: Some((10, 1)),
                ..EnvSpec::new("Walk", space, 2)
            }
        }

        fn begin(random: &mut RandomStream) -> Self {
            let place = random.below(9) as i64;
            Self { place, seen: vec![place as u8], sum: 0.1, nothing: f32::NAN, last: None }
        }

        fn observe(&self, observation: ObservationMut<'_>) {
            let values = observation.f32();
            (values[0], values[1]) = (self.place as f32, self.sum as f32);
        }

        fn step(&mut self, action: usize, random: &mut RandomStream) -> Step {
            let steps = 1 + random.below(2) as i64;
            let direction = if action == 0 { Direction::Left } else { Direction::Right { steps } };
            self.place += match direction {
                Direction::Left => -1,
                Direction::Right { steps } => steps,
            };
            self.place = self.place.clamp(0, 9);
            self.seen.push(self.place as u8);
            self.sum += self.sum * 0.1 + f64::from(u8::from(self.last == Some(direction)));
            self.last = Some(direction);
            let terminated = self.place == 9;
            Step { reward: if terminated { self.sum } else { 0.0 }, terminated, truncated: false }
        }

        fn render(&self) -> Option<Frame> {
            Some(Frame::filled(10, 1, [self.place as u8; 3]))
        }

        fn allows(&self, action: usize) -> bool {
            action == 1 || self.place > 0
        }

        fn is_valid(&self) -> bool {
            (0..10).contains(&self.place)
        }
    }

    fn step(env: &mut TaskEnv<Walk>, action: usize) -> Result<(Step, [f32; 2]), String> {
        let mut observation = [0.0; 2];
        let step =
            env.step(action, ObservationMut::F32(&mut observation)).map_err(|error| error.to_string())?;
        Ok((step, observation))
    }

    fn begun(seed: u64) -> TaskEnv<Walk> {
        let mut env = TaskEnv::new();
        env.reset(Some(seed), ObservationMut::F32(&mut [0.0; 2])).unwrap();
        env
    }

    fn state_of(env: &impl Env) -> Vec<u8> {
        let mut writer = StateWriter::new();
        env.save_state(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn nothing_is_found_wrong_with_it() {
        let report = check_env(TaskEnv::<Walk>::new);
        assert_eq!(report.findings, [], "{report}");
    }

    #[test]
    fn every_bit_of_the_state_is_kept() {
        let mut env = begun(4);
        for action in [0, 0, 1, 0] {
            step(&mut env, action).unwrap();
        }
        let bytes = state_of(&env);
        let mut other = TaskEnv::<Walk>::new();
        other.load_state(&mut StateReader::new(&bytes)).unwrap();
        let (one, two) = (env.task().unwrap(), other.task().unwrap());
        assert_eq!((one.place, &one.seen, one.last), (two.place, &two.seen, two.last));
        assert_eq!((one.sum.to_bits(), one.nothing.to_bits()), (two.sum.to_bits(), two.nothing.to_bits()));
        assert_eq!(env.action_mask(), other.action_mask());
    }

    #[test]
    fn a_limit_truncates_and_a_mask_follows_the_state() {
        let mut env = begun(4);
        let mut steps = 0;
        let last = loop {
            steps += 1;
            let (step, observation) = step(&mut env, 0).unwrap();
            assert_eq!(env.action_mask().unwrap(), [observation[0] > 0.0, true]);
            if step.ended() {
                break step;
            }
        };
        assert_eq!((steps, last.truncated, last.terminated), (25, true, false));
    }

    #[test]
    fn wrong_use_is_an_error_that_says_so() {
        let error = step(&mut TaskEnv::new(), 0).unwrap_err();
        assert_eq!(error, "Walk: a step before the first reset");
        let mut env = begun(1);
        assert_eq!(step(&mut env, 2).unwrap_err(), "Walk: there is no action 2, only 0 to 1");
        while !step(&mut env, 1).unwrap().0.ended() {}
        assert_eq!(
            step(&mut env, 1).unwrap_err(),
            "Walk: a step after the end of the episode; reset it first"
        );
    }

    #[test]
    fn a_state_that_is_none_is_refused() {
        let mut env = begun(1);
        env.task.as_mut().unwrap().place = 10;
        let error = begun(2).load_state(&mut StateReader::new(&state_of(&env))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the task: expected a state to go on from, found one that is_valid refuses"
        );
    }

    #[test]
    fn it_is_registered_under_its_id() {
        let mut registry = Registry::empty();
        registry.register_task::<Walk>("a walk").unwrap();
        assert_eq!(registry.ids().collect::<Vec<_>>(), [("Walk", "a walk")]);
        // Whether there are masks is found out from the task itself.
        let made = registry.make("Walk").unwrap();
        let expected = EnvSpec { action_masks: true, ..Walk::spec() };
        assert_eq!(made.spec(), &expected);
        assert!(registry.register_task::<Walk>("again").is_err());
    }

    /// Cannot be saved.
    #[derive(Default)]
    struct Secret;

    impl Serialize for Secret {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is secret"))
        }
    }

    impl<'de> Deserialize<'de> for Secret {
        fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }

    impl Task for Secret {
        fn spec() -> EnvSpec {
            EnvSpec { max_episode_steps: Some(3), ..EnvSpec::new("Secret", Space::discrete(1), 1) }
        }

        fn begin(_random: &mut RandomStream) -> Self {
            Self
        }

        fn observe(&self, observation: ObservationMut<'_>) {
            observation.f32()[0] = 0.0;
        }

        fn step(&mut self, _action: usize, _random: &mut RandomStream) -> Step {
            Step::default()
        }
    }

    #[test]
    fn a_task_that_cannot_be_saved_is_found_by_the_check() {
        let report = check_env(TaskEnv::<Secret>::new);
        let finding = report.find(FindingKind::Fails).unwrap_or_else(|| panic!("{report}"));
        assert!(finding.found.contains("the task: expected one that was saved, found an error"), "{report}");
    }
}
