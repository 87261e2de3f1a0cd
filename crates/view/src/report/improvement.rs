//! How probable it is that one group does better than another.

use deepq::run::{Comparison, Improvement};

use super::curves;
use super::intervals::{Estimate, IntervalChart};
use super::markup::Markup;
use super::scale::with_separators;

/// So many pairs are told one by one; where there are more, those of the best group are, and all stand in a table.
pub const MOST_PAIRS: usize = 15;

/// Every pair of the groups of `env`; `None` where there is one group.
pub(super) fn improvement(comparison: &Comparison, env: &str) -> Option<Markup> {
    let pairs = comparison.pairs_of(env);
    match pairs.len() {
        0 => None,
        1..=MOST_PAIRS => Some(chart(&pairs, CAPTION)),
        _ => {
            let of_best = comparison.best_over_others(env);
            let mut markup = chart(&of_best.iter().collect::<Vec<_>>(), CAPTION_OF_BEST);
            matrix(&mut markup, comparison, env);
            Some(markup)
        }
    }
}

const CAPTION: &str = "How probable it is that a run of the first scores more than a run of the second, with its 95 % interval; equal scores count one half. At the dashed line neither is better.";
const CAPTION_OF_BEST: &str = "How probable it is that a run of the group with the greatest interquartile mean scores more than a run of each other, with its 95 % interval; equal scores count one half. At the dashed line neither is better.";
const CAPTION_OF_MATRIX: &str = "How probable it is that a run of the row scores more than a run of the column, equal scores counting one half. Bold: its 95 % interval does not hold 0.5.";

fn share(share: f64) -> String {
    with_separators(share, 2)
}

fn chart(pairs: &[&Improvement], caption: &'static str) -> Markup {
    let rows: Vec<Estimate> = pairs
        .iter()
        .map(|pair| {
            let interval = pair.ci95.map(|(low, high)| format!(" ({} to {})", share(low), share(high)));
            Estimate {
                label: format!("{} over {}", pair.x, pair.y),
                class: "a",
                value: pair.probability,
                interval: pair.ci95,
                text: format!("{}{}", share(pair.probability), interval.unwrap_or_default()),
            }
        })
        .collect();
    let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row.label, row.text)).collect();
    let description = format!("Probability of improvement: {}.", told.join("; "));
    let chart = IntervalChart { description, x_title: "P(X > Y)", rows, probabilities: true };
    curves::drawn_twice(|size, class| chart.svg(size.width, class), caption)
}

/// A row and a column for each group.
fn matrix(markup: &mut Markup, comparison: &Comparison, env: &str) {
    let groups = comparison.groups.iter().filter(|group| group.env == env);
    let labels: Vec<&str> = groups.map(|group| group.label.as_str()).collect();
    markup.raw("<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><td></td>");
    for label in &labels {
        markup.raw("<th scope=\"col\"><span>").text(label).raw("</span></th>");
    }
    markup.raw("</tr></thead>\n<tbody>\n");
    for row in &labels {
        markup.raw("<tr><th scope=\"row\">").text(row).raw("</th>");
        for column in &labels {
            cell(markup, comparison.improvement_of(env, row, column));
        }
        markup.raw("</tr>\n");
    }
    markup.raw("</tbody></table></div>\n<p class=\"note\">").text(CAPTION_OF_MATRIX).raw("</p>\n");
}

fn cell(markup: &mut Markup, pair: Option<Improvement>) {
    let Some(Improvement { probability, ci95, .. }) = pair else {
        markup.raw("<td>–</td>");
        return;
    };
    let is_clear = ci95.is_some_and(|(low, high)| low > 0.5 || high < 0.5);
    match is_clear {
        true => markup.raw("<td><strong>").text(share(probability)).raw("</strong></td>"),
        false => markup.raw("<td>").text(share(probability)).raw("</td>"),
    };
}
