//! Observations in units of their deviation from their mean.

mod statistics;

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Observation, ObservationBuffer, ObservationMut, Space,
    StateError, StateReader, StateWriter, Step,
};

use self::statistics::Moments;
pub use self::statistics::{ObservationStatistics, StatisticsError};
use super::box_of;

/// Gives each element of an observation less its mean, divided by its standard deviation, of all observations so
/// far (Gymnasium's `NormalizeObservation`; Engstrom et al. 2020, arXiv 2005.12729, on what it does).
///
/// The [statistics](ObservationStatistics) are shared: copies of an environment that train update them together,
/// in the order in which they are stepped, and those that evaluate use them as they are. So this wrapper belongs
/// outside of one that works in another thread. It gives `f32`, and sets [`EnvSpec::stacked_frames`] to 1: a
/// frame that grew older was normalised with other numbers.
#[derive(Clone, Debug)]
pub struct NormalizeObservation<E> {
    env: E,
    spec: EnvSpec,
    statistics: ObservationStatistics,
    frozen: bool,
    clip: f32,
    /// The observation as it was.
    raw: ObservationBuffer,
}

impl<E: Env> NormalizeObservation<E> {
    /// `env` with its observations normalised by `statistics`, which take them in.
    ///
    /// # Errors
    /// Where the observations of `env` are no box, or the statistics are of another number of elements.
    pub fn training(env: E, statistics: &ObservationStatistics) -> Result<Self, EnvError> {
        Self::new(env, statistics, false)
    }

    /// `env` with its observations normalised by `statistics`, which it leaves as they are: for evaluation. What
    /// others add to them counts from then on.
    ///
    /// The statistics are then no part of this environment's state.
    ///
    /// # Errors
    /// Where the observations of `env` are no box, or the statistics are of another number of elements.
    pub fn frozen(env: E, statistics: &ObservationStatistics) -> Result<Self, EnvError> {
        Self::new(env, statistics, true)
    }

    fn new(env: E, statistics: &ObservationStatistics, frozen: bool) -> Result<Self, EnvError> {
        let inner = box_of("normalize-observation", env.spec())?;
        let len = inner.len();
        statistics
            .fit(len)
            .map_err(|error| EnvError::with_source(format!("{}: {error}", env.spec().id), error))?;
        let space = BoxSpace {
            shape: inner.shape.clone(),
            element: ElementKind::F32,
            low: vec![f32::NEG_INFINITY; len],
            high: vec![f32::INFINITY; len],
        };
        let raw = ObservationBuffer::zeros(inner.element, len);
        let spec = EnvSpec { observation_space: Space::Box(space), stacked_frames: 1, ..env.spec().clone() };
        Ok(Self { env, spec, statistics: statistics.clone(), frozen, clip: f32::INFINITY, raw })
    }

    /// The same with elements from `-clip` to `clip`; Stable-Baselines3 takes 10 where nothing is said.
    ///
    /// # Errors
    /// Where `clip` is no number above 0.
    pub fn clipped(mut self, clip: f32) -> Result<Self, EnvError> {
        check_clip(clip)?;
        if let Space::Box(space) = &mut self.spec.observation_space {
            space.low.fill(-clip);
            space.high.fill(clip);
        }
        Ok(Self { clip, ..self })
    }

    access_to_inner!();

    /// The statistics it uses.
    pub fn statistics(&self) -> &ObservationStatistics {
        &self.statistics
    }

    fn normalize(&self, observation: &mut [f32]) -> Result<(), EnvError> {
        if let Some((element, value)) = self.raw.as_observation().first_not_finite() {
            return Err(EnvError::new(format!(
                "element {element} of its observation is {value}, which cannot be normalised"
            )));
        }
        let mut moments = self.statistics.lock();
        match self.raw.as_observation() {
            Observation::F32(raw) => {
                self.write(&mut moments, raw.iter().map(|value| f64::from(*value)), observation);
            }
            Observation::U8(raw) => {
                self.write(&mut moments, raw.iter().map(|value| f64::from(*value)), observation);
            }
        }
        Ok(())
    }

    fn write(&self, moments: &mut Moments, raw: impl Iterator<Item = f64> + Clone, observation: &mut [f32]) {
        if !self.frozen {
            moments.update(raw.clone());
        }
        for (element, (to, value)) in observation.iter_mut().zip(raw).enumerate() {
            *to = moments.normalized(element, value).clamp(-self.clip, self.clip);
        }
    }

    fn whole(&mut self) -> (&mut E, ObservationMut<'_>) {
        let len = self.raw.len();
        (&mut self.env, self.raw.slice_mut(0..len))
    }
}

pub(super) fn check_clip(clip: f32) -> Result<(), EnvError> {
    match clip > 0.0 {
        true => Ok(()),
        false => Err(EnvError::new(format!("normalize-observation: clip is a number above 0, found {clip}"))),
    }
}

