//! Vectors as numbers, so that the functions of `deepq_core::math` run on them.

use deepq_core::math::Number;

use super::simd::Simd;

/// A vector of the instruction set `S`.
///
/// Its functions are safe to call by [`Number`]'s word, but not everywhere: `S` must be there. So the type is
/// named in [`Operation`](super::dispatch::Operation)s alone, which run only where it is, and every function is
/// inlined into them.
pub(super) struct Lanes<S: Simd>(pub(super) S::Vector);

impl<S: Simd> Clone for Lanes<S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd> Copy for Lanes<S> {}

impl<S: Simd> Lanes<S> {
    /// # Safety
    /// The pointer must be good for a vector. It needs no alignment.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's word; the set is there, see `Lanes`.
        Self(unsafe { S::load(from) })
    }

    /// # Safety
    /// The pointer must be good for a vector. It needs no alignment.
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { S::store(to, self.0) }
    }
}

/// Functions from vectors to a vector.
macro_rules! operations {
    ($($name:ident($this:ident $(, $argument:ident)*);)*) => {$(
        #[inline(always)]
        fn $name($this $(, $argument: Self)*) -> Self {
            // SAFETY: the set is there, see `Lanes`; there are no pointers.
            Self(unsafe { S::$name($this.0 $(, $argument.0)*) })
        }
    )*};
}

impl<S: Simd> Number for Lanes<S> {
    type Mask = S::Mask;

