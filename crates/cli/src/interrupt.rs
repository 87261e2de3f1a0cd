//! Ctrl-C and its kin: the first ends training cleanly, the second the program at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// Ctrl-C; `kill`, a scheduler's notice or a shutdown; the terminal's end.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The signals that ask the program to end.
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// Watches for signals from now on.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let interrupt = Self { stop: Arc::default(), signal: Arc::default(), at_once: Arc::default() };
        for signal in SIGNALS {
            interrupt.watch_one(signal).map_err(|error| Failure {
                kind: "signal",
                message: format!("cannot watch for signal {signal}: {error}"),
                help: None,
                code: 1,
            })?;
        }
        Ok(interrupt)
    }

    /// The actions run in the order in which they are registered: a first signal must not end the program, so
    /// what ends it stands before what lets it.
    fn watch_one(&self, signal: i32) -> std::io::Result<()> {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.at_once))?;
        flag::register(signal, Arc::clone(&self.at_once))?;
        flag::register_usize(signal, Arc::clone(&self.signal), signal as usize)?;
        flag::register(signal, Arc::clone(&self.stop))?;
        Ok(())
    }

    /// Turns true at the first signal.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// From now on the first signal, too, ends the program at once: nothing is left that could be lost.
    pub(crate) fn end_at_once(&self) {
        self.at_once.store(true, Ordering::SeqCst);
    }

    /// The exit code that tells which signal came; `None` where none did.
    pub(crate) fn exit_code(&self) -> Option<ExitCode> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(ExitCode::from(128 + signal as u8)),
        }
    }
}
