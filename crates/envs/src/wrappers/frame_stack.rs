//! The latest observations side by side.

use std::num::NonZeroU32;

use deepq_core::replay::MOST_STACKED_FRAMES;
use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, ObservationBuffer, ObservationMut, Space, StackPadding, StateError,
    StateReader, StateWriter, Step,
};

use super::{box_of, part};

/// Gives the latest observations ("frames") at once, on a new first axis, oldest first (Gymnasium's
/// `FrameStackObservation`). At the beginning of an episode its first observation stands in the place of those before
/// it, or [zeros](Self::padded).
///
/// [`EnvSpec::stacked_frames`] tells a memory that it need keep each frame only once.
#[derive(Clone, Debug)]
pub struct FrameStack<E> {
    env: E,
    spec: EnvSpec,
    frame_len: usize,
    /// The latest frames; the oldest stands at `oldest`, the next one after it, round the end.
    ring: ObservationBuffer,
    oldest: usize,
}

impl<E: Env> FrameStack<E> {
    /// `env` with observations of `frames` frames.
    ///
    /// # Errors
    /// Where the observations of `env` are no box, or stacked already, or where there are more than
    /// [`MOST_STACKED_FRAMES`] frames.
    pub fn new(env: E, frames: NonZeroU32) -> Result<Self, EnvError> {
        check_frames(frames.get())?;
        let (spec, count) = (env.spec(), frames.get() as usize);
        let frame = box_of("frame-stack", spec)?;
        if spec.stacked_frames != 1 {
            return Err(EnvError::new(format!(
                "frame-stack: {} stacks {} frames already; stack once, with as many frames as are meant",
                spec.id, spec.stacked_frames
            )));
        }
        let space = BoxSpace {
            shape: [count].into_iter().chain(frame.shape.iter().copied()).collect(),
            element: frame.element,
            low: frame.low.repeat(count),
            high: frame.high.repeat(count),
        };
        let (frame_len, ring) = (frame.len(), ObservationBuffer::zeros(frame.element, space.len()));
        let spec = EnvSpec { observation_space: Space::Box(space), stacked_frames: count, ..spec.clone() };
        Ok(Self { env, spec, frame_len, ring, oldest: 0 })
    }

    /// The same with `padding` in the place of frames before an episode's first. With zeros, the bounds of all frames
    /// but the newest are widened where they leave zero out.
    pub fn padded(mut self, padding: StackPadding) -> Self {
        self.spec.stack_padding = padding;
        if let (StackPadding::Zero, Space::Box(space)) = (padding, &mut self.spec.observation_space) {
            // The newest frame is never padding.
            let older = space.len() - self.frame_len;
            space.low[..older].iter_mut().for_each(|low| *low = low.min(0.0));
            space.high[..older].iter_mut().for_each(|high| *high = high.max(0.0));
        }
        self
    }

    access_to_inner!();

    fn frames(&self) -> usize {
        self.spec.stacked_frames
    }

    fn range(&self, frame: usize) -> std::ops::Range<usize> {
        frame * self.frame_len..(frame + 1) * self.frame_len
    }

    /// Writes all frames, oldest first.
    fn write(&self, mut observation: ObservationMut<'_>) {
        let (oldest, len) = (self.oldest * self.frame_len, self.ring.len());
        part(&mut observation, 0..len - oldest).copy_from(self.ring.slice(oldest..len));
        part(&mut observation, len - oldest..len).copy_from(self.ring.slice(0..oldest));
    }
}

pub(super) fn check_frames(frames: u32) -> Result<(), EnvError> {
    match (1..=MOST_STACKED_FRAMES).contains(&(frames as usize)) {
        true => Ok(()),
        false => Err(EnvError::new(format!(
            "frame-stack: frames is a whole number from 1 to {MOST_STACKED_FRAMES}, found {frames}"
        ))),
    }
}

