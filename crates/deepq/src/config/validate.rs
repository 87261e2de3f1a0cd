//! Checks of every value, before the first step.

use deepq_core::{ExplorationPolicy, Period, Schedule, SettingError};

use super::{Config, ConfigError, FinalPolicy};

/// Fails with the key, the value and what is allowed unless `holds`.
pub(super) fn check(
    holds: bool,
    key: &str,
    found: impl std::fmt::Display,
    allowed: &str,
) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::new(key, format!("found {found}, allowed is {allowed}"))),
    }
}

impl Config {
    /// Checks every value that can be checked without the environment.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let is_a_name =
            (1..=100).contains(&self.algo.chars().count()) && !self.algo.contains(char::is_control);
        check(
            is_a_name,
            "algo",
            format!("{:?}", self.algo),
            "a name of 1 to 100 characters, none of them a control character",
        )?;
        self.validate_stop()?;
        self.validate_learning()?;
        self.network.validate()?;
        self.validate_optimizer()?;
        self.engine.threads.validate()?;
        self.validate_exploration()?;
        self.validate_evaluation()?;
        check((1..=65536).contains(&self.env.copies), "env.copies", self.env.copies, "1 to 65536")?;
        check(self.env.threads <= 1024, "env.threads", self.env.threads, "0 to 1024")?;
        let limit = self.env.step_limit_s;
        check((0.001..=1e6).contains(&limit), "env.step_limit_s", limit, "0.001 to 1000000 seconds")?;
        self.validate_wrappers()?;
        self.validate_method()?;
        let (keep, every) = (self.checkpoint.keep, self.checkpoint.every_env_steps);
        check(keep >= 1, "checkpoint.keep", keep, "at least 1")?;
        check(every != Some(0), "checkpoint.every_env_steps", 0, "at least 1")?;
        match self.log.period {
            Some(period) => check_period(period, "log.period"),
            None => Ok(()),
        }
    }

    fn validate_wrappers(&self) -> Result<(), ConfigError> {
        let wrappers = &self.env.wrappers;
        for (place, wrapper) in wrappers.iter().enumerate() {
            let key = format!("env.wrappers.{place}");
            wrapper.check().map_err(|error| ConfigError::new(&key, error.to_string()))?;
            if wrappers[..place].iter().any(|before| before.kind() == wrapper.kind()) {
                let message = format!("'{}' stands in the list already; once is enough", wrapper.kind());
                return Err(ConfigError::new(key, message));
            }
        }
        Ok(())
    }

    fn validate_stop(&self) -> Result<(), ConfigError> {
        let stop = self.stop;
        if stop.env_steps.is_none() && stop.episodes.is_none() {
            let message = "neither env_steps nor episodes is given: training would never end";
            return Err(ConfigError::new("stop", message));
        }
        check(stop.env_steps != Some(0), "stop.env_steps", 0, "at least 1")?;
        check(stop.episodes != Some(0), "stop.episodes", 0, "at least 1")
    }

    fn validate_learning(&self) -> Result<(), ConfigError> {
        let learning = self.learning;
        check((0.0..=1.0).contains(&learning.gamma), "learning.gamma", learning.gamma, "0 to 1")?;
        check((1..=1000).contains(&learning.n_step), "learning.n_step", learning.n_step, "1 to 1000")?;
        check_learning_rate(learning.learning_rate)?;
        if let Some(norm) = learning.max_gradient_norm {
            let holds = norm.is_finite() && norm > 0.0;
            check(holds, "learning.max_gradient_norm", norm, "a positive number; leave it out for no limit")?;
        }
        Ok(())
    }

    fn validate_optimizer(&self) -> Result<(), ConfigError> {
        self.optimizer.validate().map_err(|error| setting_error("optimizer", &error))
    }

    fn validate_exploration(&self) -> Result<(), ConfigError> {
        check_shares("exploration.epsilon", self.exploration.epsilon)?;
        let policy = self.exploration.policy;
        policy.validate().map_err(|error| setting_error("exploration.policy", &error))?;
        if let ExplorationPolicy::Softmax { temperature } = policy {
            for (name, value) in numbers_of(temperature) {
                let key = format!("exploration.policy.temperature{name}");
                check(value.is_finite() && value >= 0.0, &key, value, "0 or a positive number")?;
            }
        }
        Ok(())
    }

    fn validate_evaluation(&self) -> Result<(), ConfigError> {
        let evaluation = self.evaluation;
        let in_range = |episodes| (1..=10_000).contains(&episodes);
        let (episodes, last) = (evaluation.episodes, evaluation.final_episodes);
        check(in_range(episodes), "evaluation.episodes", episodes, "1 to 10000")?;
        check(in_range(last), "evaluation.final_episodes", last, "1 to 10000")?;
        check(evaluation.every_env_steps != Some(0), "evaluation.every_env_steps", 0, "at least 1")?;
        if let Some(stop) = evaluation.stop_early {
            let (key, confirm) = ("evaluation.stop_early.confirm_episodes", stop.confirm_episodes);
            check(confirm <= 10_000, key, confirm, "0 to 10000")?;
            check(
                stop.min_return.is_finite(),
                "evaluation.stop_early.min_return",
                stop.min_return,
                "a number",
            )?;
            let every = evaluation.every_env_steps;
            if every.is_none() {
                let message = "stopping early needs evaluations while training: set it, or set \
                               evaluation.stop_early=off";
                return Err(ConfigError::new("evaluation.every_env_steps", message));
            }
        }
        if evaluation.final_policy == FinalPolicy::Best && evaluation.every_env_steps.is_none() {
            let message = "found best, which needs evaluation.every_env_steps: \
                           without evaluations while training no policy is known to be the best";
            return Err(ConfigError::new("evaluation.final_policy", message));
        }
        let recorded = self.recording.episodes;
        check(recorded <= 1000, "recording.episodes", recorded, "0 to 1000")
    }
}

