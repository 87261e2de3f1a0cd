//! Rows 1, 10 and 20 for every recipe: by the way that a user's run takes, from the recipe's file over the
//! configuration to the policy that the trainer gives, it learns the values that can be computed exactly.
//!
//! A recipe is taken as it is. What is set is what a network of a few weights and a run of a few thousand steps need:
//! sizes, the lengths of schedules, the range of returns. Besides, on the chain, transitions span one step: over
//! several steps the values are in part those of the behaviour, and not the exact ones any more.

mod tabular;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deepq::config::{NetworkConfig, algorithms};
use deepq::loss::{Head, TargetRule};
use deepq::network::LayerSpec;
use deepq::replay::SamplerConfig;
use deepq::*;
use tabular::{GAMMA, Task};

/// How far off a value may be: less than half of what one discount too many or too few makes, in all of these
/// environments.
const TOLERANCE: f64 = 0.05;

macro_rules! recipes {
    ($($test:ident: $name:literal),* $(,)?) => {
        /// The recipes that are tested below.
        const TESTED: &[&str] = &[$($name),*];

        $(#[test]
        fn $test() {
            solves_all($name);
        })*
    };
}

recipes! {
    row_20_dqn_learns_the_exact_values: "dqn",
    row_20_double_dqn_learns_the_exact_values: "double-dqn",
    row_20_dueling_dqn_learns_the_exact_values: "dueling-dqn",
    row_20_minto_learns_the_exact_values: "minto",
    row_20_c51_learns_the_exact_values: "c51",
    row_20_hl_gauss_learns_the_exact_values: "hl-gauss",
    row_20_qr_dqn_learns_the_exact_values: "qr-dqn",
    row_20_iqn_learns_the_exact_values: "iqn",
    row_20_fqf_learns_the_exact_values: "fqf",
    row_10_m_dqn_learns_munchausens_values: "m-dqn",
    row_10_m_iqn_learns_munchausens_values: "m-iqn",
    row_20_rainbow_learns_the_exact_values: "rainbow",
    row_20_bbf_learns_the_exact_values: "bbf",
    row_10_btr_learns_munchausens_values: "btr",
    row_20_pqn_learns_the_exact_values: "pqn",
    row_20_stream_q_learns_the_exact_values: "stream-q",
}

#[test]
fn every_recipe_is_tested() {
    let names: Vec<&str> = algorithms().iter().map(|recipe| recipe.name).collect();
    assert_eq!(TESTED, names);
}

/// All tasks are tried, so that a failure tells of each: which ones fail says what is wrong.
fn solves_all(recipe: &str) {
    let mut failures = vec![];
    for task in Task::ALL {
        let wrong = Run::of(recipe, task, &[]).wrong_values();
        failures.extend(wrong.into_iter().map(|wrong| format!("{task:?}: {wrong}")));
    }
    assert!(failures.is_empty(), "{recipe}:\n{}", failures.join("\n"));
}

/// At the recipes' temperature the soft policy is all but greedy, and its entropy no more than the tolerance.
#[test]
fn row_10_the_entropy_of_munchausens_policy_counts() {
    for recipe in ["m-dqn", "m-iqn"] {
        let wrong = Run::of(recipe, Task::Chain, &["loss.target.temperature=0.3"]).wrong_values();
        assert!(wrong.is_empty(), "{recipe}:\n{}", wrong.join("\n"));
    }
}

/// What training came to.
struct Run {
    task: Task,
    config: Config,
    policy: Policy,
    /// What a reward of 1 became before it was learned from.
    reward_scale: f64,
}

impl Run {
    /// Trains with `more` settings than those that are needed.
    fn of(recipe: &str, task: Task, more: &[&str]) -> Self {
        let paid = Arc::new(AtomicU64::new(0));
        let registry = registry(task, &paid);
        let config = config(recipe, task, more);
        let mut trainer = Trainer::with_registry(&config, 1, &registry).unwrap_or_else(|e| panic!("{e}"));
        let mut watcher = Scale { paid, of_one: 1.0 };
        assert_eq!(trainer.run(&mut watcher).unwrap(), StopReason::Finished);
        Self { task, config, policy: trainer.policy(), reward_scale: watcher.of_one }
    }

