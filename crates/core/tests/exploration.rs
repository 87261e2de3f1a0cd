//! Rows 13, 18 and 19 of exploration, for every behaviour policy.

use deepq_core::{
    ActionValues, BehaviourPolicy, EpsilonZGreedy, ExplorationPolicy, ExplorationRates, Progress, Schedule,
    StateReader, StateWriter,
};

const ACTIONS: usize = 4;

/// The same values in every environment.
struct Values(Vec<f32>);

impl ActionValues for Values {
    fn q(&mut self) -> &[f32] {
        &self.0
    }
}

fn values(envs: usize) -> Values {
    Values([0.5f32, 2.0, 1.0, -1.0].repeat(envs))
}

const TEMPERATURE: f64 = 0.7;

fn rates(epsilon: f64) -> ExplorationRates {
    ExplorationRates { epsilon, temperature: TEMPERATURE }
}

/// Every policy that there is.
fn policies() -> [ExplorationPolicy; 4] {
    [
        ExplorationPolicy::EpsilonGreedy { ladder: None },
        ExplorationPolicy::EpsilonGreedy { ladder: Some(3.0) },
        ExplorationPolicy::EpsilonZGreedy { mu: 2.0, longest: 50 },
        ExplorationPolicy::Softmax { temperature: Schedule::Constant { value: TEMPERATURE } },
    ]
}

/// Actions of `steps` steps, `[step][env]`; an episode begins in environment `e` every `7 + e` steps.
fn choices(policy: &mut dyn BehaviourPolicy, envs: usize, epsilon: f64, steps: usize) -> Vec<Vec<u32>> {
    let (mut values, mut actions) = (values(envs), vec![0; envs]);
    let step = |step: usize| {
        (0..envs).filter(|env| step.is_multiple_of(7 + env)).for_each(|env| policy.begin_episode(env));
        policy.select(rates(epsilon), &mut values, &[], &mut actions);
        actions.clone()
    };
    (0..steps).map(step).collect()
}

fn of_env(choices: &[Vec<u32>], env: usize) -> Vec<u32> {
    choices.iter().map(|actions| actions[env]).collect()
}

/// Row 13: an environment explores in the same way however many others there are, in another way with another seed,
/// and in another way than the others.
#[test]
fn row_13_every_policy_draws_for_each_environment_from_the_runs_seed() {
    for kind in policies() {
        let explored = |seed, envs| choices(&mut *kind.make(seed, envs, ACTIONS), envs, 0.5, 300);
        let three = explored(1, 3);
        assert_eq!(three, explored(1, 3), "{kind:?}: the same seed");
        assert_ne!(three, explored(2, 3), "{kind:?}: another seed");
        assert_eq!(of_env(&explored(1, 1), 0), of_env(&three, 0), "{kind:?}: alone");
        assert_ne!(of_env(&three, 0), of_env(&three, 1), "{kind:?}: two environments");
        if kind != (ExplorationPolicy::EpsilonGreedy { ladder: Some(3.0) }) {
            assert_eq!(of_env(&explored(1, 2), 1), of_env(&three, 1), "{kind:?}: with one other");
        }
    }
}

/// Row 19: neither exploring nor greedy does any policy take an action that is masked, the best one included.
#[test]
fn row_19_no_policy_takes_a_masked_action() {
    for kind in policies() {
        for epsilon in [0.0, 0.3, 1.0] {
            let mut policy = kind.make(1, 3, ACTIONS);
            let (mut values, mut actions) = (values(3), [0; 3]);
            let mut taken = [0; 1 << ACTIONS];
            for step in 0..6000 {
                let allowed: Vec<usize> = (0..3).map(|env| 1 + (step / 3 + 5 * env) % 15).collect();
                let masks: Vec<bool> =
                    allowed.iter().flat_map(|bits| (0..ACTIONS).map(move |a| bits >> a & 1 == 1)).collect();
                policy.select(rates(epsilon), &mut values, &masks, &mut actions);
                for (action, allowed) in actions.iter().zip(&allowed) {
                    assert!(allowed >> action & 1 == 1, "{kind:?}, {epsilon}: {action} of {allowed:b}");
                    taken[*allowed] |= 1 << action;
                }
                if epsilon == 0.0 && !matches!(kind, ExplorationPolicy::Softmax { .. }) {
                    let best = [1, 2, 0, 3].into_iter().find(|action| allowed[0] >> action & 1 == 1);
                    assert_eq!(Some(actions[0]), best, "{kind:?}");
                }
            }
            if epsilon == 1.0 {
                let all: Vec<usize> = (0..1 << ACTIONS).collect();
                assert_eq!(taken, &all[..], "{kind:?}: every allowed action is taken at some time");
            }
        }
    }
}

