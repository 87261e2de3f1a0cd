//! What others published for algorithms that we have as presets or recipes, and what counts as good without them.

use deepq::statistics::{self, StratifiedBootstrap};
use serde::Serialize;

/// What a seed's score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// The mean return of the policy the run ended with, greedy, in episodes that it has not seen.
    Greedy,
    /// The mean return of the last 100 episodes while training, as CleanRL publishes it.
    LastTrainingReturns,
}

/// Who published figures by one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publisher {
    pub(crate) heading: &'static str,
    pub(crate) protocol: Protocol,
}

/// docs.cleanrl.dev, rl-algorithms/dqn, c51 and pqn: the mean over seeds and its standard deviation, at the final
/// epsilon of 0.05.
pub(crate) const CLEANRL: Publisher = Publisher {
    heading: "CleanRL: returns of the last 100 episodes while training",
    protocol: Protocol::LastTrainingReturns,
};
/// Stable-Baselines3's zoo of settings, benchmark.md, one seed whose standard deviation is over episodes; and the
/// comparison of DQN with QR-DQN in SB3-contrib with the same settings, over several seeds.
pub(crate) const STABLE_BASELINES: Publisher = Publisher {
    heading: "Stable-Baselines3: returns of the greedy policy in episodes of their own",
    protocol: Protocol::Greedy,
};
/// Young & Tian 2019, arXiv 1903.03176: read off the plots of 30 runs.
pub(crate) const YOUNG_TIAN: Publisher = Publisher {
    heading: "Young & Tian (2019): returns while training, read off plots",
    protocol: Protocol::LastTrainingReturns,
};

/// A publisher's figures for one algorithm over so many seeds.
struct Source {
    publisher: Publisher,
    /// Who, and over how many seeds.
    name: &'static str,
    algorithm: &'static str,
    figures: &'static [Figure],
}

/// Environment, env steps, mean, and the spread that stands beside it.
type Figure = (&'static str, u64, f64, Option<f64>);

const SOURCES: &[Source] = &[
    Source {
        publisher: CLEANRL,
        name: "CleanRL, 3 seeds",
        algorithm: "dqn",
        figures: &[
            ("CartPole-v1", 500_000, 488.69, Some(16.11)),
            ("Acrobot-v1", 500_000, -91.54, Some(7.20)),
            ("MountainCar-v0", 500_000, -194.95, Some(8.48)),
        ],
    },
    Source {
        publisher: CLEANRL,
        name: "CleanRL, 3 seeds",
        algorithm: "c51",
        figures: &[
            ("CartPole-v1", 500_000, 481.20, Some(20.53)),
            ("Acrobot-v1", 500_000, -87.70, Some(5.52)),
            ("MountainCar-v0", 500_000, -166.38, Some(27.94)),
        ],
    },
    Source {
        publisher: CLEANRL,
        name: "CleanRL, 3 seeds",
        algorithm: "pqn",
        figures: &[
            ("CartPole-v1", 500_000, 495.13, Some(6.89)),
            ("Acrobot-v1", 500_000, -95.63, Some(5.73)),
            ("MountainCar-v0", 500_000, -200.0, Some(0.0)),
        ],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "rl-zoo3, 1 seed",
        algorithm: "dqn",
        figures: &[
            ("CartPole-v1", 50_000, 500.0, Some(0.0)),
            ("Acrobot-v1", 100_000, -76.64, Some(11.75)),
            ("MountainCar-v0", 120_000, -100.85, Some(9.93)),
        ],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "rl-zoo3, 1 seed, v2",
        algorithm: "dqn",
        figures: &[("LunarLander-v3", 100_000, 154.4, Some(79.2))],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "SB3-contrib, several seeds",
        algorithm: "dqn",
        figures: &[
            ("CartPole-v1", 50_000, 500.0, Some(0.0)),
            ("Acrobot-v1", 100_000, -74.0, Some(2.0)),
            ("MountainCar-v0", 120_000, -107.0, Some(4.0)),
        ],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "SB3-contrib, several seeds, v2",
        algorithm: "dqn",
        figures: &[("LunarLander-v3", 100_000, 195.0, Some(28.0))],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "rl-zoo3, 1 seed",
        algorithm: "qr-dqn",
        figures: &[
            ("CartPole-v1", 50_000, 500.0, Some(0.0)),
            ("Acrobot-v1", 100_000, -69.14, Some(9.97)),
            ("MountainCar-v0", 120_000, -106.04, Some(15.54)),
        ],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "rl-zoo3, 1 seed, v2",
        algorithm: "qr-dqn",
        figures: &[("LunarLander-v3", 100_000, 70.2, Some(225.5))],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "SB3-contrib, several seeds",
        algorithm: "qr-dqn",
        figures: &[
            ("CartPole-v1", 50_000, 386.0, Some(64.0)),
            ("Acrobot-v1", 100_000, -73.0, Some(2.0)),
            ("MountainCar-v0", 120_000, -111.0, Some(4.0)),
        ],
    },
    Source {
        publisher: STABLE_BASELINES,
        name: "SB3-contrib, several seeds, v2",
        algorithm: "qr-dqn",
        figures: &[("LunarLander-v3", 100_000, 168.0, Some(39.0))],
    },
    Source {
        publisher: YOUNG_TIAN,
        name: "Young & Tian, 30 seeds",
        algorithm: "dqn",
        figures: &[
            ("MinAtar/Asterix-v0", 5_000_000, 17.0, None),
            ("MinAtar/Breakout-v0", 5_000_000, 10.0, None),
            ("MinAtar/Freeway-v0", 5_000_000, 50.0, None),
            ("MinAtar/Seaquest-v0", 5_000_000, 20.0, None),
            ("MinAtar/SpaceInvaders-v0", 5_000_000, 45.0, None),
        ],
    },
];

/// A figure that somebody published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Published {
    /// Who, and over how many seeds.
    pub(crate) source: &'static str,
    pub(crate) algorithm: &'static str,
    pub(crate) env: &'static str,
    pub(crate) env_steps: u64,
    pub(crate) mean: f64,
    /// The standard deviation that stands beside it, over seeds, or over episodes where there was one seed. `None` for
    /// what is read off a plot.
    pub(crate) spread: Option<f64>,
}

