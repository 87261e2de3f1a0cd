//! The steps over images, one sample at a time, forward and backward.

mod convolution;
mod norm;
mod pointwise;
mod pool;

use std::ops::Range;

use deepq_core::Observation;
use deepq_core::network::InputShape;

use self::convolution::{FilterGradient, Forward, Geometry, InputGradient};
use super::dispatch::{Code, Operation};
use super::edges::clear_padding;
use super::simd::Simd;
use super::team::Worker;
use super::tiles::{Panel, transpose};
use crate::program::{Convolution, ImageKind, ImageProgram, ImageSlot, ImageStep};

/// Images of a batch. Whoever makes one vouches for the pointers.
#[derive(Clone, Copy)]
pub(super) struct ImagePass<'a> {
    pub(super) program: &'a ImageProgram,
    pub(super) input: InputShape,
    pub(super) full_byte: u8,
    pub(super) observation: Observation<'a>,
    pub(super) parameters: *const f32,
    /// Normalised filters.
    pub(super) normalized: *const f32,
}

/// One sample through all steps.
struct ForwardSample<'a> {
    pass: &'a ImagePass<'a>,
    sample: usize,
    slots: *mut f32,
}

impl ImagePass<'_> {
    /// Sample `sample` of the observation through all steps, into slots that begin at `slots`.
    pub(super) unsafe fn forward(&self, code: Code, sample: usize, slots: *mut f32) {
        // SAFETY: the maker's word.
        unsafe { code.run(ForwardSample { pass: self, sample, slots }) }
    }

    /// The filters of a convolution as they are used.
    #[inline(always)]
    unsafe fn filters(&self, convolution: &Convolution) -> *const f32 {
        // SAFETY: the convolution is one of the program's.
        unsafe {
            match convolution.spectral {
                Some(spectral) => self.normalized.add(spectral.filters),
                None => self.parameters.add(convolution.filters.offset),
            }
        }
    }

    #[inline(always)]
    fn geometry<'a>(&self, step: &'a ImageStep) -> Option<Geometry<'a>> {
        let ImageKind::Convolution(convolution) = &step.kind else { return None };
        let [input, output] = [step.inputs[0], step.output].map(|slot| self.program.slots[slot]);
        Some(Geometry { convolution, input, output })
    }
}

impl Operation for ForwardSample<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { pass, sample, slots } = self;
        let program = pass.program;
        // SAFETY: the maker vouches for the buffers; the slots are the program's.
        unsafe {
            load::<S>(pass, sample, slots);
            for step in &program.steps {
                let [input, output] = [step.inputs[0], step.output].map(|slot| program.slots[slot]);
                match &step.kind {
                    ImageKind::Convolution(convolution) => {
                        let weights = pass.filters(convolution);
                        let geometry = Geometry { convolution, input, output };
                        Forward { geometry, weights, sample: slots }.run::<S>();
                    }
                    ImageKind::Activation(kind) => pointwise::activation::<S>(*kind, input, output, slots),
                    ImageKind::Add => {
                        pointwise::add::<S>(input, program.slots[step.inputs[1]], output, slots);
                    }
                    ImageKind::LayerNormAll(norm) => {
                        norm::forward_all::<S>(norm, pass.parameters, input, output, slots);
                    }
                    ImageKind::LayerNormChannels(norm) => {
                        norm::forward_channels::<S>(norm, pass.parameters, input, output, slots);
                    }
                    ImageKind::MaxPool { .. } | ImageKind::AdaptiveMaxPool => {
                        pool::forward::<S>(&step.kind, input, output, slots);
                    }
                }
            }
        }
    }
}

/// An observation becomes the first slot.
#[inline(always)]
unsafe fn load<S: Simd>(pass: &ImagePass<'_>, sample: usize, slots: *mut f32) {
    let slot = pass.program.slots[0];
    let (len, columns) = (slot.channels * slot.height * slot.width, slot.width * slot.channels);
    let begin = sample * len;
    for row in 0..slot.height {
        // SAFETY: the row is inside the observation and the slot; the maker vouches for both.
        unsafe {
            let to = slots.add(slot.at(row, 0));
            match pass.input {
                InputShape::ChannelsLast { .. } => {
                    let from = begin + row * columns;
                    if slot.pixel == slot.channels {
                        convert(pass, from, to, columns);
                    } else {
                        for column in 0..slot.width {
                            let to = to.add(column * slot.pixel);
                            convert(pass, from + column * slot.channels, to, slot.channels);
                        }
                    }
                }
                _ => planes_of_row::<S>(pass, slot, begin + row * slot.width, to),
            }
        }
    }
}

