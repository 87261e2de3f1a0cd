//! Damaged and hostile run directories: an error that names the file, never a panic, never another content.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use common::{config, train_in};
use deepq::run::CheckpointChoice;
use deepq::{Error, Registry, RunDirectory, Trainer, TrainerState};

const CHECKPOINT: &str = "checkpoints/300";

/// A small run with a best policy and one checkpoint, whose files are a few thousand bytes.
struct SmallRun {
    _folder: tempfile::TempDir,
    path: PathBuf,
    trainer: Trainer,
    state: TrainerState,
}

impl SmallRun {
    fn new() -> Self {
        let config = config(
            "default-fixed",
            &[
                "stop={env_steps=300}",
                "network.hidden=[3]",
                "replay.capacity=24",
                "learning.batch_size=8",
                "learning.start_env_steps=50",
                "learning.gamma=0.9",
                "learning.learning_rate=0.001",
                "learning.every_env_steps=4",
                "learning.n_step=2",
                "evaluation.every_env_steps=100",
                "evaluation.episodes=2",
                "evaluation.final_episodes=2",
                "evaluation.final_policy=best",
            ],
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        train_in(config.clone(), 1, &path);
        let trainer = Trainer::new(&config, 1).unwrap();
        let state = RunDirectory::open(&path).unwrap().newest_state(&trainer).unwrap();
        Self { _folder: folder, path, trainer, state }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// All that can be read of the run, in the order of a user's commands.
    fn read(&self) -> Result<TrainerState, Error> {
        let registry = Registry::builtin();
        let run = RunDirectory::open(&self.path)?;
        run.config()?;
        run.info()?;
        run.metrics()?;
        run.evaluations()?;
        for choice in [CheckpointChoice::Final, CheckpointChoice::Best, CheckpointChoice::Last] {
            run.policy(choice, &registry)?;
        }
        run.newest_state(&self.trainer)
    }

    /// As [`read`](Self::read); a panic is told with what caused it.
    fn read_without_panic(&self, damage: &str) -> Result<TrainerState, Error> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.read()));
        outcome.unwrap_or_else(|_| panic!("reading panicked after {damage}"))
    }

    fn assert_fails(&self, damage: &str, named: &str) {
        match self.read_without_panic(damage) {
            Ok(_) => panic!("nothing was noticed of {damage}"),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(named), "{damage}: {message}");
                assert!(message.contains(self.path.to_str().unwrap()), "{damage}: {message}");
            }
        }
    }
}

/// The files whose every byte matters.
const GUARDED: [&str; 5] = [
    "checkpoints/300/network.safetensors",
    "checkpoints/300/optimizer.state",
    "checkpoints/300/replay.state",
    "checkpoints/300/trainer.state",
    "best/network.safetensors",
];

#[test]
fn every_flipped_byte_of_a_guarded_file_is_noticed() {
    let run = SmallRun::new();
    let (directory, registry) = (RunDirectory::open(&run.path).unwrap(), Registry::builtin());
    for name in GUARDED {
        let whole = fs::read(run.file(name)).unwrap();
        assert!(whole.len() < 10_000, "{name} has {} bytes", whole.len());
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << (place % 8);
            fs::write(run.file(name), &flipped).unwrap();
            let damage = format!("a flip of byte {place} of {name}");
            let outcome = catch_unwind(AssertUnwindSafe(|| match name {
                "best/network.safetensors" => directory.policy(CheckpointChoice::Best, &registry).map(|_| ()),
                _ => directory.newest_state(&run.trainer).map(|_| ()),
            }));
            let error = outcome.unwrap_or_else(|_| panic!("a panic after {damage}")).expect_err(&damage);
            assert!(error.to_string().contains(run.file(name).to_str().unwrap()), "{damage}: {error}");
        }
        fs::write(run.file(name), &whole).unwrap();
    }
    assert_eq!(run.read().unwrap(), run.state);
}

#[test]
fn flipped_bytes_of_text_files_give_an_error_or_change_no_state() {
    let run = SmallRun::new();
    for name in ["checkpoints/300/state.json", "config.toml", "run.json", "metrics.jsonl", "eval.jsonl"] {
        let whole = fs::read(run.file(name)).unwrap();
        let mut errors = 0;
        // Of short files every second byte, of long ones every seventh: enough to meet every kind of character.
        for place in (0..whole.len()).step_by(if whole.len() > 1500 { 7 } else { 2 }) {
            for bit in [place % 7, 7] {
                let mut flipped = whole.clone();
                flipped[place] ^= 1 << bit;
                fs::write(run.file(name), &flipped).unwrap();
                match run.read_without_panic(&format!("a flip of bit {bit} of byte {place} of {name}")) {
                    Ok(state) => assert_eq!(state, run.state, "byte {place} of {name}"),
                    // A configuration that reads well may still not fit the network's file.
                    Err(error) => {
                        let message = error.to_string();
                        let names_it = message.contains(name) || message.contains(CHECKPOINT);
                        assert!(names_it || name == "config.toml", "byte {place} of {name}: {message}");
                        errors += 1;
                    }
                }
            }
        }
        assert!(errors > whole.len() / 20, "{errors} errors in {} bytes of {name}", whole.len());
        fs::write(run.file(name), &whole).unwrap();
    }
}

