//! What the functions of this module ask of a number.

/// A number, or several side by side that are computed with alike.
///
/// Every operation gives, element by element, the same bits as `f32` gives here: arithmetic is rounded once, to
/// the nearest, ties to even, and keeps subnormal numbers. Only the sign and the payload of a NaN may differ
/// between processors; the functions of this module never return such a NaN, but always [`f32::NAN`].
///
/// There is no least and no greatest of two numbers, because processors do not agree on NaN and ±0:
/// [`is_less`](Self::is_less) and [`select`](Self::select) say what is meant.
pub trait Number: Copy {
    /// The answer to a question: one per element.
    type Mask: Copy;

    /// `value` in every element.
    fn splat(value: f32) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn subtract(self, other: Self) -> Self;
    /// `self · other`.
    fn multiply(self, other: Self) -> Self;
    /// `self / other`.
    fn divide(self, other: Self) -> Self;
    /// `self · factor + addend`, rounded once.
    fn multiply_add(self, factor: Self, addend: Self) -> Self;
    /// `√self`.
    fn square_root(self) -> Self;
    /// `−self`: the other sign bit.
    fn negate(self) -> Self;
    /// `|self|`: the sign bit cleared.
    fn absolute(self) -> Self;
    /// `self` with the sign bit of `sign`.
    fn copy_sign(self, sign: Self) -> Self;
    /// The nearest whole number, of two the even one. Numbers from 2²³ on are whole; ±0, ±∞ and the sign stay.
    fn round(self) -> Self;
    /// `self · 2^exponent`, for an `exponent` that is whole.
    ///
    /// Right where `self` and the result are both normal numbers, whether 2^exponent is one or not: adding
    /// `exponent` to the bits of the exponent does it, and so does an instruction for the whole range. Elsewhere
    /// (zero, subnormal, infinite, NaN, or an exponent not whole) the result is anything, and nothing traps.
    fn scale_by_power_of_two(self, exponent: Self) -> Self;
    /// `(mantissa, exponent)` with `mantissa · 2^exponent = self` exactly, exponent whole, and mantissa at least
    /// [`LEAST_MANTISSA`] and below twice that: about √½ to √2.
    ///
    /// Right where `self` is a positive normal number. Elsewhere both are anything, and nothing traps.
    fn split_exponent(self) -> (Self, Self);
    /// Whether `self < other`: no, where one of them is NaN.
    fn is_less(self, other: Self) -> Self::Mask;
    /// Whether `self` is NaN.
    fn is_nan(self) -> Self::Mask;
    /// `if_true` where the mask says yes, else `if_false`, to the bit.
    fn select(mask: Self::Mask, if_true: Self, if_false: Self) -> Self;
}

/// The least mantissa of [`Number::split_exponent`], the `f32` next below √½.
pub const LEAST_MANTISSA: f32 = f32::from_bits(LEAST_MANTISSA_BITS);

const LEAST_MANTISSA_BITS: u32 = 0x3f35_04f3;
const MANTISSA_WIDTH: u32 = f32::MANTISSA_DIGITS - 1;

impl Number for f32 {
    type Mask = bool;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn subtract(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    fn divide(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    fn multiply_add(self, factor: Self, addend: Self) -> Self {
        self.mul_add(factor, addend)
    }
    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn negate(self) -> Self {
        -self
    }
    #[inline(always)]
    fn absolute(self) -> Self {
        self.abs()
    }
    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        self.copysign(sign)
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.round_ties_even()
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, exponent: Self) -> Self {
        Self::from_bits(self.to_bits().wrapping_add((exponent as i32 as u32) << MANTISSA_WIDTH))
    }
    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        let exponent = (self.to_bits().wrapping_sub(LEAST_MANTISSA_BITS) as i32) >> MANTISSA_WIDTH;
        let mantissa = self.to_bits().wrapping_sub((exponent as u32) << MANTISSA_WIDTH);
        (Self::from_bits(mantissa), exponent as f32)
    }
    #[inline(always)]
    fn is_less(self, other: Self) -> bool {
        self < other
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    #[inline(always)]
    fn select(mask: bool, if_true: Self, if_false: Self) -> Self {
        if mask { if_true } else { if_false }
    }
}
