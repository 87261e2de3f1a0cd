//! Studies and benchmarks of deepq. `cargo xtask study` and `cargo xtask bench` call this program; its results
//! stand in `benches/results/`, each with the command and the machine it was made on.

mod bits;
mod engine;
mod envs;
mod family;
mod faults;
mod machine;
mod networks;
mod peers;
mod presets;
mod process;
mod recipes;
mod rounds;
mod seeds;
mod speed;
mod start_up;
mod tables;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "\
usage: deepq-bench STUDY [FIRST_SEED SEEDS]

  default        the default recipe, 100 seeds, one core
  default-fixed  the same without the early stop, 100 seeds
  cleanrl        CleanRL's recipe by its published protocol, 10 seeds
  sb3            Stable-Baselines3's recipe, the 20 seeds of benches/peers/results/sb3_cartpole.json
  presets [ENV/NAME | ENV]... [--seeds N] [--set KEY=VALUE]...
                 presets of all environments by the protocol of who published them, 10 seeds; with --set printed only
  family ENV[,ENV]... RECIPE[,RECIPE]...|all [--seeds N] [--env-steps N]
                 recipes of the family on top of environments' settings, 10 seeds
  faults         the tutorial's faults mended one by one, 20 seeds each
  bits [STEPS]   equal parameters after 1000 gradient steps on all instruction sets and with several threads
  engine [NETWORK | INSTRUCTION_SET]...   one gradient step on the CPU engine, and its distance to the limit
  peers PYTHON [NETWORK]...   the same gradient steps in PyTorch and JAX, run with this Python, beside ours
  envs [python:SET=PATH | missing:SET=REASON]... [ENV]...   an env step beside other packages', each run with its Python
  speed          env steps a second of each preset, one core
  start-up       time to the first step and memory of the program deepq
  tables         writes the tables of README.md and docs anew from benches/results
  try PRESET FIRST_SEED SEEDS [KEY=VALUE]...   any recipe, printed only";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("bits") => {
            args.get(1).map(|steps| steps.parse()).transpose().map_err(Into::into).and_then(bits::run)
        }
        Some("engine") => engine::run(&args[1..]),
        Some("peers") if args.len() > 1 => peers::run(&args[1], &args[2..]),
        Some("envs") => envs::run(&args[1..]),
        Some("env-server") => envs::serve(args.get(1).map(String::as_str)),
        Some("step-server") if args.len() == 2 => peers::serve(&args[1]),
        Some("presets") => presets::run(&args[1..]),
        Some("family") => family::run(&args[1..]),
        Some("speed") => speed::run(),
        Some("start-up") => start_up::run(),
        Some("tables") => tables::run(),
        _ => match study(&args) {
            Some(outcome) => outcome,
            None => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where no study has this name.
fn study(args: &[String]) -> Option<Result<(), Box<dyn Error>>> {
    let seeds = |first_at: usize, first: u64, count: u64| -> Result<(u64, u64), Box<dyn Error>> {
        let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
        match (number(first_at, first), number(first_at + 1, count)) {
            (Ok(first), Ok(count)) => Ok((first, count)),
            _ => Err("seeds are whole numbers".into()),
        }
    };
    Some(match args.first()?.as_str() {
        "default" => seeds(1, 4001, 100).and_then(|(first, count)| recipes::default(first, count)),
        "default-fixed" => {
            seeds(1, 4001, 100).and_then(|(first, count)| recipes::default_fixed(first, count))
        }
        "cleanrl" => seeds(1, 5001, 10).and_then(|(first, count)| recipes::cleanrl(first, count)),
        "sb3" => seeds(1, 2001, 20).and_then(|(first, count)| recipes::sb3(first, count)),
        "faults" => seeds(1, 6001, 20).and_then(|(first, count)| faults::run(first, count)),
        "try" if args.len() > 1 => seeds(2, 1, 10).and_then(|(first, count)| {
            recipes::attempt(&args[1], first, count, args.get(4..).unwrap_or(&[]))
        }),
        _ => return None,
    })
}