/// Row 18.
#[test]
fn row_18_every_policy_goes_on_from_its_state() {
    for kind in policies() {
        let mut policy = kind.make(1, 3, ACTIONS);
        for pause in 0..25 {
            choices(&mut *policy, 3, 0.4, pause);
            let state = |policy: &dyn BehaviourPolicy| {
                let mut state = StateWriter::new();
                policy.save_state(&mut state);
                state.into_bytes()
            };
            let bytes = state(&*policy);
            let mut other = kind.make(2, 3, ACTIONS);
            choices(&mut *other, 3, 0.9, 5);
            let mut reader = StateReader::new(&bytes);
            other.load_state(&mut reader).unwrap();
            reader.finish().unwrap();
            assert_eq!(state(&*other), bytes);
            // No episode begins: what is repeated must go on.
            let go_on = |policy: &mut dyn BehaviourPolicy| -> Vec<[u32; 3]> {
                let mut step = || {
                    let mut actions = [0; 3];
                    policy.select(rates(0.4), &mut values(3), &[], &mut actions);
                    actions
                };
                (0..20).map(|_| step()).collect()
            };
            assert_eq!(go_on(&mut *policy), go_on(&mut *other), "{kind:?}");
            assert!(kind.make(1, 2, ACTIONS).load_state(&mut StateReader::new(&bytes)).is_err());
            for len in 0..bytes.len() {
                assert!(kind.make(1, 3, ACTIONS).load_state(&mut StateReader::new(&bytes[..len])).is_err());
            }
        }
    }
    let mut policy = EpsilonZGreedy::new(1, 1, 2, 2.0, 10);
    let mut state = StateWriter::new();
    policy.save_state(&mut state);
    let bytes = state.into_bytes();
    for (back, value) in [(8, 2), (4, 10)] {
        let mut damaged = bytes.clone();
        damaged[bytes.len() - back] = value;
        assert!(policy.load_state(&mut StateReader::new(&damaged)).is_err(), "{value}");
    }
}

fn chi_squared(counts: &[f64], probabilities: &[f64]) -> f64 {
    let (draws, whole) = (counts.iter().sum::<f64>(), probabilities.iter().sum::<f64>());
    let expected = probabilities.iter().map(|probability| draws * probability / whole);
    counts.iter().zip(expected).map(|(count, expected)| (count - expected).powi(2) / expected).sum()
}

