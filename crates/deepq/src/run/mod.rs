//! A run as plain files.
//!
//! ```text
//! runs/CartPole-v1/dqn-s1-20261122T153000Z/
//!   config.toml      the configuration, every default written out
//!   run.json         versions, host, seed, status, command
//!   run.lock         locked while a process trains here; then it is empty
//!   metrics.jsonl    one line an episode
//!   eval.jsonl       one line an evaluation
//!   checkpoints/<env_steps>/   network.safetensors, optimizer.state, replay.state, trainer.state, state.json
//!   best/            the best policy of an evaluation
//!   videos/          rl-video-episode-N.mp4, recordings.json
//!   tensorboard/     event files
//!   report.html
//! ```

mod checkpoint;
mod comparison;
mod directory;
mod files;
mod metrics;
mod seeds;
mod session;
mod watchdog;
mod weights;

pub use checkpoint::CheckpointChoice;
pub use comparison::{ComparedGroup, Comparison, FEW_SEEDS, Improvement};
pub use directory::{RunDirectory, RunInfo, RunStatus};
pub use files::{create_folder, read_json_lines, write_atomically};
pub use metrics::{EvaluationLine, MetricsLine};
pub use seeds::{AcrossSeeds, SeedsSummary, seed_requests, train_all, train_seeds};
pub use session::{HangHandler, RunSummary, TrainRequest, train};
