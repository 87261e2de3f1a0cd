//! The oracles themselves: losses against differences, the reference against the suite that it serves.

mod common;

use common::{assert_close, fixture, floats};
use deepq_core::loss::{ErrorFunction, Head, LossConfig, TargetRule};
use deepq_core::network::{EpsilonForm, Initialization, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::testing::{ReferenceNetwork, conformance, gradient_check};
use deepq_core::{Observation, Progress, Schedule};
use serde_json::Value;

/// Every rule of a target.
const RULES: [TargetRule; 4] = [
    TargetRule::Q_LEARNING,
    TargetRule::DOUBLE,
    TargetRule::QLearning { double: false, minimum_of_networks: true },
    // Temperatures as in the paper would leave one action with all the weight at these values.
    TargetRule::Munchausen { alpha: 0.9, temperature: 0.7, clip: -1.0 },
];

fn every_head() -> Vec<(Head, usize)> {
    let expected = |error| Head::Expected { error, average_over_actions: false };
    vec![
        (expected(ErrorFunction::Squared), 1),
        (expected(ErrorFunction::Huber { kappa: 1.0 }), 1),
        (expected(ErrorFunction::Huber { kappa: 0.3 }), 1),
        (Head::Expected { error: ErrorFunction::Squared, average_over_actions: true }, 1),
        (Head::Categorical { atoms: 7, v_min: -3.0, v_max: 4.0 }, 7),
        (Head::HlGauss { bins: 8, v_min: -4.0, v_max: 4.0, sigma_ratio: 0.75 }, 8),
        (Head::Quantile { quantiles: 5, kappa: 1.0 }, 5),
        (Head::ImplicitQuantile { fractions: 4, target_fractions: 3, acting_fractions: 2, kappa: 0.5 }, 1),
        (
            Head::ProposedQuantile {
                fractions: 4,
                acting_fractions: 2,
                kappa: 1.0,
                entropy: 0.1,
                fraction_learning_rate: 1e-3,
            },
            4,
        ),
    ]
}

/// Row 20: every head of the family with every target rule, for one action and several.
#[test]
fn row_20_gradients_of_losses_are_differences() {
    for target in RULES {
        for (head, atoms) in every_head() {
            for actions in [1, 2, 5] {
                let mut loss = LossConfig { target, head }.make();
                gradient_check(&mut *loss, actions, atoms, 11);
            }
        }
    }
}

#[test]
fn the_reference_passes_the_suite() {
    conformance::run(|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)));
}

/// Row 11: every optimiser, clipping and learning-rate schedules over 100 steps, against
/// fixtures/pytorch/optimizers.json in double precision.
#[test]
fn row_11_the_references_optimisers_are_pytorchs() {
    let fixture = fixture("pytorch/optimizers.json");
    let spec = NetworkSpec::mlp(5, &[], 4, Initialization::FanInUniform);
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let optimizer: OptimizerConfig = serde_json::from_value(case["optimizer"].clone()).unwrap();
        optimizer.validate().unwrap();
        let rate: Schedule = serde_json::from_value(case["learning_rate"].clone()).unwrap();
        let network = ReferenceNetwork::new(&spec, optimizer, &floats(&fixture["initial"]));
        let rate = |gradient_steps| {
            let rate = rate.at(Progress { gradient_steps, ..Progress::default() });
            if let Some(rates) = case["learning_rates"].as_array() {
                let expected = rates[gradient_steps as usize].as_f64().unwrap();
                assert!((rate / expected - 1.0).abs() < 1e-12, "{rate} and {expected} of {case}");
            }
            rate as f32
        };
        assert_eq!(compare_steps(network, &fixture, case, &case["float64"], &rate), 5);
    }
}

/// Row 11: the other form of epsilon, against fixtures/keras/adam.json.
#[test]
fn row_11_the_references_optimiser_with_an_uncorrected_epsilon_is_keras() {
    let fixture = fixture("keras/adam.json");
    let spec = NetworkSpec::mlp(3, &[], 2, Initialization::FanInUniform);
    let first = [-0.25, -0.15, -0.05, 0.05, 0.15, 0.25, 0.5, -0.5];
    for case in fixture["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let (beta1, beta2, epsilon) = (number("beta1"), number("beta2"), number("epsilon"));
        let (epsilon_form, weight_decay) = (EpsilonForm::Uncorrected, 0.0);
        let optimizer = OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form, weight_decay };
        let network = ReferenceNetwork::new(&spec, optimizer, &first);
        let rate = |_| number("learning_rate") as f32;
        assert_eq!(compare_steps(network, &fixture, case, &case["parameters"], &rate), 4);
    }
}

/// Takes 100 steps; gives after how many of them the parameters were compared.
fn compare_steps(
    mut network: ReferenceNetwork,
    fixture: &Value,
    case: &Value,
    parameters: &Value,
    rate: &dyn Fn(u64) -> f32,
) -> usize {
    let limit = case["max_gradient_norm"].as_f64().map(|limit| limit as f32);
    let mut output = vec![0.0; network.spec().outputs()];
    let mut compared = 0;
    for step in 0..100 {
        let observation = floats(&fixture["observations"][step]);
        network.forward_train(Observation::F32(&observation), &mut output);
        network.backward(&floats(&fixture["d_outputs"][step]));
        network.optimizer_step(rate(step as u64), limit);
        if let Some(expected) = parameters.get((step + 1).to_string()) {
            let found = network.parameters(Parameters::Online);
            let settings = &case["optimizer"];
            assert_close(&found, &floats(expected), &format!("parameters after step {step} of {settings}"));
            compared += 1;
        }
    }
    compared
}
