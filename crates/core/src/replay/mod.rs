//! Replay memory (Lin 1992; Mnih et al. 2015).

mod batch;
mod finals;
mod sampler;
mod store;

pub use batch::Batch;
pub use sampler::{Sampler, SamplerConfig};
pub use store::{MOST_STACKED_FRAMES, ReplayStore, ReplayStoreConfig};
