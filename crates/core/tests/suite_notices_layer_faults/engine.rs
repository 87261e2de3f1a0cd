//! A network engine in `f32`, that differentiates on a tape.

use deepq_core::network::{
    Initialization, LayerSpec, NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork,
};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{Observation, StateError, StateReader, StateWriter};

use crate::Fault;
use crate::forward::{Forward, Row};
use crate::tape::{Tape, Var};

/// One set of parameters with its noise.
#[derive(Clone, Default)]
struct Set {
    parameters: Vec<f32>,
    noise: Option<Vec<f32>>,
    /// The parameters when the noise was set.
    at_noise: Vec<f32>,
}

pub(crate) struct TapeNetwork {
    fault: Fault,
    spec: NetworkSpec,
    layout: ParameterLayout,
    online: Set,
    target: Set,
    /// The tape of the last pass to be followed by a backward pass, and the outputs on it in their order.
    trained: (Tape, Vec<Var>),
    gradient: Vec<f32>,
    /// A linear layer with as many parameters: it steps along the gradient that its observations make.
    stepper: ReferenceNetwork,
}

impl TapeNetwork {
    pub(crate) fn new(fault: Fault, spec: &NetworkSpec, optimizer: OptimizerConfig, initial: &[f32]) -> Self {
        let layout = spec.layout().unwrap();
        let stepper = NetworkSpec::mlp(layout.len() - 1, &[], 1, Initialization::FanInUniform);
        let set = Set { parameters: initial.to_vec(), ..Set::default() };
        Self {
            fault,
            spec: spec.clone(),
            gradient: vec![0.0; layout.len()],
            stepper: ReferenceNetwork::new(&stepper, optimizer, initial),
            layout,
            online: set.clone(),
            target: set,
            trained: (Tape::default(), vec![]),
        }
    }

    fn set(&mut self, which: Parameters) -> &mut Set {
        match which {
            Parameters::Online => &mut self.online,
            Parameters::Target => &mut self.target,
        }
    }

    /// A pass with the tape it leaves; its parameters are the first on it.
    fn pass(&self, set: &Set, observation: Observation<'_>, fractions: &[f32]) -> (Tape, Vec<Var>) {
        let (tape, rows) = self.rows(set, observation, fractions, &self.spec.layers);
        let observations = observation.len() / self.spec.inputs();
        (tape, self.in_order(&rows, fractions.len() / observations.max(1)))
    }

    /// The rows that some layers give, the first ones of the network.
    fn rows(
        &self,
        set: &Set,
        observation: Observation<'_>,
        fractions: &[f32],
        layers: &[LayerSpec],
    ) -> (Tape, Vec<Row>) {
        let observation: Vec<f32> = match observation {
            Observation::F32(values) => values.to_vec(),
            Observation::U8(bytes) => {
                bytes.iter().map(|byte| f32::from(*byte) / f32::from(self.spec.full_byte)).collect()
            }
        };
        assert!(observation.len().is_multiple_of(self.spec.inputs()), "a part of an observation");
        let batch = observation.len() / self.spec.inputs();
        let takes_fractions = layers.iter().any(|layer| matches!(layer, LayerSpec::CosineEmbedding { .. }));
        assert_eq!(fractions.is_empty(), !takes_fractions, "fractions");
        assert!(fractions.len().is_multiple_of(batch.max(1)), "fractions of {batch} observations");
        let parameters = match self.fault {
            Fault::NoiseFoldedOnce if set.noise.is_some() => &set.at_noise,
            _ => &set.parameters,
        };
        let mut tape = Tape::default();
        let parameters: Vec<Var> = parameters.iter().map(|value| tape.leaf(*value)).collect();
        let noise = set.noise.as_ref().map(|noise| noise.iter());
        let (fault, parameters) = (self.fault, parameters.into_iter());
        let mut forward = Forward { fault, tape, parameters, noise, fractions };
        let rows = forward.network(&self.spec, layers, &observation);
        let all = layers.len() == self.spec.layers.len();
        assert!(!all || forward.parameters.len() == 0, "parameters that no layer took");
        (forward.tape, rows)
    }

