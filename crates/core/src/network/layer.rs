//! One layer as data: what it makes of a shape, and which parameters it has.

use serde::{Deserialize, Serialize};

use super::initialization::Initialization;

/// What goes from one layer to the next, for one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers.
    Vector {
        /// How many.
        len: usize,
    },
    /// A number for each channel at each place of a grid. Where its elements are counted, they stand
    /// `[channel][row][column]`, as in PyTorch.
    Image {
        /// Numbers a place.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
}

impl Shape {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match *self {
            Self::Vector { len } => len,
            Self::Image { channels, height, width } => channels.saturating_mul(height).saturating_mul(width),
        }
    }

    /// True where there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Vector { len } => write!(formatter, "{len} values"),
            Self::Image { channels, height, width } => {
                write!(formatter, "an image of {height} rows, {width} columns and {channels} channels")
            }
        }
    }
}

/// Over which elements a [`LayerSpec::LayerNorm`] takes mean and variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizedAxes {
    /// Over all elements of an observation, each with a weight and a bias of its own: PyTorch's `LayerNorm`
    /// with the whole shape.
    #[default]
    All,
    /// Over the channels of each place of an image, with one weight and one bias a channel: Flax' `LayerNorm`.
    /// For a vector the same as `All`.
    Channels,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerSpec {
    /// `y_i = x_i / by_i`: brings the elements of an observation to a common size. Only as the first layer, and
    /// only for vectors.
    Divide {
        /// The divisors, one an input, none of them 0.
        by: Vec<f32>,
    },
    /// `y = W·x + b` with `W` of shape `[outputs, inputs]`.
    Linear {
        /// How many outputs there are.
        outputs: usize,
        /// How `W` and `b` begin.
        #[serde(default)]
        initialization: Initialization,
    },
    /// `y = (W + S ⊙ e_out·e_inᵀ)·x + b + s ⊙ e_out`: a linear layer with factorised noise (Fortunato et al.
    /// 2018), in which `e = sgn(ε)·√|ε|` of standard normal `ε` comes from
    /// [`QNetwork::set_noise`](super::QNetwork::set_noise). Without noise it is the linear layer of `W` and `b`.
    ///
    /// `W` and `b` begin uniform in ±1/√inputs, `S` and `s` at `noise/√inputs`.
    NoisyLinear {
        /// How many outputs there are.
        outputs: usize,
        /// σ₀ of the paper, 0.5 there.
        #[serde(default = "half")]
        noise: f32,
    },
    /// `y_i = max(x_i, 0)`.
    Relu,
    /// `y_i = x_i` where `x_i ≥ 0`, else `slope·x_i` (Maas et al. 2013). At 0 the gradient goes through `slope`, as
    /// in PyTorch.
    LeakyRelu {
        /// The slope below 0, a finite number.
        #[serde(default = "hundredth")]
        slope: f32,
    },
    /// `y_i = tanh(x_i)`.
    Tanh,
    /// `y_i = x_i·σ(x_i)` with the logistic function σ (Elfwing et al. 2018), also called swish.
    Silu,
    /// `y_i = x_i·Φ(x_i)` with the normal distribution Φ (Hendrycks & Gimpel 2016), by the error function and
    /// not by its approximation with tanh.
    Gelu,
    /// `y = (x − mean) / √(variance + epsilon) ⊙ weight + bias` (Ba et al. 2016). The variance divides by the
    /// number of elements.
    LayerNorm {
        /// Over which elements.
        #[serde(default)]
        axes: NormalizedAxes,
        /// Added to the variance.
        #[serde(default = "layer_norm_epsilon")]
        epsilon: f32,
    },
    /// `y[o][r][c] = b[o] + Σ W[o][i][u][v] · x[i][r·stride + u − padding][c·stride + v − padding]` with `W` of
    /// shape `[channels, input channels, size, size]`; beyond the edges `x` is 0.
    ///
    /// With `spectral_norm` it is `W/σ(W)` that the inputs are multiplied with: see
    /// [`SPECTRAL_ITERATIONS`](super::SPECTRAL_ITERATIONS). The parameter stays `W`.
    Convolution {
        /// Channels that it gives.
        channels: usize,
        /// Rows and columns of its filters.
        size: usize,
        /// How far a filter moves from one place to the next.
        #[serde(default = "one")]
        stride: usize,
        /// Rows and columns of zeros on each side.
        #[serde(default)]
        padding: usize,
        /// How `W` and `b` begin.
        #[serde(default)]
        initialization: Initialization,
        /// Whether the filters are divided by their greatest singular value (Miyato et al. 2018).
        #[serde(default, skip_serializing_if = "is_false")]
        spectral_norm: bool,
    },
    /// The greatest value of each channel in windows of `size` rows and columns; places beyond the edges do not
    /// count. Of equal values the first takes the gradient, row by row. A NaN in a window gives NaN.
    MaxPool {
        /// Rows and columns of a window.
        size: usize,
        /// How far a window moves from one place to the next.
        stride: usize,
        /// How far windows reach beyond the edges: at most half their size.
        #[serde(default)]
        padding: usize,
    },
    /// The greatest value of each channel in `height` times `width` windows that cover the image, whatever its
    /// size: window `r` begins at row `⌊r·rows/height⌋` and ends before `⌈(r+1)·rows/height⌉`, as in PyTorch.
    /// Equal values and NaN as for [`MaxPool`](Self::MaxPool).
    AdaptiveMaxPool {
        /// Rows that it gives.
        height: usize,
        /// Columns that it gives.
        width: usize,
    },
    /// `y = x + f(x)`, with layers `f` that keep the shape (He et al. 2016).
    Residual {
        /// The layers of `f`.
        layers: Vec<LayerSpec>,
    },
    /// An image becomes a vector, `[channel][row][column]`.
    Flatten,
    /// `Q[a][z] = V[z] + A[a][z] − mean over a of A[a][z]`: two branches from the same features, whose values
    /// are combined for each atom by itself (Wang et al. 2016).
    Dueling {
        /// Layers that give the value of the state: one number an atom.
        value: Vec<LayerSpec>,
        /// Layers that give the advantages, `[action][atom]`.
        advantage: Vec<LayerSpec>,
    },
    /// Implicit quantiles (Dabney et al. 2018): `y = x ⊙ relu(W·c(τ) + b)` with `c_i(τ) = cos(π·i·τ)` for
    /// `i = 0 … cosines − 1` and `W` of shape `[inputs, cosines]`. From here on there is one row for each
    /// fraction τ of each observation.
    CosineEmbedding {
        /// How many cosines there are, 64 in the paper.
        #[serde(default = "sixty_four")]
        cosines: usize,
        /// How `W` and `b` begin.
        #[serde(default)]
        initialization: Initialization,
    },
}

