//! Judging a policy: greedily, in environments of its own, with seeds of their own.

use deepq_core::loss::argmax;
use deepq_core::network::{Parameters, QNetwork};
use deepq_core::{Env, ObservationBuffer, RandomStream, VectorEnv, VectorEnvError};
use deepq_envs::Registry;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::statistics;
use crate::{Error, Policy};

/// After how many steps an episode of an evaluation is cut off where the environment has no limit of its own:
/// a greedy policy may walk in circles for ever.
pub const MOST_EPISODE_STEPS: u32 = 100_000;

/// What a policy's episodes gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationSummary {
    /// The mean return.
    pub mean: f64,
    /// The standard deviation of the returns (of the population, as NumPy's `std`).
    pub std: f64,
    /// The interquartile mean of the returns.
    pub iqm: f64,
    /// The least return.
    pub min: f64,
    /// The greatest return.
    pub max: f64,
    /// How many episodes there were.
    pub episodes: usize,
}

impl EvaluationSummary {
    /// Sums up returns; `None` where there are none.
    pub fn of(returns: &[f64]) -> Option<Self> {
        Some(Self {
            mean: statistics::mean(returns)?,
            std: statistics::standard_deviation(returns)?,
            iqm: statistics::interquartile_mean(returns)?,
            min: returns.iter().copied().reduce(f64::min)?,
            max: returns.iter().copied().reduce(f64::max)?,
            episodes: returns.len(),
        })
    }
}

/// `count` seeds for evaluations named `purpose` of a run with seed `seed`.
pub fn evaluation_seeds(seed: u64, purpose: &str, count: usize) -> Vec<u64> {
    let mut stream = RandomStream::new(seed, purpose, 0);
    (0..count).map(|_| stream.next_u64()).collect()
}

/// Plays episodes greedily, many side by side.
pub struct Evaluator {
    id: String,
    registry: Registry,
    envs: Vec<Box<dyn Env>>,
    observations: ObservationBuffer,
    q: Vec<f32>,
}

/// An episode under way.
struct Running {
    /// The number of the episode, and of its environment.
    episode: usize,
    episodic_return: f64,
    steps: u32,
}

impl Evaluator {
    /// An evaluator in environments `id`.
    ///
    /// # Errors
    /// Where there is no such environment, or none that a network can act in.
    pub fn new(registry: &Registry, id: &str) -> Result<Self, Error> {
        let first = make(registry, id)?;
        let element = VectorEnv::new(vec![make(registry, id)?])
            .map_err(|error| ConfigError::new("env.id", error.to_string()))?
            .element();
        Ok(Self {
            id: id.to_owned(),
            registry: registry.clone(),
            envs: vec![first],
            observations: ObservationBuffer::zeros(element, 0),
            q: vec![],
        })
    }

    /// The return of one greedy episode for each seed, in their order.
    ///
    /// An episode's return depends on its seed and the network alone, not on the other episodes.
    ///
    /// # Errors
    /// Where an environment fails.
    pub fn evaluate(
        &mut self,
        network: &mut dyn QNetwork,
        parameters: Parameters,
        seeds: &[u64],
    ) -> Result<Vec<f64>, Error> {
        while self.envs.len() < seeds.len() {
            self.envs.push(make(&self.registry, &self.id)?);
        }
        let (inputs, actions) = (network.spec().inputs, network.spec().actions);
        self.observations.resize(seeds.len() * inputs);
        self.q.resize(seeds.len() * actions, 0.0);
        let mut running = self.begin(seeds, inputs)?;
        let mut returns = vec![0.0; seeds.len()];
        while !running.is_empty() {
            let count = running.len();
            let observations = self.observations.slice(0..count * inputs);
            network.forward(parameters, observations, &mut self.q[..count * actions]);
            // From the last: an ended episode's place is taken by the last one, which has moved already.
            for place in (0..count).rev() {
                let action = argmax(&self.q[place * actions..(place + 1) * actions]);
                if self.step(&mut running[place], place, action, inputs)? {
                    let ended = running.swap_remove(place);
                    returns[ended.episode] = ended.episodic_return;
                    self.move_observation(running.len(), place, inputs);
                }
            }
        }
        Ok(returns)
    }

    /// As [`evaluate`](Self::evaluate), for a policy.
    ///
    /// # Errors
    /// Where an environment fails.
    pub fn evaluate_policy(&mut self, policy: &mut Policy, seeds: &[u64]) -> Result<Vec<f64>, Error> {
        let (network, parameters) = policy.network_mut();
        self.evaluate(network, parameters, seeds)
    }

    fn begin(&mut self, seeds: &[u64], inputs: usize) -> Result<Vec<Running>, Error> {
        for (episode, seed) in seeds.iter().enumerate() {
            let place = self.observations.slice_mut(episode * inputs..(episode + 1) * inputs);
            let outcome = self.envs[episode].reset(Some(*seed), place);
            outcome.map_err(|error| self.failure(episode, 0, None, error))?;
        }
        let begun = |episode| Running { episode, episodic_return: 0.0, steps: 0 };
        Ok((0..seeds.len()).map(begun).collect())
    }

    /// Takes one step; true where the episode ended.
    fn step(&mut self, run: &mut Running, place: usize, action: usize, inputs: usize) -> Result<bool, Error> {
        let observation = self.observations.slice_mut(place * inputs..(place + 1) * inputs);
        let step = self.envs[run.episode].step(action, observation);
        let step = step.map_err(|error| self.failure(run.episode, run.steps, Some(action as u32), error))?;
        run.episodic_return += step.reward;
        run.steps += 1;
        Ok(step.ended() || run.steps == MOST_EPISODE_STEPS)
    }

    fn move_observation(&mut self, from: usize, to: usize, inputs: usize) {
        let (from, to) = (from * inputs..(from + 1) * inputs, to * inputs);
        match &mut self.observations {
            ObservationBuffer::F32(values) => values.copy_within(from, to),
            ObservationBuffer::U8(values) => values.copy_within(from, to),
        }
    }

    fn failure(
        &self,
        index: usize,
        episode_steps: u32,
        action: Option<u32>,
        source: deepq_core::EnvError,
    ) -> Error {
        let message = format!("in an evaluation: {source}");
        let id = self.id.clone();
        VectorEnvError { index, id, episode_steps, action, message, source: Some(source) }.into()
    }
}

fn make(registry: &Registry, id: &str) -> Result<Box<dyn Env>, ConfigError> {
    registry.make(id).map_err(|error| {
        let allowed = error.allowed.iter().map(String::as_str);
        ConfigError {
            nearest: error.nearest.clone(),
            ..ConfigError::unknown_name("ENV", "environment", id, allowed)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepq_core::network::{Initialization, NetworkSpec};

    #[test]
    fn an_episode_depends_on_its_seed_alone() {
        let spec = NetworkSpec::mlp(4, &[16], 2, Initialization::FanInUniform);
        let parameters = spec.initial_parameters(&mut RandomStream::new(4, "initialization", 0)).unwrap();
        let mut policy = Policy::new(&spec, &parameters).unwrap();
        let mut evaluator = Evaluator::new(&Registry::builtin(), "CartPole-v1").unwrap();
        let seeds = evaluation_seeds(1, "evaluation", 40);
        let together = evaluator.evaluate_policy(&mut policy, &seeds).unwrap();
        let alone: Vec<f64> =
            seeds.iter().map(|seed| evaluator.evaluate_policy(&mut policy, &[*seed]).unwrap()[0]).collect();
        assert_eq!(together, alone);
        assert!(together.iter().any(|value| *value != together[0]), "{together:?}");
    }
}
