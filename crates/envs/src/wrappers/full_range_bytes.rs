//! Bytes that use little of their range, spread over all of it.

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, ObservationMut, Space, StateError, StateReader,
    StateWriter, Step,
};

/// Spreads observations of bytes from 0 to a bound below 255 over 0 to 255.
///
/// Networks divide bytes by 255. A grid of zeros and ones, as MinAtar's are, would reach the first layer as 0 and
/// 0.004, and hardly anything would be learned from it; spread, it is 0 and 1. The bytes of a memory stay bytes.
#[derive(Clone, Debug)]
pub struct FullRangeBytes<E> {
    env: E,
    spec: EnvSpec,
    factor: u8,
}

impl<E: Env> FullRangeBytes<E> {
    /// `env` with its bytes spread over 0 to 255.
    ///
    /// # Errors
    /// Where its observations are not [such bytes](Self::fits).
    pub fn new(env: E) -> Result<Self, EnvError> {
        let spec = env.spec();
        let (Space::Box(space), Some(factor)) = (&spec.observation_space, factor(&spec.observation_space))
        else {
            let (id, found) = (&spec.id, &spec.observation_space);
            return Err(EnvError::new(format!(
                "full-range-bytes takes observations of bytes from 0 to one bound that divides 255, {id} gives {found:?}"
            )));
        };
        let space = BoxSpace { high: vec![255.0; space.high.len()], ..space.clone() };
        let spec = EnvSpec { observation_space: Space::Box(space), ..spec.clone() };
        Ok(Self { env, spec, factor })
    }

    /// Whether observations of `space` are bytes from 0 to one bound below 255 that divides it.
    pub fn fits(space: &Space) -> bool {
        factor(space).is_some_and(|factor| factor > 1)
    }

    access_to_inner!();

    #[inline]
    fn spread(&self, observation: ObservationMut<'_>) {
        if let ObservationMut::U8(bytes) = observation {
            // What lies above its bound is the environment's fault, and must not come round at 0.
            bytes.iter_mut().for_each(|byte| *byte = byte.saturating_mul(self.factor));
        }
    }
}

/// What bytes from 0 to their common bound are multiplied by to reach 255.
fn factor(space: &Space) -> Option<u8> {
    let Space::Box(BoxSpace { element: ElementKind::U8, low, high, .. }) = space else { return None };
    let bound = *high.first()?;
    let whole = (1.0..=255.0).contains(&bound) && bound.fract() == 0.0 && 255.0 % bound == 0.0;
    let common = low.iter().all(|low| *low == 0.0) && high.iter().all(|high| *high == bound);
    (whole && common).then(|| (255.0 / bound) as u8)
}

impl<E: Env> Env for FullRangeBytes<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, mut observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation.reborrow())?;
        self.spread(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, mut observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation.reborrow())?;
        self.spread(observation);
        Ok(step)
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.env.load_state(state)
    }
}

#[cfg(test)]
mod tests {
    use deepq_core::ObservationBuffer;

    use super::super::testing::{Scripted, assert_resumes, reset, step, unbounded};
    use super::*;

    fn bytes(low: f32, high: &[f32]) -> Space {
        let (low, high) = (vec![low; high.len()], high.to_vec());
        Space::Box(BoxSpace { shape: vec![high.len()], element: ElementKind::U8, low, high })
    }

    #[test]
    fn zeros_and_ones_become_0_and_255() {
        let mut env =
            FullRangeBytes::new(Scripted::new(bytes(0.0, &[1.0; 3]), &[&[0.0, 1.0, 0.0], &[1.0, 1.0, 0.0]]))
                .unwrap();
        assert_eq!(reset(&mut env, None), ObservationBuffer::U8(vec![0, 255, 0]));
        assert_eq!(step(&mut env, 0).0, ObservationBuffer::U8(vec![255, 255, 0]));
        assert_eq!(env.spec().observation_space, bytes(0.0, &[255.0; 3]));
        let other = env.clone();
        assert_resumes(&mut env, other, &[1, 0, 2]);
    }

    #[test]
    fn other_bounds_are_spread_by_their_share() {
        let mut env = FullRangeBytes::new(Scripted::new(bytes(0.0, &[5.0; 2]), &[&[2.0, 5.0]])).unwrap();
        assert_eq!(reset(&mut env, None), ObservationBuffer::U8(vec![102, 255]));
        let mut wrong = FullRangeBytes::new(Scripted::new(bytes(0.0, &[1.0; 2]), &[&[2.0, 1.0]])).unwrap();
        assert_eq!(reset(&mut wrong, None), ObservationBuffer::U8(vec![255, 255]));
    }

    #[test]
    fn spaces_that_it_cannot_spread_are_refused() {
        let fits = FullRangeBytes::<Scripted>::fits;
        assert!(fits(&bytes(0.0, &[1.0; 4])) && fits(&bytes(0.0, &[85.0])));
        for space in [
            bytes(0.0, &[1.0, 3.0]),
            bytes(1.0, &[3.0, 3.0]),
            bytes(0.0, &[2.0]),
            bytes(0.0, &[1.5]),
            unbounded(2, ElementKind::F32),
            Space::Discrete { n: 3, start: 0 },
        ] {
            assert!(!fits(&space), "{space:?}");
            let error = FullRangeBytes::new(Scripted::new(space, &[&[0.0]])).unwrap_err().to_string();
            assert!(error.contains("one bound that divides 255"), "{error}");
        }
        assert!(!fits(&unbounded(2, ElementKind::U8)), "they reach 255 already");
    }
}
