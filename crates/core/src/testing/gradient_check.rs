//! A loss against itself: its gradient, and what it promises besides.

use crate::RandomStream;
use crate::loss::{At, Fractions, Loss, LossResult, Output, Pass, Transitions};
use crate::network::Parameters;

/// Transitions and the outputs of all passes for them.
struct Case {
    action: Vec<u32>,
    reward: Vec<f32>,
    discount: Vec<f32>,
    /// For each of the two observations `[row][action]`, or empty.
    masks: [Vec<bool>; 2],
    outputs: Vec<PassOutput>,
    actions: usize,
}

/// What one pass gave for all rows.
struct PassOutput {
    values: Vec<f32>,
    fractions: Vec<f32>,
    atoms: usize,
}

/// What a loss said of a case.
struct Answer {
    loss: Vec<f32>,
    td_error: Vec<f32>,
    d_output: Vec<f32>,
}

/// Rows of a case: not a multiple of anything that a vector unit likes.
const ROWS: usize = 23;

/// How far an output is moved to either side. Outputs are of the size of 1, so this is far above the rounding
/// of `f32`, and the error that a kink within reach makes stays below [`TOLERANCE`].
const STEP: f32 = 1.0 / 128.0;

const TOLERANCE: f32 = 5e-3;

impl Case {
    /// Terminated transitions, and discounts of one and of several steps; with `masked`, some actions that are not
    /// allowed.
    fn random(
        loss: &dyn Loss,
        (actions, atoms): (usize, usize),
        masked: bool,
        stream: &mut RandomStream,
    ) -> Self {
        let discounts = [0.0, 0.99, 0.97, 0.99 * 0.99 * 0.99, 1.0];
        let outputs =
            loss.passes().iter().map(|pass| PassOutput::random(pass, (actions, atoms), stream)).collect();
        let reward = draw(ROWS, 1.5, stream);
        let action: Vec<u32> = (0..ROWS).map(|_| stream.below(actions) as u32).collect();
        let discount = (0..ROWS).map(|row| discounts[row % discounts.len()]).collect();
        let masks = [0, 1].map(|next| match masked {
            false => vec![],
            true => (0..ROWS * actions)
                .map(|place| {
                    let (row, this) = (place / actions, place % actions);
                    // The action taken was allowed, and something always is.
                    let always = if next == 0 { action[row] as usize } else { row % actions };
                    this == always || stream.below(3) > 0
                })
                .collect(),
        });
        Self { action, reward, discount, masks, outputs, actions }
    }

    fn evaluate(&self, loss: &mut dyn Loss, rows: std::ops::Range<usize>) -> Answer {
        let mask = |mask: &'_ Vec<bool>| match mask.is_empty() {
            true => vec![],
            false => mask[rows.start * self.actions..rows.end * self.actions].to_vec(),
        };
        let [mask, next_mask] = [mask(&self.masks[0]), mask(&self.masks[1])];
        let transitions = Transitions {
            action: &self.action[rows.clone()],
            reward: &self.reward[rows.clone()],
            discount: &self.discount[rows.clone()],
            mask: &mask,
            next_mask: &next_mask,
        };
        let outputs: Vec<Output<'_>> =
            self.outputs.iter().map(|output| output.rows(self.actions, rows.clone())).collect();
        // NaN, so that an entry which is not written shows.
        let fractions =
            outputs.iter().zip(loss.passes()).find(|(_, pass)| pass.fractions == Fractions::Proposed);
        let fractions = fractions.map_or(0, |(output, _)| output.atoms);
        let mut answer = Answer {
            loss: vec![f32::NAN; rows.len()],
            td_error: vec![f32::NAN; rows.len()],
            d_output: vec![f32::NAN; rows.len() * self.actions * outputs[0].atoms],
        };
        let mut d_fractions = vec![f32::NAN; rows.len() * fractions];
        let mut result = LossResult {
            loss: &mut answer.loss,
            td_error: &mut answer.td_error,
            d_output: &mut answer.d_output,
            d_fractions: &mut d_fractions,
        };
        loss.evaluate(transitions, &outputs, &mut result);
        let all = answer.loss.iter().chain(&answer.td_error).chain(&answer.d_output).chain(&d_fractions);
        assert!(all.clone().all(|value| value.is_finite()), "an entry was not written, or is not finite");
        answer
    }
}

impl PassOutput {
    fn random(pass: &Pass, (actions, atoms): (usize, usize), stream: &mut RandomStream) -> Self {
        let atoms = pass.fractions.atoms(atoms);
        let values = draw(ROWS * actions * atoms, 2.0, stream);
        let mut fractions = match pass.fractions {
            Fractions::None => vec![],
            _ => (0..ROWS * atoms).map(|_| stream.uniform_f32()).collect::<Vec<_>>(),
        };
        fractions.chunks_exact_mut(atoms).for_each(|row| row.sort_unstable_by(f32::total_cmp));
        Self { values, fractions, atoms }
    }

