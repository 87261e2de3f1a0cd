//! λ-returns against the mixture of n-step returns and rlax: fixtures/losses/lambda_returns.json.

use deepq_core::rollout::{Trajectories, lambda_returns};

use crate::booleans;
use crate::common::{assert_close, fixture, floats};

/// Row 5, with ends of both kinds anywhere, at the last step and at the last but one.
#[test]
fn row_5_lambda_returns_are_rlaxs() {
    let fixture = fixture("losses/lambda_returns.json");
    let [reward, bootstrap] = ["reward", "next_value"].map(|key| floats(&fixture[key]));
    let [terminated, truncated] = ["terminated", "truncated"].map(|key| booleans(&fixture[key]));
    let envs = fixture["reward"][0].as_array().unwrap().len();
    let trajectories = Trajectories {
        envs,
        reward: &reward,
        terminated: &terminated,
        truncated: &truncated,
        bootstrap: &bootstrap,
    };
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let lambda = case["lambda"].as_f64().unwrap();
        let mut returns = vec![f32::NAN; reward.len()];
        lambda_returns(&trajectories, fixture["gamma"].as_f64().unwrap(), lambda, &mut returns);
        assert_close(&returns, &floats(&case["returns"]), &format!("returns, λ {lambda}"));
    }
}
