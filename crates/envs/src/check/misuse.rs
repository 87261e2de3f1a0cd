//! Calls that no trainer makes, and users do.

use deepq_core::{Env, RandomStream};

use super::episodes::random_action;
use super::kinds::FindingKind;
use super::probe::{Context, Outcome, Poison, Stop};

pub(super) fn check<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let before = before_reset(context);
    let no_action = no_such_action(context);
    after_the_end(context)?;
    before.and(no_action)
}

fn before_reset<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let mut probe = context.probe(Poison::One)?;
    match probe.try_step(0)? {
        Outcome::Refused => {}
        Outcome::Taken(_) => {
            context.log.add(FindingKind::StepBeforeReset, Some(probe.place()), "it gives a step");
        }
        Outcome::Panicked(panic) => {
            let found = format!("a step before the first reset: {panic}");
            context.log.add(FindingKind::Panics, Some(probe.place()), found);
        }
    }
    Ok(())
}

fn no_such_action<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    for action in [None, Some(usize::MAX)] {
        let mut probe = context.probe(Poison::One)?;
        let actions = probe.spec.actions;
        let action = action.unwrap_or(actions);
        probe.reset(Some(context.options.seed))?;
        match probe.try_step(action)? {
            Outcome::Refused => {}
            Outcome::Taken(_) => {
                let found = format!("it takes action {action} of {actions}");
                context.log.add(FindingKind::ActionUnchecked, Some(probe.place()), found);
            }
            Outcome::Panicked(panic) => {
                let found = format!("action {action} of {actions}: {panic}");
                context.log.add(FindingKind::Panics, Some(probe.place()), found);
            }
        }
    }
    Ok(())
}

fn after_the_end<E: Env>(context: &Context<'_, E>) -> Result<(), Stop> {
    let mut probe = context.probe(Poison::One)?;
    let mut stream = RandomStream::new(context.options.seed, "check-env-end", 0);
    let mut now = probe.reset(Some(context.options.seed))?;
    for _ in 0..context.options.episode_steps {
        let action = random_action(&mut stream, &probe.spec, &now);
        now = probe.step(action)?;
        if now.step.ended() {
            break;
        }
    }
    if !now.step.ended() {
        return Ok(());
    }
    for _ in 0..3 {
        let found = match probe.try_step(0)? {
            Outcome::Refused => continue,
            Outcome::Panicked(panic) => format!("it panics: {panic}"),
            Outcome::Taken(moment) => match moment.observation.as_observation().first_not_finite() {
                Some((index, value)) => format!("element {index} of the observation is {value}"),
                None if moment.step.reward.is_finite() => continue,
                None => format!("the reward is {}", moment.step.reward),
            },
        };
        context.log.add(FindingKind::StepAfterEnd, Some(probe.place()), found);
        return Ok(());
    }
    Ok(())
}
