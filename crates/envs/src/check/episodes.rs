//! Whole episodes of random actions, in two copies at once.

use deepq_core::{Env, EnvSpec, RandomStream};

use super::inspect;
use super::kinds::FindingKind;
use super::probe::{Context, Log, Moment, Poison, Probe, Stop};
use super::report::Place;

/// Episodes looked at, where the steps suffice.
const EPISODES: u64 = 20;
/// Every so many steps the picture is looked at.
const STEPS_BETWEEN_PICTURES: u32 = 50;

/// An action at random, of those that the mask allows, where it is one.
pub(super) fn random_action(stream: &mut RandomStream, spec: &EnvSpec, moment: &Moment) -> usize {
    let mask = moment.mask.as_ref().filter(|mask| mask.len() == spec.actions && mask.contains(&true));
    let allowed = |action: &usize| mask.is_none_or(|mask| mask[*action]);
    let count = (0..spec.actions).filter(allowed).count();
    (0..spec.actions).filter(allowed).nth(stream.below(count)).unwrap_or(0)
}

/// What whole episodes were like.
#[derive(Default)]
struct Tally {
    returns: Vec<f64>,
    first_observation: Option<Moment>,
    observations_differ: bool,
    endless: u32,
}

pub(super) fn check<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let (mut one, mut other) = (context.probe(Poison::One)?, context.probe(Poison::Other)?);
    let mut stream = RandomStream::new(context.options.seed, "check-env", 0);
    let mut left = context.options.env_steps;
    let mut tally = Tally::default();
    for episode in 0..EPISODES {
        // Every third episode has a seed, the others go on from it.
        let seed = (episode % 3 == 0).then(|| context.options.seed.wrapping_add(episode / 3));
        left = left.saturating_sub(play(context, &mut one, &mut other, seed, &mut stream, &mut tally)?);
        if left == 0 {
            break;
        }
    }
    tally.conclude(context.log, context.options.episode_steps);
    Ok(())
}

/// One episode; returns its steps.
fn play<E: Env>(
    context: &Context<'_, E>,
    one: &mut Probe<'_, E>,
    other: &mut Probe<'_, E>,
    seed: Option<u64>,
    stream: &mut RandomStream,
    tally: &mut Tally,
) -> Result<u32, Stop> {
    let log = context.log;
    let spec = one.spec.clone();
    let mut now = one.reset(seed)?;
    compare(log, one.place(), &now, &other.reset(seed)?)?;
    look(log, one.place(), &spec, None, &now, tally);
    picture(log, one)?;
    let mut sum = 0.0;
    for step in 1..=context.options.episode_steps {
        let action = random_action(stream, &spec, &now);
        let next = one.step(action)?;
        compare(log, one.place(), &next, &other.step(action)?)?;
        look(log, one.place(), &spec, Some(&now), &next, tally);
        if step % STEPS_BETWEEN_PICTURES == 0 || next.step.ended() {
            picture(log, one)?;
        }
        limit(log, one.place(), &spec, step, &next);
        sum += next.step.reward;
        if next.step.ended() {
            tally.returns.push(sum);
            return Ok(step);
        }
        now = next;
    }
    if spec.max_episode_steps.is_none() {
        tally.endless += 1;
    }
    Ok(context.options.episode_steps)
}

/// Two copies that did the same must be equal, to the last element.
fn compare(log: &Log, place: Place, one: &Moment, other: &Moment) -> Result<(), Stop> {
    if inspect::not_written(log, place, one, other) {
        return Err(Stop);
    }
    match one.difference(other) {
        None => Ok(()),
        Some(difference) => {
            let found = format!("two copies with equal seeds and actions: {difference}");
            log.add(FindingKind::NotDeterministic, Some(place), found);
            Err(Stop)
        }
    }
}

fn look(log: &Log, place: Place, spec: &EnvSpec, before: Option<&Moment>, now: &Moment, tally: &mut Tally) {
    inspect::moment(log, place, spec, now);
    if spec.stacked_frames > 1 {
        inspect::stack(log, place, spec, before, now);
    }
    let first = tally.first_observation.get_or_insert_with(|| now.clone());
    tally.observations_differ |= first.observation != now.observation;
}

/// The limit is kept, and nothing is truncated before it.
fn limit(log: &Log, place: Place, spec: &EnvSpec, step: u32, now: &Moment) {
    match spec.max_episode_steps {
        Some(limit) if step >= limit && !now.step.ended() => {
            let found = format!("the episode goes on after {step} steps; max_episode_steps is {limit}");
            log.add(FindingKind::LimitNotKept, Some(place), found);
        }
        Some(limit) if step < limit && now.step.truncated => {
            let found = format!("truncated after {step} steps; max_episode_steps is {limit}");
            log.add(FindingKind::TruncatedEarly, Some(place), found);
        }
        None if now.step.truncated => {
            let found = format!("truncated after {step} steps; max_episode_steps is None");
            log.add(FindingKind::TruncatedEarly, Some(place), found);
        }
        _ => {}
    }
}

fn picture<E: Env>(log: &Log, probe: &mut Probe<'_, E>) -> Result<(), Stop> {
    let expected = probe.spec.frame_size;
    let found = probe.render()?.map(|frame| (frame.width(), frame.height()));
    let (kind, found) = match (expected, found) {
        (None, Some((width, height))) => (
            FindingKind::FrameUnannounced,
            format!("render gives {width}×{height} pixels, frame_size is None"),
        ),
        (Some((width, height)), None) => {
            (FindingKind::FrameWrong, format!("render gives None, frame_size is {width}×{height}"))
        }
        (Some(expected), Some(found)) if found != expected => (
            FindingKind::FrameWrong,
            format!(
                "render gives {}×{} pixels, frame_size is {}×{}",
                found.0, found.1, expected.0, expected.1
            ),
        ),
        _ => return Ok(()),
    };
    log.add(kind, Some(probe.place()), found);
    Ok(())
}

impl Tally {
    /// Notes what only many episodes show.
    fn conclude(&self, log: &Log, episode_steps: u32) {
        if self.endless > 0 {
            let found = format!("no end after {episode_steps} steps, and max_episode_steps is None");
            log.add(FindingKind::EpisodeNeverEnds, None, found);
        }
        if !self.observations_differ {
            log.add(FindingKind::ObservationConstant, None, "all observations are equal");
        }
        if let [first, rest @ ..] = self.returns.as_slice()
            && rest.len() >= 2
            && rest.iter().all(|sum| sum == first)
        {
            let count = self.returns.len();
            let found = format!("all {count} episodes of random actions have a return of {first}");
            log.add(FindingKind::ReturnsAllEqual, None, found);
        }
    }
}
