//! Layers of images become steps over one sample after the other.

use deepq_core::network::{LayerSpec, NormalizedAxes, Shape, SpecError};

use super::{Builder, Place};
use crate::program::{
    Activation, Convolution, Dense, HALF_LINE, ImageKind, ImageProgram, ImageSlot, ImageStep, LayerNorm,
    Spectral,
};

impl Builder {
    pub(super) fn image_slot(&mut self, shape: Shape) -> usize {
        let Shape::Image { channels, height, width } = shape else {
            unreachable!("a slot for images is asked for images only");
        };
        let compact = self.image_slots.is_empty() && self.compact_input;
        let pixel = if compact { channels } else { channels.next_multiple_of(HALF_LINE) };
        let slot = ImageSlot { channels, height, width, pixel, border: 0, offset: 0, rectified: false };
        self.image_slots.push(slot);
        self.image_slots.len() - 1
    }

    fn image_step(&mut self, kind: ImageKind, inputs: &[usize], shape: Shape) -> Place {
        let output = self.image_slot(shape);
        self.image_steps.push(ImageStep { kind, inputs: inputs.to_vec(), output });
        Place::Image(output)
    }

    pub(super) fn rectify_image(&mut self, slot: usize) {
        self.image_slots[slot].rectified = true;
        if let Some(ImageStep { kind: ImageKind::Convolution(convolution), .. }) = self.image_steps.last_mut()
        {
            convolution.filters.rectified = true;
        }
    }

    pub(super) fn image_layer(
        &mut self,
        layer: &LayerSpec,
        input: usize,
        path: &str,
    ) -> Result<Place, SpecError> {
        let ImageSlot { channels, height, width, pixel, .. } = self.image_slots[input];
        let shape = Shape::Image { channels, height, width };
        let fail = |message: String| SpecError { layer: path.to_string(), message };
        let output = layer.output(shape).map_err(fail)?;
        Ok(match layer {
            &LayerSpec::Convolution { size, stride, padding, channels: outputs, spectral_norm, .. } => {
                let places = size * size;
                // [input][row][column] of the layout becomes [row][column][input].
                let row_of = |index: usize| index % places * channels + index / places;
                let filters = self.dense((channels * places, outputs), row_of);
                let spectral = spectral_norm.then(|| self.spectral(&filters));
                let convolution = Convolution { filters, size, stride, padding, transposed: None, spectral };
                self.image_step(ImageKind::Convolution(convolution), &[input], output)
            }
            LayerSpec::Relu => self.image_step(ImageKind::Activation(Activation::Relu), &[input], output),
            &LayerSpec::LeakyRelu { slope } => {
                self.image_step(ImageKind::Activation(Activation::LeakyRelu(slope)), &[input], output)
            }
            LayerSpec::Tanh => self.image_step(ImageKind::Activation(Activation::Tanh), &[input], output),
            LayerSpec::Silu => self.image_step(ImageKind::Activation(Activation::Silu), &[input], output),
            LayerSpec::Gelu => self.image_step(ImageKind::Activation(Activation::Gelu), &[input], output),
            LayerSpec::LayerNorm { axes, epsilon } => {
                let places = match axes {
                    NormalizedAxes::All => height * width,
                    NormalizedAxes::Channels => 1,
                };
                let norm = self.image_norm((channels, places, pixel), *epsilon);
                let kind = match axes {
                    NormalizedAxes::All => ImageKind::LayerNormAll(norm),
                    NormalizedAxes::Channels => ImageKind::LayerNormChannels(norm),
                };
                self.image_step(kind, &[input], output)
            }
            &LayerSpec::MaxPool { size, stride, padding } => {
                self.image_step(ImageKind::MaxPool { size, stride, padding }, &[input], output)
            }
            LayerSpec::AdaptiveMaxPool { .. } => {
                self.image_step(ImageKind::AdaptiveMaxPool, &[input], output)
            }
            LayerSpec::Residual { layers } => {
                let mut place = Place::Image(input);
                self.layers(layers, &mut place, &format!("{path}.layers."))?;
                match place {
                    Place::Image(branch) => self.image_step(ImageKind::Add, &[input, branch], output),
                    Place::Vector(_) => unreachable!("a residual block keeps the shape"),
                }
            }
            LayerSpec::Flatten => Place::Vector(self.slot(shape.len(), false)),
            _ => return Err(fail("is of a kind that the CPU engine has not got for images".to_string())),
        })
    }

    /// A place for normalised filters.
    fn spectral(&mut self, filters: &Dense) -> Spectral {
        let begin = self.normalized_end;
        let u = begin + filters.len();
        let v = u + filters.stride;
        let reciprocal = v + filters.inputs.next_multiple_of(HALF_LINE);
        self.normalized_end = reciprocal + HALF_LINE;
        Spectral { filters: begin, u, v, reciprocal }
    }

    /// Weights and biases of a norm, `[channel][place]` in the layout, `[place][pixel]` here.
    fn image_norm(&mut self, (channels, places, pixel): (usize, usize, usize), epsilon: f32) -> LayerNorm {
        let len = places * pixel;
        let (weight, bias) = (self.end, self.end + len);
        for begin in [weight, bias] {
            for channel in 0..channels {
                self.places.extend((0..places).map(|place| (begin + place * pixel + channel) as u32));
            }
        }
        self.end += 2 * len;
        LayerNorm { weight, bias, epsilon }
    }

    /// Settles borders, places in memory, and which convolutions pass a gradient on.
    pub(super) fn finish_image(&mut self) -> Option<ImageProgram> {
        if self.image_slots.is_empty() {
            return None;
        }
        let mut trained = vec![false; self.image_slots.len()];
        let mut transposed_len = 0;
        for step in &mut self.image_steps {
            let has_parameters = !matches!(
                step.kind,
                ImageKind::Activation(_)
                    | ImageKind::Add
                    | ImageKind::MaxPool { .. }
                    | ImageKind::AdaptiveMaxPool
            );
            trained[step.output] = has_parameters || step.inputs.iter().any(|input| trained[*input]);
            if let ImageKind::Convolution(convolution) = &mut step.kind {
                let slot = &mut self.image_slots[step.inputs[0]];
                slot.border = slot.border.max(convolution.padding);
                if trained[step.inputs[0]] {
                    convolution.transposed = Some(transposed_len);
                    let filters = &convolution.filters;
                    transposed_len += convolution.size * convolution.size * filters.outputs * slot.pixel;
                }
            }
        }
        let mut sample_len = 0;
        for slot in &mut self.image_slots {
            slot.offset = sample_len;
            sample_len += slot.len();
        }
        let (slots, steps) = (self.image_slots.clone(), self.image_steps.clone());
        Some(ImageProgram { slots, steps, sample_len, transposed_len })
    }
}
