//! What vectors do beyond [`Number`](deepq_core::math::Number)'s operations, on every instruction set. Those are
//! tested in `number`.

use super::super::dispatch::{Code, Operation};
use super::{Simd, TINY};

/// Numbers that comparing must tell apart.
const OPERANDS: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    TINY,
    -TINY,
    TINY * (1.0 - f32::EPSILON),
    -TINY * (1.0 - f32::EPSILON),
    1.0e-40,
    -1.0e-40,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::from_bits(0xffc0_1234),
    f32::MAX,
    -2.5,
];

/// The functions below for `a` and `b`: 16 results each.
struct Compared<'a> {
    a: &'a [f32; 16],
    b: &'a [f32; 16],
}

impl Operation for Compared<'_> {
    type Output = [[f32; 16]; 3];

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Self::Output {
        let mut results = [[0.0; 16]; 3];
        for index in (0..16).step_by(S::LANES) {
            // SAFETY: vectors divide 16.
            unsafe {
                let a = S::load(self.a.as_ptr().add(index));
                let b = S::load(self.b.as_ptr().add(index));
                let values = [S::rectify(a), S::rectify_gradient(a, b), S::flush(a)];
                for (row, value) in results.iter_mut().zip(values) {
                    S::store(row.as_mut_ptr().add(index), value);
                }
            }
        }
        results
    }
}

#[test]
fn comparisons_choose_the_element_that_their_definition_says() {
    let bits = |values: [f32; 3]| values.map(f32::to_bits);
    for code in Code::all() {
        for shift in 0..16 {
            let b: [f32; 16] = std::array::from_fn(|lane| OPERANDS[(lane + shift) % 16]);
            // SAFETY: there are no pointers, and `all` gives only what runs here.
            let results = unsafe { code.run(Compared { a: &OPERANDS, b: &b }) };
            for (lane, (a, b)) in OPERANDS.into_iter().zip(b).enumerate() {
                let expected = [
                    if a < 0.0 { 0.0 } else { a },
                    if a <= 0.0 { 0.0 } else { b },
                    if a.abs() < TINY { 0.0 } else { a },
                ];
                let found = results.map(|row| row[lane]);
                assert_eq!(bits(found), bits(expected), "of {a} and {b} on {code:?}: {found:?}");
            }
        }
    }
}

struct Transpose<'a, const SIZE: usize> {
    from: &'a [f32],
    to: &'a mut [f32],
    strides: (usize, usize),
}

impl<const SIZE: usize> Operation for Transpose<'_, SIZE> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
        // SAFETY: the test's slices hold SIZE rows of both strides.
        unsafe {
            match SIZE {
                8 => S::transpose_8x8(from, self.strides.0, to, self.strides.1),
                _ => S::transpose_4x4(from, self.strides.0, to, self.strides.1),
            }
        }
    }
}

fn transposes<const SIZE: usize>() {
    for code in Code::all() {
        for strides in [(SIZE, SIZE), (SIZE + 3, SIZE + 1)] {
            let from: Vec<f32> = (0..SIZE * strides.0).map(|index| index as f32 + 1.0).collect();
            let mut to = vec![0.0; SIZE * strides.1];
            // SAFETY: both slices hold SIZE rows of their stride, and `all` gives only what runs here.
            unsafe { code.run(Transpose::<SIZE> { from: &from, to: &mut to, strides }) };
            for (index, found) in to.iter().enumerate() {
                let (column, row) = (index / strides.1, index % strides.1);
                let expected = if row < SIZE { from[row * strides.0 + column] } else { 0.0 };
                assert_eq!(*found, expected, "element {index} of {SIZE}×{SIZE}, {strides:?}, {code:?}");
            }
        }
    }
}

#[test]
fn blocks_are_transposed_and_nothing_else_is_touched() {
    transposes::<4>();
    transposes::<8>();
}
