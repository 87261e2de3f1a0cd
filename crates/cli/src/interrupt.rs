//! Ctrl-C and the terminate signal: the first ends cleanly, the second at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Sets the flag at the first signal; ends the program at the second.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let handler_flag = Arc::clone(&flag);
    let handler = move || {
        if handler_flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure {
        kind: "signal",
        message: format!("cannot watch for Ctrl-C: {error}"),
        help: None,
        code: 1,
    })?;
    Ok(flag)
}

/// The exit code of a run that was interrupted with a checkpoint written.
pub(crate) fn exit_code() -> ExitCode {
    ExitCode::from(130)
}
