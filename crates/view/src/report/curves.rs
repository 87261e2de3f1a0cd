//! The charts of a report.

use super::chart::{Across, Chart, Mark, Series, Size};
use super::data::{CurveKind, Group, RunData};
use super::markup::Markup;
use super::scale::{Spacing, count, score};
use super::thin::{Point, mean_curve};

const WIDE: Size = Size { width: 960.0, height: 400.0 };
const NARROW: Size = Size { width: 380.0, height: 330.0 };
const SMALL: Size = Size { width: 460.0, height: 250.0 };

/// At how many places the mean of several curves is computed.
const MEAN_PLACES: usize = 200;

/// The returns of one run.
pub(super) fn returns(run: &RunData) -> Chart {
    let episodes = run.curve(|line| Some(line.episodic_return));
    let (smooth, window) = run.smooth_returns();
    let last = run.final_evaluation().map(|line| (line.env_steps as f64, line.summary.mean));
    let description = format!(
        "Return over env steps of {}: {} episodes of training over {} env steps{}.",
        run.info.env,
        count(episodes.len() as u64),
        count(run.progress().0),
        last.map_or(String::new(), |(_, mean)| format!("; final evaluation {}", score(mean)))
    );
    let series = vec![
        Series::new("episode while training", "a", Mark::Dots, episodes),
        Series::new(format!("moving mean of {window} episodes"), "a", Mark::Line, smooth),
        Series::new("evaluation (greedy), mean", "b", Mark::MarkedLine, run.evaluation_curve()),
        Series::new("final evaluation", "b", Mark::Rings, last),
    ];
    Chart {
        description,
        y_title: "return",
        across: Across::EnvSteps,
        series,
        spacing: Spacing::Linear,
        legend: true,
    }
}

/// What the chart of one run shows, in words.
pub(super) const RETURNS_CAPTION: &str =
    "Episodes while training act at random with probability ε; evaluations take the best action.";

/// A chart as wide as the page, and another one for narrow screens: one of them is shown.
pub(super) fn figure(chart: &Chart, caption: &str) -> Markup {
    drawn_twice(|size, class| chart.svg(size, class, None), caption)
}

/// A figure that is drawn for wide screens and for narrow ones: one of them is shown.
pub(super) fn drawn_twice(draw: impl Fn(Size, &'static str) -> Markup, caption: &str) -> Markup {
    let mut figure = Markup::default();
    figure.raw("<figure>\n").append(&draw(WIDE, "chart wide")).append(&draw(NARROW, "chart narrow"));
    figure.raw("<figcaption>").text(caption).raw("</figcaption>\n</figure>\n");
    figure
}

/// The small charts: how the learning itself goes.
pub(super) fn learning(run: &RunData) -> Markup {
    let charts: [(&str, &'static str, Vec<Point>); 4] = [
        ("Loss, mean since the episode before", "loss", run.curve(|line| line.loss)),
        (
            "Greatest Q-value, mean over the transitions learned from",
            "Q-value",
            run.curve(|line| line.q_mean),
        ),
        ("ε, the share of random actions", "ε", run.curve(|line| Some(line.epsilon))),
        ("Length of the episodes", "steps", run.curve(|line| Some(f64::from(line.episode_length)))),
    ];
    let mut markup = Markup::default();
    for (caption, y_title, points) in charts {
        let series = Series::new("", "c", Mark::Line, points);
        if series.points.is_empty() {
            continue;
        }
        let spacing = spacing(&series.points);
        let note = if spacing == Spacing::Logarithmic { " (logarithmic)" } else { "" };
        let description = format!("{caption}, over env steps.");
        let chart = Chart {
            description,
            y_title,
            across: Across::EnvSteps,
            series: vec![series],
            spacing,
            legend: false,
        };
        markup.raw("<figure>\n").append(&chart.svg(SMALL, "chart", None));
        markup.raw("<figcaption>").text(caption).text(note).raw("</figcaption>\n</figure>\n");
    }
    markup
}

/// Logarithmic where a few great values would press the others to the floor.
fn spacing(points: &[Point]) -> Spacing {
    let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
    values.sort_unstable_by(f64::total_cmp);
    let (least, middle, greatest) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    if least > 0.0 && greatest / middle > 30.0 { Spacing::Logarithmic } else { Spacing::Linear }
}

/// The curves of the groups' runs, with each group's mean.
fn groups(groups: &[Group<'_>]) -> Chart {
    const CLASSES: [[&str; 2]; 3] = [["a faint", "a heavy"], ["b faint", "b heavy"], ["c faint", "c heavy"]];
    let mut series = vec![];
    for (group, [faint, heavy]) in groups.iter().zip(CLASSES.into_iter().cycle()) {
        let (curves, kind) = group.curves();
        let prefix = if groups.len() > 1 { format!("{}: ", group.name()) } else { String::new() };
        for (index, curve) in curves.iter().enumerate() {
            let name = if index == 0 { format!("{prefix}one seed") } else { String::new() };
            series.push(Series::new(name, faint, Mark::Line, curve.clone()));
        }
        let name = format!("{prefix}mean of {} seeds", group.runs.len());
        series.push(Series::new(name, heavy, Mark::Line, mean(&curves, kind)));
    }
    let names: Vec<String> =
        groups.iter().map(|group| format!("{}, {} runs", group.name(), group.runs.len())).collect();
    let description = format!("Return over env steps of {}.", names.join("; "));
    let y_title = match groups.iter().all(|group| group.curves().1 == CurveKind::Evaluations) {
        true => "mean return of evaluations",
        false => "return",
    };
    Chart { description, y_title, across: Across::EnvSteps, series, spacing: Spacing::Linear, legend: true }
}

/// An evaluation judges a policy, and the policy of a run that ended stays as it was: its value goes on. Returns
/// of training end with the training, and their mean with the first run that ends.
fn mean(curves: &[Vec<Point>], kind: CurveKind) -> Vec<Point> {
    let ends = curves.iter().filter_map(|curve| Some(curve.last()?.0));
    let first_end = ends.fold(f64::INFINITY, f64::min);
    let mut mean = mean_curve(curves, MEAN_PLACES);
    if kind == CurveKind::MovingMeans {
        mean.retain(|point| point.0 <= first_end);
    }
    mean
}

/// What the chart of a group shows, in words.
pub(super) fn caption(group: &Group<'_>) -> &'static str {
    match group.curves().1 {
        _ if group.runs.len() == 1 => RETURNS_CAPTION,
        CurveKind::Evaluations => {
            "Mean return of the evaluations while training, for every seed and their mean. A run that ended early counts in the mean with its last evaluation."
        }
        CurveKind::MovingMeans => {
            "Moving mean of the returns while training, for every seed and their mean. The mean ends where the first run ended."
        }
    }
}

/// The chart of a group.
pub(super) fn group(group: &Group<'_>) -> Chart {
    match group.runs.as_slice() {
        [run] => returns(run),
        _ => groups(std::slice::from_ref(group)),
    }
}

/// A chart that stands alone.
pub(super) fn standalone(runs: &[RunData]) -> String {
    let chart = match Group::of(runs).as_slice() {
        [one] => group(one),
        several => groups(several),
    };
    let size = Size { width: 720.0, height: 360.0 };
    chart.svg(size, "chart", Some(super::chart::STYLE)).into_string()
}
