//! A few threads that work on one pass together.
//!
//! All of them run the same function, each on its own share, and wait for each other where a step needs what
//! another one computed. Which thread computes a number never changes how it is computed.

use std::any::Any;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for its fellows before it lets the system run something else: some microseconds.
const LOOKS: usize = 4_000;

/// The largest team there is.
const MOST_THREADS: usize = 256;

/// One of the threads of a team, as the function that it runs sees it.
#[derive(Clone, Copy)]
pub(super) struct Worker<'a> {
    /// Its number.
    pub(super) index: usize,
    /// How many there are.
    pub(super) count: usize,
    barrier: Option<&'a Barrier>,
}

impl Worker<'_> {
    /// The only one.
    pub(super) const ALONE: Worker<'static> = Worker { index: 0, count: 1, barrier: None };

    /// Waits until every worker has come here. What they wrote before is then there for all of them.
    #[inline]
    pub(super) fn wait(&self) {
        if let Some(barrier) = self.barrier {
            barrier.wait(self.count);
        }
    }

    /// Its share of `total` things, each a whole number of `grain` of them.
    #[inline]
    pub(super) fn share(&self, total: usize, grain: usize) -> std::ops::Range<usize> {
        if self.count == 1 {
            return 0..total;
        }
        let grains = total.div_ceil(grain);
        let at = |index: usize| (grains * index / self.count * grain).min(total);
        at(self.index)..at(self.index + 1)
    }
}

/// A place that threads leave together.
#[derive(Default)]
struct Barrier {
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// Whether a thread has panicked and will never come.
    broken: AtomicBool,
}

impl Barrier {
    fn wait(&self, count: usize) {
        let round = self.round.load(Ordering::Relaxed);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == count {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
        } else {
            look_until(|| {
                assert!(!self.broken.load(Ordering::Relaxed), "another thread of the team panicked");
                self.round.load(Ordering::Acquire) != round
            });
        }
    }
}

/// Looks again and again, after a while letting other threads run in between.
fn look_until(mut done: impl FnMut() -> bool) {
    let mut looks = 0;
    while !done() {
        looks += 1;
        match looks < LOOKS {
            true => std::hint::spin_loop(),
            false => std::thread::yield_now(),
        }
    }
}

