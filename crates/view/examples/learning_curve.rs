//! Writes the learning curve of runs as an SVG file:
//! `cargo run --release -p deepq-view --example learning_curve -- RUN... OUT.svg`
//!
//! `docs/images/cartpole-learning-curve.svg` is made of the runs of
//! `deepq train CartPole-v1 --seeds 10 --out runs/curve`, which are `runs/curve/s*`.

use std::path::PathBuf;
use std::process::ExitCode;

use deepq_view::report::learning_curve_svg;

fn main() -> ExitCode {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let out = paths.pop();
    let (Some(out), false) = (out, paths.is_empty()) else {
        eprintln!("usage: learning_curve RUN... OUT.svg");
        return ExitCode::from(2);
    };
    let written = learning_curve_svg(&paths).map_err(|error| error.to_string()).and_then(|svg| {
        std::fs::write(&out, svg).map_err(|error| format!("cannot write {}: {error}", out.display()))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
