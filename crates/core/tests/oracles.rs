//! The oracles themselves: losses against differences, the reference against the suite that it serves.

mod common;

use common::{assert_close, fixture, floats};
use deepq_core::Observation;
use deepq_core::loss::{ErrorFunction, QLearning};
use deepq_core::network::{EpsilonForm, Initialization, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::testing::{ReferenceNetwork, conformance, gradient_check};
use serde_json::Value;

/// Row 20: every loss of the family, for one action and several.
#[test]
fn row_20_gradients_of_losses_are_differences() {
    for error in
        [ErrorFunction::Squared, ErrorFunction::Huber { kappa: 1.0 }, ErrorFunction::Huber { kappa: 0.3 }]
    {
        for double in [false, true] {
            for actions in [1, 2, 5] {
                gradient_check(&QLearning::new(error, double), actions, 1, 11);
                gradient_check(&QLearning::new(error, double).averaged_over_actions(), actions, 1, 12);
            }
        }
    }
}

#[test]
fn the_reference_passes_the_suite() {
    conformance::run(|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)));
}

/// Row 11: Adam and clipping over 100 steps, against fixtures/pytorch/adam.json.
#[test]
fn row_11_the_references_optimiser_is_pytorchs() {
    check_optimizer(&fixture("pytorch/adam.json"), EpsilonForm::Corrected);
}

/// Row 11: the other form of epsilon, against fixtures/keras/adam.json.
#[test]
fn row_11_the_references_optimiser_with_an_uncorrected_epsilon_is_keras() {
    check_optimizer(&fixture("keras/adam.json"), EpsilonForm::Uncorrected);
}

fn check_optimizer(fixture: &Value, epsilon_form: EpsilonForm) {
    let spec = NetworkSpec::mlp(3, &[], 2, Initialization::FanInUniform);
    let first = [-0.25, -0.15, -0.05, 0.05, 0.15, 0.25, 0.5, -0.5];
    for case in fixture["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap() as f32;
        let (beta1, beta2, epsilon) = (number("beta1"), number("beta2"), number("epsilon"));
        let optimizer = OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form };
        let mut network = ReferenceNetwork::new(&spec, optimizer, &first);
        let mut compared = 0;
        for step in 1..=100 {
            let observation = floats(&fixture["observations"][step - 1]);
            network.forward_train(Observation::F32(&observation), &mut [0.0; 2]);
            network.backward(&floats(&fixture["d_outputs"][step - 1]));
            let limit = case["max_gradient_norm"].as_f64().map(|limit| limit as f32);
            network.optimizer_step(number("learning_rate"), limit);
            if let Some(expected) = case["parameters"].get(step.to_string()) {
                let found = network.parameters(Parameters::Online);
                assert_close(&found, &floats(expected), &format!("parameters at step {step} of {case}"));
                compared += 1;
            }
        }
        assert_eq!(compared, 4);
    }
}
