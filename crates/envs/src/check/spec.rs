//! What an environment says of itself.

use deepq_core::{BoxSpace, ElementKind, EnvSpec, Space};

use super::kinds::FindingKind;
use super::probe::{Log, Stop};

/// Notes what cannot be; stops where nothing could be checked with it.
pub(super) fn check(spec: &EnvSpec, log: &Log) -> Result<(), Stop> {
    let faults = faults(spec);
    for fault in &faults {
        log.add(FindingKind::SpecInvalid, None, fault);
    }
    if faults.is_empty() { Ok(()) } else { Err(Stop) }
}

/// Each of the faults in words; without one, buffers can be made and bounds looked up.
fn faults(spec: &EnvSpec) -> Vec<String> {
    let mut faults = vec![];
    if spec.id.is_empty() {
        faults.push("id is empty".to_owned());
    }
    if spec.actions == 0 {
        faults.push("actions is 0: there is nothing an agent can do".to_owned());
    }
    if spec.max_episode_steps == Some(0) {
        faults.push("max_episode_steps is 0: no episode has a step".to_owned());
    }
    if spec.frame_size.is_some_and(|(width, height)| width == 0 || height == 0) {
        faults.push("frame_size has no pixel".to_owned());
    }
    space_faults(&spec.observation_space, "observation_space", &mut faults);
    let len = spec.observation_space.len();
    if len == 0 && faults.is_empty() {
        faults.push("observation_space has no element".to_owned());
    }
    if spec.stacked_frames == 0 || !len.is_multiple_of(spec.stacked_frames) {
        let frames = spec.stacked_frames;
        faults.push(format!("stacked_frames is {frames}, which does not divide the {len} elements"));
    }
    faults
}

fn space_faults(space: &Space, name: &str, faults: &mut Vec<String>) {
    match space {
        Space::Discrete { n: 0, .. } => faults.push(format!("{name} is discrete with n = 0")),
        Space::MultiDiscrete { counts } if counts.contains(&0) => {
            faults.push(format!("{name} is multi-discrete with a count of 0"));
        }
        Space::Box(space) => box_faults(space, name, faults),
        Space::Tuple(parts) => {
            for (index, part) in parts.iter().enumerate() {
                space_faults(part, &format!("{name}[{index}]"), faults);
            }
        }
        Space::Dict(parts) => {
            for (key, part) in parts {
                space_faults(part, &format!("{name}[{key:?}]"), faults);
            }
            if !parts.is_sorted_by(|(one, _), (other, _)| one < other) {
                faults.push(format!("{name} has names out of order or twice: make it with Space::dict"));
            }
        }
        _ => {}
    }
}

fn box_faults(space: &BoxSpace, name: &str, faults: &mut Vec<String>) {
    let (len, low, high) = (space.len(), space.low.len(), space.high.len());
    if (low, high) != (len, len) {
        let shape = &space.shape;
        faults.push(format!(
            "{name} of shape {shape:?} has {len} elements, but {low} of low and {high} of high"
        ));
        return;
    }
    for (index, (low, high)) in space.low.iter().zip(&space.high).enumerate() {
        if low > high || low.is_nan() || high.is_nan() {
            faults.push(format!("{name}: element {index} goes from low {low} to high {high}"));
            return;
        }
        if space.element == ElementKind::U8 && (*low < 0.0 || *high > 255.0) {
            faults.push(format!("{name} holds bytes, but element {index} goes from {low} to {high}"));
            return;
        }
    }
}
