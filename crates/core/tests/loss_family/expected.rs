//! Q-learning with masks and with the minimum of both networks against rlax: fixtures/losses/q_learning_variants.json.

use deepq_core::loss::{ErrorFunction, ExpectedLoss, TargetRule};

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, evaluate, kind, output};

const ACTIONS: usize = 4;

/// Row 19: the greatest value is that of an allowed action, however the choice is made.
#[test]
fn row_19_masked_targets_and_the_minimum_of_networks_are_rlaxs() {
    let fixture = fixture("losses/q_learning_variants.json");
    let masked_rows = Rows::of(&fixture);
    let [online, target_next, online_next] =
        ["q_online", "q_target_next", "q_online_next"].map(|key| floats(&fixture[key]));
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let masked = case["masked"] == true;
        let mut rows = Rows::of(&fixture);
        if !masked {
            rows.next_mask.clear();
        }
        assert_eq!(masked_rows.next_mask.len(), rows.len() * ACTIONS);
        let rule = match case["rule"].as_str().unwrap() {
            "plain" => TargetRule::Q_LEARNING,
            "double" => TargetRule::DOUBLE,
            "minimum" => TargetRule::QLearning { double: false, minimum_of_networks: true },
            other => panic!("{other}"),
        };
        let error = match case["error"].as_str().unwrap() {
            "squared" => ErrorFunction::Squared,
            "huber-1" => ErrorFunction::Huber { kappa: 1.0 },
            other => panic!("{other}"),
        };
        let name = format!("{rule:?}, {error:?}, masked {masked}");
        let output_of = |values| output(rows.len(), ACTIONS, values, &[]);
        let found = evaluate(&mut ExpectedLoss::new(rule, error), &rows, |pass| match kind(pass) {
            "online" => output_of(&online),
            "target_next" => output_of(&target_next),
            "online_next" => output_of(&online_next),
            other => panic!("{other} is no pass of Q-learning"),
        });
        assert_close(&found.loss, &floats(&case["loss"]), &format!("losses, {name}"));
        assert_close(&found.td_error, &floats(&case["td_error"]), &format!("TD errors, {name}"));
        assert_close(&found.d_output, &floats(&case["d_q"]), &format!("gradients, {name}"));
        let targets: Vec<f32> = (0..rows.len())
            .map(|b| found.td_error[b] + online[b * ACTIONS + rows.action[b] as usize])
            .collect();
        assert_close(&targets, &floats(&case["target"]), &format!("targets, {name}"));
    }
}
