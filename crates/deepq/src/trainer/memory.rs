//! How much memory a run needs, before it is taken.

use deepq_core::FractionProposal;
use deepq_core::loss::Head;
use deepq_core::network::{NetworkSpec, SpecError};
use deepq_core::replay::{ReplayStoreConfig, SamplerConfig};
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError};

/// The memory that a run takes, in bytes: what can be said of it before it begins. Environments, whose own nobody
/// knows, and files are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// All of it: the network with its target, its gradient and its optimiser, a batch, and the experience.
    pub total: u64,
    /// The part of the experience that is kept: of the replay memory, or of a rollout.
    pub experience: u64,
    /// What the experience may grow to. A replay memory keeps the last observation of every episode besides, and
    /// nobody knows how many there will be: this is for episodes of a single step, all others need less.
    pub experience_at_most: u64,
}

impl MemoryUse {
    /// That of a network and of no experience.
    pub(super) fn of_network(config: &Config, spec: &NetworkSpec) -> Result<Self, ConfigError> {
        Ok(Self { total: network_bytes(config, spec)?, experience: 0, experience_at_most: 0 })
    }

    /// The same with the bytes of the experience, and with what they may grow to.
    pub(super) fn with_experience(self, bytes: u64, at_most: u64) -> Self {
        Self { total: self.total.saturating_add(bytes), experience: bytes, experience_at_most: at_most }
    }
}

/// Bytes of a memory of past transitions and of what it is sampled by, and what they may grow to.
pub(super) fn replay_bytes(config: &ReplayStoreConfig, sampler: SamplerConfig) -> (u64, u64) {
    let sampler = sampler.bytes(config.capacity);
    (config.bytes().saturating_add(sampler), config.most_bytes().saturating_add(sampler))
}

/// Refuses a memory of past transitions that this machine does not have room for.
pub(super) fn check_memory(config: &ReplayStoreConfig, sampler: SamplerConfig) -> Result<(), ConfigError> {
    // Not what it may grow to: hardly any episode has a single step, and a memory that fits must not be refused.
    let (needed, _) = replay_bytes(config, sampler);
    check_room("replay.capacity", &format!("{} transitions", config.capacity), needed)
}

/// Refuses a network that this machine does not have room for.
pub(super) fn check_network_memory(config: &Config, spec: &NetworkSpec) -> Result<(), ConfigError> {
    let (key, what) = config.network.told();
    check_room(key, &what, network_bytes(config, spec)?)
}

fn network_bytes(config: &Config, spec: &NetworkSpec) -> Result<u64, ConfigError> {
    let no_network = |error: SpecError| ConfigError::new("network", error.to_string());
    let parameters = spec.layout().map_err(no_network)?.len();
    let values = spec.activations_len(config.head().most_fractions()) as u64;
    let batch_size = match config.rollout_config() {
        Some(rollout) => rollout.minibatch_size(config.env.copies),
        None => config.batch_size(),
    };
    let rows = batch_size.max(config.env.copies) as u64;
    // The parameters, the target's, the gradient and the optimiser's state; a value and its gradient for each row.
    let vectors = 3 + config.optimizer.state_vectors() as u64;
    let numbers = vectors.saturating_mul(parameters as u64).saturating_add((2 * values).saturating_mul(rows));
    Ok(numbers.saturating_add(proposal_numbers(config, spec, rows)?).saturating_mul(4))
}

/// Of the layer that proposes fractions: its parameters, their target's, gradient and squares, and what it reads and
/// gives for each row.
fn proposal_numbers(config: &Config, spec: &NetworkSpec, rows: u64) -> Result<u64, ConfigError> {
    let Some((features, Head::ProposedQuantile { fractions, .. })) =
        spec.features_len().zip(Some(config.head()))
    else {
        return Ok(0);
    };
    let spec = FractionProposal::spec(features, fractions);
    let parameters =
        spec.layout().map_err(|error| ConfigError::new("loss.head.fractions", error.to_string()))?.len()
            as u64;
    Ok((4 * parameters).saturating_add((features + 2 * fractions) as u64 * rows))
}

pub(super) fn check_room(key: &str, what: &str, needed: u64) -> Result<(), ConfigError> {
    match there_is_too_little(needed) {
        Some(told) => Err(ConfigError::new(key, format!("{what} need {told}"))),
        None => Ok(()),
    }
}

/// Refuses runs side by side that this machine does not have room for together.
pub(super) fn check_runs_at_once(
    config: &Config,
    memory: &MemoryUse,
    runs: usize,
) -> Result<(), ConfigError> {
    if runs <= 1 {
        return Ok(());
    }
    let Some(told) = there_is_too_little(memory.total.saturating_mul(runs as u64)) else { return Ok(()) };
    let key = match memory.experience > memory.total / 2 {
        true if config.rollout.is_some() => "rollout.steps",
        true => "replay.capacity",
        false => "network",
    };
    let message =
        format!("{runs} runs side by side need {told}; with RAYON_NUM_THREADS=1 there is one at a time");
    Err(ConfigError::new(key, message))
}

/// What is needed and what is there, where that is too little.
fn there_is_too_little(needed: u64) -> Option<String> {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let there = machine_memory().filter(|there| needed > there / 10 * 9)?;
    Some(format!("{:.1} GiB, this machine has {:.1} GiB", gibibytes(needed), gibibytes(there)))
}

/// Bytes of memory that this process may have, where the system tells: the machine's, or a container's limit.
fn machine_memory() -> Option<u64> {
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    Some(installed_memory()?.min(limit))
}

fn installed_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_side_by_side_share_the_machine() {
        // Where the system does not tell, nothing is refused.
        let Some(there) = machine_memory() else { return };
        let (config, _) = Config::resolve("CartPole-v1", None, None, &[]).unwrap();
        let half = MemoryUse { total: there / 2, experience: there / 2, experience_at_most: there / 2 };
        check_runs_at_once(&config, &half, 1).unwrap();
        let error = check_runs_at_once(&config, &half, 2).unwrap_err();
        assert_eq!(error.place, "replay.capacity");
        assert!(error.message.starts_with("2 runs side by side need "), "{error}");
        let of_networks = MemoryUse { experience: 0, ..half };
        assert_eq!(check_runs_at_once(&config, &of_networks, 2).unwrap_err().place, "network");
    }
}
