//! Adam and clipping against PyTorch's numbers and Adam against Keras' formula: fixtures/pytorch/adam.json and
//! fixtures/keras/adam.json, each made by adam.py beside it.

mod common;

use common::mlp;
use deepq_core::network::{EpsilonForm, OptimizerConfig, Parameters, QNetwork};
use deepq_core::{Observation, RandomStream};
use deepq_cpu::{CpuNetwork, InstructionSet};
use serde_json::Value;

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn number(case: &Value, key: &str) -> f32 {
    case[key].as_f64().unwrap() as f32
}

fn check(fixture: &Value, case: &Value, epsilon_form: EpsilonForm, set: InstructionSet) {
    let optimizer = OptimizerConfig::Adam {
        beta1: number(case, "beta1"),
        beta2: number(case, "beta2"),
        epsilon: number(case, "epsilon"),
        epsilon_form,
    };
    let mut stream = RandomStream::new(1, "initialization", 0);
    let mut network = CpuNetwork::with_instruction_set(&mlp(&[3, 2]), optimizer, &mut stream, set).unwrap();
    network.set_parameters(Parameters::Online, &[-0.25, -0.15, -0.05, 0.05, 0.15, 0.25, 0.5, -0.5]);
    let limit = case["max_gradient_norm"].as_f64().map(|limit| limit as f32);
    let mut compared = 0;
    for step in 1..=100 {
        let mut output = [0.0; 2];
        network.forward_train(Observation::F32(&floats(&fixture["observations"][step - 1])), &mut output);
        network.backward(&floats(&fixture["d_outputs"][step - 1]));
        network.optimizer_step(number(case, "learning_rate"), limit);
        if let Some(expected) = case["parameters"].get(step.to_string()) {
            for (found, expected) in network.parameters(Parameters::Online).iter().zip(floats(expected)) {
                assert!(
                    (found - expected).abs() < 1e-6,
                    "step {step}, {set}: {found} and {expected} of {case}"
                );
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
    assert_eq!(network.gradient_steps(), 100);
}

fn check_all(path: &str, expected_cases: usize, epsilon_form: EpsilonForm) {
    let path = format!("{}/../../fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), expected_cases);
    for case in cases {
        for set in InstructionSet::supported() {
            check(&fixture, case, epsilon_form, set);
        }
    }
}

#[test]
fn adam_and_clipping_are_pytorchs() {
    check_all("pytorch/adam.json", 5, EpsilonForm::Corrected);
}

#[test]
fn adam_with_an_uncorrected_epsilon_is_keras() {
    check_all("keras/adam.json", 2, EpsilonForm::Uncorrected);
}
