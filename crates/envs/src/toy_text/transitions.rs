//! Worlds of numbered states: what each action may lead to, laid out so that a step is one look-up.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use deepq_core::{StateError, StateReader, StateWriter};

use crate::numpy_random::NumpyGenerator;

/// How many states there may be: their numbers are then exact as `f32`, and a table stays below 200 MB.
pub(super) const MAX_STATES: usize = 1 << 20;

const MAX_OUTCOMES: usize = 3;
const MAX_REWARDS: usize = 4;

/// One thing an action may lead to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) probability: f64,
    pub(super) next_state: usize,
    pub(super) reward: f64,
    pub(super) terminated: bool,
}

/// Where a step led.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) state: u32,
    pub(super) reward: f64,
    pub(super) terminated: bool,
}

/// An outcome in 32 bits: 24 for the state, one for the end, and where its reward stands among those there are.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
struct Packed(u32);

impl Packed {
    const STATE: u32 = (1 << 24) - 1;
    const TERMINATED: u32 = 1 << 24;
    const REWARD_SHIFT: u32 = 25;

    fn new(outcome: &Outcome, reward: usize) -> Self {
        assert!(outcome.next_state < MAX_STATES, "a state's number");
        let terminated = if outcome.terminated { Self::TERMINATED } else { 0 };
        Self(outcome.next_state as u32 | terminated | (reward as u32) << Self::REWARD_SHIFT)
    }

    #[inline]
    fn unpacked(self, rewards: &[f64; MAX_REWARDS]) -> Arrival {
        Arrival {
            state: self.0 & Self::STATE,
            reward: rewards[(self.0 >> Self::REWARD_SHIFT) as usize % MAX_REWARDS],
            terminated: self.0 & Self::TERMINATED != 0,
        }
    }
}

/// The outcomes of one action in one state, and the sums of their probabilities up to each.
///
/// The outcome is the first whose sum lies above a uniform draw. Rounding may leave the last sum below 1; a draw
/// above all of them takes the first outcome, as NumPy's `argmax` does, which is why that one stands here twice.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lottery {
    sums: [f64; MAX_OUTCOMES],
    outcomes: [Packed; MAX_OUTCOMES + 1],
}

/// What the actions lead to, `[state][action]`.
#[derive(Clone, Debug, PartialEq)]
enum Outcomes {
    /// Each action has one outcome.
    Certain(Box<[Packed]>),
    Drawn(Box<[Lottery]>),
}

/// All states, actions and their outcomes, and where episodes begin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TransitionTable {
    actions: usize,
    /// The states an episode may begin in, each with the sum of the probabilities up to it.
    starts: Box<[(f64, u32)]>,
    rewards: [f64; MAX_REWARDS],
    outcomes: Outcomes,
    /// Of all of the above: a saved state is good for an equal world only.
    digest: u64,
}

impl TransitionTable {
    /// The table of the states `0..states`. `start_weights` tells of each state how likely an episode begins
    /// there; `outcomes` gives, for a state and an action, one to three outcomes.
    pub(super) fn new(
        states: usize,
        actions: usize,
        start_weight: impl Fn(usize) -> f64,
        outcomes: impl Fn(usize, usize) -> Vec<Outcome>,
    ) -> Self {
        assert!(states <= MAX_STATES, "at most {MAX_STATES} states, found {states}");
        let total: f64 = (0..states).map(&start_weight).sum();
        let mut sum = 0.0;
        let starts = (0..states).filter(|state| start_weight(*state) > 0.0).map(|state| {
            sum += start_weight(state) / total;
            (sum, state as u32)
        });
        let starts: Box<[_]> = starts.collect();
        assert!(!starts.is_empty(), "an episode begins somewhere");
        let mut rewards = Rewards::default();
        let lotteries = (0..states * actions)
            .map(|index| lottery(&outcomes(index / actions, index % actions), &mut rewards));
        let lotteries: Box<[Lottery]> = lotteries.collect();
        let certain = lotteries.iter().all(|lottery| lottery.sums == [1.0; MAX_OUTCOMES]);
        let outcomes = if certain {
            Outcomes::Certain(lotteries.iter().map(|lottery| lottery.outcomes[0]).collect())
        } else {
            Outcomes::Drawn(lotteries)
        };
        let rewards = rewards.values;
        let digest = digest(actions, &starts, &rewards, &outcomes);
        Self { actions, starts, rewards, outcomes, digest }
    }

    /// The table as all worlds that are equal share it: many copies of one then find it in the nearest cache.
    fn shared(self) -> Arc<Self> {
        static LIVING: Mutex<Vec<Weak<TransitionTable>>> = Mutex::new(Vec::new());
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        living.retain(|table| table.strong_count() > 0);
        if let Some(equal) = living.iter().filter_map(Weak::upgrade).find(|table| **table == self) {
            return equal;
        }
        let table = Arc::new(self);
        living.push(Arc::downgrade(&table));
        table
    }

