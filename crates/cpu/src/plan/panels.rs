//! Layers of vectors become steps over panels.

use deepq_core::network::{LayerSpec, SpecError};

use super::{Builder, Place, Vector};
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

    fn step(&mut self, kind: PanelKind, inputs: &[usize], features: usize, per_fraction: bool) -> Vector {
        let output = self.slot(features, per_fraction);
        let inputs = inputs.iter().map(|slot| Source { slot: *slot, accumulate: false }).collect();
        self.steps.push(PanelStep { kind, inputs, output });
        Vector::plain(output)
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
        input: Vector,
        path: &str,
    ) -> Result<Vector, SpecError> {
        let PanelSlot { features, per_fraction, .. } = self.slots[input.slot];
        let elementwise = |this: &mut Self, kind| {
            let output = this.step(kind, &[input.slot], features, per_fraction);
            Vector { image: input.image, ..output }
        };
        Ok(match layer {
            LayerSpec::Divide { by } => {
                self.divisors = Some(by.clone());
                input
            }
            LayerSpec::Linear { outputs, .. } | LayerSpec::NoisyLinear { outputs, .. } => {
                let mut dense =
                    self.dense((features, *outputs), |index| input.feature(index), |output| output);
                if matches!(layer, LayerSpec::NoisyLinear { .. }) {
                    self.noisy(&mut dense, |index| input.feature(index));
                }
                self.step(PanelKind::Linear(dense), &[input.slot], *outputs, per_fraction)
            }
            LayerSpec::Relu => elementwise(self, PanelKind::Activation(Activation::Relu)),
            LayerSpec::Tanh => elementwise(self, PanelKind::Activation(Activation::Tanh)),
            LayerSpec::Silu => elementwise(self, PanelKind::Activation(Activation::Silu)),
            LayerSpec::Gelu => elementwise(self, PanelKind::Activation(Activation::Gelu)),
            LayerSpec::LayerNorm { epsilon, .. } => {
                let (weight, bias) = (self.end, self.end + features);
                self.places.extend((0..features).map(|index| (weight + input.feature(index)) as u32));
                self.places.extend((0..features).map(|index| (bias + input.feature(index)) as u32));
                self.end += (2 * features).next_multiple_of(crate::program::HALF_LINE);
                elementwise(self, PanelKind::LayerNorm(LayerNorm { weight, bias, epsilon: *epsilon }))
            }
            LayerSpec::Residual { layers } => {
                let branch = self.branch(layers, input, &format!("{path}.layers."))?;
                let sum = self.step(PanelKind::Add, &[input.slot, branch.slot], features, per_fraction);
                Vector { image: input.image, ..sum }
            }
            LayerSpec::Dueling { value, advantage } => {
                let value = self.branch(value, input, &format!("{path}.value."))?;
                let advantage = self.branch(advantage, input, &format!("{path}.advantage."))?;
                let atoms = self.slots[value.slot].features;
                let outputs = self.slots[advantage.slot].features;
                let inputs = [value.slot, advantage.slot];
                self.step(PanelKind::Dueling { atoms }, &inputs, outputs, per_fraction)
            }
            LayerSpec::CosineEmbedding { cosines, .. } => {
                let angles = self.step(PanelKind::Cosines, &[], *cosines, true);
                let dense = self.dense((*cosines, features), |index| index, |output| input.feature(output));
                let weights = self.step(PanelKind::Linear(dense), &[angles.slot], features, true);
                self.rectify_panels(weights.slot);
                let product = self.step(PanelKind::Product, &[input.slot, weights.slot], features, true);
                Vector { image: input.image, ..product }
            }
            _ => {
                let message = "is of a kind that the CPU engine has not got for vectors".to_string();
                return Err(SpecError { layer: path.to_string(), message });
            }
        })
    }

    fn branch(&mut self, layers: &[LayerSpec], input: Vector, prefix: &str) -> Result<Vector, SpecError> {
        let mut place = Place::Vector(input);
        self.layers(layers, &mut place, prefix)?;
        match place {
            Place::Vector(vector) => Ok(vector),
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
