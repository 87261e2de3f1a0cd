//! Row 19: an action mask applies in acting and in the target, and a state that allows nothing is an error.

use deepq_core::loss::{ErrorFunction, ExpectedLoss, TargetRule};
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig};
use deepq_core::replay::{ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Learner, LearnerConfig, Observation, ObservationMut,
    Period, Progress, RandomStream, StateError, StateReader, StateWriter, Step, TargetUpdate, Transition,
    VectorEnv,
};

/// What is wrong with the doors after the third step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    NoMask,
    Short,
    AllShut,
    AllShutTruncated,
    AllShutTerminated,
    AllShutAtFirst,
    Panic,
}

/// Three doors, one of which is shut after each step.
struct Doors {
    spec: EnvSpec,
    wrong: Wrong,
    steps: u32,
    mask: Vec<bool>,
}

impl Doors {
    fn new(wrong: Wrong) -> Self {
        let spec =
            EnvSpec { action_masks: true, ..EnvSpec::new("Doors-v0", BoxSpace::vector(&[0.0], &[1.0]), 3) };
        Self { spec, wrong, steps: 0, mask: vec![] }
    }
}

impl Env for Doors {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        observation.f32()[0] = 0.0;
        self.steps = 0;
        self.mask = vec![self.wrong != Wrong::AllShutAtFirst; 3];
        Ok(())
    }

    fn step(&mut self, _action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        observation.f32()[0] = 0.5;
        self.steps += 1;
        self.mask = (0..3).map(|action| action != self.steps % 3).collect();
        let third = self.steps == 3;
        match self.wrong {
            Wrong::Short if third => self.mask = vec![true; 2],
            Wrong::AllShut | Wrong::AllShutTruncated | Wrong::AllShutTerminated if third => {
                self.mask = vec![false; 3];
            }
            _ => {}
        }
        let terminated = third && self.wrong == Wrong::AllShutTerminated;
        let truncated = third && self.wrong == Wrong::AllShutTruncated || self.steps == 4;
        Ok(Step { reward: 0.0, terminated, truncated })
    }

    fn action_mask(&self) -> Option<&[bool]> {
        match self.wrong {
            Wrong::NoMask if self.steps == 3 => None,
            Wrong::Panic if self.steps == 3 => panic!("the doors are stuck"),
            _ => Some(&self.mask),
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.u32(self.steps);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.steps = state.u32("steps")?;
        Ok(())
    }
}

fn vector_env(wrong: Wrong) -> VectorEnv {
    VectorEnv::new(vec![Box::new(Doors::new(Wrong::Nothing)), Box::new(Doors::new(wrong))]).unwrap()
}

#[test]
fn row_19_masks_follow_the_observations() {
    let mut envs = vector_env(Wrong::AllShutTerminated);
    envs.reset(&[1, 2]).unwrap();
    assert_eq!(envs.action_masks(), [true; 6]);
    for step in 1..=4 {
        envs.step(&[0, 1]).unwrap();
        let shut = |step: usize| -> Vec<bool> { (0..3).map(|action| action != step % 3).collect() };
        match step {
            1 | 2 => assert_eq!(envs.action_masks(), [shut(step), shut(step)].concat()),
            3 => {
                assert_eq!(envs.action_masks(), [shut(3), vec![true; 3]].concat(), "the next episode's");
                assert_eq!(envs.final_action_mask(1), [true; 3], "a terminated one may say anything");
            }
            _ => {
                assert_eq!(envs.action_masks(), [vec![true; 3], shut(1)].concat());
                assert_eq!(envs.final_action_mask(0), shut(4), "a truncated one goes on, unseen");
            }
        }
    }
    let mut state = StateWriter::new();
    envs.save_state(&mut state);
    let bytes = state.into_bytes();
    let mut other = vector_env(Wrong::AllShutTerminated);
    other.load_state(&mut StateReader::new(&bytes)).unwrap();
    assert_eq!(other.action_masks(), envs.action_masks());
    // The tag, the count, two observations, the length of the masks; the second environment's follow the first's.
    let start = (8 + 10) + 8 + (8 + 8) + 8;
    for (place, flags) in [(start, [0, 0, 0]), (start + 3, [0, 0, 0]), (start, [2, 1, 1])] {
        let mut damaged = bytes.clone();
        damaged[place..place + 3].copy_from_slice(&flags);
        assert!(other.load_state(&mut StateReader::new(&damaged)).is_err(), "{flags:?}");
    }
}

