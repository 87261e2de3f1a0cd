//! An environment for the tests of wrappers: it gives what it is told to.

use deepq_core::{
    ElementKind, Env, EnvError, EnvSpec, ObservationBuffer, ObservationMut, Space, StateError, StateReader,
    StateWriter, Step,
};

/// Gives `observations[i]` after `i` steps of an episode (from the first again where they are used up) and the
/// reward `rewards[i]` for step `i`; terminates after `episode_steps` of them.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) spec: EnvSpec,
    pub(crate) observations: Vec<Vec<f32>>,
    pub(crate) rewards: Vec<f64>,
    pub(crate) episode_steps: usize,
    /// The actions of the episode.
    pub(crate) actions: Vec<u32>,
}

impl Scripted {
    pub(crate) fn new(space: impl Into<Space>, observations: &[&[f32]]) -> Self {
        Self {
            spec: EnvSpec::new("Scripted", space, 3),
            observations: observations.iter().map(|values| values.to_vec()).collect(),
            rewards: vec![1.0],
            episode_steps: 1_000,
            actions: vec![],
        }
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        let values = &self.observations[self.actions.len() % self.observations.len()];
        match observation {
            ObservationMut::F32(to) => to.copy_from_slice(values),
            ObservationMut::U8(to) => {
                to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as u8);
            }
        }
    }
}

impl Env for Scripted {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.actions.clear();
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let reward = self.rewards[self.actions.len() % self.rewards.len()];
        self.actions.push(action as u32);
        self.observe(observation);
        Ok(Step { reward, terminated: self.actions.len() >= self.episode_steps, truncated: false })
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("scripted");
        state.u32_slice(&self.actions);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("scripted")?;
        self.actions = state.u32_vec("actions")?;
        Ok(())
    }
}

/// A buffer for one observation of `env`, full of what must not be left there.
pub(crate) fn buffer(env: &(impl Env + ?Sized)) -> ObservationBuffer {
    let space = &env.spec().observation_space;
    match space.element() {
        ElementKind::F32 => ObservationBuffer::F32(vec![-77.7; space.len()]),
        ElementKind::U8 => ObservationBuffer::U8(vec![0xee; space.len()]),
    }
}

/// The first observation of an episode.
pub(crate) fn reset(env: &mut (impl Env + ?Sized), seed: Option<u64>) -> ObservationBuffer {
    let mut observation = buffer(env);
    let len = observation.len();
    env.reset(seed, observation.slice_mut(0..len)).unwrap();
    observation
}

/// A step and its observation.
pub(crate) fn step(env: &mut (impl Env + ?Sized), action: usize) -> (ObservationBuffer, Step) {
    let mut observation = buffer(env);
    let len = observation.len();
    let step = env.step(action, observation.slice_mut(0..len)).unwrap();
    (observation, step)
}

/// What `env` would write into a checkpoint.
pub(crate) fn state_of(env: &(impl Env + ?Sized)) -> Vec<u8> {
    let mut writer = StateWriter::new();
    env.save_state(&mut writer);
    writer.into_bytes()
}

/// Fails unless `other`, a fresh copy, goes on exactly as `env` does from the state it is in, and unless damaged
/// bytes are errors that leave it as it was.
pub(crate) fn assert_resumes<E: Env>(env: &mut E, mut other: E, actions: &[usize]) {
    let bytes = state_of(env);
    let before = state_of(&other);
    for len in 0..bytes.len() {
        assert!(other.load_state(&mut StateReader::new(&bytes[..len])).is_err(), "{len} bytes");
        assert_eq!(state_of(&other), before, "changed by the first {len} bytes of a state");
    }
    let mut reader = StateReader::new(&bytes);
    other.load_state(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(state_of(&other), bytes);
    for &action in actions {
        assert_eq!(step(env, action), step(&mut other, action));
        assert_eq!(env.episode_statistics(), other.episode_statistics());
    }
    assert_eq!(reset(env, None), reset(&mut other, None));
    assert_eq!(state_of(env), state_of(&other));
}

/// A box of `len` elements without bounds.
pub(crate) fn unbounded(len: usize, element: ElementKind) -> Space {
    let (low, high) = match element {
        ElementKind::F32 => (f32::NEG_INFINITY, f32::INFINITY),
        ElementKind::U8 => (0.0, 255.0),
    };
    Space::Box(deepq_core::BoxSpace { shape: vec![len], element, low: vec![low; len], high: vec![high; len] })
}
