//! Passes through a network with all that they take.

use super::chain::{Chain, Values};
use super::images;
use crate::network::NetworkSpec;

/// A network with all that a pass through it takes, in `f64`.
///
/// Each pair of an observation and a fraction goes through the whole network by itself.
#[derive(Clone, Copy, Debug)]
pub struct ReferencePass<'a> {
    /// The network.
    pub spec: &'a NetworkSpec,
    /// Its parameters, in the order of [`NetworkSpec::layout`].
    pub parameters: &'a [f64],
    /// The noise of its noisy layers, [`NetworkSpec::noise_len`] numbers.
    pub noise: Option<&'a [f64]>,
    /// Observations `[batch][inputs]`; bytes are divided by 255 already.
    pub observation: &'a [f64],
    /// Fractions `[batch][fraction]` where there is a cosine embedding, otherwise none.
    pub fractions: &'a [f64],
}

/// One observation with one fraction.
struct Run<'a> {
    /// Images are `[channel][row][column]` here.
    observation: Vec<f64>,
    values: Values<'a>,
    /// Where its outputs stand among all.
    outputs: Vec<usize>,
}

impl ReferencePass<'_> {
    /// The outputs, `[batch][action][atom]` or `[batch][action][fraction]`.
    ///
    /// # Panics
    /// If the network cannot be, or if a slice has not the length it asks for.
    pub fn forward(&self) -> Vec<f64> {
        self.forward_through(&Chain::new(self.spec))
    }

    /// The gradient by the parameters, from that by the outputs.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn gradient(&self, d_output: &[f64]) -> Vec<f64> {
        self.gradient_through(&Chain::new(self.spec), d_output)
    }

    /// How near it comes to a place where the outputs have no slope: the least distance of what goes into a ReLU
    /// from 0, and of the greatest value in a window of a max-pooling from the next lower one.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn distance_to_kinks(&self) -> f64 {
        self.distance_through(&Chain::new(self.spec))
    }

    /// [`forward`](Self::forward) through the network's layers, made once for many passes.
    pub(super) fn forward_through(&self, chain: &Chain) -> Vec<f64> {
        let runs = self.runs(chain);
        let mut output = vec![f64::NAN; runs.len() * self.spec.outputs()];
        for run in &runs {
            let given = chain.forward(&run.values, &run.observation).given;
            run.outputs.iter().zip(given).for_each(|(place, value)| output[*place] = value);
        }
        output
    }

    /// What goes into the cosine embedding, `[batch][feature]`. There are no fractions.
    pub(super) fn features_through(&self, chain: &Chain) -> Vec<f64> {
        let observations = self.observation.chunks(self.spec.inputs());
        assert_eq!(self.observation.len() % self.spec.inputs(), 0, "a whole number of observations");
        let values = Values { parameters: self.parameters, noise: self.noise, fraction: None };
        let features = observations.map(|observation| {
            chain.features(&values, &images::channels_first(self.spec.input, observation))
        });
        features.collect::<Vec<_>>().concat()
    }

    /// As [`forward_through`](Self::forward_through).
    pub(super) fn gradient_through(&self, chain: &Chain, d_output: &[f64]) -> Vec<f64> {
        let runs = self.runs(chain);
        assert_eq!(d_output.len(), runs.len() * self.spec.outputs(), "the length of d_output");
        let mut gradient = vec![0.0; self.parameters.len()];
        for run in &runs {
            let trace = chain.forward(&run.values, &run.observation);
            let d_y = run.outputs.iter().map(|place| d_output[*place]).collect();
            chain.backward(&run.values, &trace, d_y, &mut gradient);
        }
        gradient
    }

    /// As [`forward_through`](Self::forward_through).
    pub(super) fn distance_through(&self, chain: &Chain) -> f64 {
        let distance = |run: &Run<'_>| {
            let trace = chain.forward(&run.values, &run.observation);
            chain.distance_to_kinks(&run.values, &trace)
        };
        self.runs(chain).iter().map(distance).fold(f64::INFINITY, f64::min)
    }

    fn runs(&self, chain: &Chain) -> Vec<Run<'_>> {
        let batch = self.check_lengths(chain);
        let (inputs, outputs) = (self.spec.inputs(), self.spec.outputs());
        let each = if self.spec.takes_fractions() { self.fractions.len() / batch.max(1) } else { 1 };
        let run = |row: usize| {
            let (observation, fraction) = (row / each, row % each);
            let elements = &self.observation[observation * inputs..(observation + 1) * inputs];
            let fractions = self.fractions.get(row).copied();
            Run {
                observation: images::channels_first(self.spec.input, elements),
                values: Values { parameters: self.parameters, noise: self.noise, fraction: fractions },
                outputs: (0..outputs).map(|i| (observation * outputs + i) * each + fraction).collect(),
            }
        };
        (0..batch * each).map(run).collect()
    }

    /// Gives the number of observations.
    fn check_lengths(&self, chain: &Chain) -> usize {
        assert_eq!(self.parameters.len(), chain.parameters(), "parameters of {:?}", self.spec);
        assert_eq!(self.observation.len() % self.spec.inputs(), 0, "a whole number of observations");
        if let Some(noise) = self.noise {
            assert_eq!(noise.len(), self.spec.noise_len(), "numbers of noise");
        }
        let (batch, fractions) = (self.observation.len() / self.spec.inputs(), self.fractions.len());
        match self.spec.takes_fractions() {
            true if batch > 0 => assert!(
                fractions >= batch && fractions.is_multiple_of(batch),
                "{fractions} fractions for {batch} observations"
            ),
            _ => assert_eq!(fractions, 0, "fractions where none are taken"),
        }
        batch
    }
}
