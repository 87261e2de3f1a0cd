//! Spaces: which observations an environment gives and which actions it takes.

use serde::{Deserialize, Serialize};

/// The type of one element of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementKind {
    /// 32-bit floating point numbers.
    F32,
    /// Bytes, as pixels are; they stay bytes until the first layer of the network.
    U8,
}

impl ElementKind {
    /// Bytes of an element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::U8 => 1,
        }
    }
}

/// A set of arrays of one shape, each element within its own bounds (Gymnasium's `Box`).
#[derive(Clone, Debug, PartialEq)]
pub struct BoxSpace {
    /// Lengths of the axes, outermost first.
    pub shape: Vec<usize>,
    /// The type of the elements.
    pub element: ElementKind,
    /// The least value of each element in row-major order; `-∞` where there is no bound.
    pub low: Vec<f32>,
    /// The greatest value of each element in row-major order; `+∞` where there is no bound.
    pub high: Vec<f32>,
}

impl BoxSpace {
    /// A vector of `f32` with bounds `low` and `high`, which must be equally long.
    pub fn vector(low: &[f32], high: &[f32]) -> Self {
        assert_eq!(low.len(), high.len(), "a box needs as many lower as upper bounds");
        Self { shape: vec![low.len()], element: ElementKind::F32, low: low.to_vec(), high: high.to_vec() }
    }

    /// The number of elements of one observation.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True where the shape has an axis of length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A set of observations, after Gymnasium's spaces.
///
/// An observation of any space is written flat, as [`len`](Self::len) elements of one
/// [kind](Self::element): a number of a `Discrete` space as itself, a box in row-major order, the parts of a
/// tuple or dictionary one after the other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Space {
    /// The whole numbers `start, start + 1, …, start + n − 1`. One element.
    Discrete {
        /// How many numbers there are.
        n: usize,
        /// The least of them.
        start: i32,
    },
    /// Some numbers, each of the whole numbers below its own count. One element a number.
    MultiDiscrete {
        /// How many values each number has.
        counts: Vec<usize>,
    },
    /// `n` flags, each 0 or 1. One element a flag.
    MultiBinary {
        /// How many flags there are.
        n: usize,
    },
    /// Arrays with bounds.
    Box(BoxSpace),
    /// One observation of each space, in order.
    Tuple(Vec<Space>),
    /// One observation of each named space. The names stand in ascending order, as Gymnasium sorts them.
    Dict(Vec<(String, Space)>),
}

impl Space {
    /// The whole numbers `0, 1, …, n−1`.
    pub fn discrete(n: usize) -> Self {
        Self::Discrete { n, start: 0 }
    }

    /// One observation of each named space; the names are brought in ascending order.
    pub fn dict(parts: impl IntoIterator<Item = (String, Space)>) -> Self {
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self::Dict(parts)
    }

    /// The number of elements of one observation, written flat.
    pub fn len(&self) -> usize {
        match self {
            Self::Discrete { .. } => 1,
            Self::MultiDiscrete { counts } => counts.len(),
            Self::MultiBinary { n } => *n,
            Self::Box(space) => space.len(),
            Self::Tuple(parts) => parts.iter().map(Self::len).sum(),
            Self::Dict(parts) => parts.iter().map(|(_, part)| part.len()).sum(),
        }
    }

    /// True where an observation has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements: that of a box, else `f32`, which holds whole numbers up to 2²⁴ exactly.
    pub fn element(&self) -> ElementKind {
        match self {
            Self::Box(space) => space.element,
            _ => ElementKind::F32,
        }
    }
}

impl From<BoxSpace> for Space {
    fn from(space: BoxSpace) -> Self {
        Self::Box(space)
    }
}

/// One observation, or a batch of them one after the other, row-major.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation<'a> {
    /// Floating point elements.
    F32(&'a [f32]),
    /// Byte elements.
    U8(&'a [u8]),
}

impl<'a> Observation<'a> {
    /// The number of elements, over all observations of the batch.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    /// True where there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Place and value of the first element that is not a finite number, where there is one.
    #[inline]
    pub fn first_not_finite(&self) -> Option<(usize, f32)> {
        let Self::F32(values) = self else { return None };
        let place = values.iter().position(|value| !value.is_finite())?;
        Some((place, values[place]))
    }

    /// The elements `range` as an observation of its own.
    ///
    /// # Panics
    /// If the range reaches past the end.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Observation<'a> {
        match self {
            Self::F32(values) => Observation::F32(&values[range]),
            Self::U8(values) => Observation::U8(&values[range]),
        }
    }
}

