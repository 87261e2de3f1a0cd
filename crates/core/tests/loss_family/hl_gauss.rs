//! HL-Gauss against SciPy and jax.grad: fixtures/losses/hl_gauss.json.

use deepq_core::loss::{HlGaussLoss, Loss, TargetRule};

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, evaluate, kind, output, targets_of};

const ACTIONS: usize = 3;

#[test]
fn histograms_around_a_target_are_scipys() {
    let fixture = fixture("losses/hl_gauss.json");
    let setups = fixture["setups"].as_array().unwrap();
    assert_eq!(setups.len(), 4);
    for setup in setups {
        let rows = Rows::of(setup);
        let [online, target_next, online_next] =
            ["logits_online", "logits_target_next", "logits_online_next"].map(|key| floats(&setup[key]));
        let number = |key: &str| setup[key].as_f64().unwrap() as f32;
        for case in setup["cases"].as_array().unwrap() {
            let double = case["double"] == true;
            let rule = if double { TargetRule::DOUBLE } else { TargetRule::Q_LEARNING };
            let (v_min, v_max, bins) = (number("v_min"), number("v_max"), number("bins") as usize);
            let mut loss = HlGaussLoss::new(rule, v_min, v_max, bins, number("sigma_ratio"));
            let output_of = |values| output(rows.len(), ACTIONS, values, &[]);
            let found = evaluate(&mut loss, &rows, |pass| match kind(pass) {
                "online" => output_of(&online),
                "target_next" => output_of(&target_next),
                "online_next" => output_of(&online_next),
                other => panic!("{other} is no pass of Q-learning"),
            });
            let name = format!("{bins} bins, double {double}");
            let value =
                |b: usize| loss.readout().value(output_of(&online).atoms_of(b, rows.action[b] as usize));
            let values: Vec<f32> = (0..rows.len()).map(value).collect();
            assert_close(&values, &floats(&case["value"]), &format!("values, {name}"));
            assert_close(&found.td_error, &floats(&case["td_error"]), &format!("TD errors, {name}"));
            let targets = targets_of(&rows, &output_of(&online), &found.d_output);
            assert_close(&targets, &floats(&case["target"]), &format!("targets, {name}"));
            assert_close(&found.loss, &floats(&case["loss"]), &format!("losses, {name}"));
            assert_close(&found.d_output, &floats(&case["d_logits"]), &format!("gradients, {name}"));
        }
    }
}
