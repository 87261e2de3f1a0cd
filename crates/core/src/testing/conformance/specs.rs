//! The networks that the checks are run on.

use crate::ElementKind;
use crate::network::{Initialization, LayerSpec, NetworkSpec};

/// The networks that the checks are run on.
pub fn specs() -> Vec<NetworkSpec> {
    let mlp = |inputs, hidden: &[usize], outputs| {
        NetworkSpec::mlp(inputs, hidden, outputs, Initialization::FanInUniform)
    };
    let linear = |outputs| LayerSpec::Linear { outputs, initialization: Initialization::GlorotUniform };
    let mut two_linear = mlp(3, &[17], 2);
    two_linear.layers = vec![linear(17), linear(2)];
    let mut rectified = mlp(5, &[9], 4);
    rectified.layers.push(LayerSpec::Relu);
    let mut atoms = mlp(4, &[17], 6);
    (atoms.actions, atoms.atoms) = (2, 3);
    let mut bytes = mlp(12, &[17, 3], 3);
    bytes.element = ElementKind::U8;
    let divisors = (0..63).map(|i| 0.5 + i as f32 / 16.0).collect();
    vec![
        mlp(4, &[24, 24], 2),
        mlp(1, &[1], 1),
        mlp(1, &[3, 1], 2),
        mlp(3, &[17, 63], 3),
        mlp(17, &[], 5),
        mlp(63, &[63, 17], 1).with_divided_observations(divisors),
        mlp(4, &[64, 64], 2).with_divided_observations(vec![2.4, 2.5, 0.21, -2.5]),
        two_linear,
        rectified,
        atoms,
        bytes,
    ]
}
