//! Every action allowed, whatever the environment says.

use deepq_core::{Env, EnvError, EnvSpec, ObservationMut, Step};

/// Keeps an environment's [action masks](Env::action_mask) to itself: who acts in it may take every action, and learns
/// by itself which ones lead nowhere, as with libraries that know no masks.
///
/// Whether the environment takes an action that its mask forbids is its own matter: those of Gymnasium do.
#[derive(Clone, Debug)]
pub struct WithoutActionMasks<E> {
    env: E,
    spec: EnvSpec,
}

impl<E: Env> WithoutActionMasks<E> {
    /// `env` with no masks.
    pub fn new(env: E) -> Self {
        let spec = EnvSpec { action_masks: false, ..env.spec().clone() };
        Self { env, spec }
    }

    access_to_inner!();
}

impl<E: Env> Env for WithoutActionMasks<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.env.step(action, observation)
    }

    fn action_mask(&self) -> Option<&[bool]> {
        None
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, episode_statistics, render, state, reset);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_resumes, reset, step};
    use super::*;

    #[test]
    fn all_but_the_masks_is_the_environments_own() {
        let make = || crate::make("Taxi-v4").unwrap();
        let (mut plain, mut env) = (make(), WithoutActionMasks::new(make()));
        assert_eq!(*env.spec(), EnvSpec { action_masks: false, ..plain.spec().clone() });
        assert_eq!(reset(&mut plain, Some(3)), reset(&mut env, Some(3)));
        let mut forbidden = 0;
        for action in (0..6).cycle().take(100) {
            forbidden += usize::from(!plain.action_mask().unwrap()[action]);
            assert_eq!(env.action_mask(), None);
            assert_eq!(step(&mut plain, action), step(&mut env, action));
        }
        assert!(forbidden > 20, "{forbidden} forbidden actions were taken");
        assert_eq!(plain.render(), env.render());
    }

    #[test]
    fn it_resumes() {
        let make = || WithoutActionMasks::new(crate::make("Taxi-v4").unwrap());
        let mut env = make();
        reset(&mut env, Some(1));
        (0..5).for_each(|action| drop(step(&mut env, action)));
        assert_resumes(&mut env, make(), &[0, 1, 2, 3]);
    }
}
