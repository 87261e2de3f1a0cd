//! Row 18 of the correctness table: 2k env steps equal 1k, saving, loading into a fresh trainer, and 1k more, to
//! the byte.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use common::{config, request};
use deepq::events::{Answer, EpisodeEnded, Event, Observer};
use deepq::run::{RunStatus, train};
use deepq::{Config, RunDirectory, StopReason, Trainer, TrainerState};

/// All that is told of a run.
#[derive(Default, PartialEq, Debug)]
struct Told {
    episodes: Vec<EpisodeEnded>,
    evaluations: Vec<(u64, Vec<f64>, bool)>,
}

/// Remembers what it is told, and stops the run after a number of env steps.
struct Until {
    env_steps: u64,
    told: Told,
}

impl Observer for Until {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        let now = match event {
            Event::Step { progress, .. } => progress.env_steps,
            Event::EpisodeEnded(ended) => {
                self.told.episodes.push(*ended);
                0
            }
            Event::Evaluated(evaluated) => {
                let env_steps = evaluated.progress.env_steps;
                self.told.evaluations.push((env_steps, evaluated.returns.to_vec(), evaluated.is_best));
                0
            }
            _ => 0,
        };
        Ok(if now >= self.env_steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn watches_steps(&self) -> bool {
        true
    }
}

fn run(trainer: &mut Trainer, until: u64) -> (StopReason, Told) {
    let mut observer = Until { env_steps: until, told: Told::default() };
    let reason = trainer.run(&mut observer).unwrap();
    (reason, observer.told)
}

fn assert_equal(found: &TrainerState, expected: &TrainerState) {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(bits(&found.online) == bits(&expected.online), "the online networks differ");
    assert!(bits(&found.target) == bits(&expected.target), "the target networks differ");
    assert!(found.optimizer == expected.optimizer, "the optimisers differ");
    assert!(found.replay == expected.replay, "the memories differ");
    assert!(found.trainer == expected.trainer, "environments, streams or progress differ");
}

/// Runs without a stop, and with stops after each of `stops` env steps, at each of which the state goes through
/// memory and through a run directory's files.
fn assert_resumes(config: &Config, stops: &[u64]) {
    let mut whole = Trainer::new(config, 11).unwrap();
    let (reason, expected) = run(&mut whole, u64::MAX);
    assert_eq!(reason, StopReason::Finished);
    assert!(whole.progress().gradient_steps > 50, "too little was learned to tell anything");

    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let mut trainer = Trainer::new(config, 11).unwrap();
    for stop in stops {
        let (reason, part) = run(&mut trainer, *stop);
        assert_eq!(reason, StopReason::Interrupted);
        told.episodes.extend(part.episodes);
        told.evaluations.extend(part.evaluations);
        let state = trainer.state();
        let on_disk = state_from_disk(config, *stop, &folder.path().join(stop.to_string()));
        assert_equal(&on_disk, &state);
        trainer = Trainer::new(config, 11).unwrap();
        trainer.load_state(&on_disk).unwrap();
        assert_equal(&trainer.state(), &state);
    }
    let (reason, part) = run(&mut trainer, u64::MAX);
    assert_eq!(reason, StopReason::Finished);
    told.episodes.extend(part.episodes);
    told.evaluations.extend(part.evaluations);
    assert_equal(&trainer.state(), &whole.state());
    assert_eq!(told, expected);
    assert_eq!(trainer.best(), whole.best());
}

/// The state in the files of a run that was stopped after `stop` env steps.
fn state_from_disk(config: &Config, stop: u64, path: &Path) -> TrainerState {
    let mut observer = Until { env_steps: stop, told: Told::default() };
    let summary = train(&request(config.clone(), 11, path), &mut observer).unwrap();
    assert_eq!(summary.status, RunStatus::Interrupted);
    let fresh = Trainer::new(config, 11).unwrap();
    RunDirectory::open(path).unwrap().newest_state(&fresh).unwrap()
}

const SMALL: [&str; 4] = [
    "stop={env_steps=2000}",
    "network.hidden=[16, 16]",
    "learning.start_env_steps=200",
    "replay.capacity=700",
];

fn small(preset: &str, set: &[&str]) -> Config {
    config(preset, &[&SMALL[..], set].concat())
}

#[test]
fn row_18_long_returns_polyak_averaging_and_evaluations_in_between() {
    let set = ["evaluation.every_env_steps=300", "evaluation.episodes=4"];
    let config = small("default-fixed", &set);
    assert_eq!(config.learning.n_step, 10);
    assert_resumes(&config, &[1000]);
}

#[test]
fn row_18_three_environments_and_several_stops() {
    let set = ["env.copies=3", "evaluation.every_env_steps=500", "evaluation.final_policy=best"];
    assert_resumes(&small("default-fixed", &set), &[150, 1001, 1500]);
}

#[test]
fn row_18_without_replacement_minibatches_and_a_target_copied_by_episodes() {
    let config = small("tutorial", &["target.period={unit=\"episodes\",every=7,first=1}"]);
    assert_resumes(&config, &[1000]);
}

#[test]
fn row_18_a_target_copied_by_env_steps_and_bursts_of_learning() {
    let set = [
        "learning.every_env_steps=64",
        "learning.batches=16",
        "target.period={unit=\"env-steps\",every=150}",
        "learning.n_step=3",
        "env.copies=2",
    ];
    assert_resumes(&small("sb3-dqn", &set), &[1000, 1030]);
}

#[test]
fn row_18_double_q_learning_in_the_middle_of_an_exponential_schedule() {
    let set = [
        "loss.target.double=true",
        "learning.n_step=4",
        "replay.sampler={kind=\"uniform-without-replacement\"}",
        "exploration.epsilon={kind=\"exponential-per-episode\",from=1.0,factor=0.9,floor=0.05}",
    ];
    assert_resumes(&small("cleanrl-dqn", &[&set[..], &["learning.every_env_steps=4"]].concat()), &[999]);
}

#[test]
fn row_18_every_optimizer_in_the_middle_of_a_learning_rate_schedule() {
    for (optimizer, learning_rate) in [
        ("{kind=\"adamw\"}", "{kind=\"cosine\",from=3e-3,to=1e-4,env_steps=1500}"),
        ("{kind=\"radam\"}", "{kind=\"exponential-per-gradient-step\",from=3e-3,factor=0.99}"),
        (
            "{kind=\"rmsprop\",centered=true,momentum=0.9,epsilon=0.01}",
            "{kind=\"cosine-in-gradient-steps\",from=1e-3,to=0,gradient_steps=400}",
        ),
        (
            "{kind=\"sgd\",momentum=0.9,nesterov=true,weight_decay=1e-3}",
            "{kind=\"linear-in-gradient-steps\",from=1e-3,to=0,gradient_steps=400}",
        ),
    ] {
        let set = [
            format!("optimizer={optimizer}"),
            format!("learning.learning_rate={learning_rate}"),
            "learning.max_gradient_norm=1.0".to_owned(),
        ];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        assert_resumes(&small("default-fixed", &set), &[1000]);
    }
}

#[test]
fn a_state_of_another_seed_or_configuration_is_refused() {
    let config_of = |set: &[&str]| small("default-fixed", set);
    let mut trainer = Trainer::new(&config_of(&[]), 11).unwrap();
    run(&mut trainer, 600);
    let state = trainer.state();
    let refused = |config: Config, seed: u64| {
        let error = Trainer::new(&config, seed).unwrap().load_state(&state).unwrap_err();
        assert!(!error.to_string().is_empty());
    };
    refused(config_of(&[]), 12);
    refused(config_of(&["network.hidden=[16, 17]"]), 11);
    refused(config_of(&["env.copies=2"]), 11);
    refused(config_of(&["replay.capacity=701"]), 11);
    refused(config_of(&["learning.n_step=9"]), 11);
    refused(config_of(&["optimizer={kind=\"adamw\"}"]), 11);
}

/// Noise of each use, drawn fractions, proposals with their optimiser, priorities, resets, rollouts, traces.
#[test]
fn row_18_every_recipe() {
    for recipe in deepq::config::algorithms() {
        let of_recipe: &[&str] = match recipe.name {
            "pqn" => &[
                "env.copies=4",
                "rollout.steps=8",
                "rollout.minibatches=4",
                "rollout.epochs=2",
                "network.hidden=[16]",
            ],
            "stream-q" => &[],
            _ => &[
                "network.hidden=[16, 16]",
                "learning.start_env_steps=100",
                "learning.every_env_steps=3",
                "learning.batch_size=16",
                "replay.capacity=300",
            ],
        };
        let with_a_reset: &[&str] = match recipe.name {
            "bbf" | "rainbow" | "fqf" => &["reset={period={unit=\"gradient-steps\",every=70}}"],
            _ => &[],
        };
        let shared = [
            "stop={env_steps=700}",
            "evaluation.every_env_steps=200",
            "evaluation.episodes=2",
            "evaluation.stop_early=off",
            "evaluation.final_policy=best",
        ];
        let set = shared.iter().chain(of_recipe).chain(with_a_reset);
        let set: Vec<String> = set.map(|setting| (*setting).to_owned()).collect();
        let resolved = Config::resolve("CartPole-v1", None, Some(recipe.name), &set);
        let (config, _) = resolved.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
        assert_resumes(&config, &[333]);
    }
}

const WRAPPERS: &str = "env.wrappers=[{kind=\"sticky-actions\",probability=0.1},{kind=\"action-repeat\",times=2},\
                        {kind=\"normalize-observation\",clip=5.0},{kind=\"frame-stack\",frames=3},\
                        {kind=\"scale-reward\",factor=0.5}]";

#[test]
fn row_18_wrapped_environments_with_statistics_and_shared_frames() {
    let set = [
        WRAPPERS,
        "env.copies=2",
        "learning.n_step=3",
        "evaluation.every_env_steps=300",
        "evaluation.final_policy=best",
        "replay.capacity=150",
    ];
    let config = small("cleanrl-dqn", &[&set[..], &["learning.every_env_steps=4"]].concat());
    assert_resumes(&config, &[700, 1500]);
}

#[test]
fn row_18_every_environment() {
    for (id, _) in deepq::envs::ids() {
        let hidden = match id.starts_with("MinAtar/") {
            true => "network={architecture=\"minatar\"}",
            false => "network.hidden=[16]",
        };
        let set = [
            hidden,
            "stop={env_steps=260}",
            "learning.start_env_steps=50",
            "learning.every_env_steps=2",
            "learning.batch_size=16",
            "replay.capacity=120",
            "recording.episodes=0",
            "evaluation.final_episodes=1",
        ];
        let set: Vec<String> = set.iter().map(|setting| (*setting).to_owned()).collect();
        let config =
            Config::resolve(id, None, Some("dqn"), &set).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_resumes(&config.0, &[131]);
    }
}
