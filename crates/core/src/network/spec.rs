//! A network as data: a list of layers.

use super::initialization::Initialization;
use super::layer::{LayerSpec, Shape};
use super::layout::ParameterLayout;
use crate::{ElementKind, RandomStream};

/// How the elements of an observation stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShape {
    /// A row of numbers.
    Vector {
        /// How many.
        len: usize,
    },
    /// `[channel][row][column]`: stacked frames.
    ChannelsFirst {
        /// Numbers a place.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `[row][column][channel]`: coloured pictures, and MinAtar's grids.
    ChannelsLast {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Numbers a place.
        channels: usize,
    },
}

impl InputShape {
    /// What the first layer gets.
    pub fn shape(&self) -> Shape {
        match *self {
            Self::Vector { len } => Shape::Vector { len },
            Self::ChannelsFirst { channels, height, width }
            | Self::ChannelsLast { height, width, channels } => Shape::Image { channels, height, width },
        }
    }
}

/// A network: layers one after the other, from an observation to `[action][atom]` values.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// The type of an observation's elements.
    pub element: ElementKind,
    /// The byte that counts as 1, at least 1: an observation of bytes enters the first layer divided by it. 255 for
    /// pixels, 1 for flags. It does nothing where the elements are numbers.
    pub full_byte: u8,
    /// The shape of one observation.
    pub input: InputShape,
    /// Actions.
    pub actions: usize,
    /// Values an action: 1 for the expected return, more for a distribution. 1 also where a
    /// [`LayerSpec::CosineEmbedding`] gives one value for each fraction.
    pub atoms: usize,
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
}

/// A network that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("network layer {layer}: {message}")]
pub struct SpecError {
    /// The number of the layer, counted from 0; for a layer inside another as in the names of parameters:
    /// `3.value.0`.
    pub layer: String,
    /// What was found and what is allowed.
    pub message: String,
}

/// A layer on the way through a network.
#[derive(Clone, Copy, Debug)]
pub struct LayerAt<'a> {
    /// The layer.
    pub layer: &'a LayerSpec,
    /// Its number, `2` or `3.value.0`.
    pub path: &'a str,
    /// What it gets.
    pub input: Shape,
    /// What it gives.
    pub output: Shape,
    /// How many layers it is inside of.
    pub depth: usize,
}

impl NetworkSpec {
    /// Fully connected layers of the widths `hidden` with ReLU between them and a linear last one.
    pub fn mlp(inputs: usize, hidden: &[usize], actions: usize, initialization: Initialization) -> Self {
        let mut layers = Vec::with_capacity(2 * hidden.len() + 1);
        for &outputs in hidden {
            layers.push(LayerSpec::Linear { outputs, initialization });
            layers.push(LayerSpec::Relu);
        }
        layers.push(LayerSpec::Linear { outputs: actions, initialization });
        let input = InputShape::Vector { len: inputs };
        Self { element: ElementKind::F32, full_byte: 255, input, actions, atoms: 1, layers }
    }

    /// The same network with its observations divided by `by` first.
    pub fn with_divided_observations(mut self, by: Vec<f32>) -> Self {
        self.layers.insert(0, LayerSpec::Divide { by });
        self
    }

    /// Elements of one observation.
    pub fn inputs(&self) -> usize {
        self.input.shape().len()
    }

    /// Values that one observation gives: `actions · atoms`. Where there is a cosine embedding, it gives so many
    /// for each fraction.
    pub fn outputs(&self) -> usize {
        self.actions.saturating_mul(self.atoms)
    }

