//! Values that change while a run goes on, and periods after which something happens again.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
///
/// In files a plain number stands for [`Constant`](Self::Constant): `0.001` and
/// `{ kind = "constant", value = 0.001 }` are the same, and the number is what is written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields, remote = "Self")]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same.
    Constant {
        /// The value.
        value: f64,
    },
    /// From one value to another in a straight line over env steps, then that other one.
    Linear {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
        /// After how many env steps the end is reached.
        env_steps: u64,
    },
    /// From one value to another in a straight line over gradient steps, then that other one: PyTorch's
    /// `LinearLR`.
    LinearInGradientSteps {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
        /// After how many gradient steps the end is reached.
        gradient_steps: u64,
    },
    /// `from · factor^episodes`, but not below `floor`.
    ExponentialPerEpisode {
        /// The value before the first episode has ended.
        from: f64,
        /// What the value is multiplied by at the end of each episode.
        factor: f64,
        /// The least value.
        #[serde(default)]
        floor: f64,
    },
    /// `from · factor^env_steps`, but not below `floor`.
    ExponentialPerEnvStep {
        /// The value before the first env step.
        from: f64,
        /// What the value is multiplied by after each env step.
        factor: f64,
        /// The least value.
        #[serde(default)]
        floor: f64,
    },
    /// `from · factor^gradient_steps`, but not below `floor`: PyTorch's `ExponentialLR`.
    ExponentialPerGradientStep {
        /// The value of the first gradient step.
        from: f64,
        /// What the value is multiplied by after each gradient step.
        factor: f64,
        /// The least value.
        #[serde(default)]
        floor: f64,
    },
    /// From one value to another along half a cosine over env steps (Loshchilov & Hutter 2017), then that other
    /// one.
    Cosine {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
        /// After how many env steps the end is reached.
        env_steps: u64,
    },
    /// From one value to another along half a cosine over gradient steps, then that other one: PyTorch's
    /// `CosineAnnealingLR` up to its `T_max`, from where on that one would rise again.
    CosineInGradientSteps {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
        /// After how many gradient steps the end is reached.
        gradient_steps: u64,
    },
}

impl Schedule {
    /// The value now.
    pub fn at(&self, progress: Progress) -> f64 {
        let Progress { env_steps: env, gradient_steps: gradient, episodes } = progress;
        match *self {
            Self::Constant { value } => value,
            Self::Linear { from, to, env_steps } => line(from, to, env, env_steps),
            Self::LinearInGradientSteps { from, to, gradient_steps } => {
                line(from, to, gradient, gradient_steps)
            }
            Self::ExponentialPerEpisode { from, factor, floor } => {
                (from * power(factor, episodes)).max(floor)
            }
            Self::ExponentialPerEnvStep { from, factor, floor } => (from * power(factor, env)).max(floor),
            Self::ExponentialPerGradientStep { from, factor, floor } => {
                (from * power(factor, gradient)).max(floor)
            }
            Self::Cosine { from, to, env_steps } => half_cosine(from, to, env, env_steps),
            Self::CosineInGradientSteps { from, to, gradient_steps } => {
                half_cosine(from, to, gradient, gradient_steps)
            }
        }
    }
}

/// How far `from` has come to `to` in a straight line after `steps` of `of` steps.
fn line(from: f64, to: f64, steps: u64, of: u64) -> f64 {
    if steps >= of { to } else { from + (to - from) * (steps as f64 / of as f64) }
}

/// How far `from` has come to `to` along half a cosine after `steps` of `of` steps.
fn half_cosine(from: f64, to: f64, steps: u64, of: u64) -> f64 {
    if steps >= of {
        return to;
    }
    let share = steps as f64 / of as f64;
    // (1 + cos πx)/2 is cos²(πx/2), from the side on which the sine's angle is small.
    match share <= 0.5 {
        true => from + (to - from) * squared_sine(share),
        false => to + (from - to) * squared_sine(1.0 - share),
    }
}

