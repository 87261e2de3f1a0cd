//! A limit to the steps of an episode.

use std::num::NonZeroU32;

use deepq_core::{Env, EnvError, EnvSpec, ObservationMut, StateError, StateReader, StateWriter, Step};

/// Truncates the episodes of an environment after a number of steps.
///
/// The last step is truncated even where it terminates as well, as in Gymnasium: whoever bootstraps from the
/// next observation has to ask `terminated` alone.
#[derive(Clone, Debug)]
pub struct TimeLimit<E> {
    env: E,
    spec: EnvSpec,
    max_episode_steps: u32,
    elapsed_steps: u32,
}

impl<E: Env> TimeLimit<E> {
    /// `env` with at most `max_episode_steps` steps an episode.
    pub fn new(env: E, max_episode_steps: NonZeroU32) -> Self {
        let max_episode_steps = max_episode_steps.get();
        // A shorter limit within still holds.
        let shortest =
            env.spec().max_episode_steps.map_or(max_episode_steps, |inner| inner.min(max_episode_steps));
        let spec = EnvSpec { max_episode_steps: Some(shortest), ..env.spec().clone() };
        Self { env, spec, max_episode_steps, elapsed_steps: 0 }
    }

    /// The environment within.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// The environment within, to change it: the steps already counted stay counted.
    pub fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    /// Steps since the episode began.
    pub fn elapsed_steps(&self) -> u32 {
        self.elapsed_steps
    }
}

impl<E: Env> Env for TimeLimit<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)?;
        self.elapsed_steps = 0;
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let Step { reward, terminated, truncated } = self.env.step(action, observation)?;
        self.elapsed_steps = self.elapsed_steps.saturating_add(1);
        let truncated = truncated | (self.elapsed_steps >= self.max_episode_steps);
        Ok(Step { reward, terminated, truncated })
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("time-limit");
        state.u32(self.max_episode_steps);
        state.u32(self.elapsed_steps);
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("time-limit")?;
        let limit = state.u32("greatest number of steps of an episode")?;
        if limit != self.max_episode_steps {
            return Err(StateError::mismatch(
                "greatest number of steps of an episode",
                self.max_episode_steps,
                limit,
            ));
        }
        let elapsed_steps = state.u32("steps since the episode began")?;
        self.env.load_state(state)?;
        self.elapsed_steps = elapsed_steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::BoxSpace;

    use super::*;

    /// Terminates at its fourth step, whatever one does.
    struct FourSteps {
        spec: EnvSpec,
        steps: u32,
    }

    impl FourSteps {
        fn new() -> Self {
            let spec = EnvSpec {
                max_episode_steps: Some(99),
                ..EnvSpec::new("FourSteps", BoxSpace::vector(&[0.0], &[4.0]), 1)
            };
            Self { spec, steps: 0 }
        }
    }

    impl Env for FourSteps {
        fn spec(&self) -> &EnvSpec {
            &self.spec
        }

        fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
            self.steps = 0;
            observation.f32()[0] = 0.0;
            Ok(())
        }

        fn step(&mut self, _action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
            self.steps += 1;
            observation.f32()[0] = self.steps as f32;
            Ok(Step { reward: 1.0, terminated: self.steps >= 4, truncated: false })
        }

        fn save_state(&self, state: &mut StateWriter) {
            state.u32(self.steps);
        }

        fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
            self.steps = state.u32("steps")?;
            Ok(())
        }
    }

    fn limited(steps: u32) -> TimeLimit<FourSteps> {
        TimeLimit::new(FourSteps::new(), NonZeroU32::new(steps).unwrap())
    }

    fn ends(env: &mut TimeLimit<FourSteps>, steps: usize) -> Vec<(bool, bool)> {
        let mut observation = [0.0];
        (0..steps)
            .map(|_| env.step(0, ObservationMut::F32(&mut observation)).unwrap())
            .map(|step| (step.terminated, step.truncated))
            .collect()
    }

    #[test]
    fn a_shorter_limit_within_is_the_one_that_is_told() {
        let outer = |steps| TimeLimit::new(limited(3), NonZeroU32::new(steps).unwrap());
        assert_eq!(outer(4).spec().max_episode_steps, Some(3));
        assert_eq!(outer(2).spec().max_episode_steps, Some(2));
    }

    #[test]
    fn the_last_step_is_truncated_whether_or_not_it_terminates() {
        for (limit, expected) in [
            (2, [(false, false), (false, true), (false, true), (true, true)]),
            (4, [(false, false), (false, false), (false, false), (true, true)]),
            (5, [(false, false), (false, false), (false, false), (true, false)]),
        ] {
            let mut env = limited(limit);
            assert_eq!(env.spec().max_episode_steps, Some(limit));
            for _episode in 0..2 {
                env.reset(None, ObservationMut::F32(&mut [0.0])).unwrap();
                assert_eq!(ends(&mut env, 4), expected, "limit {limit}");
            }
        }
    }

    #[test]
    fn the_steps_taken_are_part_of_the_state() {
        let mut env = limited(3);
        env.reset(None, ObservationMut::F32(&mut [0.0])).unwrap();
        ends(&mut env, 1);
        let mut writer = StateWriter::new();
        env.save_state(&mut writer);
        let bytes = writer.into_bytes();
        let mut other = limited(3);
        other.load_state(&mut StateReader::new(&bytes)).unwrap();
        assert_eq!(other.elapsed_steps(), 1);
        assert_eq!(ends(&mut other, 3), [(false, false), (false, true), (true, true)]);
        let error = limited(4).load_state(&mut StateReader::new(&bytes)).unwrap_err();
        assert_eq!(error.to_string(), "greatest number of steps of an episode: expected 4, found 3");
    }
}
