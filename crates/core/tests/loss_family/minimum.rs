//! The smaller of two networks with every distribution against the formulas: fixtures/losses/minimum.json.

use deepq_core::loss::{
    CategoricalLoss, Fractions, HlGaussLoss, ImplicitQuantileLoss, ImplicitQuantiles, Loss, Pass,
    ProposedQuantileLoss, QuantileLoss, TargetRule,
};
use serde_json::Value;

use crate::common::{assert_close, fixture, floats};
use crate::implicit_quantile::behind;
use crate::{Rows, assert_quantile_targets, booleans, evaluate, kind, output, targets_of};

const ACTIONS: usize = 4;
const MINIMUM: TargetRule = TargetRule::QLearning { double: false, minimum_of_networks: true };

/// The batch of a family, in which each network's atoms count, the target's also where both networks agree.
fn batch_of(fixture: &Value, family: &str) -> (Rows, Value) {
    let batch = fixture[family].clone();
    let (rows, from_target) = (Rows::of(&batch), booleans(&batch["from_target"]));
    assert_eq!((rows.next_mask.len(), from_target.len()), (rows.len() * ACTIONS, rows.len()));
    for counts in [true, false] {
        assert!((0..rows.len()).any(|b| rows.discount[b] > 0.0 && from_target[b] == counts));
    }
    assert!(rows.discount.contains(&0.0) && rows.next_mask.contains(&false));
    (rows, batch)
}

/// Of both networks at the next observation, the same fractions: each may choose, and each may be learned from.
fn assert_passes(loss: &dyn Loss, trained: Fractions, next: Fractions) {
    let next_passes: Vec<_> = loss.passes().iter().map(|pass| (kind(pass), pass.fractions)).take(3).collect();
    assert_eq!(next_passes, [("online", trained), ("target_next", next), ("online_next", next)]);
}

/// What a loss of a histogram makes of the logits of a batch, which has its TD errors at the key `td_error`.
pub(crate) fn assert_histograms(loss: &mut dyn Loss, rows: &Rows, batch: &Value, td_error: &str, name: &str) {
    let kinds: Vec<&str> = loss.passes().iter().map(kind).collect();
    let logits: Vec<Vec<f32>> = kinds.iter().map(|kind| floats(&batch[format!("logits_{kind}")])).collect();
    let output_of = |values| output(rows.len(), ACTIONS, values, &[]);
    let found = evaluate(loss, rows, |pass| {
        output_of(&logits[kinds.iter().position(|other| *other == kind(pass)).unwrap()])
    });
    let targets = targets_of(rows, &output_of(&logits[0]), &found.d_output);
    assert_close(&targets, &floats(&batch["target"]), &format!("targets, {name}"));
    assert_close(&found.loss, &floats(&batch["loss"]), &format!("losses, {name}"));
    assert_close(&found.td_error, &floats(&batch[td_error]), &format!("TD errors, {name}"));
    assert_close(&found.d_output, &floats(&batch["d_logits"]), &format!("gradients, {name}"));
}

/// What a loss of quantiles with so many quantiles and κ makes of a batch. `other` gives the values and fractions of
/// the passes that are not trained.
pub(crate) fn assert_quantiles<'a>(
    make: impl Fn(usize, f32) -> Box<dyn Loss>,
    rows: &Rows,
    batch: &Value,
    other: impl Fn(&Pass) -> (&'a [f32], &'a [f32]),
    name: &str,
) {
    let online = floats(&batch["values_online"]);
    let fractions = batch.get("fractions").map_or(vec![], floats);
    let run = |atoms: usize, kappa: f32, online: &[f32], fractions: &[f32]| {
        evaluate(&mut *make(atoms, kappa), rows, |pass| {
            let (values, fractions) = match (kind(pass), pass.fractions) {
                // The gradient of the proposals does not depend on the rule.
                (_, Fractions::Proposed) => (&[][..], &[][..]),
                ("online", _) => (online, fractions),
                _ => other(pass),
            };
            output(rows.len(), ACTIONS, values, fractions)
        })
    };
    let found = run(online.len() / (rows.len() * ACTIONS), 1.0, &online, &fractions);
    assert_close(&found.loss, &floats(&batch["loss"]), &format!("losses, {name}"));
    let distances = floats(&batch["mean_abs_td_error"]);
    assert_close(&found.td_error, &distances, &format!("TD errors, {name}"));
    assert_close(&found.d_output, &floats(&batch["d_values"]), &format!("gradients, {name}"));
    let half = vec![0.5; rows.len()];
    let gradient_at = |theta: &[f32]| run(1, 0.0, theta, &half).d_output;
    assert_quantile_targets(rows, ACTIONS, &floats(&batch["target"]), gradient_at, name);
}

