//! Fresh noise for noisy networks (Fortunato et al. 2018, *Noisy Networks for Exploration*, arXiv 1706.10295).

use crate::network::{NetworkSpec, Parameters, QNetwork};
use crate::{RandomStream, StateError, StateReader, StateWriter};

/// Draws the noise of one use of a network: acting, learning, or being the target. Each has a source of its own, so
/// that their noise is independent.
#[derive(Clone, Debug)]
pub struct NoiseSource {
    stream: RandomStream,
    values: Vec<f32>,
}

impl NoiseSource {
    /// A source for networks made as `spec` says, which draws from the run's seed. `purpose` names the use.
    pub fn new(spec: &NetworkSpec, seed: u64, purpose: &str) -> Self {
        let stream = RandomStream::new(seed, &format!("noise-{purpose}"), 0);
        Self { stream, values: vec![0.0; spec.noise_len()] }
    }

    /// Sets fresh noise for all later passes with `parameters`. Does nothing for networks without noisy layers.
    pub fn refresh(&mut self, network: &mut dyn QNetwork, parameters: Parameters) {
        if !self.values.is_empty() {
            NetworkSpec::draw_noise(&mut self.stream, &mut self.values);
            network.set_noise(parameters, Some(&self.values));
        }
    }

    /// Writes where its stream is.
    pub fn save_state(&self, state: &mut StateWriter) {
        self.stream.save_state(state);
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    /// Where the bytes are not such a state.
    pub fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stream.load_state(state)
    }
}

/// Takes the noise of a network away: what it then gives is the policy that is judged.
pub fn silence(network: &mut dyn QNetwork, parameters: Parameters) {
    if network.spec().noise_len() > 0 {
        network.set_noise(parameters, None);
    }
}