/// All figures of a publisher.
pub(crate) fn figures_of(publisher: Publisher) -> impl Iterator<Item = Published> {
    let sources = SOURCES.iter().filter(move |source| source.publisher == publisher);
    sources.flat_map(|source| {
        source.figures.iter().map(|&(env, env_steps, mean, spread)| Published {
            source: source.name,
            algorithm: source.algorithm,
            env,
            env_steps,
            mean,
            spread,
        })
    })
}

/// Whose settings for DQN the preset `name` has.
fn publisher(name: &str) -> Option<Publisher> {
    match name {
        "cleanrl-dqn" => Some(CLEANRL),
        "sb3-dqn" => Some(STABLE_BASELINES),
        "young-tian-dqn" => Some(YOUNG_TIAN),
        _ => None,
    }
}

/// How a seed of the preset `name` is scored.
pub(super) fn protocol(name: &str) -> Protocol {
    publisher(name).map_or(Protocol::Greedy, |publisher| publisher.protocol)
}

/// The figures published for a preset.
pub(super) fn published(env: &str, name: &str) -> Vec<Published> {
    let figures = publisher(name).into_iter().flat_map(figures_of);
    figures.filter(|figure| figure.env == env && figure.algorithm == "dqn").collect()
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

/// Where a score lies by a published figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    Below,
    Within,
    Above,
}

impl Published {
    /// Where the mean of seeds lies by the interval `mean ± spread`. A figure without a spread is compared with the
    /// 95 % interval of our mean.
    pub(crate) fn place(&self, scores: &[f64]) -> Place {
        let score = statistics::mean(scores).unwrap_or(f64::NAN);
        let spread = || {
            let interval = StratifiedBootstrap::default().interval(&[scores], statistics::mean);
            let (low, high) = interval.unwrap_or((score, score));
            if score < self.mean { high - score } else { score - low }
        };
        let spread = self.spread.unwrap_or_else(spread);
        match score - self.mean {
            difference if difference > spread => Place::Above,
            // A score that is no number is below all.
            difference if difference >= -spread => Place::Within,
            _ => Place::Below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(mean: f64, spread: Option<f64>) -> Published {
        Published { source: "", algorithm: "", env: "", env_steps: 1, mean, spread }
    }

    #[test]
    fn a_score_lies_below_within_or_above() {
        let figure = figure(-90.0, Some(5.0));
        for (score, place) in [
            (-95.1, Place::Below),
            (-95.0, Place::Within),
            (-85.0, Place::Within),
            (-84.9, Place::Above),
            (f64::NAN, Place::Below),
        ] {
            assert_eq!(figure.place(&[score, score]), place, "{score}");
        }
    }

    /// The interval of these seeds' mean is longer above the mean than below it: the side that faces the figure counts.
    #[test]
    fn a_figure_without_a_spread_is_held_against_our_interval() {
        let scores = [8.0, 9.0, 10.0, 14.0];
        let (low, high) = StratifiedBootstrap::default().interval(&[scores], statistics::mean).unwrap();
        assert!(10.25 - low + 0.2 < high - 10.25, "{low} {high}");
        for (mean, place) in [
            (low - 0.1, Place::Above),
            (low + 0.1, Place::Within),
            (high - 0.1, Place::Within),
            (high + 0.1, Place::Below),
        ] {
            assert_eq!(figure(mean, None).place(&scores), place, "{mean} in {low} to {high}");
        }
        assert_eq!(figure(10.0, None).place(&[9.0]), Place::Below, "one seed has no interval");
    }

    #[test]
    fn every_published_figure_is_of_a_recipe_and_an_environment_that_are_there() {
        let mut seen = vec![];
        for publisher in [CLEANRL, STABLE_BASELINES, YOUNG_TIAN] {
            for figure in figures_of(publisher) {
                deepq::Config::resolve(figure.env, None, Some(figure.algorithm), &[]).unwrap();
                let key = (figure.source, figure.env, figure.algorithm);
                assert!(!seen.contains(&key), "{key:?} is there twice");
                seen.push(key);
            }
        }
        assert_eq!(seen.len(), 30);
    }

    #[test]
    fn presets_of_published_settings_have_the_figures() {
        for preset in deepq::config::presets() {
            let Some(env) = preset.env.filter(|_| publisher(preset.name).is_some()) else { continue };
            let figures = published(env, preset.name);
            assert!(!figures.is_empty(), "{env}/{}", preset.name);
        }
        let zoo: Vec<_> = published("Acrobot-v1", "sb3-dqn").iter().map(|f| (f.mean, f.spread)).collect();
        assert_eq!(zoo, [(-76.64, Some(11.75)), (-74.0, Some(2.0))]);
        assert_eq!(published("CartPole-v1", "default"), []);
        assert_eq!(published("CartPole-v1", "dqn"), [], "a recipe has not the published settings");
    }
}
