//! Studies and benchmarks of deepq. `cargo xtask study` and `cargo xtask bench` call this program; its results
//! stand in `benches/results/`, each with the command and the machine it was made on.

mod engine;
mod faults;
mod machine;
mod networks;
mod peers;
mod recipes;
mod seeds;
mod speed;
mod start_up;
mod tables;

use std::process::ExitCode;

const USAGE: &str = "\
usage: deepq-bench STUDY [FIRST_SEED SEEDS]

  default        the default recipe, 100 seeds, one core
  default-fixed  the same without the early stop, 100 seeds
  cleanrl        CleanRL's recipe by its published protocol, 10 seeds
  sb3            Stable-Baselines3's recipe, the 20 seeds of benches/peers/results/sb3_cartpole.json
  faults         the tutorial's faults mended one by one, 20 seeds each
  engine [NETWORK | INSTRUCTION_SET]...   one gradient step on the CPU engine, and its distance to the limit
  peers PYTHON [NETWORK]...   the same gradient steps in PyTorch and JAX, run with this Python, beside ours
  speed          env steps a second of each preset, one core
  start-up       time to the first step and memory of the program deepq
  tables         writes the tables of README.md and docs anew from benches/results
  try PRESET FIRST_SEED SEEDS [KEY=VALUE]...   any recipe, printed only";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse::<u64>());
    let (first, count) = match args.first().map(String::as_str) {
        Some("try") => (number(2, 1), number(3, 10)),
        Some("sb3") => (number(1, 2001), number(2, 20)),
        Some("cleanrl") => (number(1, 5001), number(2, 10)),
        Some("faults") => (number(1, 6001), number(2, 20)),
        Some("engine" | "peers" | "step-server") => (Ok(0), Ok(0)),
        _ => (number(1, 4001), number(2, 100)),
    };
    let (Ok(first), Ok(count)) = (first, count) else {
        eprintln!("seeds are whole numbers\n\n{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = match args.first().map(String::as_str) {
        Some("default") => recipes::default(first, count),
        Some("default-fixed") => recipes::default_fixed(first, count),
        Some("cleanrl") => recipes::cleanrl(first, count),
        Some("sb3") => recipes::sb3(first, count),
        Some("faults") => faults::run(first, count),
        Some("engine") => engine::run(&args[1..]),
        Some("peers") if args.len() > 1 => peers::run(&args[1], &args[2..]),
        Some("step-server") if args.len() == 2 => peers::serve(&args[1]),
        Some("speed") => speed::run(),
        Some("start-up") => start_up::run(),
        Some("tables") => tables::run(),
        Some("try") if args.len() > 1 => {
            recipes::attempt(&args[1], first, count, args.get(4..).unwrap_or(&[]))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
