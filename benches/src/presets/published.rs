//! What others published for the recipes that we have as presets, and what counts as good without them.

use serde::Serialize;

/// What a seed's score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    /// The mean return of the policy the run ended with, greedy, in episodes that it has not seen.
    Greedy,
    /// The mean return of the last 100 episodes while training, as CleanRL publishes it.
    LastTrainingReturns,
}

/// How a seed of the preset `name` is scored.
pub(super) fn protocol(name: &str) -> Protocol {
    match name {
        "cleanrl-dqn" | "young-tian-dqn" => Protocol::LastTrainingReturns,
        _ => Protocol::Greedy,
    }
}

/// A figure that somebody published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Published {
    /// Who, and over how many seeds.
    pub(super) source: &'static str,
    pub(super) mean: f64,
    /// The standard deviation that stands beside it, over seeds, or over episodes where there was one seed.
    pub(super) spread: f64,
}

const CLEANRL: &str = "CleanRL, 3 seeds";
const ZOO: &str = "rl-zoo3, 1 seed";
const CONTRIB: &str = "SB3-contrib, several seeds";
const ZOO_V2: &str = "rl-zoo3, 1 seed, v2";
const CONTRIB_V2: &str = "SB3-contrib, several seeds, v2";

/// Source, mean and spread.
type Figure = (&'static str, f64, f64);

const PUBLISHED: &[(&str, &str, &[Figure])] = &[
    ("CartPole-v1", "cleanrl-dqn", &[(CLEANRL, 488.69, 16.11)]),
    ("Acrobot-v1", "cleanrl-dqn", &[(CLEANRL, -91.54, 7.20)]),
    ("MountainCar-v0", "cleanrl-dqn", &[(CLEANRL, -194.95, 8.48)]),
    ("CartPole-v1", "sb3-dqn", &[(ZOO, 500.0, 0.0), (CONTRIB, 500.0, 0.0)]),
    ("Acrobot-v1", "sb3-dqn", &[(ZOO, -76.64, 11.75), (CONTRIB, -74.0, 2.0)]),
    ("MountainCar-v0", "sb3-dqn", &[(ZOO, -100.85, 9.93), (CONTRIB, -107.0, 4.0)]),
    ("LunarLander-v3", "sb3-dqn", &[(ZOO_V2, 154.4, 79.2), (CONTRIB_V2, 195.0, 28.0)]),
];

/// The figures published for a preset.
pub(super) fn published(env: &str, name: &str) -> Vec<Published> {
    let of_preset = PUBLISHED.iter().find(|(of, preset, _)| (*of, *preset) == (env, name));
    let figures = of_preset.map_or(&[][..], |(.., figures)| figures);
    figures.iter().map(|&(source, mean, spread)| Published { source, mean, spread }).collect()
}

/// The best expected return of any policy that sees what ours see, where it can be computed: by value iteration on
/// Gymnasium's tables of transitions and within its limits, for Blackjack from the rules
/// (`benches/peers/toy_text_optima.py`).
pub(crate) fn optimum(env: &str) -> Option<f64> {
    Some(match env {
        "FrozenLake-v1" => 0.7402,
        "FrozenLake8x8-v1" => 0.8857,
        "CliffWalking-v1" => -13.0,
        "CliffWalkingSlippery-v1" => -64.71,
        "Taxi-v4" => 7.93,
        "Blackjack-v1" => -0.0466,
        _ => return None,
    })
}

/// Where a score lies by the interval `mean ± spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    Below,
    Within,
    Above,
}

impl Published {
    pub(super) fn place(&self, score: f64) -> Place {
        match score - self.mean {
            difference if difference > self.spread => Place::Above,
            // A score that is no number is below all.
            difference if difference >= -self.spread => Place::Within,
            _ => Place::Below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_lies_below_within_or_above() {
        let figure = Published { source: "", mean: -90.0, spread: 5.0 };
        for (score, place) in [
            (-95.1, Place::Below),
            (-95.0, Place::Within),
            (-85.0, Place::Within),
            (-84.9, Place::Above),
            (f64::NAN, Place::Below),
        ] {
            assert_eq!(figure.place(score), place, "{score}");
        }
    }

    #[test]
    fn every_published_figure_is_of_a_preset_that_is_there() {
        for (env, name, figures) in PUBLISHED {
            deepq::Config::preset(env, name).unwrap();
            assert_eq!(published(env, name).len(), figures.len());
            assert!(!figures.is_empty());
        }
        assert_eq!(published("CartPole-v1", "default"), []);
    }
}
