//! `check_env`: it has nothing against this crate's environments, and tells each fault of a wrong one by name.

use std::time::Duration;

use deepq_core::{
    BoxSpace, ElementKind, Env, EnvError, EnvSpec, Frame, ObservationMut, RandomStream, Space, StateError,
    StateReader, StateWriter, Step,
};
use deepq_envs::check::{CheckOptions, CheckReport, FindingKind, check_env, check_env_with};
use deepq_envs::wrappers::{FrameStack, StickyActions};
use deepq_envs::{CartPole, TimeLimit, ids, make};

const FIELDS: usize = 10;

/// What is wrong with a [`Corridor`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    NoActions,
    BoundsReversed,
    StackDoesNotDivide,
    IdChanges,
    PanicInMake,
    PanicInReset,
    PanicInStep,
    HangInStep,
    ErrorInStep,
    WritesOneElement,
    AddsToTheObservation,
    NanObservation,
    BytesForNumbers,
    OutsideBounds,
    NotWhole,
    ConstantObservation,
    StackNotShifted,
    InfiniteReward,
    HugeReward,
    EqualRewards,
    ActionIgnored,
    RandomOfItsOwn,
    ForgetsAField,
    SeedsWithoutSeed,
    MaskTooShort,
    MaskForbidsAll,
    MaskMissing,
    MaskUnannounced,
    LimitForgotten,
    TruncatesAnywhere,
    NeverEnds,
    StateWithoutField,
    StateKeepsTheOld,
    StateWithoutMask,
    StateReadShort,
    StateAssignsEarly,
    StatePanics,
    FrameOfOtherSize,
    NoFrame,
    FrameUnannounced,
    StepBeforeReset,
    PanicBeforeReset,
    ActionUnchecked,
    ActionPanics,
    PanicAfterEnd,
}

/// The corridors that give a mask.
const MASKED: [Fault; 4] =
    [Fault::MaskTooShort, Fault::MaskForbidsAll, Fault::StateWithoutMask, Fault::MaskUnannounced];

/// A walk to the right end of a corridor: 1 for reaching it, −0.01 a step, and at most 100 steps.
struct Corridor {
    fault: Fault,
    spec: EnvSpec,
    other_spec: EnvSpec,
    random: RandomStream,
    field: usize,
    /// Steps of the episode; `None` before the first reset and after an end.
    steps: Option<u32>,
    mask: Vec<bool>,
    /// Whether it was ever reset.
    begun: bool,
}

impl Corridor {
    fn new(fault: Fault) -> Self {
        assert!(fault != Fault::PanicInMake, "no corridor today");
        let mut space = BoxSpace::vector(&[0.0, 0.0], &[1.0, 1.0]);
        if fault == Fault::BoundsReversed {
            space.low[1] = 2.0;
        }
        if fault == Fault::BytesForNumbers {
            space.element = ElementKind::U8;
        }
        let space = match fault {
            Fault::NotWhole => Space::MultiDiscrete { counts: vec![2, 2] },
            _ => Space::Box(space),
        };
        let unlimited = [Fault::NeverEnds, Fault::TruncatesAnywhere].contains(&fault);
        let spec = EnvSpec {
            max_episode_steps: if unlimited { None } else { Some(100) },
            frame_size: if fault == Fault::FrameUnannounced { None } else { Some((20, 2)) },
            stacked_frames: match fault {
                Fault::StackDoesNotDivide => 3,
                Fault::StackNotShifted => 2,
                _ => 1,
            },
            action_masks: MASKED.contains(&fault) && fault != Fault::MaskUnannounced
                || fault == Fault::MaskMissing,
            ..EnvSpec::new("Corridor", space, if fault == Fault::NoActions { 0 } else { 2 })
        };
        let mask = match fault {
            Fault::MaskTooShort => vec![true],
            Fault::MaskForbidsAll => vec![false; 2],
            _ => vec![true; 2],
        };
        let other_spec = EnvSpec { id: "Other".into(), ..spec.clone() };
        Self { fault, spec, other_spec, random: stream(0), field: 0, steps: None, mask, begun: false }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        let values = observation.f32();
        let share = self.field as f32 / (FIELDS - 1) as f32;
        match self.fault {
            Fault::WritesOneElement => values[0] = share,
            Fault::AddsToTheObservation => values.iter_mut().for_each(|value| *value += share),
            Fault::NanObservation if self.field == 7 => values.fill(f32::NAN),
            Fault::OutsideBounds => values.fill(share * 2.0),
            Fault::NotWhole => values.fill(if self.field == 7 { 0.5 } else { 1.0 }),
            Fault::ConstantObservation => values.fill(0.25),
            _ => {
                values[0] = share;
                values[1] = self.steps.unwrap_or(0) as f32 / 10_000.0;
            }
        }
    }

