//! Times of one call, and what it spends them on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use deepq::loss::{Loss, LossResult, Output, Pass, Readout, Transitions};
use deepq::network::{NetworkSpec, ParameterLayout, Parameters, QNetwork};
use deepq::{Observation, StateError, StateReader, StateWriter, statistics};

/// How long one timed block of calls takes at least, where a call is shorter: a look at the clock must not show.
const BLOCK: Duration = Duration::from_micros(200);
const WARM_UP: Duration = Duration::from_millis(100);
const LEAST_BLOCKS: usize = 3;

/// µs of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Time {
    pub(crate) median_us: f64,
    pub(crate) least_us: f64,
    /// How many calls were timed.
    pub(crate) calls: usize,
}

/// Calls again and again for so long, in blocks of calls, of which each gives one time.
pub(crate) fn time(patience: Duration, mut call: impl FnMut()) -> Time {
    let calls = calls_of_a_block(&mut call);
    let (mut times_us, started) = (vec![], Instant::now());
    while started.elapsed() < patience || times_us.len() < LEAST_BLOCKS {
        let timer = Instant::now();
        (0..calls).for_each(|_| call());
        times_us.push(1e6 * timer.elapsed().as_secs_f64() / calls as f64);
    }
    Time {
        median_us: statistics::median(&times_us).unwrap_or(f64::NAN),
        least_us: times_us.iter().copied().fold(f64::INFINITY, f64::min),
        calls: calls * times_us.len(),
    }
}

/// Warms up and finds out how many calls fill a block.
fn calls_of_a_block(call: &mut impl FnMut()) -> usize {
    let (mut least, started) = (Duration::MAX, Instant::now());
    loop {
        let timer = Instant::now();
        call();
        least = least.min(timer.elapsed());
        if started.elapsed() >= WARM_UP {
            return (BLOCK.as_nanos() / least.as_nanos().max(1)) as usize + 1;
        }
    }
}

/// What a gradient step is made of, in the order of its beginning.
pub(crate) const PARTS: [&str; 7] =
    ["sample and gather", "target forward", "online forward", "loss", "backward", "optimiser", "rest"];

/// The same, as places in a list.
#[derive(Clone, Copy)]
enum Part {
    Sample,
    Target,
    Online,
    Loss,
    Backward,
    Optimizer,
    Rest,
}

/// Looks at the clock between the parts of a gradient step.
pub(crate) struct Stopwatch {
    base: Instant,
    last_ns: AtomicU64,
    /// Nanoseconds of each part, and how many looks they hold.
    parts: [(AtomicU64, AtomicU64); PARTS.len()],
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        let parts = std::array::from_fn(|_| (AtomicU64::new(0), AtomicU64::new(0)));
        Self { base: Instant::now(), last_ns: AtomicU64::new(0), parts }
    }

    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// What passed since the last look was spent on `part`.
    fn look(&self, part: Part) {
        let now = self.now_ns();
        let spent = now - self.last_ns.swap(now, Relaxed);
        self.parts[part as usize].0.fetch_add(spent, Relaxed);
        self.parts[part as usize].1.fetch_add(1, Relaxed);
    }

    /// µs of each part of one call of `step`, the clock's own time taken out: medians over blocks of steps.
    pub(crate) fn parts_us(&self, patience: Duration, mut step: impl FnMut()) -> [f64; PARTS.len()] {
        let look_ns = self.nanoseconds_of_a_look();
        let steps = calls_of_a_block(&mut step);
        let mut blocks: [Vec<f64>; PARTS.len()] = Default::default();
        let started = Instant::now();
        while started.elapsed() < patience || blocks[0].len() < LEAST_BLOCKS {
            self.clear();
            for _ in 0..steps {
                self.last_ns.store(self.now_ns(), Relaxed);
                step();
                self.look(Part::Rest);
            }
            for (block, (spent, looks)) in blocks.iter_mut().zip(&self.parts) {
                let own = look_ns * looks.load(Relaxed) as f64;
                block.push((spent.load(Relaxed) as f64 - own).max(0.0) * 1e-3 / steps as f64);
            }
        }
        blocks.map(|block| statistics::median(&block).unwrap_or(f64::NAN))
    }

    fn clear(&self) {
        for (spent, looks) in &self.parts {
            spent.store(0, Relaxed);
            looks.store(0, Relaxed);
        }
    }

    /// The least of many blocks: a disturbed one must not make parts vanish.
    fn nanoseconds_of_a_look(&self) -> f64 {
        let (blocks, looks) = (100, 100);
        let times = (0..blocks).map(|_| {
            let timer = Instant::now();
            (0..looks).for_each(|_| self.look(Part::Rest));
            timer.elapsed().as_nanos() as f64 / f64::from(looks)
        });
        times.fold(f64::INFINITY, f64::min)
    }
}