/// One row of all planes becomes a row of pixels, 64 columns at a time.
#[inline(always)]
unsafe fn planes_of_row<S: Simd>(pass: &ImagePass<'_>, slot: ImageSlot, first: usize, to: *mut f32) {
    const COLUMNS: usize = 64;
    // Numbers before they get their place: a piece at a time, small enough for the stack.
    let mut planes = [0.0f32; 8 * COLUMNS];
    for begin in (0..slot.width).step_by(COLUMNS) {
        let columns = COLUMNS.min(slot.width - begin);
        for channel in (0..slot.channels).step_by(8) {
            let channels = 8.min(slot.channels - channel);
            for plane in 0..channels {
                let from = first + (channel + plane) * slot.height * slot.width + begin;
                // SAFETY: the piece is inside the observation, the planes and the slot.
                unsafe { convert(pass, from, planes.as_mut_ptr().add(plane * COLUMNS), columns) }
            }
            // SAFETY: as above.
            unsafe {
                let to = to.add(begin * slot.pixel + channel);
                transpose::<S>((channels, columns), (planes.as_ptr(), COLUMNS), (to, slot.pixel));
            }
        }
    }
}

/// Elements of an observation as numbers.
#[inline(always)]
unsafe fn convert(pass: &ImagePass<'_>, from: usize, to: *mut f32, len: usize) {
    // SAFETY: the caller vouches for `len` elements at `to`, which nobody else uses meanwhile.
    let to = unsafe { std::slice::from_raw_parts_mut(to, len) };
    match pass.observation {
        // A call of `memcpy` for a few channels would take longer.
        Observation::F32(values) => {
            to.iter_mut().zip(&values[from..from + len]).for_each(|(to, value)| *to = *value);
        }
        Observation::U8(bytes) => convert_bytes(&bytes[from..from + len], pass.full_byte, to),
    }
}

/// Bytes divided by the one that counts as 1.
#[inline(always)]
pub(crate) fn convert_bytes(bytes: &[u8], full_byte: u8, to: &mut [f32]) {
    if full_byte == 255 {
        to.iter_mut().zip(bytes).for_each(|(value, byte)| *value = share_of_255(*byte));
    } else {
        let full = f32::from(full_byte);
        to.iter_mut().zip(bytes).for_each(|(value, byte)| *value = f32::from(*byte) / full);
    }
}

/// `byte / 255`, rounded as a division is, without one: a product, and what it lacks.
#[inline(always)]
pub(crate) fn share_of_255(byte: u8) -> f32 {
    const RECIPROCAL: f32 = 1.0 / 255.0;
    let byte = f32::from(byte);
    let share = byte * RECIPROCAL;
    share.mul_add(-255.0, byte).mul_add(RECIPROCAL, share)
}

/// The last slots of all samples, which become features `[channel][row][column]` of panels, or come from there.
#[derive(Clone, Copy)]
pub(super) struct Flatten {
    slot: ImageSlot,
    /// The last slot of the first sample, and elements from one sample's to the next one's.
    images: *mut f32,
    sample_stride: usize,
    /// Whether panels become images.
    back: bool,
}

impl ImageProgram {
    pub(super) fn flatten(&self, images: *mut f32, sample_stride: usize) -> Flatten {
        Flatten { slot: self.last(), images, sample_stride, back: false }
    }
}

impl Flatten {
    /// The other way round.
    pub(super) fn back(self) -> Self {
        Self { back: true, ..self }
    }

