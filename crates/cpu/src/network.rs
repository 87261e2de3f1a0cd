//! A network with its parameters, its target and its optimiser.

use deepq_core::network::{NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork, SpecError};
use deepq_core::{Observation, RandomStream, StateError, StateReader, StateWriter};

use crate::InstructionSet;
use crate::aligned::AlignedBuffer;
use crate::instruction_set::InstructionSetError;
use crate::kernels::{Batch, ForwardRoom, Kernels, Team, TrainingRoom, Weights};
use crate::optimizer::OptimizerState;
use crate::plan::Plan;

/// Why a network could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Its layers do not fit each other or this engine.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its kernels cannot run here.
    #[error(transparent)]
    InstructionSet(#[from] InstructionSetError),
}

/// A network on the processor, in `f32`.
///
/// It takes every layer of [`LayerSpec`](deepq_core::network::LayerSpec), of any width and for batches of any
/// size. Observations of bytes are divided by the network's full byte.
///
/// # Same bits everywhere
/// Every sum has a fixed order and every step of it is one fused multiply-add, so that each
/// [`InstructionSet`] and any number of threads give the same bits, and so do one observation alone and the same
/// observation inside any batch. ReLU is `0` where `x < 0`, else `x`: NaN stays NaN and −0 stays −0; its gradient
/// is 0 where the output is at most 0.
///
/// # Panics
/// The functions of [`QNetwork`] panic where the lengths of the slices do not fit each other or the network:
/// that is a fault of the calling program.
#[derive(Debug)]
pub struct CpuNetwork {
    spec: NetworkSpec,
    plan: Plan,
    kernels: Kernels,
    team: Team,
    optimizer: OptimizerState,
    online: ParameterSet,
    target: ParameterSet,
    gradient: AlignedBuffer,
    forward_room: ForwardRoom,
    training_room: TrainingRoom,
    /// The noise of the last forward pass that was trained: it may have changed when the gradient comes back.
    trained_noise: Noise,
}

/// The noise of a set of parameters, and what it makes of them.
#[derive(Debug)]
struct Noise {
    /// Zeros where there is no noise.
    values: AlignedBuffer,
    /// Whether there is noise.
    there: bool,
    /// The weights of noisy layers with their noise.
    effective: AlignedBuffer,
}

impl Noise {
    fn none(plan: &Plan) -> Self {
        let values = AlignedBuffer::zeros(plan.noise_len);
        Self { values, there: false, effective: AlignedBuffer::zeros(plan.program.effective_len) }
    }

    /// Becomes a copy of another one.
    fn copy_from(&mut self, other: &Self) {
        if self.there || other.there {
            self.values.copy_from_slice(&other.values);
            self.effective.copy_from_slice(&other.effective);
            self.there = other.there;
        }
    }

    /// The parameters of `set` with this noise.
    fn weights<'a>(&'a self, set: &'a ParameterSet) -> Weights<'a> {
        let effective = self.there.then_some(&*self.effective);
        Weights { parameters: &set.values, effective, noise: &self.values, normalized: &set.normalized }
    }
}

/// One set of parameters with its noise, and what is worked out from them once, not once a pass.
#[derive(Debug)]
struct ParameterSet {
    values: AlignedBuffer,
    noise: Noise,
    /// Whether the weights with noise belong to the present values and the present noise.
    applied: bool,
    /// Filters with spectral normalisation.
    normalized: AlignedBuffer,
    /// Whether they belong to the present values.
    up_to_date: bool,
}

impl ParameterSet {
    fn new(plan: &Plan, canonical: &[f32]) -> Self {
        let mut values = AlignedBuffer::zeros(plan.program.parameters_len);
        plan.take_canonical(canonical, &mut values);
        let normalized = AlignedBuffer::zeros(plan.program.normalized_len);
        Self { values, noise: Noise::none(plan), applied: false, normalized, up_to_date: false }
    }

    /// The values, to be changed.
    fn values_mut(&mut self) -> &mut AlignedBuffer {
        (self.applied, self.up_to_date) = (false, false);
        &mut self.values
    }

    fn set_noise(&mut self, plan: &Plan, noise: Option<&[f32]>) {
        match noise {
            Some(noise) => plan.take_noise(noise, &mut self.noise.values),
            None => self.noise.values.fill(0.0),
        }
        self.noise.there = noise.is_some();
        self.applied = false;
    }

    /// Brings the weights with noise and the normalised filters up to date.
    fn prepare(&mut self, plan: &Plan, kernels: &Kernels) {
        if !self.up_to_date {
            kernels.normalize(&plan.program, &self.values, &mut self.normalized);
            self.up_to_date = true;
        }
        if self.noise.there && !self.applied {
            let Noise { values, effective, .. } = &mut self.noise;
            kernels.apply_noise(&plan.program, &self.values, values, effective);
            self.applied = true;
        }
    }