/// A function for all workers.
type Job = *const (dyn Fn(Worker<'_>) + Sync + 'static);

struct Shared {
    count: usize,
    job: UnsafeCell<Option<Job>>,
    /// Counts the jobs: a new number is a new job.
    number: AtomicUsize,
    /// Helpers that have not finished the job.
    busy: AtomicUsize,
    end: AtomicBool,
    barrier: Barrier,
    /// Helpers that have looked in vain for long sleep here.
    asleep: Mutex<usize>,
    wake: Condvar,
    /// What a helper panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written by the team's owner only while no helper is busy, and read by helpers only after they
// have seen the new number, which is stored after it.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is only used while the function it points to is borrowed by `Team::run`.
unsafe impl Send for Shared {}

/// Threads that wait for work.
pub(crate) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

impl Team {
    /// A team of `count` threads, the caller's own among them. The caller's alone, where the system does not give
    /// as many.
    pub(crate) fn new(count: usize) -> Self {
        let count = count.clamp(1, MOST_THREADS);
        let mut team = Self { shared: Arc::new(Shared::new(count)), helpers: vec![] };
        for index in 1..team.shared.count {
            let shared = team.shared.clone();
            let helper = std::thread::Builder::new().name(format!("deepq-{index}"));
            match helper.spawn(move || shared.help(index)) {
                Ok(helper) => team.helpers.push(helper),
                // With fewer than were asked for nobody would leave the barrier: the caller works alone.
                Err(_) => return Self { shared: Arc::new(Shared::new(1)), helpers: vec![] },
            }
        }
        team
    }

    /// How many threads work.
    pub(crate) fn count(&self) -> usize {
        self.shared.count
    }

    /// Runs `job` once in each thread, and returns when all are done.
    pub(super) fn run(&mut self, job: &(dyn Fn(Worker<'_>) + Sync)) {
        let shared = &*self.shared;
        if shared.count == 1 {
            return job(Worker::ALONE);
        }
        // SAFETY: only the lifetime changes. Helpers use the pointer before they have counted `busy` down, and
        // this function does not return, nor unwind, before that.
        let pointer = unsafe { std::mem::transmute::<*const (dyn Fn(Worker<'_>) + Sync + '_), Job>(job) };
        // SAFETY: no helper is busy, so none reads.
        unsafe { *shared.job.get() = Some(pointer) };
        shared.busy.store(shared.count - 1, Ordering::Relaxed);
        shared.number.fetch_add(1, Ordering::Release);
        shared.wake_helpers();
        let own = Worker { index: 0, count: shared.count, barrier: Some(&shared.barrier) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(own)));
        shared.barrier.broken.fetch_or(outcome.is_err(), Ordering::Relaxed);
        look_until(|| shared.busy.load(Ordering::Acquire) == 0);
        if shared.barrier.broken.swap(false, Ordering::Relaxed) {
            shared.barrier.arrived.store(0, Ordering::Relaxed);
            // The first one, of which the others are echoes.
            let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (panic, outcome) {
                (Some(panic), _) | (None, Err(panic)) => std::panic::resume_unwind(panic),
                (None, Ok(())) => {}
            }
        }
    }
}

impl Shared {
    fn new(count: usize) -> Self {
        Self {
            count,
            job: UnsafeCell::new(None),
            number: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            end: AtomicBool::new(false),
            barrier: Barrier::default(),
            asleep: Mutex::new(0),
            wake: Condvar::new(),
            panic: Mutex::new(None),
        }
    }

    /// What a helper does all its life.
    fn help(&self, index: usize) {
        let mut done = 0;
        loop {
            self.await_job(done);
            done = done.wrapping_add(1);
            if self.end.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: the number has changed, so the job stands there, and its owner waits for `busy` to fall.
            let job = unsafe { (*self.job.get()).map(|job| &*job) };
            let worker = Worker { index, count: self.count, barrier: Some(&self.barrier) };
            let work = || job.map_or((), |job| job(worker));
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
                self.barrier.broken.store(true, Ordering::Relaxed);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits until job number `done` is not the latest: first awake, then asleep.
    fn await_job(&self, done: usize) {
        let is_new = || self.number.load(Ordering::Acquire) != done;
        for _ in 0..LOOKS {
            if is_new() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        while !is_new() {
            asleep = self.wake.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
        *asleep -= 1;
    }

    fn wake_helpers(&self) {
        // Taking the lock makes sure that a helper that is about to sleep has either seen the new number or is
        // counted here.
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if *asleep > 0 {
            self.wake.notify_all();
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Release);
        self.shared.number.fetch_add(1, Ordering::Release);
        self.shared.wake_helpers();
        for helper in self.helpers.drain(..) {
            // A helper's panic was handed on when it happened.
            let _ = helper.join();
        }
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Team({} threads)", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn every_worker_runs_every_job_once_and_shares_cover_all() {
        let jobs = if cfg!(miri) { 3 } else { 200 };
        for count in 1..5 {
            let mut team = Team::new(count);
            let sums: Vec<AtomicU64> = (0..103).map(|_| AtomicU64::new(0)).collect();
            for _ in 0..jobs {
                team.run(&|worker| {
                    for index in worker.share(sums.len(), 8) {
                        sums[index].fetch_add(1, Ordering::Relaxed);
                    }
                    worker.wait();
                    // All shares are done: everybody sees the same numbers.
                    let first = sums[0].load(Ordering::Relaxed);
                    assert!(sums.iter().all(|sum| sum.load(Ordering::Relaxed) == first));
                    worker.wait();
                });
            }
            assert!(sums.iter().all(|sum| sum.load(Ordering::Relaxed) == jobs));
        }
    }

    #[test]
    fn helpers_that_fell_asleep_wake_up() {
        let mut team = Team::new(2);
        let runs = AtomicU64::new(0);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            team.run(&|_| {
                runs.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(runs.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn a_panic_comes_back_to_the_caller() {
        let mut team = Team::new(2);
        for index in 0..2 {
            for barrier in [false, true] {
                let job = |worker: Worker<'_>| {
                    assert!(worker.index != index, "worker {index}");
                    if barrier {
                        worker.wait();
                    }
                };
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| team.run(&job)));
                assert!(outcome.is_err());
                team.run(&|worker| {
                    worker.wait();
                    worker.wait();
                });
            }
        }
    }
}
