//! A network engine that is slow and obviously right.

mod chain;
mod images;
mod layers;
mod node;
mod pass;
mod special;
mod spectral;

pub use pass::ReferencePass;

use self::chain::Chain;
use super::reference_optimizer::ReferenceOptimizer;
use crate::network::{NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork};
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
    chain: Chain,
    optimizer: ReferenceOptimizer,
    online: Vec<f32>,
    target: Vec<f32>,
    online_noise: Option<Vec<f64>>,
    target_noise: Option<Vec<f64>>,
    /// What the last `forward_train` was given.
    trained: Trained,
    gradient: Vec<f64>,
}

/// What a pass was given that is to be followed by a backward pass.
#[derive(Clone, Debug, Default)]
struct Trained {
    parameters: Vec<f64>,
    noise: Option<Vec<f64>>,
    observation: Vec<f64>,
    fractions: Vec<f64>,
}

impl Trained {
    fn pass<'a>(&'a self, spec: &'a NetworkSpec) -> ReferencePass<'a> {
        let Self { parameters, noise, observation, fractions } = self;
        ReferencePass { spec, parameters, noise: noise.as_deref(), observation, fractions }
    }
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
            chain: Chain::new(spec),
            optimizer: ReferenceOptimizer::new(optimizer, count),
            online: initial.to_vec(),
            target: initial.to_vec(),
            online_noise: None,
            target_noise: None,
            trained: Trained::default(),
            gradient: vec![0.0; count],
        }
    }

    /// See [`ReferencePass::distance_to_kinks`]: of a pass with the online parameters.
    pub(super) fn distance_to_kinks(&self, observation: Observation<'_>, fractions: &[f32]) -> f64 {
        let given = self.given(Parameters::Online, observation, fractions);
        given.pass(&self.spec).distance_through(&self.chain)
    }

    fn given(&self, which: Parameters, observation: Observation<'_>, fractions: &[f32]) -> Trained {
        let (parameters, noise) = match which {
            Parameters::Online => (&self.online, &self.online_noise),
            Parameters::Target => (&self.target, &self.target_noise),
        };
        Trained {
            parameters: widen(parameters),
            noise: noise.clone(),
            observation: widen_observation(observation, self.spec.full_byte),
            fractions: widen(fractions),
        }
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn widen_observation(observation: Observation<'_>, full_byte: u8) -> Vec<f64> {
    match observation {
        Observation::F32(values) => widen(values),
        Observation::U8(values) => {
            values.iter().map(|value| f64::from(*value) / f64::from(full_byte)).collect()
        }
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
        narrow(
            &self.given(parameters, observation, fractions).pass(&self.spec).forward_through(&self.chain),
            output,
        );
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.trained = self.given(Parameters::Online, observation, fractions);
        narrow(&self.trained.pass(&self.spec).forward_through(&self.chain), output);
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        let given = self.given(parameters, observation, &[]);
        narrow(&given.pass(&self.spec).features_through(&self.chain), output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        if let Some(noise) = noise {
            assert_eq!(noise.len(), self.spec.noise_len(), "numbers of noise");
        }
        let set = match parameters {
            Parameters::Online => &mut self.online_noise,
            Parameters::Target => &mut self.target_noise,
        };
        *set = noise.map(widen);
    }

    fn backward(&mut self, d_output: &[f32]) {
        self.gradient = self.trained.pass(&self.spec).gradient_through(&self.chain, &widen(d_output));
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.optimizer.step(learning_rate, max_gradient_norm, &mut self.online, &self.gradient);
    }

    fn reset_optimizer(&mut self) {
        self.optimizer.reset();
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

    fn copy_gradient(&self, values: &mut [f32]) {
        narrow(&self.gradient, values);
    }

    fn add_to_parameters(&mut self, which: Parameters, step: f32, direction: &[f32]) {
        let values = match which {
            Parameters::Online => &mut self.online,
            Parameters::Target => &mut self.target,
        };
        assert_eq!(direction.len(), values.len(), "one value a parameter is needed");
        for (value, direction) in values.iter_mut().zip(direction) {
            *value = (f64::from(*value) + f64::from(step) * f64::from(*direction)) as f32;
        }
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
