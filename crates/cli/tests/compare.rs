//! Several algorithms trained at once, and runs compared.

mod common;

use std::path::Path;

use common::{names, run, succeed, train_small};
use serde_json::{Value, json};

const SMALL: [&str; 6] =
    ["--env-steps", "300", "--set", "evaluation.final_episodes=2", "--set", "recording.episodes=0"];

/// Trains so many seeds of these algorithms into `folder/study`.
fn study(folder: &Path, algos: &str, seeds: &str) -> Value {
    let args = ["train", "CartPole-v1", "--algo", algos, "--seeds", seeds, "--out", "study", "--json"];
    succeed(folder, &[&args[..], &SMALL].concat()).json()
}

/// Makes these the scores of the runs in a folder, in alphabetical order.
fn set_scores(folder: &Path, scores: &[f64]) {
    let runs = names(folder);
    assert_eq!(runs.len(), scores.len());
    for (run, score) in runs.iter().zip(scores) {
        let path = folder.join(run).join("eval.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["final"], true);
        last["mean"] = json!(score);
        std::fs::write(path, format!("{last}\n")).unwrap();
    }
}

/// Changes what a run's `run.json` tells.
fn edit_info(run: &Path, key: &str, value: Value) {
    let path = run.join("run.json");
    let mut info: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    info[key] = value;
    std::fs::write(path, info.to_string()).unwrap();
}

fn warnings(json: &Value) -> Vec<&str> {
    json["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()).collect()
}

#[test]
fn several_algorithms_are_trained_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let json = study(folder.path(), "dqn,double-dqn", "5");
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    for key in ["groups", "improvement", "runs", "warnings", "report"] {
        assert!(keys.iter().any(|found| *found == key), "{key} in {keys:?}");
    }
    assert_eq!(names(&folder.path().join("study")), ["compare.html", "double-dqn", "dqn"]);
    for algo in ["dqn", "double-dqn"] {
        assert_eq!(names(&folder.path().join("study").join(algo)), ["s1", "s2", "s3", "s4", "s5"]);
    }
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 10);
    let told = |run: &Value| (run["algo"].as_str().unwrap().to_owned(), run["seed"].as_u64().unwrap());
    assert_eq!((told(&runs[1]), told(&runs[9])), (("dqn".into(), 2), ("double-dqn".into(), 5)));
    assert_eq!(runs[9]["run"], "study/double-dqn/s5");
    assert!(runs.iter().all(|run| run["eval"]["mean"].is_f64()));
    let groups = json["groups"].as_array().unwrap();
    assert_eq!((groups.len(), groups[1]["algo"].as_str()), (2, Some("double-dqn")));
    let mean = runs[..5].iter().map(|run| run["eval"]["mean"].as_f64().unwrap()).sum::<f64>() / 5.0;
    assert!((groups[0]["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert_eq!(json["warnings"], json!([]));
    assert_eq!(json["report"], "study/compare.html");
    let page = std::fs::read_to_string(folder.path().join("study/compare.html")).unwrap();
    assert!(page.contains("Performance profile") && page.contains("dqn over double-dqn"));
    // What was trained can be compared again, and says the same.
    let again = succeed(folder.path(), &["compare", "study", "--json"]).json();
    let by_label = |json: &Value, label: &str| {
        json["groups"].as_array().unwrap().iter().find(|group| group["label"] == label).unwrap().clone()
    };
    assert_eq!(by_label(&again, "dqn"), by_label(&json, "dqn"));
    assert!(again.get("report").is_none());
}

#[test]
fn each_run_is_what_it_would_be_alone() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path(), "dqn,double-dqn", "2");
    let alone =
        ["train", "CartPole-v1", "--algo", "double-dqn", "--seed", "2", "--out", "alone", "--threads", "1"];
    succeed(folder.path(), &[&alone[..], &SMALL].concat());
    let network = |run: &str| {
        std::fs::read(folder.path().join(run).join("checkpoints/300/network.safetensors")).unwrap()
    };
    assert!(network("alone") == network("study/double-dqn/s2"));
    assert!(network("study/dqn/s2") != network("study/double-dqn/s1"));
}

#[test]
fn several_algorithms_without_seeds_are_one_seed_each() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "CartPole-v1", "--algo", "dqn,double-dqn", "--seed", "7"];
    let outcome = succeed(folder.path(), &[&args[..], &SMALL].concat());
    let few = "warning: CartPole-v1 has few seeds of dqn (1), double-dqn (1): ";
    assert!(outcome.stderr.contains(few), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("(2 of 2)") && outcome.stderr.contains("double-dqn  seed    7  ended after")
    );
    assert!(outcome.stdout.starts_with("CartPole-v1\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("dqn over double-dqn"), "{}", outcome.stdout);
    let made = names(&folder.path().join("runs/CartPole-v1"));
    assert_eq!(made.len(), 3, "{made:?}");
    assert_eq!(made[0], "compare-dqn-double-dqn-s7.html");
    assert!(made[1].starts_with("double-dqn-s7-20") && made[2].starts_with("dqn-s7-20"), "{made:?}");
}

#[test]
fn the_numbers_of_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path(), "dqn,double-dqn", "4");
    set_scores(&folder.path().join("study/dqn"), &[1.0, 2.0, 4.0, 100.0]);
    set_scores(&folder.path().join("study/double-dqn"), &[2.0, 50.0, 60.0, 200.0]);
    let args = ["compare", "study/dqn", "study/double-dqn/s1", "study", "--out", "page.html"];
    let json = succeed(folder.path(), &[&args[..], &["--json"]].concat()).json();
    let group = &json["groups"][0];
    assert_eq!((&group["env"], &group["algo"]), (&json!("CartPole-v1"), &json!("dqn")));
    assert_eq!((&group["preset"], &group["seeds"]), (&json!("dqn"), &json!(4)), "each run counts once");
    assert_eq!((&group["mean"], &group["iqm"]), (&json!(26.75), &json!(3.0)));
    assert_eq!((&group["min"], &group["max"]), (&json!(1.0), &json!(100.0)));
    let ends = group["ci95"].as_array().unwrap();
    assert!(ends[0].as_f64().unwrap() < 3.0 && ends[1].as_f64().unwrap() > 3.0);
    assert_eq!(group["runs"][3], "study/dqn/s4");
    // 2 = 2 counts one half, 100 beats 2, 50 and 60, 4 beats 2: 4.5 of 16.
    let pair = &json["improvement"][0];
    assert_eq!((&pair["x"], &pair["y"]), (&json!("dqn"), &json!("double-dqn")));
    assert_eq!((&pair["env"], &pair["probability"]), (&json!("CartPole-v1"), &json!(0.28125)));
    assert_eq!(pair["ci95"].as_array().unwrap().len(), 2);
    assert_eq!(json["report"], "page.html");
    assert_eq!(warnings(&json).len(), 1, "{json}");
    assert!(warnings(&json)[0].contains("few seeds of dqn (4), double-dqn (4): with fewer than 5"), "{json}");
    assert!(folder.path().join("page.html").is_file());
    let told = succeed(folder.path(), &args);
    for words in ["dqn             4  26.8   3.0", "dqn over double-dqn  0.28", "report page.html"] {
        assert!(told.stdout.contains(words), "'{words}' is missing in:\n{}", told.stdout);
    }
    assert!(told.stderr.contains("warning: CartPole-v1 has few seeds of dqn (4)"), "{}", told.stderr);
}