#[test]
fn softmax_draws_by_the_exponentials_of_the_values() {
    for (temperature, epsilon, mask) in [
        (0.7, 0.0, vec![]),
        (5.0, 0.0, vec![]),
        (0.7, 0.25, vec![]),
        (0.7, 0.0, vec![true, false, true, true]),
    ] {
        for shift in [0.0, 1e4] {
            let kind = ExplorationPolicy::Softmax { temperature: Schedule::Constant { value: temperature } };
            let (mut policy, mut counts) = (kind.make(3, 1, ACTIONS), [0.0; ACTIONS]);
            let values = [0.5, 2.0, 1.0, -1.0];
            let rates = ExplorationRates { epsilon, temperature: kind.temperature_at(Progress::default()) };
            for _ in 0..40_000 {
                let mut action = [0];
                let mut q = Values(values.iter().map(|value| value + shift).collect());
                policy.select(rates, &mut q, &mask, &mut action);
                counts[action[0] as usize] += 1.0;
            }
            let allowed = |action: usize| mask.is_empty() || mask[action];
            let exponentials: Vec<f64> =
                values.iter().map(|value| (f64::from(*value) / temperature).exp()).collect();
            let kept = (0..ACTIONS).filter(|action| allowed(*action));
            let whole: f64 = kept.clone().map(|action| exponentials[action]).sum();
            let uniform = epsilon / ACTIONS as f64;
            let probabilities: Vec<f64> =
                kept.clone().map(|action| (1.0 - epsilon) * exponentials[action] / whole + uniform).collect();
            let counts: Vec<f64> = kept.map(|action| counts[action]).collect();
            let found = chi_squared(&counts, &probabilities);
            assert!(found < 21.1, "p < 1e-4 for 3 degrees of freedom: {found}, {counts:?}, {mask:?}");
        }
    }
}

#[test]
fn softmax_without_temperature_or_numbers_is_greedy() {
    let kind = policies()[3];
    for (q, temperature, expected) in [
        ([0.5, 2.0, 1.0, -1.0], 0.0, 1),
        ([0.5, f32::INFINITY, 1.0, f32::INFINITY], 0.7, 1),
        ([f32::NAN, f32::NEG_INFINITY, 1.0, f32::NAN], 0.7, 2),
        ([f32::NAN; 4], 0.7, 0),
        ([0.5, 2.0, 1e30, -1.0], 1e-3, 2),
    ] {
        let mut action = [9];
        let rates = ExplorationRates { epsilon: 0.0, temperature };
        kind.make(1, 1, ACTIONS).select(rates, &mut Values(q.to_vec()), &[], &mut action);
        assert_eq!(action, [expected], "{q:?}");
    }
}

/// Lengths of runs of exploration, by letting no two explorations in a row begin: with ε = 1, of many episodes the
/// length of the first run of one action is the drawn one or, where the next draw repeats the action, longer. So
/// there are very many actions.
fn first_runs(longest: u32, episodes: usize, most: usize) -> Vec<f64> {
    let mut policy = EpsilonZGreedy::new(1, 1, 1_000_000, 2.0, longest);
    let mut counts = vec![0.0; most + 1];
    for _ in 0..episodes {
        policy.begin_episode(0);
        let mut next = || {
            let mut action = [0];
            policy.select(ExplorationRates::epsilon(1.0), &mut Values(vec![]), &[], &mut action);
            action[0]
        };
        let first = next();
        let length = 1 + (0..most).take_while(|_| next() == first).count();
        counts[length.min(most + 1) - 1] += 1.0;
    }
    counts
}

#[test]
fn explorations_last_by_the_zeta_distribution() {
    for (longest, most) in [(10_000u32, 6), (4, 4)] {
        let probabilities: Vec<f64> = (1..=longest).map(|n| f64::from(n).powi(-2)).collect();
        let mut grouped = probabilities[..most].to_vec();
        let mut counts = first_runs(longest, 20_000, most);
        let longer: f64 = probabilities[most..].iter().sum();
        match longer > 0.0 {
            true => grouped.push(longer),
            false => assert_eq!(counts.pop(), Some(0.0), "none is longer than the longest"),
        }
        let found = chi_squared(&counts, &grouped);
        assert!(found < 27.9, "p < 1e-4 for 6 degrees of freedom: {found}, {counts:?}");
    }
}