/// The numbers of a schedule that are values or multiply them, each with what its key ends in.
fn numbers_of(schedule: Schedule) -> Vec<(&'static str, f64)> {
    match schedule {
        Schedule::Constant { value } => vec![("", value)],
        Schedule::Linear { from, to, .. }
        | Schedule::LinearInGradientSteps { from, to, .. }
        | Schedule::Cosine { from, to, .. }
        | Schedule::CosineInGradientSteps { from, to, .. } => vec![(".from", from), (".to", to)],
        Schedule::ExponentialPerEpisode { from, factor, floor }
        | Schedule::ExponentialPerEnvStep { from, factor, floor }
        | Schedule::ExponentialPerGradientStep { from, factor, floor } => {
            vec![(".from", from), (".factor", factor), (".floor", floor)]
        }
        _ => vec![],
    }
}

/// Whether a schedule never leaves 0.
pub(super) fn is_always_zero(schedule: Schedule) -> bool {
    let numbers = numbers_of(schedule);
    !numbers.is_empty() && numbers.iter().all(|(name, value)| *name == ".factor" || *value == 0.0)
}

/// A setting of a part below the key `table` that is out of range.
pub(super) fn setting_error(table: &str, error: &SettingError) -> ConfigError {
    let message = format!("found {}, allowed is {}", error.found, error.allowed);
    ConfigError::new(format!("{table}.{}", error.setting), message)
}

/// Refuses a schedule that leaves 0 to 1.
pub(super) fn check_shares(key: &str, schedule: Schedule) -> Result<(), ConfigError> {
    for (name, value) in numbers_of(schedule) {
        check((0.0..=1.0).contains(&value), &format!("{key}{name}"), value, "0 to 1")?;
    }
    Ok(())
}

fn check_learning_rate(schedule: Schedule) -> Result<(), ConfigError> {
    for (name, value) in numbers_of(schedule) {
        // What the engines compute with.
        let single = value as f32;
        let (holds, allowed) = match name {
            ".factor" => (value > 0.0 && value <= 1.0, "above 0, up to 1"),
            ".to" | ".floor" => (value >= 0.0 && single.is_finite(), "0 or a positive number"),
            _ => (single > 0.0 && single.is_finite(), "a positive number"),
        };
        check(holds, &format!("learning.learning_rate{name}"), value, allowed)?;
    }
    Ok(())
}

