//! Row 19, switched off: `env.action_masks = false` is the same for all that act in an environment, and for what is
//! learned of it.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::request;
use deepq::run::{CheckpointChoice, train};
use deepq::*;

/// Two doors one after the other. Behind the second one the forbidden way out pays 1, the other one nothing.
struct Doors {
    spec: EnvSpec,
    behind: bool,
    /// How often a forbidden action was taken, in all environments.
    forbidden: Arc<AtomicU64>,
}

/// Before the first door everything is allowed, behind it only the way that pays nothing.
const MASKS: [[bool; 2]; 2] = [[true, true], [true, false]];

impl Doors {
    fn new(forbidden: Arc<AtomicU64>) -> Self {
        let space = BoxSpace::vector(&[0.0, 0.0], &[1.0, 1.0]);
        let spec = EnvSpec { action_masks: true, ..EnvSpec::new("Doors", space, 2) };
        Self { spec, behind: false, forbidden }
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        let place = usize::from(self.behind);
        observation
            .f32()
            .iter_mut()
            .enumerate()
            .for_each(|(i, value)| *value = f32::from(u8::from(i == place)));
    }
}

impl Env for Doors {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }
    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.behind = false;
        self.observe(observation);
        Ok(())
    }
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let (ends, forbidden) = (self.behind, !MASKS[usize::from(self.behind)][action]);
        self.forbidden.fetch_add(u64::from(forbidden), Ordering::Relaxed);
        self.behind = true;
        self.observe(observation);
        Ok(Step { reward: f64::from(u8::from(forbidden)), terminated: ends, truncated: false })
    }
    fn action_mask(&self) -> Option<&[bool]> {
        Some(&MASKS[usize::from(self.behind)])
    }
    fn save_state(&self, state: &mut StateWriter) {
        state.bool(self.behind);
    }
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.behind = state.bool("behind the first door")?;
        Ok(())
    }
}

