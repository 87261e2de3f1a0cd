//! `deepq train`

mod algos;
mod seeds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use deepq::config::{Config, ConfigError};
use deepq::events::Observer;
use deepq::run::{CheckpointChoice, HangHandler, RunStatus, RunSummary, TrainRequest, train};
use deepq::{EnvFactory, Registry, RunDirectory};
use deepq_view::recorder::{RecordRequest, Recording};
use deepq_view::report::{duration, write_report};
use deepq_view::watch::{ScreenKind, TrainingScreen, open_screen};
use serde_json::json;

use crate::args::{Render, Train};
use crate::commands::record::record_until_stopped;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, path_json, shell_word};
use crate::progress::{ProgressLine, thousands};

pub(crate) fn run(args: &Train, output: &Output) -> Result<ExitCode, Failure> {
    // First of all, so that a wrong environment is told as such and not as a missing preset.
    Registry::builtin().make(&args.env).map_err(|error| ConfigError::from_make("ENV", &error))?;
    let mut requests = match &args.algo[..] {
        [] => vec![request(args, None)?],
        algos => algos.iter().map(|algo| request(args, Some(algo.trim()))).collect::<Result<_, _>>()?,
    };
    let interrupt = Interrupt::watch()?;
    let several = requests.len() > 1;
    if (several || args.seeds.is_some()) && args.set.iter().any(|set| set.starts_with("recording")) {
        output.note("warning: several runs are not filmed, so that recording's settings have no effect");
    }
    for request in &mut requests {
        for warning in request.config.warnings() {
            let of_which = if several { format!("{}: ", request.preset) } else { String::new() };
            output.note(format!("warning: {of_which}{warning}"));
        }
        request.stop_flag = interrupt.stop_flag();
        request.on_hang = Some(end_with(*output));
    }
    match (&requests[..], args.seeds) {
        ([request], None) => run_one(args, request, &interrupt, output),
        ([request], Some(count)) => seeds::run_seeds(args, request, count, &interrupt, output),
        (requests, count) => algos::run_algos(args, requests, count.unwrap_or(1), &interrupt, output),
    }
}

fn request(args: &Train, algo: Option<&str>) -> Result<TrainRequest, Failure> {
    check_flags(args)?;
    let mut set = args.set.clone();
    set.extend(args.env_steps.map(|env_steps| format!("stop={{env_steps={env_steps}}}")));
    set.extend(args.episodes.map(|episodes| format!("stop={{episodes={episodes}}}")));
    let several = args.algo.len() > 1;
    let of_which = |error: ConfigError| match algo.filter(|_| several) {
        Some(algo) if error.place != "--algo" => {
            ConfigError { place: format!("--algo {algo}: {}", error.place), ..error }
        }
        _ => error,
    };
    let (mut config, preset) =
        Config::resolve(&args.env, args.preset.as_deref(), algo, &set).map_err(of_which)?;
    config.engine.threads = args.threads.unwrap_or(config.engine.threads);
    let mut request = TrainRequest::new(config, preset.name, args.seed);
    request.out = args.out.clone();
    request.command = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    Ok(request)
}

/// A flag that stands for settings would silently win over them.
fn check_flags(args: &Train) -> Result<(), ConfigError> {
    let flag = match (args.env_steps, args.episodes) {
        (Some(_), _) => "--env-steps",
        (_, Some(_)) => "--episodes",
        _ => return Ok(()),
    };
    let is_stop =
        |set: &&String| set.trim_start().starts_with("stop.") || set.trim_start().starts_with("stop=");
    match args.set.iter().find(is_stop) {
        Some(set) => Err(ConfigError::new(flag, format!("cannot be given together with --set {set}"))),
        None => Ok(()),
    }
}

/// An environment that hangs holds its thread for good: the program ends from another one.
fn end_with(output: Output) -> HangHandler {
    Arc::new(move |failure| {
        let mut failure = Failure::from(deepq::Error::from(failure));
        failure.help = Some("env.step_limit_s says how long a step or a reset may take".into());
        output.failure(&failure);
        std::process::exit(failure.code.into());
    })
}

