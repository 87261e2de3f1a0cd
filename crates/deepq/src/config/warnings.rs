//! What is allowed, and yet hardly meant.

use deepq_core::{ExplorationPolicy, Schedule};

use super::Config;

impl Config {
    /// What is allowed, and yet hardly what was meant: a sentence for each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = vec![];
        if self.explores_nothing() {
            warnings.push(format!(
                "exploration.epsilon is 0 and no layer is noisy, so that after exploration.random_env_steps = {} \
                 every action is greedy; exploration.epsilon=0.05 or network.noisy=0.5 would explore",
                self.exploration.random_env_steps
            ));
        }
        warnings
    }

    fn explores_nothing(&self) -> bool {
        let exploration = self.exploration;
        let never = match exploration.epsilon {
            Schedule::Constant { value } => value == 0.0,
            Schedule::Linear { from, to, .. } => from == 0.0 && to == 0.0,
            _ => false,
        };
        let by_chance = !matches!(exploration.policy, ExplorationPolicy::Softmax { .. });
        never && by_chance && !self.network.traits().noisy
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
        for (algo, set) in [
            ("rainbow", &["network.noisy=off"][..]),
            ("dqn", &["exploration.epsilon=0"]),
            ("dqn", &["exploration.epsilon={ kind = \"linear\", from = 0, to = 0.0, env_steps = 5 }"]),
        ] {
            let warnings = warned(algo, set);
            assert!(warnings.len() == 1 && warnings[0].contains("every action is greedy"), "{warnings:?}");
        }
    }

    #[test]
    fn no_recipe_as_it_stands_is_warned_of() {
        let softmax = "exploration.policy={ kind = \"softmax\", temperature = 1.0 }";
        assert!(warned("dqn", &["exploration.epsilon=0", softmax]).is_empty());
        for algo in crate::config::algorithms() {
            assert!(warned(algo.name, &[]).is_empty(), "{}", algo.name);
        }
    }
}