    /// Each value that is not the exact one, told.
    fn wrong_values(mut self) -> Vec<String> {
        let rule = self.config.loss.map_or(TargetRule::Q_LEARNING, |loss| loss.target);
        let exact = self.task.values(rule);
        let mut wrong = vec![];
        for (state, exact) in self.task.states().iter().zip(exact) {
            let seen = self.as_seen(&state.observation);
            let values = self.policy.action_values(Observation::F32(&seen));
            for (action, (found, exact)) in values.iter().zip(exact).enumerate() {
                let found = f64::from(*found) / self.reward_scale;
                let error = (found - exact).abs();
                if error.is_nan() || error >= TOLERANCE {
                    let at = &state.observation;
                    wrong.push(format!("action {action} at {at:?} has {found:.3}, exact is {exact:.3}"));
                }
            }
        }
        wrong
    }

    /// An observation as the policy has learned to see it.
    fn as_seen(&self, observation: &[f32]) -> Vec<f32> {
        let Some(statistics) = self.policy.statistics() else { return observation.to_vec() };
        let moments = statistics.mean().into_iter().zip(statistics.variance());
        let scaled = |(value, (mean, variance)): (&f32, (f64, f64))| {
            ((f64::from(*value) - mean) / (variance + 1e-8).sqrt()) as f32
        };
        observation.iter().zip(moments).map(scaled).collect()
    }
}

/// Sees what a reward of 1 has become by the wrappers.
struct Scale {
    /// The bits of the latest reward that an environment paid.
    paid: Arc<AtomicU64>,
    of_one: f64,
}

impl Observer for Scale {
    fn on_event(&mut self, event: &Event<'_>) -> deepq::events::Answer {
        if let Event::Step { envs, .. } = event {
            // With several copies the latest one that stepped is the last.
            let learned = envs.steps().last().map_or(0.0, |step| step.reward);
            let paid = f64::from_bits(self.paid.load(Ordering::Relaxed));
            if paid != 0.0 {
                self.of_one = learned / paid;
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    fn watches_steps(&self) -> bool {
        true
    }
}

/// An environment that tells what it pays.
struct Paying {
    env: Box<dyn Env>,
    paid: Arc<AtomicU64>,
}

impl Env for Paying {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, observation)
    }
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, observation)?;
        self.paid.store(step.reward.to_bits(), Ordering::Relaxed);
        Ok(step)
    }
    fn save_state(&self, state: &mut StateWriter) {
        self.env.save_state(state);
    }
    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.env.load_state(state)
    }
}

fn registry(task: Task, paid: &Arc<AtomicU64>) -> Registry {
    let (mut registry, paid) = (Registry::builtin(), Arc::clone(paid));
    let make = move || Paying { env: task.env(), paid: Arc::clone(&paid) };
    registry.register(task.id(), "its values are known", make).unwrap();
    registry
}

/// The recipe, in small, with `more` settings.
fn config(recipe: &str, task: Task, more: &[&str]) -> Config {
    let resolve = |set: &[String]| {
        let resolved = Config::resolve(&task.id(), None, Some(recipe), set);
        resolved.unwrap_or_else(|error| panic!("{recipe}: {error}")).0
    };
    let mut set = settings(&resolve(&[]), task);
    set.extend(more.iter().map(|setting| (*setting).to_owned()));
    resolve(&set)
}

fn settings(recipe: &Config, task: Task) -> Vec<String> {
    let mut set = vec![format!("learning.gamma={GAMMA}")];
    let env_steps = match (&recipe.replay, &recipe.rollout) {
        (Some(_), _) => settings_of_memory(recipe, task, &mut set),
        (None, Some(_)) => settings_of_rollout(task, &mut set),
        (None, None) => settings_of_streaming(task, &mut set),
    };
    set.push(format!("stop={{env_steps={env_steps}}}"));
    if !matches!(recipe.exploration.epsilon, Schedule::Constant { .. }) {
        set.push(format!("exploration.epsilon.env_steps={env_steps}"));
    }
    if matches!(recipe.network, NetworkConfig::Hidden { .. }) {
        set.push("network.hidden=[16,16]".into());
    }
    set
}

