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

/// `value` where there are channels, 0 in the padding between them. `index` counts from the beginning of a pixel.
#[inline(always)]
unsafe fn without_padding<H: Simd>(slot: ImageSlot, index: usize, value: H::Vector) -> H::Vector {
    if slot.pixel == slot.channels {
        return value;
    }
    let there = slot.channels.saturating_sub(index % slot.pixel).min(HALF_LINE);
    // SAFETY: half a vector of the widest set is 8 elements.
    unsafe { H::multiply(value, H::load(ONES.as_ptr().add(HALF_LINE - there))) }
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
    /// Where the weights of a region's row begin.
    #[inline(always)]
    fn row(self, slot: ImageSlot, row: usize) -> usize {
        match self {
            Self::All => row * slot.width * slot.pixel,
            Self::Channels => 0,
        }
    }
}

/// Places that are normalized together: rows, and in each the columns from `column` on. The elements of a row stand
/// side by side.
#[derive(Clone)]
struct Region {
    rows: Range<usize>,
    column: usize,
    /// Elements of a row, padding included.
    len: usize,
}

/// The regions that are normalized by themselves.
#[inline(always)]
fn regions(weights: Weights, slot: ImageSlot) -> impl Iterator<Item = Region> {
    let count = match weights {
        Weights::All => 1,
        Weights::Channels => slot.height * slot.width,
    };
    (0..count).map(move |index| match weights {
        Weights::All => Region { rows: 0..slot.height, column: 0, len: slot.width * slot.pixel },
        Weights::Channels => {
            let (row, column) = (index / slot.width, index % slot.width);
            Region { rows: row..row + 1, column, len: slot.pixel }
        }
    })
}

/// What is summed over a region: two sums at a time.
///
/// A trait and no closure: a closure stays a function of its own, which is not compiled for the instruction set.
///
/// # Safety
/// The processor must have `H`, `row` and the vector at `index` must be the region's, and whatever pointers a term
/// holds must be good for the whole region.
trait Terms<H: Simd> {
    /// `sums` and the terms of the vector at `index` of a row.
    unsafe fn add(&self, row: usize, index: usize, sums: [H::Vector; 2]) -> [H::Vector; 2];
}

/// The sums over a region.
#[inline(always)]
unsafe fn sums<H: Simd>(region: &Region, terms: impl Terms<H>) -> [f32; 2] {
    // SAFETY: rows and indices are the region's, for which the caller vouches for the pointers in the terms.
    unsafe {
        let mut parts = [[H::splat(0.0); 4]; 2];
        for row in region.rows.clone() {
            let whole = region.len / LINE * LINE;
            for index in (0..whole).step_by(LINE) {
                for part in 0..LINE / H::LANES {
                    let sums = terms.add(row, index + part * H::LANES, [parts[0][part], parts[1][part]]);
                    (parts[0][part], parts[1][part]) = (sums[0], sums[1]);
                }
            }
            for part in 0..LINE / H::LANES {
                let index = whole + part * H::LANES;
                if index < region.len {
                    let sums = terms.add(row, index, [parts[0][part], parts[1][part]]);
                    (parts[0][part], parts[1][part]) = (sums[0], sums[1]);
                }
            }
        }
        [total::<H>(parts[0]), total::<H>(parts[1])]
    }
}

/// Elements of a slot, from a region's column on.
#[derive(Clone, Copy)]
struct Elements {
    slot: ImageSlot,
    slots: *const f32,
    column: usize,
}

impl Elements {
    #[inline(always)]
    unsafe fn at<H: Simd>(&self, row: usize, index: usize) -> H::Vector {
        // SAFETY: the maker vouches for the slots.
        unsafe { H::load(self.slots.add(self.slot.at(row, self.column) + index)) }
    }
}

/// The first sum is that of the elements.
impl<H: Simd> Terms<H> for Elements {
    #[inline(always)]
    unsafe fn add(&self, row: usize, index: usize, sums: [H::Vector; 2]) -> [H::Vector; 2] {
        // SAFETY: the maker's word.
        unsafe { [H::add(sums[0], self.at::<H>(row, index)), sums[1]] }
    }
}

/// The first sum is that of the squares of the elements' distances from their mean.
struct Squares<H: Simd> {
    elements: Elements,
    mean: H::Vector,
}

impl<H: Simd> Terms<H> for Squares<H> {
    #[inline(always)]
    unsafe fn add(&self, row: usize, index: usize, sums: [H::Vector; 2]) -> [H::Vector; 2] {
        // SAFETY: the maker's word.
        unsafe {
            let difference = H::subtract(self.elements.at::<H>(row, index), self.mean);
            let difference = without_padding::<H>(self.elements.slot, index, difference);
            [H::multiply_add(difference, difference, sums[0]), sums[1]]
        }
    }
}

