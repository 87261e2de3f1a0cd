//! A network with its parameters, its target and its optimiser.

use deepq_core::network::{NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork, SpecError};
use deepq_core::{Observation, RandomStream, StateError, StateReader, StateWriter};

use crate::InstructionSet;
use crate::aligned::AlignedBuffer;
use crate::instruction_set::InstructionSetError;
use crate::kernels::{Input, Kernels};
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
/// It takes fully connected layers of any width ([`LayerSpec::Linear`](deepq_core::network::LayerSpec)), each
/// with or without a ReLU behind it, and a division of the observations before the first. Observations of bytes
/// are divided by 255.
///
/// # Same bits everywhere
/// Every sum has a fixed order and every step of it is one fused multiply-add, so that each
/// [`InstructionSet`] gives the same bits, and so do one observation alone and the same observation inside any
/// batch. ReLU is `0` where `x < 0`, else `x`: NaN stays NaN and −0 stays −0; its gradient is 0 where the output
/// is at most 0.
///
/// # Panics
/// The functions of [`QNetwork`] panic where the lengths of the slices do not fit each other or the network:
/// that is a fault of the calling program.
#[derive(Debug)]
pub struct CpuNetwork {
    spec: NetworkSpec,
    plan: Plan,
    kernels: Kernels,
    optimizer: OptimizerState,
    online: AlignedBuffer,
    target: AlignedBuffer,
    gradient: AlignedBuffer,
    workspace: Workspace,
    /// Observations of the last [`forward_train`](QNetwork::forward_train).
    training_batch: usize,
}

/// What grows with the batch.
#[derive(Debug, Default)]
struct Workspace {
    /// Observations of bytes as numbers.
    bytes: AlignedBuffer,
    forward: AlignedBuffer,
    activations: AlignedBuffer,
    backward: AlignedBuffer,
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
        let optimizer = OptimizerState::new(optimizer, plan.padded_len())?;
        let zeros = || AlignedBuffer::zeros(plan.padded_len());
        let (mut online, mut target) = (zeros(), zeros());
        plan.take_canonical(&spec.initial_parameters(stream)?, &mut online);
        target.copy_from_slice(&online);
        let gradient = zeros();
        let workspace = Workspace {
            forward: AlignedBuffer::zeros(Kernels::forward_scratch_len(&plan.layers)),
            ..Workspace::default()
        };
        Ok(Self {
            spec: spec.clone(),
            plan,
            kernels,
            optimizer,
            online,
            target,
            gradient,
            workspace,
            training_batch: 0,
        })
    }

    /// The instruction set that its kernels use.
    pub fn instruction_set(&self) -> InstructionSet {
        self.kernels.instruction_set()
    }
}

/// Observations as the kernels take them. Bytes are converted into `buffer`.
fn input<'a>(
    observation: Observation<'a>,
    divisors: Option<&'a [f32]>,
    buffer: &'a mut AlignedBuffer,
) -> Input<'a> {
    let rows = match observation {
        Observation::F32(values) => values,
        Observation::U8(bytes) => {
            buffer.grow(bytes.len());
            for (value, byte) in buffer.iter_mut().zip(bytes) {
                *value = f32::from(*byte) / 255.0;
            }
            &buffer[..bytes.len()]
        }
    };
    Input { rows, divisors }
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
        assert!(fractions.is_empty());
        let values = match parameters {
            Parameters::Online => &self.online,
            Parameters::Target => &self.target,
        };
        let Workspace { bytes, forward, .. } = &mut self.workspace;
        let input = input(observation, self.plan.divisors.as_deref(), bytes);
        self.kernels.forward(&self.plan.layers, values, input, forward, output);
    }

    fn set_noise(&mut self, _: Parameters, noise: Option<&[f32]>) {
        assert!(noise.is_none());
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        assert!(fractions.is_empty());
        let batch = observation.len() / self.spec.inputs();
        let Workspace { bytes, activations, backward, .. } = &mut self.workspace;
        let input = input(observation, self.plan.divisors.as_deref(), bytes);
        activations.grow(self.kernels.activations_len(&self.plan.layers, batch));
        backward.grow(self.kernels.backward_scratch_len(&self.plan.layers, batch));
        self.kernels.forward_train(&self.plan.layers, &self.online, input, activations, output);
        self.training_batch = batch;
    }

    fn backward(&mut self, d_output: &[f32]) {
        assert_eq!(
            d_output.len(),
            self.training_batch * self.spec.outputs(),
            "the gradient by the outputs must be of the batch that forward_train had last"
        );
        let Workspace { activations, backward, .. } = &mut self.workspace;
        self.kernels.backward(
            &self.plan.layers,
            &self.online,
            activations,
            d_output,
            backward,
            &mut self.gradient,
        );
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        let Self { optimizer, kernels, online, gradient, .. } = self;
        optimizer.step(kernels, learning_rate, max_gradient_norm, online, gradient);
    }

    fn update_target(&mut self, tau: f32) {
        if tau == 1.0 {
            self.target.copy_from_slice(&self.online);
        } else {
            self.kernels.move_towards(tau, &self.online, &mut self.target);
        }
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.plan.canonical(match which {
            Parameters::Online => &self.online,
            Parameters::Target => &self.target,
        })
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        assert_eq!(values.len(), self.plan.layout.len(), "one value a parameter is needed");
        self.plan.take_canonical(
            values,
            match which {
                Parameters::Online => &mut self.online,
                Parameters::Target => &mut self.target,
            },
        );
    }

    fn gradient(&self) -> Vec<f32> {
        self.plan.canonical(&self.gradient)
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
