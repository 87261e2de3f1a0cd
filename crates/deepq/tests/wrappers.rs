//! Environments with options and wrappers, as a run makes them.

mod common;

use common::{config, train_in};
use deepq::envs::wrappers::{FrameStack, ObservationStatistics};
use deepq::run::CheckpointChoice;
use deepq::{
    Config, Env, EnvError, EnvFactory, EnvSpec, Evaluator, ObservationMut, Registry, RunDirectory,
    StackPadding, StateError, StateReader, StateWriter, Step, Trainer, envs,
};

const SMALL: [&str; 7] = [
    "stop={env_steps=1500}",
    "network.hidden=[16, 16]",
    "learning.start_env_steps=200",
    "learning.every_env_steps=4",
    "replay.capacity=400",
    "evaluation.final_episodes=5",
    "evaluation.every_env_steps=500",
];

fn small(set: &[&str]) -> Config {
    config("cleanrl-dqn", &[&SMALL[..], set].concat())
}

#[test]
fn returns_are_told_as_the_environment_pays_them() {
    let wrappers =
        "env.wrappers=[{kind=\"scale-reward\",factor=0.25},{kind=\"clip-reward\",low=0.0,high=0.1}]";
    let folder = tempfile::tempdir().unwrap();
    let summary = train_in(small(&[wrappers]), 3, folder.path());
    let metrics = RunDirectory::open(folder.path()).unwrap().metrics().unwrap();
    assert!(metrics.len() > 10);
    for line in metrics {
        assert_eq!(line.episodic_return, f64::from(line.episode_length));
    }
    let eval = summary.eval.unwrap();
    assert!(eval.min >= 8.0, "{eval:?}");
}

#[test]
fn a_policy_sees_normalised_observations_wherever_it_plays() {
    let wrappers = "env.wrappers=[{kind=\"normalize-observation\"}]";
    let config = small(&[wrappers, "evaluation.final_policy=best"]);
    let folder = tempfile::tempdir().unwrap();
    let summary = train_in(config.clone(), 3, folder.path());
    let (run, registry) = (RunDirectory::open(folder.path()).unwrap(), Registry::builtin());
    let mut trainer = Trainer::new(&config, 3).unwrap();
    trainer.run(&mut ()).unwrap();
    let seeds: Vec<u64> = (0..20).collect();
    let play = |mut policy: deepq::Policy| {
        let mut evaluator = Evaluator::within(run.env_factory(&registry).unwrap());
        evaluator.evaluate_policy(&mut policy, &seeds).unwrap()
    };
    let from_disk = run.policy(CheckpointChoice::Final, &registry).unwrap();
    let statistics = from_disk.statistics().unwrap().clone();
    assert!(statistics.count() > 400.0 && statistics.variance().iter().all(|variance| *variance > 0.0));
    assert_eq!(trainer.policy().statistics(), Some(&statistics));
    let expected = play(trainer.policy());
    assert_eq!(play(from_disk), expected);
    // Without them, or with those of another time, it sees something else.
    let last = run.policy(CheckpointChoice::Last, &registry).unwrap();
    assert!(last.statistics().unwrap().count() > 1400.0);
    let of = |choice| run.policy(choice, &registry).unwrap();
    let stale = of(CheckpointChoice::Final).with_statistics(last.statistics().cloned());
    assert_ne!(play(stale), expected);
    let blind = of(CheckpointChoice::Final).with_statistics(None);
    let refused = |config: &deepq::config::EnvConfig, mut policy: deepq::Policy| {
        let mut evaluator = Evaluator::within(EnvFactory::new(&registry, config).unwrap());
        evaluator.evaluate_policy(&mut policy, &seeds).unwrap_err().to_string()
    };
    let error = refused(&config.env, blind);
    assert_eq!(error, "env.wrappers: the policy has no statistics to normalise its observations by");
    let error = refused(&deepq::config::EnvConfig::new("CartPole-v1"), last);
    assert!(error.contains("learned from normalised observations, but the wrapper"), "{error}");
    let of_two = ObservationStatistics::from_parts(1.0, vec![0.0; 2], vec![1.0; 2]).unwrap();
    let error = refused(&config.env, of(CheckpointChoice::Final).with_statistics(Some(of_two)));
    assert!(error.contains("elements of an observation: expected 4, found 2"), "{error}");
    assert_eq!(summary.eval.unwrap().episodes, 5);
}

/// Stacked frames that a memory may not share.
struct Unshared(FrameStack<Box<dyn Env>>, EnvSpec);

impl Unshared {
    fn new(frames: u32, padding: StackPadding) -> Self {
        let env = envs::make("CartPole-v1").unwrap();
        let stacked = FrameStack::new(env, frames.try_into().unwrap()).unwrap().padded(padding);
        let spec = EnvSpec { stacked_frames: 1, ..stacked.spec().clone() };
        Self(stacked, spec)
    }
}

impl Env for Unshared {
    fn spec(&self) -> &EnvSpec {
        &self.1
    }
    fn reset(&mut self, seed: Option<u64>, to: ObservationMut<'_>) -> Result<(), EnvError> {
        self.0.reset(seed, to)
    }
    fn step(&mut self, action: usize, to: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.0.step(action, to)
    }
    fn save_state(&self, state: &mut StateWriter) {
        self.0.save_state(state);
    }
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.0.load_state(state)
    }
}

/// Row 14: a memory that keeps each frame once learns the same network as one that keeps every stack whole, in a third
/// of the room, whatever stands before an episode's first frame.
#[test]
fn row_14_shared_frames_change_nothing_but_the_memory() {
    let networks = [StackPadding::Reset, StackPadding::Zero].map(network_of_shared_frames);
    assert!(networks[0] != networks[1], "what stands before an episode's first frame is learned from");
}

