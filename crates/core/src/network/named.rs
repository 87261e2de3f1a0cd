//! Networks that papers gave a name.

use super::layer::LayerSpec;
use super::spec::{InputShape, NetworkSpec};
use crate::ElementKind;

impl NetworkSpec {
    /// The network of Young & Tian (2019) for MinAtar: a convolution of 16 filters of 3 rows and columns, and a
    /// linear layer of 128, each with a ReLU. Observations are `[10][10][channels]` bytes, 0 or 1 in MinAtar.
    pub fn minatar(channels: usize, actions: usize) -> Self {
        let layers = vec![
            LayerSpec::convolution(16, 3, 1, 0),
            LayerSpec::Relu,
            LayerSpec::Flatten,
            LayerSpec::linear(128),
            LayerSpec::Relu,
            LayerSpec::linear(actions),
        ];
        let input = InputShape::ChannelsLast { height: 10, width: 10, channels };
        Self { element: ElementKind::F32, full_byte: 255, input, actions, atoms: 1, layers }
    }

    /// The network of Mnih et al. (2015): three convolutions and a linear layer of 512, each with a ReLU, for
    /// `frames` stacked frames of 84 rows and columns of bytes.
    pub fn nature(frames: usize, actions: usize) -> Self {
        let layers = vec![
            LayerSpec::convolution(32, 8, 4, 0),
            LayerSpec::Relu,
            LayerSpec::convolution(64, 4, 2, 0),
            LayerSpec::Relu,
            LayerSpec::convolution(64, 3, 1, 0),
            LayerSpec::Relu,
            LayerSpec::Flatten,
            LayerSpec::linear(512),
            LayerSpec::Relu,
            LayerSpec::linear(actions),
        ];
        let input = InputShape::ChannelsFirst { channels: frames, height: 84, width: 84 };
        Self { element: ElementKind::U8, full_byte: 255, input, actions, atoms: 1, layers }
    }

    /// The residual network of Espeholt et al. (2018), each of its three stages `scale` times as wide as there:
    /// a convolution, a max-pooling and two residual blocks; then a linear layer of 256. For `frames` stacked
    /// frames of 84 rows and columns of bytes.
    pub fn impala(frames: usize, scale: usize, actions: usize) -> Self {
        let mut layers = vec![];
        for channels in [16, 32, 32] {
            let channels = channels * scale;
            let block = LayerSpec::Residual {
                layers: vec![
                    LayerSpec::Relu,
                    LayerSpec::convolution(channels, 3, 1, 1),
                    LayerSpec::Relu,
                    LayerSpec::convolution(channels, 3, 1, 1),
                ],
            };
            layers.push(LayerSpec::convolution(channels, 3, 1, 1));
            layers.push(LayerSpec::MaxPool { size: 3, stride: 2, padding: 1 });
            layers.extend([block.clone(), block]);
        }
        let end = [
            LayerSpec::Relu,
            LayerSpec::Flatten,
            LayerSpec::linear(256),
            LayerSpec::Relu,
            LayerSpec::linear(actions),
        ];
        layers.extend(end);
        let input = InputShape::ChannelsFirst { channels: frames, height: 84, width: 84 };
        Self { element: ElementKind::U8, full_byte: 255, input, actions, atoms: 1, layers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_have_the_published_numbers_of_parameters() {
        let count = |spec: NetworkSpec| spec.layout().unwrap().len();
        // 4·16·9 + 16, 8·8·16·128 + 128, 128·6 + 6.
        assert_eq!(count(NetworkSpec::minatar(4, 6)), 592 + 131_200 + 774);
        // Mnih et al.: 1,686,180 with 4 actions.
        assert_eq!(count(NetworkSpec::nature(4, 4)), 1_686_180);
        let blocks = |channels: usize| 4 * (9 * channels * channels + channels);
        let stages = (9 * 4 * 16 + 16 + blocks(16))
            + (9 * 16 * 32 + 32 + blocks(32))
            + (9 * 32 * 32 + 32 + blocks(32));
        assert_eq!(count(NetworkSpec::impala(4, 1, 6)), stages + 11 * 11 * 32 * 256 + 256 + 256 * 6 + 6);
    }

    #[test]
    fn multiply_adds_are_counted() {
        let nature = NetworkSpec::nature(4, 4);
        let first = 20 * 20 * 32 * 4 * 64;
        let all = first + 9 * 9 * 64 * 32 * 16 + 7 * 7 * 64 * 64 * 9 + 3136 * 512 + 512 * 4;
        assert_eq!(nature.multiply_adds(), all);
        assert_eq!(nature.gradient_step_multiply_adds(32), 32 * (4 * all - first));
    }
}
