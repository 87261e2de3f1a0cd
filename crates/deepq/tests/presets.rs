//! Every preset trains in its environment, and every environment has one.

use std::collections::BTreeSet;

use deepq::config::presets;
use deepq::{Config, Registry, StopReason, Trainer};

/// Few steps, of which the last ones learn; all else is the preset's own.
fn shortened(env: &str, name: &str) -> Config {
    let mut config = Config::preset(env, name).unwrap();
    config.stop.env_steps = Some(200);
    config.stop.episodes = None;
    if let Some(replay) = &mut config.replay {
        config.learning.start_env_steps = Some(100);
        config.learning.every_env_steps = config.learning.every_env_steps.map(|every| every.min(50));
        config.learning.batches = config.learning.batches.min(2);
        replay.capacity = 1_000;
    }
    if let Some(rollout) = &mut config.rollout {
        (rollout.steps, rollout.minibatches, config.env.copies) = (8, 4, 4);
    }
    config.exploration.random_env_steps = 50;
    config.evaluation.every_env_steps = None;
    config.evaluation.stop_early = None;
    config.evaluation.final_policy = deepq::config::FinalPolicy::Last;
    config
}

#[test]
fn every_preset_trains() {
    for preset in presets() {
        let (env, name) = (preset.env.unwrap(), preset.name);
        let mut trainer =
            Trainer::new(&shortened(env, name), 1).unwrap_or_else(|error| panic!("{env} {name}: {error}"));
        let before = trainer.network().parameters(deepq::network::Parameters::Online);
        assert_eq!(trainer.run(&mut ()).unwrap(), StopReason::Finished, "{env} {name}");
        let after = trainer.network().parameters(deepq::network::Parameters::Online);
        assert!(trainer.progress().gradient_steps > 0, "{env} {name}");
        assert!(after.iter().all(|parameter| parameter.is_finite()), "{env} {name}");
        assert_ne!(before, after, "{env} {name}");
        assert_eq!(trainer.config().env.id, env);
    }
}

#[test]
fn every_environment_has_a_default() {
    let with_default: BTreeSet<&str> =
        presets().iter().filter(|preset| preset.name == "default").filter_map(|preset| preset.env).collect();
    let registry = Registry::builtin();
    // CartPole-v0 is CartPole-v1 with a shorter limit, and kept for old scripts alone.
    let without: Vec<&str> =
        registry.ids().map(|(id, _)| id).filter(|id| !with_default.contains(id)).collect();
    assert_eq!(without, ["CartPole-v0"]);
}
