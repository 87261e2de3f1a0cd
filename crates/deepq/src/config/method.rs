//! What is learned from: a memory, rollouts or a stream. Checks of what goes together.

use deepq_core::loss::{ErrorFunction, Head, LossConfig, TargetRule};
use deepq_core::network::{LayerSpec, OptimizerConfig, Parameters};
use deepq_core::replay::SamplerConfig;
use deepq_core::{RolloutConfig, StreamingConfig};

use super::validate::{check, check_period, check_shares, setting_error};
use super::{Config, ConfigError, LAYERS, NetworkConfig, ReplayConfig, RolloutSettings, StreamingSettings};

/// The most transitions that a memory may hold: references to observations have 31 bits.
const MOST_TRANSITIONS: usize = 1 << 29;

impl Config {
    /// PQN's settings, where the configuration has some.
    pub(crate) fn rollout_config(&self) -> Option<RolloutConfig> {
        let RolloutSettings { steps, minibatches, epochs, lambda } = self.rollout?;
        let (gamma, max_gradient_norm) = (self.learning.gamma, self.learning.max_gradient_norm);
        Some(RolloutConfig { steps, minibatches, epochs, gamma, lambda, max_gradient_norm })
    }

    /// Streaming Q(λ)'s settings, where the configuration has some.
    pub(crate) fn streaming_config(&self) -> Option<StreamingConfig> {
        let StreamingSettings { lambda, kappa, trace_cut } = self.streaming?;
        Some(StreamingConfig { gamma: self.learning.gamma, lambda, kappa, trace_cut })
    }

