//! The inner loops, behind functions that check every size.
//!
//! This is the only module with `unsafe` code: vector intrinsics need it, and the loops go by pointers because
//! a bounds check in them would cost more than the arithmetic. Soundness rests on two things that are settled
//! here: a [`Kernels`] is only made for an instruction set that the processor has, and each of its functions
//! checks the lengths of its slices against the layers before it passes pointers on.
//!
//! The choice of the instruction set is made once an operation (a whole forward pass, a whole optimiser step):
//! everything below is inlined into one function compiled for that set.
#![allow(unsafe_code)]

mod dispatch;
mod elementwise;
mod linear;
mod norm;
mod number;
mod peak;
mod rows;
mod simd;
#[cfg(test)]
mod tests;
mod tiles;

pub(crate) use elementwise::{
    AdamStep, Decay, Formula, MOST_SLOTS, OptimizerStep, RmsPropStep, SgdStep, Stretch,
};
pub(crate) use norm::partial_sums;
#[cfg(test)]
pub(crate) use norm::{CHUNK, total};

use self::dispatch::{Code, Operation};
use crate::aligned::LINE;
use crate::instruction_set::InstructionSet;

/// What rows of weights are padded to: a vector of the widest set, or half of one.
const HALF_LINE: usize = LINE / 2;

/// A fully connected layer and where its parameters stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Elements from one row of weights to the next: at least `outputs`, a multiple of 8.
    pub(crate) stride: usize,
    /// Where the first row of weights stands in the padded flat vector.
    pub(crate) offset: usize,
    /// Whether a ReLU follows.
    pub(crate) rectified: bool,
}

impl Dense {
    /// A layer whose parameters begin at `offset`.
    pub(crate) fn new(inputs: usize, outputs: usize, offset: usize) -> Self {
        Self {
            inputs,
            outputs,
            stride: spread(outputs.next_multiple_of(HALF_LINE)),
            offset,
            rectified: false,
        }
    }

    /// Elements from one sample's gradients by the outputs to the next one's.
    fn sample_stride(&self) -> usize {
        spread(self.outputs.next_multiple_of(LINE))
    }

    /// Where the parameters of the next layer begin.
    pub(crate) fn end(&self) -> usize {
        self.offset + (self.inputs + 1) * self.stride
    }
}

/// Rows an even number of cache lines apart would crowd into few sets of the cache: wide ones get a line more.
fn spread(stride: usize) -> usize {
    if stride >= 8 * LINE && stride.is_multiple_of(2 * LINE) { stride + LINE } else { stride }
}

