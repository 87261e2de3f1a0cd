//! Notices an environment that hangs.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use deepq_core::{CallMonitor, EnvError, EnvFailure};

/// Looks from a thread of its own whether a call of an environment lasts longer than it may. Dropping it ends it.
pub(super) struct Watchdog {
    until: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How often it looks within the time that a call may take.
const LOOKS: u32 = 16;

/// How rarely it looks at most: so much later than the limit a call may be told.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Watchdog {
    /// Begins to look at the calls that `monitor` sees; the first that lasts for `limit` is told.
    pub(super) fn start(
        monitor: CallMonitor,
        limit: Duration,
        tell: impl FnOnce(EnvFailure) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (until, ended) = mpsc::channel();
        let watch = move || {
            let pause = (limit / LOOKS).min(LONGEST_PAUSE);
            let looks = limit.div_duration_f64(pause).ceil() as u32;
            // Looks are counted, not seconds: where the whole program was stopped for a while, nothing hung.
            let mut seen: HashMap<usize, (u64, u32)> = HashMap::new();
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let under_way = monitor.under_way();
                seen.retain(|number, _| under_way.iter().any(|(other, ..)| other == number));
                for (number, serial, call) in under_way {
                    let (last, count) = seen.entry(number).or_insert((serial, 0));
                    *count = if *last == serial { *count + 1 } else { 0 };
                    *last = serial;
                    if *count > looks {
                        let message = format!("it did not answer within {limit:?}");
                        let source = Some(EnvError::new(message.clone()));
                        return tell(EnvFailure { call: Box::new(call), message, source });
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { until: Some(until), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.until.take());
        if let Some(thread) = self.thread.take() {
            // Whatever went wrong there, the run is over.
            let _ = thread.join();
        }
    }
}
