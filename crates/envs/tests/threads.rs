//! Environments in threads: the same results for any number of threads, and an error where one panics or hangs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deepq_core::{
    BoxSpace, Env, EnvError, EnvSpec, Observation, ObservationMut, RandomStream, StateError, StateReader,
    StateWriter, Step, VectorEnv,
};
use deepq_envs::check::check_env;
use deepq_envs::make;
use deepq_envs::threads::EnvThreads;
use deepq_envs::wrappers::{ActionRepeat, NormalizeObservation, ObservationStatistics, StickyActions};

const COPIES: usize = 7;

fn threads(count: usize, limit: Option<Duration>) -> EnvThreads {
    EnvThreads::new(NonZeroUsize::new(count).unwrap(), limit).unwrap()
}

/// `env`, in a thread where there are some, within wrappers that have something to say about steps.
fn wrapped(
    env: Box<dyn Env>,
    threads: Option<&EnvThreads>,
    statistics: &ObservationStatistics,
) -> Box<dyn Env> {
    let env = match threads {
        Some(threads) => Box::new(threads.put(env)),
        None => env,
    };
    let env = ActionRepeat::new(StickyActions::new(env, 0.25).unwrap(), 2.try_into().unwrap());
    Box::new(NormalizeObservation::training(env, statistics).unwrap())
}

/// Bits of all observations and rewards over some hundred steps, and the state in the end.
fn play(id: &str, threads: Option<&EnvThreads>, resumed: bool) -> (Vec<u32>, Vec<u8>) {
    let statistics = ObservationStatistics::new();
    let copies = || (0..COPIES).map(|_| wrapped(make(id).unwrap(), threads, &statistics)).collect();
    let mut envs = VectorEnv::new(copies()).unwrap();
    envs.reset(&(0..COPIES as u64).collect::<Vec<_>>()).unwrap();
    let (mut stream, mut bits) = (RandomStream::new(1, "test", 0), vec![]);
    for step in 0..300 {
        if resumed && step == 150 {
            let bytes = state_of(&envs);
            let mut other = VectorEnv::new(copies()).unwrap();
            other.load_state(&mut StateReader::new(&bytes)).unwrap();
            envs = other;
        }
        let actions: Vec<u32> = (0..COPIES).map(|_| stream.below(envs.spec().actions) as u32).collect();
        envs.step(&actions).unwrap();
        let Observation::F32(values) = envs.observations() else { panic!("numbers") };
        bits.extend(values.iter().map(|value| value.to_bits()));
        bits.extend(envs.steps().iter().map(|step| (step.reward as f32).to_bits()));
    }
    let state = state_of(&envs);
    (bits, state)
}

fn state_of(envs: &VectorEnv) -> Vec<u8> {
    let mut writer = StateWriter::new();
    envs.save_state(&mut writer);
    writer.into_bytes()
}

#[test]
fn results_and_states_are_the_same_for_any_number_of_threads_and_for_none() {
    let with_box2d = cfg!(feature = "box2d").then_some("LunarLander-v3");
    for id in ["CartPole-v1", "MinAtar/Breakout-v1"].into_iter().chain(with_box2d) {
        let expected = play(id, None, false);
        for count in [1, 2, 5, 16] {
            let threads = threads(count, Some(Duration::from_secs(60)));
            assert_eq!(threads.len(), count);
            assert_eq!(play(id, Some(&threads), false), expected, "{id}, {count} threads");
            assert_eq!(play(id, Some(&threads), true), expected, "{id}, {count} threads, resumed");
        }
        assert_eq!(play(id, Some(&threads(2, None)), false), expected, "{id}, without a limit");
    }
}

#[test]
fn nothing_is_lost_on_the_way() {
    let threads = threads(2, None);
    let (mut env, mut plain) = (threads.put(make("Taxi-v4").unwrap()), make("Taxi-v4").unwrap());
    assert_eq!(env.spec(), plain.spec());
    assert!(env.steps_elsewhere());
    let (mut one, mut other) = ([0.0], [0.0]);
    env.reset(Some(5), ObservationMut::F32(&mut one)).unwrap();
    plain.reset(Some(5), ObservationMut::F32(&mut other)).unwrap();
    for action in (0..6).cycle().take(60) {
        assert_eq!(one, other);
        assert!(env.action_mask().is_some());
        assert_eq!(env.action_mask(), plain.action_mask());
        assert_eq!(env.render(), plain.render());
        let steps = [
            env.step(action, ObservationMut::F32(&mut one)).unwrap(),
            plain.step(action, ObservationMut::F32(&mut other)).unwrap(),
        ];
        assert_eq!(steps[0], steps[1]);
    }
    let error = env.step(99, ObservationMut::F32(&mut one)).unwrap_err().to_string();
    assert_eq!(error, plain.step(99, ObservationMut::F32(&mut other)).unwrap_err().to_string());
    env.step(0, ObservationMut::F32(&mut one)).expect("an error is no end");
}

#[test]
fn a_threaded_environment_passes_the_check() {
    let pool = threads(2, None);
    let report = check_env(move || pool.put(make("CartPole-v1").unwrap()));
    assert_eq!(report.findings, [], "{report}");
}

/// Sleeps in each step, and does what its action says.
struct Sleeper {
    spec: EnvSpec,
    /// How many are asleep at once now, and at most.
    asleep: Arc<(AtomicUsize, AtomicUsize)>,
    steps: u32,
    dropped: Arc<AtomicUsize>,
}

const SLEEP: usize = 0;
const PANIC: usize = 1;
const HANG: usize = 2;

