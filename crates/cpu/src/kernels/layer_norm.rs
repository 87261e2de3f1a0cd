//! Layer norm over panels: each row (one lane) by itself, features first to last.
//!
//! With `n` features, mean `μ = Σx/n`, `v = Σ(x−μ)²/n`, `r = 1/√(v + epsilon)` and `x̂ = (x−μ)·r`:
//! `y = x̂·weight + bias`, and backwards with `g = dy·weight`
//! `dx = r·(g − Σg/n − x̂·Σ(g·x̂)/n)`, `d weight = Σ dy·x̂`, `d bias = Σ dy` over the rows.
//!
//! The sums over rows run in 16 parts, by the number of the row modulo 16, whatever the width of a vector.

use std::ops::Range;

use super::panels::{BackwardPass, Target};
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, Panels};
use crate::aligned::LINE;
use crate::program::{LayerNorm, PanelStep};

/// Mean and `1/√(variance + epsilon)` of the lanes of one vector.
#[derive(Clone, Copy)]
struct Statistics<S: Simd> {
    mean: S::Vector,
    reciprocal: S::Vector,
}

impl<S: Simd> Statistics<S> {
    /// Of `features` vectors, `width` elements apart.
    #[inline(always)]
    unsafe fn of(x: *const f32, features: usize, width: usize, epsilon: f32) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let (mut sum, count) = (S::splat(0.0), S::splat(features as f32));
            for feature in 0..features {
                sum = S::add(sum, S::load(x.add(feature * width)));
            }
            let mean = S::divide(sum, count);
            let mut squares = S::splat(0.0);
            for feature in 0..features {
                let difference = S::subtract(S::load(x.add(feature * width)), mean);
                squares = S::multiply_add(difference, difference, squares);
            }
            let root = S::square_root(S::add(S::divide(squares, count), S::splat(epsilon)));
            Self { mean, reciprocal: S::divide(S::splat(1.0), root) }
        }
    }

    /// `x̂`.
    #[inline(always)]
    unsafe fn normalize(&self, x: S::Vector) -> S::Vector {
        // SAFETY: no pointers.
        unsafe { S::multiply(S::subtract(x, self.mean), self.reciprocal) }
    }
}

/// The features `share` of one panel.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(
    norm: &LayerNorm,
    parameters: *const f32,
    input: *const f32,
    output: *mut f32,
    (panel, features): (Panel, usize),
    share: Range<usize>,
) {
    for lane in (0..panel.width).step_by(S::LANES) {
        // SAFETY: the caller vouches for the panel and the parameters.
        unsafe {
            let statistics = Statistics::<S>::of(input.add(lane), features, panel.width, norm.epsilon);
            for feature in share.clone() {
                let place = feature * panel.width + lane;
                let normal = statistics.normalize(S::load(input.add(place)));
                let weight = S::splat(*parameters.add(norm.weight + feature));
                let bias = S::splat(*parameters.add(norm.bias + feature));
                S::store(output.add(place), S::multiply_add(normal, weight, bias));
            }
        }
    }
}

/// Works out mean and reciprocal of all rows. They are kept in the row behind the features of the gradients by
/// the step's output and by its input, which nobody else uses.
#[inline(always)]
pub(super) unsafe fn prepare<S: Simd>(
    norm: &LayerNorm,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    let forward = &pass.forward;
    let features = forward.program.slots[step.output].features;
    let mut panels = Panels::new(forward.rows_of(step));
    while let Some(panel) = panels.step::<S>() {
        // SAFETY: the panels are inside the slots, which have a row more than features.
        unsafe {
            let begin = panel.start * (features + 1);
            let x = forward.slots.add(forward.offset(step.inputs[0].slot) + begin);
            let [means, reciprocals] = kept(pass, step, features, panel);
            for lane in worker.share(panel.width, S::LANES).step_by(S::LANES) {
                let statistics = Statistics::<S>::of(x.add(lane), features, panel.width, norm.epsilon);
                S::store(means.add(lane), statistics.mean);
                S::store(reciprocals.add(lane), statistics.reciprocal);
            }
            // Lanes without a row must add nothing to the sums over rows.
            for lane in worker.share(panel.width, S::LANES).filter(|lane| *lane >= panel.samples) {
                *reciprocals.add(lane) = 0.0;
            }
        }
    }
}

/// Where mean and reciprocal of a panel are kept.
#[inline(always)]
unsafe fn kept(pass: &BackwardPass<'_>, step: &PanelStep, features: usize, panel: Panel) -> [*mut f32; 2] {
    let place = panel.start * (features + 1) + features * panel.width;
    // SAFETY: the row behind the last feature.
    [step.output, step.inputs[0].slot]
        .map(|slot| unsafe { pass.d_slots.add(pass.forward.offset(slot) + place) })
}

