//! From a network as data to a program with places for its parameters.

mod image;
mod panels;

use deepq_core::network::{LayerSpec, NetworkSpec, ParameterLayout, Shape, SpecError};

use crate::aligned::LINE;
use crate::program::{Dense, HALF_LINE, ImageSlot, ImageStep, Noisy, PanelSlot, PanelStep, Program};

/// The most elements of all images between layers, for one observation.
const MOST_SAMPLE: usize = 1 << 31;

/// What this engine makes of a [`NetworkSpec`].
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: Program,
    pub(crate) layout: ParameterLayout,
    /// For each parameter of the layout, its place in the padded vector.
    places: Vec<u32>,
    /// For each number of noise, its place in this engine's vector of noise.
    noise_places: Vec<u32>,
    pub(crate) noise_len: usize,
    /// The steps before the cosine embedding, where there is one: they give its features.
    pub(crate) features: Option<Program>,
}

impl Plan {
    /// # Errors
    /// Where the layers do not fit each other, or this engine has no such layer at such a place.
    pub(crate) fn new(spec: &NetworkSpec) -> Result<Self, SpecError> {
        let layout = spec.layout()?;
        // Places are counted in 32 bits. Padding makes eight of one, and a little more for wide rows.
        if layout.len() > u32::MAX as usize / 16 {
            let message = format!("brings the parameters to {}, more than the engine counts", layout.len());
            return Err(SpecError { layer: spec.layers.len().saturating_sub(1).to_string(), message });
        }
        let mut builder = Builder::default();
        let mut place = builder.begin(spec);
        builder.layers(&spec.layers, &mut place, "")?;
        let plan = builder.finish(spec, layout);
        match plan.program.image.as_ref().map_or(0, |image| image.sample_len) {
            // With its borders, which may be wider than the image.
            len if len > MOST_SAMPLE => {
                let message = format!(
                    "is the end of {len} values an image, borders included; {MOST_SAMPLE} are the most"
                );
                Err(SpecError { layer: spec.layers.len().saturating_sub(1).to_string(), message })
            }
            _ => Ok(plan),
        }
    }

    /// From this engine's padded order to the layout's.
    pub(crate) fn canonical(&self, padded: &[f32]) -> Vec<f32> {
        self.places.iter().map(|place| padded[*place as usize]).collect()
    }

    /// As [`canonical`](Self::canonical), written to `values`.
    pub(crate) fn copy_canonical(&self, padded: &[f32], values: &mut [f32]) {
        assert_eq!(values.len(), self.places.len(), "one value a parameter is needed");
        for (value, place) in values.iter_mut().zip(&self.places) {
            *value = padded[*place as usize];
        }
    }

    /// From the layout's order to this engine's. The padding stays as it is.
    pub(crate) fn take_canonical(&self, values: &[f32], padded: &mut [f32]) {
        for (value, place) in values.iter().zip(&self.places) {
            padded[*place as usize] = *value;
        }
    }

    /// Noise in this engine's order, its padding as it is.
    pub(crate) fn take_noise(&self, noise: &[f32], padded: &mut [f32]) {
        assert_eq!(noise.len(), self.noise_places.len(), "the numbers of noise");
        for (value, place) in noise.iter().zip(&self.noise_places) {
            padded[*place as usize] = *value;
        }
    }
}

/// Where the values stand that the next layer gets.
#[derive(Clone, Copy)]
enum Place {
    /// A slot of images.
    Image(usize),
    /// A slot of panels.
    Vector(usize),
}

#[derive(Default)]
struct Builder {
    image_slots: Vec<ImageSlot>,
    image_steps: Vec<ImageStep>,
    slots: Vec<PanelSlot>,
    steps: Vec<PanelStep>,
    places: Vec<u32>,
    noise_places: Vec<u32>,
    /// Where the next parameters begin.
    end: usize,
    noise_end: usize,
    effective_end: usize,
    normalized_end: usize,
    divisors: Option<Vec<f32>>,
    /// Whether the first layer is a convolution, so that nobody else reads the observation.
    compact_input: bool,
}

impl Builder {
    fn begin(&mut self, spec: &NetworkSpec) -> Place {
        self.compact_input = matches!(spec.layers.first(), Some(LayerSpec::Convolution { .. }));
        match spec.input.shape() {
            Shape::Vector { len } => Place::Vector(self.slot(len, false)),
            image => Place::Image(self.image_slot(image)),
        }
    }

    /// Adds layers that follow each other, and moves `place` to what the last one gives.
    fn layers(&mut self, layers: &[LayerSpec], place: &mut Place, prefix: &str) -> Result<(), SpecError> {
        for (index, layer) in layers.iter().enumerate() {
            let path = format!("{prefix}{index}");
            let fused = matches!(layer, LayerSpec::Relu)
                && index > 0
                && matches!(
                    layers[index - 1],
                    LayerSpec::Linear { .. } | LayerSpec::NoisyLinear { .. } | LayerSpec::Convolution { .. }
                );
            *place = match *place {
                _ if fused => self.rectify(*place),
                Place::Image(slot) => self.image_layer(layer, slot, &path)?,
                Place::Vector(slot) => Place::Vector(self.panel_layer(layer, slot, &path)?),
            };
        }
        Ok(())
    }

