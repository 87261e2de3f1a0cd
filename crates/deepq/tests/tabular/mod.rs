//! Environments of a few states as tables, and the values that learning on them comes to.

use deepq::loss::TargetRule;
use deepq::testing::{Chain, Probe, ProbeEnv};
use deepq::*;

/// States of the chain.
const STATES: usize = 5;

/// The discount factor. With a greater one values would be far off, and take long to learn; with this one the best way
/// along the chain is to the left end from the first state alone, and in no state are both actions worth the same.
pub(crate) const GAMMA: f64 = 0.8;

/// An environment whose values can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Probe(Probe),
    Chain,
}

/// A state of a table.
pub(crate) struct State {
    pub(crate) observation: Vec<f32>,
    /// The reward of each action, and the number of the state it leads to; `None` where the episode terminates.
    pub(crate) actions: Vec<(f64, Option<usize>)>,
}

impl State {
    fn new(observation: &[f32], actions: &[(f64, Option<usize>)]) -> Self {
        Self { observation: observation.to_vec(), actions: actions.to_vec() }
    }
}

impl Task {
    pub(crate) const ALL: [Self; 8] = [
        Self::Probe(Probe::ConstantReward),
        Self::Probe(Probe::ObservedReward),
        Self::Probe(Probe::DelayedReward),
        Self::Probe(Probe::ActionReward),
        Self::Probe(Probe::ActionAndObservationReward),
        Self::Probe(Probe::EndlessReward),
        Self::Probe(Probe::CutOffBeforeReward),
        Self::Chain,
    ];

    pub(crate) fn env(self) -> Box<dyn Env> {
        match self {
            Self::Probe(probe) => Box::new(ProbeEnv::new(probe)),
            Self::Chain => Box::new(Chain::new(STATES)),
        }
    }

    pub(crate) fn id(self) -> String {
        self.env().spec().id.clone()
    }

    /// Whether every return is the same, and so has no deviation that it could be measured by.
    pub(crate) fn pays_always_the_same(self) -> bool {
        matches!(self, Self::Probe(Probe::ConstantReward | Probe::EndlessReward))
    }

    /// The table. Truncation is not in it: an episode that is cut off goes on for all that its values say.
    pub(crate) fn states(self) -> Vec<State> {
        use Probe::*;
        let probe = match self {
            Self::Probe(probe) => probe,
            Self::Chain => return (0..STATES).map(chain_state).collect(),
        };
        let ends = |reward| (reward, None);
        match probe {
            ConstantReward => vec![State::new(&[0.0], &[ends(1.0)])],
            ObservedReward => {
                vec![State::new(&[-1.0], &[ends(-1.0)]), State::new(&[1.0], &[ends(1.0)])]
            }
            DelayedReward | CutOffBeforeReward => {
                vec![State::new(&[0.0], &[(0.0, Some(1))]), State::new(&[1.0], &[ends(1.0)])]
            }
            ActionReward => vec![State::new(&[0.0], &[ends(-1.0), ends(1.0)])],
            ActionAndObservationReward => vec![
                State::new(&[-1.0], &[ends(1.0), ends(0.0)]),
                State::new(&[1.0], &[ends(0.0), ends(1.0)]),
            ],
            EndlessReward => vec![State::new(&[0.0], &[(1.0, Some(0))])],
        }
    }

    /// The values that learning by `rule` comes to, `[state][action]`: its equation, iterated on the table.
    pub(crate) fn values(self, rule: TargetRule) -> Vec<Vec<f64>> {
        let states = self.states();
        let mut q: Vec<Vec<f64>> = states.iter().map(|state| vec![0.0; state.actions.len()]).collect();
        for _ in 0..100_000 {
            let target = |(state, action): (usize, usize), (reward, next): (f64, Option<usize>)| {
                let (bonus, after) = (bonus(rule, &q[state], action), next.map(|next| value(rule, &q[next])));
                reward + bonus + GAMMA * after.unwrap_or(0.0)
            };
            let row = |(number, state): (usize, &State)| -> Vec<f64> {
                let actions = state.actions.iter().enumerate();
                actions.map(|(action, outcome)| target((number, action), *outcome)).collect()
            };
            let next: Vec<Vec<f64>> = states.iter().enumerate().map(row).collect();
            let pairs = q.iter().flatten().zip(next.iter().flatten());
            let change = pairs.map(|(old, new)| (new - old).abs()).fold(0.0, f64::max);
            q = next;
            if change < 1e-13 {
                return q;
            }
        }
        panic!("{self:?}: no fixed point of {rule:?}");
    }
}

/// Going left at the left end pays 0.1 and leads nowhere, going right at the right end pays 1 and ends the episode.
fn chain_state(number: usize) -> State {
    let mut observation = [0.0; STATES];
    observation[number] = 1.0;
    let left = if number == 0 { (0.1, Some(0)) } else { (0.0, Some(number - 1)) };
    let right = if number + 1 == STATES { (1.0, None) } else { (0.0, Some(number + 1)) };
    State::new(&observation, &[left, right])
}

/// What a target adds to the reward of an action.
fn bonus(rule: TargetRule, q: &[f64], action: usize) -> f64 {
    match rule {
        TargetRule::Munchausen { alpha, temperature, clip } => {
            let (scaled, _) = soft(q, temperature.into());
            f64::from(alpha) * scaled[action].clamp(clip.into(), 0.0)
        }
        _ => 0.0,
    }
}

/// What a state is worth to a target.
fn value(rule: TargetRule, q: &[f64]) -> f64 {
    match rule {
        TargetRule::Munchausen { temperature, .. } => soft(q, temperature.into()).1,
        _ => q.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// τ · ln of the soft policy, and the value under it with its entropy: τ · ln Σ exp(q / τ).
fn soft(q: &[f64], temperature: f64) -> (Vec<f64>, f64) {
    let greatest = q.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = q.iter().map(|q| ((q - greatest) / temperature).exp()).sum();
    let value = greatest + temperature * sum.ln();
    (q.iter().map(|q| q - value).collect(), value)
}

/// The tables are those of the environments: for plain Q-learning they give what each environment says of itself.
#[test]
fn tables_have_the_values_of_their_environments() {
    for task in Task::ALL {
        let expected = match task {
            Task::Probe(probe) => probe.expected(GAMMA),
            Task::Chain => Chain::new(STATES).expected(GAMMA),
        };
        let found = task.values(TargetRule::Q_LEARNING).into_iter().flatten();
        assert_eq!(expected.len(), found.clone().count());
        for (expected, found) in expected.iter().zip(found) {
            assert!((expected.q - found).abs() < 1e-10, "{task:?}: {expected:?}, the table has {found}");
        }
    }
}

/// By hand: with rewards −1 and 1 the log-probability of the worse action is clipped at −1, of which 0.9 count.
#[test]
fn munchausens_values_are_those_computed_by_hand() {
    let values = Task::Probe(Probe::ActionReward).values(TargetRule::MUNCHAUSEN);
    assert!((values[0][0] + 1.9).abs() < 1e-6 && (values[0][1] - 1.0).abs() < 1e-6, "{values:?}");
}
