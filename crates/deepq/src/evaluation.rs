//! Judging a policy: greedily, in environments of its own, with seeds of their own.

use deepq_core::loss::{ActionValueReader, argmax_allowed};
use deepq_core::network::{Parameters, QNetwork};
use deepq_core::{CallMonitor, EnvFailure, GuardedEnv, ObservationBuffer, RandomStream, silence};
use deepq_envs::Registry;
use serde::{Deserialize, Serialize};

use crate::config::EnvConfig;
use crate::{EnvFactory, Error, Policy, statistics};

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
    factory: EnvFactory,
    monitor: CallMonitor,
    envs: Vec<GuardedEnv>,
    observations: ObservationBuffer,
    reader: ActionValueReader,
    q: Vec<f32>,
    /// Of one environment; empty where environments mask nothing.
    mask: Vec<bool>,
}

/// An episode under way.
struct Running {
    /// The number of the episode, and of its environment.
    episode: usize,
    steps: u32,
}

impl Evaluator {
    /// An evaluator in environments `id`, as they are by themselves.
    ///
    /// # Errors
    /// Where there is no such environment, or none that a network can act in.
    pub fn new(registry: &Registry, id: &str) -> Result<Self, Error> {
        Ok(Self::within(EnvFactory::new(registry, &EnvConfig::new(id))?))
    }

    /// An evaluator in the environments of `factory`.
    pub fn within(factory: EnvFactory) -> Self {
        let observations = ObservationBuffer::zeros(factory.spec().observation_space.element(), 0);
        let reader = ActionValueReader::expected();
        let mask = vec![true; factory.spec().mask_len()];
        Self { factory, monitor: CallMonitor::default(), envs: vec![], observations, reader, q: vec![], mask }
    }

    /// Takes the values of networks from `reader`; by itself an evaluator takes networks with one value an action.
    pub fn reading(self, reader: ActionValueReader) -> Self {
        Self { reader, ..self }
    }

    /// Lets `monitor` see the calls of its environments.
    pub fn watched_by(self, monitor: &CallMonitor) -> Self {
        let envs = self.envs.into_iter().map(|env| env.watched_by(monitor)).collect();
        Self { envs, monitor: monitor.clone(), ..self }
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
            self.envs.push(self.factory.evaluation(self.envs.len())?.watched_by(&self.monitor));
        }
        silence(network, parameters);
        let (inputs, actions) = (network.spec().inputs(), network.spec().actions);
        self.observations.resize(seeds.len() * inputs);
        self.q.resize(seeds.len() * actions, 0.0);
        let mut running = self.begin(seeds, inputs)?;
        let mut returns = vec![0.0; seeds.len()];
        while !running.is_empty() {
            let count = running.len();
            let observations = self.observations.slice(0..count * inputs);
            let q = &mut self.q[..count * actions];
            self.reader.action_values(network, parameters, observations, q);
            // From the last: an ended episode's place is taken by the last one, which has moved already.
            for place in (0..count).rev() {
                if !self.mask.is_empty() {
                    let env = &self.envs[running[place].episode];
                    env.copy_mask(&mut self.mask).map_err(in_evaluation)?;
                }
                let q = &self.q[place * actions..(place + 1) * actions];
                let action = argmax_allowed(q, &self.mask);
                if self.step(&mut running[place], place, action, inputs)? {
                    let ended = running.swap_remove(place);
                    returns[ended.episode] = self.envs[ended.episode].statistics().episodic_return;
                    self.move_observation(running.len(), place, inputs);
                }
            }
        }
        Ok(returns)
    }

    /// As [`evaluate`](Self::evaluate), for a policy; the environments then
    /// [show it](EnvFactory::show_to) what it has learned to see.
    ///
    /// # Errors
    /// Where an environment fails, or where the policy learned from other observations.
    pub fn evaluate_policy(&mut self, policy: &mut Policy, seeds: &[u64]) -> Result<Vec<f64>, Error> {
        self.factory.show_to(policy)?;
        let (network, parameters, reader) = policy.network_mut();
        self.reader = reader.clone();
        self.evaluate(network, parameters, seeds)
    }

    fn begin(&mut self, seeds: &[u64], inputs: usize) -> Result<Vec<Running>, Error> {
        for (episode, seed) in seeds.iter().enumerate() {
            let place = self.observations.slice_mut(episode * inputs..(episode + 1) * inputs);
            self.envs[episode].reset(Some(*seed), place).map_err(in_evaluation)?;
        }
        Ok((0..seeds.len()).map(|episode| Running { episode, steps: 0 }).collect())
    }

    /// Takes one step; true where the episode ended.
    fn step(&mut self, run: &mut Running, place: usize, action: usize, inputs: usize) -> Result<bool, Error> {
        let place = self.observations.slice_mut(place * inputs..(place + 1) * inputs);
        let step = self.envs[run.episode].step(action as u32, place).map_err(in_evaluation)?;
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
}

fn in_evaluation(failure: EnvFailure) -> Error {
    EnvFailure { message: format!("in an evaluation: {}", failure.message), ..failure }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepq_core::network::{Initialization, NetworkSpec};
    use deepq_core::{Env, EnvError};

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