#[test]
fn environments_without_masks_have_none() {
    let spec = EnvSpec::new("Doors-v0", BoxSpace::vector(&[0.0], &[1.0]), 3);
    let open = || Box::new(Doors { spec: spec.clone(), ..Doors::new(Wrong::AllShutAtFirst) });
    let mut envs = VectorEnv::new(vec![open(), open()]).unwrap();
    envs.reset(&[1, 2]).unwrap();
    (0..9).for_each(|_| envs.step(&[0, 1]).unwrap());
    assert!(envs.action_masks().is_empty() && envs.final_action_mask(1).is_empty());
    let mixed = VectorEnv::new(vec![open(), Box::new(Doors::new(Wrong::Nothing))]);
    assert!(mixed.is_err(), "some with masks and some without");
}

/// Row 19: a fully masked state is an error, told with its place.
#[test]
fn row_19_a_mask_that_allows_nothing_is_an_error_with_its_place() {
    let begin = "environment 1 (Doors-v0), seed 2, episode 1, ";
    for (wrong, message) in [
        (Wrong::NoMask, "step 3, action 1: its spec says that it masks actions, but it gives no mask"),
        (Wrong::Short, "step 3, action 1: its action mask has 2 flags for 3 actions"),
        (Wrong::AllShut, "step 3, action 1: its action mask allows no action, though the episode goes on"),
        (
            Wrong::AllShutTruncated,
            "step 3, action 1: its action mask allows no action, though the episode goes on",
        ),
        (Wrong::AllShutAtFirst, "in reset: its action mask allows no action, though the episode goes on"),
        (Wrong::Panic, "step 3, action 1: it panicked: the doors are stuck"),
    ] {
        let mut envs = vector_env(wrong);
        let mut outcome = envs.reset(&[1, 2]);
        for _ in 0..3 {
            outcome = outcome.and_then(|()| envs.step(&[0, 1]));
        }
        assert_eq!(outcome.unwrap_err().to_string(), format!("{begin}{message}"), "{wrong:?}");
    }
}

fn masked_store() -> ReplayStore {
    ReplayStore::new(ReplayStoreConfig {
        capacity: 4,
        envs: 1,
        actions: 3,
        n_step: 1,
        element: ElementKind::F32,
        observation_len: 1,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: true,
    })
}

/// Row 19: the mask of the next observation reaches the target's argmax, in Double Q-learning too, at the end of a
/// truncated episode too.
#[test]
fn row_19_the_target_does_not_bootstrap_from_a_masked_action() {
    for (double, at_the_end) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut store = masked_store();
        store.push_observations(Observation::F32(&[0.0]), &[true, true, false], |_| true);
        let (at, mask) = (store.newest(0), [true, true, false]);
        let next = match at_the_end {
            true => store.push_final(Observation::F32(&[0.0]), &mask),
            false => store.upcoming(0),
        };
        store.push_observations(Observation::F32(&[0.0]), &mask, |_| at_the_end);
        store.push(Transition {
            observation: at,
            action: 0,
            reward: 1.0,
            discount: 0.5,
            next_observation: next,
        });

        // The values are 1, 2 and 30 everywhere.
        let spec = NetworkSpec::mlp(1, &[], 3, Initialization::FanInUniform);
        let parameters = [0.0, 0.0, 0.0, 1.0, 2.0, 30.0];
        let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &parameters);
        let target_update = TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 100 } };
        let config = LearnerConfig {
            batch_size: 2,
            minibatch_size: 2,
            max_gradient_norm: None,
            target_update,
            reset: None,
        };
        let loss = ExpectedLoss::new(
            if double { TargetRule::DOUBLE } else { TargetRule::Q_LEARNING },
            ErrorFunction::Squared,
        );
        let mut learner = Learner::new(Box::new(network), Box::new(loss), config, 1);
        let (mut sampler, mut stream) =
            (Sampler::new(SamplerConfig::Uniform, 4), RandomStream::new(1, "replay", 0));
        learner.learn(&store, &mut sampler, &mut stream, Progress::default(), 0.0);
        assert_eq!(learner.batch().0.next_mask, [mask, mask].concat());
        assert_eq!(learner.td_errors(), [1.0 + 0.5 * 2.0 - 1.0; 2], "double {double}");
    }
}

#[test]
fn masks_are_counted_in_the_memory() {
    let config = *masked_store().config();
    let plain = ReplayStoreConfig { action_masks: false, ..config };
    let wide = ReplayStoreConfig { actions: 9, ..config };
    let places = (config.bytes() - plain.bytes(), wide.bytes() - plain.bytes());
    // The queue of last observations begins with 64 places.
    assert_eq!(places, (7 + 64, 2 * (7 + 64)), "one and two bytes for each of 4 + 3 and 64 observations");
    let mut store = masked_store();
    let empty = store.bytes();
    for _ in 0..65 {
        store.push_final(Observation::F32(&[0.0]), &[true; 3]);
    }
    assert_eq!(store.bytes() - empty, 64 * (4 + 1), "the last observations have grown to twice as many");
}
