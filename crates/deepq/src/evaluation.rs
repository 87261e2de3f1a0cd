//! Judging a policy: greedily, in environments of its own, with seeds of their own.

use deepq_core::loss::argmax;
use deepq_core::network::{Parameters, QNetwork};
use deepq_core::{Env, EnvError, ObservationBuffer, RandomStream, VectorEnv, VectorEnvError};
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
    evaluation_seeds_at(seed, purpose, 0, count)
}

/// As [`evaluation_seeds`], others for every `index`.
pub(crate) fn evaluation_seeds_at(seed: u64, purpose: &str, index: u64, count: usize) -> Vec<u64> {
    let mut stream = RandomStream::new(seed, purpose, index);
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
        let (inputs, actions) = (network.spec().inputs(), network.spec().actions);
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
            self.check_observation(episode * inputs..(episode + 1) * inputs, episode, 0, None)?;
        }
        let begun = |episode| Running { episode, episodic_return: 0.0, steps: 0 };
        Ok((0..seeds.len()).map(begun).collect())
    }

    /// Takes one step; true where the episode ended.
    fn step(&mut self, run: &mut Running, place: usize, action: usize, inputs: usize) -> Result<bool, Error> {
        let range = place * inputs..(place + 1) * inputs;
        let step = self.envs[run.episode].step(action, self.observations.slice_mut(range.clone()));
        let step = step.map_err(|error| self.failure(run.episode, run.steps, Some(action as u32), error))?;
        run.episodic_return += step.reward;
        run.steps += 1;
        if !step.reward.is_finite() {
            let error = EnvError::new(format!("its reward is {}, which is not a finite number", step.reward));
            return Err(self.failure(run.episode, run.steps, Some(action as u32), error));
        }
        self.check_observation(range, run.episode, run.steps, Some(action as u32))?;
        Ok(step.ended() || run.steps == MOST_EPISODE_STEPS)
    }

    /// A NaN would make every later value of the network one.
    #[inline]
    fn check_observation(
        &self,
        range: std::ops::Range<usize>,
        episode: usize,
        steps: u32,
        action: Option<u32>,
    ) -> Result<(), Error> {
        match self.observations.slice(range).first_not_finite() {
            None => Ok(()),
            Some((element, value)) => {
                let message =
                    format!("element {element} of its observation is {value}, which is not a finite number");
                Err(self.failure(episode, steps, action, EnvError::new(message)))
            }
        }
    }

    fn move_observation(&mut self, from: usize, to: usize, inputs: usize) {
        let (from, to) = (from * inputs..(from + 1) * inputs, to * inputs);
        match &mut self.observations {
            ObservationBuffer::F32(values) => values.copy_within(from, to),
            ObservationBuffer::U8(values) => values.copy_within(from, to),
        }
    }

    fn failure(&self, index: usize, episode_steps: u32, action: Option<u32>, source: EnvError) -> Error {
        let message = format!("in an evaluation: {source}");
        let id = self.id.clone();
        VectorEnvError { index, id, episode_steps, action, message, source: Some(source) }.into()
    }
}

fn make(registry: &Registry, id: &str) -> Result<Box<dyn Env>, ConfigError> {
    registry.make(id).map_err(|error| ConfigError::from_make("ENV", &error))
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

    /// CartPole whose third observation is not a number.
    struct Broken(Box<dyn Env>, u32);

    impl Env for Broken {
        fn spec(&self) -> &deepq_core::EnvSpec {
            self.0.spec()
        }
        fn reset(&mut self, seed: Option<u64>, to: deepq_core::ObservationMut<'_>) -> Result<(), EnvError> {
            self.1 = 0;
            self.0.reset(seed, to)
        }
        fn step(
            &mut self,
            action: usize,
            to: deepq_core::ObservationMut<'_>,
        ) -> Result<deepq_core::Step, EnvError> {
            self.1 += 1;
            let values = to.f32();
            let step = self.0.step(action, deepq_core::ObservationMut::F32(values));
            values[2] = if self.1 == 2 { f32::NAN } else { values[2] };
            step
        }
        fn save_state(&self, _: &mut deepq_core::StateWriter) {}
        fn load_state(&mut self, _: &mut deepq_core::StateReader<'_>) -> Result<(), deepq_core::StateError> {
            Ok(())
        }
    }

    #[test]
    fn what_is_no_number_is_told_with_its_place() {
        let mut registry = Registry::builtin();
        let make = || Broken(deepq_envs::make("CartPole-v1").unwrap(), 0);
        registry.register("Broken", "gives a NaN", make).unwrap();
        let spec = NetworkSpec::mlp(4, &[8], 2, Initialization::FanInUniform);
        let parameters = spec.initial_parameters(&mut RandomStream::new(4, "initialization", 0)).unwrap();
        let mut policy = Policy::new(&spec, &parameters).unwrap();
        let mut evaluator = Evaluator::new(&registry, "Broken").unwrap();
        let error = evaluator.evaluate_policy(&mut policy, &[1]).unwrap_err().to_string();
        assert!(error.contains("element 2 of its observation is NaN"), "{error}");
    }
}