pub(super) fn check_period(period: Period, key: &str) -> Result<(), ConfigError> {
    check(period.every() >= 1, &format!("{key}.every"), period.every(), "at least 1")?;
    let first = match period {
        Period::Episodes { first, .. } => first,
        _ => None,
    };
    check(first != Some(0), &format!("{key}.first"), 0, "at least 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the preset `default` is refused with settings changed, and why.
    fn refused(set: &[&str]) -> (String, String) {
        let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
        let error = Config::resolve("CartPole-v1", None, None, &set).unwrap_err();
        (error.place, error.message)
    }

    #[test]
    fn optimizers_out_of_range_are_named() {
        for (set, place, found) in [
            (r#"optimizer.beta1=1"#, "optimizer.beta1", "found 1, allowed is 0 up to, but not, 1"),
            (r#"optimizer={kind="adamw",weight_decay=-0.5}"#, "optimizer.weight_decay", "found -0.5"),
            (r#"optimizer={kind="radam",epsilon=0}"#, "optimizer.epsilon", "found 0, allowed is a positive"),
            (r#"optimizer={kind="rmsprop",momentum=1.5}"#, "optimizer.momentum", "found 1.5"),
            (r#"optimizer={kind="sgd",nesterov=true}"#, "optimizer.nesterov", "set momentum"),
        ] {
            let (at, message) = refused(&[set]);
            assert_eq!(at, place);
            assert!(message.contains(found), "{message}");
        }
    }

    #[test]
    fn learning_rates_out_of_range_are_named() {
        let key = "learning.learning_rate";
        for (value, place) in [
            ("0", key),
            ("-0.1", key),
            ("1e39", key),
            ("1e-50", key),
            ("nan", key),
            (r#"{kind="linear",from=0,to=0,env_steps=9}"#, "learning.learning_rate.from"),
            (r#"{kind="cosine",from=1,to=-1,env_steps=9}"#, "learning.learning_rate.to"),
            (r#"{kind="exponential-per-gradient-step",from=1,factor=1.1}"#, "learning.learning_rate.factor"),
        ] {
            assert_eq!(refused(&[&format!("{key}={value}")]).0, place, "{value}");
        }
        let (_, message) = refused(&["learning.learning_rate=high"]);
        assert!(message.contains("a number, or a schedule"), "{message}");
        let (_, message) = refused(&[r#"learning.learning_rate={kind="cosin",from=1,to=0,env_steps=9}"#]);
        assert!(message.contains("there is no value 'cosin' here"), "{message}");
        assert_eq!(refused(&["exploration.epsilon=1.5"]).0, "exploration.epsilon");
        let epsilon = r#"exploration.epsilon={kind="cosine",from=1,to=-0.5,env_steps=9}"#;
        assert_eq!(refused(&[epsilon]).0, "exploration.epsilon.to");
    }

    #[test]
    fn schedules_and_optimizers_come_back_from_toml() {
        let set = [
            r#"learning.learning_rate={kind="cosine-in-gradient-steps",from=1e-3,to=0,gradient_steps=500}"#,
            r#"optimizer={kind="rmsprop",alpha=0.95,epsilon=0.01,epsilon_inside_root=true,centered=true}"#,
            "exploration.epsilon=0.1",
        ]
        .map(str::to_owned);
        let (config, _) = Config::resolve("CartPole-v1", None, None, &set).unwrap();
        let text = config.to_toml();
        assert_eq!(Config::from_toml(&text, "config.toml").unwrap(), config);
        assert!(text.contains("alpha = 0.95\nepsilon = 0.01\n"), "{text}");
        assert!(text.contains("epsilon = 0.1\n"), "a constant is written as a number: {text}");
        let (config, _) = Config::resolve("CartPole-v1", None, None, &[]).unwrap();
        assert!(config.to_toml().contains("\nlearning_rate = 0.003\n"), "{}", config.to_toml());
    }

    #[test]
    fn the_best_policy_needs_evaluations_while_training() {
        let mut config = Config::preset("CartPole-v1", "default-fixed").unwrap();
        config.evaluation.final_policy = FinalPolicy::Best;
        assert_eq!(config.validate(), Ok(()));
        config.evaluation.every_env_steps = None;
        let error = config.validate().unwrap_err();
        assert_eq!(error.place, "evaluation.final_policy");
        assert!(error.message.contains("evaluation.every_env_steps"), "{error}");
    }
}