    /// One panel. Workers share the places of the image.
    #[inline(always)]
    pub(super) unsafe fn panel<S: Simd>(&self, panels: *mut f32, panel: Panel, worker: Worker<'_>) {
        let Self { slot, images, sample_stride, back } = *self;
        let (channels, places) = (slot.channels, slot.height * slot.width);
        // From one channel's feature to the next one's.
        let stride = places * panel.width;
        for row in worker.share(slot.height, 1) {
            for column in 0..slot.width {
                // SAFETY: the maker vouches for the samples, the caller for the panels.
                unsafe {
                    let image = images.add(panel.start * sample_stride + slot.at(row, column) - slot.offset);
                    let first = panels.add(panel.start * (places * channels + 1));
                    let place = first.add((row * slot.width + column) * panel.width);
                    if back {
                        let size = (channels, panel.samples);
                        transpose::<S>(size, (place, stride), (image, sample_stride));
                    } else {
                        clear_padding::<S>(place, (channels, stride), panel);
                        // 8 channels at a time: the lines of one place of more channels may all want the same few
                        // ways of the first-level cache.
                        for channel in (0..channels).step_by(8) {
                            let size = (panel.samples, 8.min(channels - channel));
                            let (from, to) = (image.add(channel), place.add(channel * stride));
                            transpose::<S>(size, (from, sample_stride), (to, stride));
                        }
                    }
                }
            }
        }
    }
}

/// The buffers of a backward pass through images. Whoever makes one vouches for the pointers.
#[derive(Clone, Copy)]
pub(super) struct ImageBackward<'a> {
    pub(super) pass: ImagePass<'a>,
    /// The slots of all samples.
    pub(super) slots: *const f32,
    /// The gradients by the last slot of all samples, one after the other.
    pub(super) d_last: *const f32,
    /// Gradients by the slots of as many samples as there are workers.
    pub(super) d_slots: *mut f32,
    /// Transposed filters.
    pub(super) transposed: *mut f32,
    /// The gradient by the parameters.
    pub(super) gradient: *mut f32,
}

impl ImageBackward<'_> {
    /// What `samples` say of the gradient by all parameters, added to what those before have said. The samples go in
    /// groups, one for each worker: first each worker takes its sample backwards, then all of them add what the group's
    /// samples say of the filters, in their order.
    pub(super) unsafe fn run(&self, code: Code, samples: Range<usize>, worker: Worker<'_>) {
        // SAFETY: the maker's word; workers write parts of their own.
        unsafe {
            if samples.start == 0 {
                code.run(TransposeFilters { of: self, worker });
                worker.wait();
            }
            for first in samples.clone().step_by(worker.count) {
                let group = first..(first + worker.count).min(samples.end);
                if first + worker.index < group.end {
                    code.run(BackwardSample { of: self, sample: first + worker.index, slot: worker.index });
                }
                worker.wait();
                code.run(AddGradients { of: self, group, worker });
                worker.wait();
            }
        }
    }

    /// The gradients by the slots of the sample that worker number `index` has.
    unsafe fn d_sample(&self, index: usize) -> *mut f32 {
        // SAFETY: the maker vouches for as many samples as there are workers.
        unsafe { self.d_slots.add(index * self.pass.program.sample_len) }
    }

    /// The slots of a sample.
    unsafe fn sample(&self, sample: usize) -> *const f32 {
        // SAFETY: the maker vouches for all samples.
        unsafe { self.slots.add(sample * self.pass.program.sample_len) }
    }
}

struct TransposeFilters<'a> {
    of: &'a ImageBackward<'a>,
    worker: Worker<'a>,
}

impl Operation for TransposeFilters<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pass = &self.of.pass;
        for geometry in pass.program.steps.iter().filter_map(|step| pass.geometry(step)) {
            let Geometry { convolution, input, .. } = geometry;
            let Some(transposed) = convolution.transposed else { continue };
            let share = self.worker.share(convolution.size * convolution.size, 1);
            // SAFETY: the maker vouches for the buffers.
            unsafe {
                let weights = pass.filters(convolution);
                let transposed = self.of.transposed.add(transposed);
                convolution::transpose_filters::<S>(convolution, input, weights, transposed, share);
            }
        }
    }
}

/// One sample backwards, the gradients by parameters aside.
struct BackwardSample<'a> {
    of: &'a ImageBackward<'a>,
    sample: usize,
    slot: usize,
}

