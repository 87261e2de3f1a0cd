//! Munchausen targets against the paper's formulas: fixtures/losses/munchausen.json, and munchausen_heads.json.

use deepq_core::loss::{
    CategoricalLoss, ErrorFunction, ExpectedLoss, Fractions, ImplicitQuantileLoss, ImplicitQuantiles, Loss,
    Pass, ProposedQuantileLoss, QuantileLoss, TargetRule,
};
use serde_json::Value;

use crate::common::{assert_close, fixture, floats};
use crate::implicit_quantile::behind;
use crate::minimum::{assert_histograms, assert_quantiles, hl_gauss_of};
use crate::{Rows, evaluate, kind, output};

const ACTIONS: usize = 4;

fn rule_of(fixture: &Value) -> TargetRule {
    let number = |key: &str| fixture[key].as_f64().unwrap() as f32;
    let rule = TargetRule::Munchausen {
        alpha: number("alpha"),
        temperature: number("temperature"),
        clip: number("clip"),
    };
    assert_eq!(rule, TargetRule::MUNCHAUSEN, "the paper's numbers");
    rule
}

/// The two batches of a family: without masks and with masks.
fn batches<'a>(fixture: &'a Value, family: &str) -> impl Iterator<Item = (Rows, &'a Value, bool)> {
    let batches = fixture[family].as_array().unwrap();
    assert_eq!(batches.len(), 2);
    batches.iter().map(|batch| {
        let (rows, masked) = (Rows::of(batch), batch["masked"] == true);
        let masks = if masked { rows.len() * ACTIONS } else { 0 };
        assert_eq!((rows.mask.len(), rows.next_mask.len()), (masks, masks));
        (rows, batch, masked)
    })
}

/// As `assert_close`, each number in the size of its own of `sizes`.
fn assert_close_to(found: &[f32], expected: &[f32], sizes: &[f32], what: &str) {
    assert_eq!((found.len(), sizes.len()), (expected.len(), expected.len()), "the length of {what}");
    let scaled =
        |values: &[f32]| values.iter().zip(sizes).map(|(value, size)| value / size).collect::<Vec<_>>();
    assert_close(&scaled(found), &scaled(expected), what);
}

/// Rows 10 and 19: log-policies of the target network by a stable log-sum-exp, cut off, over allowed actions only.
#[test]
fn row_10_expected_munchausen_targets_are_the_papers() {
    let fixture = fixture("losses/munchausen.json");
    for (rows, batch, masked) in batches(&fixture, "expected") {
        let [online, target, target_next] =
            ["q_online", "q_target", "q_target_next"].map(|key| floats(&batch[key]));
        let targets = floats(&batch["target"]);
        let taken: Vec<f32> =
            (0..rows.len()).map(|b| online[b * ACTIONS + rows.action[b] as usize]).collect();
        // A TD error is the difference of two numbers of single precision: the target, rounded to its 24 digits when
        // the reward is added, and the prediction. Where they are 10,000, 1e-6 of those is what is left of it.
        let sizes: Vec<f32> =
            targets.iter().zip(&taken).map(|(y, q)| y.abs().max(q.abs()).max(1.0)).collect();
        let td_errors = floats(&batch["td_error"]);
        for case in batch["cases"].as_array().unwrap() {
            let error = match case["error"].as_str().unwrap() {
                "squared" => ErrorFunction::Squared,
                "huber-1" => ErrorFunction::Huber { kappa: 1.0 },
                other => panic!("{other}"),
            };
            let name = format!("{error:?}, masked {masked}");
            let output_of = |values| output(rows.len(), ACTIONS, values, &[]);
            let mut loss = ExpectedLoss::new(rule_of(&fixture), error);
            let found = evaluate(&mut loss, &rows, |pass| match kind(pass) {
                "online" => output_of(&online),
                "target" => output_of(&target),
                "target_next" => output_of(&target_next),
                other => panic!("{other} is no pass of Munchausen"),
            });
            let found_targets: Vec<f32> = found.td_error.iter().zip(&taken).map(|(td, q)| td + q).collect();
            assert_close_to(&found_targets, &targets, &sizes, &format!("targets, {name}"));
            assert_close_to(&found.td_error, &td_errors, &sizes, &format!("TD errors, {name}"));
            // The error of the TD error goes on by the slope of the loss, which is 2·δ for squares and at most 1 for
            // Huber's; the gradient's slope is 2 and at most 1.
            let slope = |td: &f32| error.value_and_slope(*td).1.abs().max(1.0);
            let loss_sizes: Vec<f32> =
                sizes.iter().zip(&td_errors).map(|(size, td)| size * slope(td)).collect();
            assert_close_to(&found.loss, &floats(&case["loss"]), &loss_sizes, &format!("losses, {name}"));
            let steepest = if error == ErrorFunction::Squared { 2.0 } else { 1.0 };
            let d_sizes: Vec<f32> = sizes.iter().flat_map(|size| [steepest * size; ACTIONS]).collect();
            let d_q = floats(&case["d_q"]);
            assert_close_to(&found.d_output, &d_q, &d_sizes, &format!("gradients, {name}"));
        }
    }
}

