//! Which fractions of the return's distribution are worth learning: the proposals of FQF.
//!
//! - Yang et al. 2019, *Fully Parameterized Quantile Function for Distributional Reinforcement Learning*,
//!   arXiv 1911.02140
//!
//! ```text
//! p(s) = softmax(W·ψ(s) + b)            ψ: what enters the cosine embedding
//! τ_i  = Σ_{j<i} p_j,  i = 0 … N        τ̂_i = (τ_i + τ_{i+1}) / 2
//! L    = W₁ − entropy · H(p),           no gradient reaches ψ
//! ```

use crate::math::{exp, fused, log_softmax};
use crate::network::{Initialization, InputShape, LayerSpec, NetworkSpec, Parameters, QNetwork};
use crate::{ElementKind, Observation, StateError, StateReader, StateWriter};

/// A linear layer that proposes fractions, with an optimiser of its own.
pub struct FractionProposal {
    network: Box<dyn QNetwork>,
    entropy: f32,
    learning_rate: f32,
    /// `[batch][feature]` of the last proposals made for training.
    features: Vec<f32>,
    logits: Vec<f32>,
    d_logits: Vec<f32>,
}

impl FractionProposal {
    /// Proposals by `network`, whose spec is that of [`spec`](Self::spec).
    ///
    /// # Panics
    /// If it proposes fewer than 2 fractions: between 0 and 1 there would be none to learn.
    pub fn new(network: Box<dyn QNetwork>, entropy: f32, learning_rate: f32) -> Self {
        assert!(network.spec().actions >= 2, "proposals of {} fractions", network.spec().actions);
        Self { network, entropy, learning_rate, features: vec![], logits: vec![], d_logits: vec![] }
    }

    /// The network that proposes `fractions` fractions from `features` values.
    pub fn spec(features: usize, fractions: usize) -> NetworkSpec {
        NetworkSpec {
            element: ElementKind::F32,
            full_byte: 255,
            input: InputShape::Vector { len: features },
            actions: fractions,
            atoms: 1,
            layers: vec![LayerSpec::Linear {
                outputs: fractions,
                initialization: Initialization::FanInUniform,
            }],
        }
    }

    /// Back to the beginning, with all parameters 0: even fractions for every observation.
    pub fn begin_anew(&mut self) {
        self.network.set_parameters(Parameters::Online, &vec![0.0; self.network.layout().len()]);
        self.network.reset_optimizer();
    }

    /// How many fractions it proposes.
    pub fn fractions(&self) -> usize {
        self.network.spec().actions
    }

    /// Writes the midpoints, `[batch][fraction]`, and the fractions without 0 and 1, `[batch][fraction − 1]`, for the
    /// features that `fill` writes.
    pub(crate) fn propose(
        &mut self,
        fill: impl FnOnce(&mut [f32]),
        midpoints: &mut [f32],
        mut edges: Option<&mut [f32]>,
    ) {
        let count = self.fractions();
        let batch = midpoints.len() / count;
        self.features.resize(batch * self.network.spec().inputs(), 0.0);
        self.logits.resize(midpoints.len(), 0.0);
        fill(&mut self.features);
        self.network.forward(Parameters::Online, Observation::F32(&self.features), &mut self.logits);
        for (b, logits) in self.logits.chunks_exact_mut(count).enumerate() {
            log_softmax(logits);
            let midpoints = &mut midpoints[b * count..(b + 1) * count];
            let edges = edges.as_deref_mut().map(|edges| &mut edges[b * (count - 1)..(b + 1) * (count - 1)]);
            cumulate(logits, midpoints, edges.unwrap_or(&mut []));
        }
    }

    /// One gradient step on the features of the last [`propose`](Self::propose), along `d_fractions`,
    /// `[batch][fraction − 1]`: the gradient of the mean loss by the proposed fractions.
    pub(crate) fn learn(&mut self, d_fractions: &[f32]) {
        let count = self.fractions();
        let batch = d_fractions.len() / (count - 1);
        self.d_logits.resize(batch * count, 0.0);
        self.network.forward_train(Observation::F32(&self.features), &mut self.logits);
        let rows = self.logits.chunks_exact_mut(count).zip(d_fractions.chunks_exact(count - 1));
        for ((logits, d_fractions), d_logits) in rows.zip(self.d_logits.chunks_exact_mut(count)) {
            log_softmax(logits);
            let entropy = self.entropy / batch as f32;
            logits_gradient(logits, d_fractions, entropy, d_logits);
        }
        self.network.backward(&self.d_logits);
        self.network.optimizer_step(self.learning_rate, None);
    }

