//! Whole passes: the buffers they need, and how a team goes through them.

use std::ops::Range;

use deepq_core::Observation;

use super::Kernels;
use super::edges::{FlattenPanels, LoadGradients, LoadPanels, Outputs, StoreOutputs, WidestPanel};
use super::image::{ImageBackward, ImagePass};
use super::noise::Apply;
use super::panels::{BackwardPass, PanelPass};
use super::rows::ForwardRow;
use super::team::{Team, Worker};
use crate::aligned::{AlignedBuffer, LINE};
use crate::program::{ImageProgram, PanelKind, Program};

/// Multiplications with an addition from which on a pass is worth a team: some tens of microseconds. Unit tests
/// let a team share the smallest.
const WORTH_A_TEAM: usize = if cfg!(test) { 1 } else { 4_000_000 };

/// Parameters, and what noise makes of them.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) parameters: &'a [f32],
    /// The weights of noisy layers with their noise, as [`Kernels::apply_noise`] makes them; none without noise.
    pub(crate) effective: Option<&'a [f32]>,
    /// The noise, zeros where there is none.
    pub(crate) noise: &'a [f32],
    /// Normalised filters, as [`Kernels::normalize`] makes them.
    pub(crate) normalized: &'a [f32],
}

/// Observations and, for a network that takes them, as many fractions for each.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) observation: Observation<'a>,
    pub(crate) fractions: &'a [f32],
}

/// Room for a forward pass. It grows when a batch needs more, and is never given back.
#[derive(Debug, Default)]
pub(crate) struct ForwardRoom {
    /// Observations of bytes as numbers, or one row of features.
    rows: AlignedBuffer,
    slots: AlignedBuffer,
    /// Image slots: of all samples where they are kept, else of one for each worker.
    images: AlignedBuffer,
    /// The last image slots of all samples, where images are not kept.
    last: AlignedBuffer,
}

/// Room for a forward pass that is trained, and for its way back.
#[derive(Debug, Default)]
pub(crate) struct TrainingRoom {
    forward: ForwardRoom,
    d_slots: AlignedBuffer,
    d_rows: AlignedBuffer,
    d_images: AlignedBuffer,
    d_last: AlignedBuffer,
    transposed: AlignedBuffer,
    /// Rows of observations and of fractions of the last forward pass.
    rows: [usize; 2],
}

/// Pointers that workers share.
struct Together<T>(T);

// SAFETY: workers write to parts of their own and wait for each other before they read what others wrote: that
// is what the passes below see to.
unsafe impl<T> Sync for Together<T> {}

impl<T> Together<T> {
    /// A method, so that a closure takes the whole and not the pointers inside.
    fn get(&self) -> &T {
        &self.0
    }
}

/// The sizes of a pass.
#[derive(Clone, Copy)]
struct Sizes {
    /// Rows of observations and of fractions.
    rows: [usize; 2],
    /// The same in whole vectors.
    padded: [usize; 2],
    outputs: Outputs,
}

impl Kernels {
    /// # Panics
    /// Where observations or fractions are not whole.
    fn sizes(&self, program: &Program, batch: Batch<'_>) -> Sizes {
        let (len, inputs) = (batch.observation.len(), program.inputs());
        let rows = [len / inputs, batch.fractions.len()];
        assert_eq!(len, rows[0] * inputs, "observations must be whole: {inputs} elements each");
        match program.takes_fractions() {
            false => assert_eq!(rows[1], 0, "the network takes no fractions"),
            true => assert!(
                (rows[0] == 0) == (rows[1] == 0) && (rows[0] == 0 || rows[1].is_multiple_of(rows[0])),
                "{} fractions are no whole number for each of {} observations",
                rows[1],
                rows[0]
            ),
        }
        self.sizes_of(program, rows)
    }

    fn sizes_of(&self, program: &Program, rows: [usize; 2]) -> Sizes {
        let features = program.outputs();
        let outputs = match program.takes_fractions() {
            true => Outputs { features, fractions: (rows[1] / rows[0].max(1)).max(1), rows: rows[1] },
            false => Outputs { features, fractions: 1, rows: rows[0] },
        };
        let padded = rows.map(|rows| rows.next_multiple_of(self.code.lanes()));
        Sizes { rows, padded, outputs }
    }