impl<E: Env> Env for NormalizeObservation<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let (env, raw) = self.whole();
        env.reset(seed, raw)?;
        self.normalize(observation.f32())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let (env, raw) = self.whole();
        let step = env.step(action, raw)?;
        self.normalize(observation.f32())?;
        Ok(step)
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render);

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("normalize-observation");
        state.bool(self.frozen);
        if !self.frozen {
            self.statistics.lock().save_state(state);
        }
        self.env.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("normalize-observation")?;
        let frozen = state.bool("statistics of observations: frozen or not")?;
        if frozen != self.frozen {
            let name = |frozen| if frozen { "frozen" } else { "training" };
            return Err(StateError::mismatch("statistics of observations", name(self.frozen), name(frozen)));
        }
        let moments = match frozen {
            true => None,
            false => Some(Moments::from_state(state, self.raw.len())?),
        };
        self.env.load_state(state)?;
        if let Some(moments) = moments {
            self.statistics.set(moments);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::FrameStack;
    use super::super::testing::{Scripted, assert_resumes, buffer, reset, step, unbounded};
    use super::*;

    const OBSERVATIONS: [&[f32]; 3] = [&[1.0, 200.0], &[4.0, 100.0], &[2.0, 0.0]];

    fn scripted(element: ElementKind) -> Scripted {
        Scripted::new(unbounded(2, element), &OBSERVATIONS)
    }

    fn training(statistics: &ObservationStatistics) -> NormalizeObservation<Scripted> {
        NormalizeObservation::training(scripted(ElementKind::F32), statistics).unwrap()
    }

    #[test]
    fn bytes_and_numbers_of_equal_value_give_the_same() {
        let (one, other) = (ObservationStatistics::new(), ObservationStatistics::new());
        let mut numbers = training(&one);
        let mut bytes = NormalizeObservation::training(scripted(ElementKind::U8), &other).unwrap();
        assert_eq!(reset(&mut numbers, None), reset(&mut bytes, None));
        for _ in 0..5 {
            assert_eq!(step(&mut numbers, 0), step(&mut bytes, 0));
        }
        assert_eq!(one, other);
    }

    #[test]
    fn copies_share_and_frozen_ones_only_look() {
        let statistics = ObservationStatistics::new();
        let (mut one, mut other) = (training(&statistics), training(&statistics));
        reset(&mut one, None);
        reset(&mut other, None);
        step(&mut other, 0);
        assert_eq!(statistics.count().round(), 3.0);
        let mut frozen = NormalizeObservation::frozen(scripted(ElementKind::F32), &statistics).unwrap();
        let before = statistics.copy();
        let first = reset(&mut frozen, None);
        assert_eq!(statistics, before);
        step(&mut one, 0);
        assert_ne!(reset(&mut frozen, None), first, "what the others add counts");
    }

    #[test]
    fn elements_stay_within_the_clip() {
        let mut env = training(&ObservationStatistics::new()).clipped(0.5).unwrap();
        let Space::Box(space) = env.spec().observation_space.clone() else { panic!("a box") };
        assert_eq!((space.low, space.high), (vec![-0.5; 2], vec![0.5; 2]));
        reset(&mut env, None);
        assert_eq!(step(&mut env, 0).0, ObservationBuffer::F32(vec![0.5, -0.5]));
        for clip in [0.0, -1.0, f32::NAN] {
            assert!(training(&ObservationStatistics::new()).clipped(clip).is_err(), "{clip}");
        }
    }

    #[test]
    fn an_observation_that_is_not_finite_is_refused_and_leaves_the_statistics_alone() {
        let statistics = ObservationStatistics::new();
        let broken = Scripted::new(unbounded(2, ElementKind::F32), &[&[0.0, f32::NAN]]);
        let mut env = NormalizeObservation::training(broken, &statistics).unwrap();
        let error = env.reset(None, buffer(&env).slice_mut(0..2)).unwrap_err().to_string();
        assert_eq!(error, "element 1 of its observation is NaN, which cannot be normalised");
        assert_eq!(statistics.count(), 1e-4);
    }

    #[test]
    fn a_stack_within_is_no_longer_one() {
        let stack =
            FrameStack::new(scripted(ElementKind::F32), std::num::NonZeroU32::new(4).unwrap()).unwrap();
        let env = NormalizeObservation::training(stack, &ObservationStatistics::new()).unwrap();
        assert_eq!(env.spec().stacked_frames, 1);
        let error = NormalizeObservation::training(env, &training(&ObservationStatistics::new()).statistics);
        assert!(error.unwrap_err().to_string().contains("expected 8, found 2"));
    }

    #[test]
    fn it_resumes() {
        let statistics = ObservationStatistics::new();
        let mut env = training(&statistics);
        reset(&mut env, None);
        step(&mut env, 0);
        assert_resumes(&mut env, training(&ObservationStatistics::new()), &[0, 1, 2]);
        let frozen = |statistics: &ObservationStatistics| {
            NormalizeObservation::frozen(scripted(ElementKind::F32), statistics).unwrap()
        };
        let mut env = frozen(&statistics);
        reset(&mut env, None);
        assert_resumes(&mut env, frozen(&statistics.copy()), &[0, 1, 2]);
    }
}
