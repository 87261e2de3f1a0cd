//! The tutorial as a program: train DQN on CartPole-v1, then let the agent play.
//!
//! Run it with `cargo run --release -p deepq --example cartpole`.

use deepq::config::ConfigError;
use deepq::events::{Event, Watcher};
use deepq::{Config, Evaluator, ObservationBuffer, Registry, Trainer, evaluation_seeds};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The tutorial's recipe with its faults corrected; try "tutorial" for the recipe as it was written.
    let config = Config::preset("CartPole-v1", "tutorial-fixed")?;
    let mut trainer = Trainer::new(&config, 1)?;

    // Train for 500 episodes, and print a line every tenth, as the tutorial does.
    trainer.run(&mut Watcher(|event: &Event<'_>| {
        let Event::EpisodeEnded(ended) = event else { return };
        let episode = ended.progress.episodes - 1;
        if episode % 10 == 0 {
            let total_reward = ended.episode.episodic_return;
            println!("Episode: {episode}, Total Reward: {total_reward}, Epsilon: {:.2}", ended.epsilon);
        }
    }))?;

    // Judge the greedy policy in 100 episodes that it has not seen.
    let mut policy = trainer.policy();
    let registry = Registry::builtin();
    let mut evaluator = Evaluator::new(&registry, "CartPole-v1")?;
    let returns = evaluator.evaluate_policy(&mut policy, &evaluation_seeds(1, "example", 100))?;
    println!("mean return over 100 episodes: {:.1}", returns.iter().sum::<f64>() / 100.0);

    // Play one episode by hand. `deepq record` films such episodes.
    let mut env = registry.make("CartPole-v1").map_err(|error| ConfigError::new("env", error.to_string()))?;
    let mut observation = ObservationBuffer::zeros(deepq::ElementKind::F32, 4);
    env.reset(Some(7), observation.slice_mut(0..4))?;
    let mut total_reward = 0.0;
    loop {
        let action = policy.act(observation.as_observation());
        let step = env.step(action, observation.slice_mut(0..4))?;
        total_reward += step.reward;
        if step.terminated || step.truncated {
            break;
        }
    }
    println!("one more episode: {total_reward}");
    Ok(())
}
