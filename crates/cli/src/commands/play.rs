//! `deepq play`

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use deepq::{Registry, RunDirectory};
use deepq_view::episode::Episode;
use deepq_view::watch::{ScreenKind, open_screen, play};
use serde_json::json;

use crate::args::{Play, PlayRender};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &Play, output: &Output) -> Result<ExitCode, Failure> {
    let registry = Registry::builtin();
    let directory = RunDirectory::open(&args.run.run)?;
    let policy = directory.policy(args.run.checkpoint, &registry)?;
    let mut episode = Episode::new(&directory.env_factory(&registry)?, policy)?;
    let kind = match args.render {
        PlayRender::Window => ScreenKind::Window,
        PlayRender::Terminal => ScreenKind::Terminal,
    };
    let seed = args.seed.unwrap_or(directory.info()?.seed);
    let interrupt = Interrupt::watch()?;
    let stop = interrupt.stop_flag();
    let should_stop = || stop.load(Ordering::Relaxed);
    let pace = args.pace.fps.unwrap_or_default();
    let episodes = args.episodes.map(|episodes| episodes as usize);
    let mut screen = open_screen(kind, episode.env().spec()).map_err(Failure::before_the_start)?;
    let played = play(&mut episode, &mut *screen, pace, episodes, seed, &should_stop)?;
    drop(screen);
    let lines = played.iter().enumerate().map(|(number, played)| {
        format!("episode {}: return {:.1} in {} steps", number + 1, played.episodic_return, played.length)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    output.result(&json!({ "run": path_json(&args.run.run), "episodes": played }), &text)?;
    Ok(interrupt.exit_code().unwrap_or(ExitCode::SUCCESS))
}