    fn weights(&self) -> Weights<'_> {
        self.noise.weights(self)
    }
}

impl CpuNetwork {
    /// A network with first parameters from `stream`, the target a copy of them, on the instruction set that
    /// [`InstructionSet::from_environment`] gives.
    ///
    /// Where the environment asks for a set that cannot be had, the best one there is is taken: the results are
    /// the same. A program tells its user by calling [`InstructionSet::from_environment`] itself.
    ///
    /// # Errors
    /// Where the layers do not fit each other or this engine.
    pub fn new(
        spec: &NetworkSpec,
        optimizer: OptimizerConfig,
        stream: &mut RandomStream,
    ) -> Result<Self, SpecError> {
        let set = InstructionSet::from_environment().unwrap_or_else(|_| InstructionSet::detect());
        let kernels = Kernels::new(set).unwrap_or(Kernels::PORTABLE);
        Self::with_kernels(spec, optimizer, stream, kernels)
    }

    /// As [`new`](Self::new), on a given instruction set.
    ///
    /// # Errors
    /// Where the layers do not fit each other or this engine, or the processor has not got the set.
    pub fn with_instruction_set(
        spec: &NetworkSpec,
        optimizer: OptimizerConfig,
        stream: &mut RandomStream,
        instruction_set: InstructionSet,
    ) -> Result<Self, NetworkError> {
        let kernels = Kernels::new(instruction_set).ok_or_else(|| InstructionSetError::Unsupported {
            found: instruction_set,
            supported: InstructionSet::supported(),
        })?;
        Ok(Self::with_kernels(spec, optimizer, stream, kernels)?)
    }

    fn with_kernels(
        spec: &NetworkSpec,
        optimizer: OptimizerConfig,
        stream: &mut RandomStream,
        kernels: Kernels,
    ) -> Result<Self, SpecError> {
        let plan = Plan::new(spec)?;
        let len = plan.program.parameters_len;
        let optimizer = OptimizerState::new(optimizer, len)?;
        let initial = spec.initial_parameters(stream)?;
        let trained_noise = Noise::none(&plan);
        let (online, target) = (ParameterSet::new(&plan, &initial), ParameterSet::new(&plan, &initial));
        Ok(Self {
            spec: spec.clone(),
            plan,
            kernels,
            team: Team::new(1),
            optimizer,
            online,
            target,
            gradient: AlignedBuffer::zeros(len),
            forward_room: ForwardRoom::default(),
            training_room: TrainingRoom::default(),
            trained_noise,
        })
    }

    /// The same network, each pass and each step of it shared by up to `threads` threads where it is large enough
    /// to be worth it. The results are the same to the bit.
    ///
    /// One thread, what a network is made with, is best where several runs share the machine.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.team = Team::new(threads);
        self
    }

    /// How many threads share a large pass.
    pub fn threads(&self) -> usize {
        self.team.count()
    }

    /// The instruction set that its kernels use.
    pub fn instruction_set(&self) -> InstructionSet {
        self.kernels.instruction_set()
    }
}

impl QNetwork for CpuNetwork {
    fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    fn layout(&self) -> &ParameterLayout {
        &self.plan.layout
    }

    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        let Self { plan, kernels, team, online, target, forward_room, .. } = self;
        let set = match parameters {
            Parameters::Online => online,
            Parameters::Target => target,
        };
        set.prepare(plan, kernels);
        let batch = Batch { observation, fractions };
        kernels.forward(team, &plan.program, set.weights(), batch, forward_room, output);
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        let Self { plan, kernels, team, online, target, forward_room, .. } = self;
        let set = match parameters {
            Parameters::Online => online,
            Parameters::Target => target,
        };
        set.prepare(plan, kernels);
        let program = plan.features.as_ref();
        let program = program.unwrap_or_else(|| panic!("features of a network without a cosine embedding"));
        let batch = Batch { observation, fractions: &[] };
        kernels.forward(team, program, set.weights(), batch, forward_room, output);
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        let Self { plan, kernels, team, online, training_room, trained_noise, .. } = self;
        online.prepare(plan, kernels);
        trained_noise.copy_from(&online.noise);
        let batch = Batch { observation, fractions };
        kernels.forward_train(team, &plan.program, online.weights(), batch, training_room, output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        match parameters {
            Parameters::Online => self.online.set_noise(&self.plan, noise),
            Parameters::Target => self.target.set_noise(&self.plan, noise),
        }
    }

    fn backward(&mut self, d_output: &[f32]) {
        let Self { plan, kernels, team, online, training_room, gradient, trained_noise, .. } = self;
        let weights = trained_noise.weights(online);
        kernels.backward(team, &plan.program, weights, d_output, training_room, gradient);
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        let Self { kernels, team, optimizer, online, gradient, .. } = self;
        optimizer.step(kernels, team, learning_rate, max_gradient_norm, online.values_mut(), gradient);
    }