impl Operation for BackwardSample<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { of, sample, slot } = self;
        let program = of.pass.program;
        let last = program.slots[program.slots.len() - 1];
        // SAFETY: the maker vouches for the buffers; the slots are the program's.
        unsafe {
            let (slots, d_slots) = (of.sample(sample), of.d_sample(slot));
            // Nobody needs the gradient by the observation, and that by the last slot is there.
            let begin = program.slots[0].len();
            d_slots.add(begin).write_bytes(0, last.offset - begin);
            let d_last = of.d_last.add(sample * last.len());
            std::ptr::copy_nonoverlapping(d_last, d_slots.add(last.offset), last.len());
            for step in program.steps.iter().rev() {
                step_back::<S>(of, step, slots, d_slots);
            }
        }
    }
}

/// The gradient by a step's input, added to what stands there.
#[inline(always)]
unsafe fn step_back<S: Simd>(of: &ImageBackward<'_>, step: &ImageStep, slots: *const f32, d_slots: *mut f32) {
    let program = of.pass.program;
    let [input, output] = [step.inputs[0], step.output].map(|slot| program.slots[slot]);
    // SAFETY: the maker vouches for the buffers; the slots are the program's.
    unsafe {
        if output.rectified {
            pointwise::mask::<S>(output, slots, d_slots);
        }
        // The first slot holds the observation, by which nobody needs a gradient.
        match &step.kind {
            ImageKind::Add => {
                for source in step.inputs.iter().filter(|source| **source > 0) {
                    pointwise::pass_on::<S>(output, program.slots[*source], d_slots);
                }
            }
            _ if step.inputs[0] == 0 => {}
            ImageKind::Convolution(convolution) => {
                // Where nothing before it has parameters, nobody needs the gradient by its input.
                let Some(transposed) = convolution.transposed else { return };
                let (geometry, transposed) =
                    (Geometry { convolution, input, output }, of.transposed.add(transposed));
                InputGradient { geometry, transposed, d_sample: d_slots }.run::<S>();
            }
            ImageKind::Activation(kind) => {
                pointwise::activation_backward::<S>(*kind, input, output, slots, d_slots);
            }
            ImageKind::LayerNormAll(norm) => {
                norm::backward_all::<S>(norm, of.pass.parameters, input, output, slots, d_slots);
            }
            ImageKind::LayerNormChannels(norm) => {
                norm::backward_channels::<S>(norm, of.pass.parameters, input, output, slots, d_slots);
            }
            ImageKind::MaxPool { .. } | ImageKind::AdaptiveMaxPool => {
                pool::backward::<S>(&step.kind, input, output, slots, d_slots);
            }
        }
    }
}

/// What a group of samples says of the parameters.
struct AddGradients<'a> {
    of: &'a ImageBackward<'a>,
    group: Range<usize>,
    worker: Worker<'a>,
}

impl Operation for AddGradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (of, worker) = (self.of, self.worker);
        let program = of.pass.program;
        for (index, sample) in self.group.enumerate() {
            let goes_on = sample > 0;
            for step in &program.steps {
                let [input, output] = [step.inputs[0], step.output].map(|slot| program.slots[slot]);
                // SAFETY: the maker vouches for the buffers; shares do not overlap.
                unsafe {
                    let (slots, d_slots) = (of.sample(sample), of.d_sample(index));
                    match &step.kind {
                        ImageKind::Convolution(convolution) => {
                            let geometry = Geometry { convolution, input, output };
                            let gradient = of.gradient.add(convolution.filters.offset);
                            let (sample, d_sample) = (slots, d_slots.cast_const());
                            let filters = FilterGradient { geometry, sample, d_sample, gradient, goes_on };
                            filters.run::<S>(worker.share(convolution.filters.inputs + 1, 1));
                        }
                        ImageKind::LayerNormAll(norm) if worker.index == 0 => {
                            norm::parameters_all::<S>(
                                norm,
                                of.gradient,
                                input,
                                output,
                                slots,
                                d_slots,
                                goes_on,
                            );
                        }
                        ImageKind::LayerNormChannels(norm) if worker.index == 0 => {
                            norm::parameters_channels::<S>(
                                norm,
                                of.gradient,
                                input,
                                output,
                                slots,
                                d_slots,
                                goes_on,
                            );
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share_of_255;

    #[test]
    fn bytes_are_divided_as_a_division_does() {
        for byte in 0..=255 {
            assert_eq!(share_of_255(byte).to_bits(), (f32::from(byte) / 255.0).to_bits(), "{byte}");
        }
    }
}
