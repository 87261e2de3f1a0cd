//! What cannot be: a message with what was found, what is allowed and what is nearest; exit code 2; nothing
//! written.

mod common;

use std::path::Path;

use common::{Outcome, deepq, finish, names, run, train_small};

/// Runs a command that must be refused with words in its message, before anything is written.
fn refused(folder: &Path, args: &[&str], words: &[&str]) -> Outcome {
    let before = names(folder);
    let outcome = run(folder, args);
    assert_eq!(outcome.code, Some(2), "{args:?}: {outcome:?}");
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{args:?}: '{word}' is missing in: {}", outcome.stderr);
    }
    assert_eq!(names(folder), before, "{args:?} wrote something");
    outcome
}

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "CartPole-v1", "--out", "run"], more].concat()
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |args: &[&str], words: &[&str]| refused(folder, args, words);
    for id in ["CartPole-v9", "cartpole", "Cartpole-v1", "CARTPOLE-V1"] {
        let words =
            [&format!("'{id}'")[..], "did you mean 'CartPole-v", "there are: CartPole-v0, CartPole-v1"];
        refused(&["train", id, "--out", "run"], &words);
    }
    refused(&["train", "", "--out", "run"], &["there is no environment ''"]);
    refused(&["train", "倒立振子", "--out", "run"], &["'倒立振子'", "there are: CartPole-v0"]);
    refused(
        &train(&["--preset", "tutoral"]),
        &["--preset", "'tutoral'", "did you mean 'tutorial'?", "sb3-dqn"],
    );
    refused(&train(&["--algo", "ddqn"]), &["--algo", "'ddqn'", "double-dqn"]);
    refused(
        &train(&["--algo", "dqn,duoble-dqn", "--seeds", "2"]),
        &["--algo", "'duoble-dqn'", "did you mean 'double-dqn'?"],
    );
    refused(&train(&["--algo", "dqn,"]), &["--algo", "there is no algorithm ''"]);
    refused(&train(&["--set", "learning.gama=0.9"]), &["--set learning.gama=0.9", "did you mean 'gamma'?"]);
    refused(&train(&["--set", "lerning.gamma=0.9"]), &["'lerning'", "did you mean 'learning'?"]);
    refused(&train(&["--set", "loss.target.kind=\"sarsa\""]), &["'sarsa'", "q-learning"]);
    refused(&["trian"], &["trian", "train"]);
    refused(&train(&["--evn-steps", "5"]), &["--evn-steps", "--env-steps"]);
    refused(&["list", "env"], &["'env'", "envs, presets, algos, runs"]);
    refused(&["completions", "tcsh"], &["'tcsh'", "bash"]);
}

#[test]
fn values_that_cannot_be_are_told_with_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |set: &str, words: &[&str]| {
        refused(folder.path(), &train(&["--set", set]), words);
    };
    refused("learning.gamma=1.5", &["learning.gamma", "found 1.5", "0 to 1"]);
    refused("learning.gamma=nan", &["learning.gamma", "NaN", "0 to 1"]);
    refused("learning.gamma=high", &["learning.gamma=high", "found \"high\", allowed is a number"]);
    refused("learning.batch_size=0", &["found 0", "1 to 65536"]);
    refused("learning.batch_size=-1", &["-1", "learning.batch_size"]);
    refused("learning.batches=9223372036854775807", &["learning.batches", "1 to 1000000"]);
    refused("learning.gamma", &["has no '='", "KEY=VALUE"]);
    refused("=1", &["--set =1"]);
    refused("network.dueling=1", &["found 1, allowed is true or false"]);
    refused("gamma=0.9", &["no key 'gamma'", "did you mean 'learning.gamma'?"]);
    refused("learning.gamma.x=1", &["'gamma' is a number"]);
    refused("replay.capacity=536870913", &["replay.capacity", "1 to 536870912"]);
    refused("replay.capacity=10", &["replay.capacity", "at least the batch size"]);
    // 3 TiB of parameters.
    let hidden = format!("network.hidden=[{}]", ["65536"; 40].join(","));
    refused(&hidden, &["network.hidden", "GiB", "this machine has"]);
    let layers = [r#"{kind="linear",outputs=65536},{kind="relu"}"#; 40].join(",");
    refused(&format!("network={{layers=[{layers}]}}"), &["network.layers", "GiB", "this machine has"]);
    refused("network={architecture=\"nature\"}", &["network.architecture", "CartPole-v1 is 4 numbers"]);
    refused("network.architecture=nature", &["architecture cannot be given together", "--set 'network={"]);
    refused("engine.threads=0", &["engine.threads", "found 0", "\"auto\" or 1 to 256"]);
    refused("network.divide_observations_by=[1.0]", &["found 1 numbers", "each of the 4 elements"]);
    refused("env.copies=0", &["env.copies", "found 0", "1 to 65536"]);
    refused("env.id=Pong", &["--set env.id=Pong", "named by itself"]);
    refused("stop={}", &["stop", "never end"]);
    refused("exploration.epsilon.from=2.0", &["exploration.epsilon.from", "found 2", "0 to 1"]);
}

