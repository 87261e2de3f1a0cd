//! What the environments of this crate say to wrong use, in the same words everywhere.
//!
//! Each asks for its buffer before it does anything, so that a call that fails changes nothing.

use deepq_core::{EnvError, EnvSpec, ObservationMut};

/// The place of an observation of `N` numbers.
#[inline]
pub(crate) fn numbers<'a, const N: usize>(
    spec: &EnvSpec,
    observation: ObservationMut<'a>,
) -> Result<&'a mut [f32; N], EnvError> {
    let found = match observation {
        ObservationMut::F32(values) => {
            let found = Elements::Numbers(values.len());
            match values.try_into() {
                Ok(place) => return Ok(place),
                Err(_) => found,
            }
        }
        ObservationMut::U8(values) => Elements::Bytes(values.len()),
    };
    Err(wrong_buffer(spec, Elements::Numbers(N), found))
}

/// The place of an observation of `len` bytes.
#[inline]
pub(crate) fn bytes<'a>(
    spec: &EnvSpec,
    len: usize,
    observation: ObservationMut<'a>,
) -> Result<&'a mut [u8], EnvError> {
    let found = match observation {
        ObservationMut::U8(values) if values.len() == len => return Ok(values),
        ObservationMut::U8(values) => Elements::Bytes(values.len()),
        ObservationMut::F32(values) => Elements::Numbers(values.len()),
    };
    Err(wrong_buffer(spec, Elements::Bytes(len), found))
}

enum Elements {
    Numbers(usize),
    Bytes(usize),
}

impl std::fmt::Display for Elements {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Numbers(1) => write!(formatter, "1 number of type f32"),
            Self::Numbers(count) => write!(formatter, "{count} numbers of type f32"),
            Self::Bytes(count) => write!(formatter, "{count} bytes"),
        }
    }
}

#[cold]
fn wrong_buffer(spec: &EnvSpec, expected: Elements, found: Elements) -> EnvError {
    EnvError::new(format!("{}: an observation is {expected}, found a buffer of {found}", spec.id))
}

/// A step that cannot be taken: before the first reset, or with an action there is none of. `actions` names those
/// there are, at least two.
#[cold]
pub(crate) fn wrong_step<S: AsRef<str>>(
    spec: &EnvSpec,
    has_begun: bool,
    actions: &[S],
    found: usize,
) -> EnvError {
    let id = &spec.id;
    if !has_begun {
        return EnvError::new(format!("{id}: a step before the first reset"));
    }
    let named = actions.iter().enumerate().map(|(action, name)| format!("{action} ({})", name.as_ref()));
    let named: Vec<_> = named.collect();
    let (others, last) = named.split_at(actions.len().saturating_sub(1));
    EnvError::new(format!("{id}: the action is {} or {}, found {found}", others.join(", "), last.concat()))
}

/// An option that is to be a probability.
pub(crate) fn check_probability(name: &str, value: f64) -> Result<(), EnvError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(EnvError::new(format!("{name} is a probability from 0 to 1, found {value}")))
}
