//! How the environments of this family write their numbers.

use deepq_core::{StateError, StateReader, StateWriter};

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
