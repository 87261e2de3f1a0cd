//! Forward passes of a few rows, one at a time: an acting agent has one.
//!
//! Vectors hold features side by side, so nothing is transposed. The order of every sum is that of the panels,
//! and so are the bits.
#![allow(clippy::needless_range_loop)] // As in `linear`.

use super::activation;
use super::dispatch::Operation;
use super::panels::PanelPass;
use super::simd::Simd;
use super::tiles::Split;
use crate::aligned::LINE;
use crate::program::{Dense, LayerNorm, PanelKind, PanelStep};

/// The widest strip of outputs, in vectors.
const MAX_STRIP: usize = 8;

/// All steps for one row. Slots have one row each, and room for a vector behind the last one: what a step writes
/// over the end of its slot is written before the slots behind it.
pub(super) struct ForwardRow<'a> {
    pub(super) pass: PanelPass<'a>,
    /// What goes into the first slot.
    pub(super) row: &'a [f32],
    pub(super) divisors: Option<&'a [f32]>,
    pub(super) output: &'a mut [f32],
}

impl Operation for ForwardRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pass = &self.pass;
        // SAFETY: the maker vouches for the slots.
        unsafe {
            let first = pass.slots;
            match self.divisors {
                Some(divisors) => {
                    for (index, (value, divisor)) in self.row.iter().zip(divisors).enumerate() {
                        *first.add(index) = value / divisor;
                    }
                }
                None => std::ptr::copy_nonoverlapping(self.row.as_ptr(), first, self.row.len()),
            }
            for step in &pass.program.steps {
                run_step::<S>(pass, step);
            }
            let last = pass.slots.add(pass.offset(pass.program.slots.len() - 1));
            std::ptr::copy_nonoverlapping(last, self.output.as_mut_ptr(), self.output.len());
        }
    }
}

#[inline(always)]
unsafe fn run_step<S: Simd>(pass: &PanelPass<'_>, step: &PanelStep) {
    let features = pass.program.slots[step.output].features;
    // SAFETY: the slots are the program's, and have room for a vector behind them.
    unsafe {
        let output = pass.slots.add(pass.offset(step.output));
        let input = |index: usize| pass.slots.add(pass.offset(step.inputs[index].slot)).cast_const();
        match &step.kind {
            PanelKind::Linear(layer) => layer_row::<S>(layer, pass.weights(layer), input(0), output),
            PanelKind::Activation(kind) => activation::forward::<S>(*kind, input(0), output, features),
            PanelKind::LayerNorm(norm) => norm_row::<S>(norm, pass.parameters, input(0), output, features),
            PanelKind::Add => {
                for place in (0..features).step_by(S::LANES) {
                    let sum = S::add(S::load(input(0).add(place)), S::load(input(1).add(place)));
                    S::store(output.add(place), sum);
                }
            }
            PanelKind::Dueling { atoms } => {
                dueling_row([input(0), input(1)], output, features / atoms, *atoms)
            }
            // Rows of fractions are many, and go by panels.
            PanelKind::Cosines | PanelKind::Product => unreachable!("fractions go by panels"),
        }
    }
}

#[inline(always)]
unsafe fn dueling_row([value, advantage]: [*const f32; 2], output: *mut f32, actions: usize, atoms: usize) {
    for atom in 0..atoms {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mut sum = 0.0;
            for action in 0..actions {
                sum += *advantage.add(action * atoms + atom);
            }
            let base = *value.add(atom) - sum / actions as f32;
            for action in 0..actions {
                *output.add(action * atoms + atom) = base + *advantage.add(action * atoms + atom);
            }
        }
    }
}

