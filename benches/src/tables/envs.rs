//! The tables of env steps: one environment, and many stepped together, beside other packages.

use serde_json::Value;

use super::render::{Maker, Outcome, get, number, row, thousands};
use super::steps::{list, rule, text};

const NONE: &str = "–";

/// ns with as many places as say something.
fn ns(ns: f64) -> String {
    match ns {
        ns if ns < 100.0 => format!("{ns:.1}"),
        ns => thousands(ns),
    }
}

/// The form `form` of `engine` on an environment, where it was measured.
fn found<'a>(env: &'a Value, engine: &str, form: &str) -> Outcome<Option<&'a Value>> {
    Ok(list(env, "/forms")?.iter().find(|row| row["engine"] == engine && row["form"] == form))
}

/// Its median, or a dash; with the environment's name in that package where that is another version.
fn time(env: &Value, engine: &str, form: &str) -> Outcome<String> {
    let Some(form) = found(env, engine, form)? else { return Ok(NONE.to_owned()) };
    let time = ns(number(form, "/median_ns")?);
    match form["called"].as_str() {
        Some(called) if called.ends_with("-v3") => Ok(format!("{time} ({called})")),
        _ => Ok(time),
    }
}

/// The verdict on `what`, where the environment has that goal.
fn goal<'a>(result: &'a Value, env: &Value, what: &str) -> Outcome<Option<&'a Value>> {
    Ok(list(result, "/goals")?.iter().find(|goal| goal["env"] == env["env"] && goal["what"] == what))
}