/// Rows 8, 10 and 19: Munchausen-IQN. Each quantile of the target is a mixture over the actions.
#[test]
fn row_10_munchausen_iqn_is_the_papers() {
    let fixture = fixture("losses/munchausen.json");
    for (rows, batch, masked) in batches(&fixture, "quantile") {
        let lists = rows.len() * ACTIONS;
        let [target_next, choosing, choosing_next] =
            ["values_target_next", "selector_target", "selector_target_next"].map(|key| floats(&batch[key]));
        let (target, midpoints) = (target_next.len() / lists, choosing.len() / lists);
        let target_next = behind(&target_next, &choosing_next, lists);
        let other = |pass: &Pass| match kind(pass) {
            "target" => (&choosing[..], &[][..]),
            "target_next" => (&target_next[..], &[][..]),
            other => panic!("{other} is no pass of Munchausen"),
        };
        let make = |online, kappa| {
            let counts = ImplicitQuantiles { online, target, midpoints };
            Box::new(ImplicitQuantileLoss::new(rule_of(&fixture), counts, kappa)) as Box<dyn Loss>
        };
        assert_quantiles(make, &rows, batch, other, &format!("masked {masked}"));
    }
}

/// Rows 7, 10 and 19: the atoms of every action move by its own log-policy and are projected by themselves.
#[test]
fn row_10_categorical_munchausen_is_the_papers() {
    let fixture = fixture("losses/munchausen.json");
    for (rows, batch, masked) in batches(&fixture, "categorical") {
        let number = |key: &str| batch[key].as_f64().unwrap() as f32;
        let atoms = number("atoms") as usize;
        let mut loss = CategoricalLoss::new(rule_of(&fixture), number("v_min"), number("v_max"), atoms);
        assert_eq!(loss.passes().len(), 3);
        assert_histograms(&mut loss, &rows, batch, "kl", &format!("masked {masked}"));
    }
}

/// Rows 10 and 19: the histogram stands around the mean under the soft policy.
#[test]
fn row_10_hl_gauss_munchausen_is_the_papers() {
    let fixture = fixture("losses/munchausen_heads.json");
    for (rows, batch, masked) in batches(&fixture, "hl_gauss") {
        let mut loss = hl_gauss_of(rule_of(&fixture), batch);
        assert_histograms(&mut loss, &rows, batch, "td_error", &format!("masked {masked}"));
    }
}

/// Rows 8, 10 and 19: policies by the means of quantiles, each quantile a mixture over the actions.
#[test]
fn row_10_quantile_munchausen_is_the_papers() {
    let fixture = fixture("losses/munchausen_heads.json");
    let rule = rule_of(&fixture);
    for (rows, batch, masked) in batches(&fixture, "quantile") {
        let [target, target_next] = ["values_target", "values_target_next"].map(|key| floats(&batch[key]));
        let other = |pass: &Pass| match kind(pass) {
            "target" => (&target[..], &[][..]),
            "target_next" => (&target_next[..], &[][..]),
            other => panic!("{other} is no pass of Munchausen"),
        };
        let make = |atoms, kappa| Box::new(QuantileLoss::new(rule, atoms, kappa)) as Box<dyn Loss>;
        assert_quantiles(make, &rows, batch, other, &format!("masked {masked}"));
    }
}

/// Rows 8, 10 and 19: policies by quantiles weighted by the widths of their parts, of each observation's own.
#[test]
fn row_10_proposed_quantile_munchausen_is_the_papers() {
    let fixture = fixture("losses/munchausen_heads.json");
    let rule = rule_of(&fixture);
    for (rows, batch, masked) in batches(&fixture, "proposed_quantile") {
        let [target, target_next, midpoints, midpoints_next] =
            ["values_target", "values_target_next", "midpoints_target", "midpoints_target_next"]
                .map(|key| floats(&batch[key]));
        let other = |pass: &Pass| match (kind(pass), pass.fractions) {
            ("target", Fractions::ProposedMidpoints) => (&target[..], &midpoints[..]),
            ("target_next", Fractions::ProposedMidpoints) => (&target_next[..], &midpoints_next[..]),
            other => panic!("{other:?} is no pass of Munchausen"),
        };
        let make = |_, kappa| Box::new(ProposedQuantileLoss::new(rule, kappa)) as Box<dyn Loss>;
        assert_quantiles(make, &rows, batch, other, &format!("masked {masked}"));
    }
}
