//! Observations of any space as one vector.

use deepq_core::{BoxSpace, ElementKind, Env, EnvError, EnvSpec, ObservationMut, Space, Step};

/// Gives the observations of any space as a vector that a network can take, as `gymnasium.spaces.flatten` and
/// Stable-Baselines3 do.
///
/// | Space | becomes |
/// |---|---|
/// | `Discrete` | one element for each number, 1 at the one that is meant, 0 elsewhere ("one-hot") |
/// | `MultiDiscrete` | the same for each of its numbers, one after the other |
/// | `MultiBinary` | its flags |
/// | `Box` | its elements in row-major order |
/// | `Tuple`, `Dict` | their parts, one after the other; those of a dictionary in ascending order of names |
///
/// A box of bytes stays one, and one-hot vectors alone are bytes too, a quarter of the room in a memory; everything
/// else becomes `f32`, bytes within a tuple or dictionary as the numbers they are.
#[derive(Clone, Debug)]
pub struct FlattenObservation<E> {
    env: E,
    spec: EnvSpec,
    parts: Vec<Part>,
    /// An observation as the environment gives it; empty where that is the vector already.
    structured: Vec<f32>,
}

/// What some elements of an observation become.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// One element becomes `n`, with a 1 at its value less `start`.
    OneHot { start: i32, n: usize },
    /// That many stay what they are.
    Copy { len: usize },
}

impl<E: Env> FlattenObservation<E> {
    /// `env` with observations that are a vector.
    ///
    /// # Errors
    /// Where the space is none of the above.
    pub fn new(env: E) -> Result<Self, EnvError> {
        let spec = env.spec();
        let mut vector = Vector::default();
        vector.add(&spec.observation_space)?;
        let only_one_hot = vector.parts.iter().all(|part| matches!(part, Part::OneHot { .. }));
        let element = if only_one_hot { ElementKind::U8 } else { spec.observation_space.element() };
        let is_vector = vector.parts.iter().all(|part| matches!(part, Part::Copy { .. }));
        let structured = if is_vector { vec![] } else { vec![0.0; spec.observation_space.len()] };
        let space = BoxSpace { shape: vec![vector.low.len()], element, low: vector.low, high: vector.high };
        // One-hot vectors need not be equally long in every frame.
        let stacked_frames = if is_vector { spec.stacked_frames } else { 1 };
        let spec = EnvSpec { observation_space: Space::Box(space), stacked_frames, ..spec.clone() };
        Ok(Self { env, spec, parts: vector.parts, structured })
    }

    access_to_inner!();

    /// Lets `write` write an observation of the environment, and flattens it.
    #[inline]
    fn flatten<T>(
        &mut self,
        observation: ObservationMut<'_>,
        write: impl FnOnce(&mut E, ObservationMut<'_>) -> Result<T, EnvError>,
    ) -> Result<T, EnvError> {
        if self.structured.is_empty() {
            return write(&mut self.env, observation);
        }
        let outcome = write(&mut self.env, ObservationMut::F32(&mut self.structured))?;
        match observation {
            ObservationMut::F32(to) => flatten(&self.parts, &self.structured, to)?,
            ObservationMut::U8(to) => flatten(&self.parts, &self.structured, to)?,
        }
        Ok(outcome)
    }
}

/// Collects the parts of a space and the bounds of the vector they become.
#[derive(Default)]
struct Vector {
    parts: Vec<Part>,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Vector {
    fn add(&mut self, space: &Space) -> Result<(), EnvError> {
        match space {
            Space::Discrete { n, start } => self.one_hot(*n, *start),
            Space::MultiDiscrete { counts } => counts.iter().for_each(|n| self.one_hot(*n, 0)),
            Space::MultiBinary { n } => self.copy(&vec![0.0; *n], &vec![1.0; *n]),
            Space::Box(space) => self.copy(&space.low, &space.high),
            Space::Tuple(parts) => return parts.iter().try_for_each(|part| self.add(part)),
            Space::Dict(parts) => return parts.iter().try_for_each(|(_, part)| self.add(part)),
            other => return Err(EnvError::new(format!("flatten-observation: {other:?} has no vector"))),
        }
        Ok(())
    }

    fn one_hot(&mut self, n: usize, start: i32) {
        self.parts.push(Part::OneHot { start, n });
        self.low.extend(vec![0.0; n]);
        self.high.extend(vec![1.0; n]);
    }

    fn copy(&mut self, low: &[f32], high: &[f32]) {
        match self.parts.last_mut() {
            Some(Part::Copy { len }) => *len += low.len(),
            _ => self.parts.push(Part::Copy { len: low.len() }),
        }
        self.low.extend_from_slice(low);
        self.high.extend_from_slice(high);
    }
}

/// Elements of a vector that numbers of an observation become.
trait FlatElement: Copy + From<bool> {
    fn copied(value: f32) -> Self;
}

impl FlatElement for f32 {
    fn copied(value: f32) -> Self {
        value
    }
}

impl FlatElement for u8 {
    fn copied(value: f32) -> Self {
        value as u8
    }
}

fn flatten<T: FlatElement>(parts: &[Part], from: &[f32], to: &mut [T]) -> Result<(), EnvError> {
    let (mut read, mut written) = (0, 0);
    for part in parts {
        match *part {
            Part::Copy { len } => {
                let pairs = to[written..written + len].iter_mut().zip(&from[read..read + len]);
                pairs.for_each(|(to, from)| *to = T::copied(*from));
                (read, written) = (read + len, written + len);
            }
            Part::OneHot { start, n } => {
                let place =
                    place(from[read], start, n).ok_or_else(|| no_such_number(read, from, start, n))?;
                to[written..written + n].fill(T::from(false));
                to[written + place] = T::from(true);
                (read, written) = (read + 1, written + n);
            }
        }
    }
    Ok(())
}

/// The place of `value` among the `n` whole numbers from `start` on, where it is one of them.
#[inline]
fn place(value: f32, start: i32, n: usize) -> Option<usize> {
    // Exact for whole numbers up to 2^53; NaN fails the comparison.
    let place = f64::from(value) - f64::from(start);
    (place >= 0.0 && place < n as f64 && place.fract() == 0.0).then_some(place as usize)
}

#[cold]
fn no_such_number(element: usize, from: &[f32], start: i32, n: usize) -> EnvError {
    let greatest = i64::from(start) + n as i64 - 1;
    EnvError::new(format!(
        "element {element} of its observation is {}, where a whole number from {start} to {greatest} belongs",
        from[element]
    ))
}

impl<E: Env> Env for FlattenObservation<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.flatten(observation, |env, observation| env.reset(seed, observation))
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.flatten(observation, |env, observation| env.step(action, observation))
    }

