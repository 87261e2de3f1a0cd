//! One vector of `f32`, on every instruction set.
//!
//! Every operation here is correctly rounded (IEEE 754), so that the same operations in the same order give the
//! same bits whatever the width of the vector. Only the sign and the payload of a NaN differ between processors.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::Neon;
pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Avx2, Avx512};

/// A vector of `f32` and what can be done with it.
///
/// # Safety
/// Every function may only run on a processor that has the instruction set, inlined into a function that was
/// compiled for it. Pointers must be good for [`LANES`](Self::LANES) elements; they need no alignment.
pub(super) trait Simd: Copy + 'static {
    /// The vector.
    type Vector: Copy;
    /// The answer to a question, one per element.
    type Mask: Copy;
    /// Elements of a vector. Divides 16.
    const LANES: usize;
    /// The widest tile, in vectors: a power of two.
    const MAX_VECTORS: usize;
    /// A set of half as many lanes that can be mixed with this one, for what is left over at an edge; or itself.
    type Half: Simd;
    /// The greatest numbers of rows of tiles of 1, 2 and 4 vectors whose sums stay in registers.
    const MAX_ROWS: [usize; 3];
    /// The same for tiles whose scalars stand a stride apart that is known only at run time.
    const MAX_STRIDED_ROWS: [usize; 3] = Self::MAX_ROWS;

    /// The greatest number of rows of a tile of so many vectors.
    #[inline(always)]
    fn max_rows(vectors: usize) -> usize {
        Self::MAX_ROWS[vectors / 2]
    }
    /// The same for tiles whose scalars stand a stride apart.
    #[inline(always)]
    fn max_strided_rows(vectors: usize) -> usize {
        Self::MAX_STRIDED_ROWS[vectors / 2]
    }

    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, value: Self::Vector);
    unsafe fn splat(value: f32) -> Self::Vector;
    /// `a · b + c`, rounded once.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn divide(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn square_root(a: Self::Vector) -> Self::Vector;
    /// The other sign bit, of NaN too.
    unsafe fn negate(a: Self::Vector) -> Self::Vector;
    /// The sign bit cleared, of NaN too.
    unsafe fn absolute(a: Self::Vector) -> Self::Vector;
    /// `a` with the sign bit of `sign`.
    unsafe fn copy_sign(a: Self::Vector, sign: Self::Vector) -> Self::Vector;
    /// The nearest whole number, of two the even one, with the sign of `a`.
    unsafe fn round(a: Self::Vector) -> Self::Vector;
    /// `a · 2^exponent`, for a whole `exponent` that is added to the bits of `a`'s exponent: right where `a` and
    /// the result are normal numbers.
    unsafe fn scale_by_power_of_two(a: Self::Vector, exponent: Self::Vector) -> Self::Vector;
    /// `(mantissa, exponent)`, as [`Number::split_exponent`](deepq_core::math::Number::split_exponent) has them:
    /// right where `a` is a positive normal number.
    unsafe fn split_exponent(a: Self::Vector) -> (Self::Vector, Self::Vector);
    /// Whether `a < b`: no, where one of them is NaN.
    unsafe fn is_less(a: Self::Vector, b: Self::Vector) -> Self::Mask;
    unsafe fn is_nan(a: Self::Vector) -> Self::Mask;
    /// `if_true` where the mask says yes, else `if_false`, to the bit.
    unsafe fn select(mask: Self::Mask, if_true: Self::Vector, if_false: Self::Vector) -> Self::Vector;
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

/// Where the exponent begins among the bits of an `f32`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const EXPONENT_SHIFT: u32 = f32::MANTISSA_DIGITS - 1;
