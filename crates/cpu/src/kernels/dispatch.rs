//! From an instruction set that is known at run time to code that was compiled for it.

use super::simd::{self, Simd};
use crate::instruction_set::InstructionSet;

/// Something to be compiled for every instruction set.
pub(super) trait Operation {
    type Output;

    /// # Safety
    /// The processor must have `S`, and the pointers inside must be good for the sizes inside.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Code for one instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Plain Rust, compiled for a processor that has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    PortableFma,
    /// Plain Rust, compiled for every processor.
    Portable,
}

impl Code {
    /// What runs everywhere.
    pub(super) const PORTABLE: Self = Self::Portable;

    /// None where the processor has not got the instruction set.
    pub(super) fn new(instruction_set: InstructionSet) -> Option<Self> {
        if !instruction_set.is_supported() {
            return None;
        }
        match instruction_set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => Some(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => Some(Self::Avx2),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => Some(Self::Neon),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Portable if InstructionSet::Avx2.is_supported() => Some(Self::PortableFma),
            InstructionSet::Portable => Some(Self::Portable),
            // A set of another architecture.
            _ => None,
        }
    }

    /// All that runs here, the base compilation of plain Rust included.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all: Vec<_> = InstructionSet::supported().into_iter().filter_map(Self::new).collect();
        if !all.contains(&Self::PORTABLE) {
            all.push(Self::PORTABLE);
        }
        all
    }

    pub(super) fn instruction_set(self) -> InstructionSet {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => InstructionSet::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => InstructionSet::Avx2,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => InstructionSet::Neon,
            #[cfg(target_arch = "x86_64")]
            Self::PortableFma => InstructionSet::Portable,
            Self::Portable => InstructionSet::Portable,
        }
    }

    /// Elements of a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => simd::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => simd::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => simd::Neon::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::PortableFma => simd::Portable::LANES,
            Self::Portable => simd::Portable::LANES,
        }
    }

    /// # Safety
    /// The pointers inside `operation` must be good for its sizes. And this must be what [`new`](Self::new) has
    /// given, or [`PORTABLE`](Self::PORTABLE), so that the processor has the set.
    pub(super) unsafe fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: the caller's word.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => run_avx512(operation),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => run_avx2(operation),
                #[cfg(target_arch = "aarch64")]
                Self::Neon => run_neon(operation),
                #[cfg(target_arch = "x86_64")]
                Self::PortableFma => run_portable_fma(operation),
                Self::Portable => run_portable(operation),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
#[inline(never)]
unsafe fn run_avx512<O: Operation>(operation: O) -> O::Output {
    // SAFETY: the caller's word for the pointers; this function is compiled for the set.
    unsafe { operation.run::<simd::Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn run_avx2<O: Operation>(operation: O) -> O::Output {
    // SAFETY: as above.
    unsafe { operation.run::<simd::Avx2>() }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
#[inline(never)]
unsafe fn run_neon<O: Operation>(operation: O) -> O::Output {
    // SAFETY: as above.
    unsafe { operation.run::<simd::Neon>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn run_portable_fma<O: Operation>(operation: O) -> O::Output {
    // SAFETY: as above; plain Rust needs no set.
    unsafe { operation.run::<simd::Portable>() }
}

#[inline(never)]
unsafe fn run_portable<O: Operation>(operation: O) -> O::Output {
    // SAFETY: as above.
    unsafe { operation.run::<simd::Portable>() }
}