/// sin²(πx/2) for x of 0 to ½, to the precision of `f64`, in an order of operations that is the same everywhere:
/// what the standard library's functions do not promise.
fn squared_sine(x: f64) -> f64 {
    let angle = std::f64::consts::FRAC_PI_2 * x;
    let square = angle * angle;
    // Taylor's series; the first term left out is below 5e-17.
    let series =
        [14.0 * 15.0, 12.0 * 13.0, 10.0 * 11.0, 8.0 * 9.0, 6.0 * 7.0, 4.0 * 5.0, 2.0 * 3.0].into_iter();
    let sine = angle * series.fold(1.0, |sum, by| 1.0 - sum * square / by);
    sine * sine
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Constant { value } => serializer.serialize_f64(value),
            // The derived one, which `remote` makes an associated function.
            _ => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScheduleVisitor)
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = Schedule;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a number, or a schedule such as { kind = \"linear\", from, to, env_steps }")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Schedule, E> {
        Ok(Schedule::Constant { value })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Schedule, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Schedule, E> {
        self.visit_f64(value as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
        Schedule::deserialize(MapAccessDeserializer::new(map))
    }
}

/// `base` to the power of `exponent` by repeated squaring: the same bits on every machine, which the standard
/// library's `powi` does not promise.
pub fn power(mut base: f64, mut exponent: u64) -> f64 {
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
    fn each_schedule_counts_its_own_unit() {
        let now = Progress { env_steps: 30, gradient_steps: 10, episodes: 2 };
        let (from, to, factor, floor) = (1.0, 0.5, 0.5, 0.0);
        for (schedule, expected) in [
            (Schedule::Linear { from, to, env_steps: 100 }, 0.85),
            (Schedule::LinearInGradientSteps { from, to, gradient_steps: 100 }, 0.95),
            (Schedule::ExponentialPerEpisode { from, factor, floor }, 0.25),
            (Schedule::ExponentialPerEnvStep { from, factor, floor }, 0.5f64.powi(30)),
            (Schedule::ExponentialPerGradientStep { from, factor, floor }, 0.5f64.powi(10)),
            (Schedule::Cosine { from, to, env_steps: 60 }, 0.75),
            (Schedule::CosineInGradientSteps { from, to, gradient_steps: 20 }, 0.75),
        ] {
            assert!((schedule.at(now) - expected).abs() < 1e-15, "{schedule:?}: {}", schedule.at(now));
            let far = Progress { env_steps: 1 << 40, gradient_steps: 1 << 40, episodes: 1 << 40 };
            let (first, last) = (schedule.at(Progress::default()), schedule.at(far));
            assert_eq!(first, from, "{schedule:?}");
            assert_eq!(last, if expected < 0.5 { floor } else { to }, "{schedule:?}");
        }
        let held = Schedule::ExponentialPerGradientStep { from, factor, floor: 0.125 };
        assert_eq!(held.at(now), 0.125);
    }

    #[test]
    fn half_a_cosine_is_the_cosine() {
        let of = 1000;
        for steps in 0..=of {
            let angle = std::f64::consts::PI * steps as f64 / of as f64;
            let expected = 0.25 + 0.75 * (1.0 + angle.cos()) / 2.0;
            let found = half_cosine(1.0, 0.25, steps, of);
            assert!((found - expected).abs() < 5e-16, "step {steps}: {found} and {expected}");
        }
        assert_eq!(half_cosine(1.0, 0.25, 0, 0), 0.25);
        let falls = |steps: u64| half_cosine(1.0, 0.0, steps, of) > half_cosine(1.0, 0.0, steps + 1, of);
        assert!((0..of).all(falls));
    }

    #[test]
    fn a_plain_number_is_a_constant() {
        for (json, value) in [("0.25", 0.25), ("2", 2.0), ("-3", -3.0)] {
            let schedule: Schedule = serde_json::from_str(json).unwrap();
            assert_eq!(schedule, Schedule::Constant { value });
        }
        let constant = Schedule::Constant { value: 0.001 };
        assert_eq!(serde_json::to_string(&constant).unwrap(), "0.001");
        let table = r#"{"kind":"constant","value":0.001}"#;
        assert_eq!(serde_json::from_str::<Schedule>(table).unwrap(), constant);
        for table in [
            r#"{"kind":"cosine","from":1.0,"to":0.0,"env_steps":5}"#,
            r#"{"kind":"linear-in-gradient-steps","from":1.0,"to":0.0,"gradient_steps":5}"#,
            r#"{"kind":"exponential-per-env-step","from":1.0,"factor":0.5,"floor":0.0}"#,
        ] {
            let schedule: Schedule = serde_json::from_str(table).unwrap();
            assert_eq!(serde_json::to_string(&schedule).unwrap(), table);
        }
        let wrong = |json| serde_json::from_str::<Schedule>(json).unwrap_err().to_string();
        assert!(wrong("\"high\"").contains("a number, or a schedule"), "{}", wrong("\"high\""));
        assert!(wrong(r#"{"kind":"cosin"}"#).starts_with("unknown variant `cosin`"));
        let steps = r#"{"kind":"cosine","from":1.0,"to":0.0,"steps":5}"#;
        assert!(wrong(steps).starts_with("unknown field `steps`"), "{}", wrong(steps));
    }

    #[test]
    fn powers_are_right() {
        for exponent in [0u64, 1, 2, 3, 10, 1000] {
            let expected = 0.999f64.powf(exponent as f64);
            assert!((power(0.999, exponent) - expected).abs() < 1e-13 * expected);
        }
        assert_eq!(power(0.999, u64::MAX), 0.0);
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
