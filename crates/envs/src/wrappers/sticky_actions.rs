//! Actions that sometimes stick.

use deepq_core::{Env, EnvError, ObservationMut, RandomStream, StateError, StateReader, StateWriter, Step};

/// Takes, with some probability, the action of the step before once more instead of the one it is given
/// (M. C. Machado et al. 2018, "Revisiting the Arcade Learning Environment", arXiv 1709.06009, section 5.2; they
/// use 0.25). Before the first step of an episode the action was 0.
///
/// The draws are those of a stream named "sticky-actions", seeded at a reset with a seed, so that the environment
/// within draws the same as without this wrapper. An [action mask](Env::action_mask) may forbid the action that
/// sticks: it is taken nevertheless.
#[derive(Clone, Debug)]
pub struct StickyActions<E> {
    env: E,
    probability: f64,
    random: RandomStream,
    /// The action taken in the step before.
    previous: usize,
    /// The action of a step begun but not waited for.
    begun: Option<usize>,
}

impl<E: Env> StickyActions<E> {
    /// `env` with actions that stick with `probability`.
    ///
    /// # Errors
    /// Where `probability` is not in `[0, 1)`.
    pub fn new(env: E, probability: f64) -> Result<Self, EnvError> {
        check_probability(probability)?;
        Ok(Self { env, probability, random: stream(0), previous: 0, begun: None })
    }

    access_to_inner!();

    fn draw(&mut self, action: usize) -> usize {
        if self.random.uniform_f64() >= self.probability {
            self.previous = action;
        }
        self.previous
    }
}

fn stream(seed: u64) -> RandomStream {
    RandomStream::new(seed, "sticky-actions", 0)
}

pub(super) fn check_probability(probability: f64) -> Result<(), EnvError> {
    match (0.0..1.0).contains(&probability) {
        true => Ok(()),
        false => Err(EnvError::new(format!(
            "sticky-actions: probability is a number from 0 up to but not including 1, found {probability}"
        ))),
    }
}

impl<E: Env> Env for StickyActions<E> {
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)?;
        if let Some(seed) = seed {
            self.random = stream(seed);
        }
        (self.previous, self.begun) = (0, None);
        Ok(())
    }

    fn begin_step(&mut self, action: usize) {
        let taken = self.draw(action);
        self.begun = Some(taken);
        self.env.begin_step(taken);
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let taken = match self.begun.take() {
            Some(taken) => taken,
            None => self.draw(action),
        };
        self.env.step(taken, observation)
    }

    forward_to_inner!(env: spec, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("sticky-actions");
        state.f64(self.probability);
        state.u64(self.previous as u64);
        self.random.save_state(state);
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("sticky-actions")?;
        let probability = state.f64("probability of an action to stick")?;
        if probability.to_bits() != self.probability.to_bits() {
            return Err(StateError::mismatch(
                "probability of an action to stick",
                self.probability,
                probability,
            ));
        }
        let greatest = self.env.spec().actions.saturating_sub(1) as u64;
        let previous = state.u64_at_most("action of the step before", greatest)? as usize;
        let mut random = self.random.clone();
        random.load_state(state)?;
        self.env.load_state(state)?;
        (self.previous, self.random, self.begun) = (previous, random, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::ElementKind;

    use super::super::testing::{Scripted, assert_resumes, reset, step, unbounded};
    use super::*;

    fn sticky(probability: f64) -> StickyActions<Scripted> {
        let mut env = Scripted::new(unbounded(1, ElementKind::F32), &[&[0.0]]);
        (env.episode_steps, env.spec.actions) = (usize::MAX, 1_000_000);
        StickyActions::new(env, probability).unwrap()
    }

    /// The actions taken where 1, 2, 3, … were given.
    fn taken(env: &mut StickyActions<Scripted>, seed: Option<u64>, steps: usize) -> Vec<u32> {
        reset(env, seed);
        (1..=steps).for_each(|action| drop(step(env, action)));
        env.inner().actions.clone()
    }

    #[test]
    fn an_action_sticks_with_its_probability_and_is_then_the_one_taken_before() {
        let mut env = sticky(0.25);
        let actions = taken(&mut env, Some(1), 40_000);
        let mut stuck = 0;
        for (step, action) in actions.iter().enumerate() {
            let before = step.checked_sub(1).map_or(0, |before| actions[before]);
            assert!(*action == before || *action == step as u32 + 1, "step {step}");
            stuck += u32::from(*action == before);
        }
        // Four standard deviations of a binomial distribution: 4 * sqrt(40,000 * 0.25 * 0.75) = 346.
        assert!(stuck.abs_diff(10_000) < 346, "{stuck} of 40,000");
        assert_eq!(taken(&mut sticky(0.0), None, 5), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn before_the_first_step_the_action_was_0() {
        let first: Vec<u32> = (0..40).map(|seed| taken(&mut sticky(0.5), Some(seed), 1)[0]).collect();
        assert!(first.contains(&0) && first.contains(&1), "{first:?}");
        let mut env = sticky(0.5);
        let after = |env: &mut StickyActions<Scripted>| (0..40).map(|_| taken(env, None, 1)[0]).max();
        taken(&mut env, Some(3), 9);
        assert_eq!(after(&mut env), Some(1), "an action of the episode before");
    }

    #[test]
    fn a_seed_determines_the_draws_and_without_one_they_go_on() {
        let mut env = sticky(0.5);
        let first = taken(&mut env, Some(7), 100);
        assert_ne!(taken(&mut env, None, 100), first);
        assert_eq!(taken(&mut env, Some(7), 100), first);
        assert_eq!(taken(&mut sticky(0.5), Some(7), 100), first);
        assert_ne!(taken(&mut env, Some(8), 100), first);
    }

    #[test]
    fn a_step_begun_elsewhere_takes_the_action_that_was_drawn() {
        let mut env = sticky(0.5);
        reset(&mut env, Some(7));
        for action in 1..=100 {
            env.begin_step(action);
            step(&mut env, action);
        }
        assert_eq!(env.inner().actions, taken(&mut sticky(0.5), Some(7), 100));
    }

    #[test]
    fn it_resumes() {
        let mut env = sticky(0.5);
        taken(&mut env, Some(1), 9);
        assert_resumes(&mut env, sticky(0.5), &[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn only_probabilities_are_taken() {
        for probability in [1.0, 1.5, -0.1, f64::NAN] {
            assert!(check_probability(probability).is_err(), "{probability}");
        }
    }
}
