//! Exact resume: a loaded state goes on as the saved one does, and a damaged one is an error.

use deepq_core::{Env, RandomStream};

use super::episodes::random_action;
use super::kinds::FindingKind;
use super::probe::{Context, Moment, Poison, Probe, Stop};

/// Steps after which a state is saved.
const SAVED_AFTER: [usize; 4] = [0, 1, 7, 40];
/// Steps compared from there on, over the ends of episodes.
const STEPS: usize = 100;
/// Damages tried of each kind.
const DAMAGES: usize = 200;

pub(super) fn check<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    for steps in SAVED_AFTER {
        let mut probe = context.probe(Poison::One)?;
        let mut stream = RandomStream::new(context.options.seed, "check-env-resume", steps as u64);
        let mut now = probe.reset(Some(context.options.seed))?;
        for _ in 0..steps {
            now = advance(&mut probe, &mut stream, &now)?;
        }
        if now.step.ended() {
            now = probe.reset(None)?;
        }
        let bytes = probe.save_state()?;
        let copies = [context.probe(Poison::One)?, used(context, &mut stream)?];
        resume(context, probe, copies, &bytes, now, &mut stream)?;
        if steps == SAVED_AFTER[2] {
            damage(context, &bytes)?;
        }
    }
    Ok(())
}

/// One step at random, or a reset where the episode has ended.
fn advance<E: Env>(
    probe: &mut Probe<'_, E>,
    stream: &mut RandomStream,
    now: &Moment,
) -> Result<Moment, Stop> {
    if now.step.ended() {
        return probe.reset(None);
    }
    let action = random_action(stream, &probe.spec, now);
    probe.step(action)
}

/// A copy in the middle of another episode, every field of which must be overwritten.
fn used<'a, E: Env>(context: &Context<'a, E>, stream: &mut RandomStream) -> Result<Probe<'a, E>, Stop> {
    let mut probe = context.probe(Poison::One)?;
    let mut now = probe.reset(Some(context.options.seed.wrapping_add(99)))?;
    for _ in 0..13 {
        now = advance(&mut probe, stream, &now)?;
    }
    Ok(probe)
}

/// Lets copies load `bytes` and compares what they do with what `probe` does.
fn resume<E: Env>(
    context: &Context<'_, E>,
    mut probe: Probe<'_, E>,
    copies: [Probe<'_, E>; 2],
    bytes: &[u8],
    saved: Moment,
    stream: &mut RandomStream,
) -> Result<(), Stop> {
    let names = ["a fresh copy", "a copy in the middle of another episode"];
    let mut copies: Vec<_> = names.into_iter().zip(copies).collect();
    for (name, copy) in &mut copies {
        load(context, name, copy, bytes, &saved)?;
    }
    let mut now = saved;
    for step in 0..=STEPS {
        let draws = stream.clone();
        let next = call(&mut probe, stream, &now, step)?;
        for (name, copy) in &mut copies {
            let resumed = call(copy, &mut draws.clone(), &now, step)?;
            if let Some(difference) = next.difference(&resumed) {
                let found =
                    format!("{name} with the loaded state, in call {} from there: {difference}", step + 1);
                context.log.add(FindingKind::StateNotResumed, Some(probe.place()), found);
                return Err(Stop);
            }
        }
        now = next;
    }
    Ok(())
}

/// Lets a copy load `bytes`, which are the state of `saved`.
fn load<E: Env>(
    context: &Context<'_, E>,
    name: &str,
    copy: &mut Probe<'_, E>,
    bytes: &[u8],
    saved: &Moment,
) -> Result<(), Stop> {
    let left = copy.load_state(bytes)?;
    let (kind, found) = if left > 0 {
        (FindingKind::StateNotConsumed, format!("{left} of {} bytes are left over", bytes.len()))
    } else if copy.save_state()? != bytes {
        (FindingKind::StateNotResumed, format!("{name} saves other bytes than it has just loaded"))
    } else if copy.mask()? != saved.mask {
        (FindingKind::StateNotResumed, format!("{name} with the loaded state has another action mask"))
    } else {
        return Ok(());
    };
    context.log.add(kind, Some(copy.place()), found);
    Err(Stop)
}

/// A step, and in the end a reset.
fn call<E: Env>(
    probe: &mut Probe<'_, E>,
    stream: &mut RandomStream,
    now: &Moment,
    step: usize,
) -> Result<Moment, Stop> {
    if step == STEPS { probe.reset(None) } else { advance(probe, stream, now) }
}

/// Cuts a state short and overwrites parts of it: an error or another state, but no panic.
fn damage<E: Env>(context: &Context<'_, E>, bytes: &[u8]) -> Result<(), Stop> {
    let mut probe = context.probe(Poison::One)?;
    probe.reset(Some(context.options.seed))?;
    let before = probe.save_state()?;
    let places = |count: usize| (0..count).step_by(count.div_ceil(DAMAGES).max(1));
    for len in places(bytes.len()) {
        if probe.try_load_state(&bytes[..len])? {
            let found = format!("the first {len} of {} bytes are taken for a whole state", bytes.len());
            context.log.add(FindingKind::DamagedState, Some(probe.place()), found);
            return Ok(());
        }
        if probe.save_state()? != before {
            let found = format!("the first {len} of {} bytes are refused, but change it", bytes.len());
            context.log.add(FindingKind::DamagedState, Some(probe.place()), found);
            return Ok(());
        }
    }
    for start in places(bytes.len()) {
        let mut damaged = bytes.to_vec();
        damaged[start..bytes.len().min(start + 8)].fill(0xff);
        context.probe(Poison::One)?.try_load_state(&damaged)?;
    }
    Ok(())
}
