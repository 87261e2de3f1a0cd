//! One recipe over many seeds, by one protocol.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use deepq::events::{Answer, Event, Observer};
use deepq::{Config, Error, Evaluator, Registry, Trainer, evaluation_seeds, statistics};
use rayon::prelude::*;
use serde::Serialize;

/// The mean return from which CartPole-v1 counts as solved.
pub(crate) const SOLVED: f64 = 475.0;

/// What one seed gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seed {
    pub(crate) seed: u64,
    /// The greedy mean return of the policy the run ended with, over 100 unseen episodes.
    pub(crate) final_mean: f64,
    /// The mean of the training returns of the last 100 episodes.
    pub(crate) last_100_training_returns: f64,
    /// Env steps at the first evaluation of at least 475.
    pub(crate) first_solved_env_steps: Option<u64>,
    /// The share of evaluations of at least 475 among those after the first.
    pub(crate) stays_solved: Option<f64>,
    /// How many evaluations that is a share of.
    pub(crate) evaluations_after: usize,
    pub(crate) env_steps: u64,
    pub(crate) gradient_steps: u64,
    pub(crate) episodes: u64,
    /// Seconds of training with its internal evaluations.
    pub(crate) wall_s: f64,
}

#[derive(Default)]
struct Watch {
    returns: Vec<f64>,
    evaluations: Vec<(u64, f64)>,
}

