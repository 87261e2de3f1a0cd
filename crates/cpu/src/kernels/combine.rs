//! Steps that make one slot of two: sums and dueling heads.

use std::ops::Range;

use super::panels::{BackwardPass, Target};
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, Panels};
use crate::aligned::LINE;
use crate::program::PanelStep;

/// `output = first + second` over `len` elements, whole vectors of them.
#[inline(always)]
pub(super) unsafe fn add<S: Simd>([first, second]: [*const f32; 2], output: *mut f32, len: usize) {
    // SAFETY: the caller vouches for `len` elements at all places.
    unsafe {
        for place in (0..len).step_by(S::LANES) {
            let sum = S::add(S::load(first.add(place)), S::load(second.add(place)));
            S::store(output.add(place), sum);
        }
    }
}

/// The gradient of a sum goes to both of its parts.
#[inline(always)]
pub(super) unsafe fn add_backward<S: Simd>(pass: &BackwardPass<'_>, step: &PanelStep, worker: Worker<'_>) {
    let forward = &pass.forward;
    let features = forward.program.slots[step.output].features;
    // SAFETY: slots have `features` rows of `padded` elements.
    unsafe {
        let d_output = pass.d_slots.add(forward.offset(step.output));
        for target in [0, 1].into_iter().filter_map(|input| Target::new(pass, step, input)) {
            let mut panels = Panels::new(forward.rows_of(step));
            while let Some(panel) = panels.step::<S>() {
                let first = panel.start * (features + 1);
                let share = worker.share(features * panel.width, LINE);
                for place in (first + share.start..first + share.end).step_by(S::LANES) {
                    target.leave::<S>(place, S::load(d_output.add(place)));
                }
            }
        }
    }
}

/// `Q[a][z] = (V[z] − mean over a of A[a][z]) + A[a][z]` of one panel, for the atoms `share`. The mean adds the
/// actions first to last and divides by their number.
#[inline(always)]
pub(super) unsafe fn dueling<S: Simd>(
    [value, advantage]: [*const f32; 2],
    output: *mut f32,
    panel: Panel,
    (actions, atoms): (usize, usize),
    share: Range<usize>,
) {
    for atom in share {
        for vector in 0..panel.vectors {
            // SAFETY: the features are the panel's own.
            unsafe {
                let lane = vector * S::LANES;
                let at = |action: usize| (action * atoms + atom) * panel.width + lane;
                let mut sum = S::splat(0.0);
                for action in 0..actions {
                    sum = S::add(sum, S::load(advantage.add(at(action))));
                }
                let mean = S::divide(sum, S::splat(actions as f32));
                let base = S::subtract(S::load(value.add(atom * panel.width + lane)), mean);
                for action in 0..actions {
                    S::store(output.add(at(action)), S::add(base, S::load(advantage.add(at(action)))));
                }
            }
        }
    }
}

/// `dV[z] = Σ_a dQ[a][z]` and `dA[a][z] = dQ[a][z] − mean over a of dQ[a][z]`, actions first to last.
#[inline(always)]
pub(super) unsafe fn dueling_backward<S: Simd>(
    atoms: usize,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    let forward = &pass.forward;
    let slots = &forward.program.slots;
    let features = slots[step.output].features;
    let actions = features / atoms;
    // SAFETY: slots have their features' rows of `padded` elements.
    unsafe {
        let d_output = pass.d_slots.add(forward.offset(step.output));
        let [value, advantage] = [0, 1].map(|input| Target::new(pass, step, input));
        let mut panels = Panels::new(forward.rows_of(step));
        while let Some(panel) = panels.step::<S>() {
            let firsts =
                [step.output, step.inputs[0].slot].map(|slot| panel.start * (slots[slot].features + 1));
            for atom in worker.share(atoms, 1) {
                for lane in (0..panel.width).step_by(S::LANES) {
                    let at = |action: usize| firsts[0] + (action * atoms + atom) * panel.width + lane;
                    let mut sum = S::splat(0.0);
                    for action in 0..actions {
                        sum = S::add(sum, S::load(d_output.add(at(action))));
                    }
                    if let Some(value) = value {
                        value.leave::<S>(firsts[1] + atom * panel.width + lane, sum);
                    }
                    let mean = S::divide(sum, S::splat(actions as f32));
                    for action in 0..actions {
                        if let Some(advantage) = advantage {
                            let d = S::subtract(S::load(d_output.add(at(action))), mean);
                            advantage.leave::<S>(at(action), d);
                        }
                    }
                }
            }
        }
    }
}
