//! One vector of `f32`, on every instruction set.
//!
//! Every operation here is correctly rounded (IEEE 754), so that the same operations in the same order give the
//! same bits whatever the width of the vector.

/// A vector of `f32` and what can be done with it.
///
/// # Safety
/// Every function may only run on a processor that has the instruction set, inlined into a function that was
/// compiled for it. Pointers must be good for [`LANES`](Self::LANES) elements; they need no alignment.
pub(super) trait Simd: Copy + 'static {
    /// The vector.
    type Vector: Copy;
    /// Elements of a vector. Divides 16.
    const LANES: usize;
    /// The widest tile, in vectors: a power of two.
    const MAX_VECTORS: usize;
    /// A set of half as many lanes that can be mixed with this one, for what is left over at an edge; or itself.
    type Half: Simd;
    /// The greatest number of rows of a tile `vectors` wide whose sums stay in registers.
    fn max_rows(vectors: usize) -> usize;
    /// The same for tiles whose scalars stand a stride apart that is known only at run time.
    #[inline(always)]
    fn max_strided_rows(vectors: usize) -> usize {
        Self::max_rows(vectors)
    }

    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, value: Self::Vector);
    unsafe fn splat(value: f32) -> Self::Vector;
    /// `a · b + c`, rounded once.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn divide(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn square_root(a: Self::Vector) -> Self::Vector;
    /// ReLU: 0 where the element is below 0, else the element. So NaN stays NaN and −0 stays −0.
    unsafe fn rectify(a: Self::Vector) -> Self::Vector;
    /// ReLU's derivative times `gradient`: 0 where `output` is at most 0, else `gradient`.
    unsafe fn rectify_gradient(output: Self::Vector, gradient: Self::Vector) -> Self::Vector;
    /// 0 where the element is nearer to 0 than [`TINY`], else the element. NaN stays NaN.
    unsafe fn flush(a: Self::Vector) -> Self::Vector;
    /// Eight rows of eight elements, `from_stride` apart, become columns.
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);
    /// Four rows of four elements, `from_stride` apart, become columns.
    unsafe fn transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);
}

/// Below this, 2⁻¹⁰⁰, a running mean counts as 0: see [`Simd::flush`] and where it is used.
pub(super) const TINY: f32 = f32::from_bits((127 - 100) << 23);

/// Plain Rust. On processors where fused multiply-add is part of the base instruction set (AArch64) the
/// compiler makes vectors of it.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    type Vector = [f32; 4];
    type Half = Self;
    const LANES: usize = 4;
    const MAX_VECTORS: usize = 4;

    #[inline(always)]
    fn max_rows(vectors: usize) -> usize {
        if vectors == 4 { 6 } else { 8 }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: good for 4 elements, by the trait's contract; arrays have the alignment of their element.
        unsafe { *from.cast::<[f32; 4]>() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 4]) {
        // SAFETY: as for `load`.
        unsafe { *to.cast::<[f32; 4]>() = value }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    unsafe fn subtract(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    unsafe fn multiply(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn divide(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane] / b[lane])
    }
    #[inline(always)]
    unsafe fn square_root(a: [f32; 4]) -> [f32; 4] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    unsafe fn rectify(a: [f32; 4]) -> [f32; 4] {
        a.map(|a| if a < 0.0 { 0.0 } else { a })
    }
    #[inline(always)]
    unsafe fn rectify_gradient(output: [f32; 4], gradient: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| if output[lane] <= 0.0 { 0.0 } else { gradient[lane] })
    }
    #[inline(always)]
    unsafe fn flush(a: [f32; 4]) -> [f32; 4] {
        a.map(|a| if a.abs() < TINY { 0.0 } else { a })
    }
    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the four quarters of the 8×8 elements that the caller vouches for.
        unsafe {
            for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
                let (from, to) = (from.add(row * from_stride + column), to.add(column * to_stride + row));
                Self::transpose_4x4(from, from_stride, to, to_stride);
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose_4x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: rows and columns 0 to 3, which the caller vouches for.
        unsafe {
            for row in 0..4 {
                for column in 0..4 {
                    *to.add(column * to_stride + row) = *from.add(row * from_stride + column);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{Simd, TINY};

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
        type Half = Avx2;
        const LANES: usize = 16;
        const MAX_VECTORS: usize = 4;

        #[inline(always)]
        fn max_rows(vectors: usize) -> usize {
            match vectors {
                4 => 6,
                2 => 12,
                _ => 12,
            }
        }

        intrinsics! {
            load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
            store(to: *mut f32, value: __m512) = _mm512_storeu_ps(to, value);
            splat(value: f32) -> __m512 = _mm512_set1_ps(value);
            multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
            subtract(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
            multiply(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
            divide(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
            square_root(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
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
        type Half = Self;
        const LANES: usize = 8;
        const MAX_VECTORS: usize = 2;

        #[inline(always)]
        fn max_rows(vectors: usize) -> usize {
            if vectors == 2 { 6 } else { 12 }
        }

        #[inline(always)]
        fn max_strided_rows(vectors: usize) -> usize {
            // With 6 rows of 2 vectors the compiler (LLVM 21) copies sums from register to register in every
            // step, which costs two thirds of the speed.
            if vectors == 2 { 5 } else { 12 }
        }

        intrinsics! {
            load(from: *const f32) -> __m256 = _mm256_loadu_ps(from);
            store(to: *mut f32, value: __m256) = _mm256_storeu_ps(to, value);
            splat(value: f32) -> __m256 = _mm256_set1_ps(value);
            multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
            subtract(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
            multiply(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
            divide(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
            square_root(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
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
}
