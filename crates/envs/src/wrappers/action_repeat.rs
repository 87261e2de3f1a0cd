//! Each action taken several times.

use std::num::NonZeroU32;

use deepq_core::{Env, EnvError, EnvSpec, ObservationMut, StateError, StateReader, StateWriter, Step};

/// Takes every action several times and gives the sum of the rewards and the last observation; an episode's end
/// cuts it short.
///
/// A step is then a decision: whoever counts `env_steps` counts decisions, and an environment's frames are up to
/// `times` as many. A [`TimeLimit`](super::TimeLimit) within still counts the environment's own steps, so that
/// [`EnvSpec::max_episode_steps`] becomes a `times`-th, rounded up; a limit outside counts decisions.
///
/// Around stacked frames, a step brings `times` new ones, so [`EnvSpec::stacked_frames`] becomes 1 there and a
/// memory keeps whole observations: stack outside.
#[derive(Clone, Debug)]
pub struct ActionRepeat<E> {
    env: E,
    spec: EnvSpec,
    times: NonZeroU32,
}

impl<E: Env> ActionRepeat<E> {
    /// `env` with every action taken `times` times.
    pub fn new(env: E, times: NonZeroU32) -> Self {
        let mut spec = env.spec().clone();
        spec.max_episode_steps = spec.max_episode_steps.map(|steps| steps.div_ceil(times.get()));
        if times.get() > 1 {
            spec.stacked_frames = 1;
        }
        Self { env, spec, times }
    }

    access_to_inner!();
}

impl<E: Env> Env for ActionRepeat<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)
    }

    #[inline]
    fn step(&mut self, action: usize, mut observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let mut sum = Step::default();
        for _ in 0..self.times.get() {
            let step = self.env.step(action, observation.reborrow())?;
            sum = Step { reward: sum.reward + step.reward, ..step };
            if step.ended() {
                break;
            }
        }
        Ok(sum)
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("action-repeat");
        state.u32(self.times.get());
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("action-repeat")?;
        let times = state.u32("times an action is taken")?;
        if times != self.times.get() {
            return Err(StateError::mismatch("times an action is taken", self.times, times));
        }
        self.env.load_state(state)
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::{ElementKind, ObservationBuffer};

    use super::super::testing::{Scripted, assert_resumes, reset, state_of, step, unbounded};
    use super::super::{FrameStack, TimeLimit};
    use super::*;

    fn count(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn scripted() -> Scripted {
        let observations: [&[f32]; 8] = [&[0.0], &[1.0], &[2.0], &[3.0], &[4.0], &[5.0], &[6.0], &[7.0]];
        let mut env = Scripted::new(unbounded(1, ElementKind::F32), &observations);
        (env.rewards, env.episode_steps) = (vec![1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6], 7);
        env
    }

    #[test]
    fn rewards_are_summed_up_to_the_end_of_the_episode() {
        let mut env = ActionRepeat::new(scripted(), count(3));
        reset(&mut env, None);
        let expected = [(3.0, 111.0, false), (6.0, 111_000.0, false), (7.0, 1e6, true)];
        for (action, (seen, reward, terminated)) in expected.into_iter().enumerate() {
            let (observation, step) = step(&mut env, action);
            assert_eq!(observation, ObservationBuffer::F32(vec![seen]));
            assert_eq!(step, Step { reward, terminated, truncated: false });
        }
        assert_eq!(env.inner().actions, [0, 0, 0, 1, 1, 1, 2]);
    }

    #[test]
    fn a_limit_within_counts_steps_and_one_outside_counts_decisions() {
        let decisions = |env: &mut dyn Env| {
            reset(env, None);
            (1..).find(|_| step(env, 0).1.truncated).unwrap()
        };
        let mut within = ActionRepeat::new(TimeLimit::new(scripted(), count(5)), count(2));
        assert_eq!(within.spec().max_episode_steps, Some(3));
        assert_eq!(decisions(&mut within), 3);
        let mut outside = TimeLimit::new(ActionRepeat::new(scripted(), count(2)), count(2));
        assert_eq!(outside.spec().max_episode_steps, Some(2));
        assert_eq!(decisions(&mut outside), 2);
        assert_eq!(outside.inner().inner().actions.len(), 4);
    }

    #[test]
    fn around_a_stack_no_frame_is_kept_once_only() {
        let stack = || FrameStack::new(scripted(), count(4)).unwrap();
        assert_eq!(ActionRepeat::new(stack(), count(2)).spec().stacked_frames, 1);
        assert_eq!(ActionRepeat::new(stack(), count(1)).spec().stacked_frames, 4);
        let outside = FrameStack::new(ActionRepeat::new(scripted(), count(2)), count(4)).unwrap();
        assert_eq!(outside.spec().stacked_frames, 4);
    }

    #[test]
    fn it_resumes() {
        let mut env = ActionRepeat::new(scripted(), count(2));
        reset(&mut env, None);
        step(&mut env, 1);
        let bytes = state_of(&env);
        assert_resumes(&mut env, ActionRepeat::new(scripted(), count(2)), &[0, 2]);
        let mut other = ActionRepeat::new(scripted(), count(3));
        let error = other.load_state(&mut StateReader::new(&bytes)).unwrap_err();
        assert_eq!(error.to_string(), "times an action is taken: expected 3, found 2");
    }
}
