//! Env steps a second of the presets, on one core.

use std::error::Error;
use std::time::Instant;

use deepq::{Config, Trainer};
use serde_json::json;

use crate::machine::write_result;

/// Times each preset at least three times with one seed, without evaluations while training.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let mut rows = vec![];
    for preset in ["tutorial", "cleanrl-dqn", "sb3-dqn", "default-fixed"] {
        let (mut config, _) = Config::resolve("CartPole-v1", Some(preset), None, &[])?;
        config.evaluation.every_env_steps = None;
        let mut walls = vec![];
        let mut progress = deepq::Progress::default();
        // A short run is repeated more often: one hiccup of the machine must not decide.
        while walls.len() < 3 || walls.iter().sum::<f64>() < 5.0 {
            let started = Instant::now();
            let mut trainer = Trainer::new(&config, 1)?;
            trainer.run(&mut ())?;
            walls.push(started.elapsed().as_secs_f64());
            progress = trainer.progress();
        }
        walls.sort_by(f64::total_cmp);
        let wall_s = walls[walls.len() / 2];
        let env_steps_per_s = progress.env_steps as f64 / wall_s;
        println!(
            "{preset}: {} env steps, {} gradient steps in {wall_s:.3} s (median of {}): \
             {env_steps_per_s:.0} env steps/s",
            progress.env_steps,
            progress.gradient_steps,
            walls.len()
        );
        rows.push(json!({
            "preset": preset, "env_steps": progress.env_steps, "gradient_steps": progress.gradient_steps,
            "wall_s": walls, "env_steps_per_s": env_steps_per_s,
        }));
    }
    Ok(write_result("speed", "cargo xtask bench speed", json!(rows))?)
}
