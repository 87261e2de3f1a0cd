//! Layers that follow each other, forward and backward.

use super::node::Node;
use crate::network::{LayerSpec, NetworkSpec, ParameterLayout, Shape};

/// What layers read besides what they are given.
pub(super) struct Values<'a> {
    pub(super) parameters: &'a [f64],
    pub(super) noise: Option<&'a [f64]>,
    pub(super) fraction: Option<f64>,
}

/// Layers that follow each other.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    nodes: Vec<Node>,
    /// Parameters of the whole network.
    parameters: usize,
}

/// What went through a chain.
pub(super) struct Trace {
    /// What each layer was given.
    taken: Vec<Vec<f64>>,
    /// What went through the branches of each layer.
    branches: Vec<Vec<Trace>>,
    /// What the last layer gave.
    pub(super) given: Vec<f64>,
}

/// What is known while a chain is built: the layout, and how much noise has been given to layers.
struct Builder<'a> {
    layout: &'a ParameterLayout,
    noise: usize,
}

impl Builder<'_> {
    fn chain(&mut self, layers: &[LayerSpec], prefix: &str, mut shape: Shape) -> Chain {
        let mut nodes = vec![];
        for (index, layer) in layers.iter().enumerate() {
            let node = self.node(layer, &format!("{prefix}{index}."), shape);
            shape = node.output;
            nodes.push(node);
        }
        Chain { nodes, parameters: self.layout.len() }
    }

    fn node(&mut self, layer: &LayerSpec, name: &str, input: Shape) -> Node {
        let output = layer.output(input).unwrap_or_else(|error| panic!("{name} {error}"));
        let tensors = self.layout.tensors().iter().filter_map(|tensor| {
            let part = tensor.name.strip_prefix(name)?;
            Some((part.to_string(), tensor.range()))
        });
        let tensors = tensors.collect();
        let noise = match layer {
            LayerSpec::NoisyLinear { outputs, .. } => self.noise..self.noise + input.len() + outputs,
            _ => 0..0,
        };
        self.noise += noise.len();
        let branches: Vec<(&str, &[LayerSpec])> = match layer {
            LayerSpec::Residual { layers } => vec![("layers", layers)],
            LayerSpec::Dueling { value, advantage } => vec![("value", value), ("advantage", advantage)],
            _ => vec![],
        };
        let branches = branches
            .into_iter()
            .map(|(branch, layers)| self.chain(layers, &format!("{name}{branch}."), input));
        let branches = branches.collect();
        Node { layer: layer.clone(), input, output, tensors, noise, branches }
    }
}

impl Chain {
    /// All layers of a network.
    pub(super) fn new(spec: &NetworkSpec) -> Self {
        let layout = spec.layout().unwrap_or_else(|error| panic!("{error}"));
        Builder { layout: &layout, noise: 0 }.chain(&spec.layers, "layers.", spec.input.shape())
    }

    /// Parameters of the whole network.
    pub(super) fn parameters(&self) -> usize {
        self.parameters
    }

    /// What goes through the chain for `x`.
    pub(super) fn forward(&self, values: &Values<'_>, x: &[f64]) -> Trace {
        self.forward_before(self.nodes.len(), values, x)
    }

    /// What goes into the cosine embedding for `x`.
    pub(super) fn features(&self, values: &Values<'_>, x: &[f64]) -> Vec<f64> {
        let is_embedding = |node: &Node| matches!(node.layer, LayerSpec::CosineEmbedding { .. });
        let embedding = self.nodes.iter().position(is_embedding).unwrap_or_else(|| panic!("no embedding"));
        self.forward_before(embedding, values, x).given
    }

    fn forward_before(&self, end: usize, values: &Values<'_>, x: &[f64]) -> Trace {
        let mut trace = Trace { taken: vec![], branches: vec![], given: x.to_vec() };
        for node in &self.nodes[..end] {
            let x = std::mem::take(&mut trace.given);
            let branches: Vec<Trace> =
                node.branches.iter().map(|branch| branch.forward(values, &x)).collect();
            trace.given = node.forward(values, &x, &branches);
            trace.taken.push(x);
            trace.branches.push(branches);
        }
        trace
    }

    /// Adds to `gradient` that by the parameters; gives that by what the chain was given.
    pub(super) fn backward(
        &self,
        values: &Values<'_>,
        trace: &Trace,
        d_given: Vec<f64>,
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let mut d = d_given;
        for (index, node) in self.nodes.iter().enumerate().rev() {
            d = node.backward(values, (&trace.taken[index], &trace.branches[index]), d, gradient);
        }
        d
    }

    /// See [`ReferencePass::distance_to_kinks`](super::ReferencePass).
    pub(super) fn distance_to_kinks(&self, values: &Values<'_>, trace: &Trace) -> f64 {
        let mut least = f64::INFINITY;
        for (index, node) in self.nodes.iter().enumerate() {
            least = least.min(node.distance_to_kinks(values, &trace.taken[index]));
            for (branch, trace) in node.branches.iter().zip(&trace.branches[index]) {
                least = least.min(branch.distance_to_kinks(values, trace));
            }
        }
        least
    }
}
