//! Rows 2, 3 and 13: environments stepped together, and their faults told.

#[path = "common/logged_env.rs"]
mod logged_env;

use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    Actor, ActorConfig, BoxSpace, ElementKind, Env, EnvError, EnvFailure, EnvSpec, EpsilonGreedy,
    EpsilonZGreedy, ExplorationRates, Observation, ObservationMut, StateError, StateReader, StateWriter,
    Step, VectorEnv,
};
use logged_env::{ACTIONS, Log, LoggedEnv};

const EXPLORING: ExplorationRates = ExplorationRates { epsilon: 1.0, temperature: 0.0 };

fn logged(count: usize, most_steps: usize) -> (VectorEnv, Vec<Log>) {
    let logs: Vec<Log> = (0..count).map(|_| Log::default()).collect();
    let list = (logs.iter().enumerate())
        .map(|(i, log)| -> Box<dyn Env> {
            Box::new(LoggedEnv::new(i, most_steps, ElementKind::F32, log.clone()))
        })
        .collect();
    (VectorEnv::new(list).unwrap(), logs)
}

fn row(observation: Observation<'_>) -> Vec<f32> {
    match observation {
        Observation::F32(values) => values.to_vec(),
        Observation::U8(values) => values.iter().map(|value| f32::from(*value)).collect(),
    }
}

/// Row 2: Gymnasium's `SAME_STEP`. The last observation of an episode is kept, and the one to act on next is
/// the first of the next episode.
#[test]
fn row_2_the_last_observation_is_kept_beside_the_first_of_the_next_episode() {
    let (mut envs, logs) = logged(3, 4);
    envs.reset(&[1, 2, 3]).unwrap();
    let mut sums = [(0.0, 0); 3];
    let mut ended = 0;
    for step in 0..300 {
        let before: Vec<Vec<f32>> =
            (0..3).map(|i| row(envs.observations().slice(3 * i..3 * i + 3))).collect();
        envs.step(&[0, 1, 2]).unwrap();
        let mut finished = envs.finished_episodes().iter();
        for env in 0..3 {
            let taken = logs[env].lock().unwrap()[step].clone();
            assert_eq!(taken.observation, before[env], "the action was taken at what was shown");
            assert_eq!((taken.action, taken.step), (env as u32, envs.steps()[env]));
            sums[env] = (sums[env].0 + taken.step.reward, sums[env].1 + 1);
            let shown = row(envs.observations().slice(3 * env..3 * env + 3));
            if !taken.step.ended() {
                assert_eq!(shown, taken.next);
                continue;
            }
            ended += 1;
            assert_eq!(row(envs.final_observation(env)), taken.next, "the true last observation");
            assert_eq!(shown[2], (taken.next[2] + 1.0) % 256.0, "the first one of the next episode");
            let episode = finished.next().unwrap();
            let (episodic_return, episode_length) = std::mem::take(&mut sums[env]);
            assert_eq!((episode.env, episode.episode_length), (env, episode_length));
            assert_eq!(episode.episodic_return, episodic_return);
        }
        assert!(finished.next().is_none());
    }
    assert!(ended > 100);
}

fn rig(count: usize, n_step: usize, seed: u64) -> (Actor, ReplayStore, Vec<Log>, ReferenceNetwork) {
    let (envs, logs) = logged(count, 9);
    let policy = Box::new(EpsilonGreedy::new(seed, count, ACTIONS));
    let actor = Actor::new(envs, policy, ActorConfig { n_step, gamma: 0.5, bootstrap_at_truncation: true });
    let store = ReplayStore::new(ReplayStoreConfig {
        capacity: 10_000,
        envs: count,
        actions: ACTIONS,
        n_step,
        element: ElementKind::F32,
        observation_len: 3,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: false,
    });
    let spec = NetworkSpec::mlp(3, &[], ACTIONS, Initialization::FanInUniform);
    // The greatest value is always that of action 2.
    let parameters = [[0.0; 9].as_slice(), &[0.0, 1.0, 2.0]].concat();
    (actor, store, logs, ReferenceNetwork::new(&spec, OptimizerConfig::default(), &parameters))
}

/// Row 2: no window spans a reset from outside either. A second run of an actor begins with another store.
#[test]
fn row_2_no_window_spans_a_second_reset() {
    let (mut actor, mut store, logs, mut network) = rig(2, 4, 1);
    actor.reset(&[1, 2], &mut store).unwrap();
    (0..10).for_each(|_| actor.step(&mut network, EXPLORING, &mut store).unwrap());
    let again = std::panic::AssertUnwindSafe(|| actor.reset(&[1, 2], &mut store));
    assert!(std::panic::catch_unwind(again).is_err(), "a store in use was accepted");

    let (_, mut store, ..) = rig(2, 4, 1);
    let first_of_run = logs.iter().map(|log| log.lock().unwrap().len()).collect::<Vec<_>>();
    actor.reset(&[1, 2], &mut store).unwrap();
    (0..10).for_each(|_| actor.step(&mut network, EXPLORING, &mut store).unwrap());
    let mut starts = [0, 0];
    for index in 0..store.len() {
        let at = row(store.observation(store.transition(index).observation).as_observation());
        let env = at[0] as usize;
        assert_eq!(at, logs[env].lock().unwrap()[first_of_run[env] + starts[env]].observation);
        starts[env] += 1;
    }
    assert!(starts.iter().all(|count| *count > 0));
}

