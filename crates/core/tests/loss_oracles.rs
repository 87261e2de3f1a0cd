//! Losses and a learner against rlax, PyTorch and jax.grad: fixtures/losses.

mod common;

use common::{assert_close, fixture, floats};
use deepq_core::loss::{At, ErrorFunction, ExpectedLoss, Loss, LossResult, Output, TargetRule, Transitions};
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    ElementKind, Learner, LearnerConfig, Observation, Period, Progress, RandomStream, TargetUpdate,
    Transition,
};
use serde_json::Value;

/// All numbers of an array, as whole ones.
fn integers(value: &Value) -> Vec<u32> {
    floats(value).into_iter().map(|value| value as u32).collect()
}

fn loss_of(case: &Value) -> ExpectedLoss {
    let error = match case["error"].as_str().unwrap() {
        "squared" => ErrorFunction::Squared,
        "huber-1" => ErrorFunction::Huber { kappa: 1.0 },
        "huber-0.25" => ErrorFunction::Huber { kappa: 0.25 },
        other => panic!("{other}"),
    };
    ExpectedLoss::new(if case["double"] == true { TargetRule::DOUBLE } else { TargetRule::Q_LEARNING }, error)
}

/// Losses, TD errors, targets and gradients of single transitions.
#[test]
fn q_learning_is_rlaxs() {
    let fixture = fixture("losses/q_learning.json");
    let [q_online, q_target_next, q_online_next, reward, discount] =
        ["q_online", "q_target_next", "q_online_next", "reward", "discount"].map(|key| floats(&fixture[key]));
    let action = integers(&fixture["action"]);
    let (rows, actions) = (action.len(), q_online.len() / action.len());
    assert!(rows >= 48 && discount.contains(&0.0));
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let mut loss = loss_of(case);
        let outputs: Vec<Output<'_>> = (loss.passes().iter())
            .map(|pass| {
                let values = match (pass.parameters, pass.at) {
                    (Parameters::Online, At::Observation) => &q_online,
                    (Parameters::Target, At::NextObservation) => &q_target_next,
                    (Parameters::Online, At::NextObservation) => &q_online_next,
                    _ => panic!("{pass:?} is no pass of Q-learning"),
                };
                Output { values, actions, atoms: 1, fractions: &[] }
            })
            .collect();
        let (mut losses, mut td_error) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
        let mut d_output = vec![f32::NAN; rows * actions];
        let transitions =
            Transitions { action: &action, reward: &reward, discount: &discount, mask: &[], next_mask: &[] };
        let mut result = LossResult {
            loss: &mut losses,
            td_error: &mut td_error,
            d_output: &mut d_output,
            d_fractions: &mut [],
        };
        loss.evaluate(transitions, &outputs, &mut result);

        let name = format!("of {}, double {}", case["error"], case["double"]);
        assert_close(&losses, &floats(&case["loss"]), &format!("losses {name}"));
        assert_close(&td_error, &floats(&case["td_error"]), &format!("TD errors {name}"));
        assert_close(&d_output, &floats(&case["d_q"]), &format!("gradients {name}"));
        let targets: Vec<f32> =
            (0..rows).map(|b| td_error[b] + q_online[b * actions + action[b] as usize]).collect();
        assert_close(&targets, &floats(&case["target"]), &format!("targets {name}"));
    }
}

/// A store from which a sampler without replacement draws the rows of the fixture in their order.
fn store_in_order(fixture: &Value, mut stream: RandomStream) -> ReplayStore {
    let [observation, next, reward, discount] =
        ["observation", "next_observation", "reward", "discount"].map(|key| floats(&fixture[key]));
    let action = integers(&fixture["action"]);
    let (rows, width) = (action.len(), observation.len() / action.len());
    let mut slots = vec![0; rows];
    Sampler::new(SamplerConfig::UniformWithoutReplacement, rows).sample_uniform(
        rows,
        &mut stream,
        &mut slots,
    );

    let mut store = ReplayStore::new(ReplayStoreConfig {
        capacity: rows,
        envs: 1,
        actions: 2,
        n_step: 1,
        element: ElementKind::F32,
        observation_len: width,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: false,
    });
    for slot in 0..rows as u32 {
        let row = slots.iter().position(|drawn| *drawn == slot).unwrap();
        let place = row * width..(row + 1) * width;
        store.push_observations(Observation::F32(&observation[place.clone()]), &[], |_| true);
        let transition = Transition {
            observation: store.newest(0),
            action: action[row],
            reward: reward[row],
            discount: discount[row],
            next_observation: store.push_final(Observation::F32(&next[place]), &[]),
        };
        store.push(transition);
    }
    store
}

