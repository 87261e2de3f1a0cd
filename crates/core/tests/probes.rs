//! A whole agent on environments whose values are known.

use deepq_core::loss::{ErrorFunction, ExpectedLoss, Loss, TargetRule};
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig};
use deepq_core::testing::{
    Chain, ExpectedValue, Probe, ProbeEnv, ProbeTraining, ReferenceNetwork, greatest_error, train_on_probe,
};
use deepq_core::{Env, RandomStream};

fn error_after(
    make_env: impl Fn() -> Box<dyn Env>,
    hidden: &[usize],
    loss: Box<dyn Loss>,
    expected: &[ExpectedValue],
    training: ProbeTraining,
) -> f64 {
    let actions = make_env().spec().actions;
    let inputs = expected[0].observation.len();
    let spec = NetworkSpec::mlp(inputs, hidden, actions, Initialization::FanInUniform);
    let initial = spec.initial_parameters(&mut RandomStream::new(3, "initialization", 0)).unwrap();
    let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &initial);
    let mut learner = train_on_probe(Box::new(network), loss, make_env, &training);
    greatest_error(learner.network_mut(), expected)
}

fn losses() -> [(&'static str, Box<dyn Loss>); 4] {
    let huber = ErrorFunction::Huber { kappa: 1.0 };
    [
        ("squared", Box::new(ExpectedLoss::new(TargetRule::Q_LEARNING, ErrorFunction::Squared))),
        ("huber", Box::new(ExpectedLoss::new(TargetRule::Q_LEARNING, huber))),
        ("double squared", Box::new(ExpectedLoss::new(TargetRule::DOUBLE, ErrorFunction::Squared))),
        ("double huber", Box::new(ExpectedLoss::new(TargetRule::DOUBLE, huber))),
    ]
}

/// Rows 1 and 20: the right values are learned, with every loss, over one and over several steps.
fn solves(probe: Probe, training: ProbeTraining, tolerance: f64) {
    for n_step in [1, 3] {
        for (name, loss) in losses() {
            let training = ProbeTraining { n_step, ..training };
            let expected = probe.expected(training.gamma);
            let make_env = || -> Box<dyn Env> { Box::new(ProbeEnv::new(probe)) };
            let error = error_after(make_env, &[8], loss, &expected, training);
            assert!(error < tolerance, "{probe:?}, {name}, {n_step}-step: off by {error}");
        }
    }
}

#[test]
fn row_20_constant_reward_is_learned() {
    solves(Probe::ConstantReward, ProbeTraining { gradient_steps: 400, ..Default::default() }, 0.01);
}

#[test]
fn row_20_a_reward_seen_in_the_observation_is_learned() {
    solves(Probe::ObservedReward, ProbeTraining { gradient_steps: 400, ..Default::default() }, 0.01);
}

#[test]
fn row_20_a_delayed_reward_is_discounted() {
    solves(Probe::DelayedReward, ProbeTraining { gradient_steps: 600, ..Default::default() }, 0.01);
}

#[test]
fn row_20_a_reward_that_depends_on_the_action_is_learned() {
    solves(Probe::ActionReward, ProbeTraining { gradient_steps: 400, ..Default::default() }, 0.01);
}

#[test]
fn row_20_a_reward_that_depends_on_action_and_observation_is_learned() {
    let training = ProbeTraining { gradient_steps: 600, ..Default::default() };
    solves(Probe::ActionAndObservationReward, training, 0.01);
}

#[test]
fn row_1_truncation_is_no_termination() {
    let training = ProbeTraining { gamma: 0.8, target_every: 10, ..Default::default() };
    solves(Probe::EndlessReward, training, 0.05);
}

/// What the tutorials' `done = terminated or truncated` does: the value of going on for ever is lost.
#[test]
fn row_1_truncation_taken_for_termination_is_visible() {
    let training = ProbeTraining { gamma: 0.8, bootstrap_at_truncation: false, ..Default::default() };
    let expected = Probe::EndlessReward.expected(training.gamma);
    let make_env = || -> Box<dyn Env> { Box::new(ProbeEnv::new(Probe::EndlessReward)) };
    let [(_, loss), ..] = losses();
    let error = error_after(make_env, &[8], loss, &expected, training);
    // One observation stands for all ten steps, of which one is stored as the last: q = 1 + 0.8·0.9·q.
    let lost = 5.0 - 1.0 / (1.0 - 0.8 * 0.9);
    assert!((error - lost).abs() < 0.2, "off by {error}, expected {lost}");
}

#[test]
fn row_1_truncation_bootstraps_from_the_last_observation() {
    solves(Probe::CutOffBeforeReward, ProbeTraining::default(), 0.01);
}

/// Tabular values of a chain against value iteration: a linear network on one-hot observations.
#[test]
fn row_20_a_chain_has_the_values_of_value_iteration() {
    let chain = Chain::new(5);
    for gamma in [0.7, 0.9] {
        for (name, loss) in losses() {
            let training = ProbeTraining {
                gamma,
                gradient_steps: 1500,
                batch_size: 64,
                learning_rate: 0.05,
                ..Default::default()
            };
            let expected = chain.expected(gamma);
            let make_env = || -> Box<dyn Env> { Box::new(Chain::new(5)) };
            let error = error_after(make_env, &[], loss, &expected, training);
            assert!(error < 0.02, "{name}, gamma {gamma}: off by {error}");
        }
    }
}

/// Value iteration itself, against values written out by hand.
#[test]
fn row_20_value_iteration_of_a_chain_of_two() {
    let near = Chain::new(2).optimal_values(0.5);
    assert_eq!(near, [[0.1 + 0.5 * 0.5, 0.5], [0.25, 1.0]]);
    // Going left for ever is worth 0.1 / (1 − 0.99) = 10, more than the one reward at the right end.
    let far = Chain::new(2).optimal_values(0.99);
    for (found, expected) in far.iter().flatten().zip([10.0, 9.801, 9.9, 1.0]) {
        assert!((found - expected).abs() < 1e-10, "{far:?}");
    }
}
