//! A loss against itself: its gradient, and what it promises besides.

use crate::RandomStream;
use crate::loss::{Loss, LossResult, Output, Transitions};

/// Transitions and the outputs of all passes for them.
struct Case {
    action: Vec<u32>,
    reward: Vec<f32>,
    discount: Vec<f32>,
    outputs: Vec<Vec<f32>>,
    actions: usize,
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
    /// Terminated transitions, and discounts of one and of several steps.
    fn random(passes: usize, actions: usize, atoms: usize, stream: &mut RandomStream) -> Self {
        let discounts = [0.0, 0.99, 0.97, 0.99 * 0.99 * 0.99, 1.0];
        let mut draw = |len: usize, size: f32| -> Vec<f32> {
            (0..len).map(|_| size * (2.0 * stream.uniform_f32() - 1.0)).collect()
        };
        let outputs = (0..passes).map(|_| draw(ROWS * actions * atoms, 2.0)).collect();
        let reward = draw(ROWS, 1.5);
        let action = (0..ROWS).map(|_| stream.below(actions) as u32).collect();
        let discount = (0..ROWS).map(|row| discounts[row % discounts.len()]).collect();
        Self { action, reward, discount, outputs, actions, atoms }
    }

    fn evaluate(&self, loss: &dyn Loss, rows: std::ops::Range<usize>) -> Answer {
        let width = self.actions * self.atoms;
        let transitions = Transitions {
            action: &self.action[rows.clone()],
            reward: &self.reward[rows.clone()],
            discount: &self.discount[rows.clone()],
        };
        let places = rows.start * width..rows.end * width;
        let outputs: Vec<Output<'_>> = (self.outputs.iter())
            .map(|values| Output {
                values: &values[places.clone()],
                actions: self.actions,
                atoms: self.atoms,
            })
            .collect();
        // NaN, so that an entry which is not written shows.
        let mut answer = Answer {
            loss: vec![f32::NAN; rows.len()],
            td_error: vec![f32::NAN; rows.len()],
            d_output: vec![f32::NAN; rows.len() * width],
        };
        let mut result = LossResult {
            loss: &mut answer.loss,
            td_error: &mut answer.td_error,
            d_output: &mut answer.d_output,
        };
        loss.evaluate(transitions, &outputs, &mut result);
        let all = answer.loss.iter().chain(&answer.td_error).chain(&answer.d_output);
        assert!(all.clone().all(|value| value.is_finite()), "an entry was not written, or is not finite");
        answer
    }
}

/// Checks what every loss promises, on random transitions and outputs:
///
/// - the gradient by the outputs of the first pass agrees with central differences;
/// - the loss of a transition depends on its own row alone;
/// - every entry is written;
/// - a transition gives the same in a batch and by itself;
/// - where the discount is 0, nothing at the next observation counts.
///
/// # Panics
/// Where one of them does not hold.
pub fn gradient_check(loss: &dyn Loss, actions: usize, atoms: usize, seed: u64) {
    let mut stream = RandomStream::new(seed, "gradient-check", 0);
    let passes = loss.passes().len();
    for _ in 0..4 {
        let mut case = Case::random(passes, actions, atoms, &mut stream);
        let answer = case.evaluate(loss, 0..ROWS);
        check_differences(loss, &mut case, &answer);
        check_rows_alone(loss, &case, &answer);
        check_terminated(loss, &mut case, &answer, &mut stream);
    }
}

fn check_differences(loss: &dyn Loss, case: &mut Case, answer: &Answer) {
    let width = case.actions * case.atoms;
    for place in 0..ROWS * width {
        let value = case.outputs[0][place];
        let (above, below) = (value + STEP, value - STEP);
        case.outputs[0][place] = above;
        let up = case.evaluate(loss, 0..ROWS).loss;
        case.outputs[0][place] = below;
        let down = case.evaluate(loss, 0..ROWS).loss;
        case.outputs[0][place] = value;
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

fn check_rows_alone(loss: &dyn Loss, case: &Case, answer: &Answer) {
    let width = case.actions * case.atoms;
    for row in 0..ROWS {
        let alone = case.evaluate(loss, row..row + 1);
        assert_eq!(alone.loss[0], answer.loss[row], "the loss of transition {row} by itself");
        assert_eq!(alone.td_error[0], answer.td_error[row], "the TD error of transition {row} by itself");
        let gradient = &answer.d_output[row * width..(row + 1) * width];
        assert_eq!(alone.d_output, gradient, "the gradient of transition {row} by itself");
    }
}

fn check_terminated(loss: &dyn Loss, case: &mut Case, answer: &Answer, stream: &mut RandomStream) {
    use crate::loss::At;
    for (pass, output) in loss.passes().iter().zip(&mut case.outputs) {
        if pass.at == At::NextObservation {
            output.iter_mut().for_each(|value| *value = 2.0 * stream.uniform_f32() - 1.0);
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
