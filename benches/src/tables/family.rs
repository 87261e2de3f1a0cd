//! The recipes of the family, one row each, over environments.

use deepq::Config;
use deepq::config::algorithms;
use deepq::statistics::{self, StratifiedBootstrap};
use serde::Deserialize;
use serde_json::Value;

use super::render::{Maker, Outcome, get, row, thousands};
use super::steps::rule;

pub(super) const CLASSIC: [&str; 4] = ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3"];
pub(super) const MINATAR: [&str; 5] = [
    "MinAtar/Asterix-v0",
    "MinAtar/Breakout-v0",
    "MinAtar/Freeway-v0",
    "MinAtar/Seaquest-v0",
    "MinAtar/SpaceInvaders-v0",
];
/// How many seeds a study has where nothing else is said.
const USUAL_SEEDS: usize = 10;
pub(super) const NONE: &str = "–";

/// One recipe in one environment, over seeds. A figure that is no number is `null` in the file.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) env: String,
    #[serde(rename = "preset")]
    pub(super) recipe: String,
    iqm: Option<f64>,
    iqm_ci95: Option<(f64, f64)>,
    pub(super) env_steps_limit: Option<u64>,
    pub(super) env_steps_median: f64,
    pub(super) seeds: Vec<Seed>,
    /// The whole configuration, as TOML.
    settings: Option<String>,
    machine: Machine,
}

impl Entry {
    /// Env steps of the longest run. One that solves its environment may end before its limit; PQN goes beyond by less
    /// than a rollout, which does not count.
    pub(super) fn most_env_steps(&self) -> f64 {
        let most = self.seeds.iter().map(|seed| seed.env_steps).fold(0.0, f64::max);
        self.env_steps_limit.map_or(most, |limit| most.min(limit as f64))
    }

