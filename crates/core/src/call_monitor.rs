//! Which call of an environment is under way, for whoever watches from another thread.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::EnvCall;

/// The place of an action while a reset is under way.
const RESET: u32 = u32::MAX;

/// The calls of one environment. Its thread writes, others read; what is read may be a call old.
#[derive(Debug)]
pub(crate) struct CallRecord {
    index: usize,
    id: String,
    /// Twice the number of calls that ended, and 1 more while one is under way.
    serial: AtomicU64,
    action: AtomicU32,
    /// What `serial` was in the reset that began this episode.
    reset_serial: AtomicU64,
    episode: AtomicU64,
    seeded: AtomicU32,
    seed: AtomicU64,
}

impl CallRecord {
    pub(crate) fn new(index: usize, id: &str) -> Self {
        Self {
            index,
            id: id.to_owned(),
            serial: AtomicU64::new(0),
            action: AtomicU32::new(RESET),
            reset_serial: AtomicU64::new(0),
            episode: AtomicU64::new(0),
            seeded: AtomicU32::new(0),
            seed: AtomicU64::new(0),
        }
    }

    pub(crate) fn begin_reset(&self, seed: Option<u64>, episode: u64) {
        self.go_on(seed, episode, 0);
        self.begin_step(RESET);
    }

    /// As if `episode_steps` steps had been seen since the reset with which `episode` began.
    pub(crate) fn go_on(&self, seed: Option<u64>, episode: u64, episode_steps: u32) {
        self.seeded.store(seed.is_some().into(), Relaxed);
        self.seed.store(seed.unwrap_or(0), Relaxed);
        self.episode.store(episode, Relaxed);
        let serial = self.serial.load(Relaxed);
        self.reset_serial.store(serial.wrapping_sub(2 * u64::from(episode_steps)), Relaxed);
    }

    #[inline]
    pub(crate) fn begin_step(&self, action: u32) {
        self.action.store(action, Relaxed);
        // Only this thread writes, so no update can be lost between the load and the store.
        self.serial.store(self.serial.load(Relaxed).wrapping_add(1), Relaxed);
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.serial.store(self.serial.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn under_way(&self) -> Option<(u64, EnvCall)> {
        let serial = self.serial.load(Relaxed);
        if serial & 1 == 0 {
            return None;
        }
        let action = self.action.load(Relaxed);
        let calls = serial.wrapping_sub(self.reset_serial.load(Relaxed)) / 2;
        let call = EnvCall {
            index: self.index,
            id: self.id.clone(),
            seed: (self.seeded.load(Relaxed) == 1).then(|| self.seed.load(Relaxed)),
            episode: self.episode.load(Relaxed),
            episode_steps: u32::try_from(calls).unwrap_or(u32::MAX),
            action: (action != RESET).then_some(action),
        };
        Some((serial, call))
    }
}

/// Sees which calls of some environments are under way, so that one which never ends can be told.
///
/// Look twice: a call that is under way both times, with the same serial number, has lasted in between.
#[derive(Clone, Debug, Default)]
pub struct CallMonitor {
    records: Arc<Mutex<Vec<Arc<CallRecord>>>>,
}

impl CallMonitor {
    pub(crate) fn add(&self, record: Arc<CallRecord>) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// The calls that are under way: a number for the environment, one for the call, and what it is.
    pub fn under_way(&self) -> Vec<(usize, u64, EnvCall)> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        // An environment that is gone has left its record to this list alone.
        records.retain(|record| Arc::strong_count(record) > 1);
        let calls = records.iter().enumerate();
        calls
            .filter_map(|(number, record)| record.under_way().map(|(serial, call)| (number, serial, call)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_seen_while_it_is_under_way() {
        let monitor = CallMonitor::default();
        let record = Arc::new(CallRecord::new(3, "Some-v1"));
        monitor.add(Arc::clone(&record));
        let seen = || monitor.under_way().pop().map(|(_, serial, call)| (serial, call.to_string()));
        assert_eq!(seen(), None);
        record.begin_reset(Some(7), 1);
        assert_eq!(seen(), Some((1, "environment 3 (Some-v1), seed 7, episode 1, in reset".into())));
        record.end();
        assert_eq!(seen(), None);
        for step in 1..=5 {
            record.begin_step(2);
            let expected = format!("environment 3 (Some-v1), seed 7, episode 1, step {step}, action 2");
            assert_eq!(seen(), Some((2 * step + 1, expected)));
            record.end();
        }
        record.begin_reset(None, 2);
        record.end();
        record.begin_step(0);
        assert_eq!(seen().unwrap().1, "environment 3 (Some-v1), episode 2, step 1, action 0");
        drop(record);
        assert!(monitor.under_way().is_empty());
    }
}
