//! FQF against the paper's formulas: fixtures/losses/fqf.json. Its proposals are tested in src/fraction_proposal.rs.

use deepq_core::loss::{Fractions, ProposedQuantileLoss, TargetRule};

use crate::common::{assert_close, fixture, floats};
use crate::{Rows, assert_quantile_targets, evaluate, kind, output};

const ACTIONS: usize = 3;

/// The midpoints of proposals, in double precision.
fn midpoints_of(logits: &[f32], count: usize) -> Vec<f32> {
    let mut midpoints = vec![];
    for logits in logits.chunks_exact(count) {
        let powers: Vec<f64> = logits.iter().map(|logit| f64::from(*logit).exp()).collect();
        let (sum, mut edge) = (powers.iter().sum::<f64>(), 0.0);
        for power in powers {
            midpoints.push((edge + 0.5 * power / sum) as f32);
            edge += power / sum;
        }
    }
    midpoints
}

/// Row 8 at proposed fractions; the choice by quantiles weighted by the widths of their parts; the proposals' gradient.
#[test]
fn row_8_proposed_quantiles_are_the_papers() {
    let fixture = fixture("losses/fqf.json");
    let setups = fixture["setups"].as_array().unwrap();
    assert!(setups.iter().any(|setup| setup["atoms"] != setup["target_atoms"]));
    for setup in setups {
        let rows = Rows::of(setup);
        let count = |key: &str| setup[key].as_u64().unwrap() as usize;
        let (atoms, target_atoms) = (count("atoms"), count("target_atoms"));
        let [online, at_fractions, next, midpoints] =
            ["quantiles_at_midpoints", "quantiles_at_fractions", "quantiles_next", "midpoints"]
                .map(|key| floats(&setup[key]));
        let fractions: Vec<f32> = floats(&setup["fractions"])
            .chunks_exact(atoms + 1)
            .flat_map(|fractions| fractions[1..atoms].to_vec())
            .collect();
        let midpoints_next = midpoints_of(&floats(&setup["logits_next"]), target_atoms);
        let double_choice: Vec<f32> = next.iter().map(|quantile| -quantile).collect();
        let run = |rule: TargetRule, kappa: f32, atoms: usize, online: &[f32], midpoints: &[f32]| {
            // The gradient of the proposals is not looked at where there is one quantile only.
            let (at_edges, fractions) =
                if atoms == 1 { (&[][..], &[][..]) } else { (&at_fractions[..], &fractions[..]) };
            let mut loss = ProposedQuantileLoss::new(rule, kappa);
            evaluate(&mut loss, &rows, |pass| {
                let (values, fractions) = match (kind(pass), pass.fractions) {
                    ("online", Fractions::Proposed) => (at_edges, fractions),
                    ("online", Fractions::ProposedMidpoints) => (online, midpoints),
                    ("target_next", Fractions::ProposedMidpoints) => (&next[..], &midpoints_next[..]),
                    ("online_next", Fractions::ProposedMidpoints) => {
                        (&double_choice[..], &midpoints_next[..])
                    }
                    other => panic!("{other:?} is no pass of this loss"),
                };
                output(rows.len(), ACTIONS, values, fractions)
            })
        };
        let name = format!("{atoms} of {target_atoms}");
        let value = &setup["value"];
        let found = run(TargetRule::Q_LEARNING, 1.0, atoms, &online, &midpoints);
        assert_close(&found.loss, &floats(&value["loss"]), &format!("losses, {name}"));
        let distances = floats(&value["mean_abs_td_error"]);
        assert_close(&found.td_error, &distances, &format!("TD errors, {name}"));
        assert_close(&found.d_output, &floats(&value["d_quantiles"]), &format!("gradients, {name}"));
        let d_fractions = floats(&setup["d_fractions"]);
        assert_close(&found.d_fractions, &d_fractions, &format!("gradients by fractions, {name}"));
        let half = vec![0.5; rows.len()];
        let gradient_at = |theta: &[f32]| run(TargetRule::Q_LEARNING, 0.0, 1, theta, &half).d_output;
        assert_quantile_targets(&rows, ACTIONS, &floats(&value["target"]), gradient_at, &name);

        // An online network that values all the other way round chooses the worst action, weighted as well.
        let q_next = floats(&setup["q_next"]);
        let targets: Vec<f32> = (0..rows.len())
            .flat_map(|b| {
                let q = &q_next[b * ACTIONS..(b + 1) * ACTIONS];
                let worst = (0..ACTIONS).min_by(|i, j| q[*i].total_cmp(&q[*j])).unwrap();
                let first = (b * ACTIONS + worst) * target_atoms;
                let (reward, discount) = (rows.reward[b], rows.discount[b]);
                next[first..first + target_atoms].iter().map(move |z| reward + discount * z)
            })
            .collect();
        let gradient_at = |theta: &[f32]| run(TargetRule::DOUBLE, 0.0, 1, theta, &half).d_output;
        assert_quantile_targets(&rows, ACTIONS, &targets, gradient_at, &format!("{name}, double"));
    }
}
