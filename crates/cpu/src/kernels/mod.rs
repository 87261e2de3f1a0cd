//! The inner loops, behind functions that check every size.
//!
//! This is the only module with `unsafe` code: vector intrinsics need it, and the loops go by pointers because
//! a bounds check in them would cost more than the arithmetic. Soundness rests on two things that are settled
//! here: a [`Kernels`] is only made for an instruction set that the processor has, and each of its functions
//! checks the lengths of its slices against the layers before it passes pointers on.
//!
//! The choice of the instruction set is made once an operation (a step of a pass, a stretch of the optimiser's):
//! everything below is inlined into one function compiled for that set.
#![allow(unsafe_code)]

mod activation;
mod combine;
mod dispatch;
mod edges;
mod elementwise;
mod embedding;
mod image;
mod layer_norm;
mod linear;
mod noise;
mod norm;
mod number;
mod panels;
mod passes;
mod peak;
mod rows;
mod simd;
mod spectral;
mod stretches;
mod team;
mod tiles;

pub(crate) use elementwise::{
    AdamStep, Decay, Formula, MOST_SLOTS, OptimizerStep, RmsPropStep, SgdStep, Stretch,
};
#[cfg(test)]
pub(crate) use norm::CHUNK;
pub(crate) use norm::partial_sums;
pub(crate) use passes::{Batch, ForwardRoom, TrainingRoom, Weights};
pub(crate) use team::Team;

use self::dispatch::{Code, Operation};
use crate::instruction_set::InstructionSet;

/// The kernels for one instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    code: Code,
}

impl Kernels {
    /// Those that run everywhere.
    pub(crate) const PORTABLE: Self = Self { code: Code::PORTABLE };

    /// None where the processor has not got the instruction set.
    pub(crate) fn new(instruction_set: InstructionSet) -> Option<Self> {
        Some(Self { code: Code::new(instruction_set)? })
    }

    pub(crate) fn instruction_set(&self) -> InstructionSet {
        self.code.instruction_set()
    }

    /// # Safety
    /// The pointers inside `operation` must be good for its sizes.
    unsafe fn run<O: Operation>(&self, operation: O) -> O::Output {
        // SAFETY: the caller's word.
        unsafe { self.code.run(operation) }
    }

    /// Does nothing but fused multiply-adds; gives the number of operations, and a number that depends on them.
    pub(crate) fn multiply_adds(&self, rounds: usize) -> (f64, f32) {
        // SAFETY: there are no pointers inside.
        unsafe { self.run(peak::MultiplyAdds { rounds }) }
    }
}
