//! Plain Rust.

use std::array::from_fn;

use deepq_core::math::Number;

use super::{Simd, TINY};

/// Elements of a vector: as many as the compiler makes one AVX2 register of, where it may.
const LANES: usize = 8;

/// Plain Rust, which the compiler makes vectors of where fused multiply-add is among the instructions that it
/// compiles for. Elsewhere each one is a call of a function that works it out in integers.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable;

/// Operations that are done element by element.
macro_rules! elementwise {
    ($($name:ident($($argument:ident),*) = $body:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($argument: [f32; LANES]),*) -> [f32; LANES] {
            from_fn(|lane| {
                $(let $argument = $argument[lane];)*
                $body
            })
        }
    )*};
}

impl Simd for Portable {
    type Vector = [f32; LANES];
    type Mask = [bool; LANES];
    type Half = Self;
    const LANES: usize = LANES;
    const MAX_VECTORS: usize = 2;

    const MAX_ROWS: [usize; 3] = [12, 6, 0];
    const MAX_STRIDED_ROWS: [usize; 3] = [12, 5, 0];

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        // SAFETY: good for a vector, by the trait's contract; arrays have the alignment of their element.
        unsafe { *from.cast::<[f32; LANES]>() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; LANES]) {
        // SAFETY: as for `load`.
        unsafe { *to.cast::<[f32; LANES]>() = value }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }

    elementwise! {
        multiply_add(a, b, c) = a.mul_add(b, c);
        add(a, b) = a + b;
        subtract(a, b) = a - b;
        multiply(a, b) = a * b;
        divide(a, b) = a / b;
        square_root(a) = a.sqrt();
        negate(a) = -a;
        absolute(a) = a.abs();
        copy_sign(a, sign) = a.copysign(sign);
        round(a) = a.round_ties_even();
        scale_by_power_of_two(a, exponent) = Number::scale_by_power_of_two(a, exponent);
        rectify(a) = if a < 0.0 { 0.0 } else { a };
        rectify_gradient(output, gradient) = if output <= 0.0 { 0.0 } else { gradient };
        flush(a) = if a.abs() < TINY { 0.0 } else { a };
    }

    #[inline(always)]
    unsafe fn split_exponent(a: [f32; LANES]) -> ([f32; LANES], [f32; LANES]) {
        let pairs = a.map(Number::split_exponent);
        (pairs.map(|pair| pair.0), pairs.map(|pair| pair.1))
    }

    #[inline(always)]
    unsafe fn is_less(a: [f32; LANES], b: [f32; LANES]) -> [bool; LANES] {
        from_fn(|lane| a[lane] < b[lane])
    }

    #[inline(always)]
    unsafe fn is_nan(a: [f32; LANES]) -> [bool; LANES] {
        a.map(f32::is_nan)
    }

    #[inline(always)]
    unsafe fn select(mask: [bool; LANES], if_true: [f32; LANES], if_false: [f32; LANES]) -> [f32; LANES] {
        from_fn(|lane| if mask[lane] { if_true[lane] } else { if_false[lane] })
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: rows and columns 0 to 7, which the caller vouches for.
        unsafe { transpose::<8>(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    unsafe fn transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: rows and columns 0 to 3, which the caller vouches for.
        unsafe { transpose::<4>(from, from_stride, to, to_stride) }
    }
}

#[inline(always)]
unsafe fn transpose<const SIZE: usize>(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    for row in 0..SIZE {
        for column in 0..SIZE {
            // SAFETY: the caller vouches for SIZE rows of SIZE elements on both sides.
            unsafe { *to.add(column * to_stride + row) = *from.add(row * from_stride + column) }
        }
    }
}
