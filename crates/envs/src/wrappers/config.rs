//! Wrappers as data: what a configuration says of them.

use std::num::NonZeroU32;

use deepq_core::{Env, EnvError, StackPadding};
use serde::{Deserialize, Serialize};

use super::{
    ActionRepeat, ClipReward, FlattenObservation, FrameStack, NormalizeObservation, NormalizeReward,
    ObservationStatistics, ScaleReward, StickyActions, TimeLimit, frame_stack, normalize_observation,
    normalize_reward, reward, sticky_actions,
};

/// One wrapper and its settings, as a table of a configuration:
///
/// ```
/// use deepq_envs::wrappers::WrapperConfig;
///
/// let config: WrapperConfig = toml::from_str("kind = 'clip-reward'\nlow = -1.0\nhigh = 1.0")?;
/// assert_eq!(config, WrapperConfig::ClipReward { low: -1.0, high: 1.0 });
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum WrapperConfig {
    /// A [`TimeLimit`].
    TimeLimit {
        /// Steps after which an episode is truncated.
        episode_steps: u32,
    },
    /// A [`FrameStack`].
    FrameStack {
        /// Frames of an observation.
        frames: u32,
        /// What stands before an episode's first frame; that one again where nothing is said.
        #[serde(default)]
        padding: StackPadding,
    },
    /// [`ClipReward`].
    ClipReward {
        /// The least reward.
        low: f64,
        /// The greatest reward.
        high: f64,
    },
    /// [`ScaleReward`].
    ScaleReward {
        /// What rewards are multiplied by.
        factor: f64,
    },
    /// [`FlattenObservation`].
    // With braces, since serde would let a unit have any fields.
    FlattenObservation {},
    /// [`NormalizeObservation`].
    NormalizeObservation {
        /// The greatest absolute value of an element; none where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<f64>,
    },
    /// [`NormalizeReward`].
    NormalizeReward {
        /// The discount factor of the return, 0.99 where nothing is said: the learner's is what one wants.
        #[serde(default = "normalize_reward_gamma")]
        gamma: f64,
        /// What is added to the variance, 10⁻⁸ where nothing is said.
        #[serde(default = "normalize_reward_epsilon")]
        epsilon: f64,
    },
    /// [`StickyActions`].
    StickyActions {
        /// The probability of the action before being taken once more.
        probability: f64,
    },
    /// An [`ActionRepeat`].
    ActionRepeat {
        /// Times an action is taken.
        times: u32,
    },
}

fn normalize_reward_gamma() -> f64 {
    0.99
}

fn normalize_reward_epsilon() -> f64 {
    1e-8
}

/// The statistics that [`WrapperConfig::NormalizeObservation`] normalises by.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a> {
    /// They take in the environment's observations: training.
    Updated(&'a ObservationStatistics),
    /// They stay as they are: evaluation.
    Frozen(&'a ObservationStatistics),
}

impl WrapperConfig {
    /// Its name in a configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TimeLimit { .. } => "time-limit",
            Self::FrameStack { .. } => "frame-stack",
            Self::ClipReward { .. } => "clip-reward",
            Self::ScaleReward { .. } => "scale-reward",
            Self::FlattenObservation {} => "flatten-observation",
            Self::NormalizeObservation { .. } => "normalize-observation",
            Self::NormalizeReward { .. } => "normalize-reward",
            Self::StickyActions { .. } => "sticky-actions",
            Self::ActionRepeat { .. } => "action-repeat",
        }
    }

    /// Checks the values, as far as they can be without an environment.
    ///
    /// # Errors
    /// Where a value is none that the wrapper takes; the error says which it does.
    pub fn check(&self) -> Result<(), EnvError> {
        match *self {
            Self::TimeLimit { episode_steps } => {
                positive("time-limit: episode_steps", episode_steps).map(drop)
            }
            Self::FrameStack { frames, .. } => frame_stack::check_frames(frames),
            Self::ClipReward { low, high } => reward::check_bounds(low, high),
            Self::ScaleReward { factor } => reward::check_factor(factor),
            Self::FlattenObservation {} => Ok(()),
            Self::NormalizeObservation { clip } => {
                clip.map_or(Ok(()), |clip| normalize_observation::check_clip(clip as f32))
            }
            Self::NormalizeReward { gamma, epsilon } => normalize_reward::check(gamma, epsilon),
            Self::StickyActions { probability } => sticky_actions::check_probability(probability),
            Self::ActionRepeat { times } => positive("action-repeat: times", times).map(drop),
        }
    }
}

fn positive(what: &str, value: u32) -> Result<NonZeroU32, EnvError> {
    NonZeroU32::new(value).ok_or_else(|| EnvError::new(format!("{what} is a whole number from 1, found 0")))
}