    /// Writes its parameters and its optimiser.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("fraction-proposal");
        state.f32_slice(&self.network.parameters(Parameters::Online));
        self.network.save_optimizer(state);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of such proposals.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("fraction-proposal")?;
        let mut parameters = vec![0.0; self.network.layout().len()];
        state.f32_slice("parameters of the proposals", &mut parameters)?;
        self.network.set_parameters(Parameters::Online, &parameters);
        self.network.load_optimizer(state)
    }
}

fused! {
    /// From logarithmic probabilities to the midpoints and the fractions between 0 and 1; `edges` may be empty.
    fn cumulate(log_p: &[f32], midpoints: &mut [f32], edges: &mut [f32]) {
        let (mut edge, last) = (0.0, log_p.len() - 1);
        for (i, (log_p, midpoint)) in log_p.iter().zip(midpoints).enumerate() {
            // The last one is 1, whatever rounding says.
            let next = if i == last { 1.0 } else { (edge + exp(*log_p)).min(1.0) };
            *midpoint = 0.5 * (edge + next);
            if let Some(place) = edges.get_mut(i) {
                *place = next;
            }
            edge = next;
        }
    }

    /// The gradient by the logits of a loss whose gradient by the fractions is `d_fractions`, less `entropy` times the
    /// entropy: `∂L/∂p_j = Σ_{i>j} ∂L/∂τ_i + entropy · (ln p_j + 1)`, then through the softmax.
    fn logits_gradient(log_p: &[f32], d_fractions: &[f32], entropy: f32, d_logits: &mut [f32]) {
        let mut later = 0.0;
        for j in (0..log_p.len()).rev() {
            d_logits[j] = later + entropy * (log_p[j] + 1.0);
            if j > 0 {
                later += d_fractions[j - 1];
            }
        }
        let mut mean = 0.0;
        for (log_p, d) in log_p.iter().zip(d_logits.iter()) {
            mean += exp(*log_p) * d;
        }
        for (d, log_p) in d_logits.iter_mut().zip(log_p) {
            *d = exp(*log_p) * (*d - mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn floats(value: &Value) -> Vec<f32> {
        match value {
            Value::Array(values) => values.iter().flat_map(floats).collect(),
            number => vec![number.as_f64().unwrap() as f32],
        }
    }

    fn assert_close(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let near =
            |(found, expected): (&f32, &f32)| (found - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(found.iter().zip(expected).all(near), "{what}: {found:?}, expected {expected:?}");
    }

    /// Fractions, their midpoints and the gradient by the logits, with and without entropy: fixtures/losses/fqf.json.
    #[test]
    fn proposals_are_the_papers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/losses/fqf.json");
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let setups = fixture["setups"].as_array().unwrap();
        assert_eq!(setups.len(), 3);
        for setup in setups {
            let count = setup["atoms"].as_u64().unwrap() as usize;
            let [logits, fractions, midpoints, d_fractions] =
                ["logits", "fractions", "midpoints", "d_fractions"].map(|key| floats(&setup[key]));
            let cases = setup["cases"].as_array().unwrap();
            assert_eq!(cases.len(), 3);
            for (b, logits) in logits.chunks_exact(count).enumerate() {
                let mut log_p = logits.to_vec();
                log_softmax(&mut log_p);
                let (mut found, mut edges) = (vec![f32::NAN; count], vec![f32::NAN; count - 1]);
                cumulate(&log_p, &mut found, &mut edges);
                assert_close(&found, &midpoints[b * count..(b + 1) * count], "midpoints");
                let first = b * (count + 1);
                assert_close(&edges, &fractions[first + 1..first + count], "fractions");
                // Without a place for the fractions the midpoints are the same.
                let mut alone = vec![f32::NAN; count];
                cumulate(&log_p, &mut alone, &mut []);
                assert_eq!(alone, found);
                for case in cases {
                    let entropy = case["entropy_coefficient"].as_f64().unwrap() as f32;
                    let mut d_logits = vec![f32::NAN; count];
                    let d_fractions = &d_fractions[b * (count - 1)..(b + 1) * (count - 1)];
                    logits_gradient(&log_p, d_fractions, entropy, &mut d_logits);
                    let expected = &floats(&case["d_logits"])[b * count..(b + 1) * count];
                    assert_close(&d_logits, expected, &format!("gradient with entropy {entropy}"));
                }
            }
        }
    }
}