    /// Whether it takes fractions with its observations.
    pub fn takes_fractions(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, LayerSpec::CosineEmbedding { .. }))
    }

    /// Values that go into the cosine embedding for one observation, what
    /// [`QNetwork::forward_features`](super::QNetwork::forward_features) gives. None where there is no embedding, and
    /// for a network that cannot be.
    pub fn features_len(&self) -> Option<usize> {
        let mut len = None;
        let walked = self.walk(&mut |at| {
            if let LayerSpec::CosineEmbedding { .. } = at.layer {
                len = Some(at.input.len());
            }
        });
        len.filter(|_| walked.is_ok())
    }

    /// Calls `visit` with every layer in the order of their parameters: a layer, then those inside it.
    ///
    /// # Errors
    /// [`SpecError`] naming the first layer that does not fit.
    pub fn walk(&self, visit: &mut dyn FnMut(LayerAt<'_>)) -> Result<(), SpecError> {
        let at = |layer: usize, message: String| Err(SpecError { layer: layer.to_string(), message });
        match self.inputs() {
            0 => return at(0, "gets 0 inputs; at least 1 is needed".into()),
            1..=MOST_VALUES => {}
            inputs => return at(0, format!("gets {inputs} inputs; {MOST_VALUES} are the most")),
        }
        if self.element == ElementKind::U8 && self.full_byte == 0 {
            return at(0, "gets bytes of which 0 counts as 1; 1 to 255 is needed".into());
        }
        self.check_places()?;
        let mut last_input = self.input.shape();
        let output = walk(&self.layers, last_input, ("", 0), &mut |at| {
            if at.depth == 0 {
                last_input = at.input;
            }
            visit(at);
        })?;
        self.check_atoms(last_input)?;
        let last = self.layers.len().saturating_sub(1);
        match output {
            Shape::Vector { len } if len == self.outputs() => Ok(()),
            Shape::Vector { len } => at(
                last,
                format!(
                    "gives {len} values, but {} actions with {} atoms need {}",
                    self.actions,
                    self.atoms,
                    self.outputs()
                ),
            ),
            image => at(last, format!("gives {image}; flatten it and let a linear layer follow")),
        }
    }

    /// Checks that what there is for each atom or each fraction is there as often. The last layer gets `last_input`.
    fn check_atoms(&self, last_input: Shape) -> Result<(), SpecError> {
        let is_embedding = |layer: &LayerSpec| matches!(layer, LayerSpec::CosineEmbedding { .. });
        let embedding = self.layers.iter().position(is_embedding);
        if let Some(layer) = embedding.filter(|_| self.atoms != 1) {
            let message = format!("gives a value for each fraction: {} atoms must be 1", self.atoms);
            return Err(SpecError { layer: layer.to_string(), message });
        }
        let Some(LayerSpec::Dueling { value, .. }) = self.layers.last() else { return Ok(()) };
        let value = walk(value, last_input, ("", 1), &mut |_| {})?.len();
        if value == self.atoms {
            return Ok(());
        }
        let message = format!("gives {value} values of a state; {} atoms need as many", self.atoms);
        Err(SpecError { layer: (self.layers.len() - 1).to_string(), message })
    }

    /// Checks what is allowed in certain places only.
    fn check_places(&self) -> Result<(), SpecError> {
        let mut embedded = false;
        for (index, layer) in self.layers.iter().enumerate() {
            let fail = |message: &str| Err(SpecError { layer: index.to_string(), message: message.into() });
            match layer {
                LayerSpec::Divide { .. } if index > 0 => {
                    return fail("is a division; only the first layer can be one");
                }
                LayerSpec::CosineEmbedding { .. } if embedded => {
                    return fail("is a second cosine embedding; one is the most");
                }
                LayerSpec::CosineEmbedding { .. } => embedded = true,
                _ => check_inside(layer, &index.to_string(), 0)?,
            }
        }
        Ok(())
    }

    /// Names, shapes and places of the parameters in one flat vector, layer by layer, weight before bias.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn layout(&self) -> Result<ParameterLayout, SpecError> {
        let mut layout = ParameterLayout::default();
        self.walk(&mut |at| {
            for tensor in at.layer.tensors(at.input) {
                layout.push(format!("layers.{}.{}", at.path, tensor.part), tensor.shape);
            }
        })?;
        Ok(layout)
    }

    /// First parameters, in the order of [`layout`](Self::layout).
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn initial_parameters(&self, stream: &mut RandomStream) -> Result<Vec<f32>, SpecError> {
        let mut parameters = Vec::with_capacity(self.layout()?.len());
        self.walk(&mut |at| at.layer.push_initial_parameters(at.input, stream, &mut parameters))?;
        Ok(parameters)
    }

    /// Numbers of noise that its noisy layers take, over all of them in their order: for each layer one an input,
    /// then one an output.
    pub fn noise_len(&self) -> usize {
        self.sum(|at| at.layer.noise_len(at.input))
    }

    /// Fills `noise` with `sgn(ε)·√|ε|` of standard normal ε, as [`QNetwork::set_noise`](super::QNetwork::set_noise)
    /// takes it.
    pub fn draw_noise(stream: &mut RandomStream, noise: &mut [f32]) {
        for value in noise {
            let normal = stream.normal_f32();
            *value = normal.abs().sqrt().copysign(normal);
        }
    }

    /// Values that its layers give for one observation, the observation's own elements included. Those from a cosine
    /// embedding on are there for each of `fractions`.
    pub fn activations_len(&self, fractions: usize) -> usize {
        let mut times = 1;
        let layers = self.sum(|at| {
            if let LayerSpec::CosineEmbedding { .. } = at.layer {
                times = fractions;
            }
            at.output.len().saturating_mul(times)
        });
        self.inputs() + layers
    }

    /// Multiplications with an addition that one forward pass of one observation takes, in linear layers and
    /// convolutions. Those behind a cosine embedding count once.
    pub fn multiply_adds(&self) -> usize {
        self.sum(|at| at.layer.multiply_adds(at.input))
    }

    /// Multiplications with an addition of one gradient step on `batch` transitions with one target pass: two
    /// forward passes, the gradient by the weights, and that by the inputs of all layers but the first.
    pub fn gradient_step_multiply_adds(&self, batch: usize) -> usize {
        let mut first = None;
        let all = self.sum(|at| {
            let count = at.layer.multiply_adds(at.input);
            if count > 0 {
                first.get_or_insert(count);
            }
            count
        });
        batch * (4 * all - first.unwrap_or(0))
    }

    /// The sum over all layers; 0 for a network that cannot be.
    fn sum(&self, mut count: impl FnMut(LayerAt<'_>) -> usize) -> usize {
        let mut sum = 0;
        let walked = self.walk(&mut |at| sum += count(at));
        if walked.is_ok() { sum } else { 0 }
    }
}

