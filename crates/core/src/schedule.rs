//! Values that change while a run goes on, and periods after which something happens again.

use serde::{Deserialize, Serialize};

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps taken, over all environments.
    pub env_steps: u64,
    /// Steps of the optimiser.
    pub gradient_steps: u64,
    /// Episodes that ended.
    pub episodes: u64,
}

/// A value over time. Each names the unit it counts in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same.
    Constant {
        /// The value.
        value: f64,
    },
    /// From one value to another in a straight line, then that other one.
    Linear {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
        /// After how many env steps the end is reached.
        env_steps: u64,
    },
    /// `from · factor^episodes`, but not below `floor`.
    ExponentialPerEpisode {
        /// The value before the first episode has ended.
        from: f64,
        /// What the value is multiplied by at the end of each episode.
        factor: f64,
        /// The least value.
        floor: f64,
    },
}

impl Schedule {
    /// The value now.
    pub fn at(&self, progress: Progress) -> f64 {
        match *self {
            Self::Constant { value } => value,
            Self::Linear { to, env_steps, .. } if progress.env_steps >= env_steps => to,
            Self::Linear { from, to, env_steps } => {
                from + (to - from) * (progress.env_steps as f64 / env_steps as f64)
            }
            Self::ExponentialPerEpisode { from, factor, floor } => {
                (from * power(factor, progress.episodes)).max(floor)
            }
        }
    }
}

/// `base^exponent` by squaring: the same bits everywhere, which `powi` does not promise.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    result
}

/// Every how many of which unit something happens. What happens every 0 never happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Period {
    /// Counted in env steps, over all environments.
    EnvSteps {
        /// How many.
        every: u64,
    },
    /// Counted in steps of the optimiser.
    GradientSteps {
        /// How many.
        every: u64,
    },
    /// Counted in episodes that ended.
    Episodes {
        /// How many.
        every: u64,
        /// After which episode it happens for the first time; `every` where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
    },
}

impl Period {
    /// How many.
    pub fn every(&self) -> u64 {
        match *self {
            Self::EnvSteps { every } | Self::GradientSteps { every } | Self::Episodes { every, .. } => every,
        }
    }

    /// How often it has happened by now.
    pub fn times(&self, progress: Progress) -> u64 {
        let times = |count: u64, every: u64, first: u64| match count.checked_sub(first) {
            Some(beyond) => beyond.checked_div(every).map_or(0, |times| times + 1),
            None => 0,
        };
        match *self {
            Self::EnvSteps { every } => times(progress.env_steps, every, every),
            Self::GradientSteps { every } => times(progress.gradient_steps, every, every),
            Self::Episodes { every, first } => times(progress.episodes, every, first.unwrap_or(every)),
        }
    }

    /// True where it happens between two points of a run, the second included.
    pub fn passed(&self, before: Progress, now: Progress) -> bool {
        self.times(now) > self.times(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(env_steps: u64, episodes: u64) -> Progress {
        Progress { env_steps, episodes, gradient_steps: 0 }
    }

    #[test]
    fn schedules_reach_their_ends_and_stay() {
        let linear = Schedule::Linear { from: 1.0, to: 0.05, env_steps: 100 };
        assert_eq!([0, 50, 100, 101].map(|steps| linear.at(after(steps, 0))), [1.0, 0.525, 0.05, 0.05]);
        let at_once = Schedule::Linear { from: 1.0, to: 0.5, env_steps: 0 };
        assert_eq!(at_once.at(after(0, 0)), 0.5);
        let decay = Schedule::ExponentialPerEpisode { from: 1.0, factor: 0.995, floor: 0.01 };
        assert_eq!(decay.at(after(999, 0)), 1.0);
        assert!((decay.at(after(0, 500)) - 0.0816).abs() < 1e-4, "the tutorial's floor is never reached");
        assert_eq!(decay.at(after(0, 5000)), 0.01);
    }

    #[test]
    fn what_happens_every_0_never_happens() {
        let now = Progress { env_steps: 7, gradient_steps: 7, episodes: 7 };
        for period in [
            Period::EnvSteps { every: 0 },
            Period::GradientSteps { every: 0 },
            Period::Episodes { every: 0, first: None },
            Period::Episodes { every: 0, first: Some(1) },
        ] {
            assert_eq!(period.times(now), 0, "{period:?}");
            assert!(!period.passed(Progress::default(), now), "{period:?}");
        }
    }

    /// Row 12 of the correctness table: a period names its unit and means it with several environments too.
    #[test]
    fn periods_count_their_own_unit() {
        let every_10 = Period::EnvSteps { every: 10 };
        assert!(!every_10.passed(after(0, 0), after(9, 5)));
        assert!(every_10.passed(after(9, 0), after(10, 0)));
        assert!(every_10.passed(after(8, 0), after(16, 0)), "8 environments step over the multiple of 10");
        assert_eq!(every_10.times(after(64, 0)), 6);
        let tutorial = Period::Episodes { every: 10, first: Some(1) };
        let updates: Vec<u64> = (1..=31).filter(|e| tutorial.passed(after(0, e - 1), after(0, *e))).collect();
        assert_eq!(updates, [1, 11, 21, 31]);
        let plain = Period::Episodes { every: 10, first: None };
        assert!(!plain.passed(after(0, 0), after(0, 1)) && plain.passed(after(0, 9), after(0, 10)));
    }
}