    fn reset_optimizer(&mut self) {
        self.optimizer.reset();
    }

    fn update_target(&mut self, tau: f32) {
        let (online, target) = (&self.online.values, self.target.values_mut());
        if tau == 1.0 {
            target.copy_from_slice(online);
        } else {
            self.kernels.move_towards(&mut self.team, tau, online, target);
        }
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.plan.canonical(match which {
            Parameters::Online => &self.online.values,
            Parameters::Target => &self.target.values,
        })
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        assert_eq!(values.len(), self.plan.layout.len(), "one value a parameter is needed");
        let padded = match which {
            Parameters::Online => self.online.values_mut(),
            Parameters::Target => self.target.values_mut(),
        };
        self.plan.take_canonical(values, padded);
    }

    fn gradient(&self) -> Vec<f32> {
        self.plan.canonical(&self.gradient)
    }

    fn engine_len(&self) -> usize {
        self.gradient.len()
    }

    fn to_engine_order(&self, values: &[f32], ordered: &mut [f32]) {
        assert_eq!(values.len(), self.plan.layout.len(), "one value a parameter is needed");
        assert_eq!(ordered.len(), self.gradient.len(), "a vector of the engine's length is needed");
        ordered.fill(0.0);
        self.plan.take_canonical(values, ordered);
    }

    fn to_layout_order(&self, ordered: &[f32], values: &mut [f32]) {
        assert_eq!(ordered.len(), self.gradient.len(), "a vector of the engine's length is needed");
        self.plan.copy_canonical(ordered, values);
    }

    fn copy_gradient(&self, ordered: &mut [f32]) {
        ordered.copy_from_slice(&self.gradient);
    }

    fn add_to_parameters(&mut self, which: Parameters, step: f32, direction: &[f32]) {
        let set = match which {
            Parameters::Online => &mut self.online,
            Parameters::Target => &mut self.target,
        };
        let values = set.values_mut();
        assert_eq!(direction.len(), values.len(), "a vector of the engine's length is needed");
        values.iter_mut().zip(direction).for_each(|(value, direction)| *value += step * direction);
    }

    fn gradient_steps(&self) -> u64 {
        self.optimizer.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.optimizer.save(&self.plan, state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.optimizer.load(&self.plan, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepq_core::ElementKind;
    use deepq_core::network::{InputShape, LayerSpec};
    use deepq_core::testing::conformance;

    /// Unit tests let a team share every pass, however small.
    #[test]
    fn a_team_passes_the_suite() {
        conformance::run(|spec, optimizer, initial| {
            let mut stream = RandomStream::new(0, "initialization", 0);
            let network = CpuNetwork::new(spec, optimizer, &mut stream);
            let mut network = network.unwrap_or_else(|error| panic!("{error}")).with_threads(3);
            network.set_parameters(Parameters::Online, initial);
            network.set_parameters(Parameters::Target, initial);
            Box::new(network)
        });
    }

    /// Small enough for Miri, which sees it where a worker does not wait for what another one writes.
    #[test]
    fn a_tiny_network_of_a_team_has_no_races() {
        let convolution = || LayerSpec::convolution(3, 3, 1, 1);
        let layers = vec![
            convolution(),
            LayerSpec::Residual { layers: vec![LayerSpec::Relu, convolution()] },
            LayerSpec::MaxPool { size: 2, stride: 2, padding: 0 },
            LayerSpec::Flatten,
            LayerSpec::NoisyLinear { outputs: 9, noise: 0.5 },
            LayerSpec::Relu,
            LayerSpec::linear(2),
        ];
        let input = InputShape::ChannelsFirst { channels: 1, height: 4, width: 5 };
        let spec =
            NetworkSpec { element: ElementKind::U8, full_byte: 255, input, actions: 2, atoms: 1, layers };
        let spec = spec.with_spectral_norm();
        let bits = [1, 3].map(|threads| {
            let mut stream = RandomStream::new(0, "initialization", 0);
            let network = CpuNetwork::new(&spec, OptimizerConfig::default(), &mut stream);
            let mut network = network.unwrap_or_else(|error| panic!("{error}")).with_threads(threads);
            let noise: Vec<f32> = (0..spec.noise_len()).map(|index| index as f32 / 50.0 - 0.3).collect();
            network.set_noise(Parameters::Online, Some(&noise));
            let pictures: Vec<u8> = (0..4 * 20).map(|index| (index * 37 % 256) as u8).collect();
            let mut output = [0.0; 8];
            network.forward_train(Observation::U8(&pictures), &mut output);
            network.backward(&output);
            network.optimizer_step(1e-3, Some(1.0));
            network.update_target(0.5);
            network.parameters(Parameters::Target).into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        assert_eq!(bits[0], bits[1]);
    }
}