/// A region's mean and `1/√(variance + epsilon)`, and where its numbers come from.
struct Normal<H: Simd> {
    elements: Elements,
    mean: H::Vector,
    reciprocal: H::Vector,
    count: f32,
}

impl<H: Simd> Normal<H> {
    #[inline(always)]
    unsafe fn new(slot: ImageSlot, region: &Region, slots: *const f32, epsilon: f32) -> Self {
        let count = (region.rows.len() * (region.len / slot.pixel) * slot.channels) as f32;
        let elements = Elements { slot, slots, column: region.column };
        // SAFETY: the caller vouches for the slots.
        unsafe {
            let [sum, _] = sums::<H>(region, elements);
            let mean = H::splat(sum / count);
            let [squares, _] = sums::<H>(region, Squares { elements, mean });
            let reciprocal = H::splat(1.0 / (squares / count + epsilon).sqrt());
            Self { elements, mean, reciprocal, count }
        }
    }

    /// `x̂`.
    #[inline(always)]
    unsafe fn at(&self, row: usize, index: usize) -> H::Vector {
        // SAFETY: the maker's word.
        unsafe { H::multiply(H::subtract(self.elements.at::<H>(row, index), self.mean), self.reciprocal) }
    }
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
        debug_assert_eq!(input.pixel, output.pixel, "a norm changes no layout");
        let normal = Normal::<H>::new(input, region, slots, norm.epsilon);
        for row in region.rows.clone() {
            let first = weights.row(input, row);
            let (weight, bias) = (parameters.add(norm.weight + first), parameters.add(norm.bias + first));
            let to = slots.add(output.at(row, region.column));
            for index in (0..region.len).step_by(H::LANES) {
                let (weight, bias) = (H::load(weight.add(index)), H::load(bias.add(index)));
                H::store(to.add(index), H::multiply_add(normal.at(row, index), weight, bias));
            }
        }
    }
}

/// `g = dy·weight` of a region.
struct Weighted<'a> {
    weights: Weights,
    norm: &'a LayerNorm,
    parameters: *const f32,
    d_output: Elements,
}

impl Weighted<'_> {
    #[inline(always)]
    unsafe fn at<H: Simd>(&self, row: usize, index: usize) -> H::Vector {
        // SAFETY: the maker vouches for the slots and the parameters: inside a row both stand side by side.
        unsafe {
            let first = self.norm.weight + self.weights.row(self.d_output.slot, row);
            H::multiply(self.d_output.at::<H>(row, index), H::load(self.parameters.add(first + index)))
        }
    }
}

/// The sums of `g` and of `g·x̂`.
struct Projections<'a, H: Simd> {
    weighted: &'a Weighted<'a>,
    normal: &'a Normal<H>,
}

impl<H: Simd> Terms<H> for Projections<'_, H> {
    #[inline(always)]
    unsafe fn add(&self, row: usize, index: usize, sums: [H::Vector; 2]) -> [H::Vector; 2] {
        // SAFETY: the makers' word.
        unsafe {
            let (g, normal) = (self.weighted.at::<H>(row, index), self.normal.at(row, index));
            [H::add(sums[0], g), H::multiply_add(g, normal, sums[1])]
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
        let d_output = Elements { slot: output, slots: d_slots, column: region.column };
        let weighted = Weighted { weights, norm, parameters, d_output };
        let [plain, along] = sums::<H>(region, Projections { weighted: &weighted, normal: &normal });
        let (plain, along) = (H::splat(plain / normal.count), H::splat(along / normal.count));
        for row in region.rows.clone() {
            let to = d_slots.add(input.at(row, region.column));
            for index in (0..region.len).step_by(H::LANES) {
                let difference = H::subtract(weighted.at::<H>(row, index), plain);
                let difference = H::subtract(difference, H::multiply(normal.at(row, index), along));
                let d_x = H::multiply(normal.reciprocal, difference);
                let d_x = without_padding::<H>(input, index, d_x);
                H::store(to.add(index), H::add(H::load(to.add(index)), d_x));
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
        let d_output = Elements { slot: output, slots: d_slots, column: region.column };
        for row in region.rows.clone() {
            let first = weights.row(input, row);
            let (d_weight, d_bias) = (gradient.add(norm.weight + first), gradient.add(norm.bias + first));
            for index in (0..region.len).step_by(H::LANES) {
                let (d_weight, d_bias) = (d_weight.add(index), d_bias.add(index));
                let (mut weight_sum, mut bias_sum) = (H::splat(0.0), H::splat(0.0));
                if goes_on {
                    (weight_sum, bias_sum) = (H::load(d_weight), H::load(d_bias));
                }
                let d_y = d_output.at::<H>(row, index);
                H::store(d_weight, H::multiply_add(d_y, normal.at(row, index), weight_sum));
                H::store(d_bias, H::add(bias_sum, d_y));
            }
        }
    }
}