fn one() -> usize {
    1
}
fn half() -> f32 {
    0.5
}
fn hundredth() -> f32 {
    0.01
}
fn is_false(value: &bool) -> bool {
    !value
}
fn sixty_four() -> usize {
    64
}
fn layer_norm_epsilon() -> f32 {
    1e-5
}

/// A parameter tensor of a layer, before it has a place.
pub(super) struct LayerTensor {
    pub(super) part: &'static str,
    pub(super) shape: Vec<usize>,
}

impl LayerSpec {
    /// A linear layer that begins as PyTorch's do.
    pub fn linear(outputs: usize) -> Self {
        Self::Linear { outputs, initialization: Initialization::FanInUniform }
    }

    /// A convolution that begins as PyTorch's do.
    pub fn convolution(channels: usize, size: usize, stride: usize, padding: usize) -> Self {
        let initialization = Initialization::FanInUniform;
        Self::Convolution { channels, size, stride, padding, initialization, spectral_norm: false }
    }

    /// What the layer makes of a shape. Of the layers inside a [`Residual`](Self::Residual) or a
    /// [`Dueling`](Self::Dueling) it takes for granted that they fit; [`NetworkSpec`](super::NetworkSpec) checks
    /// them one by one.
    ///
    /// # Errors
    /// What does not fit.
    pub fn output(&self, input: Shape) -> Result<Shape, String> {
        let image = |what: &str| match input {
            Shape::Image { channels, height, width } => Ok((channels, height, width)),
            Shape::Vector { len } => Err(format!("is a {what}, which takes an image, but gets {len} values")),
        };
        let vector = |what: &str| match input {
            Shape::Vector { len } => Ok(len),
            image => Err(format!("is {what}, which takes a vector, but gets {image}; flatten it first")),
        };
        match self {
            Self::Divide { by } => {
                check_divisors(by, vector("a division")?)?;
                Ok(input)
            }
            Self::Linear { outputs, .. } | Self::NoisyLinear { outputs, .. } => {
                vector("a linear layer")?;
                positive(*outputs, "outputs")?;
                if let Self::NoisyLinear { noise, .. } = self
                    && !(noise.is_finite() && *noise >= 0.0)
                {
                    return Err(format!("has a noise of {noise}; it must be a finite number, 0 or above"));
                }
                Ok(Shape::Vector { len: *outputs })
            }
            Self::Relu | Self::Tanh | Self::Silu | Self::Gelu | Self::Residual { .. } => Ok(input),
            Self::LeakyRelu { slope } => match slope.is_finite() {
                true => Ok(input),
                false => Err(format!("has a slope of {slope}; it must be a finite number")),
            },
            Self::LayerNorm { epsilon, .. } => match epsilon.is_finite() && *epsilon > 0.0 {
                true => Ok(input),
                false => Err(format!("has an epsilon of {epsilon}; it must be above 0")),
            },
            &Self::Convolution { channels, size, stride, padding, .. } => {
                let (_, height, width) = image("convolution")?;
                positive(channels, "channels")?;
                let (height, width) = windows((height, width), size, stride, padding)?;
                Ok(Shape::Image { channels, height, width })
            }
            &Self::MaxPool { size, stride, padding } => {
                let (channels, height, width) = image("max-pooling")?;
                if padding > size / 2 {
                    return Err(format!("has a padding of {padding}; half the size of {size} is the most"));
                }
                let (height, width) = windows((height, width), size, stride, padding)?;
                Ok(Shape::Image { channels, height, width })
            }
            &Self::AdaptiveMaxPool { height, width } => {
                let (channels, ..) = image("max-pooling")?;
                positive(height, "rows")?;
                positive(width, "columns")?;
                Ok(Shape::Image { channels, height, width })
            }
            Self::Flatten => {
                image("flattening")?;
                Ok(Shape::Vector { len: input.len() })
            }
            Self::Dueling { advantage, .. } => {
                vector("a dueling head")?;
                advantage.iter().try_fold(input, |shape, layer| layer.output(shape))
            }
            Self::CosineEmbedding { cosines, .. } => {
                vector("a cosine embedding")?;
                positive(*cosines, "cosines")?;
                Ok(input)
            }
        }
    }

