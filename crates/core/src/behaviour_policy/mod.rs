//! Which action is taken while learning.

mod epsilon_greedy;
mod epsilon_z_greedy;
mod ladder;
mod policy;
mod softmax;

pub use epsilon_greedy::EpsilonGreedy;
pub use epsilon_z_greedy::{EpsilonZGreedy, MOST_REPEATS};
pub use ladder::EpsilonLadder;
pub use policy::ExplorationPolicy;
pub use softmax::Softmax;

use crate::loss::{argmax_allowed, mask_row};
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// Values of the actions, computed when they are first asked for.
pub trait ActionValues {
    /// `[env][action]`.
    fn q(&mut self) -> &[f32];
}

/// How much is explored now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExplorationRates {
    /// The probability of exploring, 0 to 1.
    pub epsilon: f64,
    /// The temperature of [`Softmax`], in the unit of the values; others pass it over.
    pub temperature: f64,
}

impl ExplorationRates {
    /// To explore with probability `epsilon`.
    pub fn epsilon(epsilon: f64) -> Self {
        Self { epsilon, temperature: 0.0 }
    }
}

impl From<f64> for ExplorationRates {
    fn from(epsilon: f64) -> Self {
        Self::epsilon(epsilon)
    }
}

/// Chooses the actions to learn from.
pub trait BehaviourPolicy: Send {
    /// Writes an action for every environment. `masks` says which are allowed, `[env][action]`, at least one in each
    /// environment; it is empty where all are, always.
    fn select(
        &mut self,
        rates: ExplorationRates,
        values: &mut dyn ActionValues,
        masks: &[bool],
        actions: &mut [u32],
    );

    /// Told where an episode begins in environment `env`, before the first action of the episode is chosen.
    fn begin_episode(&mut self, _env: usize) {}

    /// Writes all that later choices depend on.
    fn save_state(&self, state: &mut StateWriter);

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not such a state.
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}

/// Marks an environment that does not explore until its greedy action is known.
const GREEDY: u32 = u32::MAX;

/// One stream an environment, so that each explores as it would without the others.
fn streams(seed: u64, envs: usize) -> Vec<RandomStream> {
    (0..envs as u64).map(|env| RandomStream::new(seed, "behaviour-policy", env)).collect()
}

/// An action drawn uniformly from those that a mask allows.
#[inline]
fn any_allowed(stream: &mut RandomStream, actions: usize, mask: &[bool]) -> u32 {
    if mask.is_empty() {
        return stream.below(actions) as u32;
    }
    let allowed = || (0u32..).zip(mask).filter(|(_, allowed)| **allowed).map(|(action, _)| action);
    let drawn = stream.below(allowed().count().max(1));
    allowed().nth(drawn).unwrap_or(0)
}

/// Gives each environment that is marked [`GREEDY`] its best action. Where none is, no value is computed.
fn take_greedy(values: &mut dyn ActionValues, action_count: usize, masks: &[bool], actions: &mut [u32]) {
    if !actions.contains(&GREEDY) {
        return;
    }
    let rows = values.q().chunks_exact(action_count);
    for (env, (action, q)) in actions.iter_mut().zip(rows).enumerate() {
        if *action == GREEDY {
            *action = argmax_allowed(q, mask_row(masks, env, action_count)) as u32;
        }
    }
}

fn save_streams(streams: &[RandomStream], state: &mut StateWriter) {
    state.u64(streams.len() as u64);
    streams.iter().for_each(|stream| stream.save_state(state));
}

fn load_streams(streams: &mut [RandomStream], state: &mut StateReader<'_>) -> Result<(), StateError> {
    state.expect_u64("number of environments", streams.len() as u64)?;
    streams.iter_mut().try_for_each(|stream| stream.load_state(state))
}