    /// `[batch][action][fraction]` from rows `[batch][fraction]`.
    fn in_order(&self, rows: &[Row], fractions: usize) -> Vec<Var> {
        if fractions == 0 || self.fault == Fault::FractionsBeforeActions {
            return rows.concat();
        }
        let outputs = self.spec.outputs();
        let observations = rows.chunks(fractions);
        observations.flat_map(|rows| (0..outputs).flat_map(|o| rows.iter().map(move |row| row[o]))).collect()
    }
}

fn write(tape: &Tape, outputs: &[Var], to: &mut [f32]) {
    assert_eq!(outputs.len(), to.len(), "the length of the output");
    to.iter_mut().zip(outputs).for_each(|(to, output)| *to = tape.value(*output));
}

impl QNetwork for TapeNetwork {
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
        let set = self.set(parameters).clone();
        let (tape, outputs) = self.pass(&set, observation, fractions);
        write(&tape, &outputs, output);
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.trained = self.pass(&self.online, observation, fractions);
        write(&self.trained.0, &self.trained.1, output);
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        let is_embedding = |layer: &LayerSpec| matches!(layer, LayerSpec::CosineEmbedding { .. });
        let end = self.spec.layers.iter().position(is_embedding).expect("a cosine embedding");
        let end = if self.fault == Fault::FeaturesTooEarly { end.saturating_sub(1) } else { end };
        let which = if self.fault == Fault::FeaturesOfOnline { Parameters::Online } else { parameters };
        let set = self.set(which).clone();
        let (tape, rows) = self.rows(&set, observation, &[], &self.spec.layers[..end]);
        write(&tape, &rows.concat(), output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        if let Some(noise) = noise {
            assert_eq!(noise.len(), self.spec.noise_len(), "numbers of noise");
        }
        if noise.is_none() && self.fault == Fault::NoiseKept {
            return;
        }
        let which = match self.fault {
            Fault::NoiseShared => vec![Parameters::Online, Parameters::Target],
            Fault::NoiseForOnlineOnly => vec![Parameters::Online],
            _ => vec![parameters],
        };
        for which in which {
            let set = self.set(which);
            set.at_noise = set.parameters.clone();
            set.noise = noise.map(<[f32]>::to_vec);
        }
    }

    fn backward(&mut self, d_output: &[f32]) {
        let (tape, outputs) = &self.trained;
        assert_eq!(d_output.len(), outputs.len(), "the length of d_output");
        let of: Vec<(Var, f32)> = outputs.iter().copied().zip(d_output.iter().copied()).collect();
        self.gradient = tape.gradient(&of, self.layout.len());
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        let Some((last, others)) = self.gradient.split_last() else { return };
        // The gradient by the weights is the first observation, that by the bias 1 - 1 + `last`.
        let zeros = vec![0.0; 2 * others.len()];
        let observations = [others, &zeros].concat();
        self.stepper.set_parameters(Parameters::Online, &self.online.parameters);
        self.stepper.forward_train(Observation::F32(&observations), &mut [0.0; 3]);
        self.stepper.backward(&[1.0, -1.0, *last]);
        self.stepper.optimizer_step(learning_rate, max_gradient_norm);
        self.online.parameters = self.stepper.parameters(Parameters::Online);
    }

    fn reset_optimizer(&mut self) {
        self.stepper.reset_optimizer();
    }

    fn update_target(&mut self, tau: f32) {
        for (target, online) in self.target.parameters.iter_mut().zip(&self.online.parameters) {
            *target = if tau == 1.0 { *online } else { *target + tau * (online - *target) };
        }
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        match which {
            Parameters::Online => self.online.parameters.clone(),
            Parameters::Target => self.target.parameters.clone(),
        }
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        self.set(which).parameters.copy_from_slice(values);
    }

    fn gradient(&self) -> Vec<f32> {
        self.gradient.clone()
    }

    fn gradient_steps(&self) -> u64 {
        self.stepper.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.stepper.save_optimizer(state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stepper.load_optimizer(state)
    }
}
