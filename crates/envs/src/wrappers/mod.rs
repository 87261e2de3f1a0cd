//! Environments around environments.

/// The methods of [`Env`](deepq_core::Env) that a wrapper leaves to the environment within, by name.
macro_rules! forward_to_inner {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $(forward_to_inner!(@ $inner $method);)+
    };
    (@ $inner:ident spec) => {
        fn spec(&self) -> &deepq_core::EnvSpec {
            self.$inner.spec()
        }
    };
    (@ $inner:ident reset) => {
        fn reset(
            &mut self,
            seed: Option<u64>,
            observation: deepq_core::ObservationMut<'_>,
        ) -> Result<(), deepq_core::EnvError> {
            self.$inner.reset(seed, observation)
        }
    };
    (@ $inner:ident state) => {
        fn save_state(&self, state: &mut deepq_core::StateWriter) {
            self.$inner.save_state(state);
        }

        fn load_state(
            &mut self,
            state: &mut deepq_core::StateReader<'_>,
        ) -> Result<(), deepq_core::StateError> {
            self.$inner.load_state(state)
        }
    };
    (@ $inner:ident begin_step) => {
        fn begin_step(&mut self, action: usize) {
            self.$inner.begin_step(action);
        }
    };
    (@ $inner:ident steps_elsewhere) => {
        fn steps_elsewhere(&self) -> bool {
            self.$inner.steps_elsewhere()
        }
    };
    (@ $inner:ident action_mask) => {
        fn action_mask(&self) -> Option<&[bool]> {
            self.$inner.action_mask()
        }
    };
    (@ $inner:ident episode_statistics) => {
        fn episode_statistics(&self) -> Option<deepq_core::EpisodeStatistics> {
            self.$inner.episode_statistics()
        }
    };
    (@ $inner:ident render) => {
        fn render(&self) -> Option<deepq_core::Frame> {
            self.$inner.render()
        }
    };
}

/// What lets one reach the environment within a wrapper.
macro_rules! access_to_inner {
    () => {
        /// The environment within.
        pub fn inner(&self) -> &E {
            &self.env
        }

        /// The environment within, to change it.
        pub fn inner_mut(&mut self) -> &mut E {
            &mut self.env
        }
    };
}

mod action_repeat;
mod config;
mod flatten_observation;
mod frame_stack;
mod normalize_observation;
mod normalize_reward;
mod record_episode_statistics;
mod reward;
mod sticky_actions;
#[cfg(test)]
mod testing;
mod time_limit;
mod without_action_masks;

pub use action_repeat::ActionRepeat;
pub use config::{Statistics, WrapperConfig, wrap};
pub use flatten_observation::FlattenObservation;
pub use frame_stack::FrameStack;
pub use normalize_observation::{NormalizeObservation, ObservationStatistics, StatisticsError};
pub use normalize_reward::NormalizeReward;
pub use record_episode_statistics::RecordEpisodeStatistics;
pub use reward::{ClipReward, ScaleReward};
pub use sticky_actions::StickyActions;
pub use time_limit::TimeLimit;
pub use without_action_masks::WithoutActionMasks;

use deepq_core::{BoxSpace, EnvError, EnvSpec, ObservationMut, Space};

/// The elements `range` of a place to write to.
fn part<'a>(observation: &'a mut ObservationMut<'_>, range: std::ops::Range<usize>) -> ObservationMut<'a> {
    match observation {
        ObservationMut::F32(values) => ObservationMut::F32(&mut values[range]),
        ObservationMut::U8(values) => ObservationMut::U8(&mut values[range]),
    }
}

/// The box that `wrapper` needs `spec` to give.
fn box_of<'a>(wrapper: &str, spec: &'a EnvSpec) -> Result<&'a BoxSpace, EnvError> {
    match &spec.observation_space {
        Space::Box(space) => Ok(space),
        other => Err(EnvError::new(format!(
            "{wrapper} takes observations that are a box, {} gives {other:?}: put flatten-observation before it",
            spec.id
        ))),
    }
}
