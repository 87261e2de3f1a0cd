//! Functions that are also compiled for processors with fused multiply-add.

/// Defines a function twice over and calls the one that this processor is best at.
///
/// A product and a sum that are rounded once are a call into a library where the compiler may not count on the
/// instruction for it, which programs that are to run on every x86-64 may not. Both give the same bits. What the
/// function calls is compiled with it only where it is `#[inline(always)]`.
macro_rules! fused {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body

            #[cfg(test)]
            if crate::math::fused_tests::PLAIN.get() {
                return plain($($argument),*);
            }

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn with_fused_multiply_add($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }

                if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: this processor has what the function is compiled for.
                    #[allow(unsafe_code)]
                    return unsafe { with_fused_multiply_add($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    )*};
}

pub(crate) use fused;

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use crate::RandomStream;
    use crate::math::{log_softmax, log_sum_exp, mean_of_softmax, softmax};

    thread_local! {
        /// Whether the functions run as on a processor without the instruction.
        pub(crate) static PLAIN: Cell<bool> = const { Cell::new(false) };
    }

    /// What `of` gives with the instruction, where this processor has it, and without it.
    pub(crate) fn both<T>(of: impl Fn() -> T) -> [T; 2] {
        [false, true].map(|plain| {
            PLAIN.set(plain);
            let result = of();
            PLAIN.set(false);
            result
        })
    }

    pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// Numbers of all sizes that occur, and some that do not.
    pub(crate) fn numbers(len: usize, seed: u64) -> Vec<f32> {
        let mut stream = RandomStream::new(seed, "fused", 0);
        let odd = [0.0, -0.0, 1e-30, -200.0, 100.0, f32::NEG_INFINITY];
        let number = |at: usize| match (at + seed as usize) % 7 {
            3 if seed % 2 == 1 => odd[at % odd.len()],
            _ => 4.0 * stream.normal_f32(),
        };
        (0..len).map(number).collect()
    }

    #[test]
    fn slices_have_the_same_bits_with_and_without_the_instruction() {
        for len in [1, 2, 15, 16, 17, 51, 200] {
            for seed in 0..20 {
                let (values, weights) = (numbers(len, seed), numbers(len, seed + 100));
                let changed = |change: fn(&mut [f32])| {
                    let mut values = values.clone();
                    change(&mut values);
                    bits(&values)
                };
                for [fused, plain] in [
                    both(|| changed(softmax)),
                    both(|| changed(log_softmax)),
                    both(|| bits(&[log_sum_exp(&values), mean_of_softmax(&values, &weights)])),
                ] {
                    assert_eq!(fused, plain, "{values:?}");
                }
            }
        }
    }
}