    /// The parameter tensors of the layer itself, those of layers inside it aside.
    pub(super) fn tensors(&self, input: Shape) -> Vec<LayerTensor> {
        let weight_and_bias = |weight: Vec<usize>| {
            let bias = vec![weight[0]];
            vec![LayerTensor { part: "weight", shape: weight }, LayerTensor { part: "bias", shape: bias }]
        };
        match (self, input) {
            (Self::Linear { outputs, .. }, _) => weight_and_bias(vec![*outputs, input.len()]),
            (Self::NoisyLinear { outputs, .. }, _) => {
                let mut tensors = weight_and_bias(vec![*outputs, input.len()]);
                let (weight, bias) = (vec![*outputs, input.len()], vec![*outputs]);
                tensors.push(LayerTensor { part: "weight_noise", shape: weight });
                tensors.push(LayerTensor { part: "bias_noise", shape: bias });
                tensors
            }
            (Self::Convolution { channels, size, .. }, Shape::Image { channels: inputs, .. }) => {
                weight_and_bias(vec![*channels, inputs, *size, *size])
            }
            (Self::LayerNorm { axes, .. }, _) => {
                let shape = match (axes, input) {
                    (NormalizedAxes::All, Shape::Image { channels, height, width }) => {
                        vec![channels, height, width]
                    }
                    (NormalizedAxes::Channels, Shape::Image { channels, .. }) => vec![channels],
                    (_, Shape::Vector { len }) => vec![len],
                };
                let bias = shape.clone();
                vec![LayerTensor { part: "weight", shape }, LayerTensor { part: "bias", shape: bias }]
            }
            (Self::CosineEmbedding { cosines, .. }, _) => weight_and_bias(vec![input.len(), *cosines]),
            _ => vec![],
        }
    }