    pub(super) fn states(&self) -> usize {
        let rows = match &self.outcomes {
            Outcomes::Certain(rows) => rows.len(),
            Outcomes::Drawn(rows) => rows.len(),
        };
        rows / self.actions
    }

    /// Where an episode begins, by a draw from `[0, 1)`.
    fn start(&self, draw: f64) -> u32 {
        let place = self.starts.partition_point(|(sum, _)| *sum <= draw);
        self.starts.get(place).map_or(0, |(_, state)| *state)
    }

    #[inline]
    pub(super) fn step(&self, state: u32, action: usize, draw: f64) -> Arrival {
        let row = state as usize * self.actions + action;
        let outcome = match &self.outcomes {
            Outcomes::Certain(rows) => rows[row],
            Outcomes::Drawn(rows) => {
                let Lottery { sums, outcomes } = &rows[row];
                outcomes[sums.iter().map(|sum| usize::from(*sum <= draw)).sum::<usize>()]
            }
        };
        outcome.unpacked(&self.rewards)
    }
}

fn digest(actions: usize, starts: &[(f64, u32)], rewards: &[f64], outcomes: &Outcomes) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325;
    let mut add = |word: u64| digest = (digest ^ word).rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    add(actions as u64);
    rewards.iter().for_each(|reward| add(reward.to_bits()));
    starts.iter().for_each(|(sum, state)| [sum.to_bits(), (*state).into()].into_iter().for_each(&mut add));
    match outcomes {
        Outcomes::Certain(rows) => rows.iter().for_each(|Packed(outcome)| add((*outcome).into())),
        Outcomes::Drawn(rows) => {
            for Lottery { sums, outcomes } in rows {
                sums.iter().for_each(|sum| add(sum.to_bits()));
                outcomes.iter().for_each(|Packed(outcome)| add((*outcome).into()));
            }
        }
    }
    digest
}

/// The different rewards of a table.
#[derive(Default)]
struct Rewards {
    values: [f64; MAX_REWARDS],
    count: usize,
}

impl Rewards {
    fn place(&mut self, reward: f64) -> usize {
        let known = &self.values[..self.count];
        if let Some(place) = known.iter().position(|known| known.to_bits() == reward.to_bits()) {
            return place;
        }
        assert!(self.count < MAX_REWARDS, "at most {MAX_REWARDS} different rewards");
        self.values[self.count] = reward;
        self.count += 1;
        self.count - 1
    }
}

fn lottery(outcomes: &[Outcome], rewards: &mut Rewards) -> Lottery {
    assert!((1..=MAX_OUTCOMES).contains(&outcomes.len()), "one to {MAX_OUTCOMES} outcomes");
    let mut packed = [Packed::default(); MAX_OUTCOMES + 1];
    let mut sums = [0.0; MAX_OUTCOMES];
    let mut sum = 0.0;
    for (place, outcome) in outcomes.iter().enumerate() {
        sum += outcome.probability;
        sums[place..].fill(sum);
        packed[place] = Packed::new(outcome, rewards.place(outcome.reward));
    }
    let first = packed[0];
    packed[outcomes.len()..].fill(first);
    Lottery { sums, outcomes: packed }
}

/// One copy of a world: its state and its random numbers.
#[derive(Clone, Debug)]
pub(super) struct World {
    table: Arc<TransitionTable>,
    random: NumpyGenerator,
    /// `None` before the first reset.
    state: Option<u32>,
    /// The latest action of the episode, for its picture.
    last_action: Option<u8>,
}

impl World {
    pub(super) fn new(table: TransitionTable) -> Self {
        Self { table: table.shared(), random: NumpyGenerator::new(0), state: None, last_action: None }
    }

    #[inline]
    pub(super) fn state(&self) -> Option<u32> {
        self.state
    }

    pub(super) fn last_action(&self) -> Option<u8> {
        self.last_action
    }

    /// Puts the world into another state, one of those there are.
    #[inline]
    pub(super) fn set_state(&mut self, state: u32) {
        debug_assert!((state as usize) < self.table.states(), "a state of the world");
        self.state = Some(state);
    }

    pub(super) fn random(&mut self) -> &mut NumpyGenerator {
        &mut self.random
    }

    pub(super) fn reset(&mut self, seed: Option<u64>) -> u32 {
        if let Some(seed) = seed {
            self.random = NumpyGenerator::new(seed.into());
        }
        let state = self.table.start(self.random.next_f64());
        (self.state, self.last_action) = (Some(state), None);
        state
    }

    /// `None` where nothing was done: before the first reset, or with an action there is not.
    ///
    /// A number is drawn even where the outcome is certain, as Gymnasium does.
    #[inline]
    pub(super) fn step(&mut self, action: usize) -> Option<Arrival> {
        let state = self.state.filter(|_| action < self.table.actions)?;
        let arrival = self.table.step(state, action, self.random.next_f64());
        (self.state, self.last_action) = (Some(arrival.state), Some(action as u8));
        Some(arrival)
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.u64(self.table.states() as u64);
        state.u64(self.table.digest);
        self.random.save_state(state);
        state.bool(self.state.is_some());
        state.u32(self.state.unwrap_or(0));
        state.bool(self.last_action.is_some());
        state.u32(self.last_action.unwrap_or(0).into());
    }

