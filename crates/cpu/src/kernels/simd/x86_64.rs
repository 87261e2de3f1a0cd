//! x86-64: AVX-512, and AVX2 with FMA.

use std::arch::x86_64::*;

use deepq_core::math::LEAST_MANTISSA;

use super::{EXPONENT_SHIFT, Simd, TINY};

/// As AVX2's shifts want it.
const SHIFT: i32 = EXPONENT_SHIFT as i32;

/// A vector's operations that are one intrinsic each.
macro_rules! intrinsics {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? = $body:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($argument: $kind),*) $(-> $result)? {
            // SAFETY: the trait's contract: the processor has the instruction, pointers are good for a vector.
            unsafe { $body }
        }
    )*};
}

/// AVX-512 (F, VL, BW, DQ): 16 lanes, 32 registers.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512;

impl Simd for Avx512 {
    type Vector = __m512;
    type Mask = __mmask16;
    type Half = Avx2;
    const LANES: usize = 16;
    const MAX_VECTORS: usize = 4;

    const MAX_ROWS: [usize; 3] = [12, 12, 6];

    intrinsics! {
        load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
        store(to: *mut f32, value: __m512) = _mm512_storeu_ps(to, value);
        splat(value: f32) -> __m512 = _mm512_set1_ps(value);
        multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        subtract(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        multiply(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        divide(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        square_root(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        negate(a: __m512) -> __m512 = _mm512_xor_ps(a, _mm512_set1_ps(-0.0));
        absolute(a: __m512) -> __m512 = _mm512_abs_ps(a);
        copy_sign(a: __m512, sign: __m512) -> __m512 = {
            let bit = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(bit, a), _mm512_and_ps(bit, sign))
        };
        round(a: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        scale_by_power_of_two(a: __m512, exponent: __m512) -> __m512 = {
            let exponent = _mm512_slli_epi32::<EXPONENT_SHIFT>(_mm512_cvttps_epi32(exponent));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), exponent))
        };
        split_exponent(a: __m512) -> (__m512, __m512) = {
            let least = _mm512_castps_si512(_mm512_set1_ps(LEAST_MANTISSA));
            let bits = _mm512_castps_si512(a);
            let exponent = _mm512_srai_epi32::<EXPONENT_SHIFT>(_mm512_sub_epi32(bits, least));
            let mantissa = _mm512_sub_epi32(bits, _mm512_slli_epi32::<EXPONENT_SHIFT>(exponent));
            (_mm512_castsi512_ps(mantissa), _mm512_cvtepi32_ps(exponent))
        };
        is_less(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        is_nan(a: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
        select(mask: __mmask16, if_true: __m512, if_false: __m512) -> __m512 = _mm512_mask_blend_ps(mask, if_false, if_true);
        rectify(a: __m512) -> __m512 = _mm512_max_ps(_mm512_setzero_ps(), a);
        rectify_gradient(output: __m512, gradient: __m512) -> __m512 = _mm512_maskz_mov_ps(
            _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(output, _mm512_setzero_ps()), gradient);
        flush(a: __m512) -> __m512 = _mm512_maskz_mov_ps(
            _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(a), _mm512_set1_ps(TINY)), a);
        transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) =
            transpose_8x8(from, from_stride, to, to_stride);
        transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) =
            transpose_4x4(from, from_stride, to, to_stride);
    }
}

/// AVX2 with FMA: 8 lanes, 16 registers.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2;

impl Simd for Avx2 {
    type Vector = __m256;
    type Mask = __m256;
    type Half = Self;
    const LANES: usize = 8;
    const MAX_VECTORS: usize = 2;

    const MAX_ROWS: [usize; 3] = [12, 6, 0];
    // With 6 rows of 2 vectors the compiler (LLVM 21) copies sums from register to register in every step, which
    // costs two thirds of the speed.
    const MAX_STRIDED_ROWS: [usize; 3] = [12, 5, 0];

