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
pub(super) struct Code {
    instruction_set: InstructionSet,
}

impl Code {
    /// What runs everywhere.
    pub(super) const PORTABLE: Self = Self { instruction_set: InstructionSet::Portable };

    /// None where the processor has not got the instruction set.
    pub(super) fn new(instruction_set: InstructionSet) -> Option<Self> {
        instruction_set.is_supported().then_some(Self { instruction_set })
    }

    pub(super) fn instruction_set(self) -> InstructionSet {
        self.instruction_set
    }

    /// Elements of a vector.
    pub(super) fn lanes(self) -> usize {
        match self.instruction_set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => simd::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => simd::Avx2::LANES,
            _ => simd::Portable::LANES,
        }
    }

    /// # Safety
    /// The pointers inside `operation` must be good for its sizes.
    pub(super) unsafe fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: `new` made sure that the processor has the set; the pointers are the caller's word.
        unsafe {
            match self.instruction_set {
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 => run_avx512(operation),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 => run_avx2(operation),
                _ => run_portable(operation),
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

#[inline(never)]
unsafe fn run_portable<O: Operation>(operation: O) -> O::Output {
    // SAFETY: as above; plain Rust runs everywhere.
    unsafe { operation.run::<simd::Portable>() }
}
