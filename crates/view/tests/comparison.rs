//! The page on how groups of runs compare.

use std::fs;
use std::path::PathBuf;

use deepq::run::Comparison;
use deepq_view::report::write_comparison;
use roxmltree::Node;
use serde_json::{Value, json};
use tempfile::tempdir;

#[path = "common/page.rs"]
mod page;
#[path = "common/runs.rs"]
mod runs;
use page::{all, check, parse, text, xml};
use runs::{edit_info, trained};

/// A run of this preset and score.
fn scored(out: PathBuf, preset: &str, seed: u64, score: f64) -> PathBuf {
    let run = trained(out, seed, &[]);
    edit_info(&run, |info| info["preset"] = json!(preset));
    let path = run.join("eval.jsonl");
    let lines = fs::read_to_string(&path).unwrap();
    let with_score = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["final"] == true {
            line["mean"] = json!(score);
        }
        format!("{line}\n")
    };
    fs::write(&path, lines.lines().map(with_score).collect::<String>()).unwrap();
    run
}

fn compared(runs: &[PathBuf]) -> (Comparison, String) {
    let comparison = Comparison::of(runs).unwrap();
    let out = runs[0].with_file_name("compare.html");
    write_comparison(&comparison, &out).unwrap();
    let page = fs::read_to_string(&out).unwrap();
    check(&page);
    (comparison, page)
}

fn count(svg: Node<'_, '_>, class: &str) -> usize {
    svg.descendants().filter(|node| node.attribute("class") == Some(class)).count()
}

#[test]
fn two_groups_are_set_side_by_side() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let plain = [10.0, 20.0, 30.0].iter().zip(1..);
    let mut runs: Vec<PathBuf> =
        plain.map(|(score, seed)| scored(path(&format!("plain-{seed}")), "plain", seed, *score)).collect();
    runs.extend([1, 2].map(|seed| scored(path(&format!("other-{seed}")), "other", seed, 25.0)));
    let (comparison, page) = compared(&runs);
    let pair = &comparison.improvement[0];
    assert_eq!((pair.x.as_str(), pair.y.as_str(), pair.probability), ("dqn/plain", "dqn/other", 1.0 / 3.0));
    let xml = xml(&page);
    let document = parse(&xml);
    let headings: Vec<String> = all(&document, "h2").into_iter().map(text).collect();
    let expected = [
        "Interquartile mean of the final returns",
        "Probability of improvement",
        "Performance profile",
        "Learning curves",
        "How to read this",
        "The runs",
    ];
    assert_eq!(headings, expected);
    let charts = all(&document, "svg");
    assert_eq!(charts.len(), 8, "each for wide screens and for narrow ones");
    for charts in charts.chunks(2) {
        assert_eq!(charts[0].attribute("aria-label"), charts[1].attribute("aria-label"));
    }
    let told = |index: usize| charts[index].attribute("aria-label").unwrap();
    let iqm = "Interquartile mean of the final returns: dqn/plain 20.0 (10.0 to 30.0); dqn/other 25.0 (25.0 to 25.0).";
    assert_eq!(told(0), iqm);
    assert!(
        told(2).starts_with("Probability of improvement: dqn/plain over dqn/other 0.33 (0.00 to "),
        "{}",
        told(2)
    );
    assert_eq!((count(charts[0], "estimate a"), count(charts[0], "interval b")), (1, 1));
    for profile in [4, 6] {
        for class in ["line a", "line b", "band a", "band b"] {
            let expected = if class.starts_with("line") { 2 } else { 1 };
            assert_eq!(count(charts[profile], class), expected, "{class}, with the legend's");
        }
    }
    let rows: Vec<String> = all(&document, "tr").into_iter().map(text).collect();
    assert_eq!(rows[1], "dqn/plain320.020.010.0 to 30.010.030.0");
    assert!(page.contains("few seeds of dqn/plain (3), dqn/other (2): with fewer than 5"));
    assert!(page.contains("deepq train CartPole-v1 --env-steps 1500 --seed 3"));
}

#[test]
fn a_group_of_one_run_has_no_interval() {
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    let (_, page) = compared(std::slice::from_ref(&run));
    assert!(!page.contains("<h2>Probability of improvement</h2>"));
    let xml_text = xml(&page);
    let document = parse(&xml_text);
    for svg in all(&document, "svg") {
        assert_eq!(count(svg, "band a") + count(svg, "interval a"), 0);
    }
    // Without evaluations while training the returns of training are drawn.
    let lines = fs::read_to_string(run.join("eval.jsonl")).unwrap();
    fs::write(run.join("eval.jsonl"), format!("{}\n", lines.lines().last().unwrap())).unwrap();
    assert!(compared(std::slice::from_ref(&run)).1.contains("moving mean of the returns while training"));
    fs::remove_file(run.join("metrics.jsonl")).unwrap();
    assert!(compared(&[run]).1.contains("so there is no curve"));
}