/// A network or a loss that tells a stopwatch when its parts begin and end.
pub(crate) struct Watched<T> {
    inner: T,
    stopwatch: Arc<Stopwatch>,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, stopwatch: &Arc<Stopwatch>) -> Self {
        Self { inner, stopwatch: Arc::clone(stopwatch) }
    }

    /// Runs a part; what lies before it since the last look counts as `before`.
    fn part<R>(&mut self, before: Part, part: Part, run: impl FnOnce(&mut T) -> R) -> R {
        self.stopwatch.look(before);
        let result = run(&mut self.inner);
        self.stopwatch.look(part);
        result
    }
}

impl Loss for Watched<Box<dyn Loss>> {
    fn passes(&self) -> &[Pass] {
        self.inner.passes()
    }

    fn readout(&self) -> &Readout {
        self.inner.readout()
    }

    fn evaluate(
        &mut self,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        result: &mut LossResult<'_>,
    ) {
        self.stopwatch.look(Part::Rest);
        self.inner.evaluate(transitions, outputs, result);
        self.stopwatch.look(Part::Loss);
    }
}

impl QNetwork for Watched<Box<dyn QNetwork>> {
    fn spec(&self) -> &NetworkSpec {
        self.inner.spec()
    }

    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        // The first pass of a step is the target's; before it lies the sampling.
        self.part(Part::Sample, Part::Target, |network| {
            network.forward_at(parameters, observation, fractions, output);
        });
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.part(Part::Rest, Part::Online, |network| {
            network.forward_train_at(observation, fractions, output)
        });
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        self.inner.forward_features(parameters, observation, output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        self.inner.set_noise(parameters, noise);
    }

    fn backward(&mut self, d_output: &[f32]) {
        // What stands between loss and backward pass is the loss' scaling by the weights.
        self.part(Part::Loss, Part::Backward, |network| network.backward(d_output));
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.part(Part::Rest, Part::Optimizer, |network| {
            network.optimizer_step(learning_rate, max_gradient_norm)
        });
    }

    fn reset_optimizer(&mut self) {
        self.inner.reset_optimizer();
    }

    fn update_target(&mut self, tau: f32) {
        self.part(Part::Rest, Part::Rest, |network| network.update_target(tau));
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.inner.parameters(which)
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        self.inner.set_parameters(which, values);
    }

    fn gradient(&self) -> Vec<f32> {
        self.inner.gradient()
    }

    fn gradient_steps(&self) -> u64 {
        self.inner.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.inner.save_optimizer(state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.inner.load_optimizer(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(duration: Duration) {
        let timer = Instant::now();
        while timer.elapsed() < duration {}
    }

    #[test]
    fn short_and_long_calls_are_timed() {
        for call in [Duration::from_micros(20), Duration::from_millis(2)] {
            let time = time(Duration::from_millis(30), || spin(call));
            let us = 1e6 * call.as_secs_f64();
            assert!(us <= time.least_us && time.least_us < 2.0 * us, "{time:?} for calls of {us} µs");
            assert!(time.median_us >= time.least_us && time.calls >= LEAST_BLOCKS);
        }
    }

    /// Each part gets its own time and not its neighbour's.
    #[test]
    fn parts_are_told_apart() {
        let stopwatch = Stopwatch::new();
        let spent_us = stopwatch.parts_us(Duration::from_millis(20), || {
            spin(Duration::from_micros(50));
            stopwatch.look(Part::Sample);
            spin(Duration::from_micros(150));
            stopwatch.look(Part::Backward);
        });
        assert!((45.0..100.0).contains(&spent_us[Part::Sample as usize]), "{spent_us:?}");
        assert!((145.0..300.0).contains(&spent_us[Part::Backward as usize]), "{spent_us:?}");
        assert!(
            spent_us[Part::Rest as usize] < 5.0 && spent_us[Part::Online as usize] == 0.0,
            "{spent_us:?}"
        );
    }
}
