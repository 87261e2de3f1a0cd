//! The steps over panels, forward and backward: which kernel works on which part of which buffer.

use std::ops::Range;

use super::dispatch::{Code, Operation};
use super::edges::CountPanels;
use super::linear::{self, InputGradient, WeightGradient};
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, Panels};
use super::{activation, combine, embedding, layer_norm, noise};
use crate::program::{Dense, PanelKind, PanelStep, Program};

/// The buffers of a pass.
///
/// Whoever makes one vouches for all pointers: slots and their gradients have `program.features()` rows of
/// `padded` elements, parameters and gradient are flat vectors of the program's.
#[derive(Clone, Copy)]
pub(super) struct PanelPass<'a> {
    pub(super) program: &'a Program,
    pub(super) parameters: *const f32,
    /// The weights of noisy layers with their noise; none where there is no noise.
    pub(super) effective: Option<*const f32>,
    /// Zeros where there is no noise.
    pub(super) noise: *const f32,
    /// Slots.
    pub(super) slots: *mut f32,
    /// Rows of observations and of fractions.
    pub(super) rows: [usize; 2],
    /// The same, rounded up to whole vectors: what slots have room for.
    pub(super) padded: [usize; 2],
    /// One fraction a row.
    pub(super) fractions: &'a [f32],
}

/// The buffers of a backward pass besides.
#[derive(Clone, Copy)]
pub(super) struct BackwardPass<'a> {
    pub(super) forward: PanelPass<'a>,
    /// Gradients by what stands in the slots, laid out as they are.
    pub(super) d_slots: *mut f32,
    /// Gradients by one layer's outputs, row-major.
    pub(super) d_rows: *mut f32,
    /// The gradient by the parameters.
    pub(super) gradient: *mut f32,
}

impl PanelPass<'_> {
    /// Where a slot begins, counted from the first one.
    #[inline]
    pub(super) fn offset(&self, slot: usize) -> usize {
        let before = self.program.slots[slot].before;
        before[0] * self.padded[0] + before[1] * self.padded[1]
    }

    /// The weights of a layer, with noise where there is some.
    #[inline]
    pub(super) unsafe fn weights(&self, layer: &Dense) -> *const f32 {
        // SAFETY: the layer is one of the program's.
        unsafe {
            match (layer.noisy, self.effective) {
                (Some(noisy), Some(effective)) => effective.add(noisy.effective),
                _ => self.parameters.add(layer.offset),
            }
        }
    }

    /// Rows of the slots that a step writes.
    #[inline]
    pub(super) fn rows_of(&self, step: &PanelStep) -> usize {
        self.rows[usize::from(self.program.slots[step.output].per_fraction)]
    }

    /// Runs all steps. The first slot is filled.
    pub(super) unsafe fn forward(&self, code: Code, worker: Worker<'_>) {
        // SAFETY: the maker's word for the pointers; workers write parts of their own.
        unsafe {
            let few = worker.count > 1 && panels_of(code, self.rows[0]) < worker.count;
            if worker.count == 1 || (!few && !self.program.takes_fractions()) {
                // Each panel through all steps: what one writes is in the cache for the next.
                let alone = Worker::ALONE;
                for per_fraction in [false, true] {
                    for panel in worker.share(panels_of(code, self.rows[usize::from(per_fraction)]), 1) {
                        for step in &self.program.steps {
                            if self.program.slots[step.output].per_fraction == per_fraction {
                                let panels = panel..panel + 1;
                                code.run(ForwardStep { pass: self, step, panels, worker: alone });
                            }
                        }
                    }
                }
                return;
            }
            for step in &self.program.steps {
                code.run(ForwardStep { pass: self, step, panels: 0..usize::MAX, worker });
                worker.wait();
            }
        }
    }
}

/// How many panels so many rows make.
fn panels_of(code: Code, rows: usize) -> usize {
    // SAFETY: there are no pointers inside.
    unsafe { code.run(CountPanels { rows }) }
}

/// One step over some panels.
struct ForwardStep<'a> {
    pass: &'a PanelPass<'a>,
    step: &'a PanelStep,
    panels: Range<usize>,
    worker: Worker<'a>,
}

impl Operation for ForwardStep<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut panels = Panels::new(self.pass.rows_of(self.step));
        panels.skip::<S>(self.panels.start);
        for _ in self.panels.clone() {
            let Some(panel) = panels.step::<S>() else { return };
            // SAFETY: the panel is inside the slots.
            unsafe { self.panel::<S>(panel) }
        }
    }
}