#[test]
fn flags_of_other_libraries_and_numbers_below_zero_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str], words: &[&str]| refused(folder.path(), &train(more), words);
    for (flag, setting) in [
        ("--gamma", "--set learning.gamma=0.99"),
        ("--learning-rate", "--set learning.learning_rate=0.00"),
        ("--lr", "--set learning.learning_rate=0.00"),
        ("--target-update-interval", "--set 'target.period={ unit = "),
        ("--total-timesteps", "--env-steps"),
        ("--buffer-size", "--set replay.capacity="),
    ] {
        refused(&[flag, "1"], &[flag, setting]);
    }
    for flag in ["--env-steps", "--episodes", "--seeds"] {
        refused(&[flag, "-5"], &["'-5'", flag, "from 1 to 9223372036854775807"]);
    }
    refused(&["--seed", "-1"], &["'-1'", "from 0 to 18446744073709551615"]);
    refused(&["--set", "loss.head={"], &["'{' is no value as TOML writes one"]);
    let wrappers = r#"did you mean 'env.wrappers=[{kind="normalize-observation"}]'?"#;
    refused(&["--set", "env.wrappers=normalize-observation"], &["allowed is a list", wrappers]);
    refused(&["--algo", "pqn", "--set", "replay.capacity=5"], &["replay and rollout", "--set replay=off"]);
    refused(&["--set", "algo=\"\""], &["algo", "found \"\"", "1 to 100 characters"]);
    refused(&["--set", "algo=\"a\\tb\""], &["algo", r#"found "a\tb""#, "none of them a control character"]);
    refused(&["--set", &format!("algo={}", "a".repeat(101))], &["algo", "1 to 100 characters"]);
    // Flags before the command, too.
    let outcome = run(folder.path(), &["-q", "train", "CartPole-v1", "--lr", "1"]);
    assert!(outcome.stderr.contains("--set learning.learning_rate"), "{outcome:?}");
}

#[test]
fn runs_that_cannot_begin_are_not_told_to_have_begun() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    // A folder whose place is a link to nowhere is told when it is made, after all that is looked at before.
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere/at/all", folder.path().join("link")).unwrap();
    let outs = if cfg!(unix) { &["file/run", "link/run"][..] } else { &["file/run"] };
    let cases = [&[][..], &["--seeds", "2"], &["--algo", "dqn,c51"]];
    for (out, more) in outs.iter().flat_map(|out| cases.map(|more| (*out, more))) {
        let args = ["train", "CartPole-v1", "--out", out];
        let outcome = refused(folder.path(), &[&args[..], more].concat(), &[out]);
        for word in ["training", "ended"] {
            assert!(!outcome.stderr.contains(word), "{outcome:?}");
        }
    }
}

#[test]
fn folders_in_which_no_run_can_be_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = |args: &[&str], words: &[&str]| refused(folder.path(), args, words);
    refused(&["list", "runs", "--below", "nowhere"], &["nowhere: there is no such folder"]);
    refused(&["list", "runs", "--below", "file"], &["file: this is a file and no folder"]);
    refused(&["list", "algos", "--below", "."], &["--below", "only runs are looked for in a folder"]);
    common::succeed(folder.path(), &["list", "runs"]);
}

