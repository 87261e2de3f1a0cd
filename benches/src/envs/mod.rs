//! `cargo xtask bench envs`: the time of an env step with random actions, of our environments and of other packages',
//! in turn, on one core.

mod goals;
mod peers;
mod server;

use std::error::Error;
use std::time::Duration;

use deepq::statistics;
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::peers::{Peers, Prepared};
use self::server::{COPIES, Kind};
use crate::machine::write_result;
use crate::process;
use crate::rounds::{Rounds, Turn};

const TURN: Duration = Duration::from_millis(50);
const ROUNDS: Rounds = Rounds { most: 9, least: 5, patience: Duration::from_secs(5) };

/// Ours, in results; and ours on all cores.
const OURS: &str = "deepq";
const OURS_IN_THREADS: &str = "deepq, threads";

/// One form of one package on one environment.
#[derive(Debug, Serialize)]
struct FormResult {
    engine: &'static str,
    /// What follows the environment's id in the form's name.
    form: String,
    copies: usize,
    median_ns: f64,
    least_ns: f64,
    /// How many times as long it took as ours of the same kind: a single environment beside a single one, several
    /// beside [`COPIES`]. The median over rounds, and their quartiles.
    ratio: f64,
    ratio_quartiles: [f64; 2],
    /// The environment's name in that package, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
}

#[derive(Debug, Serialize)]
struct EnvResult {
    env: String,
    rounds: usize,
    forms: Vec<FormResult>,
    /// What could not be measured, and why.
    not_available: Map<String, Value>,
}

/// Measures the environments that are named in `arguments`, or all. The other arguments say with which Python the
/// other packages are run, or why they are not: see [`Prepared`].
pub(crate) fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let prepared = Prepared::of(arguments)?;
    let ids = chosen(&prepared.ids)?;
    let core = process::last_core();
    match core {
        Some(core) => println!("all run on core {core}, in turn; only what has threads runs on all cores"),
        None => println!("there is no taskset: all have one thread, but the system chooses their core"),
    }
    let mut peers = Peers::start(&prepared, &ids, core)?;
    let mut results = vec![];
    for id in &ids {
        let result = measure(id, &mut peers)?;
        print!("{}", lines(&result));
        results.push(result);
    }
    let goals = goals::verdicts(&results);
    for goal in &goals {
        println!("{}", goal.line());
    }
    if !prepared.ids.is_empty() {
        println!("not written to benches/results/envs.json: only a run of all environments is");
        return Ok(());
    }
    let result = json!({
        "versions": peers.versions(), "one_core": core.is_some(), "not_available": peers.not_available,
        "envs": results, "goals": goals,
    });
    Ok(write_result("envs", "cargo xtask bench envs", result)?)
}

/// Answers as one of the processes that are compared: with a number of threads, of what works in threads.
pub(crate) fn serve(threads: Option<&str>) -> Result<(), Box<dyn Error>> {
    server::run(threads.map(str::parse).transpose()?)
}

fn chosen(names: &[String]) -> Result<Vec<&'static str>, String> {
    let all: Vec<&'static str> = deepq::envs::ids().map(|(id, _)| id).collect();
    match names.iter().find(|name| !all.contains(&name.as_str())) {
        Some(unknown) => {
            Err(format!("bench envs: there is no environment `{unknown}`; there are {}", all.join(", ")))
        }
        None if names.is_empty() => Ok(all),
        None => Ok(all.into_iter().filter(|id| names.iter().any(|name| name == id)).collect()),
    }
}

/// All forms of the environment `id`, in turn.
fn measure(id: &str, peers: &mut Peers) -> Result<EnvResult, Box<dyn Error>> {
    let (mut turns, mut not_available) = (vec![], Map::new());
    for (number, (name, engine)) in peers.engines.iter_mut().enumerate() {
        for (form, steps) in engine.forms()? {
            if form.split(':').next() != Some(id) {
                continue;
            }
            match Turn::lasting(TURN, number, name, engine, (form.clone(), steps)) {
                Ok(turn) => turns.push(turn),
                // Ours must run; of others it is a result that they do not.
                Err(error) if [OURS, OURS_IN_THREADS].contains(name) => return Err(error),
                Err(error) => {
                    not_available.insert(format!("{name} {}", kind_of(&form)), json!(error.to_string()));
                }
            }
        }
    }
    let rounds = ROUNDS.measure(&mut peers.engines, &turns)?;
    let called = |turn: &Turn| peers.engines[turn.engine].1.greeting["called"][&turn.form].as_str();
    let forms = (0..turns.len()).map(|number| FormResult {
        called: called(&turns[number]).map(str::to_owned),
        ..summarize(id, &turns, &rounds, number)
    });
    Ok(EnvResult { env: id.to_owned(), rounds: rounds.len(), forms: forms.collect(), not_available })
}

