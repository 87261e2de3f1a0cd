//! Names, shapes and places of a network's parameters in one flat vector.

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterTensor {
    /// `layers.<number>.weight` or `.bias`, for a layer inside another `layers.3.value.0.weight`: names, shapes and
    /// order are those of the state dictionary of a PyTorch module that holds the same layers, all of them, in an
    /// `nn.Sequential` named `layers`, with the branches of its dueling and residual modules named as in
    /// [`LayerSpec`](super::LayerSpec).
    pub name: String,
    /// Lengths of its axes, row-major; a linear layer's weight is `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// Where its first element stands in the flat vector.
    pub offset: usize,
}

impl ParameterTensor {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True where an axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its part of the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// The order in which parameters stand in one flat vector, without gaps.
///
/// This is the order of checkpoints and of everything outside an engine. An engine may keep its own copy with
/// padding, and translates at the seam.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterLayout {
    tensors: Vec<ParameterTensor>,
    len: usize,
}

impl ParameterLayout {
    pub(super) fn push(&mut self, name: String, shape: Vec<usize>) {
        let tensor = ParameterTensor { name, shape, offset: self.len };
        self.len += tensor.len();
        self.tensors.push(tensor);
    }

    /// All tensors in their order.
    pub fn tensors(&self) -> &[ParameterTensor] {
        &self.tensors
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
