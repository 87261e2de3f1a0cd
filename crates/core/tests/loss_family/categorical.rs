//! C51 against rlax: fixtures/losses/categorical.json.

use deepq_core::loss::{CategoricalLoss, Loss, TargetRule};
use serde_json::Value;

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, evaluate, kind, output, targets_of};

const ACTIONS: usize = 3;

fn loss_of(setup: &Value, rule: TargetRule) -> CategoricalLoss {
    let number = |key: &str| setup[key].as_f64().unwrap();
    CategoricalLoss::new(rule, number("v_min") as f32, number("v_max") as f32, number("atoms") as usize)
}

/// Row 7: projections, losses, priorities and gradients, with returns at both ends, on atoms, between and beyond.
#[test]
fn row_7_categorical_q_learning_is_rlaxs() {
    let fixture = fixture("losses/categorical.json");
    let setups = fixture["setups"].as_array().unwrap();
    assert_eq!(setups.len(), 3);
    for setup in setups {
        let rows = Rows::of(setup);
        let kinds = setup["kind"].as_array().unwrap();
        for edge in ["b=0", "b=last", "integral", "between", "below", "above", "shift"] {
            assert!(kinds.iter().any(|kind| kind == edge), "no {edge}");
        }
        let [online, target_next, online_next] =
            ["logits_online", "logits_target_next", "logits_online_next"].map(|key| floats(&setup[key]));
        for case in setup["cases"].as_array().unwrap() {
            let double = case["double"] == true;
            let name = format!("{} atoms, double {double}", setup["atoms"]);
            let mut loss = loss_of(setup, if double { TargetRule::DOUBLE } else { TargetRule::Q_LEARNING });
            assert_eq!(loss.passes().len(), if double { 3 } else { 2 });
            let output_of = |values| output(rows.len(), ACTIONS, values, &[]);
            let found = evaluate(&mut loss, &rows, |pass| match kind(pass) {
                "online" => output_of(&online),
                "target_next" => output_of(&target_next),
                "online_next" => output_of(&online_next),
                other => panic!("{other} is no pass of Q-learning"),
            });
            let targets = targets_of(&rows, &output_of(&online), &found.d_output);
            assert_close(&targets, &floats(&case["target"]), &format!("targets, {name}"));
            assert_close(&found.loss, &floats(&case["loss"]), &format!("losses, {name}"));
            assert_close(&found.td_error, &floats(&case["kl"]), &format!("divergences, {name}"));
            assert_close(&found.d_output, &floats(&case["d_logits"]), &format!("gradients, {name}"));
            let values: Vec<f32> = (rows.action.iter().enumerate())
                .map(|(b, action)| loss.readout().value(output_of(&online).atoms_of(b, *action as usize)))
                .collect();
            assert_close(&values, &floats(&case["value"]), &format!("values, {name}"));
        }
    }
}
