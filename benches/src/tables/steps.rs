//! The tables of gradient steps: the engine's distance to the processor's limit, and other engines beside it.

use serde_json::Value;

use super::render::{Maker, Outcome, get, number, row, thousands};

/// Hyphens for so many columns of numbers behind the first.
pub(super) fn rule(columns: usize) -> String {
    format!("|---|{}", "---:|".repeat(columns))
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> Outcome<&'a [Value]> {
    let list = get(value, pointer)?.as_array().ok_or_else(|| format!("{pointer} is no list"))?;
    Ok(list)
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Outcome<&'a str> {
    get(value, &format!("/{key}"))?.as_str().ok_or_else(|| format!("{key} is no text").into())
}

/// µs with as many places as say something.
fn us(us: f64) -> String {
    match us {
        us if us < 1.0 => format!("{us:.3}"),
        us if us < 100.0 => format!("{us:.2}"),
        us if us < 1_000.0 => format!("{us:.1}"),
        us => thousands(us),
    }
}

fn share(value: &Value, pointer: &str) -> Outcome<String> {
    Ok(format!("{:.0} %", 100.0 * number(value, pointer)?))
}

fn measured(step: &Value) -> bool {
    step.get("not_available").is_none()
}

/// The step of a network on the best instruction set there is, with one thread: the first of it in the list.
fn best_step<'a>(engine: &'a Value, network: &str) -> Outcome<&'a Value> {
    let found = list(engine, "/steps")?.iter().find(|step| step["network"] == network);
    found.ok_or_else(|| format!("there are no steps of {network}").into())
}