/// What follows the id in a form's name.
fn kind_of(form: &str) -> &str {
    form.rsplit(':').next().unwrap_or(form)
}

/// How many copies a kind steps together: the number it ends in.
fn copies_of(kind: &str) -> usize {
    kind.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn summarize(id: &str, turns: &[Turn], rounds: &[Vec<f64>], number: usize) -> FormResult {
    let turn = &turns[number];
    let kind = kind_of(&turn.form);
    let beside = server::form(id, if copies_of(kind) == 1 { Kind::Loop } else { Kind::Vector(COPIES) });
    let ours = turns.iter().position(|turn| turn.name == OURS && turn.form == beside);
    let ns: Vec<f64> = rounds.iter().map(|times| 1e9 * times[number]).collect();
    // Against ours of the same round, as the machine may be faster in one round than in another.
    let ratios: Vec<f64> =
        rounds.iter().filter_map(|times| ours.map(|ours| times[number] / times[ours])).collect();
    let quartile = |percent| statistics::percentile(&ratios, percent).unwrap_or(f64::NAN);
    FormResult {
        engine: turn.name,
        form: kind.to_owned(),
        copies: copies_of(kind),
        median_ns: statistics::median(&ns).unwrap_or(f64::NAN),
        least_ns: ns.iter().copied().fold(f64::INFINITY, f64::min),
        ratio: quartile(50.0),
        ratio_quartiles: [quartile(25.0), quartile(75.0)],
        called: None,
    }
}

fn lines(result: &EnvResult) -> String {
    let mut lines = format!(
        "\n{}: {} rounds\n{:24} {:>12} {:>12} {:>10}  quartiles\n",
        result.env, result.rounds, "", "median ns", "least ns", "ratio"
    );
    for form in &result.forms {
        lines += &format!(
            "{:24} {:12.1} {:12.1} {:10.2}  {:.2}–{:.2}\n",
            format!("{} {}", form.engine, form.form),
            form.median_ns,
            form.least_ns,
            form.ratio,
            form.ratio_quartiles[0],
            form.ratio_quartiles[1]
        );
    }
    for (what, why) in &result.not_available {
        lines += &format!("{what}: not available: {}\n", why.as_str().unwrap_or_default());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_environment_is_set_beside_one_and_many_beside_many() {
        let turn = |name, form: &str| Turn { engine: 0, name, form: format!("X:{form}"), calls: 1, steps: 1 };
        let turns = [
            turn(OURS, "loop"),
            turn(OURS, "vector-64"),
            turn("Gymnasium", "own-loop"),
            turn("gymnax", "scan-1"),
            turn("gymnax", "scan-1024"),
        ];
        // The machine is three times as slow in the second round.
        let once = [2e-9, 1e-9, 60e-9, 8e-9, 5e-9];
        let rounds = [once.to_vec(), once.map(|time| 3.0 * time).to_vec(), once.to_vec()];
        let forms: Vec<_> = (0..5).map(|number| summarize("X", &turns, &rounds, number)).collect();
        let near = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 1e-12;
        for (form, (ratio, copies)) in
            forms.iter().zip([(1.0, 1), (1.0, 64), (30.0, 1), (4.0, 1), (5.0, 1024)])
        {
            assert!(near(form.ratio, ratio) && form.copies == copies, "{form:?}");
        }
        assert!(near(forms[2].median_ns, 60.0) && forms[2].form == "own-loop", "{:?}", forms[2]);
    }

    #[test]
    fn environments_are_chosen_by_id() {
        let chosen = |names: &[&str]| chosen(&names.iter().map(|name| (*name).into()).collect::<Vec<_>>());
        assert_eq!(chosen(&[]).unwrap().len(), deepq::envs::ids().count());
        assert_eq!(chosen(&["Taxi-v4", "CartPole-v1"]).unwrap(), ["CartPole-v1", "Taxi-v4"]);
        assert!(chosen(&["Pong"]).is_err_and(|error| error.contains("`Pong`") && error.contains("Taxi-v4")));
    }
}
