//! `deepq compare`

use std::path::Path;
use std::process::ExitCode;

use deepq::run::{ComparedGroup, Comparison, Improvement};
use deepq_view::report::{MOST_PAIRS, write_comparison};
use serde_json::{Value, json};

use super::check_page;
use crate::args::Compare;
use crate::failure::Failure;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &Compare, output: &Output) -> Result<ExitCode, Failure> {
    args.out.as_deref().map_or(Ok(()), check_page)?;
    let comparison = Comparison::of(&args.runs)?;
    let told = tell(&comparison, args.out.as_deref(), output)?;
    output.result(&told.json, &told.text)?;
    Ok(ExitCode::SUCCESS)
}

/// A comparison for programs and for people.
pub(crate) struct Told {
    pub(crate) json: Value,
    pub(crate) text: String,
}

/// Writes the page, where one is asked for, and notes the warnings.
pub(crate) fn tell(comparison: &Comparison, page: Option<&Path>, output: &Output) -> Result<Told, Failure> {
    let (mut json, mut text) = (json!(comparison), table(comparison));
    if let Some(page) = page {
        write_comparison(comparison, page)?;
        json["report"] = path_json(page);
        text += &format!("report {}\n", page.display());
    }
    for warning in &comparison.warnings {
        output.note(format!("warning: {warning}"));
    }
    Ok(Told { json, text })
}

/// The groups of every environment, and how each pair of them compares.
fn table(comparison: &Comparison) -> String {
    let envs = comparison.envs();
    let mut text = String::new();
    for env in &envs {
        text += &format!("{env}\n");
        let of_env = comparison.groups.iter().filter(|group| group.env == *env);
        text += &aligned(std::iter::once(HEAD.map(String::from)).chain(of_env.map(row)));
        text += &improvements(comparison, env);
        text += "\n";
    }
    if envs.len() > 1 {
        text += "Scores of different environments are on different scales, so nothing is summed up over them: that would need normalised scores.\n";
    }
    text
}

fn improvements(comparison: &Comparison, env: &str) -> String {
    let pairs = comparison.pairs_of(env);
    let title = "\n  probability of improvement, 95 % interval";
    match pairs.len() {
        0 => String::new(),
        1..=MOST_PAIRS => format!("{title}\n{}", aligned(pairs.into_iter().map(improvement_row))),
        all => {
            let of_best = comparison.best_over_others(env);
            format!(
                "{title}: the greatest IQM over each other; --out FILE.html and --json tell all {all} pairs\n{}",
                aligned(of_best.iter().map(improvement_row))
            )
        }
    }
}

const HEAD: [&str; 7] = ["", "seeds", "mean", "IQM", "95 % interval", "min", "max"];

fn row(group: &ComparedGroup) -> [String; 7] {
    let score = |score: f64| format!("{score:.1}");
    let interval = group.ci95.map_or("–".into(), |(low, high)| format!("{low:.1} to {high:.1}"));
    let (mean, iqm) = (score(group.mean), score(group.iqm));
    [group.label.clone(), group.seeds.to_string(), mean, iqm, interval, score(group.min), score(group.max)]
}

fn improvement_row(pair: &Improvement) -> [String; 3] {
    let interval = pair.ci95.map_or("–".into(), |(low, high)| format!("{low:.2} to {high:.2}"));
    [format!("{} over {}", pair.x, pair.y), format!("{:.2}", pair.probability), interval]
}

/// Rows with their columns below one another: the first to the left, the others to the right.
fn aligned<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let first = format!("  {:<width$}", row[0], width = widths[0]);
        let cell = |(cell, width): (&String, &usize)| format!("  {cell:>width$}");
        first + &row[1..].iter().zip(&widths[1..]).map(cell).collect::<String>() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let rows = [["", "seeds"], ["dqn", "10"], ["이름", "5"]].map(|row| row.map(String::from));
        assert_eq!(aligned(rows.into_iter()), "       seeds\n  dqn     10\n  이름       5\n");
        assert_eq!(aligned(std::iter::empty::<[String; 3]>()), "");
    }
}