/// As [`layer_norm`](super::layer_norm) has it, with the features side by side.
#[inline(always)]
unsafe fn norm_row<S: Simd>(
    norm: &LayerNorm,
    parameters: *const f32,
    input: *const f32,
    output: *mut f32,
    features: usize,
) {
    // SAFETY: the caller vouches for the features; behind them, and behind the weights and biases, is room for a
    // vector.
    unsafe {
        let (mut sum, mut squares) = (0.0f32, 0.0f32);
        for feature in 0..features {
            sum += *input.add(feature);
        }
        let mean = sum / features as f32;
        for feature in 0..features {
            let difference = *input.add(feature) - mean;
            squares = difference.mul_add(difference, squares);
        }
        let reciprocal = 1.0 / (squares / features as f32 + norm.epsilon).sqrt();
        let (mean, reciprocal) = (S::splat(mean), S::splat(reciprocal));
        let whole = features / S::LANES * S::LANES;
        for place in (0..whole).step_by(S::LANES) {
            let normal = S::multiply(S::subtract(S::load(input.add(place)), mean), reciprocal);
            let (weight, bias) = (parameters.add(norm.weight + place), parameters.add(norm.bias + place));
            S::store(output.add(place), S::multiply_add(normal, S::load(weight), S::load(bias)));
        }
        let (mut lanes, mut weights, mut biases) = ([0.0f32; LINE], [0.0f32; LINE], [0.0f32; LINE]);
        for lane in 0..features - whole {
            lanes[lane] = *input.add(whole + lane);
            weights[lane] = *parameters.add(norm.weight + whole + lane);
            biases[lane] = *parameters.add(norm.bias + whole + lane);
        }
        let normal = S::multiply(S::subtract(S::load(lanes.as_ptr()), mean), reciprocal);
        let y = S::multiply_add(normal, S::load(weights.as_ptr()), S::load(biases.as_ptr()));
        S::store(lanes.as_mut_ptr(), y);
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), output.add(whole), features - whole);
    }
}

#[inline(always)]
unsafe fn layer_row<S: Simd>(layer: &Dense, weights: *const f32, input: *const f32, output: *mut f32) {
    let mut strips = Split::new(layer.outputs.div_ceil(S::LANES), MAX_STRIP);
    while let Some((first, vectors)) = strips.step() {
        // SAFETY: the columns begin inside the layer's stride. The last vector may reach half a line over the end of
        // a row of weights: the next row, or the half line behind the last parameters; slots have room behind them.
        unsafe {
            let (weights, output) = (weights.add(first * S::LANES), output.add(first * S::LANES));
            match vectors {
                8 => strip::<S, 8>(layer, weights, input, output),
                7 => strip::<S, 7>(layer, weights, input, output),
                6 => strip::<S, 6>(layer, weights, input, output),
                5 => strip::<S, 5>(layer, weights, input, output),
                4 => strip::<S, 4>(layer, weights, input, output),
                3 => strip::<S, 3>(layer, weights, input, output),
                2 => strip::<S, 2>(layer, weights, input, output),
                _ => strip::<S, 1>(layer, weights, input, output),
            }
        }
    }
}

#[inline(always)]
unsafe fn strip<S: Simd, const VECTORS: usize>(
    layer: &Dense,
    weights: *const f32,
    input: *const f32,
    output: *mut f32,
) {
    // SAFETY: the caller vouches for VECTORS vectors in each of the layer's rows and in `output`.
    unsafe {
        let mut sums = [S::splat(0.0); VECTORS];
        for vector in 0..VECTORS {
            sums[vector] = S::load(weights.add(layer.inputs * layer.stride + vector * S::LANES));
        }
        for index in 0..layer.inputs {
            let value = S::splat(*input.add(index));
            for vector in 0..VECTORS {
                let weight = S::load(weights.add(index * layer.stride + vector * S::LANES));
                sums[vector] = S::multiply_add(value, weight, sums[vector]);
            }
        }
        for vector in 0..VECTORS {
            let sum = if layer.rectified { S::rectify(sums[vector]) } else { sums[vector] };
            S::store(output.add(vector * S::LANES), sum);
        }
    }
}