/// The gradients by the parameters and by the input.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(
    norm: &LayerNorm,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    // SAFETY: the pass's maker vouches for the buffers.
    unsafe {
        parameters_gradient::<S>(norm, pass, step, worker);
        if let Some(target) = Target::new(pass, step, 0) {
            input_gradient::<S>(norm, pass, step, worker, target);
        }
    }
}

#[inline(always)]
unsafe fn parameters_gradient<S: Simd>(
    norm: &LayerNorm,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    let forward = &pass.forward;
    let features = forward.program.slots[step.output].features;
    for feature in worker.share(features, 1) {
        // SAFETY: the pass's maker vouches for the buffers.
        unsafe {
            // Room for the narrowest vector; a wider one leaves the rest as it is.
            let mut sums = [[S::splat(0.0); 4]; 2];
            let mut panels = Panels::new(forward.rows_of(step));
            while let Some(panel) = panels.step::<S>() {
                let begin = panel.start * (features + 1);
                let x = forward.slots.add(forward.offset(step.inputs[0].slot) + begin);
                let d_y = pass.d_slots.add(forward.offset(step.output) + begin);
                let [means, reciprocals] = kept(pass, step, features, panel);
                for lane in (0..panel.width).step_by(S::LANES) {
                    let (mean, reciprocal) = (S::load(means.add(lane)), S::load(reciprocals.add(lane)));
                    let statistics = Statistics::<S> { mean, reciprocal };
                    let place = feature * panel.width + lane;
                    let normal = statistics.normalize(S::load(x.add(place)));
                    let d = S::load(d_y.add(place));
                    let part = (panel.start + lane) % LINE / S::LANES;
                    sums[0][part] = S::multiply_add(d, normal, sums[0][part]);
                    sums[1][part] = S::add(sums[1][part], d);
                }
            }
            *pass.gradient.add(norm.weight + feature) = total::<S>(sums[0]);
            *pass.gradient.add(norm.bias + feature) = total::<S>(sums[1]);
        }
    }
}

/// The sum of 16 parts, by halves.
#[inline(always)]
pub(super) unsafe fn total<S: Simd>(parts: [S::Vector; 4]) -> f32 {
    let mut lanes = [0.0f32; LINE];
    for part in 0..LINE / S::LANES {
        // SAFETY: the parts fill 16 lanes.
        unsafe { S::store(lanes.as_mut_ptr().add(part * S::LANES), parts[part]) }
    }
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

#[inline(always)]
unsafe fn input_gradient<S: Simd>(
    norm: &LayerNorm,
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
    target: Target,
) {
    let forward = &pass.forward;
    let features = forward.program.slots[step.output].features;
    let mut panels = Panels::new(forward.rows_of(step));
    while let Some(panel) = panels.step::<S>() {
        let begin = panel.start * (features + 1);
        for lane in worker.share(panel.width, S::LANES).step_by(S::LANES) {
            // SAFETY: the pass's maker vouches for the buffers.
            unsafe {
                let x = forward.slots.add(forward.offset(step.inputs[0].slot) + begin + lane);
                let d_y = pass.d_slots.add(forward.offset(step.output) + begin + lane);
                let [means, reciprocals] = kept(pass, step, features, panel);
                let (mean, reciprocal) = (S::load(means.add(lane)), S::load(reciprocals.add(lane)));
                let statistics = Statistics::<S> { mean, reciprocal };
                let weighted = |feature: usize| {
                    let weight = S::splat(*forward.parameters.add(norm.weight + feature));
                    S::multiply(S::load(d_y.add(feature * panel.width)), weight)
                };
                let normal = |feature: usize| statistics.normalize(S::load(x.add(feature * panel.width)));
                let (mut plain, mut along) = (S::splat(0.0), S::splat(0.0));
                for feature in 0..features {
                    plain = S::add(plain, weighted(feature));
                    along = S::multiply_add(weighted(feature), normal(feature), along);
                }
                let count = S::splat(features as f32);
                let (plain, along) = (S::divide(plain, count), S::divide(along, count));
                for feature in 0..features {
                    let difference = S::subtract(weighted(feature), plain);
                    let difference = S::subtract(difference, S::multiply(normal(feature), along));
                    let d_x = S::multiply(reciprocal, difference);
                    target.leave::<S>(begin + feature * panel.width + lane, d_x);
                }
            }
        }
    }
}
