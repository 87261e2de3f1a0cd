//! Playing toy text environments.

use deepq_core::{Env, ObservationMut, Step};
use deepq_envs::{EnvOptions, Registry};

/// Ids, and options written as TOML.
pub(crate) const KINDS: [(&str, &str); 9] = [
    ("FrozenLake-v1", ""),
    ("FrozenLake8x8-v1", "success_rate = 0.9"),
    ("FrozenLake-v1", "desc = ['SFFH', 'FFFG']\nis_slippery = false"),
    ("CliffWalking-v1", ""),
    ("CliffWalkingSlippery-v1", ""),
    ("Taxi-v4", ""),
    ("Taxi-v4", "is_rainy = true\nfickle_passenger = true\nfickle_probability = 1"),
    ("Blackjack-v1", ""),
    ("Blackjack-v1", "natural = true\nsab = false"),
];

pub(crate) fn with(id: &str, options: &str) -> Box<dyn Env> {
    let options = EnvOptions::from(options.parse::<toml::Table>().unwrap());
    Registry::builtin().make_with(id, options).unwrap()
}

pub(crate) fn reset(env: &mut dyn Env, seed: Option<u64>) -> Vec<f32> {
    let mut observation = vec![0.0; env.spec().observation_space.len()];
    env.reset(seed, ObservationMut::F32(&mut observation)).unwrap();
    observation
}

pub(crate) fn step(env: &mut dyn Env, action: usize) -> (Vec<f32>, Step) {
    let mut observation = vec![0.0; env.spec().observation_space.len()];
    let step = env.step(action, ObservationMut::F32(&mut observation)).unwrap();
    (observation, step)
}

/// A number that looks random.
pub(crate) fn mixed(seed: u64, step: usize) -> usize {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64);
    (mixed.wrapping_mul(0xd134_2543_de82_ef95) >> 40) as usize
}
