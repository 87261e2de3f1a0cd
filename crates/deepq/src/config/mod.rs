//! The configuration of a run: what a preset holds, and what a run directory's `config.toml` shows in full.

mod describe;
mod engine;
mod method;
mod network;
mod parse;
mod presets;
mod recipes;
mod settings;
mod validate;
mod value;
mod warnings;

pub use engine::{EngineConfig, Threads};
pub use network::{Architecture, ChannelAxis, Extras, NetworkConfig};
pub(crate) use network::{LAYERS, find_layer};
pub use parse::ConfigError;
pub use presets::{Preset, algorithms, presets};
pub use recipes::parts;
pub use value::whole_number;

pub use deepq_core::loss::LossConfig;
use deepq_core::loss::{ErrorFunction, Head};
use deepq_core::network::{OptimizerConfig, Parameters};
use deepq_core::replay::SamplerConfig;
use deepq_core::{ExplorationPolicy, Period, ResetConfig, Schedule, TargetUpdate, TraceCut};
use deepq_envs::wrappers::WrapperConfig;
use serde::{Deserialize, Serialize};

/// All that determines a run, the seed aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The algorithm's name, `dqn` say. It labels the run; the parts below are what counts.
    pub algo: String,
    /// The environment.
    pub env: EnvConfig,
    /// When training ends.
    pub stop: StopConfig,
    /// What is learned, and how often.
    pub learning: LearningConfig,
    /// What is learned of the return, and of which target. PQN and streaming Q(λ) have a loss of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossConfig>,
    /// The network.
    pub network: NetworkConfig,
    /// How the network follows the gradient.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// How the target network follows the online one; only with a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetUpdate>,
    /// Learning from a memory of past transitions: deep Q-learning and its kin. Exactly one of this, `rollout` and
    /// `streaming` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayConfig>,
    /// Learning from the latest steps of many environments: PQN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSettings>,
    /// Learning from each step as it comes, and never again: streaming Q(λ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<StreamingSettings>,
    /// When the network begins anew, in whole or in part; only with a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<ResetConfig>,
    /// How much is tried at random.
    pub exploration: ExplorationConfig,
    /// How the policy is judged.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// What is kept to go on from.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What is filmed at the end.
    #[serde(default)]
    pub recording: RecordingConfig,
    /// What is told while training.
    #[serde(default)]
    pub log: LogConfig,
    /// How it is computed, which changes nothing of what comes out.
    #[serde(default)]
    pub engine: EngineConfig,
}

/// The environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvConfig {
    /// Its id, `CartPole-v1` say.
    pub id: String,
    /// How many copies of it are stepped together. Env steps are counted over all of them.
    #[serde(default = "one")]
    pub copies: usize,
    /// How many threads the copies step in; 0 for the thread that trains. What comes out is the same. Handing a step
    /// over takes microseconds, so that only slow environments gain by it.
    #[serde(default)]
    pub threads: usize,
    /// The longest that one reset or step may take, in seconds: a run whose environment hangs ends there.
    #[serde(default = "a_minute")]
    pub step_limit_s: f64,
    /// Whether its action masks are heeded, where it has some: an action that a mask forbids is then neither taken nor
    /// bootstrapped from. Without them every action may be taken, in training as in evaluations.
    #[serde(default = "yes")]
    pub action_masks: bool,
    /// What it is made with: Gymnasium's keyword arguments, as in `{ is_slippery = false }`.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub options: toml::Table,
    /// What is put around it, innermost first. Returns are always told as the environment itself pays them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrappers: Vec<WrapperConfig>,
}

impl EnvConfig {
    /// One copy of the environment `id`, as it is.
    pub fn new(id: impl Into<String>) -> Self {
        let (options, wrappers) = (toml::Table::new(), vec![]);
        Self {
            id: id.into(),
            copies: 1,
            threads: 0,
            step_limit_s: a_minute(),
            action_masks: true,
            options,
            wrappers,
        }
    }
}

fn a_minute() -> f64 {
    60.0
}

/// When training ends: with whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopConfig {
    /// After how many env steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_steps: Option<u64>,
    /// After how many episodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episodes: Option<u64>,
}

