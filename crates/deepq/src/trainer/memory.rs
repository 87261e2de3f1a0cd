//! How much memory a run needs, before it is taken.

use deepq_core::network::{NetworkSpec, SpecError};
use deepq_core::replay::{ReplayStoreConfig, SamplerConfig};

use crate::config::{Config, ConfigError};

/// Refuses a memory of past transitions that this machine does not have room for.
pub(super) fn check_memory(config: &ReplayStoreConfig, sampler: SamplerConfig) -> Result<(), ConfigError> {
    let needed = config.bytes().saturating_add(sampler.bytes(config.capacity));
    check_room("replay.capacity", &format!("{} transitions", config.capacity), needed)
}

/// Refuses a network that this machine does not have room for.
pub(super) fn check_network_memory(config: &Config, spec: &NetworkSpec) -> Result<(), ConfigError> {
    let no_network = |error: SpecError| ConfigError::new("network", error.to_string());
    let parameters = spec.layout().map_err(no_network)?.len();
    let values = spec.activations_len() as u64;
    let rows = config.batch_size().max(config.env.copies) as u64;
    // The parameters, the target's, the gradient and the optimiser's state; a value and its gradient for each row.
    let vectors = 3 + config.optimizer.state_vectors() as u64;
    let numbers = vectors.saturating_mul(parameters as u64).saturating_add((2 * values).saturating_mul(rows));
    let (key, what) = config.network.told();
    check_room(key, &what, numbers.saturating_mul(4))
}

pub(super) fn check_room(key: &str, what: &str, needed: u64) -> Result<(), ConfigError> {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match machine_memory() {
        Some(there) if needed > there / 10 * 9 => {
            let (needed, there) = (gibibytes(needed), gibibytes(there));
            let message = format!("{what} need {needed:.1} GiB, this machine has {there:.1} GiB");
            Err(ConfigError::new(key, message))
        }
        _ => Ok(()),
    }
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
