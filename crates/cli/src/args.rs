//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use deepq::config::{Threads, whole_number};
use deepq::run::CheckpointChoice;

/// Deep Q-learning: train, watch, record and judge agents.
#[derive(Parser)]
#[command(name = "deepq", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(ClapArgs, Clone)]
pub(crate) struct Global {
    /// Print the result as one JSON object, the last line of standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print a line for every episode and evaluation
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train an agent, judge it, film it and write a report
    ///
    /// Before the first step it tells how much memory the run takes; replay.capacity and the network make most of it.
    Train(Train),
    /// Judge the policy of a run in fresh episodes
    Eval(Eval),
    /// Watch the policy of a run play
    Play(Play),
    /// Film episodes of a run's policy as MP4
    Record(Record),
    /// Write one self-contained HTML page on one or more runs
    Report(Report),
    /// Compare the final returns of runs: IQM, intervals, probability of improvement
    Compare(Compare),
    /// List what there is
    List(List),
    /// Print the completions of a shell
    Completions(Completions),
}

#[derive(ClapArgs)]
pub(crate) struct Train {
    /// The environment's id, CartPole-v1 say; `deepq list envs` shows all
    pub(crate) env: String,
    /// A recipe for this environment; `deepq list presets` shows all [default: default]
    #[arg(long, value_name = "NAME", conflicts_with = "algo")]
    pub(crate) preset: Option<String>,
    /// An algorithm: its parts on top of this environment's default settings, or this environment's preset of that
    /// name; `deepq list algos` shows all. Several, with commas between them, are trained side by side and compared
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) algo: Vec<String>,
    /// Train for so many env steps
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count, conflicts_with = "episodes")]
    pub(crate) env_steps: Option<u64>,
    /// Train for so many episodes
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count)]
    pub(crate) episodes: Option<u64>,
    /// The seed of all random numbers
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, value_parser = parse_seed)]
    pub(crate) seed: u64,
    /// Train so many seeds side by side, from --seed on
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count)]
    pub(crate) seeds: Option<u64>,
    /// The run directory; with --seeds the parent of the run directories, with several --algo the parent of a folder
    /// for each [default: a fresh one in runs/]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Change a setting of the recipe, learning.gamma=0.9 say; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// How many threads share a large pass of the network: auto is one for every two cores, and 1 with several
    /// --seeds. It never changes what comes out
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_threads)]
    pub(crate) threads: Option<Threads>,
    /// Watch every step while it trains
    #[arg(long, value_enum, default_value_t = Render::None, conflicts_with = "seeds")]
    pub(crate) render: Render,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}

#[derive(ClapArgs)]
pub(crate) struct Eval {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Over how many episodes [default: the configuration's evaluation.final_episodes]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_episodes)]
    pub(crate) episodes: Option<u64>,
    /// The seed the episodes' own seeds are drawn from [default: the run's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_seed)]
    pub(crate) seed: Option<u64>,
}

#[derive(ClapArgs)]
pub(crate) struct Play {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Where the pictures go
    #[arg(long, value_enum, default_value_t = PlayRender::Window)]
    pub(crate) render: PlayRender,
    /// Stop after so many episodes [default: when the screen is closed]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count)]
    pub(crate) episodes: Option<u64>,
    /// The seed the episodes' own seeds are drawn from [default: the run's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_seed)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}

#[derive(ClapArgs)]
pub(crate) struct Record {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// How many episodes
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 5, value_parser = parse_episodes)]
    pub(crate) episodes: u64,
    /// The seed the episodes' own seeds are drawn from [default: the run's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_seed)]
    pub(crate) seed: Option<u64>,
    /// The folder the videos are written to [default: RUN/videos]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct Report {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// The HTML file [default: report.html in the run's folder, or for several runs in this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs)]
#[command(after_help = "\
Examples:
  deepq compare runs/CartPole-v1                     all runs in a folder
  deepq compare study/dqn study/c51 --out page.html  with a page of charts
  deepq train CartPole-v1 --algo dqn,double-dqn --seeds 10   trains, then compares")]
pub(crate) struct Compare {
    /// Run directories, or folders that hold some; they are grouped by environment, algorithm and preset
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Write a page with charts
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct List {
    /// Of what
    #[arg(value_enum)]
    pub(crate) what: ListWhat,
    /// The folder in which runs are looked for [default: runs]
    #[arg(long, value_name = "DIR")]
    pub(crate) below: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// A run, and which of its policies.
#[derive(ClapArgs)]
pub(crate) struct RunArgs {
    /// The run directory
    pub(crate) run: PathBuf,
    /// Which policy: final, best, last, or the number of env steps of a checkpoint
    #[arg(long, value_name = "WHICH", default_value = "final")]
    pub(crate) checkpoint: CheckpointChoice,
}

#[derive(ClapArgs)]
pub(crate) struct PaceArgs {
    /// Frames a second, or max for as fast as possible [default: the environment's frame rate]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_pace)]
    pub(crate) fps: Option<deepq_view::watch::Pace>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Render {
    /// Show nothing, which is fastest
    None,
    /// A window
    Window,
    /// The terminal
    Terminal,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlayRender {
    /// A window
    Window,
    /// The terminal
    Terminal,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListWhat {
    /// The environments
    Envs,
    /// The recipes of each environment
    Presets,
    /// The algorithms
    Algos,
    /// The runs on this disk
    Runs,
}

/// The greatest number that a configuration file can hold.
const MOST: u64 = i64::MAX as u64;

/// A whole number of at least 1; 50_000 may be written for 50000.
fn parse_count(text: &str) -> Result<u64, String> {
    parse_number(text, MOST).map_err(|()| format!("allowed are whole numbers from 1 to {MOST}"))
}

/// As [`parse_count`], for episodes that are all held in memory.
fn parse_episodes(text: &str) -> Result<u64, String> {
    parse_number(text, 100_000).map_err(|()| "allowed are whole numbers from 1 to 100000".into())
}

fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("allowed are whole numbers from 0 to {}", u64::MAX))
}

fn parse_threads(text: &str) -> Result<Threads, String> {
    match (text, parse_number(text, Threads::MOST as u64)) {
        ("auto", _) => Ok(Threads::Auto),
        (_, Ok(count)) => Ok(Threads::Count(count as usize)),
        (_, Err(())) => Err(format!("allowed are auto and whole numbers from 1 to {}", Threads::MOST)),
    }
}

fn parse_number(text: &str, most: u64) -> Result<u64, ()> {
    let text = text.replace('_', "");
    let with_exponent = || whole_number(text.parse().ok().filter(|_| text.contains(['e', 'E']))?);
    let number = text.parse().ok().or_else(|| with_exponent()?.try_into().ok()).ok_or(())?;
    if (1..=most).contains(&number) { Ok(number) } else { Err(()) }
}

fn parse_pace(text: &str) -> Result<deepq_view::watch::Pace, String> {
    use deepq_view::watch::Pace;
    match text {
        "max" => Ok(Pace::Unlimited),
        number => match number.parse::<f64>() {
            Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Pace::FramesPerSecond(rate)),
            _ => Err("allowed are a number above 0, or max".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn counts_may_have_an_exponent() {
        assert_eq!(parse_count("1e6"), Ok(1_000_000));
        assert_eq!(parse_count("2.5E3"), Ok(2_500));
        assert_eq!(parse_count("10_000"), Ok(10_000));
        for wrong in ["", "0", "-1", "1.5", "1.5e0", "1e-3", "1e400", "1e17", "e", "inf"] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
    }
}