/// The most elements of what one layer gives, and of one tensor of parameters: 2⁴⁰, so that no sum or product of
/// what is allowed leaves 64 bits.
const MOST_VALUES: usize = 1 << 40;
/// The most layers that a layer can be inside of.
const MOST_DEPTH: usize = 8;

/// Walks through layers that follow each other; gives what comes out.
fn walk(
    layers: &[LayerSpec],
    input: Shape,
    (prefix, depth): (&str, usize),
    visit: &mut dyn FnMut(LayerAt<'_>),
) -> Result<Shape, SpecError> {
    let mut shape = input;
    for (index, layer) in layers.iter().enumerate() {
        let path = format!("{prefix}{index}");
        let fail = |message| SpecError { layer: path.clone(), message };
        // A layer whose branches do not fit has no output to speak of: they are asked first.
        let mut ignore = |_: LayerAt<'_>| {};
        let mut outputs = vec![];
        for (name, branch) in layer.branches() {
            outputs.push(walk(branch, shape, (&format!("{path}.{name}."), depth + 1), &mut ignore)?);
        }
        let output = layer.output(shape).map_err(fail)?;
        layer.check_branches(shape, &outputs).map_err(fail)?;
        check_sizes(layer, shape, output).map_err(fail)?;
        visit(LayerAt { layer, path: &path, input: shape, output, depth });
        for (name, branch) in layer.branches() {
            walk(branch, shape, (&format!("{path}.{name}."), depth + 1), visit)?;
        }
        shape = output;
    }
    Ok(shape)
}

/// Refuses what no memory could hold, before anybody multiplies with it.
fn check_sizes(layer: &LayerSpec, input: Shape, output: Shape) -> Result<(), String> {
    let product = |shape: &[usize]| shape.iter().fold(1usize, |product, len| product.saturating_mul(*len));
    let tensors = layer.tensors(input).into_iter().map(|tensor| (product(&tensor.shape), "parameters"));
    for (count, what) in tensors.chain([(output.len(), "values")]) {
        if count > MOST_VALUES {
            return Err(format!("has {count} {what}; {MOST_VALUES} are the most"));
        }
    }
    Ok(())
}

/// Refuses inside other layers what can only stand by itself, and what is inside too many.
fn check_inside(layer: &LayerSpec, path: &str, depth: usize) -> Result<(), SpecError> {
    if depth > MOST_DEPTH {
        let message = format!("is inside {depth} layers; {MOST_DEPTH} are the most");
        return Err(SpecError { layer: path.to_string(), message });
    }
    for (name, branch) in layer.branches() {
        for (index, inner) in branch.iter().enumerate() {
            let path = format!("{path}.{name}.{index}");
            let what = match inner {
                LayerSpec::Divide { .. } => "a division",
                LayerSpec::CosineEmbedding { .. } => "a cosine embedding",
                LayerSpec::Dueling { .. } => "a dueling head",
                _ => {
                    check_inside(inner, &path, depth + 1)?;
                    continue;
                }
            };
            let message = format!("is {what}, which cannot stand inside another layer");
            return Err(SpecError { layer: path, message });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mlp_has_pytorchs_shapes() {
        let spec = NetworkSpec::mlp(4, &[24, 24], 2, Initialization::FanInUniform);
        let layout = spec.layout().unwrap();
        let shapes: Vec<_> = layout.tensors().iter().map(|t| (t.name.as_str(), t.shape.clone())).collect();
        assert_eq!(shapes[0], ("layers.0.weight", vec![24, 4]));
        assert_eq!(shapes[5], ("layers.4.bias", vec![2]));
        assert_eq!(layout.len(), 4 * 24 + 24 + 24 * 24 + 24 + 24 * 2 + 2);
        assert_eq!(spec.multiply_adds(), 4 * 24 + 24 * 24 + 24 * 2);
    }

    #[test]
    fn layers_that_do_not_fit_are_named() {
        let mut spec = NetworkSpec::mlp(4, &[8], 2, Initialization::FanInUniform);
        spec.actions = 3;
        let error = spec.layout().unwrap_err().to_string();
        assert_eq!(error, "network layer 2: gives 2 values, but 3 actions with 1 atoms need 3");
        let spec = NetworkSpec::mlp(4, &[8], 2, Initialization::FanInUniform);
        let error = spec.with_divided_observations(vec![1.0, 0.0, 1.0, 1.0]).layout().unwrap_err();
        assert_eq!(error.layer, "0");
    }

    /// Otherwise the mean of the advantages would go over atoms.
    #[test]
    fn values_are_there_for_each_atom() {
        let layers = vec![LayerSpec::Dueling {
            value: vec![LayerSpec::linear(1)],
            advantage: vec![LayerSpec::linear(6)],
        }];
        let mut spec = NetworkSpec { layers, ..NetworkSpec::mlp(4, &[], 6, Initialization::FanInUniform) };
        assert!(spec.layout().is_ok());
        (spec.actions, spec.atoms) = (2, 3);
        let error = spec.layout().unwrap_err().to_string();
        assert_eq!(error, "network layer 0: gives 1 values of a state; 3 atoms need as many");
        let embedding =
            LayerSpec::CosineEmbedding { cosines: 4, initialization: Initialization::FanInUniform };
        spec.layers = vec![embedding, LayerSpec::linear(6)];
        assert_eq!(spec.layout().unwrap_err().layer, "0");
        (spec.actions, spec.atoms) = (6, 1);
        assert!(spec.layout().is_ok());
    }

    #[test]
    fn sizes_that_no_memory_holds_are_refused() {
        let image = |layer: LayerSpec| {
            let layers = vec![layer, LayerSpec::Flatten, LayerSpec::linear(2)];
            let input = InputShape::ChannelsLast { height: 10, width: 10, channels: 2 };
            NetworkSpec { element: ElementKind::F32, full_byte: 255, input, actions: 2, atoms: 1, layers }
                .layout()
        };
        for layer in [
            LayerSpec::convolution(2, 1, 1 << 62, 1 << 62),
            LayerSpec::convolution(4, 1 << 32, 1, 1 << 31),
            LayerSpec::convolution(1 << 16, 1 << 16, 1, 1 << 16),
            LayerSpec::convolution(1 << 40, 1, 1, 0),
            LayerSpec::MaxPool { size: usize::MAX, stride: 1, padding: usize::MAX / 2 },
        ] {
            assert_eq!(image(layer.clone()).unwrap_err().layer, "0", "{layer:?}");
        }
        let mut spec = NetworkSpec::mlp(4, &[], 2, Initialization::FanInUniform);
        (spec.actions, spec.atoms) = ((1 << 63) + 1, 2);
        assert!(spec.layout().is_err());
        spec.input = InputShape::Vector { len: usize::MAX };
        assert!(spec.layout().is_err());
    }

    #[test]
    fn layers_deep_inside_each_other_are_refused_at_once() {
        let mut layer = LayerSpec::Relu;
        for _ in 0..60 {
            layer = LayerSpec::Residual { layers: vec![layer] };
        }
        let mut spec = NetworkSpec::mlp(4, &[], 2, Initialization::FanInUniform);
        spec.layers.insert(0, layer);
        assert!(spec.layout().unwrap_err().to_string().contains("8 are the most"));
    }

    #[test]
    fn noise_is_a_number() {
        for noise in [f32::NAN, f32::INFINITY, -0.5] {
            let mut spec = NetworkSpec::mlp(4, &[], 2, Initialization::FanInUniform);
            spec.layers = vec![LayerSpec::NoisyLinear { outputs: 2, noise }];
            assert_eq!(spec.layout().unwrap_err().layer, "0");
        }
    }

    #[test]
    fn first_parameters_keep_their_bounds() {
        for (initialization, weight, bias) in [
            (Initialization::FanInUniform, 0.5, 0.5),
            (Initialization::GlorotUniform, (6.0f32 / 104.0).sqrt(), 0.0),
        ] {
            let spec = NetworkSpec::mlp(4, &[100], 2, initialization);
            let parameters = spec.initial_parameters(&mut RandomStream::new(1, "initialization", 0)).unwrap();
            let greatest = |range: std::ops::Range<usize>| {
                parameters[range].iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()))
            };
            assert!(greatest(0..400) <= weight && greatest(0..400) > 0.97 * weight);
            assert!(greatest(400..500) <= bias && greatest(400..500) >= 0.9 * bias);
        }
    }

    #[test]
    fn glorots_biases_are_zero_and_not_drawn() {
        let spec = NetworkSpec::mlp(4, &[10], 2, Initialization::GlorotUniform);
        let (mut stream, mut weights_only) =
            (RandomStream::new(1, "initialization", 0), RandomStream::new(1, "initialization", 0));
        let parameters = spec.initial_parameters(&mut stream).unwrap();
        for tensor in spec.layout().unwrap().tensors() {
            if tensor.name.ends_with("bias") {
                assert!(parameters[tensor.range()].iter().all(|bias| bias.to_bits() == 0), "{}", tensor.name);
            } else {
                for _ in tensor.range() {
                    weights_only.uniform_f32();
                }
            }
        }
        assert_eq!(stream.uniform_f32(), weights_only.uniform_f32());
    }
}
