//! Steps over images that treat every element by itself. They go by halves of vectors, since rows are a multiple
//! of 8 long.

use super::super::activation;
use super::super::number::Lanes;
use super::super::simd::Simd;
use crate::program::{Activation, ImageSlot};

/// `output = f(input)`.
#[inline(always)]
pub(super) unsafe fn activation<S: Simd>(
    kind: Activation,
    input: ImageSlot,
    output: ImageSlot,
    slots: *mut f32,
) {
    for row in 0..output.height {
        // SAFETY: the caller vouches for the slots.
        unsafe {
            let (from, to) = (slots.add(input.at(row, 0)), slots.add(output.at(row, 0)));
            activation::forward::<S::Half>(kind, from, to, output.width * output.pixel);
        }
    }
}

/// `output = first + second`.
#[inline(always)]
pub(super) unsafe fn add<S: Simd>(first: ImageSlot, second: ImageSlot, output: ImageSlot, slots: *mut f32) {
    for row in 0..output.height {
        let places = [first, second, output].map(|slot| slot.at(row, 0));
        for index in (0..output.width * output.pixel).step_by(S::Half::LANES) {
            // SAFETY: the caller vouches for the slots.
            unsafe {
                let [first, second, output] = places.map(|place| slots.add(place + index));
                S::Half::store(output, S::Half::add(S::Half::load(first), S::Half::load(second)));
            }
        }
    }
}

/// The gradient by a slot goes back through the ReLU that made it.
#[inline(always)]
pub(super) unsafe fn mask<S: Simd>(slot: ImageSlot, slots: *const f32, d_slots: *mut f32) {
    for row in 0..slot.height {
        let first = slot.at(row, 0);
        for place in (first..first + slot.width * slot.pixel).step_by(S::Half::LANES) {
            // SAFETY: the caller vouches for the slots.
            unsafe {
                let (y, d_y) = (S::Half::load(slots.add(place)), S::Half::load(d_slots.add(place)));
                S::Half::store(d_slots.add(place), S::Half::rectify_gradient(y, d_y));
            }
        }
    }
}

/// Adds the gradient by one slot to that by another.
#[inline(always)]
pub(super) unsafe fn pass_on<S: Simd>(from: ImageSlot, to: ImageSlot, d_slots: *mut f32) {
    for row in 0..from.height {
        let (from, to, len) = (from.at(row, 0), to.at(row, 0), from.width * from.pixel);
        for index in (0..len).step_by(S::Half::LANES) {
            // SAFETY: the caller vouches for the slots.
            unsafe {
                let to = d_slots.add(to + index);
                let sum = S::Half::add(S::Half::load(to), S::Half::load(d_slots.add(from + index)));
                S::Half::store(to, sum);
            }
        }
    }
}

/// Adds the gradient by the input.
#[inline(always)]
pub(super) unsafe fn activation_backward<S: Simd>(
    kind: Activation,
    input: ImageSlot,
    output: ImageSlot,
    slots: *const f32,
    d_slots: *mut f32,
) {
    for row in 0..output.height {
        let (from, to) = (input.at(row, 0), output.at(row, 0));
        for index in (0..output.width * output.pixel).step_by(S::Half::LANES) {
            // SAFETY: the caller vouches for the slots.
            unsafe {
                let (x, y) =
                    (Lanes::<S::Half>::load(slots.add(from + index)), Lanes::load(slots.add(to + index)));
                let d_y = Lanes::load(d_slots.add(to + index));
                let d_x = d_slots.add(from + index);
                let sum = S::Half::add(S::Half::load(d_x), activation::derivative(kind, x, y, d_y).0);
                S::Half::store(d_x, sum);
            }
        }
    }
}