    fn check_step(&self, action: usize) -> Result<u32, EnvError> {
        let steps = match self.steps {
            Some(steps) => steps,
            None if self.is(Fault::StepBeforeReset) => 0,
            None => {
                assert!(!self.is(Fault::PanicBeforeReset), "reset before the first step");
                assert!(!self.is(Fault::PanicAfterEnd) || !self.begun, "the episode has ended");
                return Err(EnvError::new("reset it first"));
            }
        };
        if self.is(Fault::ActionPanics) {
            assert!(self.mask[action]);
        }
        if action >= 2 && !self.is(Fault::ActionUnchecked) {
            return Err(EnvError::new(format!("there is no action {action}")));
        }
        Ok(steps + 1)
    }

    fn walk(&mut self, action: usize) {
        match action {
            1 if !self.is(Fault::ActionIgnored) => self.field += 1,
            _ if self.is(Fault::ActionIgnored) => self.field += self.random.below(2),
            _ => self.field = self.field.saturating_sub(1),
        }
        if self.is(Fault::NeverEnds) {
            self.field = self.field.min(FIELDS - 2);
        }
        self.field = self.field.min(FIELDS - 1);
    }

    fn set_mask(&mut self) {
        if self.is(Fault::StateWithoutMask) {
            self.mask[0] = self.field > 3;
        }
    }

    fn reward(&self, terminated: bool) -> f64 {
        match self.fault {
            Fault::InfiniteReward if self.field == 0 => f64::NEG_INFINITY,
            Fault::HugeReward if terminated => 1e6,
            Fault::EqualRewards => 0.0,
            _ if terminated => 1.0,
            _ => -0.01,
        }
    }
}

fn stream(seed: u64) -> RandomStream {
    RandomStream::new(seed, "corridor", 0)
}

impl Env for Corridor {
    fn spec(&self) -> &EnvSpec {
        if self.is(Fault::IdChanges) && self.field == 7 { &self.other_spec } else { &self.spec }
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        assert!(!self.is(Fault::PanicInReset), "no reset today");
        match seed {
            Some(seed) => self.random = stream(seed),
            None if self.is(Fault::SeedsWithoutSeed) => self.random = stream(1),
            None => {}
        }
        let before = self.field;
        self.field = match self.fault {
            Fault::RandomOfItsOwn => {
                std::time::Instant::now().elapsed().subsec_nanos() as usize % (FIELDS - 1)
            }
            _ => self.random.below(FIELDS - 1),
        };
        if self.is(Fault::ForgetsAField) {
            self.field = before.min(FIELDS - 2);
        }
        (self.steps, self.begun) = (Some(0), true);
        self.observe(observation);
        self.set_mask();
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let steps = self.check_step(action)?;
        self.walk(action);
        if self.field == 7 {
            assert!(!self.is(Fault::PanicInStep), "no step to field {}", self.field);
            while self.is(Fault::HangInStep) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if self.is(Fault::ErrorInStep) {
                return Err(EnvError::new("the floor is wet"));
            }
        }
        self.steps = Some(steps);
        self.observe(observation);
        self.set_mask();
        let terminated = self.field == FIELDS - 1;
        let limit = if self.is(Fault::LimitForgotten) { 1_000 } else { 100 };
        let truncated = match self.fault {
            Fault::NeverEnds => false,
            Fault::TruncatesAnywhere => self.field == 0,
            _ => steps >= limit,
        };
        if terminated || truncated {
            self.steps = None;
        }
        Ok(Step { reward: self.reward(terminated), terminated, truncated })
    }

    fn action_mask(&self) -> Option<&[bool]> {
        MASKED.contains(&self.fault).then_some(&self.mask)
    }

