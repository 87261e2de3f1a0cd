//! Stream Q(λ) against fixtures/streaming/stream_q.py, which steps the paper's formulas in float64: on this engine with
//! every instruction set, and on the plain reference.

use deepq_core::network::{Initialization, LayerSpec, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    ActionValues, BehaviourPolicy, BoxSpace, Env, EnvError, EnvSpec, ExplorationRates, ObservationMut,
    RandomStream, StateError, StateReader, StateWriter, Step, StreamingConfig, StreamingLearner, VectorEnv,
};
use deepq_cpu::{CpuNetwork, InstructionSet};
use serde_json::Value;

const INPUTS: usize = 12;
const HIDDEN: usize = 6;
const ACTIONS: usize = 3;

fn fixture() -> Value {
    let path = format!("{}/../../fixtures/streaming/stream_q.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All numbers of an array of arrays, row-major.
fn floats(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(floats).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

/// Gives the steps of a file, whatever the actions.
struct Recorded {
    spec: EnvSpec,
    /// Of each step the observation, the next one, and what it paid.
    steps: Vec<(Vec<f32>, Vec<f32>, Step)>,
    next: usize,
}

impl Recorded {
    fn new(steps: &Value) -> Self {
        let rows = |key: &str| steps[key].as_array().unwrap().iter();
        let flag = |key: &str, row: usize| steps[key][row].as_bool().unwrap();
        let observations = rows("observation").zip(rows("next_observation")).zip(rows("reward"));
        let steps = observations.enumerate().map(|(row, ((observation, next), reward))| {
            let reward = reward.as_f64().unwrap();
            let step =
                Step { reward, terminated: flag("terminated", row), truncated: flag("truncated", row) };
            (floats(observation), floats(next), step)
        });
        let steps: Vec<_> = steps.collect();
        let space = BoxSpace::vector(&[-9.0; INPUTS], &[9.0; INPUTS]);
        Self { spec: EnvSpec::new("recorded", space, ACTIONS), steps, next: 0 }
    }
}

fn write(from: &[f32], to: ObservationMut<'_>) {
    match to {
        ObservationMut::F32(values) => values.copy_from_slice(from),
        ObservationMut::U8(_) => panic!("numbers"),
    }
}

impl Env for Recorded {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        // Nothing is left to begin after the last step.
        let step = self.next.min(self.steps.len() - 1);
        write(&self.steps[step].0, observation);
        Ok(())
    }

    fn step(&mut self, _: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let (_, next, step) = &self.steps[self.next];
        self.next += 1;
        write(next, observation);
        Ok(*step)
    }

    fn save_state(&self, _: &mut StateWriter) {}

    fn load_state(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// Takes the actions of a file.
struct Script(std::vec::IntoIter<u32>);

impl BehaviourPolicy for Script {
    fn select(&mut self, _: ExplorationRates, _: &mut dyn ActionValues, _: &[bool], actions: &mut [u32]) {
        actions[0] = self.0.next().unwrap();
    }

    fn save_state(&self, _: &mut StateWriter) {}

    fn load_state(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

fn spec() -> NetworkSpec {
    let mut spec = NetworkSpec::mlp(INPUTS, &[HIDDEN], ACTIONS, Initialization::FanInUniform);
    let norm = LayerSpec::LayerNorm { axes: Default::default(), epsilon: 1e-5 };
    spec.layers.splice(1..2, [norm, LayerSpec::LeakyRelu { slope: 0.01 }]);
    spec
}

/// In the layout's order, with the layer norm's weights and biases of 1 and 0 in their place.
fn with_layer_norm(parameters: &[f32]) -> Vec<f32> {
    let (hidden, output) = parameters.split_at(HIDDEN * (INPUTS + 1));
    [hidden, &[1.0; HIDDEN], &[0.0; HIDDEN], output].concat()
}

/// Equal to 1e-5, in the size of 1 or of the number, whichever is greater.
fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "the length of {what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = 1e-5 * expected.abs().max(1.0);
        assert!((found - expected).abs() <= allowed, "{what}, element {i}: {found}, expected {expected}");
    }
}

fn compare(fixture: &Value, case: &Value, network: impl FnOnce(&NetworkSpec, &[f32]) -> Box<dyn QNetwork>) {
    let number = |key: &str| case[key].as_f64().unwrap();
    let config = StreamingConfig {
        gamma: number("gamma"),
        lambda: number("lambda"),
        kappa: number("kappa"),
        trace_cut: serde_json::from_value(case["trace_cut"].clone()).unwrap(),
    };
    let actions: Vec<u32> = floats(&case["action"]).iter().map(|action| *action as u32).collect();
    let (td_errors, every) = (floats(&case["td_error"]), fixture["every"].as_u64().unwrap() as usize);
    let names = ["hidden.weight", "hidden.bias", "output.weight", "output.bias"];
    let initial = names.map(|name| floats(&fixture["parameters"][name])).concat();
    let network = network(&spec(), &with_layer_norm(&initial));
    let envs = VectorEnv::new(vec![Box::new(Recorded::new(&fixture["steps"]))]).unwrap();
    let policy = Box::new(Script(actions.into_iter()));
    let mut learner = StreamingLearner::new(envs, policy, network, config, 1).unwrap();
    learner.reset(&[1]).unwrap();
    for (step, td_error) in td_errors.iter().enumerate() {
        learner.step(0.0, number("step_size") as f32).unwrap();
        let what = format!("step {step} of {config:?}");
        assert_near(&[learner.td_error()], &[*td_error], &format!("the error, {what}"));
        if (step + 1).is_multiple_of(every) {
            let expected = with_layer_norm(&floats(&case["parameters"][step / every]));
            let found = learner.network().parameters(Parameters::Online);
            assert_near(&found, &expected, &format!("the parameters, {what}"));
        }
    }
}

fn engine(spec: &NetworkSpec, parameters: &[f32], set: InstructionSet) -> Box<dyn QNetwork> {
    let mut stream = RandomStream::new(1, "initialization", 0);
    let mut network =
        CpuNetwork::with_instruction_set(spec, OptimizerConfig::default(), &mut stream, set).unwrap();
    network.set_parameters(Parameters::Online, parameters);
    Box::new(network)
}

#[test]
fn every_step_is_that_of_the_papers_formulas() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        assert_eq!(case["td_error"].as_array().unwrap().len(), 60);
        compare(&fixture, case, |spec, parameters| {
            Box::new(ReferenceNetwork::new(spec, OptimizerConfig::default(), parameters))
        });
        for set in InstructionSet::supported() {
            compare(&fixture, case, |spec, parameters| engine(spec, parameters, set));
        }
    }
}
