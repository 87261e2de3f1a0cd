//! The same again: what a seed determines, and what an action changes.

use deepq_core::{Env, RandomStream};

use super::episodes::random_action;
use super::kinds::FindingKind;
use super::probe::{Context, Moment, Poison, Probe, Stop};

/// Steps of an episode that are compared.
const STEPS: usize = 200;
/// Episodes compared, with seeds and without.
const EPISODES: u64 = 8;
/// Actions that are compared, where there are so many.
const ACTIONS: usize = 16;
/// Seeds from which actions are compared.
const SEEDS: u64 = 3;

pub(super) fn check<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    same_seed_again(context)?;
    without_a_seed(context)?;
    actions(context)
}

/// A beginning and the steps that follow.
fn play<E: Env>(
    probe: &mut Probe<'_, E>,
    seed: Option<u64>,
    mut choose: impl FnMut(&Probe<'_, E>, &Moment) -> usize,
) -> Result<Vec<Moment>, Stop> {
    let mut moments = vec![probe.reset(seed)?];
    for step in 0..STEPS {
        let action = choose(probe, &moments[step]);
        moments.push(probe.step(action)?);
        if moments[step + 1].step.ended() {
            break;
        }
    }
    Ok(moments)
}

/// The episode of `seed` under the same random actions whenever it is asked for.
fn random<E: Env>(probe: &mut Probe<'_, E>, seed: Option<u64>) -> Result<Vec<Moment>, Stop> {
    let mut stream = RandomStream::new(7, "check-env-repeats", 0);
    play(probe, seed, |probe, moment| random_action(&mut stream, &probe.spec, moment))
}

/// The first step in which two episodes differ, and how.
fn difference(one: &[Moment], other: &[Moment]) -> Option<(usize, String)> {
    let differs = |(step, (one, other)): (usize, (&Moment, &Moment))| Some((step, one.difference(other)?));
    let unequal =
        || (one.len() != other.len()).then(|| (one.len().min(other.len()), "the lengths differ".into()));
    one.iter().zip(other).enumerate().find_map(differs).or_else(unequal)
}

/// One copy, reset twice with one seed, with another episode in between.
fn same_seed_again<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let (mut probe, seed) = (context.probe(Poison::One)?, context.options.seed);
    let first = random(&mut probe, Some(seed))?;
    random(&mut probe, Some(seed.wrapping_add(1)))?;
    let again = random(&mut probe, Some(seed))?;
    if let Some((step, difference)) = difference(&first, &again) {
        let found = format!("one copy reset twice with seed {seed}: after {step} steps {difference}");
        context.log.add(FindingKind::NotDeterministic, Some(probe.place()), found);
    }
    Ok(())
}

/// Episodes without a seed go on from the one before. Where they are all equal although half of the seeds or more
/// make another episode, that is no chance.
fn without_a_seed<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let (mut probe, seed) = (context.probe(Poison::One)?, context.options.seed);
    let first = random(&mut probe, Some(seed))?;
    let mut different_seeds = 0;
    for other in 1..=EPISODES {
        let other = random(&mut probe, Some(seed.wrapping_add(other)))?;
        different_seeds += u64::from(difference(&first, &other).is_some());
    }
    let first = random(&mut probe, None)?;
    for _ in 0..EPISODES {
        if difference(&first, &random(&mut probe, None)?).is_some() {
            return Ok(());
        }
    }
    if different_seeds * 2 >= EPISODES {
        let found =
            format!("{} episodes without a seed are equal, though seeds make a difference", EPISODES + 1);
        context.log.add(FindingKind::EpisodeRepeats, Some(probe.place()), found);
    }
    Ok(())
}

/// Some action makes a difference, from some beginning.
fn actions<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let mut probe = context.probe(Poison::One)?;
    let actions = probe.spec.actions.min(ACTIONS);
    if actions < 2 {
        return Ok(());
    }
    for seed in 0..SEEDS {
        let seed = Some(context.options.seed.wrapping_add(seed));
        let first = play(&mut probe, seed, |_, _| 0)?;
        for action in 1..actions {
            if difference(&first, &play(&mut probe, seed, |_, _| action)?).is_some() {
                return Ok(());
            }
        }
    }
    let found = format!("actions 0 to {} give equal episodes", actions - 1);
    context.log.add(FindingKind::ActionsWithoutEffect, None, found);
    Ok(())
}
