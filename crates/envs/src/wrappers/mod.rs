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

mod time_limit;

pub use time_limit::TimeLimit;
