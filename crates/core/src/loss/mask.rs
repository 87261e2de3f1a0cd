//! The greatest of some values, and which of them an action mask allows.

/// The greatest value; NaN only where there is nothing else. Without the branches of [`argmax`], which a
/// processor cannot foresee.
#[inline]
pub(crate) fn greatest(values: &[f32]) -> f32 {
    values.iter().copied().reduce(f32::max).unwrap_or(f32::NAN)
}

/// The part of a mask that is one row's; empty where there is no mask.
#[inline]
pub fn mask_row(mask: &[bool], row: usize, actions: usize) -> &[bool] {
    if mask.is_empty() { mask } else { &mask[row * actions..(row + 1) * actions] }
}

/// True where a mask allows an action; an empty mask allows all.
#[inline]
pub fn allows(mask: &[bool], action: usize) -> bool {
    mask.is_empty() || mask[action]
}

/// The greatest value of those that a mask allows.
#[inline]
pub fn greatest_allowed(values: &[f32], mask: &[bool]) -> f32 {
    match mask {
        [] => greatest(values),
        mask => {
            let allowed = values.iter().zip(mask).filter(|(_, allowed)| **allowed);
            allowed.map(|(value, _)| *value).reduce(f32::max).unwrap_or(f32::NAN)
        }
    }
}

/// As [`argmax`], of those that a mask allows. There is at least one of them.
#[inline]
pub fn argmax_allowed(values: &[f32], mask: &[bool]) -> usize {
    if mask.is_empty() {
        return argmax(values);
    }
    let mut best = mask.iter().position(|allowed| *allowed).unwrap_or(0);
    for (index, value) in values.iter().enumerate().skip(best + 1).filter(|(index, _)| mask[*index]) {
        if *value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}

/// The index of the greatest value, the first of them where there are several; a NaN is never chosen before a
/// number.
#[inline]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate().skip(1) {
        if *value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_values_count() {
        let values = [1.0, 5.0, 3.0];
        assert_eq!((greatest_allowed(&values, &[]), argmax_allowed(&values, &[])), (5.0, 1));
        let mask = [true, false, true];
        assert_eq!((greatest_allowed(&values, &mask), argmax_allowed(&values, &mask)), (3.0, 2));
        assert_eq!(greatest_allowed(&[f32::NAN, -2.0], &[true, true]), -2.0);
        assert_eq!(argmax_allowed(&[9.0, f32::NAN, -2.0], &[false, true, true]), 2);
        assert!(greatest_allowed(&values, &[false; 3]).is_nan());
        assert_eq!(mask_row(&[true, false, false, true], 1, 2), [false, true]);
        assert!(mask_row(&[], 1, 2).is_empty());
    }
}