/// Row 3: each environment has a window of its own, and every start but those that still wait is emitted once.
#[test]
fn row_3_windows_of_several_environments_do_not_mix() {
    let (mut actor, mut store, logs, mut network) = rig(3, 4, 1);
    actor.reset(&[1, 2, 3], &mut store).unwrap();
    (0..200).for_each(|_| actor.step(&mut network, EXPLORING, &mut store).unwrap());
    let mut starts = vec![vec![]; 3];
    for index in 0..store.len() {
        let transition = store.transition(index);
        let (at, next) =
            (store.observation(transition.observation), store.observation(transition.next_observation));
        let (at, next) = (at.as_observation(), next.as_observation());
        assert_eq!(row(at)[0], row(next)[0], "a transition leads from one environment to another");
        starts[row(at)[0] as usize].push(row(at));
    }
    for (starts, log) in starts.iter().zip(&logs) {
        let log = log.lock().unwrap();
        assert!(starts.len() > log.len() - 4);
        for (start, taken) in starts.iter().zip(log.iter()) {
            assert_eq!(start, &taken.observation, "no start is lost, none comes twice");
        }
    }
}

/// The actions of environment 0 where there are `count` environments.
fn actions_of_the_first(count: usize, seed: u64, epsilon: f64) -> Vec<u32> {
    let (mut actor, mut store, logs, mut network) = rig(count, 1, seed);
    let seeds: Vec<u64> = (0..count as u64).collect();
    actor.reset(&seeds, &mut store).unwrap();
    (0..200).for_each(|_| actor.step(&mut network, ExplorationRates::epsilon(epsilon), &mut store).unwrap());
    let log = logs[0].lock().unwrap();
    log.iter().map(|taken| taken.action).collect()
}

/// Row 13: an environment explores in the same way however many others there are, and in another way with
/// another seed.
#[test]
fn row_13_environments_explore_by_streams_of_their_own() {
    for epsilon in [1.0, 0.5] {
        let alone = actions_of_the_first(1, 7, epsilon);
        assert_eq!(alone, actions_of_the_first(3, 7, epsilon));
        assert_ne!(alone, actions_of_the_first(1, 8, epsilon));
        let explored = alone.iter().filter(|action| **action != 2).count() as f64;
        assert!((explored / 200.0 - epsilon * 2.0 / 3.0).abs() < 0.12, "{explored} of 200 at {epsilon}");
    }
    assert!(actions_of_the_first(2, 7, 0.0).iter().all(|action| *action == 2));
}

/// An exploration over many steps ends where its environment's episode does, and nowhere else.
#[test]
fn row_13_an_actor_tells_its_policy_where_episodes_begin() {
    let (envs, logs) = logged(3, 9);
    let policy = Box::new(EpsilonZGreedy::new(1, 3, ACTIONS, 0.0, 1_000_000));
    let config = ActorConfig { n_step: 1, gamma: 0.5, bootstrap_at_truncation: true };
    let mut actor = Actor::new(envs, policy, config);
    let (_, mut store, _, mut network) = rig(3, 1, 1);
    actor.reset(&[1, 2, 3], &mut store).unwrap();
    (0..600).for_each(|_| actor.step(&mut network, EXPLORING, &mut store).unwrap());
    let (mut ends, mut changes) = (0.0, 0.0);
    for log in &logs {
        for pair in log.lock().unwrap().windows(2) {
            let same = pair[0].action == pair[1].action;
            assert!(same || pair[0].step.ended(), "another action within an episode");
            ends += f64::from(u8::from(pair[0].step.ended()));
            changes += f64::from(u8::from(!same));
        }
    }
    assert!(ends > 200.0 && (changes / ends - 2.0 / 3.0).abs() < 0.15, "{changes} of {ends}");
}

/// What goes wrong in the third step of environment 1, or in its reset.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Reward(f64),
    Observation(f32),
    Error,
    Panic,
    ObservationInReset,
}

struct Wayward {
    spec: EnvSpec,
    wrong: Option<Wrong>,
    steps: u32,
}

impl Wayward {
    fn new(wrong: Option<Wrong>) -> Self {
        let id = if wrong.is_some() { "Wayward-v1" } else { "Wayward-v0" };
        let spec = EnvSpec::new(id, BoxSpace::vector(&[0.0; 3], &[1.0; 3]), 6);
        Self { spec, wrong, steps: 0 }
    }
}

