//! Layer norm of images, over all elements or over the channels of each place. The formulas are those of
//! [`layer_norm`](super::super::layer_norm).
//!
//! A sum over the elements of a region runs in 16 parts, by the place in a row modulo 16, whatever the width of a
//! vector; padding adds 0.

use std::ops::Range;

use super::super::layer_norm::total;
use super::super::simd::Simd;
use crate::aligned::LINE;
use crate::program::{HALF_LINE, ImageSlot, LayerNorm};

/// Ones, then zeros: a vector from here on tells the channels from the padding.
const ONES: [f32; 2 * HALF_LINE] = {
    let mut ones = [0.0; 2 * HALF_LINE];
    let mut index = 0;
    while index < HALF_LINE {
        ones[index] = 1.0;
        index += 1;
    }
    ones
};

/// 1 for each of the channels from `channel` on, 0 for the padding.
#[inline(always)]
unsafe fn ones<H: Simd>(slot: ImageSlot, channel: usize) -> H::Vector {
    let there = slot.channels.saturating_sub(channel).min(HALF_LINE);
    // SAFETY: half a vector of the widest set is 8 elements.
    unsafe { H::load(ONES.as_ptr().add(HALF_LINE - there)) }
}

/// Places that are normalized together.
#[derive(Clone)]
struct Region {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Region {
    fn all(slot: ImageSlot) -> Self {
        Self { rows: 0..slot.height, columns: 0..slot.width }
    }

    fn place(row: usize, column: usize) -> Self {
        Self { rows: row..row + 1, columns: column..column + 1 }
    }
}

/// Sums over a region of what `value` gives for each vector: two at a time.
#[inline(always)]
unsafe fn sums<H: Simd>(
    slot: ImageSlot,
    region: &Region,
    value: impl Fn(usize, usize, usize, [H::Vector; 2]) -> [H::Vector; 2],
) -> [f32; 2] {
    // SAFETY: no pointers here; the set is there.
    unsafe {
        let mut parts = [[H::splat(0.0); 4]; 2];
        for row in region.rows.clone() {
            for column in region.columns.clone() {
                for channel in (0..slot.pixel).step_by(H::LANES) {
                    let part = ((column - region.columns.start) * slot.pixel + channel) % LINE / H::LANES;
                    let sums = value(row, column, channel, [parts[0][part], parts[1][part]]);
                    (parts[0][part], parts[1][part]) = (sums[0], sums[1]);
                }
            }
        }
        [total::<H>(parts[0]), total::<H>(parts[1])]
    }
}

/// A region's mean and `1/√(variance + epsilon)`, and where its numbers come from.
struct Normal<H: Simd> {
    input: ImageSlot,
    slots: *const f32,
    mean: H::Vector,
    reciprocal: H::Vector,
    count: f32,
}

impl<H: Simd> Normal<H> {
    #[inline(always)]
    unsafe fn new(input: ImageSlot, region: &Region, slots: *const f32, epsilon: f32) -> Self {
        let count = (region.rows.len() * region.columns.len() * input.channels) as f32;
        // SAFETY: the caller vouches for the slots.
        unsafe {
            let x = |row, column, channel| H::load(slots.add(input.at(row, column) + channel));
            let [sum, _] = sums::<H>(input, region, |row, column, channel, sums| {
                [H::add(sums[0], x(row, column, channel)), sums[1]]
            });
            let mean = H::splat(sum / count);
            let [squares, _] = sums::<H>(input, region, |row, column, channel, sums| {
                let difference = H::subtract(x(row, column, channel), mean);
                let difference = H::multiply(difference, ones::<H>(input, channel));
                [H::multiply_add(difference, difference, sums[0]), sums[1]]
            });
            let reciprocal = H::splat(1.0 / (squares / count + epsilon).sqrt());
            Self { input, slots, mean, reciprocal, count }
        }
    }