    /// Takes over what [`save_state`](Self::save_state) wrote; on an error nothing is changed.
    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let states = self.table.states() as u64;
        state.expect_u64("number of states of the world", states)?;
        if state.u64("the world")? != self.table.digest {
            return Err(StateError::mismatch("the world", "one made with the same options", "another"));
        }
        let mut random = self.random.clone();
        random.load_state(state)?;
        let begun = state.bool("whether an episode has begun")?;
        let now = state.u32("state of the world")?;
        if u64::from(now) >= states {
            return Err(StateError::mismatch("state of the world", format!("one below {states}"), now));
        }
        let acted = state.bool("whether an action was taken")?;
        let action = state.u32("the latest action")?;
        if action as usize >= self.table.actions {
            let expected = format!("one below {}", self.table.actions);
            return Err(StateError::mismatch("the latest action", expected, action));
        }
        (self.random, self.state) = (random, begun.then_some(now));
        self.last_action = acted.then_some(action as u8);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(probability: f64, next_state: usize) -> Outcome {
        Outcome { probability, next_state, reward: next_state as f64, terminated: next_state == 2 }
    }

    fn table(probabilities: [f64; 3]) -> TransitionTable {
        let weights = [0.0, 1.0, 3.0, 0.0];
        TransitionTable::new(
            4,
            1,
            |state| weights[state],
            |_, _| (1..4).zip(probabilities).map(|(next, probability)| outcome(probability, next)).collect(),
        )
    }

    #[test]
    fn the_outcome_is_the_first_whose_sum_lies_above_the_draw() {
        let table = table([0.25, 0.5, 0.25]);
        let last_below_1 = 1.0 - f64::EPSILON / 2.0;
        for (draw, expected) in [(0.0, 1), (0.2499, 1), (0.25, 2), (0.7499, 2), (0.75, 3), (last_below_1, 3)]
        {
            let terminated = expected == 2;
            let arrival = Arrival { state: expected, reward: f64::from(expected), terminated };
            assert_eq!(table.step(0, 0, draw), arrival, "{draw}");
        }
    }

    #[test]
    fn a_draw_above_all_sums_takes_the_first_outcome() {
        assert_eq!(table([0.25, 0.25, 0.25]).step(3, 0, 0.75).state, 1);
        assert_eq!(table([0.25, 0.25, 0.25]).step(3, 0, 0.7499).state, 3);
    }

    #[test]
    fn an_impossible_outcome_is_never_taken() {
        assert_eq!(table([0.0, 1.0, 0.0]).step(0, 0, 0.0).state, 2);
        assert_eq!(table([0.5, 0.0, 0.5]).step(0, 0, 0.5).state, 3);
    }

    #[test]
    fn episodes_begin_where_their_weights_say() {
        let table = table([0.25, 0.5, 0.25]);
        assert_eq!([0.0, 0.2499, 0.25, 0.99].map(|draw| table.start(draw)), [1, 1, 2, 2]);
    }

    #[test]
    fn certain_outcomes_are_kept_in_short() {
        let certain = TransitionTable::new(2, 2, |_| 1.0, |state, action| vec![outcome(1.0, state ^ action)]);
        assert!(matches!(certain.outcomes, Outcomes::Certain(_)));
        assert_eq!((certain.states(), table([0.5, 0.5, 0.0]).states()), (2, 4));
        assert_eq!(certain.step(1, 1, 0.3).state, 0);
        assert_eq!(certain.step(1, 0, 0.3).state, 1);
    }

    #[test]
    fn a_state_or_an_action_that_there_is_not_is_refused() {
        let mut world = World::new(table([0.25, 0.5, 0.25]));
        for (state, last_action, allowed) in [(3, 0, true), (4, 0, false), (3, 1, false), (9, 9, false)] {
            let before = world.clone();
            let odd = World { state: Some(state), last_action: Some(last_action), ..world.clone() };
            let mut writer = StateWriter::new();
            odd.save_state(&mut writer);
            let bytes = writer.into_bytes();
            assert_eq!(world.load_state(&mut StateReader::new(&bytes)).is_ok(), allowed);
            let expected = if allowed { odd } else { before };
            assert_eq!((world.state, world.last_action), (expected.state, expected.last_action));
        }
    }

    #[test]
    fn equal_worlds_share_their_table_and_others_do_not() {
        let world = |first| World::new(table([first, 0.625, 0.25]));
        let (one, equal, other) = (world(0.125), world(0.125), world(0.25));
        assert!(Arc::ptr_eq(&one.table, &equal.table));
        assert!(!Arc::ptr_eq(&one.table, &other.table));
        assert_eq!(other.table.outcomes, table([0.25, 0.625, 0.25]).outcomes);
    }

    #[test]
    fn a_lottery_takes_at_most_a_cache_line() {
        assert!(size_of::<Lottery>() <= 64);
    }
}