    forward_to_inner!(env: begin_step, steps_elsewhere, action_mask, episode_statistics, render, state);
}

#[cfg(test)]
mod tests {
    use deepq_core::ObservationBuffer;

    use super::super::FrameStack;
    use super::super::testing::{Scripted, assert_resumes, buffer, reset, step, unbounded};
    use super::*;

    fn tuple(observations: &[&[f32]]) -> FlattenObservation<Scripted> {
        let space = Space::Tuple(vec![
            Space::Discrete { n: 3, start: -1 },
            Space::MultiDiscrete { counts: vec![2, 2] },
        ]);
        FlattenObservation::new(Scripted::new(space, observations)).unwrap()
    }

    #[test]
    fn numbers_become_one_hot_vectors_at_every_step() {
        let mut env = tuple(&[&[-1.0, 0.0, 1.0], &[1.0, 1.0, 0.0]]);
        for _episode in 0..2 {
            let first = ObservationBuffer::U8(vec![1, 0, 0, 1, 0, 0, 1]);
            assert_eq!(reset(&mut env, None), first);
            let second = ObservationBuffer::U8(vec![0, 0, 1, 0, 1, 1, 0]);
            assert_eq!(step(&mut env, 0).0, second);
        }
        assert_resumes(&mut env, tuple(&[&[-1.0, 0.0, 1.0], &[1.0, 1.0, 0.0]]), &[0, 1, 2]);
    }

    #[test]
    fn a_number_that_is_none_of_the_space_is_an_error() {
        for value in [-2.0, 2.0, 0.5, f32::NAN, f32::INFINITY] {
            let mut env = tuple(&[&[0.0, 0.0, 0.0], &[value, 0.0, 0.0]]);
            reset(&mut env, None);
            let mut observation = buffer(&env);
            let error = env.step(0, observation.slice_mut(0..7)).unwrap_err().to_string();
            let expected =
                format!("element 0 of its observation is {value}, where a whole number from -1 to 1 belongs");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn a_box_of_bytes_stays_one_and_a_stack_stays_a_stack() {
        let frames = Scripted::new(unbounded(2, ElementKind::U8), &[&[1.0, 2.0], &[3.0, 4.0]]);
        let stack = FrameStack::new(frames, std::num::NonZeroU32::new(2).unwrap()).unwrap();
        let mut env = FlattenObservation::new(stack).unwrap();
        let Space::Box(space) = &env.spec().observation_space else { panic!("a box") };
        assert_eq!((space.shape.as_slice(), space.element), ([4].as_slice(), ElementKind::U8));
        assert_eq!(env.spec().stacked_frames, 2);
        reset(&mut env, None);
        assert_eq!(step(&mut env, 0).0, ObservationBuffer::U8(vec![1, 2, 3, 4]));
    }
}