    /// Lets the step before end in a ReLU.
    fn rectify(&mut self, place: Place) -> Place {
        match place {
            Place::Image(slot) => self.rectify_image(slot),
            Place::Vector(slot) => self.rectify_panels(slot),
        }
        place
    }

    /// A layer's weights and biases, in the layout's order: `[output][input]`, then one bias an output.
    fn dense(&mut self, (inputs, outputs): (usize, usize), input_of: impl Fn(usize) -> usize) -> Dense {
        let dense = Dense::new(inputs, outputs, self.end);
        for output in 0..outputs {
            for input in 0..inputs {
                self.places.push((self.end + input_of(input) * dense.stride + output) as u32);
            }
        }
        for output in 0..outputs {
            self.places.push((self.end + inputs * dense.stride + output) as u32);
        }
        self.end += dense.len();
        dense
    }

    /// Adds to a layer the scales of its noise.
    fn noisy(&mut self, dense: &mut Dense) {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let scales = self.dense((inputs, outputs), |input| input);
        let noise = self.noise_end;
        self.noise_places.extend((0..inputs).map(|input| (noise + input) as u32));
        self.noise_places.extend((0..outputs).map(|output| (noise + inputs + output) as u32));
        self.noise_end += inputs + dense.stride;
        dense.noisy = Some(Noisy { offset: scales.offset, effective: self.effective_end, noise });
        self.effective_end += dense.len();
    }

    fn finish(mut self, spec: &NetworkSpec, layout: ParameterLayout) -> Plan {
        let image = self.finish_image();
        self.finish_panels(image.is_some());
        let padded = |len: usize| (len + HALF_LINE).next_multiple_of(LINE);
        let program = Program {
            input: spec.input,
            full_byte: spec.full_byte,
            divisors: self.divisors,
            image,
            slots: self.slots,
            steps: self.steps,
            parameters_len: padded(self.end),
            effective_len: padded(self.effective_end),
            normalized_len: padded(self.normalized_end),
            multiply_adds: spec.multiply_adds(),
        };
        let noise_len = padded(self.noise_end);
        let features = features(&program);
        Plan { program, layout, places: self.places, noise_places: self.noise_places, noise_len, features }
    }
}

/// The steps whose rows are of observations, where others have rows of fractions: they all come first, and the last
/// of their slots goes into the embedding.
fn features(program: &Program) -> Option<Program> {
    let slots = program.slots.iter().take_while(|slot| !slot.per_fraction).count();
    if slots == program.slots.len() {
        return None;
    }
    let mut features = program.clone();
    features.slots.truncate(slots);
    features.steps.retain(|step| step.output < slots);
    Some(features)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepq_core::network::{Initialization, InputShape};

    fn every_parameter_has_a_place_of_its_own(spec: &NetworkSpec) {
        let plan = Plan::new(spec).unwrap();
        let values: Vec<f32> = (0..plan.layout.len()).map(|index| index as f32 + 1.0).collect();
        let mut padded = vec![0.0; plan.program.parameters_len];
        plan.take_canonical(&values, &mut padded);
        assert_eq!(plan.canonical(&padded), values);
        let taken = padded.iter().filter(|value| **value != 0.0).count();
        assert_eq!(taken, values.len());
        assert!(padded.len().is_multiple_of(16));
    }

    #[test]
    fn parameters_come_back_from_the_padded_order() {
        every_parameter_has_a_place_of_its_own(&NetworkSpec::mlp(
            3,
            &[17, 128],
            5,
            Initialization::FanInUniform,
        ));
        every_parameter_has_a_place_of_its_own(&NetworkSpec::minatar(7, 3));
        let mut spec = NetworkSpec::impala(1, 1, 3);
        spec.input = InputShape::ChannelsFirst { channels: 3, height: 21, width: 17 };
        every_parameter_has_a_place_of_its_own(&spec);
    }

    #[test]
    fn noise_has_a_place_of_its_own_too() {
        let mut spec = NetworkSpec::mlp(3, &[], 2, Initialization::FanInUniform);
        spec.layers = vec![
            LayerSpec::NoisyLinear { outputs: 5, noise: 0.5 },
            LayerSpec::NoisyLinear { outputs: 2, noise: 0.5 },
        ];
        every_parameter_has_a_place_of_its_own(&spec);
        let plan = Plan::new(&spec).unwrap();
        let mut padded = vec![0.0; plan.noise_len];
        plan.take_noise(&[1.0; 3 + 5 + 5 + 2], &mut padded);
        assert_eq!(padded.iter().sum::<f32>(), 15.0);
    }

    #[test]
    fn a_layer_that_does_not_fit_is_named() {
        let mut spec = NetworkSpec::mlp(2, &[4], 2, Initialization::FanInUniform);
        spec.layers.insert(1, LayerSpec::Divide { by: vec![1.0; 4] });
        assert_eq!(Plan::new(&spec).unwrap_err().layer, "1");
        spec.input = InputShape::Vector { len: 0 };
        assert!(Plan::new(&spec).is_err());
    }
}