    operations! {
        add(self, other);
        subtract(self, other);
        multiply(self, other);
        divide(self, other);
        multiply_add(self, factor, addend);
        square_root(self);
        negate(self);
        absolute(self);
        copy_sign(self, sign);
        round(self);
        scale_by_power_of_two(self, exponent);
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: as for the operations above.
        Self(unsafe { S::splat(value) })
    }

    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        // SAFETY: as above.
        let (mantissa, exponent) = unsafe { S::split_exponent(self.0) };
        (Self(mantissa), Self(exponent))
    }

    #[inline(always)]
    fn is_less(self, other: Self) -> S::Mask {
        // SAFETY: as above.
        unsafe { S::is_less(self.0, other.0) }
    }

    #[inline(always)]
    fn is_nan(self) -> S::Mask {
        // SAFETY: as above.
        unsafe { S::is_nan(self.0) }
    }

    #[inline(always)]
    fn select(mask: S::Mask, if_true: Self, if_false: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { S::select(mask, if_true.0, if_false.0) })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use deepq_core::RandomStream;
    use deepq_core::math::{self, LEAST_MANTISSA};

    use super::super::dispatch::{Code, Operation};
    use super::*;

    /// A function of three numbers, written once for vectors and for `f32`.
    trait Function: Copy + Debug {
        fn at<N: Number>(self, a: N, b: N, c: N) -> N;
    }

    struct Map<'a, F> {
        function: F,
        operands: [&'a [f32]; 3],
        results: &'a mut [f32],
    }

    impl<F: Function> Operation for Map<'_, F> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            let [a, b, c] = self.operands;
            for index in (0..self.results.len()).step_by(S::LANES) {
                // SAFETY: all slices have the same length, a multiple of 16.
                unsafe {
                    let load = |from: &[f32]| Lanes::<S>::load(from.as_ptr().add(index));
                    let result = self.function.at(load(a), load(b), load(c));
                    result.store(self.results.as_mut_ptr().add(index));
                }
            }
        }
    }

    /// Every set must give what `f32` gives: any NaN for NaN, else the same bits.
    fn compare<F: Function>(function: F, operands: [&[f32]; 3]) {
        let len = operands[0].len();
        assert!(len.is_multiple_of(16) && operands.iter().all(|slice| slice.len() == len));
        let [a, b, c] = operands;
        let expected: Vec<f32> = (0..len).map(|index| function.at(a[index], b[index], c[index])).collect();
        for code in Code::all() {
            let mut results = vec![0.0; len];
            // SAFETY: the slices were checked above, and `all` gives only what runs here.
            unsafe { code.run(Map { function, operands, results: &mut results }) };
            for (index, (result, expected)) in results.iter().zip(&expected).enumerate() {
                assert!(
                    result.to_bits() == expected.to_bits() || (result.is_nan() && expected.is_nan()),
                    "{function:?} of {}, {}, {} is {expected}, and {result} on {code:?}",
                    a[index],
                    b[index],
                    c[index],
                );
            }
        }
    }

    /// Numbers of every kind, among them what rounding and comparing must tell apart.
    fn operands() -> Vec<f32> {
        let mut values = vec![0.0, 0.5, 1.0, 1.5, 2.5, 8_388_607.5, 8_388_608.0, 1.0e-40, f32::INFINITY];
        values.extend([f32::MIN_POSITIVE, f32::MAX, f32::from_bits(1), 0.49999997, 16_777_217.0]);
        values.extend(values.clone().iter().map(|value| -value));
        values.extend([f32::NAN, -f32::NAN]);
        let mut stream = RandomStream::new(1, "test", 0);
        let any = stream.uniform_f32();
        values.extend((0..).map(|step: u32| f32::from_bits(step.wrapping_mul(0x9e37_79b1)) * any).take(98));
        values
    }

    /// All pairs of operands, and some third one to each.
    fn combinations() -> [Vec<f32>; 3] {
        let values: Vec<f32> = operands().into_iter().step_by(if cfg!(miri) { 7 } else { 1 }).collect();
        let mut all = [Vec::new(), Vec::new(), Vec::new()];
        for (row, a) in values.iter().enumerate() {
            for (column, b) in values.iter().enumerate() {
                all[0].push(*a);
                all[1].push(*b);
                all[2].push(values[(3 * row + 7 * column) % values.len()]);
            }
        }
        let padded = all[0].len().next_multiple_of(16);
        all.iter_mut().for_each(|values| values.resize(padded, 1.0));
        all
    }

    macro_rules! functions {
        ($($name:ident($a:ident, $b:ident, $c:ident) = $body:expr;)*) => {$(
            #[derive(Clone, Copy, Debug)]
            struct $name;

            impl Function for $name {
                #[inline(always)]
                fn at<N: Number>(self, $a: N, $b: N, $c: N) -> N {
                    $body
                }
            }
        )*};
    }

    functions! {
        Splat(_a, _b, _c) = N::splat(-1.25);
        Add(a, b, _c) = a.add(b);
        Subtract(a, b, _c) = a.subtract(b);
        Multiply(a, b, _c) = a.multiply(b);
        Divide(a, b, _c) = a.divide(b);
        MultiplyAdd(a, b, c) = a.multiply_add(b, c);
        SquareRoot(a, _b, _c) = a.square_root();
        Negate(a, _b, _c) = a.negate();
        Absolute(a, _b, _c) = a.absolute();
        CopySign(a, b, _c) = a.copy_sign(b);
        Round(a, _b, _c) = a.round();
        Scale(a, b, _c) = a.scale_by_power_of_two(b);
        Mantissa(a, _b, _c) = a.split_exponent().0;
        Exponent(a, _b, _c) = a.split_exponent().1;
        IsLess(a, b, c) = N::select(a.is_less(b), c, N::splat(-7.0));
        IsNan(a, b, c) = N::select(a.is_nan(), b, c);
        Exp(a, _b, _c) = math::exp(a);
        Ln(a, _b, _c) = math::ln(a);
        Sigmoid(a, _b, _c) = math::sigmoid(a);
        Silu(a, _b, _c) = math::silu(a);
        SiluDerivative(a, _b, _c) = math::silu_derivative(a);
        Tanh(a, _b, _c) = math::tanh(a);
        Erf(a, _b, _c) = math::erf(a);
        Gelu(a, _b, _c) = math::gelu(a);
        GeluDerivative(a, _b, _c) = math::gelu_derivative(a);
        CosPi(a, _b, _c) = math::cos_pi(a);
    }

    #[test]
    fn every_operation_gives_the_bits_of_f32() {
        let all = combinations();
        let operands = [&all[0][..], &all[1], &all[2]];
        compare(Splat, operands);
        compare(Add, operands);
        compare(Subtract, operands);
        compare(Multiply, operands);
        compare(Divide, operands);
        compare(MultiplyAdd, operands);
        compare(SquareRoot, operands);
        compare(Negate, operands);
        compare(Absolute, operands);
        compare(CopySign, operands);
        compare(Round, operands);
        compare(IsLess, operands);
        compare(IsNan, operands);
    }

    #[test]
    fn exponents_are_taken_apart_and_put_together() {
        let mut normal: Vec<f32> = operands().into_iter().map(f32::abs).filter(|x| x.is_normal()).collect();
        let root = LEAST_MANTISSA.to_bits();
        normal.extend([root - 1, root, root + 1].map(f32::from_bits));
        normal.extend([root - 1, root, root + 1].map(|bits| 2.0 * f32::from_bits(bits)));
        let zeros = vec![0.0; normal.len().next_multiple_of(16)];
        normal.resize(zeros.len(), 3.0);
        compare(Mantissa, [&normal, &zeros, &zeros]);
        compare(Exponent, [&normal, &zeros, &zeros]);

        let (mut numbers, mut exponents) = (Vec::new(), Vec::new());
        for value in &normal {
            let own = Number::split_exponent(*value).1;
            // From the least normal number to the greatest.
            for exponent in (-125..=126).step_by(23).chain([-125, 126]) {
                numbers.extend([*value, -value]);
                exponents.extend([exponent as f32 - own; 2]);
            }
        }
        let padded = numbers.len().next_multiple_of(16);
        numbers.resize(padded, 1.0);
        exponents.resize(padded, 1.0);
        compare(Scale, [&numbers, &exponents, &exponents]);
    }

    #[test]
    fn the_functions_of_core_give_the_bits_of_f32() {
        // Every kind of number of both signs and 256 of each power of two, an odd step apart.
        let step = if cfg!(miri) { 0x0200_0003 } else { 0x0001_0003 };
        let mut sweep: Vec<f32> = (0..=u32::MAX).step_by(step).map(f32::from_bits).collect();
        sweep.extend(operands().into_iter().step_by(if cfg!(miri) { 7 } else { 1 }));
        sweep.resize(sweep.len().next_multiple_of(16), 1.0);
        let operands = [&sweep[..]; 3];
        compare(Exp, operands);
        compare(Ln, operands);
        compare(Sigmoid, operands);
        compare(Silu, operands);
        compare(SiluDerivative, operands);
        compare(Tanh, operands);
        compare(Erf, operands);
        compare(Gelu, operands);
        compare(GeluDerivative, operands);
        compare(CosPi, operands);
    }
}