/// The place an environment writes one observation to.
#[derive(Debug, PartialEq)]
pub enum ObservationMut<'a> {
    /// Floating point elements.
    F32(&'a mut [f32]),
    /// Byte elements.
    U8(&'a mut [u8]),
}

impl<'a> ObservationMut<'a> {
    /// The floating point elements.
    ///
    /// # Panics
    /// If the elements are bytes: the caller made the buffer for another space than the environment's.
    pub fn f32(self) -> &'a mut [f32] {
        match self {
            Self::F32(values) => values,
            Self::U8(_) => panic!("a buffer of f32 was expected for this observation space, found bytes"),
        }
    }

    /// The byte elements.
    ///
    /// # Panics
    /// If the elements are floating point numbers.
    pub fn u8(self) -> &'a mut [u8] {
        match self {
            Self::U8(values) => values,
            Self::F32(_) => panic!("a buffer of bytes was expected for this observation space, found f32"),
        }
    }

    /// The same place for a shorter time: it can be used again afterwards.
    #[inline]
    pub fn reborrow(&mut self) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => ObservationMut::F32(values),
            Self::U8(values) => ObservationMut::U8(values),
        }
    }

    /// What is written there now.
    #[inline]
    pub fn as_observation(&self) -> Observation<'_> {
        match self {
            Self::F32(values) => Observation::F32(values),
            Self::U8(values) => Observation::U8(values),
        }
    }

    /// Copies `source` here.
    ///
    /// # Panics
    /// If kind or length differ.
    pub fn copy_from(&mut self, source: Observation<'_>) {
        match (self, source) {
            (Self::F32(to), Observation::F32(from)) => to.copy_from_slice(from),
            (Self::U8(to), Observation::U8(from)) => to.copy_from_slice(from),
            _ => panic!("observations of different element kinds"),
        }
    }
}

/// An owned buffer of observations.
#[derive(Clone, Debug, PartialEq)]
pub enum ObservationBuffer {
    /// Floating point elements.
    F32(Vec<f32>),
    /// Byte elements.
    U8(Vec<u8>),
}

impl ObservationBuffer {
    /// `len` zeros of the kind `element`.
    pub fn zeros(element: ElementKind, len: usize) -> Self {
        match element {
            ElementKind::F32 => Self::F32(vec![0.0; len]),
            ElementKind::U8 => Self::U8(vec![0; len]),
        }
    }

    /// The type of the elements.
    pub fn element(&self) -> ElementKind {
        match self {
            Self::F32(_) => ElementKind::F32,
            Self::U8(_) => ElementKind::U8,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.as_observation().len()
    }

    /// True where there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All elements.
    pub fn as_observation(&self) -> Observation<'_> {
        match self {
            Self::F32(values) => Observation::F32(values),
            Self::U8(values) => Observation::U8(values),
        }
    }

    /// The elements `range`.
    ///
    /// # Panics
    /// If the range reaches past the end.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Observation<'_> {
        self.as_observation().slice(range)
    }

    /// Writes zeros to the elements `range`.
    ///
    /// # Panics
    /// If the range reaches past the end.
    pub fn fill_zero(&mut self, range: std::ops::Range<usize>) {
        match self {
            Self::F32(values) => values[range].fill(0.0),
            Self::U8(values) => values[range].fill(0),
        }
    }

    /// The elements `range`, to write to.
    ///
    /// # Panics
    /// If the range reaches past the end.
    pub fn slice_mut(&mut self, range: std::ops::Range<usize>) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => ObservationMut::F32(&mut values[range]),
            Self::U8(values) => ObservationMut::U8(&mut values[range]),
        }
    }

    /// Makes the buffer `len` elements long, new ones zero.
    pub fn resize(&mut self, len: usize) {
        match self {
            Self::F32(values) => values.resize(len, 0.0),
            Self::U8(values) => values.resize(len, 0),
        }
    }
}
