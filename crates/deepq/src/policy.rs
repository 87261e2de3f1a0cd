//! A trained policy: a network that acts greedily.

use deepq_core::loss::{ActionValueReader, Head, argmax, argmax_allowed};
use deepq_core::network::{NetworkSpec, OptimizerConfig, Parameters, QNetwork, SpecError};
use deepq_core::{Observation, RandomStream};
use deepq_cpu::CpuNetwork;
use deepq_envs::wrappers::ObservationStatistics;

/// A network that acts greedily.
pub struct Policy {
    network: Box<dyn QNetwork>,
    reader: ActionValueReader,
    q: Vec<f32>,
    statistics: Option<ObservationStatistics>,
}

impl Policy {
    /// A policy from a network's parts; `parameters` stand in the order of [`NetworkSpec::layout`].
    ///
    /// # Errors
    /// Where the network cannot be.
    ///
    /// # Panics
    /// If there are more or fewer parameters than the network has.
    pub fn new(spec: &NetworkSpec, parameters: &[f32]) -> Result<Self, SpecError> {
        Self::reading(spec, parameters, ActionValueReader::expected())
    }

    /// The same for a network that has learned what `head` says of the return.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn with_head(spec: &NetworkSpec, parameters: &[f32], head: &Head) -> Result<Self, SpecError> {
        Self::reading(spec, parameters, head.reader())
    }

    fn reading(spec: &NetworkSpec, parameters: &[f32], reader: ActionValueReader) -> Result<Self, SpecError> {
        // What the stream draws is written over at once.
        let mut stream = RandomStream::new(0, "initialization", 0);
        let mut network = CpuNetwork::new(spec, OptimizerConfig::default(), &mut stream)?;
        network.set_parameters(Parameters::Online, parameters);
        Ok(Self { network: Box::new(network), reader, q: vec![], statistics: None })
    }

    /// The same for observations that were normalised by `statistics`.
    pub fn with_statistics(self, statistics: Option<ObservationStatistics>) -> Self {
        Self { statistics, ..self }
    }

    /// What the observations it learned from were normalised by; `None` where they were not.
    pub fn statistics(&self) -> Option<&ObservationStatistics> {
        self.statistics.as_ref()
    }

    /// What its network is made of.
    pub fn spec(&self) -> &NetworkSpec {
        self.network.spec()
    }

    /// Its parameters, in the order of [`NetworkSpec::layout`].
    pub fn parameters(&self) -> Vec<f32> {
        self.network.parameters(Parameters::Online)
    }

    /// The values of all actions at one observation.
    ///
    /// # Panics
    /// If the observation is not of the network's kind and length.
    pub fn action_values(&mut self, observation: Observation<'_>) -> &[f32] {
        self.q.resize(self.network.spec().actions, 0.0);
        self.reader.action_values(&mut *self.network, Parameters::Online, observation, &mut self.q);
        &self.q
    }

    /// The action with the greatest value at one observation.
    ///
    /// # Panics
    /// If the observation is not of the network's kind and length.
    pub fn act(&mut self, observation: Observation<'_>) -> usize {
        argmax(self.action_values(observation))
    }

    /// The same of the actions that `mask` allows, one flag an action; `None` allows all.
    ///
    /// # Panics
    /// As [`act`](Self::act), or if the mask has not one flag an action.
    pub fn act_within(&mut self, observation: Observation<'_>, mask: Option<&[bool]>) -> usize {
        argmax_allowed(self.action_values(observation), mask.unwrap_or(&[]))
    }

    /// The network, which of its parameters are the policy's, and what reads its values, as
    /// [`Evaluator`](crate::Evaluator) takes them.
    pub(crate) fn network_mut(&mut self) -> (&mut dyn QNetwork, Parameters, &ActionValueReader) {
        (&mut *self.network, Parameters::Online, &self.reader)
    }
}
