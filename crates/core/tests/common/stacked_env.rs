//! An environment that shows its latest frames at once.

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, ObservationBuffer, ObservationMut, Space, StackPadding,
    StateError, StateReader, StateWriter, Step,
};

/// `env` with observations of its latest frames, oldest first, and padding before an episode's first.
pub(crate) struct StackedEnv<E> {
    env: E,
    spec: EnvSpec,
    /// All frames, oldest first.
    frames: ObservationBuffer,
    frame_len: usize,
}

impl<E: Env> StackedEnv<E> {
    pub(crate) fn new(env: E, count: usize, stack_padding: StackPadding) -> Self {
        let spec = env.spec();
        let (frame_len, element) = (spec.observation_space.len(), spec.observation_space.element());
        let bound = |value| vec![value; count * frame_len];
        let shape = vec![count, frame_len];
        let space = Space::Box(BoxSpace { shape, element, low: bound(0.0), high: bound(255.0) });
        let spec = EnvSpec { observation_space: space, stacked_frames: count, stack_padding, ..spec.clone() };
        Self { env, spec, frames: ObservationBuffer::zeros(element, count * frame_len), frame_len }
    }

    fn newest(&mut self) -> ObservationMut<'_> {
        let len = self.frames.len();
        self.frames.slice_mut(len - self.frame_len..len)
    }

    fn move_back(&mut self) {
        match &mut self.frames {
            ObservationBuffer::F32(values) => values.copy_within(self.frame_len.., 0),
            ObservationBuffer::U8(values) => values.copy_within(self.frame_len.., 0),
        }
    }
}

impl<E: Env> Env for StackedEnv<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, mut observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let mut first = ObservationBuffer::zeros(self.frames.element(), self.frame_len);
        self.env.reset(seed, first.slice_mut(0..self.frame_len))?;
        if self.spec.stack_padding == StackPadding::Zero {
            self.frames = ObservationBuffer::zeros(self.frames.element(), self.frames.len());
        }
        let copies = match self.spec.stack_padding {
            StackPadding::Reset => self.spec.stacked_frames,
            StackPadding::Zero => 1,
        };
        for _ in 0..copies {
            self.move_back();
            self.newest().copy_from(first.as_observation());
        }
        observation.copy_from(self.frames.as_observation());
        Ok(())
    }

    fn step(&mut self, action: usize, mut observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.move_back();
        let len = self.frames.len();
        let step = self.env.step(action, self.frames.slice_mut(len - self.frame_len..len))?;
        observation.copy_from(self.frames.as_observation());
        Ok(step)
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.env.action_mask()
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.observation(self.frames.as_observation());
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let element: ElementKind = self.frames.element();
        self.frames = state.observation("frames", element)?;
        self.env.load_state(state)
    }
}
