//! The page on how groups of runs compare.

use deepq::run::{ComparedGroup, Comparison};
use deepq::statistics::{StratifiedBootstrap, interquartile_mean, performance_profile};

use super::chart::{Across, CLASSES, Chart, Mark, Series, range};
use super::data::{CurveKind, Group, RunData};
use super::improvement::improvement;
use super::intervals::{Estimate, IntervalChart};
use super::markup::Markup;
use super::scale::{Spacing, count, duration, score};
use super::thin::{Point, sections};
use super::{curves, page, several};
use crate::ViewError;

/// At how many places a learning curve is computed.
const PLACES: usize = 100;

/// A group, its runs, and its colour in every chart.
struct Drawn<'a> {
    group: &'a ComparedGroup,
    runs: Vec<RunData>,
    class: &'static str,
}

pub(super) fn page(comparison: &Comparison) -> Result<String, ViewError> {
    let envs = comparison.envs();
    let title = match &envs[..] {
        [env] => (*env).to_owned(),
        envs => format!("{} environments", envs.len()),
    };
    let drawn: Result<Vec<_>, _> = envs.iter().map(|env| drawn(comparison, env)).collect();
    let drawn = drawn?;
    let damaged = drawn.iter().flatten().flat_map(|drawn| &drawn.runs);
    let damaged: Vec<&str> = damaged.filter_map(|run| run.without_metrics.as_deref()).collect();
    let mut body = header(comparison, &title, &damaged);
    if envs.len() > 1 {
        body.raw("<p>").text(SCALES).raw("</p>\n");
    }
    for (env, drawn) in envs.iter().zip(&drawn) {
        let prefix = if envs.len() > 1 { format!("{env}: ") } else { String::new() };
        for (heading, content) in env_sections(drawn, improvement(comparison, env)) {
            body.append(&page::section(&format!("{prefix}{heading}"), &content));
        }
    }
    body.append(&page::section("How to read this", &reading()));
    body.append(&page::section("The runs", &all_runs(drawn.iter().flatten())));
    Ok(page::document(&format!("{title}: compared"), &body))
}

const SCALES: &str = "Scores of different environments are on different scales, so nothing is summed up over them: that would need normalised scores.";

fn header(comparison: &Comparison, title: &str, damaged: &[&str]) -> Markup {
    let mut header = Markup::default();
    let runs: usize = comparison.groups.iter().map(|group| group.seeds).sum();
    let mut labels: Vec<&str> = vec![];
    for group in &comparison.groups {
        if !labels.contains(&group.label.as_str()) {
            labels.push(&group.label);
        }
    }
    header.raw("<header>\n<h1>").text(title).raw("</h1>\n<p class=\"subtitle\">");
    header.text(format_args!("{} over {runs} runs", labels.join(", "))).raw("</p>\n</header>\n");
    if !(comparison.warnings.is_empty() && damaged.is_empty()) {
        header.raw("<div class=\"banner\" role=\"note\">\n");
        for warning in &comparison.warnings {
            header.paragraph(format_args!("{warning}."));
        }
        for damaged in damaged {
            header.paragraph(format_args!("{damaged}. What would be drawn from it is left out."));
        }
        header.raw("</div>\n");
    }
    header
}

fn drawn<'a>(comparison: &'a Comparison, env: &str) -> Result<Vec<Drawn<'a>>, ViewError> {
    let groups = comparison.groups.iter().filter(|group| group.env == env);
    let read = |(group, class): (&'a ComparedGroup, &'static str)| {
        let runs: Result<_, _> = group.runs.iter().map(|run| RunData::read_for_comparison(run)).collect();
        Ok(Drawn { group, runs: runs?, class })
    };
    groups.zip(CLASSES.into_iter().cycle()).map(read).collect()
}

