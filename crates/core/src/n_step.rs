//! n-step returns.

use crate::replay::ReplayStore;
use crate::{StateError, StateReader, StateWriter, Step};

/// Names an observation that a replay memory keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservationRef(pub(crate) u32);

/// One piece of experience, ready to be learned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// The observation the action was taken at.
    pub observation: ObservationRef,
    /// The action.
    pub action: u32,
    /// `Σ_{i<m} γ^i · r_i` over the `m` steps that were really taken.
    pub reward: f32,
    /// `γ^m`, or 0 where the episode terminated within these steps. Truncation does not make it 0.
    pub discount: f32,
    /// The observation that is bootstrapped from: `m` steps later, at the latest the episode's true last one.
    pub next_observation: ObservationRef,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    observation: ObservationRef,
    action: u32,
    reward: f64,
}

/// Turns the steps of one environment into n-step transitions (Sutton & Barto 2018, chapter 7).
///
/// Every step becomes the start of exactly one transition. In the middle of an episode a transition spans `n`
/// steps; where the episode ends, terminated or truncated, all starts that are still waiting are emitted with
/// the `m < n` steps that were left to them, and bootstrap with `γ^m`.
#[derive(Clone, Debug)]
pub struct NStepAccumulator {
    n: usize,
    gamma: f64,
    pending: Vec<Pending>,
}

