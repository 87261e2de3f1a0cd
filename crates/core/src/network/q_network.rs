//! The seam to a network engine.

use serde::{Deserialize, Serialize};

use super::{NetworkSpec, ParameterLayout};
use crate::{Observation, StateError, StateReader, StateWriter};

/// Which of the two sets of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameters {
    /// The ones that are trained.
    Online,
    /// The ones that follow them and give the targets (Mnih et al. 2015).
    Target,
}

/// A network with its parameters, its target parameters and its optimiser. It knows nothing of rewards.
///
/// Bytes enter the first layer divided by [`NetworkSpec::full_byte`]. Batches are row-major. The batch size is whatever the slices hold
/// and may change from call to call; buffers grow when they must, and a call with a size that was seen before
/// allocates nothing.
///
/// # Panics
/// Where a slice has not the length that a method asks for. Values are never left half written without a word.
pub trait QNetwork: Send {
    /// What it is made of.
    fn spec(&self) -> &NetworkSpec;

    /// The order of the flat vectors below.
    fn layout(&self) -> &ParameterLayout;

    /// Values of a batch of observations.
    ///
    /// # Shapes
    /// - `observation`: `[batch][inputs]`
    /// - `output`: `[batch][action][atom]`, written
    fn forward(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        self.forward_at(parameters, observation, &[], output);
    }

    /// As [`forward`](Self::forward) with the online parameters, keeping what [`backward`](Self::backward)
    /// needs. A `forward` between the two does not disturb it.
    fn forward_train(&mut self, observation: Observation<'_>, output: &mut [f32]) {
        self.forward_train_at(observation, &[], output);
    }

    /// As [`forward`](Self::forward), for networks with a cosine embedding: the values of each observation at
    /// the fractions τ that it is given. For others `fractions` is empty.
    ///
    /// # Shapes
    /// - `observation`: `[batch][inputs]`
    /// - `fractions`: `[batch][fraction]`, each from 0 to 1; every observation has as many
    /// - `output`: `[batch][action][fraction]`, written
    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    );

    /// As [`forward_train`](Self::forward_train), at fractions as [`forward_at`](Self::forward_at) takes them.
    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]);

    /// What goes into the cosine embedding, for networks that have one: the features of each observation, before any
    /// fraction. No gradient goes through them, and what [`backward`](Self::backward) needs stays as it is. A proposal
    /// of fractions from the state needs them (Yang et al. 2019).
    ///
    /// # Shapes
    /// - `observation`: `[batch][inputs]`
    /// - `output`: `[batch][feature]`, [`NetworkSpec::features_len`] an observation, written
    ///
    /// # Panics
    /// Where there is no cosine embedding, and where the lengths do not fit.
    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]);

    /// Sets the noise of the noisy layers for all later passes with these parameters, or takes it away: then a
    /// noisy layer is a linear one. A network is made without.
    ///
    /// `noise` is what [`NetworkSpec::draw_noise`] draws, [`NetworkSpec::noise_len`] numbers. It is no part of the
    /// parameters: steps of the optimiser, target updates and new parameters leave it as it is. Set between
    /// [`forward_train`](Self::forward_train) and [`backward`](Self::backward) it counts from the next pass on.
    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>);

    /// Computes the gradient of the loss by the online parameters from its gradient by the outputs of the
    /// last [`forward_train`](Self::forward_train). The parameters must still be those of that pass.
    ///
    /// # Shapes
    /// - `d_output`: `[batch][action][atom]`, or `[batch][action][fraction]`, as the output was
    fn backward(&mut self, d_output: &[f32]);

    /// One step of the optimiser along the gradient of the last [`backward`](Self::backward), after scaling
    /// the gradient so that its L2 norm is at most `max_gradient_norm`, as PyTorch's `clip_grad_norm_` does:
    /// by `max_gradient_norm / (norm + 1e-6)` where that is below 1.
    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>);

    /// Lets the optimiser forget: its means become 0 and their correction begins anew, so that the next step is that
    /// of a new optimiser. Parameters stay as they are, and [`gradient_steps`](Self::gradient_steps) goes on counting.
    /// What resets parameters while it trains (Nikishin et al. 2022) resets this too.
    fn reset_optimizer(&mut self);

    /// `target ← target + tau · (online − target)`; `tau = 1` copies.
    fn update_target(&mut self, tau: f32);

    /// A copy of the parameters in the order of [`layout`](Self::layout).
    fn parameters(&self, which: Parameters) -> Vec<f32>;

    /// Takes over parameters in the order of [`layout`](Self::layout).
    ///
    /// # Panics
    /// If there are more or fewer of them than [`ParameterLayout::len`].
    fn set_parameters(&mut self, which: Parameters, values: &[f32]);

    /// A copy of the gradient of the last [`backward`](Self::backward), before clipping, in the order of
    /// [`layout`](Self::layout).
    fn gradient(&self) -> Vec<f32>;

    /// The length of a vector in the engine's own order: one number a parameter, and what the engine puts between
    /// them. Whoever changes the parameters at every step, and not by the optimiser, works in this order, because
    /// sorting a vector into the order of [`layout`](Self::layout) takes longer than a pass over one observation.
    fn engine_len(&self) -> usize {
        self.layout().len()
    }

    /// Writes `values`, which stand in the order of [`layout`](Self::layout), to `ordered`, in the engine's own.
    /// What stands between parameters becomes 0.
    ///
    /// # Panics
    /// If there are more or fewer values than [`ParameterLayout::len`], or room for more or fewer numbers than
    /// [`engine_len`](Self::engine_len).
    fn to_engine_order(&self, values: &[f32], ordered: &mut [f32]) {
        ordered.copy_from_slice(values);
    }

    /// The way back of [`to_engine_order`](Self::to_engine_order).
    ///
    /// # Panics
    /// As there.
    fn to_layout_order(&self, ordered: &[f32], values: &mut [f32]) {
        values.copy_from_slice(ordered);
    }

    /// As [`gradient`](Self::gradient), written to `ordered` in the engine's own order, with 0 between parameters.
    /// The engines of deepq allocate nothing for it.
    ///
    /// # Panics
    /// If there is room for more or fewer numbers than [`engine_len`](Self::engine_len).
    fn copy_gradient(&self, ordered: &mut [f32]) {
        self.to_engine_order(&self.gradient(), ordered);
    }

    /// `parameters ← parameters + step · direction`, with `direction` in the engine's own order and 0 between
    /// parameters: an update that is not the optimiser's, which does not hear of it. The engines of deepq allocate
    /// nothing for it.
    ///
    /// # Panics
    /// If it is longer or shorter than [`engine_len`](Self::engine_len).
    fn add_to_parameters(&mut self, which: Parameters, step: f32, direction: &[f32]) {
        let mut values = self.parameters(which);
        let mut of_layout = vec![0.0; values.len()];
        self.to_layout_order(direction, &mut of_layout);
        values.iter_mut().zip(&of_layout).for_each(|(value, direction)| *value += step * direction);
        self.set_parameters(which, &values);
    }

    /// The number of optimiser steps taken, those before a [`reset_optimizer`](Self::reset_optimizer) included.
    fn gradient_steps(&self) -> u64;

    /// Writes the optimiser's state: its step counts, of all steps and since the last reset, and, in the order of
    /// [`layout`](Self::layout), its means.
    /// The parameters are not part of it.
    fn save_optimizer(&self, state: &mut StateWriter);

    /// Takes over what [`save_optimizer`](Self::save_optimizer) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of this optimiser on this network.
    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}