impl Env for Sleeper {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.steps = 0;
        observation.f32()[0] = 0.0;
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.steps += 1;
        let (now, most) = &*self.asleep;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let seconds = if action == HANG { 2.0 } else { 0.02 };
        std::thread::sleep(Duration::from_secs_f64(seconds));
        now.fetch_sub(1, Ordering::SeqCst);
        assert!(action != PANIC, "step {}: no more", self.steps);
        observation.f32()[0] = self.steps as f32;
        Ok(Step::default())
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.u32(self.steps);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.steps = state.u32("steps")?;
        Ok(())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Sleepers {
    asleep: Arc<(AtomicUsize, AtomicUsize)>,
    dropped: Arc<AtomicUsize>,
}

impl Sleepers {
    fn one(&self) -> Box<dyn Env> {
        let spec = EnvSpec::new("Sleeper", BoxSpace::vector(&[0.0], &[f32::INFINITY]), 3);
        Box::new(Sleeper {
            spec,
            asleep: Arc::clone(&self.asleep),
            steps: 0,
            dropped: Arc::clone(&self.dropped),
        })
    }
}

fn vector(sleepers: &Sleepers, threads: &EnvThreads, copies: usize) -> VectorEnv {
    let envs = (0..copies).map(|_| Box::new(threads.put(sleepers.one())) as Box<dyn Env>).collect();
    let mut envs = VectorEnv::new(envs).unwrap();
    envs.reset(&vec![0; copies]).unwrap();
    envs
}

#[test]
fn as_many_work_at_once_as_there_are_threads() {
    for count in [1, 4] {
        let sleepers = Sleepers::default();
        let mut envs = vector(&sleepers, &threads(count, None), 8);
        for _ in 0..3 {
            envs.step(&[SLEEP as u32; 8]).unwrap();
        }
        assert_eq!(sleepers.asleep.1.load(Ordering::SeqCst), count);
        drop(envs);
        assert_eq!(sleepers.dropped.load(Ordering::SeqCst), 8);
    }
}

#[test]
fn a_panic_is_an_error_that_says_so_and_the_thread_goes_on() {
    let (sleepers, threads) = (Sleepers::default(), threads(1, None));
    let (mut env, mut other) = (threads.put(sleepers.one()), threads.put(sleepers.one()));
    let mut observation = [0.0];
    for env in [&mut env, &mut other] {
        env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
    }
    env.begin_step(PANIC);
    let error = env.step(PANIC, ObservationMut::F32(&mut observation)).unwrap_err();
    assert_eq!(error.to_string(), "it panicked: step 1: no more");
    let error = env.reset(None, ObservationMut::F32(&mut observation)).unwrap_err().to_string();
    assert_eq!(error, "the environment is gone: it panicked: step 1: no more");
    assert!(env.load_state(&mut StateReader::new(&[0; 4])).is_err());
    assert!(env.render().is_none() && env.action_mask().is_none());
    other.step(SLEEP, ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(observation, [1.0]);
}

#[test]
fn a_call_past_the_limit_is_an_error_after_the_limit() {
    let limit = Duration::from_millis(300);
    let (sleepers, threads) = (Sleepers::default(), threads(2, Some(limit)));
    let mut envs = vector(&sleepers, &threads, 3);
    envs.step(&[SLEEP as u32; 3]).unwrap();
    let begin = Instant::now();
    let error = envs.step(&[SLEEP as u32, HANG as u32, SLEEP as u32]).unwrap_err().to_string();
    assert!((limit..limit * 5).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert!(error.starts_with("environment 1 (Sleeper), seed 0, episode 1, step 2, action 2"), "{error}");
    assert!(error.ends_with("it did not answer within 300ms"), "{error}");
}

#[test]
fn a_call_that_no_thread_is_free_for_is_an_error_as_well() {
    let limit = Duration::from_millis(200);
    let (sleepers, threads) = (Sleepers::default(), threads(1, Some(limit)));
    let (mut hung, mut other) = (threads.put(sleepers.one()), threads.put(sleepers.one()));
    hung.begin_step(HANG);
    let error = other.step(SLEEP, ObservationMut::F32(&mut [0.0])).unwrap_err().to_string();
    assert!(error.starts_with("no thread was free to call it"), "{error}");
    drop(hung);
    // The thread comes back after two seconds and drops what nobody wants.
    let begin = Instant::now();
    while sleepers.dropped.load(Ordering::SeqCst) < 2 && begin.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(sleepers.dropped.load(Ordering::SeqCst), 2);
}

#[test]
fn a_wait_in_the_queue_is_no_call_past_the_limit() {
    let (sleepers, threads) = (Sleepers::default(), threads(1, Some(Duration::from_millis(150))));
    // Sixteen steps of 20 ms one after the other.
    let mut envs = vector(&sleepers, &threads, 16);
    envs.step(&[SLEEP as u32; 16]).unwrap();
}

#[test]
fn what_was_begun_is_not_mistaken_for_something_else() {
    let (sleepers, threads) = (Sleepers::default(), threads(1, None));
    let mut env = threads.put(sleepers.one());
    let mut observation = [9.0];
    env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
    env.begin_step(SLEEP);
    let error = env.step(HANG, ObservationMut::F32(&mut observation)).unwrap_err().to_string();
    assert_eq!(error, "Step(0) was begun, but action 2 asked for");
    env.begin_step(SLEEP);
    env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(observation, [0.0]);
    env.step(SLEEP, ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(observation, [1.0]);
    env.begin_step(SLEEP);
    env.load_state(&mut StateReader::new(&7u32.to_le_bytes())).unwrap();
    env.step(SLEEP, ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(observation, [8.0]);
}
