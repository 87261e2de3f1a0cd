//! The page on one run.

use deepq::run::{EvaluationLine, RunStatus};

use super::data::RunData;
use super::markup::Markup;
use super::scale::{count, duration, score, with_separators};
use super::{curves, page};
use crate::ViewError;

/// A table of more rows is folded away.
const MOST_ROWS_SHOWN: usize = 12;

pub(super) fn page(run: &RunData) -> Result<String, ViewError> {
    let info = &run.info;
    let title = format!("{}: {}, seed {}", info.env, info.preset, info.seed);
    let mut body = Markup::default();
    body.raw("<header>\n<h1>").text(&info.env).raw("</h1>\n<p class=\"subtitle\">");
    body.text(format_args!("algorithm {}, preset {}, seed {} ", info.algo, info.preset, info.seed));
    body.raw("<span class=\"status\">").text(page::status_word(run)).raw("</span></p>\n</header>\n");
    body.append(&page::banner(run)).append(&figures(run));
    body.append(&page::section("Return over training", &returns(run)));
    let (videos, left_out) = run.videos()?;
    if !videos.is_empty() || left_out > 0 {
        body.append(&page::section("The policy at play", &page::videos(&videos, left_out)));
    }
    if !run.metrics.is_empty() {
        let mut charts = Markup::default();
        charts.raw("<div class=\"small-charts\">\n").append(&curves::learning(run)).raw("</div>\n");
        body.append(&page::section("Learning", &charts));
    }
    body.append(&page::section("Evaluations", &evaluations(run)));
    body.append(&page::section("How to reproduce", &page::reproduce(run)));
    body.append(&page::section("Configuration", &page::configuration(run)));
    Ok(page::document(&title, &body))
}

fn figures(run: &RunData) -> Markup {
    let (env_steps, gradient_steps, episodes) = run.progress();
    let mut figures = vec![];
    if let Some(EvaluationLine { summary, .. }) = run.final_evaluation() {
        let note = format!("± {} std, {} episodes", score(summary.std), count(summary.episodes as u64));
        figures.push(("Final mean return", score(summary.mean), note));
        figures.push((
            "Final IQM",
            score(summary.iqm),
            format!("min {}, max {}", score(summary.min), score(summary.max)),
        ));
    } else {
        figures.push(("Final mean return", "–".into(), "the final policy was not judged".into()));
    }
    figures.push(("Env steps", count(env_steps), early_stop(run)));
    figures.push(("Gradient steps", count(gradient_steps), String::new()));
    figures.push(("Episodes", count(episodes), "while training".into()));
    if let Some(wall_s) = run.wall_s() {
        let pace = format!("{} env steps/s", with_separators(env_steps as f64 / wall_s.max(1e-9), 0));
        figures.push(("Training time", duration(wall_s), pace));
    }
    page::figures(&figures)
}

/// A word on a run that a good evaluation ended before all its env steps were taken.
fn early_stop(run: &RunData) -> String {
    let Some(config) = &run.config else { return String::new() };
    let (Some(_), Some(most), None) =
        (config.evaluation.stop_early, config.stop.env_steps, config.stop.episodes)
    else {
        return String::new();
    };
    let is_early = run.info.status == RunStatus::Finished && run.progress().0 < most;
    if is_early { format!("solved early, of at most {}", count(most)) } else { String::new() }
}

fn returns(run: &RunData) -> Markup {
    let chart = curves::returns(run);
    if chart.is_empty() {
        let mut markup = Markup::default();
        markup.paragraph("No episode ended and no evaluation was made, so there is no curve.");
        return markup;
    }
    let caption = match run.evaluations.is_empty() {
        true => "Episodes while training, with random actions. No evaluation was made.",
        false => curves::RETURNS_CAPTION,
    };
    curves::figure(&chart, caption)
}

fn evaluations(run: &RunData) -> Markup {
    let mut markup = Markup::default();
    if run.evaluations.is_empty() {
        markup.paragraph("No evaluation was made.");
        return markup;
    }
    let rows: Vec<Vec<String>> = run.evaluations.iter().map(row).collect();
    let is_long = rows.len() > MOST_ROWS_SHOWN;
    if is_long {
        let last = &rows[rows.len() - 1..];
        markup.table(&HEAD, last);
        markup.raw("<details><summary>All ").text(rows.len()).raw(" evaluations</summary>\n");
    }
    markup.table(&HEAD, &rows);
    if is_long {
        markup.raw("</details>\n");
    }
    markup
}

const HEAD: [&str; 8] = ["Policy", "Env steps", "Mean", "Std", "IQM", "Min", "Max", "Episodes"];

fn row(line: &EvaluationLine) -> Vec<String> {
    let summary = &line.summary;
    let mut row = vec![if line.is_final { "final" } else { "training" }.to_owned(), count(line.env_steps)];
    row.extend([summary.mean, summary.std, summary.iqm, summary.min, summary.max].map(score));
    row.push(count(summary.episodes as u64));
    row
}