#[test]
fn what_stands_in_the_way_of_a_fair_comparison_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    study(folder, "dqn,double-dqn", "5");
    let compare = || succeed(folder, &["compare", "study", "--json"]).json();
    edit_info(&folder.join("study/dqn/s3"), "seed", json!(1));
    assert_eq!(
        warnings(&compare()),
        ["CartPole-v1, dqn: seed 1 is there more than once, and counts as often"]
    );
    edit_info(&folder.join("study/dqn/s3"), "seed", json!(3));
    // What cannot change the scores is no reason to warn.
    let edit_config = |run: &str, from: &str, to: &str| {
        let path = folder.join(run).join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit_config("study/dqn/s2", "episodes = 0", "episodes = 3");
    assert_eq!(compare()["warnings"], json!([]));
    edit_config("study/dqn/s2", "gamma = 0.995", "gamma = 0.5");
    let json = compare();
    let told = "CartPole-v1, dqn: the runs have not all the same settings: study/dqn/s1 and study/dqn/s2 differ in learning.gamma (0.995 and 0.5)";
    assert_eq!(warnings(&json), [told]);
    edit_config("study/dqn/s2", "gamma = 0.5", "gamma = 0.995");
    for seed in 1..=5 {
        edit_config(&format!("study/dqn/s{seed}"), "env_steps = 300", "env_steps = 900");
    }
    let json = compare();
    let told = "CartPole-v1: double-dqn and dqn were not trained or judged alike: they differ in stop.env_steps (300 and 900)";
    assert_eq!(warnings(&json), [told]);
    // Another environment is another table, and nothing is summed up over both.
    for seed in 1..=5 {
        edit_info(&folder.join(format!("study/dqn/s{seed}")), "env", json!("Acrobot-v1"));
    }
    let json = compare();
    assert_eq!((json["improvement"].as_array().unwrap().len(), warnings(&json).len()), (0, 0), "{json}");
    let told = succeed(folder, &["compare", "study", "--out", "page.html"]).stdout;
    assert!(told.contains("Acrobot-v1\n") && told.contains("normalised scores"), "{told}");
    assert!(std::fs::read_to_string(folder.join("page.html")).unwrap().contains("normalised scores"));
}

