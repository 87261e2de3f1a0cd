//! A network engine that is slow and obviously right.

use super::reference_optimizer::ReferenceOptimizer;
use crate::network::{
    LayerSpec, NetworkSpec, OptimizerConfig, ParameterLayout, ParameterTensor, Parameters, QNetwork,
};
use crate::{Observation, StateError, StateReader, StateWriter};

/// A network engine that computes everything in `f64`, one number after the other.
///
/// Observations of bytes are divided by 255 before the first layer.
///
/// Parameters are rounded to `f32` after each step, as every engine hands them out: so a network made from
/// [`parameters`](QNetwork::parameters) and the optimiser's state goes on to the bit.
#[derive(Clone, Debug)]
pub struct ReferenceNetwork {
    spec: NetworkSpec,
    layout: ParameterLayout,
    optimizer: ReferenceOptimizer,
    online: Vec<f32>,
    target: Vec<f32>,
    /// What each layer was given in the last `forward_train`, and at the end what the last one gave.
    activations: Vec<Vec<f64>>,
    gradient: Vec<f64>,
}

impl ReferenceNetwork {
    /// A network with the parameters `initial`, online and target.
    ///
    /// # Panics
    /// If `spec` cannot be, or if there are more or fewer parameters than it has.
    pub fn new(spec: &NetworkSpec, optimizer: OptimizerConfig, initial: &[f32]) -> Self {
        let layout = spec.layout().unwrap_or_else(|error| panic!("{error}"));
        let count = layout.len();
        assert_eq!(initial.len(), count, "parameters of {spec:?}");
        Self {
            spec: spec.clone(),
            layout,
            optimizer: ReferenceOptimizer::new(optimizer, count),
            online: initial.to_vec(),
            target: initial.to_vec(),
            activations: vec![],
            gradient: vec![0.0; count],
        }
    }
}

/// The outputs `[batch][action][atom]` of a network for the observations `[batch][inputs]`, all in `f64`.
///
/// # Panics
/// If `spec` cannot be, or if a slice has not the length it asks for.
pub fn reference_forward(spec: &NetworkSpec, parameters: &[f64], observation: &[f64]) -> Vec<f64> {
    let layout = spec.layout().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parameters.len(), layout.len(), "parameters of {spec:?}");
    activations(spec, &layout, parameters, observation.to_vec()).pop().unwrap_or_default()
}

/// What each layer is given, and at the end what the last one gives.
fn activations(
    spec: &NetworkSpec,
    layout: &ParameterLayout,
    parameters: &[f64],
    observation: Vec<f64>,
) -> Vec<Vec<f64>> {
    assert_eq!(observation.len() % spec.inputs(), 0, "a whole number of observations");
    let batch = observation.len() / spec.inputs();
    let mut activations = vec![observation];
    for (index, layer) in spec.layers.iter().enumerate() {
        let x = &activations[index];
        let inputs = x.len() / batch.max(1);
        let y = match layer {
            LayerSpec::Divide { by } => {
                x.iter().enumerate().map(|(i, x)| x / f64::from(by[i % inputs])).collect()
            }
            LayerSpec::Relu => x.iter().map(|x| if *x < 0.0 { 0.0 } else { *x }).collect(),
            LayerSpec::Linear { outputs, .. } => {
                let weight = &parameters[tensor(layout, index, "weight").range()];
                let bias = &parameters[tensor(layout, index, "bias").range()];
                let mut y = vec![0.0; batch * outputs];
                for b in 0..batch {
                    for o in 0..*outputs {
                        let sum: f64 = (0..inputs).map(|i| weight[o * inputs + i] * x[b * inputs + i]).sum();
                        y[b * outputs + o] = sum + bias[o];
                    }
                }
                y
            }
            other => panic!("the reference has no {other:?} yet"),
        };
        activations.push(y);
    }
    activations
}

fn tensor<'a>(layout: &'a ParameterLayout, layer: usize, part: &str) -> &'a ParameterTensor {
    let name = format!("layers.{layer}.{part}");
    let found = layout.tensors().iter().find(|tensor| tensor.name == name);
    found.unwrap_or_else(|| panic!("the layout has no {name}"))
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn widen_observation(observation: Observation<'_>) -> Vec<f64> {
    match observation {
        Observation::F32(values) => widen(values),
        Observation::U8(values) => values.iter().map(|value| f64::from(*value) / 255.0).collect(),
    }
}

fn narrow(from: &[f64], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "the length of the output");
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
}

impl QNetwork for ReferenceNetwork {
    fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        let parameters = match parameters {
            Parameters::Online => widen(&self.online),
            Parameters::Target => widen(&self.target),
        };
        assert!(fractions.is_empty());
        narrow(&reference_forward(&self.spec, &parameters, &widen_observation(observation)), output);
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        assert!(fractions.is_empty());
        let observation = widen_observation(observation);
        self.activations = activations(&self.spec, &self.layout, &widen(&self.online), observation);
        narrow(&self.activations[self.spec.layers.len()], output);
    }

    fn set_noise(&mut self, _: Parameters, noise: Option<&[f32]>) {
        assert!(noise.is_none());
    }

    fn backward(&mut self, d_output: &[f32]) {
        let parameters = widen(&self.online);
        let batch = self.activations[0].len() / self.spec.inputs();
        assert_eq!(d_output.len(), batch * self.spec.outputs(), "the length of d_output");
        self.gradient.fill(0.0);
        let mut d_y = widen(d_output);
        for (index, layer) in self.spec.layers.iter().enumerate().rev() {
            let x = &self.activations[index];
            let inputs = x.len() / batch.max(1);
            let mut d_x = vec![0.0; x.len()];
            match layer {
                LayerSpec::Divide { by } => {
                    for i in 0..x.len() {
                        d_x[i] = d_y[i] / f64::from(by[i % inputs]);
                    }
                }
                LayerSpec::Relu => {
                    for i in 0..x.len() {
                        d_x[i] = if x[i] > 0.0 { d_y[i] } else { 0.0 };
                    }
                }
                LayerSpec::Linear { outputs, .. } => {
                    let weight = tensor(&self.layout, index, "weight").offset;
                    let bias = tensor(&self.layout, index, "bias").offset;
                    for b in 0..batch {
                        for o in 0..*outputs {
                            let d = d_y[b * outputs + o];
                            self.gradient[bias + o] += d;
                            for i in 0..inputs {
                                self.gradient[weight + o * inputs + i] += d * x[b * inputs + i];
                                d_x[b * inputs + i] += d * parameters[weight + o * inputs + i];
                            }
                        }
                    }
                }
                other => panic!("the reference has no {other:?} yet"),
            }
            d_y = d_x;
        }
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.optimizer.step(learning_rate, max_gradient_norm, &mut self.online, &self.gradient);
    }

    fn update_target(&mut self, tau: f32) {
        if tau == 1.0 {
            return self.target.copy_from_slice(&self.online);
        }
        for (target, online) in self.target.iter_mut().zip(&self.online) {
            let (from, to) = (f64::from(*target), f64::from(*online));
            *target = (from + f64::from(tau) * (to - from)) as f32;
        }
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        match which {
            Parameters::Online => self.online.clone(),
            Parameters::Target => self.target.clone(),
        }
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        match which {
            Parameters::Online => self.online.copy_from_slice(values),
            Parameters::Target => self.target.copy_from_slice(values),
        }
    }

    fn gradient(&self) -> Vec<f32> {
        self.gradient.iter().map(|value| *value as f32).collect()
    }

    fn gradient_steps(&self) -> u64 {
        self.optimizer.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.optimizer.save(state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.optimizer.load(state)
    }
}
