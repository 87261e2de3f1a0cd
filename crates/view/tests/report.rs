//! The report is a well-formed page that shows what is in the run, and nothing that is not text.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use deepq_view::report::{learning_curve_svg, write_report};
use roxmltree::Node;
use serde_json::json;
use tempfile::tempdir;

#[path = "common/page.rs"]
mod page;
#[path = "common/runs.rs"]
mod runs;
use page::{all, check, parse, text, xml};
use runs::{edit_info, filmed, reported, trained};

#[test]
fn a_run_is_shown_with_its_figures_and_its_videos() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 3, &[]);
    let recordings = filmed(&run, 2, 3);
    let (_, page) = reported(std::slice::from_ref(&run));
    check(&page);
    let xml = xml(&page);
    let document = parse(&xml);
    assert_eq!(text(all(&document, "h1")[0]), "CartPole-v1");
    let sources = all(&document, "source");
    assert_eq!(sources.len(), 2);
    for (source, recording) in sources.iter().zip(&recordings) {
        let data = source.attribute("src").unwrap().strip_prefix("data:video/mp4;base64,").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        assert_eq!(bytes, fs::read(&recording.path).unwrap());
        let video = source.parent().unwrap();
        let caption = text(video.parent().unwrap());
        let expected = format!("return {:.1}, {} steps", recording.episodic_return, recording.length);
        assert!(caption.contains(&expected), "{caption}");
    }
    assert!(
        page.contains("<video width=\"640\" height=\"480\" controls>\n<source src=\"data:video/mp4;base64,")
    );
    let last = fs::read_to_string(run.join("eval.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["final"], true);
    let figure = format!(
        "{:.1}± {:.1} std, 5 episodes",
        last["mean"].as_f64().unwrap(),
        last["std"].as_f64().unwrap()
    );
    assert_eq!(text(all(&document, "dd")[0]), figure);
    assert_eq!(all(&document, "tbody")[0].children().filter(Node::is_element).count(), 4);
    let commands: Vec<String> = all(&document, "pre").into_iter().map(text).collect();
    assert_eq!(commands[0], "deepq train CartPole-v1 --env-steps 1500 --seed 3");
    assert_eq!(commands[1], "deepq train CartPole-v1 --env-steps 1500 --out 'x y'");
    assert_eq!(commands[2], fs::read_to_string(run.join("config.toml")).unwrap().trim_end());
}

#[test]
fn hostile_text_stays_text() {
    let hostile =
        "</script></title></style><img src=x onerror=alert(1)>\"'&amp;<!-- ]]>\u{202e}\u{0}\u{1b}[31m";
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    edit_info(&run, |info| {
        for key in ["env", "algo", "preset", "host", "instruction_set", "started_at", "deepq", "error"] {
            info[key] = json!(hostile);
        }
        info["status"] = json!("failed");
        info["command"] = json!([hostile, "train", hostile, hostile]);
    });
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), format!("# {hostile}\n{config}")).unwrap();
    fs::create_dir(run.join("videos")).unwrap();
    fs::write(run.join("videos/rl-video-episode-0.mp4"), "<script>alert(1)</script>").unwrap();
    fs::write(run.join(format!("videos/rl-video-episode-{}.mp4", "0\"><img src=x>")), "....ftyp").unwrap();
    let other = trained(folder.path().join("other"), 1, &[]);
    for runs in [vec![run.clone()], vec![run.clone(), other]] {
        let (_, page) = reported(&runs);
        check(&page);
        assert!(!page.contains("<img") && !page.contains("<script") && !page.contains("<source"));
        assert!(!page.contains(['\u{202e}', '\u{0}', '\u{1b}']));
        assert!(page.matches("&lt;/script&gt;&lt;/title&gt;").count() > 5);
    }
    let svg = learning_curve_svg(&[run]).unwrap();
    parse(&svg);
    assert!(!svg.contains("<img"));
}

#[cfg(unix)]
#[test]
fn a_link_in_the_videos_folder_is_not_followed() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    fs::write(folder.path().join("private"), "....ftypprivate").unwrap();
    fs::create_dir(run.join("videos")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("private"), run.join("videos/rl-video-episode-0.mp4"))
        .unwrap();
    let (_, page) = reported(&[run]);
    check(&page);
    assert!(!page.contains("<source"));
    assert!(page.contains("1 more video is in the run"));
}

#[test]
fn a_run_without_results_gives_a_page_that_says_so() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    edit_info(&run, |info| {
        info["status"] = json!("interrupted");
        info["command"] = json!([]);
        for key in ["wall_s", "env_steps", "gradient_steps", "episodes"] {
            info[key] = json!(null);
        }
    });
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let one_episode = metrics.lines().next().unwrap().to_owned() + "\n";
    for (metrics, evaluations) in
        [(Some(metrics.as_str()), ""), (Some(&one_episode), ""), (Some(""), ""), (None, "")]
    {
        match metrics {
            Some(metrics) => fs::write(run.join("metrics.jsonl"), metrics).unwrap(),
            None => {
                fs::remove_file(run.join("metrics.jsonl")).unwrap();
                fs::remove_file(run.join("eval.jsonl")).unwrap();
            }
        }
        if metrics.is_some() {
            fs::write(run.join("eval.jsonl"), evaluations).unwrap();
        }
        let (_, page) = reported(std::slice::from_ref(&run));
        check(&page);
        assert!(page.contains("This run was interrupted."));
        assert!(page.contains("No evaluation was made."));
        assert!(page.contains("deepq train CartPole-v1 --preset default --seed 1"));
        let has_curve = metrics.is_some_and(|metrics| !metrics.is_empty());
        assert_eq!(page.contains("so there is no curve"), !has_curve);
        assert_eq!(page.contains("<svg"), has_curve);
    }
}