    /// Whether the recipe still has the settings that it was trained with. A setting that came later had its default.
    pub(super) fn is_current(&self) -> bool {
        let limit = self.env_steps_limit.map(|limit| format!("stop.env_steps={limit}"));
        let now = Config::resolve(&self.env, None, Some(&self.recipe), limit.as_slice());
        let then = self.settings.as_deref().map(|settings| Config::from_toml(settings, "settings"));
        matches!((now, then), (Ok((now, _)), Some(Ok(then))) if now == then)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Seed {
    pub(super) greedy_mean: Option<f64>,
    last_greedy_mean: Option<f64>,
    pub(super) last_100_training_returns: Option<f64>,
    env_steps: f64,
    wall_s: f64,
}

#[derive(Debug, Deserialize)]
struct Machine {
    processor: String,
    cores: u64,
    instruction_set: String,
    load_average_1_min: String,
    date: String,
    compiler: String,
}

pub(super) fn entries(document: &Value) -> Outcome<Vec<Entry>> {
    let result = get(document, "/result")?;
    Vec::<Entry>::deserialize(result).map_err(|error| format!("results/family.json: {error}").into())
}

/// What most of the column's runs were limited to; the smaller one of two that are equally frequent.
fn usual_limit(column: &[&Entry]) -> Option<u64> {
    let limits: Vec<u64> = column.iter().filter_map(|entry| entry.env_steps_limit).collect();
    let frequency = |limit: &u64| limits.iter().filter(|other| *other == limit).count();
    limits.iter().copied().max_by_key(|limit| (frequency(limit), std::cmp::Reverse(*limit)))
}

impl Maker<'_> {
    /// What `make` makes of the study's entries, with the machines of these environments below; or how to make the
    /// study, where it has none of them.
    fn of_family(&self, make: impl FnOnce(&[Entry]) -> Vec<String>, envs: &[&str]) -> Outcome<String> {
        let document = self.read("results/family.json")?;
        let entries = document.as_ref().map_or(Ok(vec![]), entries)?;
        let shown: Vec<&Entry> = entries.iter().filter(|entry| envs.contains(&entry.env.as_str())).collect();
        if shown.is_empty() {
            let envs = envs.join(",");
            return Ok(format!("*{}: `cargo xtask study family {envs} all`*", self.word("not measured yet")));
        }
        let lines = make(&entries);
        Ok(format!("{}\n\n{}", lines.join("\n"), self.machines(&shown)))
    }

    /// The command, and every machine, compiler and date that a figure is from.
    fn machines(&self, entries: &[&Entry]) -> String {
        let distinct = |of: &dyn Fn(&Machine) -> String| -> Vec<String> {
            let mut all: Vec<String> = entries.iter().map(|entry| of(&entry.machine)).collect();
            all.sort();
            all.dedup();
            all
        };
        let between = |mut all: Vec<String>| {
            let last = all.pop().unwrap_or_default();
            all.into_iter().next().map_or(last.clone(), |first| format!("{first} – {last}"))
        };
        let cores = self.word("cores");
        let machines = distinct(&|machine| {
            format!("{}, {} {cores}, {}", machine.processor, machine.cores, machine.instruction_set)
        });
        let mut loads = distinct(&|machine| machine.load_average_1_min.clone());
        loads.sort_by(|a, b| {
            let number = |text: &str| text.parse().unwrap_or(f64::NAN);
            number(a).total_cmp(&number(b))
        });
        format!(
            "<sub>`cargo xtask study family`; {}, {} {}, {}, {}</sub>",
            machines.join("; "),
            self.word("load"),
            between(loads),
            distinct(&|machine| machine.compiler.clone()).join(", "),
            between(distinct(&|machine| machine.date.clone()))
        )
    }

    pub(super) fn family_classic(&self) -> Outcome<String> {
        self.of_family(|entries| self.classic(entries), &CLASSIC)
    }

    pub(super) fn family_minatar(&self) -> Outcome<String> {
        self.of_family(
            |entries| self.table(entries, &MINATAR, |entry, column| self.iqm_cell(entry, column)),
            &MINATAR,
        )
    }

    pub(super) fn family_time(&self) -> Outcome<String> {
        let envs = [&CLASSIC[..], &MINATAR].concat();
        self.of_family(|entries| self.times(entries, &envs), &envs)
    }

    pub(super) fn family_published(&self) -> Outcome<String> {
        let envs = [&CLASSIC[..], &MINATAR].concat();
        self.of_family(|entries| self.beside_published(entries), &envs)
    }

    /// The first column, and a row for each recipe there is with `cell` of each environment.
    fn table(
        &self,
        entries: &[Entry],
        envs: &[&str],
        cell: impl Fn(&Entry, &[&Entry]) -> String,
    ) -> Vec<String> {
        let mut rows = vec![row(self.word("recipe"), envs), rule(envs.len())];
        let columns: Vec<Vec<&Entry>> =
            envs.iter().map(|env| entries.iter().filter(|entry| entry.env == *env).collect()).collect();
        for recipe in algorithms() {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| {
                    let of_recipe = column.iter().filter(|entry| entry.recipe == recipe.name);
                    let cells = of_recipe.map(|entry| cell(entry, column)).filter(|cell| !cell.is_empty());
                    let cells: Vec<String> = cells.collect();
                    if cells.is_empty() { NONE.to_owned() } else { cells.join("<br>") }
                })
                .collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            rows.push(row(&format!("`{}`", recipe.name), &cells));
        }
        rows
    }

    /// The IQM of each recipe in each environment, and how it was trained where that is not as usual.
    fn classic(&self, entries: &[Entry]) -> Vec<String> {
        let envs = &CLASSIC;
        let mut rows = self.table(entries, envs, |entry, column| self.iqm_cell(entry, column));
        let limits: Vec<String> = envs
            .iter()
            .map(|env| {
                let column: Vec<&Entry> = entries.iter().filter(|entry| entry.env == *env).collect();
                usual_limit(&column)
                    .map_or(NONE.to_owned(), |limit| self.steps_of(env, &thousands(limit as f64)))
            })
            .collect();
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        rows.insert(2, row(self.word("where nothing else is said, at most"), &limits));
        rows
    }

    fn iqm_cell(&self, entry: &Entry, column: &[&Entry]) -> String {
        let last: Option<Vec<f64>> = entry.seeds.iter().map(|seed| seed.last_greedy_mean).collect();
        let mut lines = vec![self.iqm(entry.iqm, entry.iqm_ci95, entry.seeds.len())];
        let is_another = |(seed, last): (&Seed, &f64)| seed.greedy_mean != Some(*last);
        if let Some(last) = last.filter(|last| entry.seeds.iter().zip(last).any(is_another)) {
            let iqm = statistics::interquartile_mean(&last);
            let interval =
                StratifiedBootstrap::default().interval(&[&last[..]], statistics::interquartile_mean);
            lines.push(format!("{} {}", self.word("last"), self.iqm(iqm, interval, last.len())));
        }
        let notes = self.notes(entry, column);
        if !notes.is_empty() {
            lines.push(notes.join(", "));
        }
        lines.join("<br>")
    }

