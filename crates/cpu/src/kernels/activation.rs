//! Functions of each element by itself, and their derivatives.

use deepq_core::math::{Number, gelu, gelu_derivative, silu, silu_derivative, tanh};

use super::number::Lanes;
use super::panels::{BackwardPass, Target};
use super::simd::Simd;
use super::team::Worker;
use crate::aligned::LINE;
use crate::program::{Activation, PanelStep};

/// `output = f(input)` over `len` elements, whole vectors of them.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(kind: Activation, input: *const f32, output: *mut f32, len: usize) {
    // SAFETY: the caller vouches for `len` elements on both sides.
    unsafe {
        for place in (0..len).step_by(S::LANES) {
            let x = Lanes::<S>::load(input.add(place));
            let y = match kind {
                Activation::Relu => Lanes(S::rectify(x.0)),
                Activation::LeakyRelu(slope) => {
                    let below = x.is_less(Lanes::splat(0.0));
                    Lanes::select(below, x.multiply(Lanes::splat(slope)), x)
                }
                Activation::Tanh => tanh(x),
                Activation::Silu => silu(x),
                Activation::Gelu => gelu(x),
            };
            y.store(output.add(place));
        }
    }
}

/// The derivative at `x`, where `f(x)` is `y`, times `d_y`.
#[inline(always)]
pub(super) unsafe fn derivative<S: Simd>(
    kind: Activation,
    x: Lanes<S>,
    y: Lanes<S>,
    d_y: Lanes<S>,
) -> Lanes<S> {
    match kind {
        // SAFETY: no pointers; the set is there.
        Activation::Relu => Lanes(unsafe { S::rectify_gradient(y.0, d_y.0) }),
        Activation::LeakyRelu(slope) => {
            let above = Lanes::<S>::splat(0.0).is_less(x);
            Lanes::select(above, d_y, d_y.multiply(Lanes::splat(slope)))
        }
        // 1 − y².
        Activation::Tanh => y.negate().multiply_add(y, Lanes::splat(1.0)).multiply(d_y),
        Activation::Silu => silu_derivative(x).multiply(d_y),
        Activation::Gelu => gelu_derivative(x).multiply(d_y),
    }
}

/// The gradient by the input of a step, over all rows.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(
    kind: Activation,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    // SAFETY: slots have `features` rows of `padded` elements, and a vector divides those.
    unsafe {
        let Some(target) = Target::new(pass, step, 0) else { return };
        let forward = &pass.forward;
        let slot = forward.program.slots[step.output];
        let x = forward.slots.add(forward.offset(step.inputs[0].slot));
        let y = forward.slots.add(forward.offset(step.output));
        let d_y = pass.d_slots.add(forward.offset(step.output));
        let mut panels = super::tiles::Panels::new(forward.rows_of(step));
        while let Some(panel) = panels.step::<S>() {
            let first = panel.start * (slot.features + 1);
            let share = worker.share(slot.features * panel.width, LINE);
            for place in (first + share.start..first + share.end).step_by(S::LANES) {
                let [x, y, d_y] = [x, y, d_y].map(|from| Lanes::<S>::load(from.add(place)));
                target.leave::<S>(place, derivative(kind, x, y, d_y).0);
            }
        }
    }
}