#[test]
fn a_page_takes_the_place_of_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    train_small(folder.path(), "run", &[]);
    for command in ["report", "compare"] {
        for file in ["run/run.json", "run/config.toml", "run/metrics.jsonl", "run"] {
            let args = [command, "run", "--out", file];
            let before = std::fs::read(folder.path().join(file)).ok();
            refused(
                folder.path(),
                &args,
                &["is there already; only a file that ends in .html is overwritten"],
            );
            assert_eq!(std::fs::read(folder.path().join(file)).ok(), before);
        }
    }
}

#[test]
fn a_flag_does_not_silently_win_over_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, set) in [("--env-steps", "stop.env_steps=20"), ("--episodes", "stop={env_steps=20}")] {
        let words = [flag, "cannot be given together", set];
        refused(folder.path(), &train(&[flag, "10", "--set", set]), &words);
    }
}

#[test]
fn nothing_takes_a_runs_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train_small(folder, "run", &[]);
    let before = std::fs::read(folder.join("run/run.json")).unwrap();
    refused(folder, &train(&["--seeds", "2"]), &["run", "holds a run already"]);
    refused(folder, &train(&["--algo", "dqn,c51"]), &["run", "holds a run already"]);
    refused(
        folder,
        &["compare", "run", "--out", "run/run.json"],
        &["run/run.json", "only a file that ends in .html is overwritten"],
    );
    assert_eq!(std::fs::read(folder.join("run/run.json")).unwrap(), before);
}

/// The page of a study stands beside what is there.
#[test]
fn a_page_takes_no_others_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("mine")).unwrap();
    for page in ["mine/report.html", "mine/compare.html"] {
        std::fs::write(folder.join(page), "mine").unwrap();
    }
    let short = ["--env-steps", "300", "--seeds", "2", "--set", "recording.episodes=0", "--out", "mine"];
    for (more, page) in
        [(&[][..], "mine/report-2.html"), (&["--algo", "dqn,double-dqn"], "mine/compare-2.html")]
    {
        let args = [&["train", "CartPole-v1", "--preset", "default-fixed"][..], &short].concat();
        let args =
            if more.is_empty() { args } else { [&["train", "CartPole-v1"][..], more, &short].concat() };
        let outcome = run(folder, &args);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains(page) && folder.join(page).is_file(), "{outcome:?}");
    }
    for page in ["mine/report.html", "mine/compare.html"] {
        assert_eq!(std::fs::read_to_string(folder.join(page)).unwrap(), "mine");
    }
}

#[test]
fn numbers_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], words: &[&str]| {
        refused(folder.path(), &train(args), words);
    };
    let greatest = u64::MAX.to_string();
    for flag in ["--env-steps", "--episodes", "--seeds"] {
        for number in ["0", "-5", "1e-6", "many", "", "1.5", "18446744073709551616", "18446744073709551615"] {
            refused(&[&format!("{flag}={number}")], &[flag, "whole numbers from 1 to 9223372036854775807"]);
        }
    }
    for number in ["-1", "18446744073709551616", "one", ""] {
        refused(&[&format!("--seed={number}")], &["--seed"]);
    }
    refused(&["--seeds", "2", "--seed", &greatest], &["--seeds", "greatest seed", &greatest]);
    refused(&["--seeds", "9000000000000000000"], &["--seeds", "1 to 100000"]);
    for number in ["0", "-1", "257", "many", "", "1.5", "Auto"] {
        let words = ["--threads", "allowed are auto and whole numbers from 1 to 256"];
        refused(&[&format!("--threads={number}")], &words);
    }
    refused(&["--env-steps", "5", "--episodes", "5"], &["--env-steps", "cannot be used with", "--episodes"]);
    refused(&["--preset", "default", "--algo", "dqn"], &["cannot be used with"]);
    refused(&["--seeds", "2", "--render", "window"], &["cannot be used with"]);
    let two = ["--algo", "dqn,double-dqn"];
    refused(&[&two[..], &["--render", "terminal"]].concat(), &["--render", "several algorithms"]);
    refused(&[&two[..], &["--preset", "default"]].concat(), &["cannot be used with"]);
    refused(&[&two[..], &["--seeds", "2", "--seed", &greatest]].concat(), &["--seeds", "greatest seed"]);
    refused(&["--algo", "dqn,double-dqn,dqn"], &["--algo", "'dqn' is named twice"]);
    let image = "network={architecture=\"nature\"}";
    refused(&[&two[..], &["--set", image]].concat(), &["network.architecture"]);
    refused(&["-q", "-v"], &["cannot be used with"]);
    refused(&["--fps", "0", "--render", "terminal"], &["--fps", "above 0, or max"]);
    refused(&["--fps=-3"], &["--fps"]);
    refused(&["--out", ""], &["--out"]);
}

