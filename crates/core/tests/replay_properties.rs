//! Rows 1 to 4 and 19: every stored transition, after every step, against a recomputation from what really happened.

#[path = "common/logged_env.rs"]
mod logged_env;
#[path = "common/stacked_env.rs"]
mod stacked_env;

use deepq_core::loss::mask_row;
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig};
use deepq_core::replay::{Batch, ReplayStore, ReplayStoreConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    Actor, ActorConfig, ElementKind, Env, EpsilonGreedy, ExplorationRates, ObservationBuffer, StackPadding,
    StateReader, StateWriter, VectorEnv,
};
use logged_env::{ACTIONS, Log, LoggedEnv, Taken};
use proptest::prelude::*;
use stacked_env::StackedEnv;

/// Powers of it and small whole numbers have exact sums in whatever order they are added.
const GAMMA: f64 = 0.5;

#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    envs: usize,
    n_step: usize,
    capacity: usize,
    most_steps: usize,
    frames: usize,
    padding: StackPadding,
    element: ElementKind,
    bootstrap_at_truncation: bool,
    masked: bool,
    steps: usize,
    /// Before which step actor and store are replaced by others that load their state.
    load_at: usize,
}

fn plans() -> impl Strategy<Value = Plan> {
    let sizes = (1..=4usize, 1..=6usize, 1..=40usize, 1..=40usize, 1..=5usize);
    let flags = (any::<bool>(), prop::bool::weighted(0.8), any::<bool>(), any::<bool>());
    (any::<u64>(), sizes, flags, 20..160usize, 0..160usize).prop_map(
        |(seed, (envs, n_step, capacity, most_steps, frames), flags, steps, load_at)| {
            let (bytes, bootstrap, masked, zeros) = flags;
            let padding = if zeros { StackPadding::Zero } else { StackPadding::Reset };
            let element = if bytes { ElementKind::U8 } else { ElementKind::F32 };
            let bootstrap_at_truncation = bootstrap;
            Plan {
                seed,
                envs,
                n_step,
                capacity,
                most_steps,
                frames,
                padding,
                element,
                bootstrap_at_truncation,
                masked,
                steps,
                load_at,
            }
        },
    )
}

/// A transition by its contents.
#[derive(Clone, Debug, PartialEq)]
struct Whole {
    observation: Vec<f32>,
    action: u32,
    reward: f32,
    discount: f32,
    next_observation: Vec<f32>,
    masks: [Vec<bool>; 2],
}

/// The step with which the transition that starts at `start` is complete.
fn completed_at(log: &[Taken], start: usize, n_step: usize) -> Option<usize> {
    let complete = |at: &usize| log[*at].step.ended() || at + 1 == start + n_step;
    (start..(start + n_step).min(log.len())).find(complete)
}

/// The frames up to the observation at which step `at` was taken, oldest first, and `newest` after them where it
/// is given: as many as the plan says, with its padding in the place of those before an episode's first.
fn stacked(log: &[Taken], at: usize, newest: Option<&[f32]>, plan: &Plan) -> Vec<f32> {
    let first = (0..at).rev().find(|before| log[*before].step.ended()).map_or(0, |before| before + 1);
    let mut latest: Vec<&[f32]> = newest.into_iter().collect();
    latest.extend((first..=at).rev().map(|i| &log[i].observation[..]));
    let zeros = vec![0.0; log[first].observation.len()];
    let padding = if plan.padding == StackPadding::Zero { &zeros } else { &log[first].observation };
    latest.resize(latest.len().max(plan.frames), padding);
    latest[..plan.frames].iter().rev().flat_map(|frame| frame.to_vec()).collect()
}

/// What a transition's observations allow; nothing follows a terminated one, whose mask allows all.
fn masks(start: &Taken, end: &Taken, plan: &Plan) -> [Vec<bool>; 2] {
    match plan.masked {
        true if end.step.terminated => [start.masks[0].to_vec(), vec![true; ACTIONS]],
        true => [start.masks[0].to_vec(), end.masks[1].to_vec()],
        false => [vec![], vec![]],
    }
}

/// All transitions that there have been, in the order they were completed in, from the logs alone.
fn all_transitions(logs: &[Log], plan: &Plan) -> Vec<Whole> {
    let mut all = vec![];
    for (env, log) in logs.iter().enumerate() {
        let log = log.lock().unwrap();
        for start in 0..log.len() {
            let Some(end) = completed_at(&log, start, plan.n_step) else { continue };
            let reward: f64 =
                (start..=end).map(|i| log[i].step.reward * GAMMA.powi((i - start) as i32)).sum();
            let last = log[end].step;
            let over = last.terminated || (last.truncated && !plan.bootstrap_at_truncation);
            let discount = if over { 0.0 } else { GAMMA.powi((end - start + 1) as i32) };
            let whole = Whole {
                observation: stacked(&log, start, None, plan),
                action: log[start].action,
                reward: reward as f32,
                discount: discount as f32,
                next_observation: stacked(&log, end, Some(&log[end].next), plan),
                masks: masks(&log[start], &log[end], plan),
            };
            all.push(((end, env, start), whole));
        }
    }
    all.sort_by_key(|(order, _)| *order);
    all.into_iter().map(|(_, whole)| whole).collect()
}