    #[inline(always)]
    unsafe fn at(&self, row: usize, column: usize, channel: usize) -> H::Vector {
        // SAFETY: as above.
        unsafe {
            let x = H::load(self.slots.add(self.input.at(row, column) + channel));
            H::multiply(H::subtract(x, self.mean), self.reciprocal)
        }
    }
}

/// Which weight belongs to an element.
#[derive(Clone, Copy)]
enum Weights {
    /// `[row][column][pixel]`
    All,
    /// `[pixel]`
    Channels,
}

impl Weights {
    #[inline(always)]
    fn place(self, slot: ImageSlot, row: usize, column: usize, channel: usize) -> usize {
        match self {
            Self::All => (row * slot.width + column) * slot.pixel + channel,
            Self::Channels => channel,
        }
    }
}

/// The regions that are normalized by themselves.
#[inline(always)]
fn regions(weights: Weights, slot: ImageSlot) -> impl Iterator<Item = Region> {
    let count = match weights {
        Weights::All => 1,
        Weights::Channels => slot.height * slot.width,
    };
    (0..count).map(move |index| match weights {
        Weights::All => Region::all(slot),
        Weights::Channels => Region::place(index / slot.width, index % slot.width),
    })
}

/// Forward, backward and the gradient by the parameters, for one way to take regions.
macro_rules! norms {
    ($weights:expr, $forward:ident, $backward:ident, $parameters:ident) => {
        #[inline(always)]
        pub(super) unsafe fn $forward<S: Simd>(
            norm: &LayerNorm,
            parameters: *const f32,
            input: ImageSlot,
            output: ImageSlot,
            slots: *mut f32,
        ) {
            for region in regions($weights, input) {
                // SAFETY: the caller's word.
                unsafe { forward::<S::Half>($weights, norm, parameters, [input, output], slots, &region) }
            }
        }

        #[inline(always)]
        pub(super) unsafe fn $backward<S: Simd>(
            norm: &LayerNorm,
            parameters: *const f32,
            input: ImageSlot,
            output: ImageSlot,
            slots: *const f32,
            d_slots: *mut f32,
        ) {
            for region in regions($weights, input) {
                let buffers = (slots, d_slots);
                // SAFETY: the caller's word.
                unsafe { backward::<S::Half>($weights, norm, parameters, [input, output], buffers, &region) }
            }
        }

        #[inline(always)]
        pub(super) unsafe fn $parameters<S: Simd>(
            norm: &LayerNorm,
            gradient: *mut f32,
            input: ImageSlot,
            output: ImageSlot,
            slots: *const f32,
            d_slots: *const f32,
            goes_on: bool,
        ) {
            for (index, region) in regions($weights, input).enumerate() {
                let (buffers, goes_on) = ((slots, d_slots), goes_on || index > 0);
                // SAFETY: the caller's word.
                unsafe {
                    add_parameters::<S::Half>(
                        $weights,
                        norm,
                        gradient,
                        [input, output],
                        buffers,
                        &region,
                        goes_on,
                    )
                }
            }
        }
    };
}

norms!(Weights::All, forward_all, backward_all, parameters_all);
norms!(Weights::Channels, forward_channels, backward_channels, parameters_channels);

#[inline(always)]
unsafe fn forward<H: Simd>(
    weights: Weights,
    norm: &LayerNorm,
    parameters: *const f32,
    [input, output]: [ImageSlot; 2],
    slots: *mut f32,
    region: &Region,
) {
    // SAFETY: the caller vouches for the slots and the parameters.
    unsafe {
        let normal = Normal::<H>::new(input, region, slots, norm.epsilon);
        for row in region.rows.clone() {
            for column in region.columns.clone() {
                for channel in (0..input.pixel).step_by(H::LANES) {
                    let place = weights.place(input, row, column, channel);
                    let weight = H::load(parameters.add(norm.weight + place));
                    let bias = H::load(parameters.add(norm.bias + place));
                    let y = H::multiply_add(normal.at(row, column, channel), weight, bias);
                    H::store(slots.add(output.at(row, column) + channel), y);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn backward<H: Simd>(
    weights: Weights,
    norm: &LayerNorm,
    parameters: *const f32,
    [input, output]: [ImageSlot; 2],
    (slots, d_slots): (*const f32, *mut f32),
    region: &Region,
) {
    // SAFETY: the caller vouches for the slots and the parameters.
    unsafe {
        let normal = Normal::<H>::new(input, region, slots, norm.epsilon);
        let weighted = |row: usize, column: usize, channel: usize| {
            let weight = parameters.add(norm.weight + weights.place(input, row, column, channel));
            H::multiply(H::load(d_slots.add(output.at(row, column) + channel)), H::load(weight))
        };
        let [plain, along] = sums::<H>(input, region, |row, column, channel, sums| {
            let (g, normal) = (weighted(row, column, channel), normal.at(row, column, channel));
            [H::add(sums[0], g), H::multiply_add(g, normal, sums[1])]
        });
        let (plain, along) = (H::splat(plain / normal.count), H::splat(along / normal.count));
        for row in region.rows.clone() {
            for column in region.columns.clone() {
                for channel in (0..input.pixel).step_by(H::LANES) {
                    let difference = H::subtract(weighted(row, column, channel), plain);
                    let difference =
                        H::subtract(difference, H::multiply(normal.at(row, column, channel), along));
                    let d_x =
                        H::multiply(H::multiply(normal.reciprocal, difference), ones::<H>(input, channel));
                    let place = d_slots.add(input.at(row, column) + channel);
                    H::store(place, H::add(H::load(place), d_x));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn add_parameters<H: Simd>(
    weights: Weights,
    norm: &LayerNorm,
    gradient: *mut f32,
    [input, output]: [ImageSlot; 2],
    (slots, d_slots): (*const f32, *const f32),
    region: &Region,
    goes_on: bool,
) {
    // SAFETY: the caller vouches for the slots and the gradient.
    unsafe {
        let normal = Normal::<H>::new(input, region, slots, norm.epsilon);
        for row in region.rows.clone() {
            for column in region.columns.clone() {
                for channel in (0..input.pixel).step_by(H::LANES) {
                    let place = weights.place(input, row, column, channel);
                    let (d_weight, d_bias) =
                        (gradient.add(norm.weight + place), gradient.add(norm.bias + place));
                    let before = |place: *mut f32| if goes_on { H::load(place) } else { H::splat(0.0) };
                    let d_y = H::load(d_slots.add(output.at(row, column) + channel));
                    let sum = H::multiply_add(d_y, normal.at(row, column, channel), before(d_weight));
                    H::store(d_weight, sum);
                    H::store(d_bias, H::add(before(d_bias), d_y));
                }
            }
        }
    }
}