impl ForwardStep<'_> {
    #[inline(always)]
    unsafe fn panel<S: Simd>(&self, panel: Panel) {
        let (pass, step) = (self.pass, self.step);
        let slots = &pass.program.slots;
        let features = slots[step.output].features;
        // SAFETY: the places of a panel are inside its slot; the pass's maker vouches for the slots.
        unsafe {
            let at =
                |slot: usize| pass.slots.add(pass.offset(slot) + panel.start * (slots[slot].features + 1));
            let output = at(step.output);
            let share = self.worker.share(features, 1);
            match &step.kind {
                PanelKind::Linear(layer) => {
                    let input = at(step.inputs[0].slot);
                    // Ones, for the gradient of the biases.
                    if self.worker.index == 0 {
                        fill_row::<S>(input.add(layer.inputs * panel.width), panel, 1.0);
                    }
                    linear::forward::<S>(layer, pass.weights(layer), input, output, panel, share);
                }
                PanelKind::Activation(kind) => {
                    let input = at(step.inputs[0].slot).add(share.start * panel.width);
                    let output = output.add(share.start * panel.width);
                    activation::forward::<S>(*kind, input, output, share.len() * panel.width);
                }
                PanelKind::LayerNorm(norm) => {
                    let input = at(step.inputs[0].slot);
                    layer_norm::forward::<S>(norm, pass.parameters, input, output, (panel, features), share);
                }
                PanelKind::Add => {
                    let place = share.start * panel.width;
                    let inputs = [0, 1].map(|input| at(step.inputs[input].slot).add(place).cast_const());
                    combine::add::<S>(inputs, output.add(place), share.len() * panel.width);
                }
                PanelKind::Dueling { atoms } => {
                    let inputs = [0, 1].map(|input| at(step.inputs[input].slot).cast_const());
                    let atoms_share = self.worker.share(*atoms, 1);
                    combine::dueling::<S>(inputs, output, panel, (features / atoms, *atoms), atoms_share);
                }
                PanelKind::Cosines => {
                    embedding::cosines::<S>(pass.fractions, output, panel, share);
                }
                PanelKind::Product => embedding::product::<S>(pass, step, panel, share),
            }
        }
    }
}

/// Sets one feature of a panel.
#[inline(always)]
pub(super) unsafe fn fill_row<S: Simd>(row: *mut f32, panel: Panel, value: f32) {
    for vector in 0..panel.vectors {
        // SAFETY: the row has `panel.vectors` vectors.
        unsafe { S::store(row.add(vector * S::LANES), S::splat(value)) }
    }
}

impl BackwardPass<'_> {
    /// Runs all steps backwards. The gradient by the last slot is there.
    pub(super) unsafe fn backward(&self, code: Code, worker: Worker<'_>) {
        for step in self.forward.program.steps.iter().rev() {
            // SAFETY: the maker's word for the pointers; workers write parts of their own.
            unsafe {
                if let PanelKind::Linear(_) | PanelKind::LayerNorm(_) = step.kind {
                    code.run(Prepare { pass: self, step, worker });
                    worker.wait();
                }
                code.run(BackwardStep { pass: self, step, worker });
            }
            worker.wait();
        }
    }

    /// The activations whose ReLU a gradient by a slot goes back through.
    #[inline(always)]
    pub(super) fn mask(&self, slot: usize) -> Option<*const f32> {
        let rectified = self.forward.program.slots[slot].rectified;
        // SAFETY: the slot is one of the program's.
        rectified.then(|| unsafe { self.forward.slots.add(self.forward.offset(slot)).cast_const() })
    }
}

/// What has to be there before a step goes backwards.
struct Prepare<'a> {
    pass: &'a BackwardPass<'a>,
    step: &'a PanelStep,
    worker: Worker<'a>,
}

impl Operation for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (pass, step) = (&self.pass.forward, self.step);
        let rows = pass.rows_of(step);
        // SAFETY: the pass's maker vouches for the buffers.
        unsafe {
            let d_output = self.pass.d_slots.add(pass.offset(step.output));
            match &step.kind {
                PanelKind::Linear(layer) => {
                    let outputs = self.worker.share(layer.outputs, crate::aligned::LINE);
                    if !outputs.is_empty() {
                        linear::rows_of_panels::<S>(layer, d_output, self.pass.d_rows, rows, outputs);
                    }
                }
                PanelKind::LayerNorm(norm) => {
                    layer_norm::prepare::<S>(norm, self.pass, step, self.worker);
                }
                _ => {}
            }
        }
    }
}