fn elements(buffer: &ObservationBuffer, row: usize, width: usize) -> Vec<f32> {
    let place = row * width..(row + 1) * width;
    match buffer {
        ObservationBuffer::F32(values) => values[place].to_vec(),
        ObservationBuffer::U8(values) => values[place].iter().map(|value| f32::from(*value)).collect(),
    }
}

struct Rig {
    actor: Actor,
    store: ReplayStore,
}

impl Rig {
    fn new(plan: &Plan, logs: &[Log], seed: u64) -> Self {
        let &Plan { envs, n_step, capacity, most_steps, frames, element, bootstrap_at_truncation, .. } = plan;
        let list = (logs.iter().enumerate())
            .map(|(i, log)| -> Box<dyn Env> {
                let env = LoggedEnv::new(i, most_steps, element, log.clone());
                let env = if plan.masked { env.masked() } else { env };
                if frames > 1 { Box::new(StackedEnv::new(env, frames, plan.padding)) } else { Box::new(env) }
            })
            .collect();
        let policy = Box::new(EpsilonGreedy::new(seed, envs, ACTIONS));
        let config = ActorConfig { n_step, gamma: GAMMA, bootstrap_at_truncation };
        let actor = Actor::new(VectorEnv::new(list).unwrap(), policy, config);
        let config = ReplayStoreConfig {
            capacity,
            envs,
            actions: ACTIONS,
            n_step,
            element,
            observation_len: 3 * frames,
            stacked_frames: frames,
            stack_padding: plan.padding,
            action_masks: plan.masked,
        };
        Self { actor, store: ReplayStore::new(config) }
    }

    fn save(&self) -> Vec<u8> {
        let mut state = StateWriter::new();
        self.store.save_state(&mut state);
        self.actor.save_state(&mut state);
        state.into_bytes()
    }

    fn load(&mut self, bytes: &[u8]) {
        let mut reader = StateReader::new(bytes);
        self.store.load_state(&mut reader).unwrap();
        self.actor.load_state(&mut reader, &self.store).unwrap();
        reader.finish().unwrap();
    }

    /// The transitions held, oldest first, as a batch gives them.
    fn held(&self, pushed: usize) -> Vec<Whole> {
        let (len, capacity) = (self.store.len(), self.store.config().capacity);
        let slots: Vec<u32> = (pushed - len..pushed).map(|number| (number % capacity) as u32).collect();
        let width = self.store.config().observation_len;
        let mut batch = Batch::zeros(len, self.store.config().element, width);
        self.store.gather(&slots, &mut batch);
        (0..len)
            .map(|row| Whole {
                observation: elements(&batch.observation, row, width),
                action: batch.action[row],
                reward: batch.reward[row],
                discount: batch.discount[row],
                next_observation: elements(&batch.next_observation, row, width),
                masks: [&batch.mask, &batch.next_mask].map(|mask| mask_row(mask, row, ACTIONS).to_vec()),
            })
            .collect()
    }
}

fn holds(plan: &Plan) {
    let logs: Vec<Log> = (0..plan.envs).map(|_| Log::default()).collect();
    let inputs = 3 * plan.frames;
    let spec = NetworkSpec::mlp(inputs, &[], ACTIONS, Initialization::FanInUniform);
    let zeros = vec![0.0; inputs * ACTIONS + ACTIONS];
    let mut network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &zeros);
    let seeds: Vec<u64> = (0..plan.envs as u64).map(|env| plan.seed.wrapping_add(env)).collect();
    let mut rig = Rig::new(plan, &logs, plan.seed);
    rig.actor.reset(&seeds, &mut rig.store).unwrap();
    for step in 0..plan.steps {
        if step == plan.load_at {
            let bytes = rig.save();
            rig = Rig::new(plan, &logs, plan.seed.wrapping_add(99));
            rig.load(&bytes);
            assert_eq!(rig.save(), bytes, "the state saved again");
        }
        rig.actor
            .step(
                &mut network,
                ExplorationRates::epsilon(if plan.masked { 0.5 } else { 1.0 }),
                &mut rig.store,
            )
            .unwrap();
        let all = all_transitions(&logs, plan);
        assert_eq!(rig.store.len(), all.len().min(plan.capacity), "transitions held after step {step}");
        let held = rig.held(all.len());
        let expected = &all[all.len() - held.len()..];
        for log in &logs {
            let taken = log.lock().unwrap()[step].clone();
            assert!(taken.masks[0][taken.action as usize], "a masked action in step {step}");
        }
        for (found, expected) in held.iter().zip(expected) {
            assert_eq!(found, expected, "after step {step}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Row 14 too: stacks of frames with either padding, which never cross an episode, in a ring that is full, and with
    /// the last observation of each episode.
    ///
    /// Whatever the sizes: no window crosses a reset or the write head, no start is lost, each bootstraps from
    /// the right observation with the right discount, and a loaded memory goes on as the one that was saved.
    #[test]
    fn row_4_every_stored_transition_is_what_happened(plan in plans()) {
        holds(&plan);
    }
}