/// Env steps before the first gradient step.
const WARM_UP: u64 = 200;

fn settings_of_memory(recipe: &Config, task: Task, set: &mut Vec<String>) -> u64 {
    // Noise takes a while to fade, and Munchausen's targets are biased by it until then.
    let noisy = deepq::config::parts(recipe).iter().any(|part| part == "noisy");
    let gradient_steps = match (task, noisy) {
        (Task::Chain, false) => 2400,
        (Task::Chain, true) => 4000,
        (_, false) => 1000,
        (_, true) => 1500,
    };
    let env_steps = WARM_UP + gradient_steps;
    set.extend([
        format!("learning.start_env_steps={WARM_UP}"),
        format!("exploration.random_env_steps={}", if task == Task::Chain { 1000 } else { WARM_UP }),
        "learning.every_env_steps=1".into(),
        "learning.batch_size=32".into(),
        format!("learning.learning_rate={{kind=\"linear\",from=0.01,to=0,env_steps={env_steps}}}"),
        "target.tau=0.05".into(),
    ]);
    if task == Task::Chain {
        set.push("learning.n_step=1".into());
    }
    if let Head::Categorical { .. } | Head::HlGauss { .. } = recipe.head() {
        set.extend(["loss.head.v_min=-3".into(), "loss.head.v_max=6".into()]);
    }
    if let Head::ProposedQuantile { .. } = recipe.head() {
        // A policy reads quantiles at even fractions, where those that are proposed for the few observations here do not
        // lie by themselves. By their entropy they become even where a return is certain, at this rate in time.
        set.push("loss.head.fraction_learning_rate=0.02".into());
    }
    if let Some(SamplerConfig::Prioritized { .. }) = recipe.replay.map(|replay| replay.sampler) {
        set.push(format!("replay.sampler.beta.env_steps={env_steps}"));
    }
    if recipe.reset.is_some() {
        // Once, early enough to learn all again.
        set.push(format!("reset.period.every={}", gradient_steps * 11 / 20));
    }
    env_steps
}

fn settings_of_rollout(task: Task, set: &mut Vec<String>) -> u64 {
    let env_steps = if task == Task::Chain { 12_000 } else { 6_000 };
    set.extend([
        "env.copies=8".into(),
        "rollout.steps=16".into(),
        "rollout.minibatches=4".into(),
        format!("learning.learning_rate={{kind=\"linear\",from=0.01,to=0,env_steps={env_steps}}}"),
    ]);
    if task == Task::Chain {
        set.push("rollout.lambda=0".into());
    }
    env_steps
}

fn settings_of_streaming(task: Task, set: &mut Vec<String>) -> u64 {
    set.extend(["network.layers.0.outputs=32".into(), "network.layers.3.outputs=32".into()]);
    if task.pays_always_the_same() {
        // The deviation of a return that never changes is 0, and what is divided by it has no limit.
        set.push("env.wrappers=[{kind=\"normalize-observation\"}]".into());
    }
    if task == Task::Chain { 12_000 } else { 6_000 }
}

/// That the network is the one the recipe means, however small.
#[test]
fn recipes_keep_their_parts_in_small() {
    for recipe in algorithms() {
        for task in Task::ALL {
            let (whole, _) = Config::resolve(&task.id(), None, Some(recipe.name), &[]).unwrap();
            let mut parts = deepq::config::parts(&whole);
            if task == Task::Chain {
                parts.retain(|part| part != "n-step returns");
            }
            assert_eq!(
                deepq::config::parts(&config(recipe.name, task, &[])),
                parts,
                "{} {task:?}",
                recipe.name
            );
        }
    }
    let registry = registry(Task::Chain, &Arc::default());
    let spec = network_spec_of(&config("rainbow", Task::Chain, &[]), &registry).unwrap();
    let Some(LayerSpec::Dueling { value, .. }) = spec.layers.last() else { panic!("{spec:?}") };
    assert!(matches!(value[0], LayerSpec::NoisyLinear { .. }), "{spec:?}");
}
