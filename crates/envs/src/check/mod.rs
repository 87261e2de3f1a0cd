//! Checks of an environment of one's own, before an agent learns from its faults.
//!
//! ```
//! use deepq_envs::{CartPole, check::check_env};
//!
//! let report = check_env(CartPole::v1);
//! assert!(report.is_ok(), "{report}");
//! ```

mod episodes;
mod inspect;
mod kinds;
mod misuse;
mod probe;
mod repeats;
mod report;
mod saved_state;
mod spec;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use deepq_core::Env;

pub use self::kinds::{FindingKind, Severity};
use self::probe::{Context, Log, Poison};
pub use self::report::{Call, CheckReport, Finding, Place};

/// How thorough a check is.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOptions {
    /// The first of the seeds; the next ones follow it.
    pub seed: u64,
    /// Steps taken in the search for faults; checks of resuming and repeating come on top.
    pub env_steps: u32,
    /// Steps after which an episode that has not ended is given up.
    pub episode_steps: u32,
    /// How long one call may take.
    pub call_limit: Duration,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { seed: 1, env_steps: 20_000, episode_steps: 10_000, call_limit: Duration::from_secs(10) }
    }
}

/// Checks the environment that `make` makes, and tells what is wrong with it, why that matters, and how it is
/// mended.
///
/// It takes several fresh copies, since much can only be seen by comparing them: whether equal seeds give equal
/// episodes, whether every element of an observation is written, whether a saved state goes on as it should.
/// Panics are caught; Rust prints the message of each to standard error nevertheless. A call that does not return is
/// given up after [`CheckOptions::call_limit`], and its thread is left behind.
pub fn check_env<E: Env + 'static>(make: impl Fn() -> E + Send + 'static) -> CheckReport {
    check_env_with(make, &CheckOptions::default())
}

/// As [`check_env`], with options.
pub fn check_env_with<E: Env + 'static>(
    make: impl Fn() -> E + Send + 'static,
    options: &CheckOptions,
) -> CheckReport {
    let log = Arc::new(Log::default());
    let (done, is_done) = mpsc::channel();
    let (thread_log, thread_options) = (Arc::clone(&log), options.clone());
    let work = move || {
        check_all(&Context { make: &make, log: &thread_log, options: &thread_options });
        // Nobody listens any more where the check was given up.
        let _ = done.send(());
    };
    if let Err(error) = thread::Builder::new().name("check_env".into()).spawn(work) {
        log.add(FindingKind::Fails, None, format!("no thread for the check: {error}"));
        return log.report();
    }
    watch(&log, &is_done, options.call_limit);
    log.report()
}

/// Waits for the end of the check, or for a call that takes longer than `limit`.
fn watch(log: &Log, is_done: &mpsc::Receiver<()>, limit: Duration) {
    let pause = (limit / 10).clamp(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        match is_done.recv_timeout(pause) {
            Ok(()) => return,
            Err(RecvTimeoutError::Disconnected) => {
                log.add(FindingKind::Panics, log.latest(), "a panic where none could be caught");
                return;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(place) = log.overdue(limit) {
                    let found = format!("no answer within {limit:?}; the rest was not checked");
                    log.add(FindingKind::Hangs, Some(place), found);
                    return;
                }
            }
        }
    }
}

fn check_all<E: Env>(context: &Context<'_, E>) {
    let Ok(probe) = context.probe(Poison::One) else { return };
    context.log.named(&probe.spec.id);
    if spec::check(&probe.spec, context.log).is_err() {
        return;
    }
    drop(probe);
    // Each part notes what stops it; the others may still find something. Comparisons with oneself say nothing
    // where two copies differ.
    let _ = episodes::check(context).and_then(|()| repeats::check(context));
    let _ = saved_state::check(context);
    let _ = misuse::check(context);
}
