//! An environment of one's own, registered under an id and solved by the general settings of DQN.
//!
//! Run it with `cargo run --release -p deepq --example own_environment`.

use deepq::envs::TimeLimit;
use deepq::*;

/// A corridor of ten fields. The agent starts in a random one and is paid 1 for reaching the right end; every
/// step costs 0.01, so the shortest way is the best.
struct Corridor {
    spec: EnvSpec,
    stream: RandomStream,
    field: usize,
}

const FIELDS: usize = 10;

impl Corridor {
    fn new() -> Self {
        let spec = EnvSpec::new("Corridor", BoxSpace::vector(&[0.0], &[1.0]), 2);
        Self { spec, stream: RandomStream::new(0, "corridor", 0), field: 0 }
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        observation.f32()[0] = self.field as f32 / (FIELDS - 1) as f32;
    }
}

impl Env for Corridor {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.stream = RandomStream::new(seed, "corridor", 0);
        }
        self.field = self.stream.below(FIELDS - 1);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.field = if action == 1 { self.field + 1 } else { self.field.saturating_sub(1) };
        self.observe(observation);
        let terminated = self.field == FIELDS - 1;
        let reward = if terminated { 1.0 } else { -0.01 };
        Ok(Step { reward, terminated, truncated: false })
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.stream.save_state(state);
        state.u64(self.field as u64);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stream.load_state(state)?;
        self.field = state.u64_at_most("field", FIELDS as u64 - 1)? as usize;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = Registry::builtin();
    let limit = std::num::NonZeroU32::new(100).ok_or("a limit of 0 steps")?;
    registry.register("Corridor", "walk to the right end", move || TimeLimit::new(Corridor::new(), limit))?;

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
