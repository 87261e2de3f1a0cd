//! AArch64: NEON.

use std::arch::aarch64::*;

use deepq_core::math::LEAST_MANTISSA;

use super::{EXPONENT_SHIFT, Simd, TINY};

const SHIFT: i32 = EXPONENT_SHIFT as i32;

/// NEON: 4 lanes, 32 registers.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon;

/// A vector's operations that are a few intrinsics each.
macro_rules! intrinsics {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? = $body:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($argument: $kind),*) $(-> $result)? {
            // SAFETY: the trait's contract: the processor has the instruction, pointers are good for a vector.
            unsafe { $body }
        }
    )*};
}

impl Simd for Neon {
    type Vector = float32x4_t;
    type Mask = uint32x4_t;
    type Half = Self;
    const LANES: usize = 4;
    const MAX_VECTORS: usize = 4;

    const MAX_ROWS: [usize; 3] = [12, 12, 6];

    intrinsics! {
        load(from: *const f32) -> float32x4_t = vld1q_f32(from);
        store(to: *mut f32, value: float32x4_t) = vst1q_f32(to, value);
        splat(value: f32) -> float32x4_t = vdupq_n_f32(value);
        multiply_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = vfmaq_f32(c, a, b);
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32(a, b);
        subtract(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32(a, b);
        multiply(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32(a, b);
        divide(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32(a, b);
        square_root(a: float32x4_t) -> float32x4_t = vsqrtq_f32(a);
        negate(a: float32x4_t) -> float32x4_t = vnegq_f32(a);
        absolute(a: float32x4_t) -> float32x4_t = vabsq_f32(a);
        copy_sign(a: float32x4_t, sign: float32x4_t) -> float32x4_t =
            vbslq_f32(vdupq_n_u32(1 << 31), sign, a);
        round(a: float32x4_t) -> float32x4_t = vrndnq_f32(a);
        scale_by_power_of_two(a: float32x4_t, exponent: float32x4_t) -> float32x4_t = {
            let exponent = vshlq_n_s32::<SHIFT>(vcvtq_s32_f32(exponent));
            vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), exponent))
        };
        split_exponent(a: float32x4_t) -> (float32x4_t, float32x4_t) = {
            let least = vreinterpretq_s32_f32(vdupq_n_f32(LEAST_MANTISSA));
            let bits = vreinterpretq_s32_f32(a);
            let exponent = vshrq_n_s32::<SHIFT>(vsubq_s32(bits, least));
            let mantissa = vsubq_s32(bits, vshlq_n_s32::<SHIFT>(exponent));
            (vreinterpretq_f32_s32(mantissa), vcvtq_f32_s32(exponent))
        };
        is_less(a: float32x4_t, b: float32x4_t) -> uint32x4_t = vcltq_f32(a, b);
        is_nan(a: float32x4_t) -> uint32x4_t = vmvnq_u32(vceqq_f32(a, a));
        select(mask: uint32x4_t, if_true: float32x4_t, if_false: float32x4_t) -> float32x4_t =
            vbslq_f32(mask, if_true, if_false);
        rectify(a: float32x4_t) -> float32x4_t = clear(vcltzq_f32(a), a);
        rectify_gradient(output: float32x4_t, gradient: float32x4_t) -> float32x4_t =
            clear(vclezq_f32(output), gradient);
        flush(a: float32x4_t) -> float32x4_t = clear(vcaltq_f32(a, vdupq_n_f32(TINY)), a);
        transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) = {
            for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
                let (from, to) = (from.add(row * from_stride + column), to.add(column * to_stride + row));
                Self::transpose_4x4(from, from_stride, to, to_stride);
            }
        };
        transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) = {
            let (r0, r1) = (vld1q_f32(from), vld1q_f32(from.add(from_stride)));
            let from = from.add(2 * from_stride);
            let (r2, r3) = (vld1q_f32(from), vld1q_f32(from.add(from_stride)));
            // Pairs of columns 0 and 2, then of 1 and 3.
            let even = (vtrn1q_f32(r0, r1), vtrn1q_f32(r2, r3));
            let odd = (vtrn2q_f32(r0, r1), vtrn2q_f32(r2, r3));
            vst1q_f32(to, vcombine_f32(vget_low_f32(even.0), vget_low_f32(even.1)));
            vst1q_f32(to.add(to_stride), vcombine_f32(vget_low_f32(odd.0), vget_low_f32(odd.1)));
            let to = to.add(2 * to_stride);
            vst1q_f32(to, vcombine_f32(vget_high_f32(even.0), vget_high_f32(even.1)));
            vst1q_f32(to.add(to_stride), vcombine_f32(vget_high_f32(odd.0), vget_high_f32(odd.1)));
        };
    }
}

/// 0 where the mask says yes, else the element.
#[inline(always)]
unsafe fn clear(mask: uint32x4_t, a: float32x4_t) -> float32x4_t {
    // SAFETY: `Simd`'s contract: the processor has the instruction.
    unsafe { vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), mask)) }
}
