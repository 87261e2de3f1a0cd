//! One moment of an episode, looked at for itself.

use deepq_core::{BoxSpace, EnvSpec, Observation, ObservationBuffer, Space, StackPadding};

use super::kinds::FindingKind;
use super::probe::{Log, Moment, Poison, value};
use super::report::Place;

/// Rewards from here on are huge.
const HUGE: f64 = 1_000.0;

/// Notes elements of which two copies have left what their buffers held, or added to it; true where there are some.
pub(super) fn not_written(log: &Log, place: Place, one: &Moment, other: &Moment) -> bool {
    let (one, other) = (one.observation.as_observation(), other.observation.as_observation());
    let above = |index| (Poison::One.above(one, index), Poison::Other.above(other, index));
    let left = |index: &usize| above(*index) == (0.0, 0.0);
    // The buffers held -7,772 and 6,543: a sum with them has lost some digits.
    let added = |index: &usize| {
        let (one, other) = above(*index);
        (one - other).abs() < 0.1
    };
    let len = one.len();
    let Some(first) = (0..len).find(added) else { return false };
    let found = match ((0..len).filter(left).count(), (0..len).filter(added).count()) {
        (1, 1) => format!("element {first} of {len} is not written"),
        (left, added) if left == added => {
            format!("{left} of {len} elements are not written, element {first} first")
        }
        _ => format!("element {first} of {len} is added to what the buffer held before"),
    };
    log.add(FindingKind::ObservationNotWritten, Some(place), found);
    true
}

/// Notes what is wrong with an observation, a reward, or a mask.
pub(super) fn moment(log: &Log, place: Place, spec: &EnvSpec, moment: &Moment) {
    let observation = moment.observation.as_observation();
    if let Some((index, value)) = observation.first_not_finite() {
        log.add(FindingKind::ObservationNotFinite, Some(place), format!("element {index} is {value}"));
    } else {
        elements(log, place, &spec.observation_space, observation, &mut 0);
    }
    let reward = moment.step.reward;
    if !reward.is_finite() {
        log.add(FindingKind::RewardNotFinite, Some(place), format!("the reward is {reward}"));
    } else if reward.abs() > HUGE {
        log.add(FindingKind::RewardHuge, Some(place), format!("the reward is {reward}"));
    }
    mask(log, place, spec, moment);
}

fn mask(log: &Log, place: Place, spec: &EnvSpec, moment: &Moment) {
    let mask = match (&moment.mask, spec.action_masks) {
        (Some(mask), true) => mask,
        (None, false) => return,
        (None, true) => {
            let found = "action_mask gives none, though EnvSpec::action_masks is true".to_owned();
            return log.add(FindingKind::MaskInvalid, Some(place), found);
        }
        (Some(_), false) => {
            let found = "action_mask gives one, though EnvSpec::action_masks is false".to_owned();
            return log.add(FindingKind::MaskUnannounced, Some(place), found);
        }
    };
    let found = match mask.len() {
        len if len != spec.actions => format!("the mask has {len} flags for {} actions", spec.actions),
        _ if !moment.step.terminated && !mask.contains(&true) => "the mask forbids every action".to_owned(),
        _ => return,
    };
    log.add(FindingKind::MaskInvalid, Some(place), found);
}

/// Checks the elements of `space`, the first of which is `observation[at]`, and moves `at` behind them.
fn elements(log: &Log, place: Place, space: &Space, observation: Observation<'_>, at: &mut usize) {
    let mut whole = |from: i64, n: usize| {
        let found = value(observation, *at);
        let greatest = from + n as i64 - 1;
        if found.fract() != 0.0 || f64::from(found) < from as f64 || f64::from(found) > greatest as f64 {
            let found =
                format!("element {at} is {found}, where a whole number from {from} to {greatest} belongs");
            log.add(FindingKind::ObservationNotInSpace, Some(place), found);
        }
        *at += 1;
    };
    match space {
        Space::Discrete { n, start } => whole((*start).into(), *n),
        Space::MultiDiscrete { counts } => counts.iter().for_each(|n| whole(0, *n)),
        Space::MultiBinary { n } => (0..*n).for_each(|_| whole(0, 2)),
        Space::Box(space) => bounds(log, place, space, observation, at),
        Space::Tuple(parts) => parts.iter().for_each(|part| elements(log, place, part, observation, at)),
        Space::Dict(parts) => parts.iter().for_each(|(_, part)| elements(log, place, part, observation, at)),
        other => *at += other.len(),
    }
}

fn bounds(log: &Log, place: Place, space: &BoxSpace, observation: Observation<'_>, at: &mut usize) {
    let start = *at;
    *at += space.len();
    for (index, (low, high)) in space.low.iter().zip(&space.high).enumerate() {
        let found = value(observation, start + index);
        if !(*low..=*high).contains(&found) {
            let found = format!("element {} is {found}, outside of {low} to {high}", start + index);
            log.add(FindingKind::ObservationOutsideBounds, Some(place), found);
            return;
        }
    }
}

/// Notes where the frames of an observation are not those of the one before, shifted by one; `before` is `None`
/// at the beginning of an episode.
pub(super) fn stack(log: &Log, place: Place, spec: &EnvSpec, before: Option<&Moment>, now: &Moment) {
    let (frames, observation) = (spec.stacked_frames, now.observation.as_observation());
    let frame = observation.len() / frames;
    let older = observation.slice(0..observation.len() - frame);
    let zeros = ObservationBuffer::zeros(spec.observation_space.element(), older.len());
    let expected = match (before, spec.stack_padding) {
        (Some(before), _) => before.observation.slice(frame..observation.len()),
        (None, StackPadding::Reset) => observation.slice(frame..observation.len()),
        (None, StackPadding::Zero) => zeros.as_observation(),
    };
    if older != expected {
        let found = match before {
            Some(_) => format!("the older of {frames} frames are not the newer ones of the step before"),
            None if spec.stack_padding == StackPadding::Zero => {
                format!("all but the newest of {frames} frames are not zeros at the beginning of an episode")
            }
            None => format!("the {frames} frames are not all equal at the beginning of an episode"),
        };
        log.add(FindingKind::StackNotShifted, Some(place), found);
    }
}