#[test]
fn errors_are_one_object_with_json() {
    let folder = tempfile::tempdir().unwrap();
    let error = |args: &[&str], kind: &str| {
        let outcome = run(folder.path(), args);
        assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(2), 1), "{outcome:?}");
        let error = outcome.json()["error"].clone();
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["kind", "message", "help"]);
        assert_eq!(error["kind"], kind, "{error}");
        assert!(!outcome.stderr.is_empty(), "people read it too");
        error
    };
    let unknown = error(&["train", "CartPole-v9", "--json"], "config");
    assert_eq!(unknown["message"], "ENV: there is no environment 'CartPole-v9'");
    assert!(unknown["help"].as_str().unwrap().starts_with("did you mean 'CartPole-v"));
    error(&["eval", "nowhere", "--json"], "run");
    let usage = error(&["train", "CartPole-v1", "--seed", "x", "--json"], "usage");
    assert!(usage["message"].as_str().unwrap().starts_with("invalid value 'x' for '--seed"), "{usage}");
    error(&["--json", "frobnicate"], "usage");
    error(&["play", "nowhere", "--json", "--render", "terminal"], "run");
}

#[test]
fn folders_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("file"), "mine").unwrap();
    std::fs::create_dir(folder.join("occupied")).unwrap();
    std::fs::write(folder.join("occupied/notes.txt"), "mine").unwrap();
    train_small(folder, "used", &[]);
    let out = |out: &str, words: &[&str]| {
        refused(folder, &["train", "CartPole-v1", "--env-steps", "100", "--out", out], words);
        refused(
            folder,
            &["train", "CartPole-v1", "--env-steps", "100", "--out", out, "--json=x"],
            &["--json"],
        );
    };
    out("file", &["file", "--out"]);
    out("file/below", &["file/below", "--out"]);
    out("occupied", &["occupied", "this folder is not empty", "choose another folder with --out"]);
    out("used", &["used", "this folder holds a run already"]);
    out("/proc/run", &["/proc/run", "no run can be made here", "--out"]);
    out(&"long".repeat(100), &["no run can be made here"]);
    // With several algorithms no run begins where one of the folders cannot be used.
    std::fs::create_dir_all(folder.join("study/double-dqn/s2")).unwrap();
    std::fs::write(folder.join("study/double-dqn/s2/notes.txt"), "mine").unwrap();
    let two =
        ["train", "CartPole-v1", "--env-steps", "100", "--algo", "dqn,double-dqn", "--seeds", "2", "--out"];
    refused(
        folder,
        &[&two[..], &["study"]].concat(),
        &["study/double-dqn/s2: this folder is not empty", "--out"],
    );
    assert_eq!(names(&folder.join("study")), ["double-dqn"]);
    assert_eq!(names(&folder.join("study/double-dqn")), ["s2"]);
    assert_eq!(names(&folder.join("occupied")), ["notes.txt"]);
    assert_eq!(std::fs::read(folder.join("file")).unwrap(), b"mine");
}

#[test]
fn runs_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("file"), "x").unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    let commands = [&["eval"][..], &["record"], &["report"], &["play", "--render", "terminal"]];
    for command in commands {
        let refused = |run: &str, words: &[&str]| refused(folder, &[command, &[run]].concat(), words);
        refused("nowhere", &["nowhere: there is no such folder", "deepq list runs"]);
        refused("empty", &["empty: this is no run directory: run.json is missing"]);
        refused("file", &["file: this is no run directory"]);
        refused("무엇", &["무엇: there is no such folder"]);
    }
    let refused_compare = |run: &str, words: &[&str]| refused(folder, &["compare", run], words);
    refused_compare("nowhere", &["nowhere: there is no such folder", "deepq list runs"]);
    refused_compare("empty", &["empty: there is no run in this folder", "deepq list runs --below"]);
    refused_compare("file", &["file: this is no run directory"]);
    refused(folder, &["compare"], &["<RUN>"]);
    refused(folder, &["eval"], &["<RUN>"]);
    refused(folder, &["report"], &["<RUN>"]);
}

