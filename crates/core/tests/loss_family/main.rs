//! Every head and every target rule against golden numbers made in double precision: fixtures/losses.
//!
//! All is compared to 1e-6 in the size of 1 or of the number, unless a test says why single precision cannot.

#[path = "../common/mod.rs"]
mod common;

mod categorical;
mod expected;
mod hl_gauss;
mod implicit_quantile;
mod lambda_returns;
mod minimum;
mod munchausen;
mod proposed_quantile;
mod quantile;

use common::floats;
use deepq_core::loss::{At, Loss, LossResult, Output, Pass, Transitions};
use deepq_core::network::Parameters;
use serde_json::Value;

/// What a batch of transitions is in a fixture.
struct Rows {
    action: Vec<u32>,
    reward: Vec<f32>,
    discount: Vec<f32>,
    mask: Vec<bool>,
    next_mask: Vec<bool>,
}

impl Rows {
    /// Masks are read where the fixture has some.
    fn of(fixture: &Value) -> Self {
        Self {
            action: floats(&fixture["action"]).into_iter().map(|action| action as u32).collect(),
            reward: floats(&fixture["reward"]),
            discount: floats(&fixture["discount"]),
            mask: booleans(&fixture["mask"]),
            next_mask: booleans(&fixture["next_mask"]),
        }
    }

    fn len(&self) -> usize {
        self.action.len()
    }

    fn transitions(&self) -> Transitions<'_> {
        let Self { action, reward, discount, mask, next_mask } = self;
        Transitions { action, reward, discount, mask, next_mask }
    }
}

/// All truth values of an array of arrays of any depth, none where there is no array.
fn booleans(value: &Value) -> Vec<bool> {
    match value {
        Value::Array(values) => values.iter().flat_map(booleans).collect(),
        Value::Null => vec![],
        value => vec![value.as_bool().unwrap_or_else(|| panic!("{value} is no truth value"))],
    }
}

/// Of which network and which observation a pass is, as the fixtures name it.
fn kind(pass: &Pass) -> &'static str {
    match (pass.parameters, pass.at) {
        (Parameters::Online, At::Observation) => "online",
        (Parameters::Target, At::Observation) => "target",
        (Parameters::Target, At::NextObservation) => "target_next",
        (Parameters::Online, At::NextObservation) => "online_next",
    }
}

/// One pass's values `[batch][action][atom]` as an output, `[batch][atom]` fractions beside them.
fn output<'a>(rows: usize, actions: usize, values: &'a [f32], fractions: &'a [f32]) -> Output<'a> {
    assert_eq!(values.len() % (rows * actions), 0, "values of {rows} rows and {actions} actions");
    Output { values, actions, atoms: values.len() / (rows * actions), fractions }
}

/// What a loss wrote. Entries that it did not write are NaN, and equal to nothing.
struct Evaluated {
    loss: Vec<f32>,
    td_error: Vec<f32>,
    d_output: Vec<f32>,
    d_fractions: Vec<f32>,
}

/// Evaluates a loss on the outputs that `output_of` gives for its passes.
fn evaluate<'a>(loss: &mut dyn Loss, rows: &Rows, output_of: impl Fn(&Pass) -> Output<'a>) -> Evaluated {
    let outputs: Vec<Output<'_>> = loss.passes().iter().map(output_of).collect();
    let fractions = if outputs.len() > 2 { outputs[outputs.len() - 1].fractions.len() } else { 0 };
    let mut found = Evaluated {
        loss: vec![f32::NAN; rows.len()],
        td_error: vec![f32::NAN; rows.len()],
        d_output: vec![f32::NAN; outputs[0].values.len()],
        d_fractions: vec![f32::NAN; fractions],
    };
    let mut result = LossResult {
        loss: &mut found.loss,
        td_error: &mut found.td_error,
        d_output: &mut found.d_output,
        d_fractions: &mut found.d_fractions,
    };
    loss.evaluate(rows.transitions(), &outputs, &mut result);
    found
}

/// The target distributions of a loss that is a cross-entropy: softmax(logits) less the gradient, for the action taken.
fn targets_of(rows: &Rows, logits: &Output<'_>, d_output: &[f32]) -> Vec<f32> {
    let mut targets = vec![];
    for (b, action) in rows.action.iter().enumerate() {
        let logits_taken = logits.atoms_of(b, *action as usize);
        let first = (b * logits.actions + *action as usize) * logits.atoms;
        let powers: Vec<f64> = logits_taken.iter().map(|logit| f64::from(*logit).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let gradient = &d_output[first..first + logits.atoms];
        targets.extend(powers.iter().zip(gradient).map(|(power, d)| (power / sum - f64::from(*d)) as f32));
    }
    targets
}

/// Whether a loss of quantiles has these targets, `[batch][target]`, each as often as it is there.
///
/// With one online quantile at the fraction ½ and κ = 0 the gradient is (targets below it − targets above it) / 2N'. So
/// the targets below a number can be counted: all that should be below `y + 1e-6` must be there, and none else.
fn assert_quantile_targets(
    rows: &Rows,
    actions: usize,
    expected: &[f32],
    gradient_at: impl Fn(&[f32]) -> Vec<f32>,
    what: &str,
) {
    let count = expected.len() / rows.len();
    let of = |b: usize| &expected[b * count..(b + 1) * count];
    for j in 0..count {
        for side in [-1.0, 1.0] {
            let at = |b: usize| of(b)[j] + side * 1e-6 * of(b)[j].abs().max(1.0);
            let theta: Vec<f32> = (0..rows.len()).flat_map(|b| vec![at(b); actions]).collect();
            let gradient = gradient_at(&theta);
            for b in 0..rows.len() {
                let d = gradient[b * actions + rows.action[b] as usize];
                let below = count as f32 * (2.0 * d + 1.0) / 2.0;
                // Others may be so near that they too are within what is allowed.
                let near = |y: &f32| (y - of(b)[j]).abs() <= 2e-6 * y.abs().max(1.0);
                let sure = of(b).iter().filter(|y| **y < of(b)[j] && !near(y)).count() as f32;
                let close = of(b).iter().filter(|y| near(y)).count() as f32;
                let right = match side < 0.0 {
                    true => (sure..sure + close).contains(&below.round()),
                    false => (sure + 1.0..=sure + close).contains(&below.round()),
                };
                assert!(
                    (below - below.round()).abs() < 1e-3 && right,
                    "{what}, row {b}, target {j}: {below}"
                );
            }
        }
    }
}