/// A batch of observations as the first layer takes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// `[batch][inputs]`
    pub(crate) rows: &'a [f32],
    /// What each input is divided by.
    pub(crate) divisors: Option<&'a [f32]>,
}

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

    /// Samples of a vector.
    fn lanes(&self) -> usize {
        self.code.lanes()
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

    /// A batch rounded up to whole vectors.
    pub(crate) fn padded_batch(&self, batch: usize) -> usize {
        batch.next_multiple_of(self.lanes())
    }

    /// Elements of the scratch space of [`forward`](Self::forward), whatever the batch.
    pub(crate) fn forward_scratch_len(layers: &[Dense]) -> usize {
        // The widest panel there is holds 64 samples.
        2 * 4 * LINE * widest(layers)
    }

    /// Elements of the activations that [`forward_train`](Self::forward_train) keeps.
    pub(crate) fn activations_len(&self, layers: &[Dense], batch: usize) -> usize {
        let outputs = layers.last().map_or(0, |layer| layer.outputs + 1);
        let features = layers.iter().map(|layer| layer.inputs + 1).sum::<usize>() + outputs;
        self.padded_batch(batch) * features
    }

    /// Elements of the scratch space of [`backward`](Self::backward).
    pub(crate) fn backward_scratch_len(&self, layers: &[Dense], batch: usize) -> usize {
        3 * self.padded_batch(batch) * widest(layers)
    }

    /// Values of a batch: `output` is `[batch][outputs]`.
    pub(crate) fn forward(
        &self,
        layers: &[Dense],
        parameters: &[f32],
        input: Input<'_>,
        scratch: &mut [f32],
        output: &mut [f32],
    ) {
        let batch = check_forward(layers, parameters, input, output);
        assert!(scratch.len() >= Self::forward_scratch_len(layers), "the scratch space is too small");
        let (first, second) = scratch.split_at_mut(scratch.len() / 2);
        let buffers = [first.as_mut_ptr(), second.as_mut_ptr()];
        // Where one panel of a vector takes as long, as measured: 6 samples for AVX-512, 4 for AVX2.
        if batch < self.lanes() / 4 + 2 {
            let operation = rows::ForwardRows {
                layers,
                parameters: parameters.as_ptr(),
                rows: input.rows,
                divisors: input.divisors,
                buffers,
                outputs: output,
            };
            // SAFETY: `check_forward` has checked the parameters; each buffer holds the widest row.
            return unsafe { self.run(operation) };
        }
        let operation = linear::Forward {
            layers,
            parameters: parameters.as_ptr(),
            rows: input.rows.as_ptr(),
            divisors: input.divisors,
            batch,
            outputs: output.as_mut_ptr(),
            keep: linear::Keep::Last(buffers),
        };
        // SAFETY: `check_forward` has checked all slices; each buffer holds the widest panel.
        unsafe { self.run(operation) }
    }

    /// As [`forward`](Self::forward), keeping the activations for [`backward`](Self::backward).
    pub(crate) fn forward_train(
        &self,
        layers: &[Dense],
        parameters: &[f32],
        input: Input<'_>,
        activations: &mut [f32],
        output: &mut [f32],
    ) {
        let batch = check_forward(layers, parameters, input, output);
        assert!(
            activations.len() >= self.activations_len(layers, batch),
            "the space for activations is too small"
        );
        let operation = linear::Forward {
            layers,
            parameters: parameters.as_ptr(),
            rows: input.rows.as_ptr(),
            divisors: input.divisors,
            batch,
            outputs: output.as_mut_ptr(),
            keep: linear::Keep::All {
                activations: activations.as_mut_ptr(),
                padded_batch: self.padded_batch(batch),
            },
        };
        // SAFETY: `check_forward` and the assertion have checked all slices.
        unsafe { self.run(operation) }
    }

    /// The gradient by the parameters, from that by the outputs: `d_output` is `[batch][outputs]`.
    pub(crate) fn backward(
        &self,
        layers: &[Dense],
        parameters: &[f32],
        activations: &[f32],
        d_output: &[f32],
        scratch: &mut [f32],
        gradient: &mut [f32],
    ) {
        check_layers(layers, parameters.len());
        let outputs = layers[layers.len() - 1].outputs;
        let batch = d_output.len() / outputs;
        assert_eq!(d_output.len(), batch * outputs, "the gradient by the outputs is no whole batch");
        assert_eq!(gradient.len(), parameters.len(), "as many gradients as parameters are needed");
        assert!(
            activations.len() >= self.activations_len(layers, batch)
                && scratch.len() >= self.backward_scratch_len(layers, batch),
            "the space for activations or gradients is too small"
        );
        if batch == 0 {
            // Below, the first panel of samples sets the gradient; where there is none, it would stay as it was.
            return gradient.fill(0.0);
        }
        let third = self.padded_batch(batch) * widest(layers);
        let (first, rest) = scratch.split_at_mut(third);
        let (second, rest) = rest.split_at_mut(third);
        let operation = linear::Backward {
            layers,
            parameters: parameters.as_ptr(),
            activations: activations.as_ptr(),
            padded_batch: self.padded_batch(batch),
            batch,
            d_outputs: d_output.as_ptr(),
            d_panels: [first.as_mut_ptr(), second.as_mut_ptr()],
            d_rows: rest.as_mut_ptr(),
            gradient: gradient.as_mut_ptr(),
        };
        // SAFETY: the assertions have checked all slices.
        unsafe { self.run(operation) }
    }
}

/// The length of the longest row, padding and a row of ones included.
fn widest(layers: &[Dense]) -> usize {
    let longest = layers.iter().map(|layer| layer.sample_stride().max(layer.inputs + 1)).max().unwrap_or(0);
    longest.next_multiple_of(LINE)
}

/// Checks that layers fit each other and the parameters.
fn check_layers(layers: &[Dense], parameters: usize) {
    assert!(!layers.is_empty(), "a network has at least one layer");
    for layer in layers {
        assert!(
            layer.inputs > 0
                && layer.outputs > 0
                && layer.outputs <= layer.stride
                && layer.stride.is_multiple_of(HALF_LINE)
                && layer.end() + HALF_LINE <= parameters,
            "a layer must lie inside the parameters, with half a vector behind it"
        );
    }
    assert!(
        layers.windows(2).all(|pair| pair[0].outputs == pair[1].inputs),
        "a layer's outputs must be the next one's inputs"
    );
}

/// Checks the slices of a forward pass and gives the size of the batch.
fn check_forward(layers: &[Dense], parameters: &[f32], input: Input<'_>, output: &[f32]) -> usize {
    check_layers(layers, parameters.len());
    let (inputs, outputs) = (layers[0].inputs, layers[layers.len() - 1].outputs);
    let batch = input.rows.len() / inputs;
    assert_eq!(input.rows.len(), batch * inputs, "observations must be whole: {inputs} elements each");
    assert_eq!(output.len(), batch * outputs, "{batch} observations have {outputs} outputs each");
    assert!(input.divisors.is_none_or(|by| by.len() == inputs), "one divisor an input is needed");
    batch
}