#[test]
fn truncated_lengthened_and_missing_files_are_noticed() {
    let run = SmallRun::new();
    let text_files = ["checkpoints/300/state.json", "config.toml", "run.json"];
    for name in GUARDED.into_iter().chain(text_files) {
        let whole = fs::read(run.file(name)).unwrap();
        for len in [0, 1, 7, 8, 9, whole.len() / 2, whole.len() - 2] {
            fs::write(run.file(name), &whole[..len]).unwrap();
            run.assert_fails(&format!("cutting {name} to {len} bytes"), name);
        }
        let mut longer = whole.clone();
        longer.extend([0; 3]);
        fs::write(run.file(name), &longer).unwrap();
        run.assert_fails(&format!("three bytes behind {name}"), name);
        fs::remove_file(run.file(name)).unwrap();
        let named = match name {
            // Without its list a checkpoint is none.
            "checkpoints/300/state.json" => "no complete checkpoint",
            "best/network.safetensors" | "config.toml" | "run.json" => "is missing",
            name => name,
        };
        run.assert_fails(&format!("removing {name}"), named);
        fs::create_dir(run.file(name)).unwrap();
        run.assert_fails(&format!("a folder in the place of {name}"), run.path.to_str().unwrap());
        fs::remove_dir(run.file(name)).unwrap();
        fs::write(run.file(name), &whole).unwrap();
    }
    fs::remove_dir_all(run.file(CHECKPOINT)).unwrap();
    run.assert_fails("removing the checkpoint", "no complete checkpoint");
}

#[test]
fn no_other_policy_takes_the_place_of_a_best_one_that_is_missing() {
    let run = SmallRun::new();
    let directory = RunDirectory::open(&run.path).unwrap();
    let policy = |choice| directory.policy(choice, &Registry::builtin()).map(|_| ());
    fs::remove_file(run.file("best/network.safetensors")).unwrap();
    for choice in [CheckpointChoice::Final, CheckpointChoice::Best] {
        let error = policy(choice).unwrap_err();
        assert!(error.to_string().contains("best/network.safetensors, is missing"), "{error}");
        assert!(error.help().unwrap().contains("--checkpoint last"));
    }
    policy(CheckpointChoice::Last).unwrap();
    // A run that was never evaluated ends with the last one.
    fs::remove_file(run.file("eval.jsonl")).unwrap();
    policy(CheckpointChoice::Final).unwrap();
    let error = policy(CheckpointChoice::Best).unwrap_err();
    assert!(error.to_string().contains("none of its policies is the best"), "{error}");
}

#[test]
fn lines_that_are_no_metrics_are_named_with_their_number() {
    let run = SmallRun::new();
    for name in ["metrics.jsonl", "eval.jsonl"] {
        let whole = fs::read_to_string(run.file(name)).unwrap();
        let first = whole.lines().next().unwrap();
        for line in ["{", "[]", "{}", "null", "{\"env_steps\": -1}", &"[".repeat(5000)] {
            fs::write(run.file(name), format!("{first}\n{line}\n{first}\n")).unwrap();
            run.assert_fails(&format!("the line {:.20} in {name}", line), "line 2");
            run.assert_fails(&format!("the line {:.20} in {name}", line), name);
        }
        // A run that is killed leaves half a line at the end.
        fs::write(run.file(name), &whole[..whole.len() - 5]).unwrap();
        assert_eq!(run.read().unwrap(), run.state);
        fs::write(run.file(name), &whole).unwrap();
    }
}

#[test]
fn hostile_manifests_lead_nowhere_else_and_allocate_nothing() {
    let run = SmallRun::new();
    let path = run.file("checkpoints/300/state.json");
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let change = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(&path, changed.to_string()).unwrap();
    };
    let outside = run.path.parent().unwrap().join("outside");
    fs::write(&outside, "secret").unwrap();
    for name in ["../../../outside", outside.to_str().unwrap(), "..", ".", "", "/", "a/b", "network\0"] {
        change(&|manifest| manifest["files"][1]["name"] = name.into());
        run.assert_fails(&format!("the name {name:?}"), "state.json");
    }
    for bytes in [serde_json::json!(u64::MAX), serde_json::json!(1u64 << 60), serde_json::json!(0)] {
        for file in 0..4 {
            change(&|manifest| manifest["files"][file]["bytes"] = bytes.clone());
            run.assert_fails(&format!("a length of {bytes}"), CHECKPOINT);
        }
    }
    for wrong in
        [serde_json::json!(-1), serde_json::json!(1e300), serde_json::json!("x"), serde_json::json!(null)]
    {
        change(&|manifest| manifest["files"][0]["bytes"] = wrong.clone());
        run.assert_fails(&format!("a length of {wrong}"), "state.json");
    }
    change(&|manifest| manifest["files"] = serde_json::json!([]));
    run.assert_fails("a list of no files", "does not list network.safetensors");
    change(&|manifest| manifest["format"] = 2.into());
    run.assert_fails("another format", "format 2");
    change(&|manifest| manifest["env_steps"] = 299.into());
    run.assert_fails("another step than the folder's", "299 env steps");
    fs::write(&path, "[".repeat(100_000)).unwrap();
    run.assert_fails("deep nesting", "state.json");
    fs::write(&path, whole.to_string()).unwrap();
    assert_eq!(run.read().unwrap(), run.state);
}

