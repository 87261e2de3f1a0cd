//! Fractions of implicit quantile networks: their cosines, and their product with features of observations.

use std::ops::Range;

use deepq_core::math::{Number, cos_pi};

use super::number::Lanes;
use super::panels::{BackwardPass, PanelPass, Target};
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, Panels};
use crate::aligned::LINE;
use crate::program::PanelStep;

/// `cos(π·i·τ)` for the features `i` of `share`, one fraction a row. The padding's fractions are 0.
#[inline(always)]
pub(super) unsafe fn cosines<S: Simd>(
    fractions: &[f32],
    output: *mut f32,
    panel: Panel,
    share: Range<usize>,
) {
    let mut taken = [0.0f32; 4 * LINE];
    taken[..panel.samples].copy_from_slice(&fractions[panel.start..panel.start + panel.samples]);
    for feature in share {
        for lane in (0..panel.width).step_by(S::LANES) {
            // SAFETY: `taken` holds the widest panel, and the caller vouches for the output.
            unsafe {
                let fraction = Lanes::<S>::load(taken.as_ptr().add(lane));
                let angle = fraction.multiply(Lanes::splat(feature as f32));
                cos_pi(angle).store(output.add(feature * panel.width + lane));
            }
        }
    }
}

/// Where the features of an observation stand: a column of one panel.
#[derive(Clone, Copy)]
struct Column {
    first: usize,
    width: usize,
}

/// The columns of observations, one after the other.
struct Columns {
    panels: Panels,
    panel: Option<Panel>,
    features: usize,
}

impl Columns {
    /// Those from observation `first` on.
    #[inline(always)]
    fn new<S: Simd>(rows: usize, features: usize, first: usize) -> Self {
        let mut panels = Panels::new(rows);
        panels.skip::<S>(first / (S::MAX_VECTORS * S::LANES));
        let panel = panels.step::<S>();
        Self { panels, panel, features }
    }

    /// That of observation `row`, which is not before the one asked for last.
    #[inline(always)]
    fn of<S: Simd>(&mut self, row: usize) -> Column {
        loop {
            match self.panel {
                Some(panel) if row < panel.start + panel.samples => {
                    let first = panel.start * (self.features + 1) + row - panel.start;
                    return Column { first, width: panel.width };
                }
                Some(_) => self.panel = self.panels.step::<S>(),
                // Behind the last one: padding takes any column.
                None => return Column { first: 0, width: 0 },
            }
        }
    }
}

/// The observations that the rows of one vector of fractions belong to.
struct Source {
    columns: [Column; LINE],
    /// Whether all rows belong to the first.
    is_one: bool,
}

impl Source {
    #[inline(always)]
    fn of<S: Simd>(columns: &mut Columns, first: usize, per_row: usize, rows: usize) -> Self {
        let last = first + S::LANES - 1;
        let is_one = last < rows && first / per_row == last / per_row;
        let mut of = [Column { first: 0, width: 0 }; LINE];
        for (lane, of) in of.iter_mut().enumerate().take(if is_one { 1 } else { S::LANES }) {
            if first + lane < rows {
                *of = columns.of::<S>((first + lane) / per_row);
            }
        }
        Self { columns: of, is_one }
    }

    /// One feature of theirs.
    #[inline(always)]
    unsafe fn gather<S: Simd>(&self, from: *const f32, feature: usize) -> S::Vector {
        // SAFETY: the caller vouches for the columns; 16 lanes hold every vector.
        unsafe {
            let at = |column: &Column| *from.add(column.first + feature * column.width);
            if self.is_one {
                return S::splat(at(&self.columns[0]));
            }
            let mut lanes = [0.0f32; LINE];
            for lane in 0..S::LANES {
                lanes[lane] = at(&self.columns[lane]);
            }
            S::load(lanes.as_ptr())
        }
    }
}

/// `output = observation's feature · fraction's feature`, for the features of `share`.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(
    pass: &PanelPass<'_>,
    step: &PanelStep,
    panel: Panel,
    share: Range<usize>,
) {
    let features = pass.program.slots[step.output].features;
    let per_row = pass.rows[1] / pass.rows[0];
    let begin = panel.start * (features + 1);
    let mut columns = Columns::new::<S>(pass.rows[0], features, panel.start / per_row);
    for lane in (0..panel.width).step_by(S::LANES) {
        let of = Source::of::<S>(&mut columns, panel.start + lane, per_row, pass.rows[1]);
        // SAFETY: the columns are inside the slot of the observations' features.
        unsafe {
            let observed = pass.slots.add(pass.offset(step.inputs[0].slot));
            let weights = pass.slots.add(pass.offset(step.inputs[1].slot) + begin + lane);
            let output = pass.slots.add(pass.offset(step.output) + begin + lane);
            for feature in share.clone() {
                let observed = of.gather::<S>(observed, feature);
                let product = S::multiply(observed, S::load(weights.add(feature * panel.width)));
                S::store(output.add(feature * panel.width), product);
            }
        }
    }
}

/// The gradient of a product: by the fractions' features, and by the observations', which adds the fractions of
/// an observation first to last.
#[inline(always)]
pub(super) unsafe fn product_backward<S: Simd>(
    pass: &BackwardPass<'_>,
    step: &PanelStep,
    worker: Worker<'_>,
) {
    let forward = &pass.forward;
    let features = forward.program.slots[step.output].features;
    let per_row = forward.rows[1] / forward.rows[0];
    // SAFETY: the pass's maker vouches for the buffers.
    unsafe {
        let observed = forward.slots.add(forward.offset(step.inputs[0].slot));
        let weights = forward.slots.add(forward.offset(step.inputs[1].slot));
        let d_output = pass.d_slots.add(forward.offset(step.output));
        let share = worker.share(features, 1);
        if let Some(target) = Target::new(pass, step, 1) {
            let mut columns = Columns::new::<S>(forward.rows[0], features, 0);
            let mut panels = Panels::new(forward.rows[1]);
            while let Some(panel) = panels.step::<S>() {
                for lane in (0..panel.width).step_by(S::LANES) {
                    let of = Source::of::<S>(&mut columns, panel.start + lane, per_row, forward.rows[1]);
                    for feature in share.clone() {
                        let place = panel.start * (features + 1) + feature * panel.width + lane;
                        let d = S::multiply(S::load(d_output.add(place)), of.gather::<S>(observed, feature));
                        target.leave::<S>(place, d);
                    }
                }
            }
        }
        if let Some(target) = Target::new(pass, step, 0) {
            let mut columns = Columns::new::<S>(forward.rows[0], features, 0);
            let mut fractions = Columns::new::<S>(forward.rows[1], features, 0);
            for row in 0..forward.rows[0] {
                let column = columns.of::<S>(row);
                for fraction in row * per_row..(row + 1) * per_row {
                    let from = fractions.of::<S>(fraction);
                    let last = fraction + 1 == (row + 1) * per_row;
                    let (d_output, weights) = (d_output.add(from.first), weights.add(from.first));
                    for feature in share.clone() {
                        let to = target.d_slot.add(column.first + feature * column.width);
                        let begins = fraction == row * per_row && !target.accumulate;
                        let sum = if begins { 0.0 } else { *to };
                        let place = feature * from.width;
                        let sum = (*d_output.add(place)).mul_add(*weights.add(place), sum);
                        let stopped = target
                            .mask
                            .filter(|_| last)
                            .is_some_and(|mask| *mask.add(column.first + feature * column.width) <= 0.0);
                        *to = if stopped { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}
