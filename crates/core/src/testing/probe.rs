//! Environments that each show one fault.

use super::ExpectedValue;
use crate::{
    BoxSpace, Env, EnvError, EnvSpec, ObservationMut, RandomStream, StateError, StateReader, StateWriter,
    Step,
};

/// Which of the environments whose values are known. The simplest one that an agent fails tells what is wrong.
///
/// Observations have one element. The first five follow Jones, *Debugging reinforcement learning systems*
/// (2021); the last two show whether the end of an episode is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// One observation, one action, one step, reward 1. Where it fails: the loss or the optimiser.
    ConstantReward,
    /// One step; the reward is the observation, −1 or 1. Where it fails: the gradient does not reach the
    /// first layer, or observations and rewards are mixed up.
    ObservedReward,
    /// Two steps, the second with reward 1. Where it fails: discounting or bootstrapping.
    DelayedReward,
    /// One observation, one step, two actions with the rewards −1 and 1. Where it fails: the action's value
    /// is not the one trained.
    ActionReward,
    /// One step; reward 1 for action 0 at observation −1 and for action 1 at observation 1, else 0. Where it
    /// fails: observations and actions of different transitions are mixed up.
    ActionAndObservationReward,
    /// One observation, reward 1 a step without end, truncated every 10 steps. Where it fails: a truncated
    /// step is taken for a terminated one.
    EndlessReward,
    /// From observation 0 a step without reward leads to observation 1, where the episode is truncated; every
    /// fourth episode, on average, begins at observation 1 and terminates with reward 1. Where it fails: a
    /// truncated step bootstraps from another observation than the episode's last one.
    CutOffBeforeReward,
}

impl Probe {
    /// All of them, the simplest first.
    pub const ALL: [Self; 7] = [
        Self::ConstantReward,
        Self::ObservedReward,
        Self::DelayedReward,
        Self::ActionReward,
        Self::ActionAndObservationReward,
        Self::EndlessReward,
        Self::CutOffBeforeReward,
    ];

    /// Actions that there are.
    pub fn actions(self) -> usize {
        match self {
            Self::ActionReward | Self::ActionAndObservationReward => 2,
            _ => 1,
        }
    }

    /// The value of every observation and action, the reward of a step later being worth `gamma` as much.
    /// They hold whatever the number of steps of a transition.
    pub fn expected(self, gamma: f64) -> Vec<ExpectedValue> {
        let table: &[(f32, &[f64])] = match self {
            Self::ConstantReward => &[(0.0, &[1.0])],
            Self::ObservedReward => &[(-1.0, &[-1.0]), (1.0, &[1.0])],
            Self::DelayedReward | Self::CutOffBeforeReward => &[(0.0, &[gamma]), (1.0, &[1.0])],
            Self::ActionReward => &[(0.0, &[-1.0, 1.0])],
            Self::ActionAndObservationReward => &[(-1.0, &[1.0, 0.0]), (1.0, &[0.0, 1.0])],
            Self::EndlessReward => &[(0.0, &[1.0 / (1.0 - gamma)])],
        };
        let entries = table.iter().flat_map(|(observation, values)| {
            values.iter().enumerate().map(|(action, q)| (*observation, action, *q))
        });
        entries.map(|(at, action, q)| ExpectedValue { observation: vec![at], action, q }).collect()
    }

    fn id(self) -> &'static str {
        match self {
            Self::ConstantReward => "probe/constant-reward",
            Self::ObservedReward => "probe/observed-reward",
            Self::DelayedReward => "probe/delayed-reward",
            Self::ActionReward => "probe/action-reward",
            Self::ActionAndObservationReward => "probe/action-and-observation-reward",
            Self::EndlessReward => "probe/endless-reward",
            Self::CutOffBeforeReward => "probe/cut-off-before-reward",
        }
    }
}

/// A [`Probe`] as an environment.
#[derive(Clone, Debug)]
pub struct ProbeEnv {
    probe: Probe,
    spec: EnvSpec,
    stream: RandomStream,
    observation: f32,
    steps: u32,
}

impl ProbeEnv {
    /// The environment of `probe`.
    pub fn new(probe: Probe) -> Self {
        let spec = EnvSpec {
            max_episode_steps: (probe == Probe::EndlessReward).then_some(10),
            ..EnvSpec::new(probe.id(), BoxSpace::vector(&[-1.0], &[1.0]), probe.actions())
        };
        Self { probe, spec, stream: RandomStream::new(0, "env", 0), observation: 0.0, steps: 0 }
    }
}

impl Env for ProbeEnv {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.stream = RandomStream::new(seed, "env", 0);
        }
        self.steps = 0;
        self.observation = match self.probe {
            Probe::ObservedReward | Probe::ActionAndObservationReward => [-1.0, 1.0][self.stream.below(2)],
            Probe::CutOffBeforeReward => [0.0, 0.0, 0.0, 1.0][self.stream.below(4)],
            _ => 0.0,
        };
        observation.f32()[0] = self.observation;
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        if action >= self.spec.actions {
            let message = format!("action {action} was given; {} has {}", self.spec.id, self.spec.actions);
            return Err(EnvError::new(message));
        }
        self.steps += 1;
        let at = self.observation;
        let terminal = |reward| Step { reward, terminated: true, truncated: false };
        let step = match self.probe {
            Probe::ConstantReward => terminal(1.0),
            Probe::ObservedReward => terminal(f64::from(at)),
            Probe::ActionReward => terminal([-1.0, 1.0][action]),
            Probe::ActionAndObservationReward => {
                terminal(if (at > 0.0) == (action == 1) { 1.0 } else { 0.0 })
            }
            Probe::DelayedReward | Probe::CutOffBeforeReward if at == 1.0 => terminal(1.0),
            Probe::DelayedReward | Probe::CutOffBeforeReward => {
                self.observation = 1.0;
                let truncated = self.probe == Probe::CutOffBeforeReward;
                Step { reward: 0.0, terminated: false, truncated }
            }
            Probe::EndlessReward => Step { reward: 1.0, terminated: false, truncated: self.steps == 10 },
        };
        observation.f32()[0] = self.observation;
        Ok(step)
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("probe");
        self.stream.save_state(state);
        state.f32(self.observation);
        state.u32(self.steps);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("probe")?;
        self.stream.load_state(state)?;
        self.observation = state.f32("observation")?;
        self.steps = state.u32("steps of the episode")?;
        Ok(())
    }
}
