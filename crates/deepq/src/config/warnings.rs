//! What is allowed, and yet hardly meant.

use deepq_core::{ExplorationPolicy, Schedule};
use deepq_envs::wrappers::WrapperConfig;

use super::validate::is_always_zero;
use super::{Config, NetworkConfig};

impl Config {
    /// What is allowed, and yet hardly what was meant: a sentence for each.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = [
            self.no_exploration(),
            self.no_learning(),
            self.no_learning_rate(),
            self.no_hidden_layer(),
            self.other_discount(),
            self.ladder_over_one_copy(),
        ];
        warnings.into_iter().flatten().collect()
    }

    /// Parts that stand behind a hidden layer, where there is none.
    fn no_hidden_layer(&self) -> Option<String> {
        let NetworkConfig::Hidden { hidden, extras, .. } = &self.network else { return None };
        let what = match (hidden.is_empty(), extras.layer_norm, self.head().takes_fractions()) {
            (true, true, _) => "network.layer_norm has no layer to normalise",
            (true, _, true) => {
                "the embedding of fractions takes the place of features that all actions share"
            }
            _ => return None,
        };
        Some(format!("network.hidden is empty, so that {what}; --set network.hidden=[64] gives it one"))
    }

    /// Rewards that are divided by the deviation of another return than the one that is learned.
    fn other_discount(&self) -> Option<String> {
        let learned = self.learning.gamma;
        self.env.wrappers.iter().enumerate().find_map(|(place, wrapper)| match wrapper {
            WrapperConfig::NormalizeReward { gamma, .. } if *gamma != learned => Some(format!(
                "rewards are normalised by returns with another discount than the one that is learned: \
                 env.wrappers.{place}.gamma = {gamma}, learning.gamma = {learned}; \
                 --set env.wrappers.{place}.gamma={learned} makes them one"
            )),
            _ => None,
        })
    }

    /// A ladder over the copies of the environment, where there is a single one.
    fn ladder_over_one_copy(&self) -> Option<String> {
        let is_ladder =
            matches!(self.exploration.policy, ExplorationPolicy::EpsilonGreedy { ladder: Some(_) });
        (is_ladder && self.env.copies == 1).then(|| {
            "exploration.policy.ladder gives each copy of the environment an epsilon of its own, and there is one copy: \
             --set env.copies=8 makes eight"
                .to_owned()
        })
    }

    fn no_exploration(&self) -> Option<String> {
        let exploration = self.exploration;
        let (key, is_greedy) = match exploration.policy {
            // With probability epsilon it draws uniformly all the same.
            ExplorationPolicy::Softmax { temperature } => (
                "exploration.policy.temperature",
                is_always_zero(temperature) && is_always_zero(exploration.epsilon),
            ),
            _ => ("exploration.epsilon", is_always_zero(exploration.epsilon)),
        };
        let random = exploration.random_env_steps;
        let all_random = self.stop.env_steps.is_some_and(|env_steps| env_steps <= random);
        if !is_greedy || all_random || self.network.traits().noisy {
            return None;
        }
        let noise = match self.network {
            NetworkConfig::Layers { .. } => "a layer of the kind noisy-linear",
            _ => "network.noisy=0.5",
        };
        Some(format!(
            "{key} is 0 and no layer is noisy, so that after exploration.random_env_steps = {random} every action \
             is greedy; {key}=0.05 or {noise} would explore"
        ))
    }

    /// A run that ends before the first gradient step.
    fn no_learning(&self) -> Option<String> {
        let copies = self.env.copies as u64;
        // All copies step at once: a run may go on beyond its end for that.
        let env_steps = self.stop.env_steps?;
        let made = env_steps.checked_next_multiple_of(copies.max(1))?;
        let (needed, why) = match (self.rollout, self.streaming) {
            (Some(rollout), _) => {
                let steps = rollout.steps as u64;
                (steps * copies, format!("a rollout of rollout.steps = {steps} in env.copies = {copies}"))
            }
            (None, Some(_)) => return None,
            (None, None) => {
                let start = self.learning.start_env_steps.unwrap_or(0);
                let every = self.learning.every_env_steps.unwrap_or(1).max(1);
                let why =
                    format!("learning.start_env_steps = {start} and learning.every_env_steps = {every}");
                (start.max(1).checked_next_multiple_of(every)?, why)
            }
        };
        (made < needed).then(|| {
            format!("nothing is learned in stop.env_steps = {env_steps}: learning begins after {needed}, with {why}")
        })
    }

    /// A run that goes on after its learning rate has come to 0.
    fn no_learning_rate(&self) -> Option<String> {
        let (to, ended) = match self.learning.learning_rate {
            Schedule::Linear { to, env_steps, .. } | Schedule::Cosine { to, env_steps, .. } => {
                (to, env_steps)
            }
            _ => return None,
        };
        let env_steps = self.stop.env_steps.filter(|env_steps| to == 0.0 && *env_steps > ended)?;
        Some(format!(
            "nothing is learned after {ended} of stop.env_steps = {env_steps}: there learning.learning_rate comes to 0; \
             --set learning.learning_rate.env_steps={env_steps} lets it fall over the whole run"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(algo: &str, set: &[&str]) -> Vec<String> {
        let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
        Config::resolve("CartPole-v1", None, Some(algo), &set).unwrap().0.warnings()
    }

    #[test]
    fn a_run_that_would_explore_nothing_is_told_of() {
        for (algo, set, advice) in [
            ("rainbow", &["network.noisy=off"][..], "network.noisy=0.5"),
            ("dqn", &["exploration.epsilon=0"], "exploration.epsilon=0.05"),
            (
                "dqn",
                &["exploration.epsilon={ kind = \"cosine\", from = 0, to = 0.0, env_steps = 5 }"],
                "exploration.epsilon=0.05",
            ),
            (
                "dqn",
                &["exploration.policy={ kind = \"softmax\", temperature = 0 }", "exploration.epsilon=0"],
                "exploration.policy.temperature=0.05",
            ),
            ("stream-q", &["exploration.epsilon=0"], "noisy-linear"),
        ] {
            let warnings = warned(algo, set);
            assert!(warnings.len() == 1 && warnings[0].contains("every action is greedy"), "{warnings:?}");
            assert!(warnings[0].contains(advice), "{warnings:?}");
        }
    }

    #[test]
    fn a_run_that_would_learn_nothing_is_told_of() {
        let warnings = warned("pqn", &["stop={env_steps=600}"]);
        assert!(warnings.len() == 1 && warnings[0].contains("learning begins after 2048"), "{warnings:?}");
        assert!(warnings[0].contains("stop.env_steps = 600:"), "as it was set, though 32 copies make it 608");
        let warnings = warned("dqn", &["learning.start_env_steps=1e6"]);
        assert!(warnings.len() == 1 && warnings[0].contains("start_env_steps = 1000000"), "{warnings:?}");
        assert!(warned("stream-q", &["stop={env_steps=10}"]).is_empty());
        // The first multiple of every_env_steps from the start on.
        let late =
            ["learning.start_env_steps=1000", "learning.every_env_steps=2000", "stop={env_steps=1500}"];
        assert!(warned("dqn", &late)[0].contains("learning begins after 2000"));
        // 128 copies step at once, which takes the run from 3,968 to 4,096.
        let beyond = [
            "env.copies=128",
            "rollout={steps=32,minibatches=4,epochs=1,lambda=0.5}",
            "stop={env_steps=4000}",
        ];
        assert_eq!(warned("pqn", &beyond), Vec::<String>::new());
    }

    #[test]
    fn a_run_longer_than_its_learning_rate_is_told_of() {
        let warnings = warned("pqn", &["stop={env_steps=2e6}"]);
        assert!(
            warnings.len() == 1 && warnings[0].contains("after 500000 of stop.env_steps = 2000000"),
            "{warnings:?}"
        );
        assert!(warned("pqn", &["stop={env_steps=2e6}", "learning.learning_rate.env_steps=2e6"]).is_empty());
        assert!(warned("pqn", &["stop={env_steps=4e5}"]).is_empty());
    }

    #[test]
    fn no_recipe_as_it_stands_is_warned_of() {
        let softmax = "exploration.policy={ kind = \"softmax\", temperature = 1.0 }";
        assert!(warned("dqn", &["exploration.epsilon=0", softmax]).is_empty());
        let cold = "exploration.policy={ kind = \"softmax\", temperature = 0 }";
        assert!(warned("dqn", &[cold]).is_empty(), "epsilon explores");
        assert!(warned("dqn", &["exploration.epsilon=0", "exploration.random_env_steps=1e6"]).is_empty());
        for algo in crate::config::algorithms() {
            for (env, _) in deepq_envs::Registry::builtin().ids() {
                let (config, _) = Config::resolve(env, None, Some(algo.name), &[]).unwrap();
                assert_eq!(config.warnings(), Vec::<String>::new(), "{} in {env}", algo.name);
            }
        }
    }

    #[test]
    fn a_ladder_over_one_copy_is_told_of() {
        let ladder = "exploration.policy={ kind = \"epsilon-greedy\", ladder = 7 }";
        let warnings = warned("dqn", &[ladder]);
        assert!(warnings.len() == 1 && warnings[0].contains("there is one copy"), "{warnings:?}");
        assert_eq!(warned("dqn", &[ladder, "env.copies=8"]), Vec::<String>::new());
    }

    #[test]
    fn parts_without_a_hidden_layer_are_told_of() {
        for (algo, told) in [("pqn", "no layer to normalise"), ("iqn", "embedding of fractions")] {
            let warnings = warned(algo, &["network.hidden=[]"]);
            assert!(warnings.len() == 1 && warnings[0].contains(told), "{warnings:?}");
        }
        assert!(warned("dueling-dqn", &["network.hidden=[]"]).is_empty());
    }

    #[test]
    fn rewards_normalised_by_another_discount_are_told_of() {
        let warnings = warned("stream-q", &["learning.gamma=0.9"]);
        assert!(
            warnings.len() == 1 && warnings[0].contains("--set env.wrappers.1.gamma=0.9"),
            "{warnings:?}"
        );
        assert!(warned("stream-q", &["learning.gamma=0.9", "env.wrappers.1.gamma=0.9"]).is_empty());
    }
}
