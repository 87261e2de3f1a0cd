//! Ctrl-C and its kin: the first ends training cleanly, a later one the program at once.

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

/// Signals within this time of the first one are part of it.
#[cfg(unix)]
const MEANT_AS_ONE: std::time::Duration = std::time::Duration::from_millis(500);

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
        let failure = |error: std::io::Error| Failure {
            kind: "signal",
            message: format!("cannot watch for signals: {error}"),
            help: None,
            code: 1,
        };
        for signal in SIGNALS {
            interrupt.watch_one(signal).map_err(failure)?;
        }
        interrupt.let_later_ones_end_at_once().map_err(failure)?;
        Ok(interrupt)
    }

    fn watch_one(&self, signal: i32) -> std::io::Result<()> {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.at_once))?;
        flag::register_usize(signal, Arc::clone(&self.signal), signal as usize)?;
        flag::register(signal, Arc::clone(&self.stop))?;
        Ok(())
    }

    /// Some send a signal twice, as `timeout` does: to the program and to its group.
    #[cfg(unix)]
    fn let_later_ones_end_at_once(&self) -> std::io::Result<()> {
        let mut signals = signal_hook::iterator::Signals::new(SIGNALS)?;
        let at_once = Arc::clone(&self.at_once);
        let wait = move || {
            if signals.forever().next().is_some() {
                std::thread::sleep(MEANT_AS_ONE);
                at_once.store(true, Ordering::SeqCst);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
    }

    /// The actions run in the order in which they are registered: this one stands behind what ends the program.
    #[cfg(not(unix))]
    fn let_later_ones_end_at_once(&self) -> std::io::Result<()> {
        SIGNALS.iter().try_for_each(|signal| flag::register(*signal, Arc::clone(&self.at_once)).map(drop))
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