#[test]
fn hostile_weights_allocate_nothing() {
    let run = SmallRun::new();
    let path = run.file("best/network.safetensors");
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    for file in [
        vec![0xff; 8],
        [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(),
        header("{}"),
        header("[]"),
        header(&"[".repeat(50_000)),
        header(r#"{"layers.1.weight":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#),
        header(
            r#"{"layers.1.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,18446744073709551615]}}"#,
        ),
        header(r#"{"layers.1.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[48,0]}}"#),
    ] {
        fs::write(&path, &file).unwrap();
        run.assert_fails(
            &format!("{:?}", String::from_utf8_lossy(&file[..file.len().min(60)])),
            "best/network",
        );
    }
}

/// Somebody edits `config.toml` by hand: what cannot be is told with the file, and with the line where there is
/// one.
#[test]
fn wrong_configurations_are_told_with_their_file() {
    let run = SmallRun::new();
    let path = run.file("config.toml");
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, named) in [
        ("gamma = 0.9", "gama = 0.9", "config.toml:"),
        ("gamma = 0.9", "gamma = 2.0", "config.toml: learning.gamma"),
        ("gamma = 0.9", "gamma = nan", "config.toml: learning.gamma"),
        ("gamma = 0.9", "gamma = \"much\"", "config.toml:"),
        ("gamma = 0.9", "gamma = 0.9\ngamma = 0.8", "config.toml:"),
        ("gamma = 0.9", "gamma = ", "config.toml:"),
        ("capacity = 24", "capacity = -24", "config.toml:"),
        ("capacity = 24", "capacity = 99999999999999999999", "config.toml:"),
        ("id = \"CartPole-v1\"", "id = \"CartPole-v9\"", "config.toml: env.id"),
        ("[learning]", "", "config.toml"),
        ("[learning]", "[learning", "config.toml:"),
        // Networks that the weights do not fit; the greatest would take 17 GB.
        ("hidden = [3]", "hidden = [4]", "network.safetensors"),
        ("hidden = [3]", "hidden = []", "network.safetensors"),
        ("hidden = [3]", "hidden = [65536, 65536]", "network.safetensors"),
        ("hidden = [3]", "hidden = [0]", "config.toml: network.hidden"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from} is not in the file");
        fs::write(&path, changed).unwrap();
        run.assert_fails(&format!("{from} → {to}"), named);
    }
    fs::write(&path, b"\xff\xfe").unwrap();
    run.assert_fails("bytes that are not UTF-8", "config.toml");
}

#[test]
fn what_is_no_run_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |path: &Path, named: &str| {
        let error = RunDirectory::open(path).err().expect("there is no run");
        assert!(error.to_string().contains(named), "{error}");
        assert!(error.help().unwrap().contains("deepq list runs"));
    };
    fails(&folder.path().join("nowhere"), "there is no such folder");
    fails(folder.path(), "run.json is missing");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    fails(&file, "this is no run directory but a file");
    fails(Path::new(""), "there is no such folder");
}

/// Whatever a state's bytes are, loading them gives an error or a trainer that goes on.
#[test]
fn flipped_bytes_behind_the_checksums_never_panic() {
    let run = SmallRun::new();
    let mut config = run.trainer.config().clone();
    config.stop.env_steps = Some(330);
    let go_on = |state: &TrainerState, damage: &str| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut trainer = Trainer::new(&config, 1).unwrap();
            let loaded = trainer.load_state(state).is_ok();
            if loaded {
                // The environment may refuse to go on from what it was given; that is an error like any other.
                let _ = trainer.run(&mut ());
            }
            loaded
        }));
        outcome.unwrap_or_else(|_| panic!("a panic after {damage}"))
    };
    assert!(go_on(&run.state, "nothing"));
    type Part = fn(&mut TrainerState) -> &mut Vec<u8>;
    let parts: [(&str, Part); 3] = [
        ("optimizer", |state| &mut state.optimizer),
        ("replay", |state| &mut state.replay),
        ("trainer", |state| &mut state.trainer),
    ];
    for (name, part) in parts {
        let mut state = run.state.clone();
        let len = part(&mut state).len();
        let mut refused = 0;
        for place in 0..len {
            let original = part(&mut state)[place];
            for value in [original ^ 1 << (place % 8), 0xff] {
                part(&mut state)[place] = value;
                refused += usize::from(!go_on(&state, &format!("byte {place} of {name} became {value}")));
            }
            part(&mut state)[place] = original;
        }
        assert!(refused > 10, "{name}: {refused} of {len} bytes matter");
        for cut in 0..len {
            let mut shorter = run.state.clone();
            part(&mut shorter).truncate(cut);
            assert!(!go_on(&shorter, &format!("{name} cut to {cut} bytes")), "{name} cut to {cut} bytes");
        }
    }
}