impl<E: Env> Env for FrameStack<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, mut observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, part(&mut observation, 0..self.frame_len))?;
        self.oldest = 0;
        let newest = self.frames() - 1;
        for frame in 0..=newest {
            let range = self.range(frame);
            let first = part(&mut observation, 0..self.frame_len);
            match self.spec.stack_padding {
                StackPadding::Zero if frame < newest => self.ring.fill_zero(range),
                _ => self.ring.slice_mut(range).copy_from(first.as_observation()),
            }
        }
        self.write(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let range = self.range(self.oldest);
        let step = self.env.step(action, self.ring.slice_mut(range))?;
        self.oldest = (self.oldest + 1) % self.frames();
        self.write(observation);
        Ok(step)
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("frame-stack");
        state.u64(self.frames() as u64);
        state.u64(self.oldest as u64);
        state.observation(self.ring.as_observation());
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("frame-stack")?;
        state.expect_u64("stacked frames", self.frames() as u64)?;
        let oldest = state.u64_at_most("place of the oldest frame", self.frames() as u64 - 1)? as usize;
        let ring = state.observation("frames", self.ring.element())?;
        if ring.len() != self.ring.len() {
            return Err(StateError::mismatch("elements of the frames", self.ring.len(), ring.len()));
        }
        self.env.load_state(state)?;
        (self.ring, self.oldest) = (ring, oldest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::ElementKind;

    use super::super::testing::{Scripted, assert_resumes, reset, step, unbounded};
    use super::*;

    fn stacked(frames: u32, element: ElementKind) -> FrameStack<Scripted> {
        let observations: [&[f32]; 5] = [&[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0], &[7.0, 8.0], &[9.0, 10.0]];
        let env = Scripted::new(unbounded(2, element), &observations);
        FrameStack::new(env, NonZeroU32::new(frames).unwrap()).unwrap()
    }

    #[test]
    fn the_latest_frames_are_given_oldest_first() {
        let mut env = stacked(3, ElementKind::F32);
        for _episode in 0..2 {
            let first = reset(&mut env, None);
            assert_eq!(first, ObservationBuffer::F32(vec![1.0, 2.0, 1.0, 2.0, 1.0, 2.0]));
            for expected in [
                [1.0, 2.0, 1.0, 2.0, 3.0, 4.0],
                [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
                [3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
                [5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
            ] {
                assert_eq!(step(&mut env, 0).0, ObservationBuffer::F32(expected.to_vec()));
            }
        }
    }

    /// Row 14: zeros before the first frame, in the second episode as in the first, and none of the episode before.
    #[test]
    fn row_14_frames_before_an_episode_are_zeros_where_that_is_asked_for() {
        for element in [ElementKind::F32, ElementKind::U8] {
            let mut env = stacked(3, element).padded(StackPadding::Zero);
            assert_eq!(env.spec().stack_padding, StackPadding::Zero);
            let expect = |values: [f32; 6]| match element {
                ElementKind::F32 => ObservationBuffer::F32(values.to_vec()),
                ElementKind::U8 => ObservationBuffer::U8(values.map(|value| value as u8).to_vec()),
            };
            for _episode in 0..2 {
                assert_eq!(reset(&mut env, None), expect([0.0, 0.0, 0.0, 0.0, 1.0, 2.0]));
                for expected in [
                    [0.0, 0.0, 1.0, 2.0, 3.0, 4.0],
                    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
                    [3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
                    [5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
                ] {
                    assert_eq!(step(&mut env, 0).0, expect(expected));
                }
            }
        }
        assert_eq!(stacked(3, ElementKind::F32).spec().stack_padding, StackPadding::Reset);
    }

    #[test]
    fn row_14_zeros_are_within_the_bounds() {
        let inner = Scripted::new(Space::Box(BoxSpace::vector(&[1.0, -2.0], &[3.0, -1.0])), &[&[2.0, -1.5]]);
        let env = FrameStack::new(inner, NonZeroU32::new(2).unwrap()).unwrap().padded(StackPadding::Zero);
        let Space::Box(space) = &env.spec().observation_space else { panic!("a box") };
        assert_eq!(
            (&space.low[..], &space.high[..]),
            (&[0.0, -2.0, 1.0, -2.0][..], &[3.0, 0.0, 3.0, -1.0][..])
        );
    }

    #[test]
    fn bytes_stay_bytes_and_one_frame_is_no_change_but_for_the_axis() {
        let mut env = stacked(2, ElementKind::U8);
        assert_eq!(reset(&mut env, None), ObservationBuffer::U8(vec![1, 2, 1, 2]));
        assert_eq!(step(&mut env, 0).0, ObservationBuffer::U8(vec![1, 2, 3, 4]));
        let mut env = stacked(1, ElementKind::F32);
        assert_eq!(reset(&mut env, None), ObservationBuffer::F32(vec![1.0, 2.0]));
        assert_eq!(step(&mut env, 0).0, ObservationBuffer::F32(vec![3.0, 4.0]));
    }

    #[test]
    fn the_space_has_a_new_first_axis() {
        let mut spec = EnvSpec::new("Picture", BoxSpace::vector(&[0.0, -1.0], &[1.0, 2.0]), 1);
        spec.max_episode_steps = Some(7);
        let mut inner = Scripted::new(spec.observation_space.clone(), &[&[0.0, 0.0]]);
        inner.spec = spec.clone();
        let env = FrameStack::new(inner, NonZeroU32::new(2).unwrap()).unwrap();
        let space = BoxSpace {
            shape: vec![2, 2],
            element: ElementKind::F32,
            low: vec![0.0, -1.0, 0.0, -1.0],
            high: vec![1.0, 2.0, 1.0, 2.0],
        };
        let expected = EnvSpec { observation_space: space.into(), stacked_frames: 2, ..spec };
        assert_eq!(*env.spec(), expected);
    }

    #[test]
    fn a_stack_of_stacks_and_other_spaces_are_refused() {
        let two = NonZeroU32::new(2).unwrap();
        let error = FrameStack::new(stacked(4, ElementKind::F32), two).unwrap_err().to_string();
        assert!(error.contains("Scripted stacks 4 frames already"), "{error}");
        let error =
            FrameStack::new(Scripted::new(Space::discrete(3), &[&[0.0]]), two).unwrap_err().to_string();
        assert!(error.contains("put flatten-observation before it"), "{error}");
    }

    #[test]
    fn it_resumes() {
        for steps in 0..4 {
            let mut env = stacked(3, ElementKind::U8);
            reset(&mut env, None);
            (0..steps).for_each(|_| drop(step(&mut env, 0)));
            assert_resumes(&mut env, stacked(3, ElementKind::U8), &[0, 1, 2, 0]);
        }
    }
}