#[test]
fn runs_without_a_final_evaluation_are_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    study(folder, "dqn,double-dqn", "2");
    edit_info(&folder.join("study/dqn/s2"), "status", json!("failed"));
    edit_info(&folder.join("study/dqn/s2"), "error", json!("learning diverged"));
    std::fs::remove_file(folder.join("study/dqn/s2/eval.jsonl")).unwrap();
    edit_info(&folder.join("study/double-dqn/s1"), "status", json!("interrupted"));
    std::fs::write(folder.join("study/double-dqn/s1/eval.jsonl"), "").unwrap();
    let json = succeed(folder, &["compare", "study", "--json"]).json();
    let left_out = [
        "study/double-dqn/s1 is left out: it was interrupted",
        "study/dqn/s2 is left out: it failed (learning diverged)",
    ];
    assert_eq!(warnings(&json)[..2], left_out, "{json}");
    assert_eq!((&json["groups"][0]["seeds"], &json["groups"][0]["ci95"]), (&json!(1), &Value::Null));
    assert_eq!(json["improvement"][0]["ci95"], Value::Null, "one run each tells nothing of others");
    let told = succeed(folder, &["compare", "study", "--out", "page.html"]);
    assert!(told.stderr.contains(left_out[1]), "{told:?}");
    for run in ["study/double-dqn/s2", "study/dqn/s1"] {
        std::fs::write(folder.join(run).join("eval.jsonl"), "").unwrap();
    }
    let refused = run(folder, &["compare", "study"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in
        ["there is nothing to compare", "study/dqn/s1 is left out: it has no final evaluation", "help:"]
    {
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
}

#[test]
fn damaged_runs_are_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Long enough for a moving mean of 20 episodes, which is drawn where no evaluation is.
    let args = ["train", "CartPole-v1", "--seeds", "6", "--env-steps", "1500", "--out", "study"];
    let set = ["evaluation.every_env_steps=off", "evaluation.stop_early=off", "evaluation.final_policy=last"];
    let set: Vec<&str> = set.into_iter().flat_map(|set| ["--set", set]).collect();
    succeed(folder, &[&args[..], &set].concat());
    let damage = |run: &str, file: &str, contents: &str| {
        std::fs::write(folder.join("study").join(run).join(file), contents).unwrap();
    };
    damage("s1", "run.json", "");
    damage("s2", "config.toml", "");
    damage("s3", "eval.jsonl", "{\n");
    std::fs::remove_file(folder.join("study/s4/config.toml")).unwrap();
    damage("s5", "metrics.jsonl", "no metrics\n");
    let told = succeed(folder, &["compare", "study", "--out", "page.html", "--json"]);
    assert_eq!(told.json()["groups"][0]["seeds"], 2);
    let json = told.json();
    let left_out: Vec<&str> = warnings(&json).into_iter().filter(|told| told.contains("left out")).collect();
    for (warning, words) in left_out.iter().zip([
        ["study/s1 is left out", "run.json is damaged"],
        ["study/s2 is left out", "it has no env.id"],
        ["study/s3 is left out", "eval.jsonl is damaged: line 1"],
        ["study/s4 is left out", "config.toml is missing"],
    ]) {
        assert!(words.iter().all(|words| warning.contains(words)), "{words:?}: {warning}");
    }
    assert_eq!(left_out.len(), 4, "{left_out:?}");
    let page = std::fs::read_to_string(folder.join("page.html")).unwrap();
    assert!(page.contains("s5/metrics.jsonl is damaged: line 1"));
    // The other run's curve is drawn all the same.
    assert!(page.contains("moving mean of the returns") && !page.contains("there is no curve"));
    // Runs that are named one by one are treated alike.
    let each: Vec<String> = (1..=6).map(|seed| format!("study/s{seed}")).collect();
    let args: Vec<&str> = ["compare", "--json"].into_iter().chain(each.iter().map(String::as_str)).collect();
    assert_eq!(succeed(folder, &args).json()["warnings"], json["warnings"]);
    let refused = run(folder, &["compare", "study/s1", "study/s3"]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("put the file back from a copy"),
        "{refused:?}"
    );
}

#[test]
fn a_single_group_is_summed_up_alone() {
    let folder = tempfile::tempdir().unwrap();
    train_small(folder.path(), "run", &[]);
    let json = succeed(folder.path(), &["compare", "run", "--out", "page.html", "--json"]).json();
    assert_eq!(
        (json["groups"][0]["label"].as_str(), &json["improvement"]),
        (Some("dqn/default"), &json!([]))
    );
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("dqn/default") && !page.contains("<h2>Probability of improvement</h2>"));
}
