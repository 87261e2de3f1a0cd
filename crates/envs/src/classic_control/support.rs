//! What the environments of this family share: their complaints, and how they write their numbers.

use deepq_core::{EnvError, ObservationMut, StateError, StateReader, StateWriter};

/// A step that cannot be taken: before the first reset, or with an action there is none of.
#[cold]
pub(super) fn wrong_step(id: &str, has_begun: bool, actions: &str, found: usize) -> EnvError {
    EnvError::new(match has_begun {
        false => format!("{id}: a step before the first reset"),
        true => format!("{id}: the action is {actions}, found {found}"),
    })
}

/// A buffer that no observation of `len` numbers fits in.
#[cold]
pub(super) fn wrong_buffer(env: &str, len: usize, found: &ObservationMut<'_>) -> EnvError {
    let found = match found {
        ObservationMut::F32(values) => format!("{}", values.len()),
        ObservationMut::U8(values) => format!("{} bytes", values.len()),
    };
    EnvError::new(format!("{env}: an observation is {len} numbers of type f32, found a buffer of {found}"))
}

/// Writes the numbers of a state, or that there is none.
pub(super) fn save_numbers<const N: usize>(state: &mut StateWriter, numbers: Option<[f64; N]>) {
    state.bool(numbers.is_some());
    for number in numbers.unwrap_or([0.0; N]) {
        state.f64(number);
    }
}

/// Takes back what [`save_numbers`] wrote; `names` say what the numbers are.
pub(super) fn load_numbers<const N: usize>(
    state: &mut StateReader<'_>,
    names: [&'static str; N],
) -> Result<Option<[f64; N]>, StateError> {
    let is_some = state.bool("whether an episode has begun")?;
    let mut numbers = [0.0; N];
    for (number, name) in numbers.iter_mut().zip(names) {
        *number = state.f64(name)?;
    }
    Ok(is_some.then_some(numbers))
}
