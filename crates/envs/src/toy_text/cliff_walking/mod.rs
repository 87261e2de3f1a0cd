//! CliffWalking: along the edge of a cliff, or safely around it.
//!
//! Example 6.6 of R. S. Sutton and A. G. Barto, "Reinforcement Learning: An Introduction" (2nd edition, 2018),
//! where Sarsa and Q-learning part ways, with the order of outcomes of Gymnasium 1.4.
//!
//! The world has 4 rows of 12 tiles. An observation is one number, the tile one stands on: `row · 12 + column`,
//! from the upper left corner. Action 0 walks up, 1 right, 2 down, 3 left; at the edge of the world one stays.
//! An episode begins in the lower left corner and terminates in the lower right one; nothing truncates it.
//! Every step costs 1. The tiles between the two corners are the cliff: walking into it costs 100 and leads
//! back to the start, where the episode goes on. On slippery ground (`CliffWalkingSlippery-v1`) a step goes as
//! meant, or to either side of that, each in a third of all cases.

mod picture;

use deepq_core::{
    Env, EnvError, EnvSpec, Frame, ObservationMut, Space, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

use super::transitions::{Outcome, TransitionTable, World};
use crate::misuse::{numbers, wrong_step};

const ACTIONS: [&str; 4] = ["up", "right", "down", "left"];
const ROWS: usize = 4;
const COLUMNS: usize = 12;
const STATES: usize = ROWS * COLUMNS;
const START: usize = STATES - COLUMNS;
const GOAL: usize = STATES - 1;

/// Gymnasium's keyword arguments of CliffWalking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CliffWalkingOptions {
    /// Whether a step may go to the side of where it was meant to; without a word, as the id says.
    pub is_slippery: Option<bool>,
}

/// The environment.
#[derive(Clone, Debug)]
pub struct CliffWalking {
    spec: EnvSpec,
    world: World,
}

impl CliffWalking {
    /// `CliffWalking-v1`.
    pub fn v1() -> Self {
        Self::v1_with(CliffWalkingOptions::default())
    }

    /// `CliffWalking-v1` with options.
    pub fn v1_with(options: CliffWalkingOptions) -> Self {
        Self::new("CliffWalking-v1", options.is_slippery.unwrap_or(false))
    }

    /// `CliffWalkingSlippery-v1`: every step may slip.
    pub fn slippery_v1() -> Self {
        Self::slippery_v1_with(CliffWalkingOptions::default())
    }

    /// `CliffWalkingSlippery-v1` with options.
    pub fn slippery_v1_with(options: CliffWalkingOptions) -> Self {
        Self::new("CliffWalkingSlippery-v1", options.is_slippery.unwrap_or(true))
    }

    fn new(id: &str, is_slippery: bool) -> Self {
        let start_weight = |state| f64::from(u8::from(state == START));
        let outcomes = |state, action| outcomes(state, action, is_slippery);
        let table = TransitionTable::new(STATES, ACTIONS.len(), start_weight, outcomes);
        let spec = EnvSpec {
            render_fps: 4,
            frame_size: Some(picture::SIZE),
            ..EnvSpec::new(id, Space::discrete(STATES), ACTIONS.len())
        };
        Self { spec, world: World::new(table) }
    }

    /// The tile one stands on, `row · 12 + column`; `None` before the first reset.
    pub fn state(&self) -> Option<usize> {
        self.world.state().map(|state| state as usize)
    }
}

fn is_cliff(state: usize) -> bool {
    (START + 1..GOAL).contains(&state)
}

/// The tile above (0), to the right (1), below (2) or to the left (3) of `state`; itself at the edge.
fn neighbour(state: usize, action: usize) -> usize {
    let column = state % COLUMNS;
    match action {
        0 if state >= COLUMNS => state - COLUMNS,
        1 if column + 1 < COLUMNS => state + 1,
        2 if state + COLUMNS < STATES => state + COLUMNS,
        3 if column > 0 => state - 1,
        _ => state,
    }
}

fn outcomes(state: usize, action: usize, is_slippery: bool) -> Vec<Outcome> {
    let ways = if is_slippery { vec![(action + 3) % 4, action, (action + 1) % 4] } else { vec![action] };
    let probability = 1.0 / ways.len() as f64;
    let outcome = |way| match neighbour(state, way) {
        next if is_cliff(next) => {
            Outcome { probability, next_state: START, reward: -100.0, terminated: false }
        }
        next => Outcome { probability, next_state: next, reward: -1.0, terminated: next == GOAL },
    };
    ways.into_iter().map(outcome).collect()
}

impl Env for CliffWalking {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let [tile] = numbers(&self.spec, observation)?;
        *tile = self.world.reset(seed) as f32;
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let [tile] = numbers(&self.spec, observation)?;
        let Some(arrival) = self.world.step(action) else {
            return Err(wrong_step(&self.spec, self.world.state().is_some(), &ACTIONS, action));
        };
        *tile = arrival.state as f32;
        Ok(Step { reward: arrival.reward, terminated: arrival.terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        self.world.state().map(|state| picture::draw(state as usize, self.world.last_action()))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("cliff-walking");
        self.world.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("cliff-walking")?;
        self.world.load_state(state)
    }
}