/// One step backwards: the gradient by its parameters, and that by its inputs.
struct BackwardStep<'a> {
    pass: &'a BackwardPass<'a>,
    step: &'a PanelStep,
    worker: Worker<'a>,
}

impl Operation for BackwardStep<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (pass, step, worker) = (self.pass, self.step, self.worker);
        // SAFETY: the pass's maker vouches for the buffers.
        unsafe {
            match &step.kind {
                PanelKind::Linear(layer) => self.linear::<S>(layer),
                PanelKind::Activation(kind) => activation::backward::<S>(*kind, pass, step, worker),
                PanelKind::LayerNorm(norm) => layer_norm::backward::<S>(norm, pass, step, worker),
                PanelKind::Add => combine::add_backward::<S>(pass, step, worker),
                PanelKind::Dueling { atoms } => combine::dueling_backward::<S>(*atoms, pass, step, worker),
                PanelKind::Cosines => {}
                PanelKind::Product => embedding::product_backward::<S>(pass, step, worker),
            }
        }
    }
}

impl BackwardStep<'_> {
    #[inline(always)]
    unsafe fn linear<S: Simd>(&self, layer: &Dense) {
        let (pass, forward) = (self.pass, &self.pass.forward);
        let source = self.step.inputs[0];
        let batch = forward.rows_of(self.step);
        // SAFETY: the pass's maker vouches for the buffers; shares do not overlap.
        unsafe {
            let activations = forward.slots.add(forward.offset(source.slot));
            let gradient = pass.gradient.add(layer.offset);
            let weights = WeightGradient { layer, batch, activations, d_rows: pass.d_rows, gradient };
            let rows = self.worker.share(layer.inputs + 1, 1);
            weights.run::<S>(rows.clone());
            if let Some(noisy) = layer.noisy {
                let (noise, d_scales) = (forward.noise.add(noisy.noise), pass.gradient.add(noisy.offset));
                noise::gradient::<S>(layer, noise, gradient, d_scales, rows);
            }
            if !forward.program.slots[source.slot].trained {
                return;
            }
            let inputs = InputGradient {
                layer,
                weights: forward.weights(layer),
                d_output: pass.d_slots.add(forward.offset(self.step.output)),
                mask: pass.mask(source.slot),
                d_input: pass.d_slots.add(forward.offset(source.slot)),
                accumulate: source.accumulate,
            };
            let share = self.worker.share(layer.inputs, 1);
            let mut panels = Panels::new(batch);
            while let Some(panel) = panels.step::<S>() {
                inputs.run::<S>(panel, share.clone());
            }
        }
    }
}

/// A slot's gradient, as a step backwards leaves its part of it.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// Where the slot's gradient begins.
    pub(super) d_slot: *mut f32,
    /// Where the slot itself begins, where its gradient goes back through a ReLU.
    pub(super) mask: Option<*const f32>,
    pub(super) accumulate: bool,
}

impl Target {
    /// The gradient by input number `input` of a step; none where nobody needs it.
    #[inline(always)]
    pub(super) unsafe fn new(pass: &BackwardPass<'_>, step: &PanelStep, input: usize) -> Option<Self> {
        let source = step.inputs[input];
        let needed = pass.forward.program.slots[source.slot].trained;
        // SAFETY: the slot is one of the program's.
        needed.then(|| unsafe {
            let d_slot = pass.d_slots.add(pass.forward.offset(source.slot));
            Self { d_slot, mask: pass.mask(source.slot), accumulate: source.accumulate }
        })
    }

    /// Leaves a vector of it at `place`.
    #[inline(always)]
    pub(super) unsafe fn leave<S: Simd>(&self, place: usize, value: S::Vector) {
        // SAFETY: the caller vouches for the place.
        unsafe {
            let to = self.d_slot.add(place);
            let value = if self.accumulate { S::add(S::load(to), value) } else { value };
            let value = match self.mask {
                Some(mask) => S::rectify_gradient(S::load(mask.add(place)), value),
                None => value,
            };
            S::store(to, value);
        }
    }
}