/// The sections on one environment.
fn env_sections(drawn: &[Drawn<'_>], improvement: Option<Markup>) -> Vec<(&'static str, Markup)> {
    let mut sections = vec![("Interquartile mean of the final returns", scores(drawn))];
    sections.extend(improvement.map(|markup| ("Probability of improvement", markup)));
    let caption = "The share of runs whose final mean return is greater than each value, with its 95 % interval. A curve further to the upper right is better; where curves cross, neither is better in all runs.";
    sections.push(("Performance profile", curves::figure(&profiles(drawn), caption)));
    let (chart, caption) = learning_curves(drawn);
    let mut content = Markup::default();
    match chart.is_empty() {
        true => content.paragraph("No episode ended and no evaluation was made, so there is no curve."),
        false => content.append(&curves::figure(&chart, caption)),
    };
    sections.push(("Learning curves", content));
    sections
}

fn interval_text(interval: Option<(f64, f64)>, number: impl Fn(f64) -> String) -> String {
    interval.map_or(String::new(), |(low, high)| format!(" ({} to {})", number(low), number(high)))
}

fn scores(drawn: &[Drawn<'_>]) -> Markup {
    let rows: Vec<Estimate> = drawn
        .iter()
        .map(|Drawn { group, class, .. }| Estimate {
            label: group.label.clone(),
            class,
            value: group.iqm,
            interval: group.ci95,
            text: format!("{}{}", score(group.iqm), interval_text(group.ci95, score)),
        })
        .collect();
    let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row.label, row.text)).collect();
    let description = format!("Interquartile mean of the final returns: {}.", told.join("; "));
    let chart =
        IntervalChart { description, x_title: "IQM of the final mean returns", rows, probabilities: false };
    let mut markup = curves::drawn_twice(
        |size, class| chart.svg(size.width, class),
        "The point is the interquartile mean over the seeds, the bar its 95 % interval.",
    );
    let head = ["", "Seeds", "Mean", "IQM", "95 % interval", "Min", "Max"];
    let rows: Vec<Vec<String>> = drawn.iter().map(|drawn| row(drawn.group)).collect();
    markup.table(&head, &rows);
    markup
}

fn row(group: &ComparedGroup) -> Vec<String> {
    let interval =
        group.ci95.map_or("–".into(), |(low, high)| format!("{} to {}", score(low), score(high)));
    let numbers = [score(group.mean), score(group.iqm), interval, score(group.min), score(group.max)];
    [group.label.clone(), count(group.seeds as u64)].into_iter().chain(numbers).collect()
}

