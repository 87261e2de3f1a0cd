//! How probable it is that one group does better than another.

use deepq::run::{ComparedGroup, Comparison, Improvement};

use super::curves;
use super::intervals::{Estimate, IntervalChart};
use super::markup::Markup;
use super::scale::with_separators;

/// More pairs than these stand in a table, and the chart shows those of the best group.
const MOST_PAIRS: usize = 15;

/// Every pair of the groups of `env`; `None` where there is one group.
pub(super) fn improvement(comparison: &Comparison, env: &str) -> Option<Markup> {
    let pairs: Vec<&Improvement> = comparison.improvement.iter().filter(|pair| pair.env == env).collect();
    match pairs.len() {
        0 => None,
        1..=MOST_PAIRS => Some(chart(&pairs, CAPTION)),
        _ => {
            let of_best = comparison.best_over_others(env);
            let mut markup = chart(&of_best.iter().collect::<Vec<_>>(), CAPTION_OF_BEST);
            let groups = comparison.groups.iter().filter(|group| group.env == env);
            matrix(&mut markup, &groups.collect::<Vec<_>>(), &pairs);
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
fn matrix(markup: &mut Markup, groups: &[&ComparedGroup], pairs: &[&Improvement]) {
    markup.raw("<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><td></td>");
    for group in groups {
        markup.raw("<th scope=\"col\"><span>").text(&group.label).raw("</span></th>");
    }
    markup.raw("</tr></thead>\n<tbody>\n");
    for row in groups {
        markup.raw("<tr><th scope=\"row\">").text(&row.label).raw("</th>");
        for column in groups {
            let is_pair = |x: &str, y: &str| x == row.label && y == column.label;
            let pair = pairs.iter().find_map(|pair| match () {
                () if is_pair(&pair.x, &pair.y) => Some((*pair).clone()),
                () if is_pair(&pair.y, &pair.x) => Some(pair.turned()),
                () => None,
            });
            cell(markup, pair.as_ref());
        }
        markup.raw("</tr>\n");
    }
    markup.raw("</tbody></table></div>\n<p class=\"note\">").text(CAPTION_OF_MATRIX).raw("</p>\n");
}

fn cell(markup: &mut Markup, pair: Option<&Improvement>) {
    let Some(Improvement { probability, ci95, .. }) = pair else {
        markup.raw("<td>–</td>");
        return;
    };
    let is_clear = ci95.is_some_and(|(low, high)| low > 0.5 || high < 0.5);
    match is_clear {
        true => markup.raw("<td><strong>").text(share(*probability)).raw("</strong></td>"),
        false => markup.raw("<td>").text(share(*probability)).raw("</td>"),
    };
}