impl Maker<'_> {
    fn name(&self, value: &Value) -> Outcome<String> {
        let (network, shape) = (text(value, "network")?, text(value, "shape")?);
        Ok(format!("{network}: {shape}, {} {}", self.word("batch"), get(value, "/batch_size")?))
    }

    fn not_available(&self) -> String {
        format!("*{}*", self.word("not available"))
    }

    pub(super) fn engine(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            self.word("instruction set"),
            self.word("threads"),
            self.word("µs: median / least"),
            "GFLOP/s",
            self.word("of its peak"),
            self.word("of the best peak"),
            self.word("goal"),
            self.word("reached"),
        ];
        let mut rows = vec![row(self.word("network"), &columns), rule(columns.len())];
        for step in list(result, "/steps")? {
            let (set, threads) = (text(step, "instruction_set")?, get(step, "/threads")?.to_string());
            if !measured(step) {
                let missing = self.not_available();
                rows.push(row(&self.name(step)?, &[set, &threads, &missing, "", "", "", "", ""]));
                continue;
            }
            let times = format!("{} / {}", us(number(step, "/median_us")?), us(number(step, "/least_us")?));
            let gflops = format!("{:.1}", number(step, "/gflops")?);
            let shares = [share(step, "/share_of_own_peak")?, share(step, "/share_of_best_peak")?];
            let goal = self.step_goal(step)?;
            let reached = match step["reached"].as_bool() {
                Some(true) => self.word("yes"),
                Some(false) => self.word("no"),
                None => "",
            };
            let cells = [set, &threads, &times, &gflops, &shares[0], &shares[1], &goal, reached];
            rows.push(row(&self.name(step)?, &cells));
        }
        rows.extend([String::new(), self.peaks(result)?]);
        Ok(rows)
    }

    /// The goal's share of the peak, and its µs where it was set in µs.
    fn step_goal(&self, step: &Value) -> Outcome<String> {
        match (step["goal_us"].as_f64(), step["goal_share"].as_f64()) {
            (Some(goal_us), Some(_)) => Ok(format!("{} ({} µs)", share(step, "/goal_share")?, us(goal_us))),
            (None, Some(_)) => share(step, "/goal_share"),
            _ => Ok(String::new()),
        }
    }

    fn peaks(&self, result: &Value) -> Outcome<String> {
        let peaks = get(result, "/peak_gflops")?.as_object().ok_or("peak_gflops is no object")?;
        let peaks: Vec<String> = peaks
            .iter()
            .map(|(set, peak)| format!("{set} {:.0}", peak.as_f64().unwrap_or(f64::NAN)))
            .collect();
        Ok(format!("{}: {} GFLOP/s", self.word("Measured peak of one core"), peaks.join(", ")))
    }

    pub(super) fn engine_parts(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            self.word("sample and gather"),
            self.word("target forward"),
            self.word("online forward"),
            self.word("loss"),
            self.word("backward"),
            self.word("optimiser"),
            self.word("rest"),
        ];
        let mut rows = vec![row(self.word("network"), &columns), rule(columns.len())];
        let steps = list(result, "/steps")?;
        let mut shown: Vec<&Value> = vec![];
        for step in steps.iter().filter(|step| measured(step)) {
            // The best set of each network, with each number of threads.
            let same =
                |other: &&Value| other["network"] == step["network"] && other["threads"] == step["threads"];
            if shown.iter().any(same) {
                continue;
            }
            shown.push(step);
            let parts = list(step, "/parts_us")?.iter().filter_map(Value::as_f64).map(us);
            let parts: Vec<String> = parts.collect();
            let cells: Vec<&str> = parts.iter().map(String::as_str).collect();
            let threads = format!("{} {}", self.word("threads"), get(step, "/threads")?);
            let name = format!("{}, {}, {threads}", text(step, "network")?, text(step, "instruction_set")?);
            rows.push(row(&name, &cells));
        }
        Ok(rows)
    }

    pub(super) fn engine_forwards(&self, result: &Value) -> Outcome<Vec<String>> {
        let batches = list(result, "/forward_batches")?.iter();
        let batches: Vec<String> = batches.map(|batch| format!("{} {batch}", self.word("batch"))).collect();
        let columns: Vec<&str> = batches.iter().map(String::as_str).collect();
        let mut rows = vec![row(self.word("network"), &columns), rule(columns.len())];
        for forward in list(result, "/forwards")? {
            let times: Vec<String> =
                list(forward, "/median_us")?.iter().filter_map(Value::as_f64).map(us).collect();
            let cells: Vec<&str> = times.iter().map(String::as_str).collect();
            let name = format!("{}, {}", text(forward, "network")?, text(forward, "instruction_set")?);
            rows.push(row(&name, &cells));
        }
        Ok(rows)
    }

    pub(super) fn peers(&self, result: &Value) -> Outcome<Vec<String>> {
        let columns = [
            "deepq, µs",
            "PyTorch, µs",
            "JAX jit, µs",
            "JAX scan, µs",
            self.word("PyTorch / deepq"),
            self.word("goal"),
            self.word("best JAX / deepq"),
            self.word("goal"),
        ];
        let mut rows = vec![row(self.word("network"), &columns), rule(columns.len())];
        for network in list(result, "/networks")? {
            let shape = format!("{}: {}", text(network, "network")?, text(network, "shape")?);
            if !measured(network) {
                rows.push(row(&shape, &[&self.not_available(), "", "", "", "", "", "", ""]));
                continue;
            }
            let time = |engine: &str, form: &str| {
                let forms = list(network, "/forms")?.iter();
                let found = forms.clone().find(|row| row["engine"] == engine && row["form"] == form);
                let found = found.ok_or_else(|| format!("no {engine} {form}"))?;
                Ok::<_, Box<dyn std::error::Error>>(us(number(found, "/median_us")?))
            };
            let times = [
                time("deepq", "step")?,
                time("PyTorch", "eager")?,
                time("JAX", "jit")?,
                time("JAX", "scan")?,
            ];
            let [torch, torch_goal, jax, jax_goal] = ratios(network)?;
            rows.push(row(
                &shape,
                &[&times[0], &times[1], &times[2], &times[3], &torch, &torch_goal, &jax, &jax_goal],
            ));
        }
        rows.extend([String::new(), self.versions(result)?]);
        Ok(rows)
    }

    /// Of what was compared.
    pub(super) fn versions(&self, result: &Value) -> Outcome<String> {
        let versions = get(result, "/versions")?.as_object().ok_or("versions is no object")?;
        let versions: Vec<String> = versions
            .iter()
            .filter_map(|(name, version)| Some(format!("{name} {}", version.as_str()?)))
            .collect();
        Ok(format!("{}: {}", self.word("Versions"), versions.join(", ")))
    }

    /// One line a network, from the engine's and the peers' results.
    pub(super) fn steps(&self) -> Outcome<String> {
        let columns = [
            self.word("µs a gradient step, one core"),
            self.word("of the core's peak"),
            self.word("goal"),
            self.word("PyTorch / deepq"),
            self.word("goal"),
            self.word("best JAX / deepq"),
            self.word("goal"),
        ];
        let mut rows = vec![row(self.word("network"), &columns), rule(columns.len())];
        let missing = |command: &str| format!("*{}: `{command}`*", self.word("not measured yet"));
        let Some(engine) = self.read("results/engine.json")? else {
            return Ok(missing("cargo xtask bench engine"));
        };
        let Some(peers) = self.read("results/peers.json")? else {
            return Ok(missing("cargo xtask bench peers"));
        };
        for network in list(&peers, "/result/networks")? {
            let step = best_step(get(&engine, "/result")?, text(network, "network")?)?;
            let none = self.not_available();
            let [time, of_peak] = match measured(step) {
                true => [us(number(step, "/median_us")?), share(step, "/share_of_best_peak")?],
                false => [none, String::new()],
            };
            let goal = self.step_goal(step)?;
            let ratios = if measured(network) { ratios(network)? } else { Default::default() };
            let [torch, torch_goal, jax, jax_goal] = &ratios;
            let cells = [&time, &of_peak, &goal, torch, torch_goal, jax, jax_goal].map(String::as_str);
            rows.push(row(&self.name(step)?, &cells));
        }
        Ok(format!("{}\n\n{}", rows.join("\n"), self.origin(&peers)?))
    }
}

