//! Replay memory (Lin 1992; Mnih et al. 2015), drawn from uniformly or by priority (Schaul et al. 2016).

mod batch;
mod config;
mod finals;
mod masks;
mod prioritized;
mod sampler;
mod store;
mod sum_tree;

pub use batch::Batch;
pub use config::ReplayStoreConfig;
pub use prioritized::Normalization;
pub use sampler::{Sampler, SamplerConfig};
pub use store::{MOST_STACKED_FRAMES, ReplayStore};
pub use sum_tree::SumTree;