    fn render(&self) -> Option<Frame> {
        match self.fault {
            Fault::NoFrame => None,
            Fault::FrameOfOtherSize if self.steps != Some(0) => Some(Frame::filled(2, 20, [0; 3])),
            _ => Some(Frame::filled(20, 2, [self.field as u8; 3])),
        }
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.random.save_state(state);
        if !self.is(Fault::StateWithoutField) {
            state.u64(self.field as u64);
        }
        state.bool(self.steps.is_some());
        state.u32(self.steps.unwrap_or(0));
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut random = self.random.clone();
        random.load_state(state)?;
        let field = match self.fault {
            Fault::StateWithoutField => self.field,
            Fault::StatePanics => state.u64("field")? as usize,
            _ => state.u64_at_most("field", FIELDS as u64 - 1)? as usize,
        };
        assert!(field < FIELDS, "field {field}");
        if self.is(Fault::StateAssignsEarly) {
            self.field = field;
        }
        let playing = state.bool("whether an episode is under way")?;
        let steps = match self.fault {
            Fault::StateReadShort => 0,
            Fault::StateKeepsTheOld => state.u32("steps")?.max(self.steps.unwrap_or(0)),
            _ => state.u32("steps")?,
        };
        (self.random, self.field, self.steps) = (random, field, playing.then_some(steps));
        Ok(())
    }
}

fn check(fault: Fault) -> CheckReport {
    // A panic may take long: where RUST_BACKTRACE is set, its trace is looked up within the call.
    let call_limit = Duration::from_millis(if fault == Fault::HangInStep { 500 } else { 60_000 });
    let options = CheckOptions { episode_steps: 2_000, call_limit, ..CheckOptions::default() };
    check_env_with(move || Corridor::new(fault), &options)
}

#[test]
fn there_is_nothing_to_say_against_a_sound_environment() {
    let report = check(Fault::None);
    assert_eq!(report.findings, [], "{report}");
    assert!(report.is_ok() && report.id == "Corridor");
    assert!(report.env_steps > 1_000 && report.episodes > 30, "{report}");
    assert_eq!(report.to_string().lines().count(), 1, "{report}");
}

#[test]
fn every_fault_is_told_by_its_name() {
    use FindingKind as Kind;
    for (fault, kind, found) in [
        (Fault::NoActions, Kind::SpecInvalid, "actions is 0"),
        (Fault::BoundsReversed, Kind::SpecInvalid, "element 1 goes from low 2 to high 1"),
        (Fault::StackDoesNotDivide, Kind::SpecInvalid, "stacked_frames is 3, which does not divide the 2"),
        (Fault::IdChanges, Kind::SpecChanges, "another EnvSpec"),
        (Fault::PanicInMake, Kind::Panics, "no corridor today (when it was made)"),
        (Fault::PanicInReset, Kind::Panics, "no reset today (in reset, seed 1, step 0)"),
        (Fault::PanicInStep, Kind::Panics, "no step to field 7 (in step, seed 1, step "),
        (Fault::HangInStep, Kind::Hangs, "no answer within 500ms; the rest was not checked (in step, seed 1"),
        (Fault::ErrorInStep, Kind::Fails, "the floor is wet (in step, seed 1"),
        (Fault::WritesOneElement, Kind::ObservationNotWritten, "element 1 of 2 is not written (in reset"),
        (Fault::AddsToTheObservation, Kind::ObservationNotWritten, "element 0 of 2 is added to what"),
        (Fault::NanObservation, Kind::ObservationNotFinite, "element 0 is NaN (in step, seed 1"),
        (Fault::BytesForNumbers, Kind::Panics, "a buffer of f32 was expected"),
        (Fault::OutsideBounds, Kind::ObservationOutsideBounds, "outside of 0 to 1"),
        (Fault::NotWhole, Kind::ObservationNotInSpace, "element 0 is 0.5, where a whole number from 0 to 1"),
        (Fault::ConstantObservation, Kind::ObservationConstant, "all observations are equal"),
        (Fault::StackNotShifted, Kind::StackNotShifted, "frames are not"),
        (Fault::InfiniteReward, Kind::RewardNotFinite, "the reward is -inf (in step"),
        (Fault::HugeReward, Kind::RewardHuge, "the reward is 1000000 (in step"),
        (Fault::EqualRewards, Kind::ReturnsAllEqual, "have a return of 0"),
        (Fault::ActionIgnored, Kind::ActionsWithoutEffect, "actions 0 to 1 give equal episodes"),
        (Fault::RandomOfItsOwn, Kind::NotDeterministic, "two copies with equal seeds and actions"),
        (Fault::ForgetsAField, Kind::NotDeterministic, "one copy reset twice with seed 1: after 0 steps"),
        (Fault::SeedsWithoutSeed, Kind::EpisodeRepeats, "9 episodes without a seed are equal, though"),
        (Fault::MaskTooShort, Kind::MaskInvalid, "the mask has 1 flags for 2 actions"),
        (Fault::MaskForbidsAll, Kind::MaskInvalid, "the mask forbids every action"),
        (Fault::MaskMissing, Kind::MaskInvalid, "action_mask gives none, though"),
        (Fault::MaskUnannounced, Kind::MaskUnannounced, "action_mask gives one, though"),
        (Fault::LimitForgotten, Kind::LimitNotKept, "goes on after 100 steps; max_episode_steps is 100"),
        (Fault::TruncatesAnywhere, Kind::TruncatedEarly, "max_episode_steps is None"),
        (Fault::NeverEnds, Kind::EpisodeNeverEnds, "no end after 2000 steps"),
        (
            Fault::StateWithoutField,
            Kind::StateNotResumed,
            "a fresh copy with the loaded state, in call 1 from there",
        ),
        (
            Fault::StateKeepsTheOld,
            Kind::StateNotResumed,
            "a copy in the middle of another episode saves other",
        ),
        (Fault::StateWithoutMask, Kind::StateNotResumed, "with the loaded state has another action mask"),
        (Fault::StateReadShort, Kind::StateNotConsumed, "4 of "),
        (Fault::StateAssignsEarly, Kind::DamagedState, "are refused, but change it"),
        (Fault::StatePanics, Kind::Panics, "on a damaged state: field 255 (in load_state"),
        (Fault::FrameOfOtherSize, Kind::FrameWrong, "render gives 2×20 pixels, frame_size is 20×2"),
        (Fault::NoFrame, Kind::FrameWrong, "render gives None, frame_size is 20×2"),
        (Fault::FrameUnannounced, Kind::FrameUnannounced, "render gives 20×2 pixels, frame_size is None"),
        (Fault::StepBeforeReset, Kind::StepBeforeReset, "it gives a step"),
        (Fault::PanicBeforeReset, Kind::Panics, "a step before the first reset: reset before the first step"),
        (Fault::ActionUnchecked, Kind::ActionUnchecked, "it takes action 2 of 2"),
        (Fault::ActionPanics, Kind::Panics, "action 2 of 2: index out of bounds"),
        (Fault::PanicAfterEnd, Kind::StepAfterEnd, "it panics: the episode has ended"),
    ] {
        let report = check(fault);
        let finding = report.find(kind).unwrap_or_else(|| panic!("{fault:?}: {report}"));
        let text = finding.to_string();
        assert!(text.contains(found), "{fault:?}: {text}");
        assert!(text.starts_with(&format!("{}: {}", kind.severity(), kind.name())), "{text}");
        assert!(text.contains(kind.why()) && text.contains(kind.mend()), "{text}");
        assert_eq!(report.is_ok(), report.errors().count() == 0);
        let mut others = report.findings.iter().map(|finding| finding.kind);
        assert!(others.all(|other| other == kind || accompanies(fault, other)), "{fault:?}: {report}");
    }
}

