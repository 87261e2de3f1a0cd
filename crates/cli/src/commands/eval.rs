//! `deepq eval`

use std::process::ExitCode;

use deepq::{EvaluationSummary, Evaluator, Registry, RunDirectory, evaluation_seeds};
use serde_json::json;

use crate::args::Eval;
use crate::failure::Failure;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &Eval, output: &Output) -> Result<ExitCode, Failure> {
    let registry = Registry::builtin();
    let directory = RunDirectory::open(&args.run.run)?;
    let (config, info) = (directory.config()?, directory.info()?);
    let mut policy = directory.policy(args.run.checkpoint, &registry)?;
    let episodes = args.episodes.map_or(config.evaluation.final_episodes, |episodes| episodes as usize);
    let seeds = evaluation_seeds(args.seed.unwrap_or(info.seed), "final-evaluation", episodes);
    let returns =
        Evaluator::within(directory.env_factory(&registry)?).evaluate_policy(&mut policy, &seeds)?;
    let Some(EvaluationSummary { mean, std, iqm, min, max, episodes }) = EvaluationSummary::of(&returns)
    else {
        return Ok(ExitCode::SUCCESS);
    };
    let checkpoint = args.run.checkpoint.to_string();
    let json = json!({
        "run": path_json(&args.run.run), "checkpoint": checkpoint, "mean": mean, "std": std, "iqm": iqm, "min": min,
        "max": max, "episodes": episodes, "returns": returns,
    });
    let text = format!(
        "{}, {checkpoint} policy, {episodes} episodes: mean return {mean:.1} ± {std:.1}  (IQM {iqm:.1}, min {min:.1}, max {max:.1})",
        config.env.id
    );
    output.result(&json, &text)?;
    Ok(ExitCode::SUCCESS)
}
