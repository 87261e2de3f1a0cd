//! Everything a run's future depends on, as bytes.

use deepq_core::network::Parameters;
use deepq_core::{Progress, StateError, StateReader, StateWriter};

use deepq_envs::wrappers::ObservationStatistics;

use super::{Best, Learned, Trainer};

/// The parts of a trainer's state, each of which becomes one file of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerState {
    /// The online network's parameters, in the order of its layout.
    pub online: Vec<f32>,
    /// The target network's.
    pub target: Vec<f32>,
    /// The optimiser.
    pub optimizer: Vec<u8>,
    /// The memory of past transitions and what they are drawn by; nothing where there is no memory.
    pub replay: Vec<u8>,
    /// Progress, environments, random streams, the best policy.
    pub trainer: Vec<u8>,
}

/// No run counts further; a state that says so is damaged, and its sums would overflow.
const MOST_STEPS: u64 = 1 << 62;

impl Trainer {
    /// All that its future depends on.
    pub fn state(&self) -> TrainerState {
        let write = |part: &dyn Fn(&mut StateWriter)| {
            let mut state = StateWriter::new();
            part(&mut state);
            state.into_bytes()
        };
        let network = self.method.network();
        TrainerState {
            online: network.parameters(Parameters::Online),
            target: network.parameters(Parameters::Target),
            optimizer: write(&|state| network.save_optimizer(state)),
            replay: write(&|state| self.method.save_replay(state)),
            trainer: write(&|state| self.save_rest(state)),
        }
    }

    fn save_rest(&self, state: &mut StateWriter) {
        state.tag("trainer");
        state.u64(self.seed);
        state.u64(self.progress.env_steps);
        state.u64(self.progress.gradient_steps);
        state.u64(self.progress.episodes);
        state.f64(self.learned.loss);
        state.f64(self.learned.q_mean);
        state.u64(self.learned.batches);
        self.method.save_state(state);
        state.bool(self.best.is_some());
        if let Some(best) = &self.best {
            state.f64(best.mean_return);
            state.u64(best.episodes);
            state.u64(best.env_steps);
            state.u64(best.gradient_steps);
            state.f32_slice(&best.parameters);
            if let Some(statistics) = &best.statistics {
                state.bytes_with_len(statistics.to_json().as_bytes());
            }
        }
    }

    /// Takes over a state that a trainer with the same configuration gave.
    ///
    /// # Errors
    /// Where the bytes are not such a state. The trainer is then in no defined state and must be dropped.
    pub fn load_state(&mut self, state: &TrainerState) -> Result<(), StateError> {
        let count = self.method.network().layout().len();
        for parameters in [&state.online, &state.target] {
            if parameters.len() != count {
                return Err(StateError::mismatch("number of parameters", count, parameters.len()));
            }
        }
        let network = self.method.network_mut();
        network.set_parameters(Parameters::Online, &state.online);
        network.set_parameters(Parameters::Target, &state.target);
        let mut reader = StateReader::new(&state.optimizer);
        network.load_optimizer(&mut reader)?;
        reader.finish()?;
        let mut reader = StateReader::new(&state.replay);
        self.method.load_replay(&mut reader)?;
        reader.finish()?;
        let mut reader = StateReader::new(&state.trainer);
        self.load_rest(&mut reader, count)?;
        reader.finish()?;
        match (self.method.gradient_steps(), self.progress.gradient_steps) {
            (optimizer, trainer) if optimizer == trainer => Ok(()),
            (optimizer, trainer) => Err(StateError::mismatch("the optimiser's steps", trainer, optimizer)),
        }
    }

    fn load_rest(&mut self, state: &mut StateReader<'_>, parameters: usize) -> Result<(), StateError> {
        state.tag("trainer")?;
        state.expect_u64("seed", self.seed)?;
        self.progress = Progress {
            env_steps: state.u64_at_most("env steps", MOST_STEPS)?,
            gradient_steps: state.u64_at_most("gradient steps", MOST_STEPS)?,
            episodes: state.u64_at_most("episodes", MOST_STEPS)?,
        };
        self.learned = Learned {
            loss: state.f64("sum of losses")?,
            q_mean: state.f64("sum of values")?,
            batches: state.u64_at_most("batches", MOST_STEPS)?,
        };
        self.method.load_state(state)?;
        self.best = None;
        if state.bool("whether there is a best policy")? {
            let mut best = Best {
                mean_return: state.f64("best mean return")?,
                episodes: state.u64("episodes of the best evaluation")?,
                env_steps: state.u64("env steps of the best policy")?,
                gradient_steps: state.u64("gradient steps of the best policy")?,
                parameters: vec![0.0; parameters],
                statistics: None,
            };
            state.f32_slice("best parameters", &mut best.parameters)?;
            if let Some(statistics) = self.factory.statistics() {
                take_over(&statistics, state.bytes_with_len("best statistics")?)?;
                best.statistics = Some(statistics);
            }
            self.best = Some(best);
        }
        Ok(())
    }
}

fn take_over(statistics: &ObservationStatistics, json: &[u8]) -> Result<(), StateError> {
    let wrong = |error: &dyn std::fmt::Display| {
        StateError::mismatch("statistics of observations", "their JSON", error.to_string())
    };
    let json = std::str::from_utf8(json).map_err(|error| wrong(&error))?;
    let read = ObservationStatistics::from_json(json).map_err(|error| wrong(&error))?;
    statistics.assign(&read).map_err(|error| wrong(&error))
}
