//! One table from one study's results.

use std::error::Error;

use serde_json::Value;

use super::words::word as translated;
use super::{Language, Results};

pub(super) type Outcome<T> = Result<T, Box<dyn Error>>;

const TABLES: [&str; 20] = [
    "summary",
    "default",
    "default-fixed",
    "cleanrl",
    "sb3",
    "presets",
    "family-classic",
    "family-minatar",
    "family-time",
    "family-published",
    "faults",
    "speed",
    "start-up",
    "steps",
    "engine",
    "engine-parts",
    "engine-forwards",
    "peers",
    "envs",
    "envs-together",
];
/// The results that `cargo xtask bench` makes; all others are of `cargo xtask study`.
const BENCHES: [&str; 5] = ["speed", "start-up", "engine", "peers", "envs"];

/// The table `name` as Markdown.
pub(super) fn table(name: &str, results: &Results, language: Language) -> Outcome<String> {
    let maker = Maker { results, language };
    match name {
        "summary" => maker.summary(),
        "default" => maker.of("default", Maker::default),
        "default-fixed" => maker.of("default-fixed", Maker::default_fixed),
        "cleanrl" => maker.of("cleanrl", Maker::cleanrl),
        "sb3" => maker.of("sb3", Maker::sb3),
        "presets" => maker.of("presets", Maker::presets),
        "family-classic" => maker.family_classic(),
        "family-minatar" => maker.family_minatar(),
        "family-time" => maker.family_time(),
        "family-published" => maker.family_published(),
        "faults" => maker.of("faults", Maker::faults),
        "speed" => maker.of("speed", Maker::speed),
        "start-up" => maker.of("start-up", Maker::start_up),
        "steps" => maker.steps(),
        "engine" => maker.of("engine", Maker::engine),
        "engine-parts" => maker.of("engine", Maker::engine_parts),
        "engine-forwards" => maker.of("engine", Maker::engine_forwards),
        "peers" => maker.of("peers", Maker::peers),
        "envs" => maker.of("envs", Maker::envs),
        "envs-together" => maker.of("envs", Maker::envs_together),
        _ => Err(format!("there is no such table; there are: {}", TABLES.join(", ")).into()),
    }
}

pub(super) struct Maker<'a> {
    pub(super) results: &'a Results,
    pub(super) language: Language,
}