    fn iqm(&self, iqm: Option<f64>, interval: Option<(f64, f64)>, seeds: usize) -> String {
        match (iqm, interval) {
            (Some(iqm), Some((low, high))) if seeds > 1 => format!("{iqm:.1} ({low:.1} – {high:.1})"),
            // The interval of one seed is no interval.
            (Some(iqm), _) => format!("{iqm:.1}"),
            _ => self.word("no number").to_owned(),
        }
    }

    /// What is not as usual.
    fn notes(&self, entry: &Entry, column: &[&Entry]) -> Vec<String> {
        let limit = entry.env_steps_limit.filter(|limit| Some(*limit) != usual_limit(column));
        let games = entry.env.starts_with("MinAtar/");
        let mut notes = vec![];
        if games || entry.seeds.len() != USUAL_SEEDS {
            notes.push(self.count(entry.seeds.len()));
        }
        if let Some(limit) = if games { entry.env_steps_limit } else { limit } {
            notes.push(self.steps_of(&entry.env, &thousands(limit as f64)));
        }
        if !entry.is_current() {
            notes.push(self.word("earlier settings").to_owned());
        }
        notes
    }

    pub(super) fn count(&self, seeds: usize) -> String {
        match seeds {
            1 => self.word("1 seed").to_owned(),
            _ => self.word("{} seeds").replace("{}", &seeds.to_string()),
        }
    }

    /// Steps of an environment by their name there: a step of MinAtar is a frame.
    pub(super) fn steps_of(&self, env: &str, number: &str) -> String {
        let steps = match env.starts_with("MinAtar/") {
            true => self.word("{} frames"),
            false => self.word("{} env steps"),
        };
        steps.replace("{}", number)
    }