fn network_of_shared_frames(padding: StackPadding) -> Vec<f32> {
    let mut registry = Registry::builtin();
    let make = move || Unshared::new(4, padding);
    registry.register("Unshared", "CartPole with whole stacks", make).unwrap();
    let set = ["env.copies=3", "learning.n_step=3"];
    let name = if padding == StackPadding::Zero { "zero" } else { "reset" };
    let stack = format!("env.wrappers=[{{kind=\"frame-stack\",frames=4,padding=\"{name}\"}}]");
    let shared = small(&[&set[..], &[&stack]].concat());
    let mut unshared = small(&set);
    unshared.env.id = "Unshared".into();
    let [shared, unshared] = [shared, unshared].map(|config| {
        let mut trainer = Trainer::with_registry(&config, 5, &registry).unwrap();
        trainer.run(&mut ()).unwrap();
        assert!(trainer.progress().gradient_steps > 100);
        trainer.state()
    });
    assert!(shared.online == unshared.online, "the networks differ");
    assert!(3 * shared.replay.len() < 2 * unshared.replay.len(), "frames are kept more than once");
    shared.online
}

#[test]
fn observations_of_numbered_states_are_flattened_and_options_are_heeded() {
    let set = ["env.options.is_slippery=false", "network.hidden=[16]", "stop={env_steps=3000}"];
    let set = set.map(str::to_owned);
    let config = Config::resolve("FrozenLake-v1", None, Some("dqn"), &set).unwrap().0;
    let factory = EnvFactory::new(&Registry::builtin(), &config.env).unwrap();
    assert_eq!(factory.spec().observation_space.len(), 16);
    let folder = tempfile::tempdir().unwrap();
    train_in(config.clone(), 1, folder.path());
    let run = RunDirectory::open(folder.path()).unwrap();
    assert_eq!(run.config().unwrap().env, config.env);
    // Where nothing slips, greedy episodes of one policy all go the same way.
    let mut policy = run.policy(CheckpointChoice::Last, &Registry::builtin()).unwrap();
    let mut evaluator = Evaluator::within(run.env_factory(&Registry::builtin()).unwrap());
    let returns = evaluator.evaluate_policy(&mut policy, &[1, 2, 3, 4]).unwrap();
    assert!(returns.iter().all(|value| *value == returns[0]), "{returns:?}");
}

#[test]
fn what_cannot_be_put_around_an_environment_is_told_with_its_place() {
    let refused = |env: &str, set: &str| {
        let set = set.split(" & ").map(str::to_owned).collect::<Vec<_>>();
        let config = Config::resolve(env, None, Some("dqn"), &set);
        let error = match config {
            Ok((config, _)) => Trainer::new(&config, 1).err().expect("refused").to_string(),
            Err(error) => error.to_string(),
        };
        println!("{error}");
        error
    };
    for (env, set, expected) in [
        (
            "CartPole-v1",
            "env.wrappers=[{kind=\"frame-stack\",frames=0}]",
            "env.wrappers.0: frame-stack: frames",
        ),
        (
            "CartPole-v1",
            "env.wrappers=[{kind=\"frame-stack\",frames=300}]",
            "env.wrappers.0: frame-stack: frames is a whole number from 1 to 256, found 300",
        ),
        (
            "CartPole-v1",
            "env.wrappers=[{kind=\"clip-reward\",low=-1.0,high=1.0},{kind=\"clip-reward\",low=-1.0,high=1.0}]",
            "env.wrappers.1: 'clip-reward' stands in the list already",
        ),
        ("FrozenLake-v1", "env.wrappers=[{kind=\"frame-stack\",frames=2}]", "env.wrappers.0: frame-stack"),
        (
            "FrozenLake-v1",
            "env.options.slippery=true",
            "env.options: FrozenLake-v1: in its options: there is no key 'slippery' here",
        ),
        (
            "CartPole-v1",
            "env.options.gravity=1.0",
            "env.options: CartPole-v1: it has no options, found 'gravity'",
        ),
        ("CartPole-v1", "env.step_limit_s=0", "env.step_limit_s: found 0, allowed is 0.001"),
    ] {
        let error = refused(env, set);
        assert!(error.contains(expected), "{env} {set}: {error}");
    }
    let error = refused("CartPole-v1", "env.wrappers=[{kind=\"frame-stak\",frames=2}]");
    assert!(error.contains("frame-stak"), "{error}");
}

#[test]
fn the_nearest_option_is_told() {
    let set = ["env.options.slippery=true".to_owned()];
    let config = Config::resolve("FrozenLake-v1", None, Some("dqn"), &set).unwrap().0;
    let error = EnvFactory::new(&Registry::builtin(), &config.env).err().unwrap();
    assert_eq!(error.nearest.as_deref(), Some("is_slippery"));
}

#[test]
fn threads_change_nothing_of_what_comes_out() {
    let wrappers = "env.wrappers=[{kind=\"normalize-observation\"},{kind=\"action-repeat\",times=2},\
                    {kind=\"sticky-actions\",probability=0.2}]";
    let states = ["env.threads=0", "env.threads=1", "env.threads=3"].map(|threads| {
        let config = small(&[wrappers, "env.copies=5", threads]);
        let mut trainer = Trainer::new(&config, 5).unwrap();
        trainer.run(&mut ()).unwrap();
        trainer.state()
    });
    assert!(states[0] == states[1] && states[1] == states[2]);
}
