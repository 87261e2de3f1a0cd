//! What every engine's spectral normalisation has in common.

use super::layer::LayerSpec;
use super::spec::NetworkSpec;

/// How often the power iteration goes round that finds σ(W) (Miyato et al. 2018, arXiv 1802.05957).
///
/// `W` is taken as a matrix `[outputs, inputs]`, the filters of a convolution as
/// `[channels, input channels · size · size]`. From `u_o =` [`spectral_start`]`(o)` on,
/// `v = normalized(Wᵀ·u)` and `u = normalized(W·v)` follow each other so often, and σ is the length of the last
/// `W·v`. So σ is a function of the present `W` alone: nothing of it is kept from step to step, saved or copied
/// to the target network, and it is never out of date. What the iteration has not reached after so many rounds makes
/// σ a little too small, never too large.
///
/// In the gradient `u` and `v` are constants, as in PyTorch: `dL/dW = (G − ⟨G, W/σ⟩·u·vᵀ)/σ` with the gradient `G`
/// by `W/σ`.
pub const SPECTRAL_ITERATIONS: usize = 16;

/// Vectors that are shorter than this become 0 where they are normalised, and a σ below it counts as 1: weights that
/// are all 0 stay so, and take their gradient as without spectral normalisation.
pub const LEAST_SINGULAR_VALUE: f64 = 1e-12;

/// Element `index` of what the power iteration begins with: from 0 to 1, the same to the bit in every engine.
///
/// What multiples of the golden ratio have behind the point: a vector with a part along the sum of all outputs, where
/// filters are alike, and one across it without a pattern that a matrix could share, where they cancel out.
pub fn spectral_start(index: usize) -> f32 {
    let fraction = (index as u32).wrapping_add(1).wrapping_mul(0x9e37_79b9) >> 8;
    // 24 bits, which an f32 holds.
    fraction as f32 / 16_777_216.0
}

impl NetworkSpec {
    /// The same network with spectral normalisation of every convolution inside a residual block, as in "Beyond the
    /// Rainbow" (Clark et al. 2024, arXiv 2411.03820).
    pub fn with_spectral_norm(mut self) -> Self {
        self.layers.iter_mut().for_each(|layer| normalize_inside(layer, false));
        self
    }
}

fn normalize_inside(layer: &mut LayerSpec, inside: bool) {
    match layer {
        LayerSpec::Convolution { spectral_norm, .. } => *spectral_norm |= inside,
        LayerSpec::Residual { layers } => layers.iter_mut().for_each(|layer| normalize_inside(layer, true)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_known_to_the_bit() {
        let start: Vec<f32> = (0..4).map(spectral_start).collect();
        // Of 1, 2, 3, 4 times 2654435769/2³² what is behind the point, cut to 24 bits.
        let bits = [10_368_889.0, 3_960_563.0, 14_329_453.0, 7_921_126.0f32];
        assert_eq!(start[..], bits.map(|bits| bits / 16_777_216.0));
        assert!((0..100_000).all(|index| (0.0..1.0).contains(&spectral_start(index))));
    }

    #[test]
    fn convolutions_inside_residual_blocks_alone_are_normalized() {
        let normalized = |spec: &NetworkSpec| {
            let (mut inside, mut outside) = ((0, 0), 0);
            spec.walk(&mut |at| {
                if let LayerSpec::Convolution { spectral_norm, .. } = at.layer {
                    match at.depth {
                        0 => outside += usize::from(*spectral_norm),
                        _ => inside = (inside.0 + usize::from(*spectral_norm), inside.1 + 1),
                    }
                }
            })
            .unwrap();
            (inside, outside)
        };
        let plain = NetworkSpec::impala(4, 1, 6);
        assert_eq!(normalized(&plain), ((0, 12), 0));
        assert_eq!(normalized(&plain.clone().with_spectral_norm()), ((12, 12), 0));
        let layout = plain.layout().unwrap();
        assert_eq!(plain.with_spectral_norm().layout().unwrap(), layout, "the parameters are the same");
    }

    #[test]
    fn it_is_written_down_where_it_is_there() {
        let plain = LayerSpec::convolution(3, 3, 1, 1);
        let written = serde_json::to_value(&plain).unwrap();
        assert!(written.get("spectral_norm").is_none(), "{written}");
        let mut normalized = plain.clone();
        normalize_inside(&mut normalized, true);
        let written = serde_json::to_value(&normalized).unwrap();
        assert_eq!(written["spectral_norm"], true);
        assert_eq!(serde_json::from_value::<LayerSpec>(written).unwrap(), normalized);
        let leaky = serde_json::json!({ "kind": "leaky-relu" });
        assert_eq!(serde_json::from_value::<LayerSpec>(leaky).unwrap(), LayerSpec::LeakyRelu { slope: 0.01 });
    }
}