impl Maker<'_> {
    pub(super) fn word<'b>(&self, english: &'b str) -> &'b str {
        translated(english, self.language)
    }

    pub(super) fn read(&self, path: &str) -> Outcome<Option<Value>> {
        self.results.read(path)
    }

    /// The table of the study `name`, with its command and machine below.
    fn of(&self, name: &str, make: fn(&Self, &Value) -> Outcome<Vec<String>>) -> Outcome<String> {
        let Some(document) = self.read(&format!("results/{name}.json"))? else {
            let kind = if BENCHES.contains(&name) { "bench" } else { "study" };
            return Ok(format!("*{}: `cargo xtask {kind} {name}`*", self.word("not measured yet")));
        };
        let rows = make(self, get(&document, "/result")?)?;
        Ok(format!("{}\n\n{}", rows.join("\n"), self.origin(&document)?))
    }

    /// By which command and on which machine.
    pub(super) fn origin(&self, document: &Value) -> Outcome<String> {
        let text = |pointer: &str| Ok::<_, Box<dyn Error>>(get(document, pointer)?.as_str().unwrap_or("?"));
        // Results from before they were noted have neither.
        let noted = ["/machine/compiler", "/machine/date"].map(|pointer| document.pointer(pointer));
        let noted: String =
            noted.into_iter().flatten().filter_map(Value::as_str).map(|text| format!(", {text}")).collect();
        Ok(format!(
            "<sub>`{}`; {}, {} {}, {}, {} {}{noted}</sub>",
            text("/command")?,
            text("/machine/processor")?,
            get(document, "/machine/cores")?,
            self.word("cores"),
            text("/machine/instruction_set")?,
            self.word("load"),
            text("/machine/load_average_1_min")?
        ))
    }

    /// The header of a table whose first column has no name.
    fn header(&self, columns: &[&str]) -> Vec<String> {
        vec![row("", columns), format!("|---|{}", "---:|".repeat(columns.len()))]
    }

    fn counted(&self, count: &Value, all: &Value) -> String {
        format!("{count} {} {all}", self.word("of"))
    }

    fn default(&self, result: &Value) -> Outcome<Vec<String>> {
        let summary = get(result, "/summary")?;
        let mut rows = self.header(&[self.word("measured"), self.word("goal")]);
        rows.extend(self.final_rows(summary)?);
        let seconds = fixed(summary, &["wall_s_median", "wall_s_p95", "wall_s_max"], 3)?;
        let label = self.word("seconds of training: median / 95th percentile / greatest");
        rows.push(row(label, &[&seconds, "≤ 0.06 / ≤ 0.2 / –"]));
        let steps = whole(summary, &["env_steps_median", "env_steps_max"])?;
        rows.push(row(self.word("env steps: median / greatest"), &[&steps, ""]));
        Ok(rows)
    }

    fn default_fixed(&self, result: &Value) -> Outcome<Vec<String>> {
        let summary = get(result, "/summary")?;
        let mut rows = self.header(&[self.word("measured"), self.word("goal")]);
        rows.extend(self.final_rows(summary)?);
        let label = self.word("evaluations that reach 475 after a seed's first that does");
        let share = percent(summary, "evaluations_solved_after_first")?;
        rows.push(row(label, &[&share, "≥ 97 %"]));
        let stay = self.counted(get(summary, "/seeds_staying_95_percent")?, get(summary, "/seeds")?);
        let goal = format!("95 {} 100 ({})", self.word("of"), self.word("open goal"));
        rows.push(row(self.word("seeds of which 95 % of these do"), &[&stay, &goal]));
        let seconds = fixed(summary, &["wall_s_median", "wall_s_p95", "wall_s_max"], 3)?;
        rows.push(row(
            self.word("seconds of training: median / 95th percentile / greatest"),
            &[&seconds, ""],
        ));
        Ok(rows)
    }

    fn final_rows(&self, summary: &Value) -> Outcome<Vec<String>> {
        let solved = self.counted(get(summary, "/final_at_least_475")?, get(summary, "/seeds")?);
        let goal = format!("99 {} 100", self.word("of"));
        let finals = fixed(summary, &["final_min", "final_p5", "final_median"], 1)?;
        Ok(vec![
            row(self.word("seeds whose final policy reaches 475"), &[&solved, &goal]),
            row(self.word("final mean return: least / 5th percentile / median"), &[&finals, ""]),
            row(self.word("IQM of the final means, 95 % interval"), &[&iqm(summary)?, ""]),
        ])
    }

    fn cleanrl(&self, result: &Value) -> Outcome<Vec<String>> {
        let summary = get(result, "/summary")?;
        let peer = self.results.read("peers/results/cleanrl_dqn_cartpole.json")?.unwrap_or_default();
        let theirs = get(&peer, "/summary")?;
        let columns = [self.word("deepq"), self.word("PyTorch, re-implemented"), self.word("published")];
        let mut rows = self.header(&columns);
        let counts = [get(summary, "/seeds")?, get(theirs, "/final/seeds")?].map(Value::to_string);
        rows.push(row(self.word("seeds"), &[&counts[0], &counts[1], "3"]));
        let ours = last_100(summary)?;
        let peer_last =
            plus_minus(theirs, "/training_return_last_100_mean", "/training_return_last_100_std")?;
        let label = self.word("training return, last 100 episodes, mean ± std over seeds");
        rows.push(row(label, &[&ours, &peer_last, "488.69 ± 16.11"]));
        let solved = self.counted(get(summary, "/final_at_least_475")?, get(summary, "/seeds")?);
        let theirs_solved =
            self.counted(get(theirs, "/final/seeds_at_least_475")?, get(theirs, "/final/seeds")?);
        rows.push(row(self.word("seeds whose final policy reaches 475"), &[&solved, &theirs_solved, "–"]));
        let seconds = fixed(summary, &["wall_s_median"], 2)?;
        let theirs_s = fixed(theirs, &["training_wall_seconds_median"], 0)?;
        rows.push(row(self.word("seconds of training, median"), &[&seconds, &theirs_s, "–"]));
        Ok(rows)
    }

    fn sb3(&self, result: &Value) -> Outcome<Vec<String>> {
        let ours = get(result, "/summary")?;
        let peer = self.results.read("peers/results/sb3_cartpole.json")?.unwrap_or_default();
        let theirs = get(&peer, "/summary")?;
        let last = get(theirs, "/final")?;
        let mut rows = self.header(&[self.word("deepq"), self.word("Stable-Baselines3")]);
        let solved = self.counted(get(ours, "/final_at_least_475")?, get(ours, "/seeds")?);
        let theirs_solved = self.counted(get(last, "/seeds_at_least_475")?, get(last, "/seeds")?);
        rows.push(row(self.word("seeds whose final policy reaches 475"), &[&solved, &theirs_solved]));
        for (label, mine, yours) in [
            (self.word("median of the final means"), "final_median", "median"),
            (self.word("IQM of the final means"), "final_iqm", "iqm"),
            (self.word("least final mean"), "final_min", "min"),
        ] {
            rows.push(row(label, &[&fixed(ours, &[mine], 1)?, &fixed(last, &[yours], 1)?]));
        }
        let shares = [
            percent(ours, "evaluations_solved_after_first")?,
            percent(theirs, "share_solved_after_first_pooled")?,
        ];
        let label = self.word("evaluations that reach 475 after a seed's first that does");
        rows.push(row(label, &[&shares[0], &shares[1]]));
        Ok(rows)
    }

    fn faults(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            self.word("seeds ≥ 475"),
            self.word("final median"),
            self.word("final IQM (95 % interval)"),
            self.word("evaluations ≥ 475 after the first"),
        ];
        let mut rows = vec![row(self.word("what is changed"), &columns), "|---|---:|---:|---:|---:|".into()];
        for variant in result.as_array().ok_or("the result is no list of variants")? {
            let summary = get(variant, "/summary")?;
            let name = get(variant, "/name")?.as_str().unwrap_or("?");
            let name = translated(name, self.language);
            let solved = self.counted(get(summary, "/final_at_least_475")?, get(summary, "/seeds")?);
            let median = fixed(summary, &["final_median"], 1)?;
            let share = percent(summary, "evaluations_solved_after_first")?;
            rows.push(row(name, &[&solved, &median, &iqm(summary)?, &share]));
        }
        Ok(rows)
    }

    fn speed(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            self.word("env steps"),
            self.word("gradient steps"),
            self.word("seconds"),
            self.word("env steps/s"),
            self.word("goal"),
        ];
        let mut rows = vec![row(self.word("preset"), &columns), "|---|---:|---:|---:|---:|---:|".into()];
        for preset in result.as_array().ok_or("the result is no list of presets")? {
            let name = get(preset, "/preset")?.as_str().unwrap_or("?");
            let goal = match name {
                "tutorial" => "≥ 100,000",
                "cleanrl-dqn" => "≥ 100,000 (5 s)",
                "sb3-dqn" => "≥ 10,000",
                _ => "",
            };
            let steps = [whole(preset, &["env_steps"])?, whole(preset, &["gradient_steps"])?];
            // Three runs in ascending order: the middle one.
            let seconds = format!("{:.3}", number(preset, "/wall_s/1")?);
            let rate = whole(preset, &["env_steps_per_s"])?;
            rows.push(row(&format!("`{name}`"), &[&steps[0], &steps[1], &seconds, &rate, goal]));
        }
        Ok(rows)
    }

    fn start_up(&self, result: &Value) -> Outcome<Vec<String>> {
        let mut rows = self.header(&[self.word("measured"), self.word("goal")]);
        let mut all: Vec<f64> = get(result, "/one_env_step_whole_process_ms")?
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_f64).collect())
            .unwrap_or_default();
        all.sort_by(f64::total_cmp);
        let times = format!("{:.1} / {:.1}", number(result, "/median_ms")?, all.last().ok_or("no times")?);
        rows.push(row(self.word("one env step, whole process: median / greatest, ms"), &[&times, "< 50"]));
        let mib = |pointer: &str| number(result, pointer).map(|kib| format!("{:.0}", kib / 1024.0));
        let training = mib("/peak_memory_training_kib")?;
        rows.push(row(self.word("peak memory while training, MiB"), &[&training, "< 60"]));
        let whole = mib("/peak_memory_with_videos_kib")?;
        rows.push(row(self.word("peak memory with five videos and the report, MiB"), &[&whole, ""]));
        Ok(rows)
    }

    /// One line for each goal, from all studies.
    fn summary(&self) -> Outcome<String> {
        let mut rows = vec![row(self.word("what"), &[self.word("measured"), self.word("goal")])];
        rows.push("|---|---:|---:|".into());
        rows.extend(self.summary_of_default()?);
        rows.extend(self.summary_of_published()?);
        rows.extend(self.summary_of_speed()?);
        Ok(rows.join("\n"))
    }

    /// A row whose figure comes from `results/<study>.json`, or says that it is missing.
    fn line(
        &self,
        label: &str,
        study: &str,
        goal: &str,
        figure: impl FnOnce(&Value) -> Outcome<String>,
    ) -> Outcome<String> {
        let document = self.results.read(&format!("results/{study}.json"))?;
        let figure = match &document {
            Some(document) => figure(get(document, "/result")?)?,
            None => format!("*{}*", self.word("not measured yet")),
        };
        Ok(row(label, &[&figure, goal]))
    }

    fn solved(&self, result: &Value) -> Outcome<String> {
        let summary = get(result, "/summary")?;
        Ok(self.counted(get(summary, "/final_at_least_475")?, get(summary, "/seeds")?))
    }

    fn summary_of_default(&self) -> Outcome<Vec<String>> {
        let solved = self.word("`default`: seeds whose final policy reaches 475");
        let goal = format!("99 {} 100", self.word("of"));
        let seconds = self.word("`default`: seconds until solved, median / 95th percentile");
        let stays = self.word("`default-fixed`: evaluations ≥ 475 after the first");
        Ok(vec![
            self.line(solved, "default", &goal, |result| self.solved(result))?,
            self.line(seconds, "default", "≤ 0.06 / ≤ 0.2", |result| {
                fixed(get(result, "/summary")?, &["wall_s_median", "wall_s_p95"], 3)
            })?,
            self.line(stays, "default-fixed", "≥ 97 %", |result| {
                percent(get(result, "/summary")?, "evaluations_solved_after_first")
            })?,
        ])
    }

    fn summary_of_published(&self) -> Outcome<Vec<String>> {
        let returns = self.word("`cleanrl-dqn`: last 100 training returns");
        let published = self.word("published 488.69 ± 16.11");
        let solved = self.word("`sb3-dqn`: seeds whose final policy reaches 475");
        let peer = self.results.read("peers/results/sb3_cartpole.json")?.unwrap_or_default();
        let last = get(&peer, "/summary/final")?;
        let theirs = self.counted(get(last, "/seeds_at_least_475")?, get(last, "/seeds")?);
        let goal = self.word("at least SB3's {}").replace("{}", &theirs);
        Ok(vec![
            self.line(returns, "cleanrl", published, |result| last_100(get(result, "/summary")?))?,
            self.line(solved, "sb3", &goal, |result| self.solved(result))?,
        ])
    }

    fn summary_of_speed(&self) -> Outcome<Vec<String>> {
        let of = |result: &Value, preset: &str, pointer: &str| {
            let presets = result.as_array().map(Vec::as_slice).unwrap_or_default();
            let found = presets.iter().find(|row| row["preset"] == preset).ok_or("a preset is missing")?;
            number(found, pointer)
        };
        let rate = |preset: &'static str| {
            move |result: &Value| Ok(thousands(of(result, preset, "/env_steps_per_s")?))
        };
        let cleanrl = self.word("`cleanrl-dqn`: seconds for 500,000 env steps");
        let start_up = self.word("program start, one env step, exit: ms");
        let memory = self.word("peak memory while training, MiB");
        Ok(vec![
            self.line(self.word("`tutorial`: env steps/s"), "speed", "≥ 100,000", rate("tutorial"))?,
            self.line(cleanrl, "speed", "≤ 5", |result| {
                Ok(format!("{:.2}", of(result, "cleanrl-dqn", "/wall_s/1")?))
            })?,
            self.line(self.word("`sb3-dqn`: env steps/s"), "speed", "≥ 10,000", rate("sb3-dqn"))?,
            self.line(start_up, "start-up", "< 50", |result| {
                Ok(format!("{:.1}", number(result, "/median_ms")?))
            })?,
            self.line(memory, "start-up", "< 60", |result| {
                Ok(format!("{:.0}", number(result, "/peak_memory_training_kib")? / 1024.0))
            })?,
        ])
    }
}

