//! Where rows become panels and panels become rows: observations, outputs, and gradients by outputs.

use std::ops::Range;

use super::dispatch::Operation;
use super::image::Flatten;
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, Panels, transpose};
use crate::aligned::LINE;

/// How many panels there are.
pub(super) struct CountPanels {
    pub(super) rows: usize,
}

impl Operation for CountPanels {
    type Output = usize;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        let (mut panels, mut count) = (Panels::new(self.rows), 0);
        while panels.step::<S>().is_some() {
            count += 1;
        }
        count
    }
}

/// Row-major rows become panels; the padding becomes 0.
pub(super) struct LoadPanels<'a> {
    pub(super) rows: *const f32,
    pub(super) batch: usize,
    pub(super) features: usize,
    /// What each feature is divided by.
    pub(super) divisors: Option<&'a [f32]>,
    pub(super) worker: Worker<'a>,
    pub(super) to: *mut f32,
}

impl Operation for LoadPanels<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (features, share) = (self.features, self.worker.share(self.features, LINE));
        if share.is_empty() {
            return;
        }
        let mut panels = Panels::new(self.batch);
        while let Some(panel) = panels.step::<S>() {
            // SAFETY: the maker vouches for the rows and the panels.
            unsafe {
                let to = self.to.add(panel.start * (features + 1) + share.start * panel.width);
                clear_padding::<S>(to, (share.len(), panel.width), panel);
                let rows = self.rows.add(panel.start * features + share.start);
                transpose::<S>((panel.samples, share.len()), (rows, features), (to, panel.width));
                let Some(divisors) = self.divisors else { continue };
                for (feature, divisor) in divisors[share.clone()].iter().enumerate() {
                    let divisor = S::splat(*divisor);
                    for vector in 0..panel.vectors {
                        let place = to.add(feature * panel.width + vector * S::LANES);
                        S::store(place, S::divide(S::load(place), divisor));
                    }
                }
            }
        }
    }
}

/// The last slots of images become the features of panels, or come from there.
pub(super) struct FlattenPanels<'a> {
    pub(super) flatten: Flatten,
    pub(super) worker: Worker<'a>,
    /// The first panel.
    pub(super) panels: *mut f32,
    pub(super) rows: usize,
    /// Only the panels that begin with one of these.
    pub(super) samples: Range<usize>,
}

impl Operation for FlattenPanels<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut panels = Panels::new(self.rows);
        while let Some(panel) = panels.step::<S>().filter(|panel| panel.start < self.samples.end) {
            if panel.start >= self.samples.start {
                // SAFETY: the maker vouches for the images and the panels.
                unsafe { self.flatten.panel::<S>(self.panels, panel, self.worker) }
            }
        }
    }
}

/// Rows of the widest panel.
pub(super) struct WidestPanel;

impl Operation for WidestPanel {
    type Output = usize;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        S::LANES * S::MAX_VECTORS
    }
}

/// Lanes without a row become 0, and whole vectors with them, in features that stand `stride` elements apart.
#[inline(always)]
pub(super) unsafe fn clear_padding<S: Simd>(to: *mut f32, (features, stride): (usize, usize), panel: Panel) {
    if panel.samples < panel.width {
        let first = panel.samples / S::LANES * S::LANES;
        for feature in 0..features {
            for lane in (first..panel.width).step_by(S::LANES) {
                // SAFETY: the caller vouches for the panel.
                unsafe { S::store(to.add(feature * stride + lane), S::splat(0.0)) }
            }
        }
    }
}

/// The outputs of rows, `[observation][action]`, or `[observation][action][fraction]` where there are fractions.
#[derive(Clone, Copy)]
pub(super) struct Outputs {
    /// Outputs of a row.
    pub(super) features: usize,
    /// Rows of an observation.
    pub(super) fractions: usize,
    /// Rows in all.
    pub(super) rows: usize,
}

impl Outputs {
    /// Where output `feature` of row `row` stands.
    #[inline(always)]
    fn place(&self, row: usize, feature: usize) -> usize {
        let (observation, fraction) = (row / self.fractions, row % self.fractions);
        (observation * self.features + feature) * self.fractions + fraction
    }
}

/// Panels of outputs become rows.
pub(super) struct StoreOutputs<'a> {
    pub(super) outputs: Outputs,
    pub(super) worker: Worker<'a>,
    /// The first panel.
    pub(super) from: *const f32,
    /// The first row.
    pub(super) to: *mut f32,
}

impl Operation for StoreOutputs<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // Outputs are few: they are not worth a share.
        if self.worker.index > 0 {
            return;
        }
        let Outputs { features, fractions, rows } = self.outputs;
        let mut panels = Panels::new(rows);
        while let Some(panel) = panels.step::<S>() {
            // SAFETY: the maker vouches for the panels and the rows.
            unsafe {
                let from = self.from.add(panel.start * (features + 1));
                if fractions == 1 {
                    let to = self.to.add(panel.start * features);
                    transpose::<S>((features, panel.samples), (from, panel.width), (to, features));
                    continue;
                }
                for feature in 0..features {
                    for sample in 0..panel.samples {
                        let place = self.outputs.place(panel.start + sample, feature);
                        *self.to.add(place) = *from.add(feature * panel.width + sample);
                    }
                }
            }
        }
    }
}

/// Gradients by outputs become panels, back through the ReLU behind the last layer if there is one.
pub(super) struct LoadGradients<'a> {
    pub(super) outputs: Outputs,
    pub(super) d_output: &'a [f32],
    pub(super) to: *mut f32,
    pub(super) mask: Option<*const f32>,
}

impl Operation for LoadGradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Outputs { features, fractions, rows } = self.outputs;
        let mut panels = Panels::new(rows);
        while let Some(panel) = panels.step::<S>() {
            let first = panel.start * (features + 1);
            // SAFETY: the maker vouches for the panels; the gradients are as many as the outputs.
            unsafe {
                let to = self.to.add(first);
                clear_padding::<S>(to, (features, panel.width), panel);
                if fractions == 1 {
                    let from = self.d_output.as_ptr().add(panel.start * features);
                    transpose::<S>((panel.samples, features), (from, features), (to, panel.width));
                } else {
                    for feature in 0..features {
                        for sample in 0..panel.samples {
                            let place = self.outputs.place(panel.start + sample, feature);
                            *to.add(feature * panel.width + sample) = self.d_output[place];
                        }
                    }
                }
                let Some(mask) = self.mask else { continue };
                for place in (0..features * panel.width).step_by(S::LANES) {
                    let output = S::load(mask.add(first + place));
                    S::store(to.add(place), S::rectify_gradient(output, S::load(to.add(place))));
                }
            }
        }
    }
}