    /// Runs `job` in all workers where a pass is worth it.
    fn together(
        &self,
        team: &mut Team,
        program: &Program,
        rows: [usize; 2],
        job: &(dyn Fn(Worker<'_>) + Sync),
    ) {
        let rows = rows[0].max(rows[1]);
        match team.count() > 1 && program.multiply_adds.saturating_mul(rows) >= WORTH_A_TEAM {
            true => team.run(job),
            false => job(Worker::ALONE),
        }
    }

    /// Outputs of a batch: `output` is `[batch][outputs]`, or `[batch][outputs][fraction]`.
    pub(crate) fn forward(
        &self,
        team: &mut Team,
        program: &Program,
        weights: Weights<'_>,
        batch: Batch<'_>,
        room: &mut ForwardRoom,
        output: &mut [f32],
    ) {
        let sizes = self.sizes(program, batch);
        // Where one panel of a vector takes as long, as measured: 6 rows for AVX-512, 4 for AVX2.
        match sizes.rows[0] < self.code.lanes() / 4 + 2 && !program.takes_fractions() {
            true => self.forward_rows(program, weights, batch, sizes, room, output),
            false => self.forward_panels(team, program, weights, batch, false, room, output),
        }
    }

    /// As [`forward`](Self::forward), keeping what [`backward`](Self::backward) needs.
    pub(crate) fn forward_train(
        &self,
        team: &mut Team,
        program: &Program,
        weights: Weights<'_>,
        batch: Batch<'_>,
        room: &mut TrainingRoom,
        output: &mut [f32],
    ) {
        // Should the pass panic, there is nothing that could go backwards.
        room.rows = [0, 0];
        self.forward_panels(team, program, weights, batch, true, &mut room.forward, output);
        room.rows = self.sizes(program, batch).rows;
    }

    /// One row after the other.
    fn forward_rows(
        &self,
        program: &Program,
        weights: Weights<'_>,
        batch: Batch<'_>,
        sizes: Sizes,
        room: &mut ForwardRoom,
        output: &mut [f32],
    ) {
        check(program, weights, sizes.outputs, output.len());
        let features = program.slots[0].features;
        let ForwardRoom { rows, slots, images, .. } = room;
        slots.grow(program.features()[0] + 4 * LINE);
        if let Some(image) = &program.image {
            images.grow(image.sample_len);
            rows.grow(features);
        }
        let observed = numbers(program, batch.observation, rows);
        let pass = panel_pass(program, weights, batch, slots.as_mut_ptr(), ([1, 0], [1, 1]));
        for (index, output) in output.chunks_exact_mut(program.outputs()).enumerate() {
            let row = match (&program.image, observed) {
                (None, Numbers::There(values)) => &values[index * features..(index + 1) * features],
                (None, Numbers::InBuffer) => &rows[index * features..(index + 1) * features],
                (Some(image), _) => {
                    let of = image_pass(program, image, weights, batch);
                    // SAFETY: there is room for a sample, and the observation has one of this number.
                    unsafe { of.forward(self.code, index, images.as_mut_ptr()) }
                    flatten_row(image, images, rows);
                    &rows[..features]
                }
            };
            let divisors = program.divisors.as_deref();
            // SAFETY: there is room for a row of every slot and for vectors behind.
            unsafe { self.run(ForwardRow { pass, row, divisors, output }) }
        }
    }

    /// All rows at once, in panels.
    #[allow(clippy::too_many_arguments)] // Each of them is one thing that a pass needs.
    fn forward_panels(
        &self,
        team: &mut Team,
        program: &Program,
        weights: Weights<'_>,
        batch: Batch<'_>,
        keep_images: bool,
        room: &mut ForwardRoom,
        output: &mut [f32],
    ) {
        let sizes = self.sizes(program, batch);
        check(program, weights, sizes.outputs, output.len());
        if sizes.rows[0] == 0 {
            return;
        }
        let ForwardRoom { rows, slots, images, last } = room;
        slots.grow(slots_len(program, sizes.padded));
        if let Some(image) = &program.image {
            images.grow(if keep_images { sizes.rows[0] } else { team.count() } * image.sample_len);
            last.grow(if keep_images { 0 } else { sizes.rows[0] * image.last().len() });
        }
        let observed = match numbers(program, batch.observation, rows) {
            Numbers::There(values) => values.as_ptr(),
            Numbers::InBuffer => rows.as_ptr(),
        };
        let pointers = Together((
            observed,
            slots.as_mut_ptr(),
            images.as_mut_ptr(),
            last.as_mut_ptr(),
            output.as_mut_ptr(),
        ));
        self.together(team, program, sizes.rows, &|worker| {
            let (observed, slots, images, last, output) = *pointers.get();
            let pass = panel_pass(program, weights, batch, slots, (sizes.rows, sizes.padded));
            // SAFETY: there is room for all rows, and each worker writes a part of its own.
            unsafe {
                if let Some(image) = &program.image {
                    let of = image_pass(program, image, weights, batch);
                    let rows = sizes.rows[0];
                    for group in self.groups(rows, worker) {
                        let samples = group.clone();
                        let flatten = self.images(&of, group, keep_images, (images, last), worker);
                        worker.wait();
                        self.run(FlattenPanels { flatten, worker, panels: slots, rows, samples });
                    }
                } else {
                    let (features, divisors) = (program.slots[0].features, program.divisors.as_deref());
                    let batch = sizes.rows[0];
                    self.run(LoadPanels { rows: observed, batch, features, divisors, worker, to: slots });
                }
                worker.wait();
                pass.forward(self.code, worker);
                worker.wait();
                let from = slots.add(pass.offset(program.slots.len() - 1));
                self.run(StoreOutputs { outputs: sizes.outputs, worker, from, to: output });
            }
        });
    }

    /// The samples that go from images to panels, or back, together: a worker alone takes a panel at a time, while
    /// what it has made is in the cache; several share all.
    fn groups(&self, rows: usize, worker: Worker<'_>) -> impl Iterator<Item = Range<usize>> {
        // SAFETY: there are no pointers inside.
        let panel = if worker.count == 1 { unsafe { self.code.run(WidestPanel) } } else { rows.max(1) };
        (0..rows).step_by(panel).map(move |first| first..rows.min(first + panel))
    }

    /// A worker's share of some samples through the steps over images. Gives where the last slots of all stand.
    unsafe fn images(
        &self,
        pass: &ImagePass<'_>,
        samples: Range<usize>,
        keep: bool,
        (images, last): (*mut f32, *mut f32),
        worker: Worker<'_>,
    ) -> super::image::Flatten {
        let (sample_len, slot) = (pass.program.sample_len, pass.program.last());
        for sample in worker.share(samples.len(), 1).map(|index| samples.start + index) {
            // SAFETY: the caller vouches for the images; each worker has slots of its own.
            unsafe {
                let slots = images.add(if keep { sample } else { worker.index } * sample_len);
                pass.forward(self.code, sample, slots);
                if !keep {
                    let to = last.add(sample * slot.len());
                    std::ptr::copy_nonoverlapping(slots.add(slot.offset), to, slot.len());
                }
            }
        }
        match keep {
            // SAFETY: the last slot is inside the sample.
            true => pass.program.flatten(unsafe { images.add(slot.offset) }, sample_len),
            false => pass.program.flatten(last, slot.len()),
        }
    }

    /// The gradient by the parameters, from that by the outputs of the last [`forward_train`](Self::forward_train)
    /// in the same room: `d_output` is laid out as its output was.
    pub(crate) fn backward(
        &self,
        team: &mut Team,
        program: &Program,
        weights: Weights<'_>,
        d_output: &[f32],
        room: &mut TrainingRoom,
        gradient: &mut [f32],
    ) {
        let sizes = self.sizes_of(program, room.rows);
        // What came in stands in the slots.
        let batch = Batch { observation: Observation::F32(&[]), fractions: &[] };
        check(program, weights, sizes.outputs, d_output.len());
        assert_eq!(gradient.len(), program.parameters_len, "as many gradients as parameters are needed");
        if sizes.rows[0] == 0 {
            return gradient.fill(0.0);
        }
        let TrainingRoom { forward, d_slots, d_rows, d_images, d_last, transposed, .. } = room;
        d_slots.grow(slots_len(program, sizes.padded));
        d_rows.grow(sizes.padded[0].max(sizes.padded[1]) * program.widest());
        if let Some(image) = &program.image {
            d_images.grow(team.count() * image.sample_len);
            d_last.grow(sizes.rows[0] * image.last().len());
            transposed.grow(image.transposed_len + LINE);
        }
        let pointers = Together((
            (forward.slots.as_mut_ptr(), forward.images.as_ptr()),
            (d_slots.as_mut_ptr(), d_rows.as_mut_ptr(), d_images.as_mut_ptr(), d_last.as_mut_ptr()),
            (transposed.as_mut_ptr(), gradient.as_mut_ptr()),
        ));
        self.together(team, program, sizes.rows, &|worker| {
            let ((slots, images), (d_slots, d_rows, d_images, d_last), (transposed, gradient)) =
                *pointers.get();
            let forward = panel_pass(program, weights, batch, slots, (sizes.rows, sizes.padded));
            let pass = BackwardPass { forward, d_slots, d_rows, gradient };
            // SAFETY: there is room for all rows, and each worker writes a part of its own.
            unsafe {
                if worker.index == 0 {
                    let last = program.slots.len() - 1;
                    let to = d_slots.add(forward.offset(last));
                    self.run(LoadGradients { outputs: sizes.outputs, d_output, to, mask: pass.mask(last) });
                }
                worker.wait();
                pass.backward(self.code, worker);
                let Some(image) = &program.image else { return };
                if !program.slots[0].trained {
                    return;
                }
                let flatten = image.flatten(d_last, image.last().len());
                let (panels, rows) = (d_slots, sizes.rows[0]);
                let back = ImageBackward {
                    pass: image_pass(program, image, weights, batch),
                    slots: images,
                    d_last,
                    d_slots: d_images,
                    transposed,
                    gradient,
                };
                for samples in self.groups(rows, worker) {
                    let group = samples.clone();
                    self.run(FlattenPanels { flatten: flatten.back(), worker, panels, rows, samples });
                    worker.wait();
                    back.run(self.code, group, worker);
                }
            }
        });
        self.spectral_gradient(program, weights.normalized, gradient);
    }

    /// Weights with noise, from the parameters: `effective` has room for those of all noisy layers.
    pub(crate) fn apply_noise(
        &self,
        program: &Program,
        parameters: &[f32],
        noise: &[f32],
        effective: &mut [f32],
    ) {
        assert!(parameters.len() == program.parameters_len && effective.len() == program.effective_len);
        for step in &program.steps {
            let PanelKind::Linear(layer) = &step.kind else { continue };
            let Some(noisy) = layer.noisy else { continue };
            assert!(noisy.noise + layer.inputs + layer.stride <= noise.len(), "a number of noise is missing");
            let apply = Apply {
                layer,
                noise: noise[noisy.noise..].as_ptr(),
                weights: parameters[layer.offset..].as_ptr(),
                scales: parameters[noisy.offset..].as_ptr(),
                effective: effective[noisy.effective..].as_mut_ptr(),
            };
            // SAFETY: the layer's weights, scales and noise are inside the slices.
            unsafe { self.run(apply) }
        }
    }
}

/// # Panics
/// Where slices do not fit the program.
fn check(program: &Program, weights: Weights<'_>, outputs: Outputs, output: usize) {
    assert_eq!(weights.parameters.len(), program.parameters_len, "the parameters must be the program's");
    assert_eq!(
        weights.normalized.len(),
        program.normalized_len,
        "the normalised filters must be the program's"
    );
    assert!(weights.effective.is_none_or(|effective| effective.len() == program.effective_len));
    let (rows, features) = (outputs.rows, outputs.features);
    assert_eq!(output, rows * features, "{rows} rows have {features} outputs each");
}

/// Elements of all slots.
fn slots_len(program: &Program, padded: [usize; 2]) -> usize {
    let features = program.features();
    features[0] * padded[0] + features[1] * padded[1]
}

fn panel_pass<'a>(
    program: &'a Program,
    weights: Weights<'_>,
    batch: Batch<'a>,
    slots: *mut f32,
    (rows, padded): ([usize; 2], [usize; 2]),
) -> PanelPass<'a> {
    PanelPass {
        program,
        parameters: weights.parameters.as_ptr(),
        effective: weights.effective.map(<[f32]>::as_ptr),
        noise: weights.noise.as_ptr(),
        slots,
        rows,
        padded,
        fractions: batch.fractions,
    }
}