/// What is learned, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningConfig {
    /// The discount factor γ of one env step.
    pub gamma: f64,
    /// Env steps that a transition spans.
    #[serde(default = "one")]
    pub n_step: usize,
    /// Whether an episode cut off by a time limit is learned as one that goes on. Only there to be switched off
    /// to reproduce tutorials that learn it as a failure.
    #[serde(default = "yes")]
    pub bootstrap_at_truncation: bool,
    /// Transitions sampled at a time; only with a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Transitions of one gradient step; the batch size where nothing is said. Where it is less, one sampled
    /// batch gives several gradient steps on targets that were computed before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minibatch_size: Option<usize>,
    /// Size of a step of the optimiser: a number, or a schedule. Where one sampled batch gives several gradient
    /// steps, all of them have the first one's.
    pub learning_rate: Schedule,
    /// The greatest L2 norm of the gradient; longer ones are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gradient_norm: Option<f32>,
    /// After how many env steps learning begins; only with a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_env_steps: Option<u64>,
    /// Every how many env steps learning happens; only with a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_env_steps: Option<u64>,
    /// How many batches are then learned from.
    #[serde(default = "one")]
    pub batches: usize,
}

/// Learning from rollouts (PQN: Gallici et al. 2024, arXiv 2407.04811). The rate, γ and the gradient's norm stand
/// under `learning`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutSettings {
    /// Steps in each environment between one time of learning and the next.
    pub steps: usize,
    /// Into how many minibatches their transitions are split.
    pub minibatches: usize,
    /// How often each transition is learned from.
    pub epochs: usize,
    /// λ of the λ-returns.
    pub lambda: f64,
}

/// Learning from a stream (Elsayed, Vasan, Mahmood 2024, arXiv 2410.14606). The step size α and γ stand under
/// `learning`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamingSettings {
    /// λ of the eligibility trace.
    pub lambda: f64,
    /// κ of the bounded step.
    pub kappa: f64,
    /// When exploring ends the trace.
    #[serde(default)]
    pub trace_cut: TraceCut,
}

/// The memory of past transitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// Transitions it holds.
    pub capacity: usize,
    /// How they are drawn.
    #[serde(default)]
    pub sampler: SamplerConfig,
}

/// How much is tried at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplorationConfig {
    /// For how many env steps every action is random, whatever ε is.
    #[serde(default)]
    pub random_env_steps: u64,
    /// The probability ε of a random action.
    pub epsilon: Schedule,
    /// How an action is chosen by it.
    #[serde(default)]
    pub policy: ExplorationPolicy,
}

/// How the policy is judged: greedily, in environments of its own with seeds of their own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Every how many env steps; only at the end where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_env_steps: Option<u64>,
    /// Over how many episodes while training.
    pub episodes: usize,
    /// Which parameters the policy is: the online network, or the target network, which with Polyak averaging
    /// is a running mean of it.
    pub parameters: Parameters,
    /// Training ends early where a whole evaluation is good enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_early: Option<StopEarlyConfig>,
    /// Which policy a run ends with.
    pub final_policy: FinalPolicy,
    /// Over how many episodes the final policy is judged.
    pub final_episodes: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            every_env_steps: None,
            episodes: 16,
            parameters: Parameters::Online,
            stop_early: None,
            final_policy: FinalPolicy::Last,
            final_episodes: 100,
        }
    }
}

/// Training ends early where every episode of an evaluation is good enough, and every one of as many more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopEarlyConfig {
    /// What every episode must reach.
    pub min_return: f64,
    /// How many more episodes confirm it.
    pub confirm_episodes: usize,
}

/// Which policy a run ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinalPolicy {
    /// The one of the last step.
    Last,
    /// The one that was best in an evaluation while training, the latest of equals.
    Best,
}

/// What is kept to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Every how many env steps; only at the end where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_env_steps: Option<u64>,
    /// How many are kept, the newest of them.
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every_env_steps: None, keep: 2 }
    }
}

/// What is filmed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingConfig {
    /// How many episodes of the final policy.
    pub episodes: usize,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { episodes: 5 }
    }
}

/// What is told while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How often a line is written, in episodes, env steps or gradient steps; never where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

fn yes() -> bool {
    true
}

fn one<T: From<u8>>() -> T {
    T::from(1)
}

impl Config {
    /// The configuration as TOML, with every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is a table of plain values")
    }

    /// Transitions sampled at a time; 1 where there is no memory to sample from.
    pub fn batch_size(&self) -> usize {
        self.learning.batch_size.unwrap_or(1)
    }

    /// Transitions of one gradient step.
    pub fn minibatch_size(&self) -> usize {
        self.learning.minibatch_size.unwrap_or_else(|| self.batch_size())
    }

    /// What the network learns of the return.
    pub fn head(&self) -> Head {
        let expected = Head::Expected { error: ErrorFunction::Squared, average_over_actions: false };
        self.loss.map_or(expected, |loss| loss.head)
    }
}
