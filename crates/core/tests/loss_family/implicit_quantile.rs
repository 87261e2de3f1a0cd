//! Implicit quantile networks against rlax: fixtures/losses/implicit_quantile.json.

use deepq_core::loss::{ImplicitQuantileLoss, ImplicitQuantiles, TargetRule};

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, assert_quantile_targets, evaluate, kind, output};

const ACTIONS: usize = 3;

/// What one pass gives: the values at the fractions that are learned from, then those that choose the action.
pub(crate) fn behind(drawn: &[f32], choosing: &[f32], lists: usize) -> Vec<f32> {
    let [first, second] = [drawn, choosing].map(|values| values.chunks_exact(values.len() / lists));
    first.zip(second).flat_map(|(drawn, choosing)| [drawn, choosing].concat()).collect()
}

/// Row 8 at drawn fractions: N, N' and K are different numbers.
#[test]
fn row_8_implicit_quantiles_are_rlaxs() {
    let fixture = fixture("losses/implicit_quantile.json");
    let setups = fixture["setups"].as_array().unwrap();
    assert!(setups.iter().filter(|setup| setup["atoms"] != setup["target_atoms"]).count() >= 2);
    for setup in setups {
        let rows = Rows::of(setup);
        let lists = rows.len() * ACTIONS;
        let count = |key: &str| setup[key].as_u64().unwrap() as usize;
        let (atoms, target_atoms, choosing) =
            (count("atoms"), count("target_atoms"), count("selector_atoms"));
        let [online, fractions, target_next, selector_target, selector_online] = [
            "values_online",
            "fractions",
            "values_target_next",
            "selector_target_next",
            "selector_online_next",
        ]
        .map(|key| floats(&setup[key]));
        let both = behind(&target_next, &selector_target, lists);
        for case in setup["cases"].as_array().unwrap() {
            // Where the online network chooses, each pass gives what is read of it and no more.
            let (rule, target_next) = match case["double"] == true {
                true => (TargetRule::DOUBLE, &target_next),
                false => (TargetRule::Q_LEARNING, &both),
            };
            let kappa = case["kappa"].as_f64().unwrap() as f32;
            let name = format!("{atoms} of {target_atoms}, κ {kappa}, {rule:?}");
            let run = |atoms: usize, kappa: f32, online: &[f32], fractions: &[f32]| {
                let counts = ImplicitQuantiles { online: atoms, target: target_atoms, midpoints: choosing };
                let mut loss = ImplicitQuantileLoss::new(rule, counts, kappa);
                evaluate(&mut loss, &rows, |pass| {
                    match kind(pass) {
                        "online" => Ok((online, fractions)),
                        "target_next" => Ok((&target_next[..], &[][..])),
                        "online_next" => Ok((&selector_online[..], &[][..])),
                        other => Err(other),
                    }
                    .map(|(values, fractions)| output(rows.len(), ACTIONS, values, fractions))
                    .unwrap()
                })
            };
            let found = run(atoms, kappa, &online, &fractions);
            assert_close(&found.loss, &floats(&case["loss"]), &format!("losses, {name}"));
            let distances = floats(&case["mean_abs_td_error"]);
            assert_close(&found.td_error, &distances, &format!("TD errors, {name}"));
            assert_close(&found.d_output, &floats(&case["d_values"]), &format!("gradients, {name}"));
            let half = vec![0.5; rows.len()];
            let gradient_at = |theta: &[f32]| run(1, 0.0, theta, &half).d_output;
            assert_quantile_targets(&rows, ACTIONS, &floats(&case["target"]), gradient_at, &name);
        }
    }
}
