//! What this engine makes of a network: steps that read and write slots.
//!
//! Images stand in slots of one sample after the other, `[row][column][channel]` (see [`ImageSlot`]); vectors in
//! slots of panels, feature-major (see [`PanelSlot`]). A program is data without pointers; the kernels carry it
//! out.

use deepq_core::network::InputShape;

use crate::aligned::LINE;

/// What rows of weights are padded to: a vector of the widest set, or half of one.
pub(crate) const HALF_LINE: usize = LINE / 2;

/// Steps from an observation to its outputs.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// How an observation's elements stand.
    pub(crate) input: InputShape,
    /// The byte that counts as 1 in observations of bytes.
    pub(crate) full_byte: u8,
    /// What each element of an observation is divided by first.
    pub(crate) divisors: Option<Vec<f32>>,
    /// The steps before images become vectors, where observations are images.
    pub(crate) image: Option<ImageProgram>,
    pub(crate) slots: Vec<PanelSlot>,
    pub(crate) steps: Vec<PanelStep>,
    /// Elements of a flat vector of parameters with this engine's padding.
    pub(crate) parameters_len: usize,
    /// Elements of the weights with noise of all noisy layers.
    pub(crate) effective_len: usize,
    /// Elements of the normalised filters of all convolutions that have some, and of what belongs to them.
    pub(crate) normalized_len: usize,
    /// Multiplications with an addition for one observation.
    pub(crate) multiply_adds: usize,
}

impl Program {
    /// Elements of an observation.
    pub(crate) fn inputs(&self) -> usize {
        self.input.shape().len()
    }

    /// Outputs of a row: of an observation, or of a fraction where there are fractions.
    pub(crate) fn outputs(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.features)
    }

    /// Whether each observation comes with fractions.
    pub(crate) fn takes_fractions(&self) -> bool {
        self.slots.last().is_some_and(|slot| slot.per_fraction)
    }

    /// Features of all slots with one more each, of rows an observation and of rows a fraction.
    pub(crate) fn features(&self) -> [usize; 2] {
        let mut sums = [0; 2];
        for slot in &self.slots {
            sums[usize::from(slot.per_fraction)] += slot.features + 1;
        }
        sums
    }

    /// The longest row of features, its padding included.
    pub(crate) fn widest(&self) -> usize {
        let widest =
            self.slots.iter().map(|slot| spread(slot.features.next_multiple_of(LINE)).max(slot.features + 1));
        widest.max().unwrap_or(0).next_multiple_of(LINE)
    }
}

/// Features of a batch, in panels of a few vectors of rows: `[panel][feature][row]`, and one more feature for the
/// ones that the gradient of a bias needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PanelSlot {
    pub(crate) features: usize,
    /// Features of the slots before it, one more each: of rows an observation, and of rows a fraction.
    pub(crate) before: [usize; 2],
    /// Whether there is a row for each fraction, not only for each observation.
    pub(crate) per_fraction: bool,
    /// Whether what stands here has gone through a ReLU that is part of the step before.
    pub(crate) rectified: bool,
    /// Whether anybody needs the gradient by what stands here.
    pub(crate) trained: bool,
}

/// A slot that a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) slot: usize,
    /// Whether a later step has left its part of the gradient there already.
    pub(crate) accumulate: bool,
}

/// A step over panels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PanelStep {
    pub(crate) kind: PanelKind,
    pub(crate) inputs: Vec<Source>,
    pub(crate) output: usize,
}

/// What a step over panels does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PanelKind {
    Linear(Dense),
    Activation(Activation),
    LayerNorm(LayerNorm),
    /// The sum of two slots.
    Add,
    /// Values and advantages become action values: slots `[atom]` and `[action][atom]`.
    Dueling {
        atoms: usize,
    },
    /// `cos(π·i·τ)` of each fraction.
    Cosines,
    /// Features of an observation times those of a fraction.
    Product,
}

/// A function of each element by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    Relu,
    /// With its slope below 0.
    LeakyRelu(f32),
    Tanh,
    Silu,
    Gelu,
}

/// Where the parameters of a layer norm stand, and what is added to the variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LayerNorm {
    pub(crate) weight: usize,
    pub(crate) bias: usize,
    pub(crate) epsilon: f32,
}

/// A fully connected layer, or the filters of a convolution as one, and where its parameters stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Elements from one row of weights to the next: at least `outputs`, a multiple of 8.
    pub(crate) stride: usize,
    /// Where the first row of weights stands in the padded flat vector. The biases are one more row.
    pub(crate) offset: usize,
    /// Whether a ReLU follows.
    pub(crate) rectified: bool,
    pub(crate) noisy: Option<Noisy>,
}