/// `env` within the wrapper that `config` tells. `statistics` are for [`WrapperConfig::NormalizeObservation`]; the
/// others do without.
///
/// # Errors
/// Where a value is none that the wrapper takes, where `env` is none, or where statistics are missing.
pub fn wrap(
    env: Box<dyn Env>,
    config: &WrapperConfig,
    statistics: Option<Statistics<'_>>,
) -> Result<Box<dyn Env>, EnvError> {
    Ok(match *config {
        WrapperConfig::TimeLimit { episode_steps } => {
            Box::new(TimeLimit::new(env, positive("time-limit: episode_steps", episode_steps)?))
        }
        WrapperConfig::FrameStack { frames, padding } => {
            frame_stack::check_frames(frames)?;
            Box::new(FrameStack::new(env, positive("frame-stack: frames", frames)?)?.padded(padding))
        }
        WrapperConfig::ClipReward { low, high } => Box::new(ClipReward::new(env, low, high)?),
        WrapperConfig::ScaleReward { factor } => Box::new(ScaleReward::new(env, factor)?),
        WrapperConfig::FlattenObservation {} => Box::new(FlattenObservation::new(env)?),
        WrapperConfig::NormalizeObservation { clip } => {
            let normalized = match statistics {
                Some(Statistics::Updated(statistics)) => NormalizeObservation::training(env, statistics)?,
                Some(Statistics::Frozen(statistics)) => NormalizeObservation::frozen(env, statistics)?,
                None => return Err(EnvError::new("normalize-observation needs statistics, found none")),
            };
            match clip {
                Some(clip) => Box::new(normalized.clipped(clip as f32)?),
                None => Box::new(normalized),
            }
        }
        WrapperConfig::NormalizeReward { gamma, epsilon } => {
            Box::new(NormalizeReward::new(env, gamma, epsilon)?)
        }
        WrapperConfig::StickyActions { probability } => Box::new(StickyActions::new(env, probability)?),
        WrapperConfig::ActionRepeat { times } => {
            Box::new(ActionRepeat::new(env, positive("action-repeat: times", times)?))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reset, step};
    use super::*;

    const ALL: [&str; 11] = [
        "kind = \"time-limit\"\nepisode_steps = 5\n",
        "kind = \"frame-stack\"\nframes = 4\npadding = \"reset\"\n",
        "kind = \"frame-stack\"\nframes = 3\npadding = \"zero\"\n",
        "kind = \"clip-reward\"\nlow = -inf\nhigh = 1.0\n",
        "kind = \"scale-reward\"\nfactor = 0.1\n",
        "kind = \"flatten-observation\"\n",
        "kind = \"normalize-observation\"\n",
        "kind = \"normalize-observation\"\nclip = 10.0\n",
        "kind = \"normalize-reward\"\ngamma = 0.99\nepsilon = 0.00000001\n",
        "kind = \"sticky-actions\"\nprobability = 0.25\n",
        "kind = \"action-repeat\"\ntimes = 4\n",
    ];

    #[test]
    fn a_configuration_is_read_and_written() {
        for text in ALL {
            let config: WrapperConfig = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&config).unwrap(), text);
            assert!(text.starts_with(&format!("kind = \"{}\"", config.kind())));
            let error = toml::from_str::<WrapperConfig>(&format!("{text}more = 1")).unwrap_err().to_string();
            assert!(error.contains("more"), "{text}: {error}");
        }
    }

    #[test]
    fn every_wrapper_goes_round_an_environment_and_round_the_others() {
        let statistics = ObservationStatistics::new();
        for inner in ALL {
            for outer in ALL {
                let (inner, outer): (WrapperConfig, WrapperConfig) =
                    (toml::from_str(inner).unwrap(), toml::from_str(outer).unwrap());
                if inner.kind() == "frame-stack" && inner.kind() == outer.kind() {
                    continue;
                }
                let statistics = statistics.copy();
                let inside = ObservationStatistics::new();
                let env = crate::make("CartPole-v1").unwrap();
                let env = wrap(env, &inner, Some(Statistics::Updated(&inside))).unwrap();
                let mut env = wrap(env, &outer, Some(Statistics::Frozen(&statistics))).unwrap();
                reset(&mut env, Some(1));
                step(&mut env, 1);
            }
        }
    }

    #[test]
    fn values_without_sense_are_refused_with_and_without_an_environment() {
        for (text, expected) in [
            (
                "kind = 'time-limit'\nepisode_steps = 0",
                "time-limit: episode_steps is a whole number from 1, found 0",
            ),
            (
                "kind = 'frame-stack'\nframes = 0",
                "frame-stack: frames is a whole number from 1 to 256, found 0",
            ),
            (
                "kind = 'frame-stack'\nframes = 4000000000",
                "frame-stack: frames is a whole number from 1 to 256, found 4000000000",
            ),
            ("kind = 'clip-reward'\nlow = 2.0\nhigh = 1.0", "found low = 2 and high = 1"),
            ("kind = 'clip-reward'\nlow = nan\nhigh = 1.0", "found low = NaN and high = 1"),
            ("kind = 'scale-reward'\nfactor = 0.0", "a finite number other than 0, found 0"),
            ("kind = 'normalize-observation'\nclip = -1.0", "clip is a number above 0, found -1"),
            ("kind = 'normalize-reward'\ngamma = 1.5", "gamma is a number from 0 to 1, found 1.5"),
            ("kind = 'normalize-reward'\nepsilon = 0.0", "epsilon is a finite number above 0, found 0"),
            ("kind = 'sticky-actions'\nprobability = 1.5", "from 0 up to but not including 1, found 1.5"),
            ("kind = 'action-repeat'\ntimes = 0", "action-repeat: times is a whole number from 1, found 0"),
        ] {
            let config: WrapperConfig = toml::from_str(text).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let (env, statistics) = (crate::make("CartPole-v1").unwrap(), ObservationStatistics::new());
            let wrapped = wrap(env, &config, Some(Statistics::Updated(&statistics)));
            assert_eq!(wrapped.err().unwrap().to_string(), error);
        }
        let config = WrapperConfig::NormalizeObservation { clip: None };
        let error = wrap(crate::make("CartPole-v1").unwrap(), &config, None).err().unwrap().to_string();
        assert_eq!(error, "normalize-observation needs statistics, found none");
    }
}
