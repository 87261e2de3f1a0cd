//! QR-DQN against rlax: fixtures/losses/quantile.json.

use deepq_core::loss::{QuantileLoss, TargetRule};

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, assert_quantile_targets, evaluate, kind, output};

const ACTIONS: usize = 3;

/// Row 8: sum over the N online quantiles, mean over the N' of the target; N ≠ N'; κ of 1, ½ and 0.
#[test]
fn row_8_quantile_regression_is_rlaxs() {
    let fixture = fixture("losses/quantile.json");
    let setups = fixture["setups"].as_array().unwrap();
    assert!(setups.iter().filter(|setup| setup["atoms"] != setup["target_atoms"]).count() >= 3);
    for setup in setups {
        let rows = Rows::of(setup);
        let atoms = setup["atoms"].as_u64().unwrap() as usize;
        let [online, target_next, online_next] =
            ["values_online", "values_target_next", "values_online_next"].map(|key| floats(&setup[key]));
        let cases = setup["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let rule = if case["double"] == true { TargetRule::DOUBLE } else { TargetRule::Q_LEARNING };
            let kappa = case["kappa"].as_f64().unwrap() as f32;
            let name = format!("{atoms} of {}, κ {kappa}, {rule:?}", setup["target_atoms"]);
            let run = |atoms: usize, kappa: f32, online: &[f32]| {
                evaluate(&mut QuantileLoss::new(rule, atoms, kappa), &rows, |pass| match kind(pass) {
                    "online" => output(rows.len(), ACTIONS, online, &[]),
                    "target_next" => output(rows.len(), ACTIONS, &target_next, &[]),
                    "online_next" => output(rows.len(), ACTIONS, &online_next, &[]),
                    other => panic!("{other} is no pass of Q-learning"),
                })
            };
            let found = run(atoms, kappa, &online);
            assert_close(&found.loss, &floats(&case["loss"]), &format!("losses, {name}"));
            let distances = floats(&case["mean_abs_td_error"]);
            assert_close(&found.td_error, &distances, &format!("TD errors, {name}"));
            assert_close(&found.d_output, &floats(&case["d_values"]), &format!("gradients, {name}"));
            let gradient_at = |theta: &[f32]| run(1, 0.0, theta).d_output;
            assert_quantile_targets(&rows, ACTIONS, &floats(&case["target"]), gradient_at, &name);
        }
    }
}