/// Rows 7 and 19: the atoms of the network that values the chosen action less are projected.
#[test]
fn row_19_categorical_minimum_of_networks_is_rlaxs() {
    let (rows, batch) = batch_of(&fixture("losses/minimum.json"), "categorical");
    let number = |key: &str| batch[key].as_f64().unwrap() as f32;
    let atoms = number("atoms") as usize;
    let mut loss = CategoricalLoss::new(MINIMUM, number("v_min"), number("v_max"), atoms);
    assert_passes(&loss, Fractions::None, Fractions::None);
    assert_histograms(&mut loss, &rows, &batch, "kl", "categorical");
}

/// Row 19: the histogram stands around the smaller of two means.
#[test]
fn row_19_hl_gauss_minimum_of_networks_is_the_formula() {
    let (rows, batch) = batch_of(&fixture("losses/minimum.json"), "hl_gauss");
    let mut loss = hl_gauss_of(MINIMUM, &batch);
    assert_passes(&loss, Fractions::None, Fractions::None);
    assert_histograms(&mut loss, &rows, &batch, "td_error", "HL-Gauss");
}

pub(crate) fn hl_gauss_of(rule: TargetRule, batch: &Value) -> HlGaussLoss {
    let number = |key: &str| batch[key].as_f64().unwrap() as f32;
    HlGaussLoss::new(rule, number("v_min"), number("v_max"), number("bins") as usize, number("sigma_ratio"))
}

/// Rows 8 and 19: the quantiles of the network whose mean is smaller.
#[test]
fn row_19_quantile_minimum_of_networks_is_the_formula() {
    let (rows, batch) = batch_of(&fixture("losses/minimum.json"), "quantile");
    let [target, online] = ["values_target_next", "values_online_next"].map(|key| floats(&batch[key]));
    assert_passes(&QuantileLoss::new(MINIMUM, 5, 1.0), Fractions::None, Fractions::None);
    let other = |pass: &Pass| match kind(pass) {
        "target_next" => (&target[..], &[][..]),
        "online_next" => (&online[..], &[][..]),
        other => panic!("{other} is no pass of Q-learning"),
    };
    let make = |atoms, kappa| Box::new(QuantileLoss::new(MINIMUM, atoms, kappa)) as Box<dyn Loss>;
    assert_quantiles(make, &rows, &batch, other, "quantiles");
}

/// Rows 8 and 19: both networks give values to choose by and others, at drawn fractions, to learn from.
#[test]
fn row_19_implicit_quantile_minimum_of_networks_is_the_formula() {
    let (rows, batch) = batch_of(&fixture("losses/minimum.json"), "implicit_quantile");
    let lists = rows.len() * ACTIONS;
    let read = |key: &str| floats(&batch[key]);
    let (midpoints, drawn) =
        (read("selector_target_next").len() / lists, read("values_target_next").len() / lists);
    let [target, online] = ["target", "online"].map(|network| {
        let [values, selector] = ["values", "selector"].map(|what| read(&format!("{what}_{network}_next")));
        behind(&values, &selector, lists)
    });
    let make = |online, kappa| {
        let counts = ImplicitQuantiles { online, target: drawn, midpoints };
        Box::new(ImplicitQuantileLoss::new(MINIMUM, counts, kappa)) as Box<dyn Loss>
    };
    let trained = Fractions::Drawn { drawn: 5, midpoints: 0 };
    assert_passes(&*make(5, 1.0), trained, Fractions::Drawn { drawn, midpoints });
    let other = |pass: &Pass| match kind(pass) {
        "target_next" => (&target[..], &[][..]),
        "online_next" => (&online[..], &[][..]),
        other => panic!("{other} is no pass of Q-learning"),
    };
    assert_quantiles(make, &rows, &batch, other, "implicit quantiles");
}

/// Rows 8 and 19: each network's quantiles count by the widths of their own parts.
#[test]
fn row_19_proposed_quantile_minimum_of_networks_is_the_formula() {
    let (rows, batch) = batch_of(&fixture("losses/minimum.json"), "proposed_quantile");
    let [target, online, target_midpoints, online_midpoints] =
        ["values_target_next", "values_online_next", "midpoints_target_next", "midpoints_online_next"]
            .map(|key| floats(&batch[key]));
    let midpoints = Fractions::ProposedMidpoints;
    assert_passes(&ProposedQuantileLoss::new(MINIMUM, 1.0), midpoints, midpoints);
    let other = |pass: &Pass| match kind(pass) {
        "target_next" => (&target[..], &target_midpoints[..]),
        "online_next" => (&online[..], &online_midpoints[..]),
        other => panic!("{other} is no pass of Q-learning"),
    };
    let make = |_, kappa| Box::new(ProposedQuantileLoss::new(MINIMUM, kappa)) as Box<dyn Loss>;
    assert_quantiles(make, &rows, &batch, other, "proposed quantiles");
}