#[test]
fn numbers_at_the_limits_give_a_page() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    let line = |env_steps: u64, value: f64| {
        json!({"env_steps": env_steps, "gradient_steps": u64::MAX, "episodes": u64::MAX, "wall_s": value, "episodic_return": value, "episode_length": u32::MAX, "epsilon": value, "loss": value, "q_mean": null}).to_string() + "\n"
    };
    let odd = [1.0, -1.7e308, 1.7e308, 0.0, 5e-324];
    let lines: String = odd.iter().enumerate().map(|(i, value)| line(u64::MAX - i as u64, *value)).collect();
    for metrics in [lines.repeat(30), line(0, 0.0), line(0, 0.0).repeat(1000)] {
        fs::write(run.join("metrics.jsonl"), metrics).unwrap();
        let (_, page) = reported(std::slice::from_ref(&run));
        check(&page);
    }
    fs::write(run.join("metrics.jsonl"), "{}\n").unwrap();
    let error = write_report(std::slice::from_ref(&run), &run.join("report.html")).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl is damaged: line 1"), "{error}");
}

#[test]
fn a_long_run_gives_a_short_page() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    let metrics: String = (1..=100_000u64)
        .map(|i| {
            let value = (i * 7919 % 500) as f64;
            json!({"env_steps": i * 50, "gradient_steps": i, "episodes": i, "wall_s": 1.0, "episodic_return": value, "episode_length": value, "epsilon": 0.1, "loss": value, "q_mean": value}).to_string().replace(".0,\"epsilon", ",\"epsilon") + "\n"
        })
        .collect();
    fs::write(run.join("metrics.jsonl"), metrics).unwrap();
    let (_, page) = reported(&[run]);
    check(&page);
    assert!(page.len() < 300_000, "{}", page.len());
    assert!(page.contains("100,000 episodes of training"));
}

#[test]
fn runs_are_compared_within_their_group() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut runs: Vec<PathBuf> = (1..=3).map(|seed| trained(path(&format!("s{seed}")), seed, &[])).collect();
    filmed(&runs[0], 1, 1);
    let (_, page) = reported(&runs);
    check(&page);
    let xml_text = xml(&page);
    let document = parse(&xml_text);
    assert_eq!(all(&document, "tbody")[0].children().filter(Node::is_element).count(), 3);
    assert_eq!(all(&document, "source").len(), 1);
    let means: Vec<f64> = runs
        .iter()
        .map(|run| {
            deepq::RunDirectory::open(run).unwrap().evaluations().unwrap().last().unwrap().summary.mean
        })
        .collect();
    let mean = means.iter().sum::<f64>() / 3.0;
    assert_eq!(text(all(&document, "dd")[0]), format!("{mean:.1}over 3 of 3 runs"));
    assert!(text(all(&document, "dd")[1]).contains("95 % interval"));
    // The same run twice is one run; other settings are another group; a run not judged is told.
    runs.push(runs[0].join("."));
    runs.push(trained(path("other"), 1, &["learning.gamma=0.9"]));
    fs::write(runs[1].join("eval.jsonl"), "").unwrap();
    let (_, page) = reported(&runs);
    check(&page);
    assert!(page.contains("4 runs in 2 groups"));
    assert!(page.contains("<code>learning.gamma = 0.9</code>"));
    assert!(page.contains("over 2 of 3 runs"));
    assert!(page.contains("Runs that were not judged at their end: 1."));
    let svg = learning_curve_svg(&runs).unwrap();
    parse(&svg);
}

#[test]
fn the_list_of_recordings_is_right_after_filming_again() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    let first = filmed(&run, 3, 1);
    let second = filmed(&run, 1, 2);
    assert_ne!(first[0].seed, second[0].seed);
    let list: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("videos/recordings.json")).unwrap()).unwrap();
    let told = |index: usize| {
        (
            list[index]["file"].as_str().unwrap(),
            list[index]["seed"].as_u64().unwrap(),
            list[index]["return"].as_f64().unwrap(),
        )
    };
    assert_eq!(told(0), ("rl-video-episode-0.mp4", second[0].seed, second[0].episodic_return));
    assert_eq!(told(1), ("rl-video-episode-1.mp4", first[1].seed, first[1].episodic_return));
    assert_eq!(told(2), ("rl-video-episode-2.mp4", first[2].seed, first[2].episodic_return));
}