    /// µs of training an env step: the median over the seeds of the longest study.
    fn times(&self, entries: &[Entry], envs: &[&str]) -> Vec<String> {
        self.table(entries, envs, |entry, column| {
            let same = column.iter().filter(|other| other.recipe == entry.recipe);
            if same.clone().any(|other| other.env_steps_limit > entry.env_steps_limit) {
                return String::new();
            }
            let times: Vec<f64> = entry.seeds.iter().map(|seed| 1e6 * seed.wall_s / seed.env_steps).collect();
            statistics::median(&times).map_or(NONE.to_owned(), |time| match time {
                time if time < 100.0 => format!("{time:.1}"),
                time => thousands(time),
            })
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::{Language, Results};
    use super::*;

    /// An entry of the study: a seed for each score, which returned a tenth less while training.
    pub(in super::super) fn entry(env: &str, recipe: &str, limit: u64, scores: &[f64]) -> Value {
        let seeds = scores.iter().map(|score| {
            json!({ "greedy_mean": score, "last_greedy_mean": score, "last_100_training_returns": 0.9 * score,
                    "env_steps": limit, "wall_s": limit as f64 / 8e4 })
        });
        let limited = format!("stop.env_steps={limit}");
        let settings = Config::resolve(env, None, Some(recipe), &[limited]).unwrap().0.to_toml();
        json!({ "env": env, "preset": recipe, "settings": settings, "iqm": statistics::interquartile_mean(scores),
            "iqm_ci95": [scores[0] - 1.0, scores[0] + 1.0], "env_steps_limit": limit,
            "env_steps_median": limit, "seeds": seeds.collect::<Vec<_>>(), "machine": {
                "processor": "P", "cores": 2, "instruction_set": "avx2", "load_average_1_min": "2.50",
                "date": "2026-11-28", "compiler": "rustc 1.95.0" } })
    }

    pub(in super::super) fn with_maker<T>(entries: &Value, act: impl FnOnce(&Maker<'_>) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("results")).unwrap();
        if !entries.is_null() {
            let document = json!({ "command": "c", "machine": {}, "result": entries });
            std::fs::write(folder.path().join("results/family.json"), document.to_string()).unwrap();
        }
        let results = Results { folder: folder.path().to_owned() };
        act(&Maker { results: &results, language: Language::English })
    }

    pub(in super::super) fn row_of<'a>(table: &'a str, label: &str) -> &'a str {
        table
            .lines()
            .find(|line| line.starts_with(&format!("| {label} |")))
            .unwrap_or_else(|| panic!("{table}"))
    }

    #[test]
    fn a_study_that_was_not_made_is_said_to_be_missing() {
        with_maker(&Value::Null, |maker| {
            let blocks = [maker.family_classic(), maker.family_time(), maker.family_published()];
            for block in blocks {
                assert!(block.unwrap().starts_with("*not measured yet: `cargo xtask study family "));
            }
            assert!(
                maker.family_minatar().unwrap().contains("family MinAtar/Asterix-v0,MinAtar/Breakout-v0,")
            );
        });
    }

    #[test]
    fn every_recipe_has_a_row_and_every_absent_cell_a_dash() {
        let (classic, minatar) =
            with_maker(&json!([entry("Acrobot-v1", "dqn", 100_000, &[-90.0; 10])]), |maker| {
                (maker.family_classic().unwrap(), maker.family_minatar().unwrap())
            });
        assert_eq!(row_of(&classic, "`dqn`"), "| `dqn` | – | -90.0 (-91.0 – -89.0) | – | – |");
        assert_eq!(row_of(&classic, "`stream-q`"), "| `stream-q` | – | – | – | – |");
        let rows: Vec<&str> = classic.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 3 + algorithms().len(), "{rows:?}");
        assert!(rows.iter().all(|row| row.matches('|').count() == 6), "{rows:?}");
        assert!(minatar.starts_with("*not measured yet: "), "none of its environments is there: {minatar}");
    }

    #[test]
    fn other_numbers_of_seeds_and_steps_than_the_usual_are_told() {
        let entries = json!([
            entry("CartPole-v1", "dqn", 100_000, &[500.0; 10]),
            entry("CartPole-v1", "c51", 100_000, &[490.0; 9]),
            entry("CartPole-v1", "pqn", 500_000, &[480.0; 10]),
            entry("CartPole-v1", "stream-q", 500_000, &[470.0]),
            entry("CartPole-v1", "iqn", 100_000, &[460.0; 10]),
        ]);
        let table = with_maker(&entries, |maker| maker.family_classic().unwrap());
        let usual = row_of(&table, "where nothing else is said, at most");
        assert!(usual.ends_with("| 100,000 env steps | – | – | – |"), "{usual}");
        for (recipe, cell) in [
            ("`dqn`", "500.0 (499.0 – 501.0)"),
            ("`c51`", "490.0 (489.0 – 491.0)<br>9 seeds"),
            ("`pqn`", "480.0 (479.0 – 481.0)<br>500,000 env steps"),
            ("`stream-q`", "470.0<br>1 seed, 500,000 env steps"),
        ] {
            assert_eq!(row_of(&table, recipe), format!("| {recipe} | {cell} | – | – | – |"));
        }
    }

    #[test]
    fn the_last_policy_stands_below_the_best_one_where_it_is_another() {
        let mut entries = json!([
            entry("LunarLander-v3", "dqn", 200_000, &[250.0; 10]),
            entry("LunarLander-v3", "c51", 200_000, &[250.0; 10]),
        ]);
        entries[0]["seeds"][4]["last_greedy_mean"] = json!(100.0);
        let table = with_maker(&entries, |maker| maker.family_classic().unwrap());
        // A draw in forty or more has the bad seed three times, one of which is among the middle six.
        let best = "250.0 (249.0 – 251.0)";
        let last = "last 250.0 (225.0 – 250.0)";
        assert!(row_of(&table, "`dqn`").ends_with(&format!("| {best}<br>{last} |")), "{table}");
        assert!(row_of(&table, "`c51`").ends_with(&format!("| {best} |")), "{table}");
    }

    #[test]
    fn figures_of_settings_that_are_no_more_say_so() {
        let mut entries = json!([
            entry("Acrobot-v1", "dqn", 100_000, &[-90.0; 10]),
            entry("Acrobot-v1", "c51", 100_000, &[-90.0; 10]),
            entry("Acrobot-v1", "iqn", 100_000, &[-90.0; 10]),
        ]);
        let settings = entries[1]["settings"].as_str().unwrap();
        let before = settings.replace("gamma = 0.99", "gamma = 0.98");
        assert_ne!(before, settings);
        entries[1]["settings"] = json!(before);
        entries[2]["settings"] = Value::Null;
        let table = with_maker(&entries, |maker| maker.family_classic().unwrap());
        assert!(!row_of(&table, "`dqn`").contains("earlier settings"), "{table}");
        for changed in ["`c51`", "`iqn`"] {
            assert!(row_of(&table, changed).contains("-89.0)<br>earlier settings |"), "{table}");
        }
    }

    #[test]
    fn a_recipe_over_two_numbers_of_frames_has_both_in_its_cell() {
        let game = "MinAtar/Breakout-v0";
        let entries = json!([entry(game, "pqn", 5_000_000, &[9.0]), entry(game, "pqn", 10_000_000, &[12.0])]);
        let table = with_maker(&entries, |maker| maker.family_minatar().unwrap());
        let both = "9.0<br>1 seed, 5,000,000 frames<br>12.0<br>1 seed, 10,000,000 frames";
        assert!(row_of(&table, "`pqn`").contains(both), "{table}");
    }

    #[test]
    fn every_cell_of_minatar_tells_its_seeds_and_frames() {
        let entries = json!([
            entry("MinAtar/Breakout-v0", "dqn", 500_000, &[9.0, 9.0, 9.0]),
            entry("MinAtar/Breakout-v0", "c51", 1_000_000, &[8.0; 10]),
        ]);
        let table = with_maker(&entries, |maker| maker.family_minatar().unwrap());
        let cell = |recipe: &str| row_of(&table, recipe).split(" | ").nth(2).map(str::to_owned);
        assert_eq!(cell("`dqn`").unwrap(), "9.0 (8.0 – 10.0)<br>3 seeds, 500,000 frames");
        assert_eq!(cell("`c51`").unwrap(), "8.0 (7.0 – 9.0)<br>10 seeds, 1,000,000 frames");
        assert!(!table.contains("at most"), "every cell says it: {table}");
    }

    #[test]
    fn a_step_takes_the_median_of_the_seeds_times() {
        let mut slow = entry("Acrobot-v1", "dqn", 100_000, &[-90.0, -90.0, -90.0]);
        slow["seeds"][2]["wall_s"] = json!(1000.0);
        let mut slower = entry("Acrobot-v1", "iqn", 100_000, &[-90.0]);
        slower["seeds"][0]["wall_s"] = json!(123.4);
        let table = with_maker(&json!([slow, slower]), |maker| maker.family_time().unwrap());
        assert!(row_of(&table, "`dqn`").starts_with("| `dqn` | – | 12.5 | – |"), "{table}");
        assert!(row_of(&table, "`iqn`").starts_with("| `iqn` | – | 1,234 | – |"), "{table}");
    }

    #[test]
    fn of_two_studies_the_longer_tells_the_time() {
        let mut short = entry("LunarLander-v3", "dqn", 100_000, &[250.0]);
        short["seeds"][0]["wall_s"] = json!(1000.0);
        let entries = json!([short, entry("LunarLander-v3", "dqn", 200_000, &[250.0])]);
        let table = with_maker(&entries, |maker| maker.family_time().unwrap());
        assert!(row_of(&table, "`dqn`").contains("| – | – | – | 12.5 | – |"), "{table}");
    }

    #[test]
    fn machines_that_differ_are_all_named() {
        let mut entries = json!([
            entry("CartPole-v1", "dqn", 100_000, &[500.0]),
            entry("CartPole-v1", "c51", 100_000, &[500.0]),
            entry("MinAtar/Freeway-v0", "dqn", 100_000, &[50.0]),
        ]);
        entries[1]["machine"]["date"] = json!("2026-11-30");
        entries[1]["machine"]["load_average_1_min"] = json!("10.00");
        entries[2]["machine"]["processor"] = json!("Q");
        let tables =
            with_maker(&entries, |maker| (maker.family_classic().unwrap(), maker.family_time().unwrap()));
        let origin = "P, 2 cores, avx2, load 2.50 – 10.00, rustc 1.95.0, 2026-11-28 – 2026-11-30</sub>";
        assert!(tables.0.ends_with(origin), "{}", tables.0);
        assert!(tables.1.contains("P, 2 cores, avx2; Q, 2 cores, avx2, load"), "{}", tables.1);
    }

    #[test]
    fn a_figure_that_is_no_number_is_not_hidden() {
        let mut broken = entry("Acrobot-v1", "dqn", 100_000, &[-90.0, -90.0]);
        broken["iqm"] = Value::Null;
        let table = with_maker(&json!([broken]), |maker| maker.family_classic().unwrap());
        assert!(row_of(&table, "`dqn`").contains("| no number<br>2 seeds |"), "{table}");
        let error = with_maker(&json!([{ "env": "E" }]), |maker| maker.family_classic().unwrap_err());
        assert!(error.to_string().starts_with("results/family.json: missing field"), "{error}");
    }
}
