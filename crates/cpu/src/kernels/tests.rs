//! The kernels stay inside their slices: buffers of the least allowed size with sentinels on both sides.

use super::{Dense, Input, Kernels};
use crate::InstructionSet;

const MARGIN: usize = 128;
/// No calculation gives this NaN.
const SENTINEL: u32 = 0x7fc5_a5a5;

/// Numbers with sentinels before and behind them.
struct Guarded(Vec<f32>);

impl Guarded {
    fn new(len: usize) -> Self {
        let mut values = vec![f32::from_bits(SENTINEL); len + 2 * MARGIN];
        for (index, value) in values[MARGIN..MARGIN + len].iter_mut().enumerate() {
            *value = ((index * 37) % 101) as f32 / 101.0 - 0.5;
        }
        Self(values)
    }

    fn get(&mut self) -> &mut [f32] {
        let len = self.0.len() - 2 * MARGIN;
        &mut self.0[MARGIN..MARGIN + len]
    }

    fn check(&self, what: &str) {
        let len = self.0.len() - 2 * MARGIN;
        let outside = self.0[..MARGIN].iter().chain(&self.0[MARGIN + len..]);
        assert!(outside.into_iter().all(|value| value.to_bits() == SENTINEL), "{what} was overrun");
    }
}

fn layers(widths: &[usize]) -> Vec<Dense> {
    let mut layers: Vec<Dense> = Vec::new();
    for pair in widths.windows(2) {
        let offset = layers.last().map_or(0, Dense::end);
        layers.push(Dense { rectified: true, ..Dense::new(pair[0], pair[1], offset) });
    }
    layers
}

fn one_step(kernels: &Kernels, widths: &[usize], batch: usize) {
    let layers = layers(widths);
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let parameters_len = (layers[layers.len() - 1].end() + 8).next_multiple_of(16);
    let mut parameters = Guarded::new(parameters_len);
    let mut gradient = Guarded::new(parameters_len);
    let mut rows = Guarded::new(batch * inputs);
    let mut output = Guarded::new(batch * outputs);
    let mut scratch = Guarded::new(Kernels::forward_scratch_len(&layers));
    let mut activations = Guarded::new(kernels.activations_len(&layers, batch));
    let mut backward = Guarded::new(kernels.backward_scratch_len(&layers, batch));
    let divisors = vec![2.0; inputs];

    for divisors in [None, Some(&divisors[..])] {
        let input = Input { rows: rows.get(), divisors };
        kernels.forward(&layers, parameters.get(), input, scratch.get(), output.get());
        kernels.forward_train(&layers, parameters.get(), input, activations.get(), output.get());
        let d_output = output.get();
        kernels.backward(
            &layers,
            parameters.get(),
            activations.get(),
            d_output,
            backward.get(),
            gradient.get(),
        );
        // A sentinel that was read where it matters would have spread from here.
        assert!(output.get().iter().all(|value| value.is_finite()));
        assert!(gradient.get()[..layers[layers.len() - 1].end()].iter().all(|value| value.is_finite()));
    }
    for (buffer, what) in [
        (&parameters, "parameters"),
        (&gradient, "gradient"),
        (&rows, "input"),
        (&output, "output"),
        (&scratch, "forward's scratch"),
        (&activations, "activations"),
        (&backward, "backward's scratch"),
    ] {
        buffer.check(&format!("{what} of {widths:?}, batch {batch}, {kernels:?}"));
    }
}

#[test]
fn no_kernel_leaves_its_slices() {
    let shapes: [&[usize]; 9] = [
        &[1, 1],
        &[4, 24, 24, 2],
        &[3, 17, 63],
        &[63, 1, 5],
        &[16, 16],
        &[7, 128, 9],
        &[2, 131, 130, 3],
        &[600, 8],
        &[5, 15, 12, 40],
    ];
    for set in InstructionSet::supported() {
        let kernels = Kernels::new(set).unwrap();
        for widths in shapes {
            for batch in (0..20).chain([31, 32, 33, 47, 48, 49, 63, 64, 65, 81, 112, 129]) {
                one_step(&kernels, widths, batch);
            }
        }
    }
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let kernels = Kernels::new(InstructionSet::detect()).unwrap();
    let layers = layers(&[4, 24, 2]);
    let len = (layers[1].end() + 8).next_multiple_of(16);
    let short = vec![0.0; layers[1].end() - 1];
    let whole = vec![0.0; len];
    let refuses = |parameters: &[f32], rows: usize, scratch: usize, outputs: usize| {
        let rows = vec![0.0; rows];
        std::panic::catch_unwind(|| {
            let (mut scratch, mut output) = (vec![0.0; scratch], vec![0.0; outputs]);
            let input = Input { rows: &rows, divisors: None };
            kernels.forward(&layers, parameters, input, &mut scratch, &mut output);
        })
        .is_err()
    };
    let scratch = Kernels::forward_scratch_len(&layers);
    assert!(!refuses(&whole, 8, scratch, 4));
    assert!(refuses(&short, 8, scratch, 4));
    assert!(refuses(&whole, 9, scratch, 4));
    assert!(refuses(&whole, 8, scratch - 1, 4));
    assert!(refuses(&whole, 8, scratch, 5));
}