fn image_pass<'a>(
    program: &Program,
    image: &'a ImageProgram,
    weights: Weights<'_>,
    batch: Batch<'a>,
) -> ImagePass<'a> {
    let (parameters, normalized) = (weights.parameters.as_ptr(), weights.normalized.as_ptr());
    let (input, full_byte) = (program.input, program.full_byte);
    ImagePass { program: image, input, full_byte, observation: batch.observation, parameters, normalized }
}

/// Observations of vectors as numbers.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    There(&'a [f32]),
    /// They were bytes, and have been converted.
    InBuffer,
}

fn numbers<'a>(program: &Program, observation: Observation<'a>, buffer: &mut AlignedBuffer) -> Numbers<'a> {
    match observation {
        Observation::F32(values) => Numbers::There(values),
        // Images are converted where they are loaded.
        Observation::U8(_) if program.image.is_some() => Numbers::InBuffer,
        Observation::U8(bytes) => {
            buffer.grow(bytes.len());
            super::image::convert_bytes(bytes, program.full_byte, &mut buffer[..bytes.len()]);
            Numbers::InBuffer
        }
    }
}

/// The last slot of one sample as a row of features, `[channel][row][column]`.
fn flatten_row(image: &ImageProgram, slots: &[f32], row: &mut [f32]) {
    let slot = image.last();
    let places = slot.height * slot.width;
    for place in 0..places {
        let from = slot.at(place / slot.width, place % slot.width);
        for channel in 0..slot.channels {
            row[channel * places + place] = slots[from + channel];
        }
    }
}