impl NStepAccumulator {
    /// For transitions over `n ≥ 1` steps, with the discount factor `gamma` a step.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn new(n: usize, gamma: f64) -> Self {
        assert!(n > 0, "a transition spans at least 1 step");
        Self { n, gamma, pending: Vec::with_capacity(n) }
    }

    /// The steps that a transition spans in the middle of an episode.
    pub fn n_step(&self) -> usize {
        self.n
    }

    /// Takes one step: at `observation` the `action` gave `step` and led to `next`, which is the true last
    /// observation where the episode ended, and hands each finished transition to `emit`, oldest first.
    #[inline]
    pub fn push(
        &mut self,
        observation: ObservationRef,
        action: u32,
        step: Step,
        next: ObservationRef,
        mut emit: impl FnMut(Transition),
    ) {
        self.pending.push(Pending { observation, action, reward: step.reward });
        if step.ended() {
            for start in 0..self.pending.len() {
                emit(self.transition(start, step.terminated, next));
            }
            self.pending.clear();
        } else if self.pending.len() == self.n {
            emit(self.transition(0, false, next));
            self.pending.remove(0);
        }
    }

    #[inline]
    fn transition(&self, start: usize, terminated: bool, next: ObservationRef) -> Transition {
        let (mut reward, mut discount) = (0.0, 1.0);
        for pending in &self.pending[start..] {
            reward += discount * pending.reward;
            discount *= self.gamma;
        }
        let Pending { observation, action, .. } = self.pending[start];
        let discount = if terminated { 0.0 } else { discount as f32 };
        Transition { observation, action, reward: reward as f32, discount, next_observation: next }
    }

    /// Forgets the steps that wait for their transition, where their episode is given up.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// Writes the steps that wait for their transition.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("n-step");
        state.u64(self.n as u64);
        state.u64(self.pending.len() as u64);
        for pending in &self.pending {
            state.u32(pending.observation.0);
            state.u32(pending.action);
            state.f64(pending.reward);
        }
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// `store` is the one that holds the observations of the waiting steps.
    ///
    /// # Errors
    /// Where the bytes are not the state of an accumulator over as many steps, whose observations are in the
    /// store.
    pub fn load_state(&mut self, state: &mut StateReader<'_>, store: &ReplayStore) -> Result<(), StateError> {
        state.tag("n-step")?;
        state.expect_u64("steps of a transition", self.n as u64)?;
        let waiting = state.u64_at_most("steps that wait for their transition", self.n as u64 - 1)?;
        self.pending.clear();
        for _ in 0..waiting {
            self.pending.push(Pending {
                observation: store.checked_observation(state.u32("observation")?)?,
                action: store.checked_action(state.u32("action")?)?,
                reward: state.f64("reward")?,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::ReplayStoreConfig;

    /// Runs an accumulator over rewards; observation `i` is the one step `i` was taken at.
    fn run(n: usize, gamma: f64, rewards: &[f64], end: Step) -> Vec<Transition> {
        let mut accumulator = NStepAccumulator::new(n, gamma);
        let mut transitions = vec![];
        for (i, &reward) in rewards.iter().enumerate() {
            let last = i + 1 == rewards.len();
            let step = Step { reward, ..if last { end } else { Step::default() } };
            let (at, next) = (ObservationRef(i as u32), ObservationRef(i as u32 + 1));
            accumulator.push(at, i as u32, step, next, |transition| transitions.push(transition));
        }
        transitions
    }

    const TERMINATED: Step = Step { reward: 0.0, terminated: true, truncated: false };
    const TRUNCATED: Step = Step { reward: 0.0, terminated: false, truncated: true };

    /// Row 3 of the correctness table: all starts are emitted, with the discount of the steps really taken.
    #[test]
    fn n_step_emits_the_tail_with_the_steps_really_taken() {
        let transitions = run(3, 0.5, &[1.0, 2.0, 4.0, 8.0], TRUNCATED);
        let starts: Vec<_> = transitions.iter().map(|t| t.observation.0).collect();
        assert_eq!(starts, [0, 1, 2, 3]);
        let rewards: Vec<_> = transitions.iter().map(|t| t.reward).collect();
        assert_eq!(rewards, [1.0 + 1.0 + 1.0, 2.0 + 2.0 + 2.0, 4.0 + 4.0, 8.0]);
        let discounts: Vec<_> = transitions.iter().map(|t| t.discount).collect();
        assert_eq!(discounts, [0.125, 0.125, 0.25, 0.5]);
        let nexts: Vec<_> = transitions.iter().map(|t| t.next_observation.0).collect();
        assert_eq!(nexts, [3, 4, 4, 4]);
    }

    /// Row 1: a terminated transition does not bootstrap, within any of its steps.
    #[test]
    fn termination_ends_the_bootstrap_and_truncation_does_not() {
        let terminated = run(3, 0.5, &[1.0, 1.0, 1.0, 1.0], TERMINATED);
        let discounts: Vec<_> = terminated.iter().map(|t| t.discount).collect();
        assert_eq!(discounts, [0.125, 0.0, 0.0, 0.0]);
        assert_eq!(run(1, 0.9, &[1.0], TERMINATED)[0].discount, 0.0);
        assert_eq!(run(1, 0.9, &[1.0], TRUNCATED)[0].discount, 0.9);
    }

    /// Row 2: no transition spans the end of an episode.
    #[test]
    fn nothing_waits_over_the_end_of_an_episode() {
        let mut accumulator = NStepAccumulator::new(5, 0.9);
        let mut count = 0;
        let (a, b) = (ObservationRef(0), ObservationRef(1));
        accumulator.push(a, 0, Step::default(), b, |_| count += 1);
        accumulator.push(b, 0, TRUNCATED, a, |_| count += 1);
        assert_eq!(count, 2);
        accumulator.push(a, 0, TERMINATED, b, |transition| {
            assert_eq!(transition.observation, a);
            count += 1;
        });
        assert_eq!(count, 3);
    }

    #[test]
    fn an_accumulator_goes_on_from_its_state() {
        let mut accumulator = NStepAccumulator::new(3, 0.9);
        let push = |accumulator: &mut NStepAccumulator, i: u32| {
            let mut emitted = None;
            let step = Step { reward: f64::from(i), ..Step::default() };
            accumulator.push(ObservationRef(i), i, step, ObservationRef(i + 1), |t| emitted = Some(t));
            emitted
        };
        push(&mut accumulator, 0);
        push(&mut accumulator, 1);
        let mut state = StateWriter::new();
        accumulator.save_state(&mut state);
        let bytes = state.into_bytes();
        let mut store = ReplayStore::new(ReplayStoreConfig {
            capacity: 4,
            envs: 1,
            actions: 2,
            n_step: 3,
            element: crate::ElementKind::F32,
            observation_len: 1,
            stacked_frames: 1,
            stack_padding: crate::StackPadding::Reset,
            action_masks: false,
        });
        store.push_observations(crate::Observation::F32(&[0.0]), &[], |_| true);
        let load = |bytes: &[u8], n: usize| {
            let mut other = NStepAccumulator::new(n, 0.9);
            other.load_state(&mut StateReader::new(bytes), &store).map(|()| other)
        };
        let mut other = load(&bytes, 3).unwrap();
        assert_eq!(push(&mut accumulator, 2), push(&mut other, 2));
        assert!(load(&bytes, 4).is_err());
        // The first waiting step's observation and action follow two tags, two lengths.
        let start = bytes.len() - 2 * 16;
        for (place, value) in [(start, 200u8), (start + 4, 2)] {
            let mut damaged = bytes.clone();
            damaged[place] = value;
            assert!(load(&damaged, 3).is_err(), "byte {place} = {value}");
        }
    }
}
