//! Layers of vectors become steps over panels.

use deepq_core::network::{LayerSpec, SpecError};

use super::{Builder, Place};
use crate::program::{Activation, LayerNorm, PanelKind, PanelSlot, PanelStep, Source};

impl Builder {
    pub(super) fn slot(&mut self, features: usize, per_fraction: bool) -> usize {
        let mut before = [0; 2];
        for slot in &self.slots {
            before[usize::from(slot.per_fraction)] += slot.features + 1;
        }
        self.slots.push(PanelSlot { features, before, per_fraction, rectified: false, trained: false });
        self.slots.len() - 1
    }

    fn step(&mut self, kind: PanelKind, inputs: &[usize], features: usize, per_fraction: bool) -> usize {
        let output = self.slot(features, per_fraction);
        let inputs = inputs.iter().map(|slot| Source { slot: *slot, accumulate: false }).collect();
        self.steps.push(PanelStep { kind, inputs, output });
        output
    }

    pub(super) fn rectify_panels(&mut self, slot: usize) {
        self.slots[slot].rectified = true;
        if let Some(PanelStep { kind: PanelKind::Linear(dense), .. }) = self.steps.last_mut() {
            dense.rectified = true;
        }
    }

    pub(super) fn panel_layer(
        &mut self,
        layer: &LayerSpec,
        input: usize,
        path: &str,
    ) -> Result<usize, SpecError> {
        let PanelSlot { features, per_fraction, .. } = self.slots[input];
        let elementwise = |this: &mut Self, kind| this.step(kind, &[input], features, per_fraction);
        Ok(match layer {
            LayerSpec::Divide { by } => {
                self.divisors = Some(by.clone());
                input
            }
            LayerSpec::Linear { outputs, .. } | LayerSpec::NoisyLinear { outputs, .. } => {
                let mut dense = self.dense((features, *outputs), |input| input);
                if matches!(layer, LayerSpec::NoisyLinear { .. }) {
                    self.noisy(&mut dense);
                }
                self.step(PanelKind::Linear(dense), &[input], *outputs, per_fraction)
            }
            LayerSpec::Relu => elementwise(self, PanelKind::Activation(Activation::Relu)),
            &LayerSpec::LeakyRelu { slope } => {
                elementwise(self, PanelKind::Activation(Activation::LeakyRelu(slope)))
            }
            LayerSpec::Tanh => elementwise(self, PanelKind::Activation(Activation::Tanh)),
            LayerSpec::Silu => elementwise(self, PanelKind::Activation(Activation::Silu)),
            LayerSpec::Gelu => elementwise(self, PanelKind::Activation(Activation::Gelu)),
            LayerSpec::LayerNorm { epsilon, .. } => {
                let (weight, bias) = (self.end, self.end + features);
                self.places.extend((0..features).map(|index| (weight + index) as u32));
                self.places.extend((0..features).map(|index| (bias + index) as u32));
                self.end += (2 * features).next_multiple_of(crate::program::HALF_LINE);
                elementwise(self, PanelKind::LayerNorm(LayerNorm { weight, bias, epsilon: *epsilon }))
            }
            LayerSpec::Residual { layers } => {
                let branch = self.branch(layers, input, &format!("{path}.layers."))?;
                self.step(PanelKind::Add, &[input, branch], features, per_fraction)
            }
            LayerSpec::Dueling { value, advantage } => {
                let value = self.branch(value, input, &format!("{path}.value."))?;
                let advantage = self.branch(advantage, input, &format!("{path}.advantage."))?;
                let atoms = self.slots[value].features;
                let outputs = self.slots[advantage].features;
                let inputs = [value, advantage];
                self.step(PanelKind::Dueling { atoms }, &inputs, outputs, per_fraction)
            }
            LayerSpec::CosineEmbedding { cosines, .. } => {
                let angles = self.step(PanelKind::Cosines, &[], *cosines, true);
                let dense = self.dense((*cosines, features), |index| index);
                let weights = self.step(PanelKind::Linear(dense), &[angles], features, true);
                self.rectify_panels(weights);
                self.step(PanelKind::Product, &[input, weights], features, true)
            }
            _ => {
                let message = "is of a kind that the CPU engine has not got for vectors".to_string();
                return Err(SpecError { layer: path.to_string(), message });
            }
        })
    }

    fn branch(&mut self, layers: &[LayerSpec], input: usize, prefix: &str) -> Result<usize, SpecError> {
        let mut place = Place::Vector(input);
        self.layers(layers, &mut place, prefix)?;
        match place {
            Place::Vector(slot) => Ok(slot),
            Place::Image(_) => unreachable!("no layer makes an image of a vector"),
        }
    }

    /// Settles who needs which gradient, and who adds to one that is there already.
    pub(super) fn finish_panels(&mut self, image: bool) {
        self.slots[0].trained = image && !self.image_steps.is_empty();
        for step in &self.steps {
            let has_parameters = matches!(step.kind, PanelKind::Linear(_) | PanelKind::LayerNorm(_));
            let trained = has_parameters || step.inputs.iter().any(|input| self.slots[input.slot].trained);
            self.slots[step.output].trained = trained;
        }
        let mut written = vec![false; self.slots.len()];
        for step in self.steps.iter_mut().rev() {
            for input in &mut step.inputs {
                input.accumulate = std::mem::replace(&mut written[input.slot], true);
            }
        }
    }
}