/// Kinds that a fault brings along.
fn accompanies(fault: Fault, kind: FindingKind) -> bool {
    use FindingKind as Kind;
    match fault {
        Fault::NotWhole => kind == Kind::StateNotResumed,
        Fault::ForgetsAField => [Kind::StateNotResumed, Kind::EpisodeRepeats].contains(&kind),
        Fault::RandomOfItsOwn => kind == Kind::StateNotResumed,
        Fault::StackNotShifted => kind == Kind::ObservationOutsideBounds,
        Fault::PanicBeforeReset => kind == Kind::StepAfterEnd,
        _ => false,
    }
}

#[test]
fn every_kind_is_named_once_and_explained() {
    let mut names: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FindingKind::ALL.len());
    for kind in FindingKind::ALL {
        assert!(kind.why().len() > 20 && kind.mend().len() > 15, "{kind:?}");
    }
}

#[test]
fn all_environments_of_this_crate_pass() {
    for (id, _) in ids() {
        let options = CheckOptions { env_steps: 6_000, episode_steps: 3_000, ..CheckOptions::default() };
        let report = check_env_with(move || make(id).unwrap(), &options);
        assert!(report.is_ok(), "{report}");
        assert_eq!(report.id, id);
        println!("{report}");
    }
}

#[test]
fn wrapped_environments_pass() {
    let frames = std::num::NonZeroU32::new(4).unwrap();
    let report = check_env(move || {
        FrameStack::new(StickyActions::new(CartPole::v1(), 0.25).unwrap(), frames).unwrap()
    });
    assert_eq!(report.findings, [], "{report}");
    let limit = std::num::NonZeroU32::new(50).unwrap();
    let report = check_env(move || TimeLimit::new(Corridor::new(Fault::None), limit));
    assert_eq!(report.findings, [], "{report}");
}
