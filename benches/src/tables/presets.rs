//! The presets of all environments beside what was published, what counts as solved, and what is possible.

use serde_json::Value;

use super::render::{Maker, Outcome, get, number, row, thousands};
use crate::presets::optimum;

impl Maker<'_> {
    /// One line a preset.
    pub(super) fn presets(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            self.word("preset"),
            self.word("seeds"),
            self.word("env steps"),
            self.word("mean ± std over seeds"),
            self.word("IQM, 95 % interval"),
            self.word("to be compared with"),
            self.word("found"),
        ];
        let mut rows =
            vec![row(self.word("environment"), &columns), "|---|---|---:|---:|---:|---:|---|---|".into()];
        for entry in result.as_array().ok_or("the result is no list of presets")? {
            rows.push(self.preset(entry)?);
        }
        Ok(rows)
    }

    fn preset(&self, entry: &Value) -> Outcome<String> {
        let env = get(entry, "/env")?.as_str().unwrap_or("?");
        let seeds = get(entry, "/seeds")?.as_array().map_or(0, Vec::len);
        let small = number(entry, "/mean")?.abs() < 1.0;
        let show = |value: f64| if small { format!("{value:.4}") } else { format!("{value:.2}") };
        let at = |pointer: &str| number(entry, pointer).map(show);
        let (goals, found) = self.goals(entry, env, seeds)?;
        let cells = [
            format!("`{}`", get(entry, "/preset")?.as_str().unwrap_or("?")),
            seeds.to_string(),
            thousands(number(entry, "/env_steps_median")?),
            format!("{} ± {}", at("/mean")?, at("/std")?),
            format!("{} ({} – {})", at("/iqm")?, at("/iqm_ci95/0")?, at("/iqm_ci95/1")?),
            goals.join("<br>"),
            found.join("<br>"),
        ];
        Ok(row(env, &cells.each_ref().map(String::as_str)))
    }

    /// What a preset's score is held against, and what came out.
    fn goals(&self, entry: &Value, env: &str, seeds: usize) -> Outcome<(Vec<String>, Vec<String>)> {
        let (mut goals, mut found) = (vec![], vec![]);
        for figure in get(entry, "/published")?.as_array().into_iter().flatten() {
            let source = self.word(get(figure, "/source")?.as_str().unwrap_or("?"));
            let mean = number(figure, "/mean")?;
            goals.push(format!("{source}: {}", published_figure(mean, figure["spread"].as_f64())));
            found.push(self.place(get(figure, "/found")?.as_str().unwrap_or("?")).to_owned());
        }
        if let (true, Some(threshold)) = (goals.is_empty(), get(entry, "/reward_threshold")?.as_f64()) {
            goals.push(format!("{} {threshold}", self.word("Gymnasium's threshold")));
            let reached = get(entry, "/seeds_at_threshold")?;
            found.push(format!("{reached} {} {seeds} {}", self.word("of"), self.word("seeds")));
        }
        if let Some(best) = optimum(env) {
            goals.push(format!("{} {best}", self.word("the best there is")));
            found.push(format!("{:+.4}", number(entry, "/mean")? - best));
        }
        Ok((goals, found))
    }

    fn place(&self, place: &str) -> &str {
        match place {
            "below" => self.word("below the interval"),
            "within" => self.word("within the interval"),
            _ => self.word("above the interval"),
        }
    }
}

/// A figure as it is published: one without a spread is read off a plot.
pub(super) fn published_figure(mean: f64, spread: Option<f64>) -> String {
    match spread {
        Some(spread) => format!("{mean} ± {spread}"),
        None => format!("~{mean}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Language, Results};
    use super::*;

    #[test]
    fn a_preset_stands_beside_what_it_is_held_against() {
        let results = Results { folder: std::path::PathBuf::new() };
        let maker = Maker { results: &results, language: Language::English };
        let entry = |env: &str, published: Value, threshold: Value| {
            json!({ "env": env, "preset": "p", "env_steps_median": 100_000.0, "mean": -91.54, "std": 7.2,
                "iqm": -90.0, "iqm_ci95": [-92.0, -88.0], "published": published,
                "reward_threshold": threshold, "seeds_at_threshold": 1, "seeds": [{}, {}] })
        };
        let figure = json!([{ "source": "S", "mean": -90.5, "spread": 2.0, "found": "within" }]);
        let rows = maker.presets(&json!([
            entry("Acrobot-v1", figure, json!(-100.0)),
            entry("CliffWalking-v1", json!([]), json!(null)),
            entry("Taxi-v4", json!([]), json!(8.0)),
        ]));
        let rows = rows.unwrap();
        assert_eq!(
            rows[2],
            "| Acrobot-v1 | `p` | 2 | 100,000 | -91.54 ± 7.20 | -90.00 (-92.00 – -88.00) | S: -90.5 ± 2 | within the interval |"
        );
        assert!(rows[3].ends_with("| the best there is -13 | -78.5400 |"), "{}", rows[3]);
        assert!(
            rows[4].contains("| Gymnasium's threshold 8<br>the best there is 7.93 | 1 of 2 seeds<br>-99"),
            "{}",
            rows[4]
        );
        let columns = |row: &String| row.matches('|').count();
        assert!(rows.iter().all(|row| columns(row) == columns(&rows[0])), "{rows:?}");
    }
}
