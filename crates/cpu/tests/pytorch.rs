//! The optimisers, clipping and learning-rate schedules against PyTorch's numbers in single precision, and Adam
//! against Keras' formula: fixtures/pytorch/optimizers.json and fixtures/keras/adam.json, each made by the script
//! beside it.

mod common;

use common::mlp;
use deepq_core::network::{EpsilonForm, OptimizerConfig, Parameters, QNetwork};
use deepq_core::{Observation, Progress, RandomStream, Schedule};
use deepq_cpu::{CpuNetwork, InstructionSet};
use serde_json::Value;

fn fixture(path: &str) -> Value {
    let path = format!("{}/../../fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// One case of a fixture.
struct Case<'a> {
    fixture: &'a Value,
    case: &'a Value,
    widths: [usize; 2],
    initial: &'a [f32],
    optimizer: OptimizerConfig,
    learning_rate: Schedule,
    parameters: &'a Value,
}

impl Case<'_> {
    /// Takes 100 steps; gives after how many of them the parameters were compared.
    fn check(&self, set: InstructionSet) -> usize {
        let mut stream = RandomStream::new(1, "initialization", 0);
        let spec = mlp(&self.widths);
        let mut network = CpuNetwork::with_instruction_set(&spec, self.optimizer, &mut stream, set).unwrap();
        network.set_parameters(Parameters::Online, self.initial);
        let limit = self.case["max_gradient_norm"].as_f64().map(|limit| limit as f32);
        let mut output = vec![0.0; self.widths[1]];
        let mut compared = 0;
        for step in 0..100 {
            network
                .forward_train(Observation::F32(&floats(&self.fixture["observations"][step])), &mut output);
            network.backward(&floats(&self.fixture["d_outputs"][step]));
            let progress = Progress { gradient_steps: network.gradient_steps(), ..Progress::default() };
            network.optimizer_step(self.learning_rate.at(progress) as f32, limit);
            if let Some(expected) = self.parameters.get((step + 1).to_string()) {
                let (found, expected) = (network.parameters(Parameters::Online), floats(expected));
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < 1e-6,
                        "after step {}, {set}: {found} and {expected} of {:?}",
                        step + 1,
                        self.optimizer
                    );
                }
                compared += 1;
            }
        }
        assert_eq!(network.gradient_steps(), 100);
        compared
    }
}

#[test]
fn optimizers_and_clipping_are_pytorchs() {
    let fixture = fixture("pytorch/optimizers.json");
    let initial = floats(&fixture["initial"]);
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let case = Case {
            fixture: &fixture,
            case,
            widths: [5, 4],
            initial: &initial,
            optimizer: serde_json::from_value(case["optimizer"].clone()).unwrap(),
            learning_rate: serde_json::from_value(case["learning_rate"].clone()).unwrap(),
            parameters: &case["float32"],
        };
        for set in InstructionSet::supported() {
            assert_eq!(case.check(set), 5);
        }
    }
}

#[test]
fn adam_with_an_uncorrected_epsilon_is_keras() {
    let fixture = fixture("keras/adam.json");
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let number = |key: &str| case[key].as_f64().unwrap();
        let case = Case {
            fixture: &fixture,
            case,
            widths: [3, 2],
            initial: &[-0.25, -0.15, -0.05, 0.05, 0.15, 0.25, 0.5, -0.5],
            optimizer: OptimizerConfig::Adam {
                beta1: number("beta1"),
                beta2: number("beta2"),
                epsilon: number("epsilon"),
                epsilon_form: EpsilonForm::Uncorrected,
                weight_decay: 0.0,
            },
            learning_rate: Schedule::Constant { value: number("learning_rate") },
            parameters: &case["parameters"],
        };
        for set in InstructionSet::supported() {
            assert_eq!(case.check(set), 4);
        }
    }
}