/// In a new episode nothing of the old one is repeated.
#[test]
fn an_exploration_ends_with_its_episode() {
    // Nearly every exploration is long: mu is 0.
    let repeated = |begins: bool| {
        let mut policy = EpsilonZGreedy::new(1, 2, 1_000_000, 0.0, 1_000);
        let mut repeated = [0; 2];
        for _ in 0..500 {
            let mut actions = [[0; 2]; 2];
            for at in &mut actions {
                policy.select(ExplorationRates::epsilon(1.0), &mut Values(vec![]), &[], at);
                if begins {
                    policy.begin_episode(1);
                }
            }
            (0..2).for_each(|env| repeated[env] += u32::from(actions[0][env] == actions[1][env]));
        }
        repeated
    };
    let [other, ended] = repeated(true);
    assert!(other > 480 && ended == 0, "{other} and {ended}");
    assert!(repeated(false)[1] > 480);
}

/// Where the repeated action becomes masked another one takes its place, and is repeated in turn.
#[test]
fn a_masked_exploration_goes_on_with_another_action() {
    let mut policy = EpsilonZGreedy::new(5, 1, 3, 0.0, 1_000_000);
    let mut next = |mask: &[bool]| {
        let mut action = [0];
        policy.select(ExplorationRates::epsilon(1.0), &mut Values(vec![]), mask, &mut action);
        action[0]
    };
    let first = next(&[]);
    assert_eq!([next(&[]), next(&[true; 3])], [first; 2]);
    let others: Vec<bool> = (0..3).map(|action| action != first).collect();
    let second = next(&others);
    assert_ne!(second, first);
    assert!((0..100).all(|_| next(&[]) == second), "it goes on where all are allowed again");
}

/// Each environment explores as much as its rung of Ape-X's ladder says.
#[test]
fn each_environment_has_its_rung_of_the_ladder() {
    let kind = ExplorationPolicy::EpsilonGreedy { ladder: Some(3.0) };
    let choices = choices(&mut *kind.make(1, 4, ACTIONS), 4, 0.6, 20_000);
    for env in 0..4 {
        let epsilon = 0.6f64.powi(env as i32 + 1);
        let explored = of_env(&choices, env).iter().filter(|action| **action != 1).count() as f64;
        let expected = 20_000.0 * epsilon * 0.75;
        assert!((explored - expected).abs() < 5.0 * expected.sqrt(), "{env}: {explored}, {expected}");
    }
}

#[test]
fn policies_are_read_and_checked() {
    let read = |json: &str| serde_json::from_str::<ExplorationPolicy>(json);
    for json in [
        r#"{"kind":"epsilon-greedy"}"#,
        r#"{"kind":"epsilon-greedy","ladder":7.0}"#,
        r#"{"kind":"epsilon-z-greedy","mu":2.0,"longest":10000}"#,
        r#"{"kind":"softmax","temperature":{"kind":"linear","from":1.0,"to":0.1,"env_steps":9}}"#,
        r#"{"kind":"softmax","temperature":0.5}"#,
    ] {
        let kind = read(json).unwrap();
        assert_eq!(serde_json::to_string(&kind).unwrap(), json);
        assert_eq!(kind.validate(), Ok(()));
    }
    let defaults = ExplorationPolicy::EpsilonZGreedy { mu: 2.0, longest: 10_000 };
    assert_eq!(read(r#"{"kind":"epsilon-z-greedy"}"#).unwrap(), defaults);
    for json in [r#"{"kind":"softmax"}"#, r#"{"kind":"epsilon-greedy","mu":2}"#] {
        assert!(read(json).is_err(), "{json}");
    }
    for (json, setting) in [
        (r#"{"kind":"epsilon-greedy","ladder":-1.0}"#, "ladder"),
        (r#"{"kind":"epsilon-z-greedy","mu":101}"#, "mu"),
        (r#"{"kind":"epsilon-z-greedy","longest":0}"#, "longest"),
    ] {
        assert_eq!(read(json).unwrap().validate().unwrap_err().setting, setting);
    }
    let falling = Schedule::Linear { from: 1.0, to: 0.0, env_steps: 10 };
    let now = Progress { env_steps: 5, ..Progress::default() };
    assert_eq!(ExplorationPolicy::Softmax { temperature: falling }.temperature_at(now), 0.5);
    assert_eq!(ExplorationPolicy::default().temperature_at(now), 0.0);
}
