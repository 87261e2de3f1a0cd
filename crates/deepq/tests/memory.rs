//! What a run says of the machine's memory before it takes it.

use deepq::events::Answer;
use deepq::network::Parameters;
use deepq::run::{TrainRequest, train};
use deepq::{Config, Event, MemoryUse, Observer, Registry, RunDirectory, Trainer};

fn config(algo: &str, set: &[&str]) -> Config {
    let short = ["stop={env_steps=300}", "evaluation.final_episodes=1", "recording.episodes=0"];
    let set: Vec<String> = short.iter().chain(set).map(|set| (*set).to_owned()).collect();
    Config::resolve("CartPole-v1", None, Some(algo), &set).unwrap_or_else(|error| panic!("{error}")).0
}

fn memory(algo: &str, set: &[&str]) -> MemoryUse {
    Trainer::new(&config(algo, set), 1).unwrap_or_else(|error| panic!("{algo}: {error}")).memory()
}

/// A transition is 20 bytes, an observation of CartPole 16; the queue of last observations begins with 64.
#[test]
fn a_replay_memory_is_counted_as_it_is_allocated() {
    let found = memory("dqn", &["replay.capacity=1000", "learning.n_step=1"]);
    // Beside its transitions' observations those of the steps that wait: 2 · n_step + 1 of them.
    let (transitions, observations) = (1000 * 20, (1000 + 3) * 16);
    assert_eq!(found.experience, transitions + observations + 64 * 16);
    // Every episode of one step: 1,002 of them grow into 1,024 places from 512.
    assert_eq!(found.experience_at_most, transitions + observations + (1024 + 512) * 16);
    let prioritized = memory(
        "dqn",
        &["replay.capacity=1000", "learning.n_step=1", "replay.sampler={kind=\"prioritized\"}"],
    );
    assert_eq!(prioritized.experience, found.experience + 16 * 1000, "two numbers of 8 bytes a transition");
    assert_eq!(prioritized.total - prioritized.experience, found.total - found.experience);
}

#[test]
fn all_ways_of_learning_are_counted() {
    for algo in ["dqn", "pqn", "stream-q"] {
        let small = ["env.copies=1"];
        let set: &[&str] = if algo == "pqn" { &[] } else { &small };
        let trainer = Trainer::new(&config(algo, set), 1).unwrap();
        let found = trainer.memory();
        let parameters = 4 * trainer.network().parameters(Parameters::Online).len() as u64;
        // The parameters, the target's, the gradient, and what the optimiser has: streaming's has nothing.
        let vectors = 3 + trainer.config().optimizer.state_vectors() as u64;
        assert!(found.total - found.experience >= vectors * parameters, "{algo}: {found:?}");
        assert_eq!(found.experience == 0, algo == "stream-q", "{algo}: {found:?}");
        assert_eq!(found.experience_at_most > found.experience, algo == "dqn", "{algo}: {found:?}");
    }
    // 32 copies of 64 steps, of 16 bytes for the observation and 18 for all else.
    assert_eq!(memory("pqn", &["env.copies=32", "rollout.steps=64"]).experience, 32 * 64 * (16 + 18));
}

/// A larger memory, network or batch is a larger number.
#[test]
fn what_is_larger_takes_more() {
    let plain = memory("dqn", &[]).total;
    for set in ["replay.capacity=200000", "network.hidden=[512,512]", "learning.batch_size=4096"] {
        assert!(memory("dqn", &[set]).total > plain, "{set}");
    }
}

/// Behind a cosine embedding every value is there for each fraction, and FQF has a layer of its own.
#[test]
fn fractions_and_their_proposals_are_counted() {
    let at = |fractions: u64| memory("iqn", &[&format!("loss.head.acting_fractions={fractions}")]).total;
    // The embedding's 32 values, another layer's 32 with their ReLU's, and one for each action: of a value and its
    // gradient, 4 bytes each, for the 32 transitions of a batch.
    assert_eq!(at(128) - at(64), 2 * 4 * 32 * (32 + 32 + 32 + 2) * 64);
    let target = |fractions: u64| memory("iqn", &[&format!("loss.head.target_fractions={fractions}")]).total;
    assert_eq!(target(128) - target(64), at(128) - at(64), "those of the target's pass stand beside them");
    let proposed = |set: &[&str]| memory("fqf", set).total;
    let fewer = ["loss.head.acting_fractions=64", "loss.head.fractions=8"];
    let more = ["loss.head.acting_fractions=64", "loss.head.fractions=16"];
    // 32 features and 1 for the bias, in four vectors; the logits and their gradient.
    assert_eq!(proposed(&more) - proposed(&fewer), 4 * 8 * (4 * (32 + 1) + 2 * 32));
}

/// Notes the order of events, and what the first one says.
#[derive(Default)]
struct Events(Vec<&'static str>, MemoryUse);

impl Observer for Events {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        let name = match event {
            Event::Beginning(trainer) => {
                assert_eq!(trainer.progress(), deepq::Progress::default());
                self.1 = trainer.memory();
                "beginning"
            }
            _ => "other",
        };
        self.0.push(name);
        Ok(std::ops::ControlFlow::Continue(()))
    }
}

#[test]
fn a_run_tells_of_it_before_its_first_step_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut request = TrainRequest::new(config("dqn", &[]), "test", 1);
    request.out = Some(folder.path().to_owned());
    request.registry = Registry::builtin();
    let mut events = Events::default();
    train(&request, &mut events).unwrap();
    assert_eq!(events.0.iter().position(|event| *event == "beginning"), Some(0));
    assert_eq!(events.0.iter().filter(|event| **event == "beginning").count(), 1);
    let info = RunDirectory::open(folder.path()).unwrap().info().unwrap();
    assert_eq!(info.memory_bytes, Some(events.1));
    assert!(events.1.experience > 1 << 20, "{:?}", events.1);
    // An older run says nothing of it.
    let path = folder.path().join("run.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("memory_bytes").is_some());
    std::fs::write(&path, json.to_string()).unwrap();
    assert_eq!(RunDirectory::open(folder.path()).unwrap().info().unwrap().memory_bytes, None);
}
