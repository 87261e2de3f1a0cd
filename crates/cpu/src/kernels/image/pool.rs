//! Max-pooling. Windows are looked at row by row; of equal values the first is taken, and NaN before any number.

use super::super::number::Lanes;
use super::super::simd::Simd;
use crate::program::{ImageKind, ImageSlot};
use deepq_core::math::Number;
use std::ops::Range;

/// The rows and columns of the input that place `(row, column)` of the output is the greatest of.
#[inline(always)]
fn window(
    kind: &ImageKind,
    input: ImageSlot,
    output: ImageSlot,
    (row, column): (usize, usize),
) -> (Range<usize>, Range<usize>) {
    let along = |place: usize, length: usize, places: usize| match *kind {
        ImageKind::MaxPool { size, stride, padding } => {
            let begin = place * stride;
            begin.saturating_sub(padding)..(begin + size).saturating_sub(padding).min(length)
        }
        _ => place * length / places..((place + 1) * length).div_ceil(places),
    };
    (along(row, input.height, output.height), along(column, input.width, output.width))
}

/// The greatest value of one window, for some channels, and its number in the window.
#[inline(always)]
unsafe fn greatest<H: Simd>(
    slots: *const f32,
    input: ImageSlot,
    (rows, columns): &(Range<usize>, Range<usize>),
    channel: usize,
) -> (Lanes<H>, Lanes<H>) {
    // SAFETY: the caller vouches for the slots; a window has a place at least.
    unsafe {
        let at = |row: usize, column: usize| Lanes::<H>::load(slots.add(input.at(row, column) + channel));
        let (mut best, mut number) = (at(rows.start, columns.start), Lanes::splat(0.0));
        for row in rows.clone() {
            for column in columns.clone() {
                let value = at(row, column);
                let index = (row - rows.start) * columns.len() + column - columns.start;
                let index = Lanes::splat(index as f32);
                let (greater, unknown) = (best.is_less(value), value.is_nan());
                // A NaN that is there stays: nothing is greater, and another NaN is no better.
                let taken = Lanes::select(unknown, Lanes::select(best.is_nan(), number, index), number);
                number = Lanes::select(greater, index, taken);
                let taken = Lanes::select(unknown, Lanes::select(best.is_nan(), best, value), best);
                best = Lanes::select(greater, value, taken);
            }
        }
        (best, number)
    }
}

/// `output = greatest of the windows of input`.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(
    kind: &ImageKind,
    input: ImageSlot,
    output: ImageSlot,
    slots: *mut f32,
) {
    for row in 0..output.height {
        for column in 0..output.width {
            let window = window(kind, input, output, (row, column));
            for channel in (0..output.pixel).step_by(S::Half::LANES) {
                // SAFETY: the caller vouches for the slots.
                unsafe {
                    let (best, _) = greatest::<S::Half>(slots, input, &window, channel);
                    best.store(slots.add(output.at(row, column) + channel));
                }
            }
        }
    }
}

/// Adds the gradient by each output to that by the input it was taken from.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(
    kind: &ImageKind,
    input: ImageSlot,
    output: ImageSlot,
    slots: *const f32,
    d_slots: *mut f32,
) {
    for row in 0..output.height {
        for column in 0..output.width {
            let window = window(kind, input, output, (row, column));
            for channel in (0..output.pixel).step_by(S::Half::LANES) {
                // SAFETY: the caller vouches for the slots.
                unsafe {
                    let (_, number) = greatest::<S::Half>(slots, input, &window, channel);
                    let d_y = Lanes::<S::Half>::load(d_slots.add(output.at(row, column) + channel));
                    leave(&window, input, channel, number, d_y, d_slots);
                }
            }
        }
    }
}

/// Adds `d_y` at place `number` of a window.
#[inline(always)]
unsafe fn leave<H: Simd>(
    (rows, columns): &(Range<usize>, Range<usize>),
    input: ImageSlot,
    channel: usize,
    number: Lanes<H>,
    d_y: Lanes<H>,
    d_slots: *mut f32,
) {
    for row in rows.clone() {
        for column in columns.clone() {
            let index = (row - rows.start) * columns.len() + column - columns.start;
            let index = Lanes::splat(index as f32);
            let other = Lanes::splat(0.0);
            let here = Lanes::select(number.is_less(index), other, d_y);
            let here = Lanes::select(index.is_less(number), other, here);
            // SAFETY: the caller vouches for the slots.
            unsafe {
                let place = d_slots.add(input.at(row, column) + channel);
                Lanes::load(place).add(here).store(place);
            }
        }
    }
}
