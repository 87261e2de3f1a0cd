//! The page on several runs.

use deepq::run::AcrossSeeds;

use super::data::{Group, RunData};
use super::markup::Markup;
use super::scale::{count, duration, score};
use super::{again, curves, page};
use crate::ViewError;

pub(super) fn page(runs: &[RunData], groups: &[Group<'_>]) -> Result<String, ViewError> {
    let mut body = Markup::default();
    let heading = match groups {
        [] => "No runs".to_owned(),
        [group] => group.first().info.env.clone(),
        _ => format!("{} runs in {} groups", runs.len(), groups.len()),
    };
    body.raw("<header>\n<h1>").text(&heading).raw("</h1>\n");
    if let [group] = groups {
        let info = &group.first().info;
        body.raw("<p class=\"subtitle\">");
        body.text(format_args!("algorithm {}, preset {}, {} seeds", info.algo, info.preset, runs.len()));
        body.raw("</p>\n");
    }
    body.raw("</header>\n");
    for (index, group) in groups.iter().enumerate() {
        let content = content(group, &groups[..index]);
        match groups.len() {
            1 => body.append(&content),
            _ => body.append(&page::section(&group.name(), &content)),
        };
    }
    if let Some(first) = runs.first() {
        let (videos, left_out) = first.videos()?;
        if !videos.is_empty() {
            let heading = format!("The policy of seed {} at play", first.info.seed);
            body.append(&page::section(&heading, &page::videos(&videos, left_out)));
        }
    }
    for group in groups {
        let suffix = if groups.len() > 1 { format!(": {}", group.name()) } else { String::new() };
        body.append(&page::section(&format!("How to reproduce{suffix}"), &reproduce(group)));
        body.append(&page::section(&format!("Configuration{suffix}"), &page::configuration(group.first())));
    }
    let title = if groups.len() == 1 { format!("{heading}: {} runs", runs.len()) } else { heading };
    Ok(page::document(&title, &body))
}

fn content(group: &Group<'_>, before: &[Group<'_>]) -> Markup {
    let mut markup = Markup::default();
    markup.append(&unlike(group, before)).append(&figures(group)).append(&notes(group));
    let chart = curves::group(group);
    match chart.is_empty() {
        true => markup.paragraph("No episode ended and no evaluation was made, so there is no curve."),
        false => markup.append(&curves::figure(&chart, curves::caption(group))),
    };
    let head = ["Seed", "Mean", "Std", "IQM", "Min", "Max", "Env steps", "Episodes", "Time", "Status"];
    let rows: Vec<Vec<String>> = group.runs.iter().map(|run| row(run)).collect();
    markup.table(&head, &rows);
    markup
}

/// In which settings a group is unlike an earlier one of the same name.
fn unlike(group: &Group<'_>, before: &[Group<'_>]) -> Markup {
    let mut markup = Markup::default();
    let Some(other) = before.iter().find(|other| other.name() == group.name()) else { return markup };
    let theirs = other.first().settings();
    let ours = group.first().settings();
    let different: Vec<&str> =
        ours.iter().filter(|setting| !theirs.contains(setting)).map(String::as_str).collect();
    markup.paragraph("Unlike the first group of this name, here:");
    page::code(&mut markup, &different.join("\n"));
    markup
}

fn figures(group: &Group<'_>) -> Markup {
    let means = group.final_means();
    let judged = format!("over {} of {} runs", means.len(), group.runs.len());
    let mut figures = vec![];
    match AcrossSeeds::of(&means) {
        Some(across) => {
            figures.push(("Mean of the final returns", score(across.mean), judged));
            let interval = |(low, high)| format!("95 % interval {} to {}", score(low), score(high));
            figures.push(("IQM", score(across.iqm), across.ci95.map_or(String::new(), interval)));
        }
        None => figures.push(("Mean of the final returns", "–".into(), "no final policy was judged".into())),
    }
    let steps = group.runs.iter().map(|run| run.progress().0);
    let (least, most) = (steps.clone().min().unwrap_or(0), steps.max().unwrap_or(0));
    let range = if least == most { String::new() } else { format!("{} to {}", count(least), count(most)) };
    let total: f64 = group.runs.iter().map(|run| run.progress().0 as f64).sum();
    let mean = total / group.runs.len() as f64;
    figures.push(("Env steps a run", count(mean.round() as u64), range));
    page::figures(&figures)
}

/// What stands in the way of a fair comparison.
fn notes(group: &Group<'_>) -> Markup {
    let mut markup = Markup::default();
    let unjudged = group.runs.len() - group.final_means().len();
    if unjudged > 0 {
        let text =
            format!("Runs that were not judged at their end: {unjudged}. They are not in these figures.");
        markup.raw("<div class=\"banner\" role=\"note\">").paragraph(text).raw("</div>\n");
    }
    let mut seeds: Vec<u64> = group.runs.iter().map(|run| run.info.seed).collect();
    seeds.sort_unstable();
    if let Some(twice) = seeds.windows(2).find(|pair| pair[0] == pair[1]) {
        let text = format!("Seed {} is there more than once: the figures count it as often.", twice[0]);
        markup.raw("<div class=\"banner\" role=\"note\">").paragraph(text).raw("</div>\n");
    }
    markup
}

fn row(run: &RunData) -> Vec<String> {
    let (env_steps, _, episodes) = run.progress();
    let mut row = vec![run.info.seed.to_string()];
    row.extend(match run.final_evaluation() {
        Some(line) => {
            let summary = &line.summary;
            [summary.mean, summary.std, summary.iqm, summary.min, summary.max].map(score)
        }
        None => [const { String::new() }; 5].map(|_| "–".to_owned()),
    });
    row.extend([count(env_steps), count(episodes), run.wall_s().map_or("–".into(), duration)]);
    row.push(page::status_word(run).into());
    row
}

fn reproduce(group: &Group<'_>) -> Markup {
    let commands = commands(&group.runs);
    let mut markup = page::reproduce(group.first());
    if commands.len() > 1 {
        markup.raw("<details><summary>The command of each run</summary>\n");
        page::code(&mut markup, &commands.join("\n"));
        markup.raw("</details>\n");
    }
    markup
}

/// What trains each of these runs again, where it is known.
pub(super) fn commands(runs: &[&RunData]) -> Vec<String> {
    let again = |run: &&RunData| {
        let info = &run.info;
        Some(again::command_line(&again::training_again(&info.command, &info.preset, info.seed)?))
    };
    runs.iter().filter_map(again).collect()
}