impl Env for Wayward {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let first = if self.wrong == Some(Wrong::ObservationInReset) { f32::NAN } else { 0.0 };
        observation.f32().copy_from_slice(&[first, 0.0, 0.0]);
        Ok(())
    }

    fn step(&mut self, _action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.steps += 1;
        observation.f32().fill(0.5);
        let wrong = self.wrong.filter(|_| self.steps == 3);
        match wrong {
            Some(Wrong::Panic) => panic!("{} screws loose", 2),
            Some(Wrong::Error) => Err(EnvError::new("the motor is too hot")),
            Some(Wrong::Reward(reward)) => Ok(Step { reward, ..Step::default() }),
            _ => Ok(Step::default()),
        }
    }

    fn save_state(&self, _state: &mut StateWriter) {}

    fn load_state(&mut self, _state: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// `Wayward` with an observation that is wrong: written over what it writes.
struct Blurred(Wayward, f32);

impl Env for Blurred {
    fn spec(&self) -> &EnvSpec {
        self.0.spec()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.0.reset(seed, observation)
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let values = observation.f32();
        let step = self.0.step(action, ObservationMut::F32(values));
        if self.0.steps == 3 {
            values[2] = self.1;
        }
        step
    }

    fn save_state(&self, _state: &mut StateWriter) {}

    fn load_state(&mut self, _state: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

fn error_of(wrong: Wrong) -> EnvFailure {
    let second: Box<dyn Env> = match wrong {
        Wrong::Observation(value) => Box::new(Blurred(Wayward::new(Some(wrong)), value)),
        wrong => Box::new(Wayward::new(Some(wrong))),
    };
    let mut envs = VectorEnv::new(vec![Box::new(Wayward::new(None)), second]).unwrap();
    if let Err(error) = envs.reset(&[0, 1]) {
        return error;
    }
    (0..2).for_each(|_| envs.step(&[0, 1]).unwrap());
    envs.step(&[4, 5]).unwrap_err()
}

#[test]
fn what_an_environment_does_wrong_is_told_with_its_place() {
    let begin = "environment 1 (Wayward-v1), seed 1, episode 1, step 3, action 5: ";
    for (wrong, message) in [
        (Wrong::Reward(f64::NAN), "its reward is NaN, which is not a finite number"),
        (Wrong::Reward(f64::NEG_INFINITY), "its reward is -inf, which is not a finite number"),
        (Wrong::Observation(f32::NAN), "element 2 of its observation is NaN, which is not a finite number"),
        (
            Wrong::Observation(f32::INFINITY),
            "element 2 of its observation is inf, which is not a finite number",
        ),
    ] {
        let error = error_of(wrong);
        assert_eq!((error.call.index, error.call.action, error.call.episode_steps), (1, Some(5), 3));
        assert_eq!(error.to_string(), format!("{begin}{message}"));
    }
    assert_eq!(error_of(Wrong::Panic).to_string(), format!("{begin}it panicked: 2 screws loose"));
    let error = error_of(Wrong::Error);
    assert_eq!((error.call.index, error.call.action), (1, Some(5)));
    assert!(error.to_string().ends_with("action 5: the motor is too hot"), "{error}");
    assert_eq!(error.source.unwrap().to_string(), "the motor is too hot");
    let error = error_of(Wrong::ObservationInReset);
    assert_eq!((error.call.index, error.call.action, error.call.episode_steps), (1, None, 0));
    assert!(error.to_string().contains("in reset: element 0 of its observation is NaN"), "{error}");
}

/// An environment that only has a spec.
struct SpecOnly(EnvSpec);

impl Env for SpecOnly {
    fn spec(&self) -> &EnvSpec {
        &self.0
    }

    fn reset(&mut self, _: Option<u64>, _: ObservationMut<'_>) -> Result<(), EnvError> {
        Ok(())
    }

    fn step(&mut self, _: usize, _: ObservationMut<'_>) -> Result<Step, EnvError> {
        Ok(Step::default())
    }

    fn save_state(&self, _: &mut StateWriter) {}

    fn load_state(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

#[test]
fn a_spec_that_no_memory_fits_is_refused_and_not_a_panic() {
    let refusal = |len: usize, actions: usize, stacked_frames: usize| {
        let space = BoxSpace::vector(&vec![0.0; len], &vec![1.0; len]);
        let spec = EnvSpec { stacked_frames, ..EnvSpec::new("Odd-v0", space, actions) };
        VectorEnv::new(vec![Box::new(SpecOnly(spec))]).err().map(|error| error.to_string())
    };
    assert_eq!(refusal(300, 2, 1), None);
    assert_eq!(refusal(4, 1, 4), None);
    for (len, actions, frames, expected) in [
        (4, 0, 1, "Odd-v0: it has 0 actions; it takes at least 1"),
        (0, 2, 1, "Odd-v0: its observations have 0 elements; they take at least 1"),
        (4, 2, 0, "stacked_frames = 0; allowed is 1 to 256, a divisor of the 4 elements"),
        (4, 2, 3, "stacked_frames = 3; allowed is 1 to 256, a divisor of the 4 elements"),
        (300, 2, 300, "stacked_frames = 300; allowed is 1 to 256, a divisor of the 300 elements"),
    ] {
        let error = refusal(len, actions, frames).expect("refused");
        assert!(error.contains(expected), "{error}");
    }
}