/// What a noisy layer has besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noisy {
    /// Where the scales of the noise stand in the padded flat vector, as weights and biases do.
    pub(crate) offset: usize,
    /// Where the weights with noise stand among those of all noisy layers.
    pub(crate) effective: usize,
    /// Where its noise begins: one number an input, then one an output.
    pub(crate) noise: usize,
}

impl Dense {
    /// A layer whose parameters begin at `offset`.
    pub(crate) fn new(inputs: usize, outputs: usize, offset: usize) -> Self {
        let stride = spread(outputs.next_multiple_of(HALF_LINE));
        Self { inputs, outputs, stride, offset, rectified: false, noisy: None }
    }

    /// Elements from one sample's gradients by the outputs to the next one's.
    pub(crate) fn sample_stride(&self) -> usize {
        spread(self.outputs.next_multiple_of(LINE))
    }

    /// Elements of its weights and biases.
    pub(crate) fn len(&self) -> usize {
        (self.inputs + 1) * self.stride
    }
}

/// Rows an even number of cache lines apart would crowd into few sets of the cache: wide ones get a line more.
fn spread(stride: usize) -> usize {
    if stride >= 8 * LINE && stride.is_multiple_of(2 * LINE) { stride + LINE } else { stride }
}

/// Steps over images, one sample at a time. The first slot holds the observation, the last one becomes a vector.
#[derive(Clone, Debug)]
pub(crate) struct ImageProgram {
    pub(crate) slots: Vec<ImageSlot>,
    pub(crate) steps: Vec<ImageStep>,
    /// Elements of all slots of one sample.
    pub(crate) sample_len: usize,
    /// Elements of the transposed filters of all convolutions that pass a gradient on.
    pub(crate) transposed_len: usize,
}

impl ImageProgram {
    /// The slot that becomes a vector.
    pub(crate) fn last(&self) -> ImageSlot {
        self.slots[self.slots.len() - 1]
    }
}

/// An image of one sample, `[row][column][channel]` with a border of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageSlot {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Elements from one column to the next: at least `channels`. What is left over is 0. A multiple of 8 except
    /// for observations that only convolutions read.
    pub(crate) pixel: usize,
    /// Rows and columns of zeros on each side.
    pub(crate) border: usize,
    /// Where it begins in a sample's slots: a multiple of 16.
    pub(crate) offset: usize,
    /// Whether what stands here has gone through a ReLU that is part of the step before.
    pub(crate) rectified: bool,
}

impl ImageSlot {
    /// Elements from one row to the next.
    pub(crate) fn row(&self) -> usize {
        (self.width + 2 * self.border) * self.pixel
    }

    /// Elements with the border, and room for a vector that reaches over the end.
    pub(crate) fn len(&self) -> usize {
        ((self.height + 2 * self.border) * self.row() + HALF_LINE).next_multiple_of(LINE)
    }

    /// Where row `row` and column `column` begin in a sample's slots, the border not counted.
    pub(crate) fn at(&self, row: usize, column: usize) -> usize {
        self.offset + (row + self.border) * self.row() + (column + self.border) * self.pixel
    }
}

/// A step over images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageStep {
    pub(crate) kind: ImageKind,
    pub(crate) inputs: Vec<usize>,
    pub(crate) output: usize,
}

/// What a step over images does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ImageKind {
    Convolution(Convolution),
    Activation(Activation),
    /// Over all elements, with weights and biases `[row][column][pixel]`.
    LayerNormAll(LayerNorm),
    /// Over the channels of each place, with weights and biases `[pixel]`.
    LayerNormChannels(LayerNorm),
    MaxPool {
        size: usize,
        stride: usize,
        padding: usize,
    },
    AdaptiveMaxPool,
    Add,
}

/// A convolution: its filters are a fully connected layer from `[filter row][filter column][channel]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Convolution {
    pub(crate) filters: Dense,
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    /// Where the transposed filters, `[filter row][filter column][output channel][pixel]`, begin among those of
    /// all convolutions; none where nobody needs the gradient by its input.
    pub(crate) transposed: Option<usize>,
    pub(crate) spectral: Option<Spectral>,
}

/// Where the normalised filters of a convolution stand, and what they come from, among those of all convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spectral {
    /// The filters divided by their greatest singular value, with their biases, laid out as the filters are.
    pub(crate) filters: usize,
    /// The singular vector of the outputs, as long as a row of the filters.
    pub(crate) u: usize,
    /// That of the inputs, padded to whole halves of a line.
    pub(crate) v: usize,
    /// What the filters are multiplied with.
    pub(crate) reciprocal: usize,
}
