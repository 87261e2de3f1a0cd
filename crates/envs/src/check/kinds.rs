//! What can be wrong with an environment: names, why each matters, and how each is mended.

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may be meant, and is worth a look.
    Warning,
    /// Training would stop, learn the wrong thing, or not be repeatable.
    Error,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

struct About {
    name: &'static str,
    severity: Severity,
    why: &'static str,
    mend: &'static str,
}

/// Declares the kinds of faults, each with what is to be said of it.
macro_rules! kinds {
    ($($kind:ident, $severity:ident, $name:literal, $doc:literal, $why:literal, $mend:literal;)+) => {
        /// A kind of fault of an environment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingKind {
            $(#[doc = $doc] $kind,)+
        }

        impl FindingKind {
            const fn about(self) -> About {
                match self {
                    $(Self::$kind => About {
                        name: $name,
                        severity: Severity::$severity,
                        why: $why,
                        mend: $mend,
                    },)+
                }
            }

            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];
        }
    };
}

kinds! {
    SpecInvalid, Error, "spec-invalid",
    "What the environment says of itself cannot be: no actions, no elements, bounds that contradict.",
    "networks, buffers and memories are made from the EnvSpec before the first step",
    "correct the EnvSpec";

    SpecChanges, Error, "spec-changes",
    "The environment says something else of itself than before.",
    "the network was made for the first EnvSpec and fits no other",
    "make the EnvSpec once, in the constructor, and return a reference to it";

    Panics, Error, "panics",
    "A call panics.",
    "a panic ends the run where an error would have said what was wrong",
    "return an EnvError for what the environment cannot do; the message above says where it panicked";

    Hangs, Error, "hangs",
    "A call does not return.",
    "training waits for it for ever",
    "look for a loop without an end, a lock held, or an answer waited for from elsewhere";

    Fails, Error, "fails",
    "A call that should succeed returns an error.",
    "training ends at the first such call",
    "the error above is the environment's own: mend what it tells, or do not return it for allowed actions";

    ObservationNotWritten, Error, "observation-not-written",
    "Elements of an observation are left as they were in the buffer, or added to what was there.",
    "the buffer holds another observation then, so the agent sees a mixture of two states",
    "write every element of the slice in reset and in every step, zeros included, and never read from it";

    ObservationNotFinite, Error, "observation-not-finite",
    "An observation holds NaN or an infinity.",
    "one such element makes every weight of the network NaN; the trainer stops when it meets one",
    "find the division by 0, the root or logarithm of a negative number, or the element that is added to instead \
     of written";

    ObservationNotInSpace, Error, "observation-not-in-space",
    "A number is none that its discrete space has.",
    "it has no place in a one-hot vector, and a table has no row for it",
    "write whole numbers from the space's start on, or declare the space that the numbers have";

    ObservationOutsideBounds, Warning, "observation-outside-bounds",
    "An element lies outside the bounds of its box.",
    "whoever scales observations by their bounds gets values outside of what is expected",
    "widen `low` and `high` in the observation space, or clamp the element";

    ObservationConstant, Warning, "observation-constant",
    "All observations are equal.",
    "the agent cannot tell one state from another, so it can only learn one action for all of them",
    "write what distinguishes the states into the observation";

    StackNotShifted, Error, "stack-not-shifted",
    "The frames of an observation are not those of the step before, shifted by one.",
    "a memory that keeps each frame once puts other observations together than the agent saw",
    "set `stacked_frames` to 1, say with `stack_padding` what stands before an episode's first frame, or stack with FrameStack";

    RewardNotFinite, Error, "reward-not-finite",
    "A reward is NaN or infinite.",
    "one such reward makes every weight of the network NaN; the trainer stops when it meets one",
    "find the division by 0 or the logarithm in the reward";

    RewardHuge, Warning, "reward-huge",
    "A reward is of more than 1,000 in size.",
    "errors of that size make gradients that throw a network off; usual rewards are about 1",
    "scale rewards down, or use the wrapper ScaleReward or ClipReward";

    ReturnsAllEqual, Warning, "returns-all-equal",
    "Every episode of random actions earned the same.",
    "an agent that explores at random never sees that one action is better than another",
    "reward progress, not only the goal; begin nearer to it at times; or make episodes longer";

    ActionsWithoutEffect, Warning, "actions-without-effect",
    "Whichever action is taken, the same happens.",
    "there is nothing to choose, hence nothing to learn",
    "look whether step uses its argument";

    NotDeterministic, Error, "not-deterministic",
    "Equal seeds and equal actions give different episodes.",
    "no run can be repeated, none resumed, and no fault found by running it again",
    "draw from one generator that reset(Some(seed)) seeds; use no time, no address, no thread_rng and no order of \
     a HashMap; set every field in reset";

    EpisodeRepeats, Warning, "episode-repeats",
    "Episodes begun without a seed repeat the first one.",
    "the agent learns one episode by heart: training seeds the first reset only",
    "seed the generator only where reset is given a seed, and let it go on otherwise";

    MaskInvalid, Error, "mask-invalid",
    "The action mask is missing, has the wrong length or forbids every action.",
    "the agent asks it for every action and has none left to take",
    "give one flag an action, in action_mask, with at least one of them true unless the episode has \
     terminated";

    MaskUnannounced, Warning, "mask-unannounced",
    "action_mask gives a mask though EnvSpec::action_masks is false.",
    "nobody asks for the mask, so actions are taken that it forbids",
    "set `action_masks` to true in the EnvSpec, or return None from action_mask";

    LimitNotKept, Error, "limit-not-kept",
    "An episode goes on beyond max_episode_steps.",
    "buffers and schedules count on it, and evaluation might never end",
    "wrap the environment in TimeLimit, or set max_episode_steps to None";

    TruncatedEarly, Warning, "truncated-early",
    "An episode is truncated without max_episode_steps, or before.",
    "truncation is for limits from outside: the agent learns as if the task went on, so a failure or a goal that \
     is truncated teaches nothing",
    "return `terminated` for what belongs to the task, and set max_episode_steps to the limit";

    EpisodeNeverEnds, Warning, "episode-never-ends",
    "No end of an episode was seen.",
    "no return is ever reported, no evaluation ends, and the agent never comes back to a beginning",
    "wrap the environment in TimeLimit";

    StateNotResumed, Error, "state-not-resumed",
    "An environment with a loaded state goes on otherwise than the one that saved it.",
    "a run that is resumed is then not the run that was stopped",
    "save and load every field that a step reads or changes: the generator, counters, the previous action";

    StateNotConsumed, Error, "state-not-consumed",
    "load_state reads less or more than save_state wrote.",
    "several environments are saved one after the other: the next one reads from the wrong place",
    "read in load_state exactly what save_state writes, in the same order";

    DamagedState, Warning, "damaged-state",
    "A state that was damaged is not told from a whole one, or changes the environment although it is refused.",
    "a checkpoint that is cut short would go on with half a state",
    "read everything into local variables with `?`, check values against their limits, and assign at the end";

    FrameWrong, Error, "frame-wrong",
    "render gives another picture than frame_size tells.",
    "videos and windows are opened with frame_size before the first picture",
    "set frame_size to width and height of the picture, or to None where there is none";

    FrameUnannounced, Warning, "frame-unannounced",
    "render gives a picture though frame_size is None.",
    "no video is made of an environment that says it has no picture",
    "set frame_size to width and height of the picture";

    StepBeforeReset, Warning, "step-before-reset",
    "A step before the first reset is taken as if there were a state.",
    "it hides a forgotten reset",
    "return an EnvError from step until reset was called";

    ActionUnchecked, Warning, "action-unchecked",
    "An action that does not exist is taken.",
    "an agent made for another number of actions would seem to work",
    "return an EnvError from step where the action is not below spec().actions";

    StepAfterEnd, Warning, "step-after-end",
    "A step after the end of an episode panics, or gives no numbers.",
    "Gymnasium's environments go on or refuse, and code written for them relies on it",
    "return an EnvError, or stay in the last state with a reward of 0";
}

impl FindingKind {
    /// Its name, `reward-not-finite` say.
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.about().severity
    }

    /// Why it matters for learning.
    pub fn why(self) -> &'static str {
        self.about().why
    }

    /// How it is mended.
    pub fn mend(self) -> &'static str {
        self.about().mend
    }
}
