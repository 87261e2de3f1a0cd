//! Return and length of an episode as they were before rewards were changed.

use deepq_core::{
    Env, EnvError, EpisodeStatistics, ObservationMut, StateError, StateReader, StateWriter, Step,
};

/// Counts the return and the length of the episodes of what is inside it, for
/// [`Env::episode_statistics`]: wrappers outside that change rewards do not change what is reported.
#[derive(Clone, Debug)]
pub struct RecordEpisodeStatistics<E> {
    env: E,
    statistics: EpisodeStatistics,
}

impl<E: Env> RecordEpisodeStatistics<E> {
    /// `env`, counted.
    pub fn new(env: E) -> Self {
        Self { env, statistics: EpisodeStatistics::default() }
    }

    access_to_inner!();
}

impl<E: Env> Env for RecordEpisodeStatistics<E> {
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)?;
        self.statistics = EpisodeStatistics::default();
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation)?;
        self.statistics.episodic_return += step.reward;
        self.statistics.episode_length = self.statistics.episode_length.saturating_add(1);
        Ok(step)
    }

    fn episode_statistics(&self) -> Option<EpisodeStatistics> {
        Some(self.statistics)
    }

    forward_to_inner!(env: spec, begin_step, steps_elsewhere, action_mask, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("episode-statistics");
        state.f64(self.statistics.episodic_return);
        state.u32(self.statistics.episode_length);
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("episode-statistics")?;
        let statistics = EpisodeStatistics {
            episodic_return: state.f64("return of the episode")?,
            episode_length: state.u32("steps since the episode began")?,
        };
        self.env.load_state(state)?;
        self.statistics = statistics;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::ElementKind;

    use super::super::testing::{Scripted, assert_resumes, reset, step, unbounded};
    use super::super::{ActionRepeat, ClipReward};
    use super::*;

    fn counted() -> ClipReward<RecordEpisodeStatistics<Scripted>> {
        let mut env = Scripted::new(unbounded(1, ElementKind::F32), &[&[0.0]]);
        (env.rewards, env.episode_steps) = (vec![5.0, -0.5], 3);
        ClipReward::new(RecordEpisodeStatistics::new(env), -1.0, 1.0).unwrap()
    }

    #[test]
    fn wrappers_outside_do_not_change_what_is_reported() {
        let mut env = counted();
        for _episode in 0..2 {
            reset(&mut env, None);
            assert_eq!(env.episode_statistics(), Some(EpisodeStatistics::default()));
            let clipped: f64 = (0..3).map(|_| step(&mut env, 0).1.reward).sum();
            assert_eq!(clipped, 1.5);
            let expected = EpisodeStatistics { episodic_return: 9.5, episode_length: 3 };
            assert_eq!(env.episode_statistics(), Some(expected));
        }
        let mut env = ActionRepeat::new(counted(), std::num::NonZeroU32::new(2).unwrap());
        reset(&mut env, None);
        step(&mut env, 0);
        assert_eq!(env.episode_statistics().unwrap().episode_length, 2);
    }

    #[test]
    fn the_counts_are_part_of_the_state() {
        let mut env = counted();
        reset(&mut env, None);
        step(&mut env, 0);
        assert_resumes(&mut env, counted(), &[0, 1]);
    }
}