#[test]
fn damaged_runs_are_told_with_their_file_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train_small(folder, "run", &["--set", "evaluation.final_policy=last"]);
    refused(folder, &["eval", "run", "--checkpoint", "9"], &["no such checkpoint", "700"]);
    refused(folder, &["eval", "run", "--checkpoint", "worst"], &["'worst'", "final, best, last"]);
    refused(
        folder,
        &["eval", "run", "--checkpoint", "best"],
        &["not evaluated while training", "--checkpoint last"],
    );
    for number in ["0", "-1", "18446744073709551615", "9000000000000000000"] {
        refused(folder, &["eval", "run", &format!("--episodes={number}")], &["1 to 100000"]);
        refused(folder, &["record", "run", &format!("--episodes={number}")], &["1 to 100000"]);
    }
    let network = "run/checkpoints/700/network.safetensors";
    let mut bytes = std::fs::read(folder.join(network)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(folder.join(network), bytes).unwrap();
    for args in
        [&["eval", "run"][..], &["record", "run", "--out", "films"], &["play", "run", "--render", "terminal"]]
    {
        refused(folder, args, &[network, "is damaged", "checksum"]);
    }
    std::fs::write(folder.join("run/config.toml"), "algo = 3\n").unwrap();
    refused(folder, &["eval", "run"], &["run/config.toml:1", "found 3"]);
    std::fs::write(folder.join("run/run.json"), "{").unwrap();
    std::fs::write(folder.join("run/config.toml"), "").unwrap();
    refused(folder, &["eval", "run"], &["run/config.toml"]);
    let list = common::succeed(folder, &["list", "runs", "--below", "."]);
    assert!(list.stdout.contains("run.json is damaged"), "{list:?}");
}

#[test]
fn where_there_is_no_screen() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train_small(folder, "run", &[]);
    let window = ["train", "CartPole-v1", "--out", "new", "--render", "window"];
    refused(folder, &window, &["DISPLAY"]);
    refused(folder, &["play", "run"], &["DISPLAY"]);
    refused(folder, &["play", "run", "--render", "terminal"], &["terminal"]);
    refused(folder, &["train", "CartPole-v1", "--out", "new", "--render", "terminal"], &["terminal"]);
    let json = run(folder, &["play", "run", "--json"]);
    assert_eq!(json.json()["error"]["kind"], "screen");
}

#[test]
fn an_instruction_set_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "CartPole-v1", "--out", "run"];
    let outcome = finish(deepq(folder.path()).args(args).env("DEEPQ_ISA", "nonsense"));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("DEEPQ_ISA") && outcome.stderr.contains("nonsense"), "{outcome:?}");
    assert!(outcome.stderr.contains("portable"), "what is allowed: {outcome:?}");
    assert!(names(folder.path()).is_empty());
}

/// Bytes that are no UTF-8 may stand in a path, and in a wrong name.
#[cfg(unix)]
#[test]
fn arguments_of_strange_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let strange = OsStr::from_bytes(b"run-\xff-\xe5\x80");
    let args =
        ["train", "CartPole-v1", "--env-steps", "300", "--json", "--set", "recording.episodes=1", "--out"];
    let outcome = finish(deepq(folder.path()).args(args).arg(strange));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.json()["run"].as_str().unwrap().starts_with("run-\u{fffd}"));
    for command in [&["eval", "--json"][..], &["record", "--json"], &["report", "--json"]] {
        let outcome = finish(deepq(folder.path()).args(command).arg(strange));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.json();
    }
    let list = common::succeed(folder.path(), &["list", "runs", "--below", ".", "--json"]);
    assert_eq!(list.json()["runs"].as_array().unwrap().len(), 1);
    let outcome = finish(deepq(folder.path()).arg("train").arg(strange));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let args = ["train", "CartPole-v1", "--env-steps", "100", "-q", "--set", "recording.episodes=0", "--out"];
    assert_eq!(finish(deepq(folder.path()).args(args).arg("달리기 🏃")).code, Some(0));
    assert!(folder.path().join("달리기 🏃/run.json").is_file());
}