/// How many times as long PyTorch takes, the goal for it, and the same of the faster form of JAX.
fn ratios(network: &Value) -> Outcome<[String; 4]> {
    let least = |engine: &str| -> Outcome<f64> {
        let forms = list(network, "/forms")?.iter().filter(|form| form["engine"] == engine);
        let ratios = forms.filter_map(|form| form["ratio"].as_f64());
        ratios.min_by(f64::total_cmp).ok_or_else(|| format!("{engine} is missing").into())
    };
    let ratio = |engine| Outcome::Ok(format!("{:.2}", least(engine)?));
    let goal = |pointer| Outcome::Ok(format!("≥ {}", number(network, pointer)?));
    Ok([ratio("PyTorch")?, goal("/goal_pytorch")?, ratio("JAX")?, goal("/goal_jax")?])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Language, Results};
    use super::*;

    fn engine() -> Value {
        json!({
            "peak_gflops": { "avx512": 250.4, "portable": 57.2 },
            "forward_batches": [1, 64],
            "steps": [
                { "network": "B", "shape": "4-120-84-2", "batch_size": 128, "instruction_set": "avx512",
                  "threads": 1, "median_us": 54.4, "least_us": 52.0, "gflops": 199.7,
                  "share_of_own_peak": 0.799, "share_of_best_peak": 0.799, "goal_us": 52.0,
                  "goal_share": 0.836, "reached": false, "parts_us": [1.0, 12.0, 12.5, 0.5, 25.0, 3.0, 0.4] },
                { "network": "B", "shape": "4-120-84-2", "batch_size": 128, "instruction_set": "portable",
                  "threads": 1, "median_us": 2_540.4, "least_us": 1_510.0, "gflops": 4.3,
                  "share_of_own_peak": 0.07, "share_of_best_peak": 0.02, "goal_us": null,
                  "goal_share": null, "reached": null, "parts_us": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] },
                { "network": "D", "shape": "Nature", "batch_size": 32, "instruction_set": "avx512",
                  "threads": 1, "not_available": "why" },
            ],
            "forwards": [{ "network": "B", "instruction_set": "avx512", "median_us": [0.3333, 11.111] }],
        })
    }

    fn peers() -> Value {
        let form = |engine: &str, form: &str, us: f64, ratio: f64| json!({ "engine": engine, "form": form, "median_us": us, "ratio": ratio });
        json!({
            "versions": { "torch": "2.15.0" },
            "networks": [
                { "network": "B", "shape": "4-120-84-2", "goal_pytorch": 7.0, "goal_jax": 1.7, "forms": [
                    form("deepq", "step", 50.0, 1.0), form("PyTorch", "eager", 390.0, 7.8),
                    form("JAX", "jit", 150.0, 3.0), form("JAX", "scan", 90.0, 1.8)] },
                { "network": "D", "shape": "Nature", "not_available": "why" },
            ],
        })
    }

    fn with_maker<T>(language: Language, act: impl FnOnce(&Maker<'_>) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("results")).unwrap();
        for (name, result) in [("engine", engine()), ("peers", peers())] {
            let machine = json!({
                "processor": "P", "cores": 2, "instruction_set": "avx512", "load_average_1_min": "0.10",
                "date": "2026-11-22", "compiler": "rustc 1.95.0",
            });
            let document =
                json!({ "command": format!("bench {name}"), "machine": machine, "result": result });
            let path = folder.path().join(format!("results/{name}.json"));
            std::fs::write(path, document.to_string()).unwrap();
        }
        let results = Results { folder: folder.path().to_owned() };
        act(&Maker { results: &results, language })
    }

    #[test]
    fn the_engines_steps_stand_with_their_goals() {
        let rows = with_maker(Language::English, |maker| maker.engine(&engine()).unwrap());
        assert_eq!(
            rows[2],
            "| B: 4-120-84-2, batch 128 | avx512 | 1 | 54.40 / 52.00 | 199.7 | 80 % | 80 % | 84 % (52.00 µs) | no |"
        );
        assert!(rows[3].contains("| 2,540 / 1,510 |") && rows[3].ends_with("|  |  |"), "{}", rows[3]);
        assert!(rows[4].contains("*not available*"), "{}", rows[4]);
        assert!(rows[6].ends_with("avx512 250, portable 57 GFLOP/s"), "{}", rows[6]);
        let columns = |row: &str| row.matches('|').count();
        assert!(rows[..5].iter().all(|row| columns(row) == columns(&rows[0])), "{rows:?}");
    }

    #[test]
    fn parts_and_forwards_have_a_row_each() {
        let (parts, forwards) = with_maker(Language::English, |maker| {
            (maker.engine_parts(&engine()).unwrap(), maker.engine_forwards(&engine()).unwrap())
        });
        assert_eq!(parts.len(), 3, "the best set only: {parts:?}");
        assert_eq!(
            parts[2],
            "| B, avx512, threads 1 | 1.00 | 12.00 | 12.50 | 0.500 | 25.00 | 3.00 | 0.400 |"
        );
        assert_eq!(forwards[2], "| B, avx512 | 0.333 | 11.11 |");
    }

    #[test]
    fn the_faster_form_of_jax_is_the_one_that_counts() {
        let rows = with_maker(Language::English, |maker| maker.peers(&peers()).unwrap());
        assert_eq!(rows[2], "| B: 4-120-84-2 | 50.00 | 390.0 | 150.0 | 90.00 | 7.80 | ≥ 7 | 1.80 | ≥ 1.7 |");
        assert!(rows[3].contains("*not available*") && rows[5].contains("torch 2.15.0"), "{rows:?}");
    }

    #[test]
    fn the_summary_joins_both_results() {
        let table = with_maker(Language::English, |maker| maker.steps().unwrap());
        let row = "| B: 4-120-84-2, batch 128 | 54.40 | 80 % | 84 % (52.00 µs) | 7.80 | ≥ 7 | 1.80 | ≥ 1.7 |";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("2026-11-22") && table.contains("rustc 1.95.0"), "{table}");
        let korean = with_maker(Language::Korean, |maker| maker.steps().unwrap());
        assert!(korean.contains("| 네트워크 |"), "{korean}");
    }
}
