//! Layers on a tape: only forward, only in one way, and each fault in one place.
//!
//! Images are `[row][column][channel]` here, and all observations go through a layer together: other than in the
//! reference, with which this shares no code.

use deepq_core::math;
use deepq_core::network::{
    InputShape, LEAST_SINGULAR_VALUE, LayerSpec, NetworkSpec, NormalizedAxes, SPECTRAL_ITERATIONS, Shape,
    spectral_start,
};

use crate::Fault;
use crate::tape::{Tape, Var};

pub(crate) type Row = Vec<Var>;

/// What a pass needs, and how much of it has been used.
pub(crate) struct Forward<'a> {
    pub(crate) fault: Fault,
    pub(crate) tape: Tape,
    /// Parameters that no layer has taken yet.
    pub(crate) parameters: std::vec::IntoIter<Var>,
    /// The noise that no layer has taken yet.
    pub(crate) noise: Option<std::slice::Iter<'a, f32>>,
    pub(crate) fractions: &'a [f32],
}

impl Forward<'_> {
    fn take(&mut self, count: usize) -> Vec<Var> {
        self.parameters.by_ref().take(count).collect()
    }

    /// Rows `[action][atom]`, one for each observation, or for each fraction of each.
    pub(crate) fn network(
        &mut self,
        spec: &NetworkSpec,
        layers: &[LayerSpec],
        observation: &[f32],
    ) -> Vec<Row> {
        let shape = spec.input.shape();
        let mut rows = vec![];
        for elements in observation.chunks(spec.inputs()) {
            let place = |i: usize| match spec.input {
                InputShape::ChannelsFirst { channels, height, width }
                    if self.fault != Fault::FramesAsGrid =>
                {
                    (i % channels) * height * width + i / channels
                }
                _ => i,
            };
            rows.push((0..elements.len()).map(|i| elements[place(i)]).collect::<Vec<f32>>());
        }
        let rows = rows.into_iter().map(|row| row.into_iter().map(|x| self.tape.leaf(x)).collect()).collect();
        self.layers(layers, shape, rows).1
    }

    fn layers(&mut self, layers: &[LayerSpec], shape: Shape, rows: Vec<Row>) -> (Shape, Vec<Row>) {
        layers.iter().fold((shape, rows), |(shape, rows), layer| {
            let rows = self.layer(layer, shape, rows);
            (layer.output(shape).unwrap(), rows)
        })
    }

    fn layer(&mut self, layer: &LayerSpec, shape: Shape, rows: Vec<Row>) -> Vec<Row> {
        match layer {
            LayerSpec::Divide { by } => self.each_row(&rows, |this, row| {
                row.iter().zip(by).map(|(x, by)| this.tape.map(*x, |x| (x / by, 1.0 / by))).collect()
            }),
            LayerSpec::Linear { outputs, .. } => {
                let (weight, bias) = (self.take(outputs * shape.len()), self.take(*outputs));
                self.each_row(&rows, |this, row| this.linear(&weight, &bias, row))
            }
            LayerSpec::NoisyLinear { outputs, .. } => {
                let (weight, bias) = self.noisy_weights(shape.len(), *outputs);
                self.each_row(&rows, |this, row| this.linear(&weight, &bias, row))
            }
            LayerSpec::Relu
            | LayerSpec::LeakyRelu { .. }
            | LayerSpec::Tanh
            | LayerSpec::Silu
            | LayerSpec::Gelu => self.each_row(&rows, |this, row| {
                row.iter().map(|x| this.tape.map(*x, |x| this.fault.activation(layer, x))).collect()
            }),
            LayerSpec::LayerNorm { axes, epsilon } => self.layer_norm(*axes, *epsilon, shape, &rows),
            LayerSpec::Convolution { .. } => self.convolution(layer, shape, &rows),
            LayerSpec::MaxPool { .. } | LayerSpec::AdaptiveMaxPool { .. } => {
                self.each_row(&rows, |this, row| this.pool(layer, shape, row))
            }
            LayerSpec::Residual { layers } => {
                let (_, inner) = self.layers(layers, shape, rows.clone());
                if self.fault == Fault::NoSkip {
                    return inner;
                }
                let both = rows.iter().zip(&inner);
                both.map(|(x, f)| x.iter().zip(f).map(|(x, f)| self.tape.add(*x, *f)).collect()).collect()
            }
            LayerSpec::Flatten => {
                let Shape::Image { channels, height, width } = shape else { panic!("{shape} is no image") };
                let places = height * width;
                let element = |i: usize| match self.fault {
                    Fault::FlattenedAsGrid => i,
                    _ => (i % places) * channels + i / places,
                };
                rows.iter().map(|row| (0..row.len()).map(|i| row[element(i)]).collect()).collect()
            }
            LayerSpec::Dueling { value, advantage } => {
                let (_, value) = self.layers(value, shape, rows.clone());
                let (_, advantage) = self.layers(advantage, shape, rows);
                value
                    .iter()
                    .zip(&advantage)
                    .map(|(value, advantage)| self.dueling(value, advantage))
                    .collect()
            }
            LayerSpec::CosineEmbedding { cosines, .. } => self.embedding(*cosines, shape.len(), &rows),
            other => panic!("{other:?} is unknown"),
        }
    }

    fn each_row(&mut self, rows: &[Row], mut act: impl FnMut(&mut Self, &[Var]) -> Row) -> Vec<Row> {
        rows.iter().map(|row| act(self, row)).collect()
    }

    fn linear(&mut self, weight: &[Var], bias: &[Var], row: &[Var]) -> Row {
        let mut outputs = vec![];
        for (o, bias) in bias.iter().enumerate() {
            let weight = &weight[o * row.len()..(o + 1) * row.len()];
            let pairs: Vec<(Var, Var)> = weight.iter().copied().zip(row.iter().copied()).collect();
            outputs.push(self.tape.dot(&pairs, *bias));
        }
        outputs
    }

    fn noisy_weights(&mut self, inputs: usize, outputs: usize) -> (Vec<Var>, Vec<Var>) {
        let sizes = [inputs * outputs, outputs];
        let [weight, bias, weight_scale, bias_scale] =
            [sizes[0], sizes[1], sizes[0], sizes[1]].map(|count| self.take(count));
        let Some(noise) = &mut self.noise else { return (weight, bias) };
        let e: Vec<f32> = noise.by_ref().take(inputs + outputs).copied().collect();
        let (mut e_in, e_out) = (e[..inputs].to_vec(), e[inputs..].to_vec());
        if self.fault == Fault::NoiseReversed {
            e_in.reverse();
        }
        let mut noisy = |values: &[Var], scales: &[Var], e: &dyn Fn(usize) -> f32| -> Vec<Var> {
            let all = values.iter().zip(scales).enumerate();
            all.map(|(i, (value, scale))| {
                let scaled = self.tape.map(*scale, |scale| (scale * e(i), e(i)));
                self.tape.add(*value, scaled)
            })
            .collect()
        };
        let weight = noisy(&weight, &weight_scale, &|i| e_out[i / inputs] * e_in[i % inputs]);
        let without = self.fault == Fault::BiasWithoutNoise;
        (weight, noisy(&bias, &bias_scale, &|i| if without { 0.0 } else { e_out[i] }))
    }

    fn layer_norm(&mut self, axes: NormalizedAxes, epsilon: f32, shape: Shape, rows: &[Row]) -> Vec<Row> {
        let (channels, places) = match shape {
            Shape::Image { channels, height, width } => (channels, height * width),
            Shape::Vector { len } => (len, 1),
        };
        let by_place = axes == NormalizedAxes::Channels;
        let parameters = if by_place { channels } else { shape.len() };
        let (weight, bias) = (self.take(parameters), self.take(parameters));
        // Elements stand [place][channel], parameters [channel][place].
        let parameter =
            |i: usize| if by_place { i % channels } else { (i % channels) * places + i / channels };
        let group = match self.fault {
            Fault::NormOverAll => shape.len(),
            _ if by_place => channels,
            _ => shape.len(),
        };
        self.each_row(rows, |this, row| {
            let values = row.chunks(group).flat_map(|group| this.normalized(group, epsilon)).collect::<Row>();
            let scale = |this: &mut Self, (i, value): (usize, &Var)| {
                let scaled = this.tape.multiply(*value, weight[parameter(i)]);
                this.tape.add(scaled, bias[parameter(i)])
            };
            values.iter().enumerate().map(|value| scale(this, value)).collect()
        })
    }

    fn normalized(&mut self, group: &[Var], epsilon: f32) -> Row {
        let count = group.len() as f32;
        let mut mean = self.tape.mean(group);
        if self.fault == Fault::MeanWithoutGradient {
            mean = self.tape.leaf(self.tape.value(mean));
        }
        let centered: Row = group.iter().map(|x| self.tape.subtract(*x, mean)).collect();
        let squares: Row = centered.iter().map(|x| self.tape.multiply(*x, *x)).collect();
        let mut variance = self.tape.mean(&squares);
        if self.fault == Fault::VarianceUnbiased && count > 1.0 {
            variance = self.tape.map(variance, |v| (v * count / (count - 1.0), count / (count - 1.0)));
        }
        let epsilon_outside = self.fault == Fault::EpsilonOutsideRoot;
        let factor = self.tape.map(variance, |variance| match epsilon_outside {
            true => {
                let root = variance.sqrt().max(1e-20);
                (1.0 / (root + epsilon), -0.5 / (root * (root + epsilon) * (root + epsilon)))
            }
            false => {
                let root = (variance + epsilon).sqrt();
                (1.0 / root, -0.5 / (root * root * root))
            }
        });
        centered.iter().map(|x| self.tape.multiply(*x, factor)).collect()
    }

    fn convolution(&mut self, layer: &LayerSpec, shape: Shape, rows: &[Row]) -> Vec<Row> {
        let &LayerSpec::Convolution { channels, size, mut stride, padding, spectral_norm, .. } = layer else {
            unreachable!()
        };
        let Shape::Image { channels: inputs, height, width } = shape else { panic!("{shape} is no image") };
        let Ok(Shape::Image { height: out_rows, width: out_columns, .. }) = layer.output(shape) else {
            panic!("{layer:?} on {shape}")
        };
        let (mut weight, bias) = (self.take(channels * inputs * size * size), self.take(channels));
        if spectral_norm && self.fault != Fault::NotNormalized {
            weight = self.spectrally_normalized(&weight, channels);
        }
        let mut shift = padding;
        match self.fault {
            Fault::PaddingForgotten => shift = 0,
            Fault::StrideForgotten => stride = 1,
            _ => {}
        }
        let transposed = self.fault == Fault::FilterTransposed;
        let filter = |o: usize, u: usize, v: usize, i: usize| {
            let (u, v) = if transposed { (v, u) } else { (u, v) };
            weight[((o * inputs + i) * size + u) * size + v]
        };
        self.each_row(rows, |this, image| {
            let mut outputs = vec![];
            for (r, c) in (0..out_rows).flat_map(|r| (0..out_columns).map(move |c| (r, c))) {
                for o in 0..channels {
                    let mut pairs = vec![];
                    for (u, v) in (0..size).flat_map(|u| (0..size).map(move |v| (u, v))) {
                        let (row, column) = (r * stride + u, c * stride + v);
                        let inside = (shift..height + shift).contains(&row)
                            && (shift..width + shift).contains(&column);
                        if inside {
                            let place = (row - shift) * width + column - shift;
                            pairs
                                .extend((0..inputs).map(|i| (filter(o, u, v, i), image[place * inputs + i])));
                        }
                    }
                    outputs.push(this.tape.dot(&pairs, bias[o]));
                }
            }
            outputs
        })
    }

    /// `W/σ` with `σ = uᵀ·W·v`, in which `u` and `v` come from a power iteration beside the tape.
    fn spectrally_normalized(&mut self, weight: &[Var], outputs: usize) -> Row {
        let inputs = weight.len() / outputs;
        let w: Vec<f32> = weight.iter().map(|weight| self.tape.value(*weight)).collect();
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let unit = |x: Vec<f64>| x.iter().map(|value| value / length(&x).max(1e-12)).collect::<Vec<f64>>();
        let mut u: Vec<f64> = (0..outputs).map(|o| f64::from(spectral_start(o))).collect();
        let mut v = vec![];
        let rounds = if self.fault == Fault::FewerIterations { 2 } else { SPECTRAL_ITERATIONS };
        let at = |o: usize, i: usize| f64::from(w[o * inputs + i]);
        for _ in 0..rounds {
            v = unit((0..inputs).map(|i| (0..outputs).map(|o| at(o, i) * u[o]).sum()).collect());
            u = unit((0..outputs).map(|o| (0..inputs).map(|i| at(o, i) * v[i]).sum()).collect());
        }
        let uv = |place: usize| u[place / inputs] * v[place % inputs];
        let sigma: f64 = w.iter().enumerate().map(|(place, w)| f64::from(*w) * uv(place)).sum();
        if sigma < LEAST_SINGULAR_VALUE {
            return weight.to_vec();
        }
        let constant = self.fault == Fault::SigmaIsConstant;
        let slopes = (0..weight.len()).filter(|_| !constant).map(|place| (weight[place], uv(place) as f32));
        let slopes: Vec<(Var, f32)> = slopes.collect();
        let sigma = self.tape.push(sigma as f32, slopes);
        weight.iter().map(|weight| self.divide(*weight, sigma)).collect()
    }

    fn divide(&mut self, left: Var, right: Var) -> Var {
        let (l, r) = (self.tape.value(left), self.tape.value(right));
        self.tape.push(l / r, [(left, 1.0 / r), (right, -l / (r * r))])
    }

    fn pool(&mut self, layer: &LayerSpec, shape: Shape, image: &[Var]) -> Row {
        let Shape::Image { channels, height, width } = shape else { panic!("{shape} is no image") };
        let Ok(Shape::Image { height: out_rows, width: out_columns, .. }) = layer.output(shape) else {
            panic!("{layer:?} on {shape}")
        };
        let range = |place: usize, length: usize, count: usize| match *layer {
            LayerSpec::MaxPool { size, stride, padding } => {
                let begin = (place * stride) as isize - padding as isize;
                begin..begin + size as isize
            }
            _ => {
                let end = ((place + 1) * length) as f64 / count as f64;
                let end = if self.fault == Fault::AdaptiveEndsEarly { end.floor() } else { end.ceil() };
                let begin = place * length / count;
                begin as isize..(end as isize).max(begin as isize + 1)
            }
        };
        let mut outputs = vec![];
        for (r, c) in (0..out_rows).flat_map(|r| (0..out_columns).map(move |c| (r, c))) {
            for channel in 0..channels {
                let (mut window, mut beyond) = (vec![], false);
                for row in range(r, height, out_rows) {
                    for column in range(c, width, out_columns) {
                        let inside =
                            (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
                        beyond |= !inside;
                        if inside {
                            window.push(image[(row as usize * width + column as usize) * channels + channel]);
                        }
                    }
                }
                outputs.push((window, beyond));
            }
        }
        outputs.into_iter().map(|(window, beyond)| self.greatest(&window, beyond)).collect()
    }

    fn greatest(&mut self, window: &[Var], beyond: bool) -> Var {
        let value = |var: &Var| self.tape.value(*var);
        let hides_nan = self.fault == Fault::PoolHidesNan;
        let nan = window.iter().find(|var| value(var).is_nan());
        let greatest = window.iter().map(value).fold(f32::NEG_INFINITY, f32::max);
        let mut equal: Vec<Var> = window.iter().filter(|var| value(var) == greatest).copied().collect();
        match self.fault {
            _ if nan.is_some() && !hides_nan => equal = nan.into_iter().copied().collect(),
            Fault::PaddingCountsAsZero if beyond && greatest < 0.0 => return self.tape.leaf(0.0),
            Fault::GradientToAllEquals => {}
            Fault::GradientToLastEqual => equal = equal.split_off(equal.len() - 1),
            _ => equal.truncate(1),
        }
        let result = equal.first().map_or(greatest, value);
        self.tape.push(result, equal.into_iter().map(|var| (var, 1.0)))
    }

    fn dueling(&mut self, value: &[Var], advantage: &[Var]) -> Row {
        let atoms = value.len();
        let mut outputs = vec![];
        for (i, a) in advantage.iter().enumerate() {
            let together: Row = match self.fault {
                Fault::MeanOverAtoms => advantage[i - i % atoms..i - i % atoms + atoms].to_vec(),
                Fault::MeanOverAll => advantage.to_vec(),
                _ => advantage.iter().skip(i % atoms).step_by(atoms).copied().collect(),
            };
            let sum = self.tape.add(value[i % atoms], *a);
            let mean = self.tape.mean(&together);
            outputs.push(if self.fault == Fault::NoMean { sum } else { self.tape.subtract(sum, mean) });
        }
        outputs
    }

    fn embedding(&mut self, count: usize, inputs: usize, rows: &[Row]) -> Vec<Row> {
        let (weight, bias) = (self.take(inputs * count), self.take(inputs));
        let each = self.fractions.len() / rows.len();
        let first = if self.fault == Fault::CosinesFromOne { 1 } else { 0 };
        let mut outputs = vec![];
        for (row, x) in rows.iter().enumerate() {
            for fraction in 0..each {
                let row = if self.fault == Fault::FractionsShared { 0 } else { row };
                let fraction = self.fractions[row * each + fraction];
                let cosines: Row = (first..first + count)
                    .map(|i| (std::f64::consts::PI * i as f64 * f64::from(fraction)).cos() as f32)
                    .map(|cosine| self.tape.leaf(cosine))
                    .collect();
                let embedding = self.linear(&weight, &bias, &cosines);
                let linear = self.fault == Fault::EmbeddingWithoutRelu;
                let relu = |x: f32| if linear || x > 0.0 { (x, 1.0) } else { (x * 0.0, 0.0) };
                let product = |(x, e): (&Var, &Var)| {
                    let rectified = self.tape.map(*e, relu);
                    self.tape.multiply(*x, rectified)
                };
                outputs.push(x.iter().zip(&embedding).map(product).collect());
            }
        }
        outputs
    }
}