/// A batch learned from in two minibatches: what one step of each did to the network.
fn learner_of(fixture: &Value, case: &Value, minibatch_size: usize) -> Learner {
    let spec = NetworkSpec::mlp(3, &[8], 2, Initialization::FanInUniform);
    let online = floats(&fixture["online"]);
    let mut network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &online);
    network.set_parameters(Parameters::Target, &floats(&fixture["target"]));
    let mut loss = loss_of(case);
    if case["averaged"].as_bool().unwrap() {
        loss = loss.averaged_over_actions();
    }
    let never = TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 1000 } };
    let config = LearnerConfig {
        batch_size: 8,
        minibatch_size,
        max_gradient_norm: None,
        target_update: never,
        reset: None,
    };
    Learner::new(Box::new(network), Box::new(loss), config, 1)
}

#[test]
fn two_steps_on_one_batch_are_pytorchs() {
    let fixture = fixture("losses/minibatches.json");
    let learning_rate = fixture["learning_rate"].as_f64().unwrap() as f32;
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let name = format!("{}, double {}, averaged {}", case["error"], case["double"], case["averaged"]);
        let stream = RandomStream::new(1, "replay", 0);
        let store = store_in_order(&fixture, stream.clone());
        let mut learner = learner_of(&fixture, case, 4);
        let mut sampler = Sampler::new(SamplerConfig::UniformWithoutReplacement, 8);
        let metrics =
            learner.learn(&store, &mut sampler, &mut stream.clone(), Progress::default(), learning_rate);

        let (batch, _) = learner.batch();
        assert_eq!(batch.action, integers(&fixture["action"]), "the order of the batch");
        let steps = case["steps"].as_array().unwrap();
        let found = learner.network().parameters(Parameters::Online);
        assert_close(&found, &floats(&steps[1]["parameters"]), &format!("parameters, {name}"));
        assert_close(
            &learner.network().parameters(Parameters::Target),
            &floats(&fixture["target"]),
            &format!("target, {name}"),
        );
        let losses: Vec<f32> = steps.iter().flat_map(|step| floats(&step["loss"])).collect();
        let mean = losses.iter().sum::<f32>() / losses.len() as f32;
        assert_close(&[metrics.loss], &[mean], &format!("mean loss, {name}"));
        let q: Vec<f32> = steps.iter().flat_map(|step| floats(&step["q"])).collect();
        let greatest: f32 = q.chunks(2).map(|q| q[0].max(q[1])).sum::<f32>() / 8.0;
        assert_close(&[metrics.q_mean], &[greatest], &format!("mean value, {name}"));
        let targets = floats(&case["targets"]);
        let td_errors: Vec<f32> = (0..8)
            .map(|row| 2 * row + batch.action[row] as usize)
            .map(|place| targets[place] - q[place])
            .collect();
        assert_close(learner.td_errors(), &td_errors, &format!("TD errors, {name}"));
    }
}

/// The loss alone, at the second minibatch, where the network has moved away from its earlier predictions.
#[test]
fn a_loss_averaged_over_actions_pulls_the_others_back() {
    let fixture = fixture("losses/minibatches.json");
    let action = &integers(&fixture["action"])[4..];
    for case in fixture["cases"].as_array().unwrap().iter().filter(|case| case["averaged"] == true) {
        let mut loss = loss_of(case).averaged_over_actions();
        // The targets are given, by rewards: nothing is bootstrapped from.
        let targets = &floats(&case["targets"])[8..];
        let reward: Vec<f32> = (0..4).map(|row| targets[2 * row + action[row] as usize]).collect();
        let moved = floats(&case["steps"][1]["q"]);
        let nothing = vec![0.0; 8];
        let mut values = vec![&moved[..], &nothing];
        values.resize(loss.passes().len() - 1, &nothing);
        values.push(targets);
        let outputs: Vec<Output<'_>> = values
            .into_iter()
            .map(|values| Output { values, actions: 2, atoms: 1, fractions: &[] })
            .collect();
        let (mut losses, mut td_error, mut d_output) = ([f32::NAN; 4], [f32::NAN; 4], [f32::NAN; 8]);
        let mut result = LossResult {
            loss: &mut losses,
            td_error: &mut td_error,
            d_output: &mut d_output,
            d_fractions: &mut [],
        };
        loss.evaluate(
            Transitions { action, reward: &reward, discount: &[0.0; 4], mask: &[], next_mask: &[] },
            &outputs,
            &mut result,
        );
        assert_close(&losses, &floats(&case["steps"][1]["loss"]), "losses");
        assert_close(&d_output, &floats(&case["steps"][1]["d_q"]), "gradients");
        let others = (0..4).map(|row| d_output[2 * row + 1 - action[row] as usize]);
        assert!(others.clone().all(|d| d.abs() > 1e-3), "{:?}", others.collect::<Vec<_>>());
    }
}
