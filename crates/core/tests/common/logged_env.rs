//! An environment that writes down what really happened, for whoever doubts the parts behind it.
#![allow(dead_code)] // Each test program uses a part of it.

use std::sync::{Arc, Mutex};

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, ObservationMut, RandomStream, StateError, StateReader,
    StateWriter, Step,
};

/// One step as the environment itself saw it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) observation: Vec<f32>,
    pub(crate) action: u32,
    pub(crate) step: Step,
    pub(crate) next: Vec<f32>,
    /// Which actions were allowed at the observation and at the next one.
    pub(crate) masks: [[bool; ACTIONS]; 2],
}

/// The steps of one environment, first to last.
pub(crate) type Log = Arc<Mutex<Vec<Taken>>>;

/// Episodes of random length that end in random ways, rewards that are small whole numbers, and observations no
/// two of which are equal: the environment's number and a count.
#[derive(Debug)]
pub(crate) struct LoggedEnv {
    spec: EnvSpec,
    index: u8,
    most_steps: usize,
    stream: RandomStream,
    count: u32,
    steps_left: u64,
    /// How the episode will end.
    end: Step,
    log: Log,
    mask: [bool; ACTIONS],
}

/// Actions there are.
pub(crate) const ACTIONS: usize = 3;

impl LoggedEnv {
    pub(crate) fn new(index: usize, most_steps: usize, element: ElementKind, log: Log) -> Self {
        let mut space = BoxSpace::vector(&[0.0; 3], &[255.0; 3]);
        space.element = element;
        let spec = EnvSpec::new("logged", space, ACTIONS);
        let stream = RandomStream::new(0, "env", 0);
        let (index, end) = (index as u8, Step::default());
        let mask = [true; ACTIONS];
        Self { spec, index, most_steps, stream, count: 0, steps_left: 0, end, log, mask }
    }

    /// With a mask of one or two of the actions at every observation, and of none where an episode terminated.
    pub(crate) fn masked(mut self) -> Self {
        self.spec.action_masks = true;
        self
    }

    fn set_mask(&mut self, over: bool) {
        let (count, index) = (self.count as usize, usize::from(self.index));
        let shut = [(count * 7 + index) % ACTIONS, (count / 2) % ACTIONS];
        if self.spec.action_masks {
            self.mask = std::array::from_fn(|action| !over && !shut.contains(&action));
        }
    }

    fn observation(&self) -> [u8; 3] {
        [self.index, (self.count / 256) as u8, (self.count % 256) as u8]
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        match observation {
            ObservationMut::F32(values) => values.copy_from_slice(&self.observation().map(f32::from)),
            ObservationMut::U8(values) => values.copy_from_slice(&self.observation()),
        }
    }
}

impl Env for LoggedEnv {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.stream = RandomStream::new(seed, "env", 0);
        }
        self.count += 1;
        self.steps_left = 1 + self.stream.below(self.most_steps) as u64;
        let (terminated, truncated) = [(true, false), (false, true), (true, true)][self.stream.below(3)];
        self.end = Step { reward: 0.0, terminated, truncated };
        self.set_mask(false);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let (before, mask) = (self.observation(), self.mask);
        self.count += 1;
        self.steps_left -= 1;
        let reward = self.stream.below(17) as f64 - 8.0;
        let end = if self.steps_left == 0 { self.end } else { Step::default() };
        let step = Step { reward, ..end };
        self.set_mask(step.terminated);
        self.log.lock().unwrap().push(Taken {
            observation: before.map(f32::from).to_vec(),
            action: action as u32,
            step,
            next: self.observation().map(f32::from).to_vec(),
            masks: [mask, self.mask],
        });
        self.observe(observation);
        Ok(step)
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.spec.action_masks.then_some(&self.mask)
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.stream.save_state(state);
        state.u32(self.count);
        state.u64(self.steps_left);
        state.bool(self.end.terminated);
        state.bool(self.end.truncated);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stream.load_state(state)?;
        self.count = state.u32("count")?;
        self.steps_left = state.u64("steps left")?;
        self.end.terminated = state.bool("terminated")?;
        self.end.truncated = state.bool("truncated")?;
        self.set_mask(false);
        Ok(())
    }
}