impl Fault {
    /// The value of an activation function and its slope.
    fn activation(self, layer: &LayerSpec, x: f32) -> (f32, f32) {
        match layer {
            LayerSpec::Relu if self == Fault::ReluHidesNan => (x.max(0.0), if x > 0.0 { 1.0 } else { 0.0 }),
            LayerSpec::Relu if self == Fault::SlopeAtZero && x == 0.0 => (0.0, 1.0),
            LayerSpec::Relu if x > 0.0 || x.is_nan() => (x, 1.0),
            LayerSpec::Relu => (0.0, 0.0),
            LayerSpec::LeakyRelu { slope } => match self {
                Fault::LeakySlopeAbove if x > 0.0 => (slope * x, *slope),
                Fault::LeakySlopeAbove => (x, 1.0),
                Fault::LeakySlopeAtZero if x == 0.0 => (0.0, 1.0),
                _ if x > 0.0 || x.is_nan() => (x, 1.0),
                _ => (slope * x, *slope),
            },
            LayerSpec::Tanh if self == Fault::TanhSlopeOfInput => (math::tanh(x), 1.0 - x * x),
            LayerSpec::Tanh => (math::tanh(x), 1.0 - math::tanh(x) * math::tanh(x)),
            LayerSpec::Silu if self == Fault::SiluSlopeOfLogistic => (math::silu(x), math::sigmoid(x)),
            LayerSpec::Silu if self == Fault::SiluOverflows => {
                (x * x.exp() / (1.0 + x.exp()), math::silu_derivative(x))
            }
            LayerSpec::Silu => (math::silu(x), math::silu_derivative(x)),
            LayerSpec::Gelu if self == Fault::GeluByTanh => {
                let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                (0.5 * x * (1.0 + inner.tanh()), math::gelu_derivative(x))
            }
            LayerSpec::Gelu => (math::gelu(x), math::gelu_derivative(x)),
            other => panic!("{other:?} is no activation function"),
        }
    }
}