    /// An embedding of fractions and a head that asks for fractions need each other. Networks that are no list of
    /// layers get one with the head.
    fn validate_embedding(&self) -> Result<(), ConfigError> {
        let NetworkConfig::Layers { layers, .. } = &self.network else { return Ok(()) };
        let is_embedding = |layer: &LayerSpec| matches!(layer, LayerSpec::CosineEmbedding { .. });
        let message = match (layers.iter().any(is_embedding), self.head().takes_fractions()) {
            (true, false) => {
                "have a cosine embedding, for whose fractions this head does not ask; take the head implicit-quantile \
                 or proposed-quantile, or leave the embedding out"
            }
            (false, true) => {
                "have no { kind = \"cosine-embedding\" }, which the head implicit-quantile or proposed-quantile \
                 needs: it stands between features and the last layers"
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(LAYERS, message))
    }

    /// Checks what is learned from.
    pub(super) fn validate_method(&self) -> Result<(), ConfigError> {
        self.validate_embedding()?;
        match (&self.replay, &self.rollout, &self.streaming) {
            (Some(replay), None, None) => self.validate_replay(replay),
            (None, Some(_), None) => self.validate_rollout(),
            (None, None, Some(_)) => self.validate_streaming(),
            (None, None, None) => {
                let message = "none of the tables replay, rollout and streaming is given; one of them is \
                               needed: it says what is learned from";
                Err(ConfigError::new("replay", message))
            }
            _ => {
                let given = [
                    ("replay", self.replay.is_some()),
                    ("rollout", self.rollout.is_some()),
                    ("streaming", self.streaming.is_some()),
                ];
                let given: Vec<&str> =
                    given.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
                let message = format!(
                    "found the tables {}, allowed is one of replay, rollout and streaming: it says what is learned \
                     from; switch off the others, by --set {}=off say",
                    given.join(" and "),
                    given[0]
                );
                Err(ConfigError::new(given[given.len() - 1], message))
            }
        }
    }

    /// Why a setting with this path has no place in this configuration, where it is of another way to learn.
    pub(super) fn has_no_place_for(&self, path: &str) -> Option<String> {
        let ways = [
            ("replay", self.replay.is_some(), "a memory"),
            ("rollout", self.rollout.is_some(), "rollouts"),
            ("streaming", self.streaming.is_some(), "a stream"),
        ];
        let table = path.split('.').next().unwrap_or(path);
        let of = if ["loss", "target", "reset"].contains(&table) { "replay" } else { table };
        let (_, is_there, what) = ways.iter().find(|(table, ..)| *table == of)?;
        let (other, _, other_what) = ways.iter().find(|(_, is_there, _)| *is_there)?;
        (!is_there).then(|| {
            format!(
                "'{table}' goes with learning from {what}, and here is learned from {other_what}, as the table \
                 '{other}' says; take another --algo, or switch that table off by --set {other}=off and give all of \
                 the other way's"
            )
        })
    }

    fn validate_replay(&self, replay: &ReplayConfig) -> Result<(), ConfigError> {
        let needed = |there: bool, key: &str| match there {
            true => Ok(()),
            false => Err(ConfigError::new(key, "is not given; learning from a memory needs it")),
        };
        let learning = self.learning;
        needed(learning.batch_size.is_some(), "learning.batch_size")?;
        needed(learning.start_env_steps.is_some(), "learning.start_env_steps")?;
        needed(learning.every_env_steps.is_some(), "learning.every_env_steps")?;
        let capacity = replay.capacity;
        check((1..=MOST_TRANSITIONS).contains(&capacity), "replay.capacity", capacity, "1 to 536870912")?;
        let batch_size = self.batch_size();
        check((1..=65536).contains(&batch_size), "learning.batch_size", batch_size, "1 to 65536")?;
        let minibatch_size = self.minibatch_size();
        let allowed = format!("1 to the batch size, which is {batch_size}");
        let fits = (1..=batch_size).contains(&minibatch_size);
        check(fits, "learning.minibatch_size", minibatch_size, &allowed)?;
        let every = learning.every_env_steps.unwrap_or(0);
        check(every >= 1, "learning.every_env_steps", every, "at least 1")?;
        let batches = learning.batches;
        check((1..=1_000_000).contains(&batches), "learning.batches", batches, "1 to 1000000")?;
        if batch_size > capacity {
            let allowed = format!("at least the batch size, which is {batch_size}");
            return check(false, "replay.capacity", capacity, &allowed);
        }
        let Some(target) = self.target else { return needed(false, "target") };
        check(target.tau > 0.0 && target.tau <= 1.0, "target.tau", target.tau, "above 0, up to 1")?;
        check_period(target.period, "target.period")?;
        replay.sampler.validate().map_err(|error| setting_error("replay.sampler", &error))?;
        if let SamplerConfig::Prioritized { beta, .. } = replay.sampler {
            check_shares("replay.sampler.beta", beta)?;
        }
        self.validate_reset()?;
        match &self.loss {
            Some(loss) => self.validate_loss(loss),
            None => needed(false, "loss"),
        }
    }

    fn validate_reset(&self) -> Result<(), ConfigError> {
        let Some(reset) = self.reset else { return Ok(()) };
        check_period(reset.period, "reset.period")?;
        for (key, keep) in [("reset.keep_encoder", reset.keep_encoder), ("reset.keep_rest", reset.keep_rest)]
        {
            check((0.0..=1.0).contains(&keep), key, keep, "0 to 1")?;
        }
        Ok(())
    }

    fn validate_loss(&self, loss: &LossConfig) -> Result<(), ConfigError> {
        match loss.target {
            TargetRule::QLearning { double: true, minimum_of_networks: true } => {
                let message = "is given together with double: where each action has the lesser of both networks' \
                               values, there is no choice of one network left for the other to value";
                return Err(ConfigError::new("loss.target.minimum_of_networks", message));
            }
            TargetRule::Munchausen { alpha, temperature, clip } => {
                check((0.0..=1.0).contains(&alpha), "loss.target.alpha", alpha, "0 to 1")?;
                let positive = temperature.is_finite() && temperature > 0.0;
                check(positive, "loss.target.temperature", temperature, "a positive number")?;
                let negative = clip.is_finite() && clip < 0.0;
                check(negative, "loss.target.clip", clip, "a negative number")?;
            }
            _ => {}
        }
        validate_head(&loss.head)?;
        let plain = loss.target == TargetRule::Q_LEARNING || loss.target == TargetRule::DOUBLE;
        match loss.head {
            Head::Expected { average_over_actions: true, .. } if !plain => Err(ConfigError::new(
                "loss.head.average_over_actions",
                "is only there to reproduce tutorials, whose target is plain or Double Q-learning",
            )),
            Head::ProposedQuantile { .. } if self.minibatch_size() != self.batch_size() => {
                Err(ConfigError::new(
                    "learning.minibatch_size",
                    "is less than the batch size; the proposals of a proposed-quantile head learn from whole \
                     batches: leave it out",
                ))
            }
            _ => Ok(()),
        }
    }

    fn validate_rollout(&self) -> Result<(), ConfigError> {
        self.refuse_memory("rollout")?;
        let Some(config) = self.rollout_config() else { return Ok(()) };
        config.check(self.env.copies).map_err(|error| {
            let table =
                if ["gamma", "max_gradient_norm"].contains(&error.field) { "learning" } else { "rollout" };
            ConfigError::new(format!("{table}.{}", error.field), error.message)
        })
    }

    fn validate_streaming(&self) -> Result<(), ConfigError> {
        self.refuse_memory("streaming")?;
        check(self.env.copies == 1, "env.copies", self.env.copies, "1: a stream comes from one environment")?;
        if self.learning.max_gradient_norm.is_some() {
            let message = "does not go with streaming, whose steps are bounded by kappa; leave it out";
            return Err(ConfigError::new("learning.max_gradient_norm", message));
        }
        let unused = OptimizerConfig::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        if self.optimizer != unused {
            let message =
                "has no use with streaming, whose bounded step takes its place; write kind = \"sgd\" alone";
            return Err(ConfigError::new("optimizer", message));
        }
        let Some(config) = self.streaming_config() else { return Ok(()) };
        config.check().map_err(|error| {
            let table = if error.field == "gamma" { "learning" } else { "streaming" };
            ConfigError::new(format!("{table}.{}", error.field), error.message)
        })
    }

    /// Refuses what only a memory gives a meaning to.
    fn refuse_memory(&self, method: &str) -> Result<(), ConfigError> {
        let learning = self.learning;
        for (given, key) in [
            (self.loss.is_some(), "loss"),
            (self.target.is_some(), "target"),
            (self.reset.is_some(), "reset"),
            (learning.batch_size.is_some(), "learning.batch_size"),
            (learning.minibatch_size.is_some(), "learning.minibatch_size"),
            (learning.start_env_steps.is_some(), "learning.start_env_steps"),
            (learning.every_env_steps.is_some(), "learning.every_env_steps"),
            (learning.n_step != 1, "learning.n_step"),
            (learning.batches != 1, "learning.batches"),
            (!learning.bootstrap_at_truncation, "learning.bootstrap_at_truncation"),
        ] {
            if given {
                let message = format!(
                    "goes with learning from a memory, and the table {method} is given; leave it out"
                );
                return Err(ConfigError::new(key, message));
            }
        }
        match self.evaluation.parameters {
            Parameters::Online => Ok(()),
            _ => Err(ConfigError::new(
                "evaluation.parameters",
                format!(
                    "found target, allowed is online: with the table {method} there is no target network"
                ),
            )),
        }
    }
}

/// The most atoms, bins, quantiles or fractions.
const MOST_ATOMS: usize = 1024;

fn validate_head(head: &Head) -> Result<(), ConfigError> {
    match *head {
        Head::Expected { error: ErrorFunction::Huber { kappa }, .. } => positive("error.kappa", kappa),
        Head::Categorical { atoms, v_min, v_max } => {
            count("atoms", atoms, 2)?;
            range(v_min, v_max)
        }
        Head::HlGauss { bins, v_min, v_max, sigma_ratio } => {
            count("bins", bins, 2)?;
            range(v_min, v_max)?;
            positive("sigma_ratio", sigma_ratio)
        }
        Head::Quantile { quantiles, kappa } => {
            count("quantiles", quantiles, 1)?;
            not_negative("kappa", kappa)
        }
        Head::ImplicitQuantile { fractions, target_fractions, acting_fractions, kappa } => {
            count("fractions", fractions, 1)?;
            count("target_fractions", target_fractions, 1)?;
            count("acting_fractions", acting_fractions, 1)?;
            not_negative("kappa", kappa)
        }
        Head::ProposedQuantile { fractions, acting_fractions, kappa, entropy, fraction_learning_rate } => {
            count("fractions", fractions, 2)?;
            count("acting_fractions", acting_fractions, 1)?;
            not_negative("kappa", kappa)?;
            not_negative("entropy", entropy)?;
            positive("fraction_learning_rate", fraction_learning_rate)
        }
        _ => Ok(()),
    }
}

/// A number of atoms, bins, quantiles or fractions.
fn count(key: &str, found: usize, least: usize) -> Result<(), ConfigError> {
    let allowed = format!("{least} to {MOST_ATOMS}");
    check((least..=MOST_ATOMS).contains(&found), &format!("loss.head.{key}"), found, &allowed)
}

fn positive(key: &str, found: f32) -> Result<(), ConfigError> {
    check(found.is_finite() && found > 0.0, &format!("loss.head.{key}"), found, "a positive number")
}

fn not_negative(key: &str, found: f32) -> Result<(), ConfigError> {
    check(found.is_finite() && found >= 0.0, &format!("loss.head.{key}"), found, "0 or a positive number")
}

fn range(v_min: f32, v_max: f32) -> Result<(), ConfigError> {
    check(v_min.is_finite(), "loss.head.v_min", v_min, "a number")?;
    let allowed = format!("a number above v_min, which is {v_min}");
    check(v_max.is_finite() && v_max > v_min, "loss.head.v_max", v_max, &allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_another_way_to_learn_are_told_as_such() {
        let refused = |algo, set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
            Config::resolve("CartPole-v1", None, Some(algo), &set).map(|_| ()).unwrap_err()
        };
        for (algo, set, told) in [
            (
                "pqn",
                "target.tau=0.5",
                "'target' goes with learning from a memory, and here is learned from rollouts",
            ),
            ("pqn", "replay.sampler=prioritized", "'replay' goes with learning from a memory"),
            (
                "stream-q",
                "rollout.steps=4",
                "'rollout' goes with learning from rollouts, and here is learned from a stream",
            ),
            (
                "dqn",
                "streaming.kappa=2",
                "'streaming' goes with learning from a stream, and here is learned from a memory",
            ),
        ] {
            let error = refused(algo, &[set]);
            assert_eq!(error.place, format!("--set {set}"));
            assert!(error.message.contains(told), "{error}");
        }
        // With the other table off it is told what is missing.
        let error = refused("pqn", &["rollout=off", "target.tau=0.5"]);
        assert!(error.message.contains("the key 'period' is missing"), "{error}");
        let error = refused("stream-q", &["optimizer=rmsprop"]);
        assert!(error.place == "optimizer" && error.message.contains("bounded step"), "{error}");
    }
}