    /// The layers inside it, each list with the name that its parameters go by.
    pub(super) fn branches(&self) -> Vec<(&'static str, &[LayerSpec])> {
        match self {
            Self::Residual { layers } => vec![("layers", layers)],
            Self::Dueling { value, advantage } => vec![("value", value), ("advantage", advantage)],
            _ => vec![],
        }
    }

    /// Checks what the layers inside it give.
    pub(super) fn check_branches(&self, input: Shape, outputs: &[Shape]) -> Result<(), String> {
        match (self, outputs) {
            (Self::Residual { .. }, [output]) if *output != input => {
                Err(format!("gives {output} on top of {input}; a residual block keeps the shape"))
            }
            (Self::Dueling { .. }, [value, advantage])
                if value.is_empty() || !advantage.len().is_multiple_of(value.len()) =>
            {
                let (value, advantage) = (value.len(), advantage.len());
                Err(format!(
                    "has {advantage} advantages for {value} values; a whole number for each is needed"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Numbers of noise that it takes: one an input, then one an output.
    pub(super) fn noise_len(&self, input: Shape) -> usize {
        match self {
            Self::NoisyLinear { outputs, .. } => input.len() + outputs,
            _ => 0,
        }
    }

    /// Multiplications with an addition for one row: those of linear layers and convolutions only.
    pub(super) fn multiply_adds(&self, input: Shape) -> usize {
        match (self, self.output(input)) {
            (Self::Linear { outputs, .. } | Self::NoisyLinear { outputs, .. }, _) => input.len() * outputs,
            (Self::CosineEmbedding { cosines, .. }, _) => input.len() * cosines,
            (Self::Convolution { size, .. }, Ok(output)) => match input {
                Shape::Image { channels, .. } => output.len() * channels * size * size,
                Shape::Vector { .. } => 0,
            },
            _ => 0,
        }
    }
}

/// The most outputs, channels, rows or columns of anything: far beyond what is of use, and small enough that no
/// product of the few that make a size leaves 64 bits.
const MOST: usize = 1 << 16;

fn positive(value: usize, what: &str) -> Result<(), String> {
    match value {
        0 => Err(format!("has 0 {what}; at least 1 is needed")),
        1..=MOST => Ok(()),
        _ => Err(format!("has {value} {what}; {MOST} are the most")),
    }
}

fn check_divisors(by: &[f32], inputs: usize) -> Result<(), String> {
    if by.len() != inputs {
        return Err(format!("divides {} elements, but gets {inputs}", by.len()));
    }
    match by.iter().any(|by| !by.is_finite() || *by == 0.0) {
        true => Err("divides by 0 or by a value that is not a finite number".into()),
        false => Ok(()),
    }
}

/// Rows and columns of the places that a window can be at.
fn windows(
    (height, width): (usize, usize),
    size: usize,
    stride: usize,
    padding: usize,
) -> Result<(usize, usize), String> {
    positive(size, "rows and columns")?;
    positive(stride, "for its stride")?;
    if padding > MOST {
        return Err(format!("has a padding of {padding}; {MOST} is the most"));
    }
    let along = |length: usize| {
        length.saturating_add(padding.saturating_mul(2)).checked_sub(size).map(|room| room / stride + 1)
    };
    match (along(height), along(width)) {
        (Some(rows), Some(columns)) => Ok((rows, columns)),
        _ => Err(format!(
            "is {size} rows and columns large, more than the {height} rows and {width} columns that it gets \
             with a padding of {padding}"
        )),
    }
}
