//! An environment of one's own, registered under an id and solved by the general settings of DQN.
//!
//! Run it with `cargo run --release -p deepq --example own_environment`.

use deepq::envs::Task;
use deepq::*;
use serde::{Deserialize, Serialize};

/// A corridor of ten fields. The agent starts in a random one and is paid 1 for reaching the right end; every
/// step costs 0.01, so the shortest way is the best.
#[derive(Serialize, Deserialize)]
struct Corridor {
    field: usize,
}

const LAST: usize = 9;

impl Task for Corridor {
    fn spec() -> EnvSpec {
        let position = BoxSpace::vector(&[0.0], &[1.0]);
        EnvSpec { max_episode_steps: Some(100), ..EnvSpec::new("Corridor", position, 2) }
    }

    fn begin(random: &mut RandomStream) -> Self {
        Self { field: random.below(LAST) }
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        observation.f32()[0] = self.field as f32 / LAST as f32;
    }

    fn step(&mut self, action: usize, _random: &mut RandomStream) -> Step {
        self.field = if action == 1 { self.field + 1 } else { self.field.saturating_sub(1) };
        let terminated = self.field == LAST;
        Step { reward: if terminated { 1.0 } else { -0.01 }, terminated, truncated: false }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = envs::check::check_env(envs::TaskEnv::<Corridor>::new);
    println!("{report}");

    let mut registry = Registry::builtin();
    registry.register_task::<Corridor>("walk to the right end")?;

    let settings = ["stop.env_steps=20_000".into(), "exploration.epsilon.env_steps=5_000".into()];
    let (config, _) = Config::resolve("Corridor", None, Some("dqn"), &settings)?;
    let mut trainer = Trainer::with_registry(&config, 1, &registry)?;
    trainer.run(&mut ())?;

    let seeds = evaluation_seeds(1, "example", 100);
    let returns = Evaluator::new(&registry, "Corridor")?.evaluate_policy(&mut trainer.policy(), &seeds)?;
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    println!("mean return over 100 episodes: {mean:.3} (the best possible is about 0.96)");
    Ok(())
}