impl Maker<'_> {
    fn verdict(&self, goal: &Value) -> &str {
        self.word(if goal["reached"] == true { "yes" } else { "no" })
    }

    /// One environment, without any vector around it.
    pub(super) fn envs(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            "deepq, ns",
            "Gymnasium, ns",
            self.word("MinAtar's own interface, ns"),
            "gymnax, ns",
            "PufferLib C, ns",
            self.word("Gymnasium / deepq"),
            self.word("goal"),
            self.word("reached"),
        ];
        let mut rows = vec![row(self.word("environment"), &columns), rule(columns.len())];
        for env in list(result, "/envs")? {
            // The package MinAtar brings its games to Gymnasium.
            let gymnasium = match found(env, "Gymnasium", "loop")? {
                Some(_) => time(env, "Gymnasium", "loop")?,
                None => time(env, "MinAtar", "loop")?,
            };
            let times = [
                time(env, "deepq", "loop")?,
                gymnasium,
                time(env, "MinAtar", "own-loop")?,
                time(env, "gymnax", "scan-1")?,
                time(env, "PufferLib", "c-1")?,
            ];
            let [measured, least, reached] = match goal(result, env, "times-gymnasium")? {
                Some(goal) => [
                    format!("{:.1}", number(goal, "/measured")?),
                    format!("≥ {}", number(goal, "/goal")?),
                    self.verdict(goal).to_owned(),
                ],
                None => Default::default(),
            };
            let cells = times.iter().chain([&measured, &least, &reached]).map(String::as_str);
            rows.push(row(&format!("`{}`", text(env, "env")?), &cells.collect::<Vec<_>>()));
        }
        rows.extend([String::new(), self.versions(result)?]);
        rows.extend(self.not_measured(result)?);
        Ok(rows)
    }

    /// What of other packages could not be run, and why.
    fn not_measured(&self, result: &Value) -> Outcome<Vec<String>> {
        let missing = |value: &Value, prefix: &str| -> Outcome<Vec<String>> {
            let reasons = get(value, "/not_available")?.as_object().ok_or("not_available is no object")?;
            let lines = reasons.iter().map(|(what, why)| {
                format!("{prefix}{what} ({})", why.as_str().unwrap_or_default().replace(['|', '\n'], " "))
            });
            Ok(lines.collect())
        };
        let mut lines = missing(result, "")?;
        for env in list(result, "/envs")? {
            lines.extend(missing(env, &format!("{}: ", text(env, "env")?))?);
        }
        Ok(match lines.is_empty() {
            true => vec![],
            false => vec![String::new(), format!("{}: {}", self.word("Not measured"), lines.join("; "))],
        })
    }

    /// Copies stepped together: ns of one of them.
    pub(super) fn envs_together(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            "deepq 1, ns",
            "deepq 64, ns",
            self.word("goal"),
            self.word("reached"),
            "Gymnasium sync 64, ns",
            "Gymnasium native 64, ns",
            "EnvPool 64, ns",
            "gymnax 64, ns",
            "gymnax 1024, ns",
            "PufferLib C 64, ns",
            "PufferLib C 4096, ns",
        ];
        let mut rows = vec![row(self.word("environment"), &columns), rule(columns.len())];
        for env in list(result, "/envs")? {
            let [figure, most, reached] = self.goal_together(result, env)?;
            let ours = time(env, "deepq", "vector-64")? + &figure;
            let mut cells = vec![time(env, "deepq", "vector-1")?, ours, most, reached];
            for (engine, form) in [
                ("Gymnasium", "sync-64"),
                ("Gymnasium", "native-64"),
                ("EnvPool", "pool-64"),
                ("gymnax", "scan-64"),
                ("gymnax", "scan-1024"),
                ("PufferLib", "c-64"),
                ("PufferLib", "c-4096"),
            ] {
                cells.push(time(env, engine, form)?);
            }
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            rows.push(row(&format!("`{}`", text(env, "env")?), &cells));
        }
        rows.extend(self.in_threads(result)?);
        Ok(rows)
    }

    /// Of the goal for copies stepped together: a figure that goes with the time, the goal, whether it is reached.
    fn goal_together(&self, result: &Value, env: &Value) -> Outcome<[String; 3]> {
        if let Some(goal) = goal(result, env, "nanoseconds")? {
            let most = format!("≤ {}", number(goal, "/goal")?);
            return Ok([String::new(), most, self.verdict(goal).to_owned()]);
        }
        let Some(goal) = goal(result, env, "million-steps-per-second")? else {
            return Ok(Default::default());
        };
        let figure = format!(" ({:.1} M/s)", number(goal, "/measured")?);
        let least = format!("≥ {} M/s", number(goal, "/goal")?);
        Ok([figure, least, self.verdict(goal).to_owned()])
    }

    /// A line for each environment that was also measured in threads.
    fn in_threads(&self, result: &Value) -> Outcome<Vec<String>> {
        let mut lines = vec![];
        for env in list(result, "/envs")? {
            for form in list(env, "/forms")?.iter().filter(|form| form["engine"] == "deepq, threads") {
                let threads = text(form, "form")?.split('-').nth(1).unwrap_or_default();
                let label = self.word("in {} threads, ns").replace("{}", threads);
                let (id, time) = (text(env, "env")?, ns(number(form, "/median_ns")?));
                let times = 1.0 / number(form, "/ratio")?;
                lines.extend([String::new(), format!("`{id}`, 64, {label}: {time} ({times:.2}×)")]);
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Language, Results};
    use super::*;

    fn result() -> Value {
        let form = |engine: &str, form: &str, median_ns: f64| json!({ "engine": engine, "form": form, "median_ns": median_ns, "ratio": 0.5 });
        let mut taxi = form("EnvPool", "pool-64", 700.0);
        taxi["called"] = json!("Taxi-v3");
        json!({
            "versions": { "gymnasium": "1.4.0" },
            "not_available": { "gymnax": "no network" },
            "goals": [
                { "env": "CartPole-v1", "what": "nanoseconds", "measured": 20.0, "goal": 15.0, "reached": false },
                { "env": "CartPole-v1", "what": "times-gymnasium", "measured": 250.0, "goal": 50.0, "reached": true },
                { "env": "MinAtar/X-v1", "what": "million-steps-per-second", "measured": 12.5, "goal": 10.0, "reached": true },
            ],
            "envs": [
                { "env": "CartPole-v1", "not_available": {}, "forms": [form("deepq", "loop", 22.26), form("deepq", "vector-64", 20.0),
                    form("Gymnasium", "loop", 5_500.0), form("PufferLib", "c-64", 17.0), form("deepq, threads", "threads-2-64", 10.0)] },
                { "env": "Taxi-v4", "not_available": { "gymnax scan-1": "out|of memory" }, "forms": [taxi] },
                { "env": "MinAtar/X-v1", "not_available": {}, "forms": [form("deepq", "vector-64", 80.0), form("MinAtar", "loop", 9_000.0)] },
            ],
        })
    }

    fn with_maker<T>(language: Language, act: impl FnOnce(&Maker<'_>) -> T) -> T {
        let results = Results { folder: std::path::PathBuf::new() };
        act(&Maker { results: &results, language })
    }

    #[test]
    fn one_environment() {
        let rows = with_maker(Language::English, |maker| maker.envs(&result())).unwrap();
        assert_eq!(rows[2], "| `CartPole-v1` | 22.3 | 5,500 | – | – | – | 250.0 | ≥ 50 | yes |");
        assert_eq!(rows[4], "| `MinAtar/X-v1` | – | 9,000 | – | – | – |  |  |  |");
        assert_eq!(rows[6], "Versions: gymnasium 1.4.0");
        assert_eq!(rows[8], "Not measured: gymnax (no network); Taxi-v4: gymnax scan-1 (out of memory)");
    }

    #[test]
    fn many_together() {
        let rows = with_maker(Language::Korean, |maker| maker.envs_together(&result())).unwrap();
        assert_eq!(rows[2], "| `CartPole-v1` | – | 20.0 | ≤ 15 | 아니요 | – | – | – | – | – | 17.0 | – |");
        assert_eq!(rows[3], "| `Taxi-v4` | – | – |  |  | – | – | 700 (Taxi-v3) | – | – | – | – |");
        assert_eq!(
            rows[4],
            "| `MinAtar/X-v1` | – | 80.0 (12.5 M/s) | ≥ 10 M/s | 예 | – | – | – | – | – | – | – |"
        );
        assert_eq!(rows[6], "`CartPole-v1`, 64, 스레드 2개, ns: 10.0 (2.00×)");
    }
}