    intrinsics! {
        load(from: *const f32) -> __m256 = _mm256_loadu_ps(from);
        store(to: *mut f32, value: __m256) = _mm256_storeu_ps(to, value);
        splat(value: f32) -> __m256 = _mm256_set1_ps(value);
        multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        subtract(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        multiply(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        divide(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        square_root(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        negate(a: __m256) -> __m256 = _mm256_xor_ps(a, _mm256_set1_ps(-0.0));
        absolute(a: __m256) -> __m256 = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        copy_sign(a: __m256, sign: __m256) -> __m256 = {
            let bit = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(bit, a), _mm256_and_ps(bit, sign))
        };
        round(a: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        scale_by_power_of_two(a: __m256, exponent: __m256) -> __m256 = {
            let exponent = _mm256_slli_epi32::<SHIFT>(_mm256_cvttps_epi32(exponent));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), exponent))
        };
        split_exponent(a: __m256) -> (__m256, __m256) = {
            let least = _mm256_castps_si256(_mm256_set1_ps(LEAST_MANTISSA));
            let bits = _mm256_castps_si256(a);
            let exponent = _mm256_srai_epi32::<SHIFT>(_mm256_sub_epi32(bits, least));
            let mantissa = _mm256_sub_epi32(bits, _mm256_slli_epi32::<SHIFT>(exponent));
            (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(exponent))
        };
        is_less(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        is_nan(a: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
        select(mask: __m256, if_true: __m256, if_false: __m256) -> __m256 = _mm256_blendv_ps(if_false, if_true, mask);
        rectify(a: __m256) -> __m256 = _mm256_max_ps(_mm256_setzero_ps(), a);
        rectify_gradient(output: __m256, gradient: __m256) -> __m256 = _mm256_and_ps(
            _mm256_cmp_ps::<_CMP_NLE_UQ>(output, _mm256_setzero_ps()), gradient);
        flush(a: __m256) -> __m256 = _mm256_and_ps(
            _mm256_cmp_ps::<_CMP_NLT_UQ>(
                _mm256_andnot_ps(_mm256_set1_ps(-0.0), a), _mm256_set1_ps(TINY)), a);
        transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) =
            transpose_8x8(from, from_stride, to, to_stride);
        transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) =
            transpose_4x4(from, from_stride, to, to_stride);
    }
}

#[inline(always)]
unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the contract of `Simd::transpose_8x8`: AVX is there, 8 rows of 8 elements on both sides.
    unsafe {
        let (r0, r1) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(from_stride)));
        let from = from.add(2 * from_stride);
        let (r2, r3) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(from_stride)));
        let from = from.add(2 * from_stride);
        let (r4, r5) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(from_stride)));
        let from = from.add(2 * from_stride);
        let (r6, r7) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(from_stride)));
        let (a0, a1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
        let (a2, a3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
        let (a4, a5) = (_mm256_unpacklo_ps(r4, r5), _mm256_unpackhi_ps(r4, r5));
        let (a6, a7) = (_mm256_unpacklo_ps(r6, r7), _mm256_unpackhi_ps(r6, r7));
        let (b0, b1) = (_mm256_shuffle_ps::<0x44>(a0, a2), _mm256_shuffle_ps::<0xEE>(a0, a2));
        let (b2, b3) = (_mm256_shuffle_ps::<0x44>(a1, a3), _mm256_shuffle_ps::<0xEE>(a1, a3));
        let (b4, b5) = (_mm256_shuffle_ps::<0x44>(a4, a6), _mm256_shuffle_ps::<0xEE>(a4, a6));
        let (b6, b7) = (_mm256_shuffle_ps::<0x44>(a5, a7), _mm256_shuffle_ps::<0xEE>(a5, a7));
        _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(b0, b4));
        _mm256_storeu_ps(to.add(to_stride), _mm256_permute2f128_ps::<0x20>(b1, b5));
        _mm256_storeu_ps(to.add(2 * to_stride), _mm256_permute2f128_ps::<0x20>(b2, b6));
        _mm256_storeu_ps(to.add(3 * to_stride), _mm256_permute2f128_ps::<0x20>(b3, b7));
        _mm256_storeu_ps(to.add(4 * to_stride), _mm256_permute2f128_ps::<0x31>(b0, b4));
        _mm256_storeu_ps(to.add(5 * to_stride), _mm256_permute2f128_ps::<0x31>(b1, b5));
        _mm256_storeu_ps(to.add(6 * to_stride), _mm256_permute2f128_ps::<0x31>(b2, b6));
        _mm256_storeu_ps(to.add(7 * to_stride), _mm256_permute2f128_ps::<0x31>(b3, b7));
    }
}

#[inline(always)]
unsafe fn transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the contract of `Simd::transpose_4x4`: 4 rows of 4 elements on both sides.
    unsafe {
        let mut r0 = _mm_loadu_ps(from);
        let mut r1 = _mm_loadu_ps(from.add(from_stride));
        let mut r2 = _mm_loadu_ps(from.add(2 * from_stride));
        let mut r3 = _mm_loadu_ps(from.add(3 * from_stride));
        _MM_TRANSPOSE4_PS(&mut r0, &mut r1, &mut r2, &mut r3);
        _mm_storeu_ps(to, r0);
        _mm_storeu_ps(to.add(to_stride), r1);
        _mm_storeu_ps(to.add(2 * to_stride), r2);
        _mm_storeu_ps(to.add(3 * to_stride), r3);
    }
}