fn profiles(drawn: &[Drawn<'_>]) -> Chart {
    let (low, high) = range(drawn.iter().flat_map(|drawn| drawn.group.scores.iter().copied()));
    // A curve begins at 1, with some room before the least score, and ends at 0.
    let room = if high > low { (high - low) * 0.03 } else { (high.abs() * 0.05).max(1.0) };
    // Returns that are never negative are not drawn as if they could be.
    let begin = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
    let series = drawn.iter().map(|drawn| profile(drawn, begin, high + room)).collect();
    let names: Vec<&str> = drawn.iter().map(|drawn| drawn.group.label.as_str()).collect();
    Chart {
        description: format!("Share of runs above each final mean return: {}.", names.join(", ")),
        y_title: "share of runs above",
        across: Across::Values("final mean return"),
        series,
        spacing: Spacing::Linear,
        legend: true,
    }
}

/// A profile from a value below all scores to one above them. It steps at the scores of its group.
fn profile(Drawn { group, class, .. }: &Drawn<'_>, low: f64, high: f64) -> Series {
    let scores = [&group.scores[..]];
    let mut thresholds = group.scores.clone();
    thresholds.extend([low, high]);
    thresholds.sort_unstable_by(f64::total_cmp);
    thresholds.dedup();
    let shares = performance_profile(&scores, &thresholds).unwrap_or_default();
    let series = Series::new(&group.label, class, Mark::Line, steps(&thresholds, &shares));
    if group.seeds < 2 {
        return series;
    }
    let bootstrap = StratifiedBootstrap::default();
    let intervals = bootstrap.intervals(&scores, |scores| performance_profile(scores, &thresholds));
    let intervals = intervals.unwrap_or_default();
    let band = steps(&thresholds, &intervals);
    series.with_band(band.map(|(threshold, (low, high))| (threshold, low, high)))
}

/// Each value from its place on to the next one.
fn steps<T: Copy>(places: &[f64], values: &[T]) -> impl Iterator<Item = (f64, T)> {
    let begins = places.iter().copied().zip(values.iter().copied());
    let ends = places.iter().skip(1).copied().zip(values.iter().copied());
    let last = begins.clone().last();
    begins.zip(ends).flat_map(|(begin, end)| [begin, end]).chain(last)
}

fn learning_curves(drawn: &[Drawn<'_>]) -> (Chart, &'static str) {
    let groups = || drawn.iter().map(|drawn| Group { runs: drawn.runs.iter().collect() });
    let all_were_evaluated = groups().all(|group| group.curves().1 == CurveKind::Evaluations);
    let (kind, y_title, caption) = match all_were_evaluated {
        true => (
            CurveKind::Evaluations,
            "mean return of evaluations",
            "Interquartile mean over the seeds of the evaluations while training, with its 95 % interval. A run that ended early counts with its last evaluation.",
        ),
        false => (
            CurveKind::MovingMeans,
            "return",
            "Interquartile mean over the seeds of the moving mean of the returns while training, with its 95 % interval. A curve ends where the first run of its group ended.",
        ),
    };
    let series: Vec<Series> = drawn.iter().map(|drawn| learning_curve(drawn, kind)).collect();
    let names: Vec<String> =
        drawn.iter().map(|drawn| format!("{}, {} seeds", drawn.group.label, drawn.group.seeds)).collect();
    let description = format!("Interquartile mean of the return over env steps: {}.", names.join("; "));
    let spacing = Spacing::Linear;
    (Chart { description, y_title, across: Across::EnvSteps, series, spacing, legend: true }, caption)
}

fn learning_curve(Drawn { group, runs, class }: &Drawn<'_>, kind: CurveKind) -> Series {
    let curve = |run: &RunData| match kind {
        CurveKind::Evaluations => run.evaluation_curve(),
        CurveKind::MovingMeans => run.smooth_returns().0,
    };
    // A run without metrics has no moving mean, and takes nothing from the others.
    let is_drawn = |run: &&RunData| kind == CurveKind::Evaluations || run.without_metrics.is_none();
    let all: Vec<Vec<Point>> = runs.iter().filter(is_drawn).map(curve).collect();
    let mut places = sections(&all, PLACES);
    if kind == CurveKind::MovingMeans {
        let ends = all.iter().filter_map(|curve| Some(curve.last()?.0));
        let first_end = ends.fold(f64::INFINITY, f64::min);
        places.retain(|(x, _)| *x <= first_end);
    }
    let points = places.iter().filter_map(|(x, values)| Some((*x, interquartile_mean(values)?)));
    let series = Series::new(&group.label, class, Mark::Line, points);
    if all.len() < 2 {
        return series;
    }
    let bootstrap = StratifiedBootstrap { resamples: 500, ..StratifiedBootstrap::default() };
    let band = places.iter().filter_map(|(x, values)| {
        let (low, high) = bootstrap.interval(&[values], interquartile_mean)?;
        Some((*x, low, high))
    });
    series.with_band(band)
}

/// What the figures are.
fn reading() -> Markup {
    let mut markup = Markup::default();
    markup
        .paragraph("The score of a run is the mean return of its final evaluation: the policy it ended with, in episodes that training has not seen.")
        .paragraph("The interquartile mean (IQM) is the mean of the middle half of the scores: lucky and unlucky seeds do not decide it. Intervals are 95 % bootstrap intervals over the seeds, by the percentile method.")
        .paragraph("The probability of improvement is the share of pairs of runs, one of each, in which the first scores more; equal scores count one half. An interval that holds 0.5 leaves open which is better.")
        .paragraph("All are defined as in rliable (Agarwal et al. 2021, arXiv 2108.13264).");
    markup
}

fn all_runs<'a>(drawn: impl Iterator<Item = &'a Drawn<'a>> + Clone) -> Markup {
    let mut markup = Markup::default();
    let rows = drawn.clone().flat_map(|drawn| {
        let scored = drawn.runs.iter().zip(&drawn.group.scores);
        scored.map(|(run, mean)| {
            let time = run.wall_s().map_or("–".into(), duration);
            let name = format!("{}, {}", run.info.env, drawn.group.label);
            vec![name, run.info.seed.to_string(), score(*mean), count(run.progress().0), time]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    markup.raw("<details><summary>The score of each run</summary>\n");
    markup.table(&["", "Seed", "Final mean return", "Env steps", "Time"], &rows).raw("</details>\n");
    let runs: Vec<&RunData> = drawn.flat_map(|drawn| &drawn.runs).collect();
    let commands = several::commands(&runs);
    if !commands.is_empty() {
        markup.raw("<details><summary>The command of each run</summary>\n");
        page::code(&mut markup, &commands.join("\n"));
        markup.raw("</details>\n");
    }
    markup
}
