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