fn doors() -> (Registry, Arc<AtomicU64>) {
    let (mut registry, forbidden) = (Registry::builtin(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&forbidden);
    registry
        .register("Doors", "a way out that is forbidden", move || Doors::new(Arc::clone(&count)))
        .unwrap();
    (registry, forbidden)
}

fn config(algo: &str, set: &[&str]) -> Config {
    const SMALL: [&str; 4] = [
        "learning.gamma=0.5",
        "stop={env_steps=2000}",
        "evaluation.final_episodes=4",
        "recording.episodes=0",
    ];
    let of_algo: &[&str] = match algo {
        // With λ above 0 the returns are in part those of what was tried, and not of the best action.
        "pqn" => &[
            "env.copies=4",
            "rollout.steps=8",
            "rollout.minibatches=4",
            "rollout.lambda=0",
            "network.hidden=[16]",
        ],
        "stream-q" => &[],
        _ => &["learning.n_step=1", "learning.learning_rate=0.01", "target.tau=0.1", "network.hidden=[16]"],
    };
    let set: Vec<String> = SMALL.iter().chain(of_algo).chain(set).map(|set| (*set).to_owned()).collect();
    let resolved = Config::resolve("Doors", None, Some(algo), &set);
    let mut config = resolved.unwrap_or_else(|error| panic!("{error}")).0;
    // Values in units of the reward itself.
    config.env.wrappers.clear();
    config
}

#[test]
fn row_19_masks_are_heeded_or_not_wherever_one_acts() {
    for algo in ["dqn", "pqn", "stream-q"] {
        for (masks, best) in [(true, 0.0), (false, 1.0)] {
            let (registry, forbidden) = doors();
            let folder = tempfile::tempdir().unwrap();
            let config = config(algo, &[&format!("env.action_masks={masks}")]);
            let mut request = request(config, 1, folder.path());
            request.registry = registry.clone();
            let summary = train(&request, &mut ()).unwrap_or_else(|error| panic!("{algo}: {error}"));
            let taken = forbidden.load(Ordering::Relaxed);
            assert_eq!(taken > 100, !masks, "{algo}, masks {masks}: {taken} forbidden actions");
            assert!(masks == (taken == 0), "{algo}, masks {masks}: {taken} forbidden actions");
            let eval = summary.eval.unwrap();
            assert_eq!((eval.min, eval.max), (best, best), "{algo}, masks {masks}: the final evaluation");

            // As `deepq eval` and `deepq play` do it, from what is on the disk.
            let run = RunDirectory::open(folder.path()).unwrap();
            let factory = run.env_factory(&registry).unwrap();
            assert_eq!(factory.spec().action_masks, masks, "{algo}");
            let mut policy = run.policy(CheckpointChoice::Final, &registry).unwrap();
            let returns = Evaluator::within(factory).evaluate_policy(&mut policy, &[1, 2]).unwrap();
            assert_eq!(returns, [best, best], "{algo}, masks {masks}: an evaluation of the run's policy");

            // What is learned before the first door is what one may take behind it.
            let first = policy.action_values(Observation::F32(&[1.0, 0.0]))[0];
            let expected = if masks { 0.0 } else { 0.5 };
            assert!((first - expected).abs() < 0.1, "{algo}, masks {masks}: {first}, expected {expected}");
        }
    }
}

#[test]
fn masks_are_heeded_where_nothing_is_said() {
    let plain = config("dqn", &[]);
    assert!(plain.env.action_masks);
    assert!(plain.to_toml().contains("\naction_masks = true\n"), "{}", plain.to_toml());
    let older = plain.to_toml().replace("action_masks = true\n", "");
    assert_eq!(Config::from_toml(&older, "config.toml").unwrap(), plain);
    let without = config("dqn", &["env.action_masks=false"]);
    assert_eq!(Config::from_toml(&without.to_toml(), "config.toml").unwrap(), without);
}

/// Where there are no masks to leave out, nothing changes: not one byte of what is learned.
#[test]
fn an_environment_without_masks_is_as_before() {
    let states = ["true", "false"].map(|masks| {
        let set = [
            "stop={env_steps=600}",
            "learning.start_env_steps=100",
            "network.hidden=[8]",
            &format!("env.action_masks={masks}"),
        ]
        .map(str::to_owned);
        let (config, _) = Config::resolve("CartPole-v1", None, Some("dqn"), &set).unwrap();
        let mut trainer = Trainer::new(&config, 1).unwrap();
        trainer.run(&mut ()).unwrap();
        assert!(trainer.progress().gradient_steps > 0);
        trainer.state()
    });
    assert!(states[0] == states[1]);
}

#[test]
fn a_checkpoint_of_a_run_with_masks_is_none_of_one_without() {
    let (registry, _) = doors();
    let make = |masks: &str| {
        let config = config("dqn", &[&format!("env.action_masks={masks}"), "stop={env_steps=300}"]);
        Trainer::with_registry(&config, 1, &registry).unwrap()
    };
    let mut with = make("true");
    with.run(&mut ()).unwrap();
    let state = with.state();
    assert!(make("true").load_state(&state).is_ok());
    assert!(make("false").load_state(&state).is_err());
}

#[test]
fn what_is_no_yes_or_no_is_refused_with_its_key() {
    let set = ["env.action_masks=maybe".to_owned()];
    let error = Config::resolve("Taxi-v4", None, Some("dqn"), &set).unwrap_err();
    assert_eq!(error.place, "--set env.action_masks=maybe");
    let set = ["env.action_mask=false".to_owned()];
    let error = Config::resolve("Taxi-v4", None, Some("dqn"), &set).unwrap_err();
    assert_eq!(error.nearest.as_deref(), Some("action_masks"));
}

type Mask = fn() -> Option<&'static [bool]>;

/// Doors whose mask is wrong behind the first one.
struct Faulty(Doors, Mask);

impl Env for Faulty {
    fn spec(&self) -> &EnvSpec {
        self.0.spec()
    }
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.0.reset(seed, observation)
    }
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        self.0.step(action, observation)
    }
    fn action_mask(&self) -> Option<&[bool]> {
        if self.0.behind { (self.1)() } else { self.0.action_mask() }
    }
    fn save_state(&self, state: &mut StateWriter) {
        self.0.save_state(state);
    }
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.0.load_state(state)
    }
}

/// Judging a policy is as strict as training it.
#[test]
fn row_19_a_wrong_mask_is_an_error_in_an_evaluation_too() {
    let faults: [(Mask, &str); 4] = [
        (|| None, "it gives no mask"),
        (|| Some(&[true]), "its action mask has 1 flags for 2 actions"),
        (|| Some(&[false, false]), "its action mask allows no action"),
        (|| panic!("the door is stuck"), "it panicked: the door is stuck"),
    ];
    for (fault, message) in faults {
        let mut registry = Registry::builtin();
        let make = move || Faulty(Doors::new(Arc::default()), fault);
        registry.register("Faulty", "doors with a fault", make).unwrap();
        let spec = network::NetworkSpec::mlp(2, &[4], 2, network::Initialization::FanInUniform);
        let mut policy = Policy::new(&spec, &vec![0.1; spec.layout().unwrap().len()]).unwrap();
        let mut evaluator = Evaluator::new(&registry, "Faulty").unwrap();
        let error = evaluator.evaluate_policy(&mut policy, &[1]).unwrap_err().to_string();
        assert!(error.contains("in an evaluation: ") && error.contains(message), "{error}");
    }
}