fn run_one(
    args: &Train,
    request: &TrainRequest,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let config = &request.config;
    let announcement = format!("training {} on {} with seed {}", request.preset, config.env.id, request.seed);
    let mut line = ProgressLine::new(announcement, output, config);
    let summary = match screen(args, config)? {
        None => train(request, &mut line),
        Some(mut screen) => train(request, &mut (&mut line as &mut dyn Observer, &mut screen)),
    };
    line.finish();
    let summary = summary?;
    output.note(told(&summary));
    if summary.status == RunStatus::Interrupted || interrupt.exit_code().is_some() {
        output.result(&json!(summary), &summary.run.display().to_string())?;
        return Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS));
    }
    let videos = film(request, &summary, interrupt, output)?;
    // All that takes long to make again is on disk.
    interrupt.end_at_once();
    let report = summary.run.join("report.html");
    write_report(std::slice::from_ref(&summary.run), &report)?;
    let mut json = json!(summary);
    json["videos"] = videos.iter().map(|video| path_json(&video.path)).collect();
    json["report"] = path_json(&report);
    output.note(next_steps(&summary.run, &report, &videos));
    output.result(&json, &summary.run.display().to_string())?;
    Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS))
}

fn screen(args: &Train, config: &Config) -> Result<Option<TrainingScreen>, Failure> {
    let kind = match args.render {
        Render::None => return Ok(None),
        Render::Window => ScreenKind::Window,
        Render::Terminal => ScreenKind::Terminal,
    };
    let factory = EnvFactory::new(&Registry::builtin(), &config.env)?;
    let screen = open_screen(kind, factory.spec()).map_err(Failure::before_the_start)?;
    Ok(Some(TrainingScreen::new(screen, factory.spec(), args.pace.fps.unwrap_or_default())?))
}

fn told(summary: &RunSummary) -> String {
    let how = match (summary.status, summary.solved_early) {
        (RunStatus::Interrupted, _) => "stopped, checkpoint written",
        (_, true) => "solved",
        _ => "done",
    };
    let mut text = format!(
        "{how} after {} env steps, {} gradient steps, {} episodes in {} ({} env steps/s)",
        thousands(summary.env_steps as f64),
        thousands(summary.gradient_steps as f64),
        thousands(summary.episodes as f64),
        duration(summary.wall_s),
        thousands(summary.env_steps_per_s),
    );
    if let Some(eval) = &summary.eval {
        text += &format!(
            "\nevaluation over {} fresh episodes: mean return {:.1} ± {:.1}, min {:.1}, max {:.1}",
            eval.episodes, eval.mean, eval.std, eval.min, eval.max
        );
    }
    text
}

/// Films the final policy, where the configuration asks for it and the environment draws, until a signal comes.
fn film(
    request: &TrainRequest,
    summary: &RunSummary,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Vec<Recording>, Failure> {
    let episodes = episodes_to_film(request);
    let run = RunDirectory::open(&summary.run)?;
    if episodes > 0 && output.is_live() {
        output.note(format!("filming {episodes} episodes"));
    }
    record_until_stopped(
        &RecordRequest {
            run: &run,
            choice: CheckpointChoice::Final,
            episodes,
            seed: request.seed,
            out: &summary.run.join("videos"),
            registry: &request.registry,
            stop: Some(&interrupt.stop_flag()),
        },
        output,
    )
}

fn episodes_to_film(request: &TrainRequest) -> usize {
    let env = request.registry.make(&request.config.env.id);
    match env.is_ok_and(|env| env.spec().frame_size.is_some()) {
        true => request.config.recording.episodes,
        false => 0,
    }
}

/// Several runs are not filmed: how one of them can be, where it draws anything.
fn how_to_film(request: &TrainRequest, run: &Path) -> String {
    match episodes_to_film(request) {
        0 => String::new(),
        _ => format!("\nto film one  deepq record {}", shell_word(run)),
    }
}

/// A page beside fresh runs takes no other one's place.
fn fresh_page(folder: &Path, name: &str) -> PathBuf {
    let page = |number: u64| match number {
        1 => folder.join(format!("{name}.html")),
        _ => folder.join(format!("{name}-{number}.html")),
    };
    (1..).map(page).find(|page| !page.exists()).expect("there are more numbers than files")
}

fn next_steps(run: &Path, report: &Path, videos: &[Recording]) -> String {
    let mut text = format!("\nrun       {}\nreport    {}\n", run.display(), report.display());
    match videos {
        [] => {}
        [only] => text += &format!("video     {}\n", only.path.display()),
        [first, rest @ ..] => {
            text += &format!("videos    {} and {} more\n", first.path.display(), rest.len())
        }
    }
    let run = shell_word(run);
    text + &format!(
        "\nto watch  deepq play {run}\nto judge  deepq eval {run} --episodes 1000\nto tune   deepq train --help"
    )
}
