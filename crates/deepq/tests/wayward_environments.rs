//! Environments that fail end the run with their place, and leave its checkpoint whole.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{config, request};
use deepq::run::{CheckpointChoice, RunStatus, TrainRequest, train};
use deepq::{
    Env, EnvError, EnvSpec, ObservationMut, Registry, RunDirectory, StateError, StateReader, StateWriter,
    Step, envs,
};

/// What CartPole does from its 700th step on.
#[derive(Clone)]
enum Fault {
    Panic,
    Error,
    NotANumber,
    Infinite,
    Reward,
    WrongShape,
    /// Until the flag is set.
    Hang(Arc<AtomicBool>),
    /// The same in the first reset.
    HangAtOnce(Arc<AtomicBool>),
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Wayward {
    env: Box<dyn Env>,
    fault: Fault,
    steps: u32,
}

impl Env for Wayward {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Fault::HangAtOnce(flag) = &self.fault {
            wait_for(flag);
        }
        self.env.reset(seed, observation)
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let values = observation.f32();
        let mut step = self.env.step(action, ObservationMut::F32(values))?;
        self.steps += 1;
        if self.steps < 700 {
            return Ok(step);
        }
        match &self.fault {
            Fault::Panic => panic!("out of cheese"),
            Fault::Error => return Err(EnvError::new("the motor is too hot")),
            Fault::NotANumber => values[1] = f32::NAN,
            Fault::Infinite => values[2] = f32::NEG_INFINITY,
            Fault::Reward => step.reward = f64::INFINITY,
            Fault::WrongShape => values[..5].fill(0.0),
            Fault::Hang(flag) => wait_for(flag),
            Fault::HangAtOnce(_) => {}
        }
        Ok(step)
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.env.save_state(state);
        state.u32(self.steps);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.env.load_state(state)?;
        self.steps = state.u32("steps")?;
        Ok(())
    }
}

/// A run of two such environments with a checkpoint every 500 env steps.
fn request_with(fault: Fault, out: &std::path::Path) -> TrainRequest {
    let set = [
        "env.copies=2",
        "env.step_limit_s=0.2",
        "checkpoint.every_env_steps=500",
        "network.hidden=[8]",
        "learning.start_env_steps=200",
        "replay.capacity=500",
    ];
    let mut config = config("cleanrl-dqn", &set);
    config.env.id = "Wayward".into();
    let mut request = request(config, 3, out);
    let make = move || Wayward {
        env: envs::make("CartPole-v1").expect("it is built in"),
        fault: fault.clone(),
        steps: 0,
    };
    request.registry = Registry::builtin();
    request.registry.register("Wayward", "fails", make).unwrap();
    request
}

#[test]
fn a_run_ends_with_the_place_and_keeps_its_checkpoint() {
    for (fault, told) in [
        (Fault::Panic, "it panicked: out of cheese"),
        (Fault::Error, "the motor is too hot"),
        (Fault::NotANumber, "element 1 of its observation is NaN, which is not a finite number"),
        (Fault::Infinite, "element 2 of its observation is -inf, which is not a finite number"),
        (Fault::Reward, "its reward is inf, which is not a finite number"),
        (Fault::WrongShape, "it panicked: range end index 5 out of range for slice of length 4"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let request = request_with(fault, folder.path());
        let error = train(&request, &mut ()).unwrap_err();
        assert_eq!(error.kind(), "env");
        let run = RunDirectory::open(folder.path()).unwrap();
        let info = run.info().unwrap();
        assert_eq!((info.status, info.error.as_deref()), (RunStatus::Failed, Some(&*error.to_string())));
        let error = error.to_string();
        assert!(error.ends_with(told), "{error}");
        let deepq::Error::Env(failure) = train(&request_again(&request, &folder), &mut ()).unwrap_err()
        else {
            panic!("not an environment's failure");
        };
        let call = &failure.call;
        assert_eq!((call.index, call.id.as_str()), (0, "CartPole-v1"));
        assert!(call.seed.is_some() && call.action.is_some() && call.episode > 5 && call.episode_steps > 0);
        assert!(error.starts_with(&call.to_string()), "{error}");
        run.policy(CheckpointChoice::EnvSteps(1000), &request.registry).unwrap();
    }
}

/// The same run in another folder: it fails at the same place.
fn request_again(request: &TrainRequest, folder: &tempfile::TempDir) -> TrainRequest {
    TrainRequest { out: Some(folder.path().join("again")), ..request.clone() }
}

#[test]
fn a_run_whose_environment_hangs_is_told_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let mut request = request_with(Fault::Hang(Arc::clone(&flag)), folder.path());
    request.on_hang = Some(Arc::new(move |failure| sender.send(failure).unwrap()));
    let stop = Arc::clone(&request.stop_flag);
    let registry = request.registry.clone();
    let training = std::thread::spawn(move || train(&request, &mut ()).unwrap());
    let failure = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(failure.message, "it did not answer within 200ms");
    assert_eq!((failure.call.index, &*failure.call.id), (0, "CartPole-v1"));
    assert!(failure.call.seed.is_some() && failure.call.action.is_some() && failure.call.episode_steps > 0);
    let run = RunDirectory::open(folder.path()).unwrap();
    let info = run.info().unwrap();
    assert_eq!((info.status, info.error), (RunStatus::Failed, Some(failure.to_string())));
    run.policy(CheckpointChoice::EnvSteps(1000), &registry).unwrap();
    // For the test's own sake the environment comes back.
    stop.store(true, Ordering::Relaxed);
    flag.store(true, Ordering::Relaxed);
    training.join().unwrap();
}

/// Before there is a run to note it in.
#[test]
fn an_environment_that_hangs_in_its_first_reset_is_told_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let mut request = request_with(Fault::HangAtOnce(Arc::clone(&flag)), folder.path());
    request.on_hang = Some(Arc::new(move |failure| sender.send(failure).unwrap()));
    request.stop_flag.store(true, Ordering::Relaxed);
    let training = std::thread::spawn(move || train(&request, &mut ()).unwrap());
    let told = receiver.recv_timeout(Duration::from_secs(60));
    flag.store(true, Ordering::Relaxed);
    training.join().unwrap();
    let failure = told.expect("the watchdog looks from the first call on");
    assert_eq!(failure.message, "it did not answer within 200ms");
    assert_eq!((failure.call.index, failure.call.action, failure.call.episode), (0, None, 1));
}

/// An environment in a thread of its own is left behind, and the run ends as with any other failure.
#[test]
fn a_run_whose_environment_hangs_in_a_thread_of_its_own_ends() {
    let folder = tempfile::tempdir().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let mut request = request_with(Fault::Hang(Arc::clone(&flag)), folder.path());
    request.config.env.threads = 2;
    let error = train(&request, &mut ()).unwrap_err().to_string();
    flag.store(true, Ordering::Relaxed);
    assert!(
        error.ends_with("action 1: it did not answer within 200ms")
            || error.ends_with("action 0: it did not answer within 200ms"),
        "{error}"
    );
    let run = RunDirectory::open(folder.path()).unwrap();
    assert_eq!(run.info().unwrap().status, RunStatus::Failed);
    run.policy(CheckpointChoice::EnvSteps(1000), &request.registry).unwrap();
}