#[test]
fn hostile_names_and_odd_scores_give_a_page() {
    let hostile = "</style><img src=x onerror=alert(1)>\"'&amp;<!-- \u{202e}\u{0}\u{1b}[31m";
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let runs: Vec<PathBuf> = [-1.7e308, 1.7e308, 0.0, 5e-324]
        .iter()
        .zip(1..)
        .map(|(score, seed)| scored(path(&seed.to_string()), &hostile.repeat(seed as usize), seed, *score))
        .collect();
    edit_info(&runs[0], |info| info["env"] = json!(hostile));
    edit_info(&runs[1], |info| info["command"] = json!([hostile, "train", hostile, "--algo", hostile]));
    let (comparison, page) = compared(&runs);
    assert_eq!(comparison.envs().len(), 2);
    assert!(!page.contains("<img") && !page.contains(['\u{202e}', '\u{0}', '\u{1b}']));
}

#[test]
fn long_names_stay_within_the_charts_of_intervals() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let long = "a-preset-with-a-name-much-longer-than-a-screen-is-wide".repeat(2);
    let runs: Vec<PathBuf> = [("a", long.as_str()), ("b", long.as_str()), ("c", "short"), ("d", "short")]
        .iter()
        .zip([1, 2, 1, 2])
        .map(|((name, preset), seed)| scored(path(name), preset, seed, 123_456.5 + seed as f64))
        .collect();
    let (_, page) = compared(&runs);
    let xml = xml(&page);
    let document = parse(&xml);
    let charts: Vec<_> = all(&document, "svg").into_iter().take(4).collect();
    for chart in charts {
        let width: f64 = chart.attribute("viewBox").unwrap().split(' ').nth(2).unwrap().parse().unwrap();
        let is_free = |node: &Node<'_, '_>| {
            node.has_tag_name(("http://www.w3.org/2000/svg", "text"))
                && node.parent().unwrap().attribute("text-anchor").is_none()
        };
        let texts: Vec<_> = chart.descendants().filter(is_free).collect();
        assert!(texts.len() >= 2);
        for node in texts {
            // A letter is about this wide at the chart's text size.
            let end = node.attribute("x").unwrap().parse::<f64>().unwrap()
                + 6.0 * text(node).chars().count() as f64;
            assert!(end <= width, "'{}' ends at {end} of {width}", text(node));
        }
    }
}

#[test]
fn many_groups_stand_in_a_table_beside_the_chart_of_the_best() {
    let folder = tempdir().unwrap();
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    // The best stands in the middle, so that it is the first of some pairs and the second of others.
    let scores = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [90.0, 91.0], [5.0, 6.0], [6.0, 7.0], [7.0, 8.0]];
    let runs: Vec<PathBuf> = names
        .iter()
        .zip(scores)
        .flat_map(|(name, scores)| scores.into_iter().zip(1..).map(move |(score, seed)| (name, score, seed)))
        .map(|(name, score, seed)| scored(folder.path().join(format!("{name}{seed}")), name, seed, score))
        .collect();
    let (comparison, page) = compared(&runs);
    assert_eq!(comparison.improvement.len(), 21);
    let of_best = comparison.best_over_others("CartPole-v1");
    assert_eq!(of_best.len(), 6);
    assert!(
        of_best
            .iter()
            .all(|pair| pair.x == "dqn/d" && pair.probability == 1.0 && pair.ci95 == Some((1.0, 1.0)))
    );
    let xml = xml(&page);
    let document = parse(&xml);
    let matrix = all(&document, "table").into_iter().find(|table| table.attribute("class") == Some("matrix"));
    let rows: Vec<Vec<String>> = matrix
        .unwrap()
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/1999/xhtml", "tr")) || node.has_tag_name("tr"))
        .map(|row| row.children().filter(Node::is_element).map(text).collect())
        .collect();
    assert_eq!(rows[0][1..], names.map(|name| format!("dqn/{name}")));
    assert_eq!(rows[1], ["dqn/a", "–", "0.12", "0.00", "0.00", "0.00", "0.00", "0.00"]);
    assert_eq!(rows[2], ["dqn/b", "0.88", "–", "0.12", "0.00", "0.00", "0.00", "0.00"]);
    assert!(
        page.contains("<strong>1.00</strong>") && !page.contains("<strong>0.13</strong>"),
        "bold is what is clear"
    );
}
