//! Engines that take turns: each form of each gets one in every round, so that all of them see the machine's good and
//! bad moments alike.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::process::Engine;

/// One form's turn in every round.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Number of the engine.
    pub(crate) engine: usize,
    pub(crate) name: &'static str,
    pub(crate) form: String,
    pub(crate) calls: usize,
    pub(crate) steps: usize,
}

impl Turn {
    /// Warms `form` up, one call of which takes so many steps, and finds out how many calls last for `duration`.
    pub(crate) fn lasting(
        duration: Duration,
        number: usize,
        name: &'static str,
        engine: &mut Engine,
        (form, steps_per_call): (String, usize),
    ) -> Result<Self, Box<dyn Error>> {
        // The first call may compile.
        engine.seconds(&form, 1)?;
        let mut calls = 1;
        loop {
            let seconds = engine.seconds(&form, calls)?;
            let fitting = duration.as_secs_f64() / seconds * calls as f64;
            if fitting < 2.0 * calls as f64 {
                calls = (fitting as usize).max(1);
                break;
            }
            calls = (fitting as usize).min(10 * calls);
        }
        Ok(Self { engine: number, name, form, calls, steps: calls * steps_per_call })
    }
}

/// A turn of each of an engine's forms.
pub(crate) fn turns_of(
    number: usize,
    name: &'static str,
    engine: &mut Engine,
    duration: Duration,
) -> Result<Vec<Turn>, Box<dyn Error>> {
    engine.forms()?.into_iter().map(|form| Turn::lasting(duration, number, name, engine, form)).collect()
}

/// How many rounds there are.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) most: usize,
    /// So many even where it takes longer than `patience`.
    pub(crate) least: usize,
    pub(crate) patience: Duration,
}

impl Rounds {
    /// Seconds of a step, `[round][turn]`. The order moves on by one from round to round.
    pub(crate) fn measure(
        self,
        engines: &mut [(&'static str, Engine)],
        turns: &[Turn],
    ) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
        let (mut rounds, started) = (vec![], Instant::now());
        while rounds.len() < self.least || (rounds.len() < self.most && started.elapsed() < self.patience) {
            let mut times = vec![f64::NAN; turns.len()];
            for place in 0..turns.len() {
                let number = (place + rounds.len()) % turns.len();
                let turn = &turns[number];
                let seconds = engines[turn.engine].1.seconds(&turn.form, turn.calls)?;
                times[number] = seconds / turn.steps as f64;
            }
            rounds.push(times);
        }
        Ok(rounds)
    }
}