pub(super) fn row(label: &str, cells: &[&str]) -> String {
    format!("| {label} | {} |", cells.join(" | "))
}

pub(super) fn get<'a>(value: &'a Value, pointer: &str) -> Outcome<&'a Value> {
    value.pointer(pointer).ok_or_else(|| format!("the results have no {pointer}").into())
}

pub(super) fn number(value: &Value, pointer: &str) -> Outcome<f64> {
    get(value, pointer)?.as_f64().ok_or_else(|| format!("{pointer} is no number").into())
}

/// Numbers with so many places after the point, between slashes.
fn fixed(value: &Value, keys: &[&str], places: usize) -> Outcome<String> {
    let numbers: Outcome<Vec<String>> =
        keys.iter().map(|key| Ok(format!("{:.places$}", number(value, &format!("/{key}"))?))).collect();
    Ok(numbers?.join(" / "))
}

/// Whole numbers with thousands set apart, between slashes.
fn whole(value: &Value, keys: &[&str]) -> Outcome<String> {
    let numbers: Outcome<Vec<String>> =
        keys.iter().map(|key| Ok(thousands(number(value, &format!("/{key}"))?))).collect();
    Ok(numbers?.join(" / "))
}

pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(value: &Value, key: &str) -> Outcome<String> {
    match get(value, &format!("/{key}"))? {
        Value::Null => Ok("–".into()),
        _ => Ok(format!("{:.1} %", 100.0 * number(value, &format!("/{key}"))?)),
    }
}

fn iqm(summary: &Value) -> Outcome<String> {
    let at = |pointer| number(summary, pointer);
    Ok(format!(
        "{:.1} ({:.1} to {:.1})",
        at("/final_iqm")?,
        at("/final_iqm_ci95/0")?,
        at("/final_iqm_ci95/1")?
    ))
}

fn plus_minus(value: &Value, mean: &str, std: &str) -> Outcome<String> {
    Ok(format!("{:.2} ± {:.2}", number(value, mean)?, number(value, std)?))
}

fn last_100(summary: &Value) -> Outcome<String> {
    plus_minus(summary, "/last_100_training_returns_mean", "/last_100_training_returns_std")
}