    fn rows(&self, actions: usize, rows: std::ops::Range<usize>) -> Output<'_> {
        let (width, atoms) = (actions * self.atoms, self.atoms);
        let fractions = match self.fractions.is_empty() {
            true => &[][..],
            false => &self.fractions[rows.start * atoms..rows.end * atoms],
        };
        Output { values: &self.values[rows.start * width..rows.end * width], actions, atoms, fractions }
    }
}

fn draw(len: usize, size: f32, stream: &mut RandomStream) -> Vec<f32> {
    (0..len).map(|_| size * (2.0 * stream.uniform_f32() - 1.0)).collect()
}

/// Checks what every loss promises, on random transitions and outputs:
///
/// - the gradient by the outputs of the first pass agrees with central differences;
/// - the loss of a transition depends on its own row alone;
/// - every entry is written;
/// - a transition gives the same in a batch and by itself;
/// - where the discount is 0, nothing at the next observation counts;
/// - where actions are masked out at the next observation, their values do not count.
///
/// `atoms` is how many a network without fractions gives for an action, or how many fractions are proposed.
///
/// # Panics
/// Where one of them does not hold.
pub fn gradient_check(loss: &mut dyn Loss, actions: usize, atoms: usize, seed: u64) {
    let mut stream = RandomStream::new(seed, "gradient-check", 0);
    for round in 0..4 {
        let mut case = Case::random(loss, (actions, atoms), round % 2 == 1, &mut stream);
        let answer = case.evaluate(loss, 0..ROWS);
        check_differences(loss, &mut case, &answer);
        check_rows_alone(loss, &case, &answer);
        check_masked(loss, &mut case, &answer, &mut stream);
        check_terminated(loss, &mut case, &answer, &mut stream);
    }
}

fn check_differences(loss: &mut dyn Loss, case: &mut Case, answer: &Answer) {
    let width = case.actions * case.outputs[0].atoms;
    for place in 0..ROWS * width {
        let value = case.outputs[0].values[place];
        let (above, below) = (value + STEP, value - STEP);
        case.outputs[0].values[place] = above;
        let up = case.evaluate(loss, 0..ROWS).loss;
        case.outputs[0].values[place] = below;
        let down = case.evaluate(loss, 0..ROWS).loss;
        case.outputs[0].values[place] = value;
        for row in 0..ROWS {
            let difference = (up[row] - down[row]) / (above - below);
            let gradient = if row == place / width { answer.d_output[place] } else { 0.0 };
            let allowed = TOLERANCE * gradient.abs().max(1.0);
            assert!(
                (difference - gradient).abs() < allowed,
                "the loss of transition {row} by output {} of transition {}: the gradient is {gradient}, \
                 central differences give {difference}",
                place % width,
                place / width,
            );
        }
    }
}

fn check_rows_alone(loss: &mut dyn Loss, case: &Case, answer: &Answer) {
    let width = case.actions * case.outputs[0].atoms;
    for row in 0..ROWS {
        let alone = case.evaluate(loss, row..row + 1);
        assert_eq!(alone.loss[0], answer.loss[row], "the loss of transition {row} by itself");
        assert_eq!(alone.td_error[0], answer.td_error[row], "the TD error of transition {row} by itself");
        let gradient = &answer.d_output[row * width..(row + 1) * width];
        assert_eq!(alone.d_output, gradient, "the gradient of transition {row} by itself");
    }
}

/// Other values for actions that are not allowed at the next observation change nothing.
fn check_masked(loss: &mut dyn Loss, case: &mut Case, answer: &Answer, stream: &mut RandomStream) {
    if case.masks[1].is_empty() {
        return;
    }
    for (pass, output) in loss.passes().iter().zip(&mut case.outputs).skip(1) {
        let mask = match (pass.at, pass.parameters) {
            (At::Observation, Parameters::Target) => &case.masks[0],
            (At::NextObservation, _) => &case.masks[1],
            (At::Observation, Parameters::Online) => continue,
        };
        let atoms = output.values.chunks_exact_mut(output.atoms);
        for (values, _) in atoms.zip(mask).filter(|(_, allowed)| !**allowed) {
            values.fill_with(|| 50.0 * stream.uniform_f32());
        }
    }
    let other = case.evaluate(loss, 0..ROWS);
    assert_eq!(other.loss, answer.loss, "the values of actions that are not allowed count");
    assert_eq!(other.d_output, answer.d_output, "the values of actions that are not allowed count");
}

fn check_terminated(loss: &mut dyn Loss, case: &mut Case, answer: &Answer, stream: &mut RandomStream) {
    for (pass, output) in loss.passes().iter().zip(&mut case.outputs) {
        if pass.at == At::NextObservation {
            output.values = draw(output.values.len(), 1.0, stream);
        }
    }
    let other = case.evaluate(loss, 0..ROWS);
    for row in 0..ROWS {
        let same = other.loss[row] == answer.loss[row];
        match case.discount[row] == 0.0 {
            true => assert!(same, "transition {row} terminated, but what follows changes its loss"),
            false => assert!(!same, "transition {row} goes on, but what follows does not change its loss"),
        }
    }
}