impl Observer for Watch {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::EpisodeEnded(ended) => self.returns.push(ended.episode.episodic_return),
            Event::Evaluated(evaluated) => {
                let mean = statistics::mean(evaluated.returns).unwrap_or(0.0);
                self.evaluations.push((evaluated.progress.env_steps, mean));
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn run_seed(config: &Config, seed: u64) -> Result<Seed, Error> {
    let mut watch = Watch::default();
    let started = Instant::now();
    let mut trainer = Trainer::new(config, seed)?;
    trainer.run(&mut watch)?;
    let wall_s = started.elapsed().as_secs_f64();
    let mut evaluator = Evaluator::new(&Registry::builtin(), &config.env.id)?;
    let seeds = evaluation_seeds(seed, "final-evaluation", 100);
    let returns = evaluator.evaluate_policy(&mut trainer.policy(), &seeds)?;
    let first = watch.evaluations.iter().position(|(_, mean)| *mean >= SOLVED);
    let after = first.map_or(&[][..], |first| &watch.evaluations[first + 1..]);
    let good = after.iter().filter(|(_, mean)| *mean >= SOLVED).count();
    let last = &watch.returns[watch.returns.len().saturating_sub(100)..];
    let progress = trainer.progress();
    Ok(Seed {
        seed,
        final_mean: statistics::mean(&returns).unwrap_or(0.0),
        last_100_training_returns: statistics::mean(last).unwrap_or(0.0),
        first_solved_env_steps: first.map(|first| watch.evaluations[first].0),
        stays_solved: (!after.is_empty()).then(|| good as f64 / after.len() as f64),
        evaluations_after: after.len(),
        env_steps: progress.env_steps,
        gradient_steps: progress.gradient_steps,
        episodes: progress.episodes,
        wall_s,
    })
}

/// Runs seeds one after the other (to be timed) or side by side.
pub(crate) fn run_seeds(config: &Config, first: u64, count: u64, timed: bool) -> Result<Vec<Seed>, Error> {
    let seeds: Vec<u64> = (first..first + count).collect();
    if timed {
        // The first run pays for the first touch of memory and code, which no later one does.
        run_seed(&Config { stop: short(config), ..config.clone() }, first)?;
        std::thread::sleep(Duration::from_millis(100));
        seeds.into_iter().map(|seed| run_seed(config, seed)).collect()
    } else {
        seeds.into_par_iter().with_max_len(1).map(|seed| run_seed(config, seed)).collect()
    }
}

fn short(config: &Config) -> deepq::config::StopConfig {
    deepq::config::StopConfig { env_steps: Some(1_000), ..config.stop }
}

/// Figures over all seeds of a recipe.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) seeds: usize,
    pub(crate) final_at_least_475: usize,
    pub(crate) final_min: f64,
    pub(crate) final_p5: f64,
    pub(crate) final_median: f64,
    pub(crate) final_iqm: f64,
    pub(crate) final_iqm_ci95: (f64, f64),
    /// Of all evaluations after each seed's first solved one, over all seeds.
    pub(crate) evaluations_solved_after_first: Option<f64>,
    /// Seeds of which at least 95 % of the evaluations after the first solved one are solved too.
    pub(crate) seeds_staying_95_percent: usize,
    pub(crate) wall_s_median: f64,
    pub(crate) wall_s_p95: f64,
    pub(crate) wall_s_max: f64,
    pub(crate) env_steps_median: f64,
    pub(crate) env_steps_max: f64,
    pub(crate) last_100_training_returns_mean: f64,
    pub(crate) last_100_training_returns_std: f64,
}

/// Sums seeds up.
pub(crate) fn summarize(seeds: &[Seed]) -> Option<Summary> {
    let column = |of: fn(&Seed) -> f64| seeds.iter().map(of).collect::<Vec<f64>>();
    let finals = column(|seed| seed.final_mean);
    let walls = column(|seed| seed.wall_s);
    let env_steps = column(|seed| seed.env_steps as f64);
    let training = column(|seed| seed.last_100_training_returns);
    let after: f64 = seeds.iter().map(|seed| seed.evaluations_after as f64).sum();
    let good: f64 =
        seeds.iter().map(|seed| seed.stays_solved.unwrap_or(0.0) * seed.evaluations_after as f64).sum();
    let bootstrap = statistics::StratifiedBootstrap::default();
    Some(Summary {
        seeds: seeds.len(),
        final_at_least_475: finals.iter().filter(|mean| **mean >= SOLVED).count(),
        final_min: statistics::percentile(&finals, 0.0)?,
        final_p5: statistics::percentile(&finals, 5.0)?,
        final_median: statistics::median(&finals)?,
        final_iqm: statistics::interquartile_mean(&finals)?,
        final_iqm_ci95: bootstrap.interval(&[&finals[..]], statistics::interquartile_mean)?,
        evaluations_solved_after_first: (after > 0.0).then(|| good / after),
        seeds_staying_95_percent: seeds
            .iter()
            .filter(|s| s.stays_solved.is_some_and(|share| share >= 0.95))
            .count(),
        wall_s_median: statistics::median(&walls)?,
        wall_s_p95: statistics::percentile(&walls, 95.0)?,
        wall_s_max: statistics::percentile(&walls, 100.0)?,
        env_steps_median: statistics::median(&env_steps)?,
        env_steps_max: statistics::percentile(&env_steps, 100.0)?,
        last_100_training_returns_mean: statistics::mean(&training)?,
        last_100_training_returns_std: statistics::standard_deviation(&training)?,
    })
}

/// One line for people.
pub(crate) fn line(summary: &Summary) -> String {
    let share = |share: Option<f64>| share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
    format!(
        "{}/{} seeds ≥ 475; final min {:.1}, p5 {:.1}, median {:.1}, IQM {:.1} [{:.1}, {:.1}]; after first solve {} \
         of evaluations, {} seeds ≥ 95 %; training {:.1} ± {:.1}; wall median {:.3} p95 {:.3} max {:.3} s; \
         env steps median {:.0} max {:.0}",
        summary.final_at_least_475,
        summary.seeds,
        summary.final_min,
        summary.final_p5,
        summary.final_median,
        summary.final_iqm,
        summary.final_iqm_ci95.0,
        summary.final_iqm_ci95.1,
        share(summary.evaluations_solved_after_first),
        summary.seeds_staying_95_percent,
        summary.last_100_training_returns_mean,
        summary.last_100_training_returns_std,
        summary.wall_s_median,
        summary.wall_s_p95,
        summary.wall_s_max,
        summary.env_steps_median,
        summary.env_steps_max,
    )
}
