//! `cargo xtask bench peers`: the same gradient steps in PyTorch and JAX, beside ours, in turn, on one core.

mod data;
mod server;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deepq::statistics;
use deepq_cpu::InstructionSet;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) use self::server::run as serve;
use crate::machine::write_result;
use crate::networks::{CASES, Case};
use crate::process::{self, Engine};
use crate::rounds::{Rounds, Turn, turns_of};

const TURN: Duration = Duration::from_millis(150);
const ROUNDS: Rounds = Rounds { most: 31, least: 5, patience: Duration::from_secs(60) };

/// The engines by their names in the results, ours first.
const OURS: &str = "deepq";
const PYTORCH: &str = "PyTorch";
const JAX: &str = "JAX";

/// One form of one engine on one network.
#[derive(Debug, Serialize)]
struct FormResult {
    engine: &'static str,
    form: String,
    median_us: f64,
    least_us: f64,
    /// Of the losses of the compared steps, relative to ours.
    greatest_loss_difference: f64,
    /// How many times as long as ours it took: the median over rounds, and their quartiles.
    ratio: f64,
    ratio_quartiles: [f64; 2],
}

/// One network's comparison.
#[derive(Debug, Serialize)]
struct NetworkResult {
    network: &'static str,
    shape: &'static str,
    batch_size: usize,
    rounds: usize,
    forms: Vec<FormResult>,
    goal_pytorch: f64,
    goal_jax: f64,
}

/// Where things are and what to run them with.
struct Place {
    python: PathBuf,
    program: PathBuf,
    scripts: PathBuf,
    data: PathBuf,
    core: Option<usize>,
}

/// Compares on the networks that are named, or on all.
pub(crate) fn run(python: &str, names: &[String]) -> Result<(), Box<dyn Error>> {
    let cases = chosen(names)?;
    let program = std::env::current_exe()?;
    let place = Place {
        python: PathBuf::from(python),
        scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"),
        data: program.with_file_name("bench-peers-data"),
        core: process::last_core(),
        program,
    };
    match place.core {
        Some(core) => println!("every engine runs on core {core}, in turn"),
        None => println!("there is no taskset: engines have one thread, but the system chooses their core"),
    }
    let (mut results, mut versions) = (vec![], Map::new());
    for case in cases {
        match compare(case, &place, &mut versions)? {
            Ok(result) => {
                print!("{}", lines(&result));
                results.push(serde_json::to_value(&result)?);
            }
            Err(why) => {
                println!("{} {}: not available: {why}", case.name, case.shape);
                results.push(json!({ "network": case.name, "shape": case.shape, "not_available": why }));
            }
        }
    }
    if !names.is_empty() {
        println!("not written to benches/results/peers.json: only a run of all networks is");
        return Ok(());
    }
    let pinned = place.core.is_some();
    let result = json!({ "versions": versions, "one_core": pinned, "networks": results });
    Ok(write_result("peers", "cargo xtask bench peers", result)?)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Case>, String> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let case = |name: &String| {
        Case::named(name).ok_or(format!("bench peers: there is no network `{name}`; there are A, B, C, D, E"))
    };
    names.iter().map(case).collect()
}

/// The outer error stops everything; the inner one says that our engine has not got the network.
fn compare(
    case: &'static Case,
    place: &Place,
    versions: &mut Map<String, Value>,
) -> Result<Result<NetworkResult, String>, Box<dyn Error>> {
    if let Err(not_available) = case.network(InstructionSet::from_environment()?, 1) {
        return Ok(Err(not_available.0));
    }
    let folder = place.data.join(case.name);
    data::write(case, &folder)?;
    let mut engines = start(case, place, &folder)?;
    for (_, engine) in &engines {
        versions.extend(engine.greeting["versions"].as_object().cloned().unwrap_or_default());
    }
    let differences = check(&mut engines, case.most_loss_difference)?;
    let mut turns = vec![];
    for (number, (name, engine)) in engines.iter_mut().enumerate() {
        turns.extend(turns_of(number, name, engine, TURN)?);
    }
    let rounds = ROUNDS.measure(&mut engines, &turns)?;
    Ok(Ok(summarize(case, &turns, &differences, rounds)))
}

fn start(case: &Case, place: &Place, folder: &Path) -> Result<Vec<(&'static str, Engine)>, Box<dyn Error>> {
    let script = |name: &str| place.scripts.join(name);
    let (torch, jax) = (script("step_torch.py"), script("step_jax.py"));
    let ours = [Path::new("step-server"), Path::new(case.name)];
    Ok(vec![
        (OURS, Engine::start(OURS, &place.program, &ours, place.core)?),
        (PYTORCH, Engine::start(PYTORCH, &place.python, &[&torch, folder], place.core)?),
        (JAX, Engine::start(JAX, &place.python, &[&jax, folder], place.core)?),
    ])
}

/// The greatest relative difference of each form's losses from ours.
///
/// # Errors
/// Where one is too great: times of programs that do different things are not compared.
fn check(engines: &mut [(&'static str, Engine)], most: f64) -> Result<Vec<f64>, Box<dyn Error>> {
    let (mut ours, mut differences) = (None, vec![]);
    for (name, engine) in engines {
        for (form, _) in engine.forms()? {
            let losses = engine.losses(&form)?;
            let ours = ours.get_or_insert_with(|| losses.clone());
            differences
                .push(difference(ours, &losses, most).map_err(|what| format!("{name} ({form}): {what}"))?);
        }
    }
    Ok(differences)
}

fn difference(ours: &[f64], theirs: &[f64], most: f64) -> Result<f64, String> {
    if ours.is_empty() || ours.len() != theirs.len() {
        return Err(format!("{} losses, ours are {}", theirs.len(), ours.len()));
    }
    let mut greatest = 0.0f64;
    for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let relative = ((theirs - ours) / ours).abs();
        if relative.is_nan() || relative > most {
            return Err(format!(
                "its loss in step {step} is {theirs}, ours {ours}: they may differ by {most} at the \
                 most, so the same is not computed and times are not compared"
            ));
        }
        greatest = greatest.max(relative);
    }
    Ok(greatest)
}

fn summarize(
    case: &'static Case,
    turns: &[Turn],
    differences: &[f64],
    rounds: Vec<Vec<f64>>,
) -> NetworkResult {
    let forms = turns.iter().enumerate().map(|(number, turn)| {
        let rounds_us: Vec<f64> = rounds.iter().map(|times| 1e6 * times[number]).collect();
        // Against ours of the same round, as the machine may be faster in one round than in another.
        let ratios: Vec<f64> = rounds.iter().map(|times| times[number] / times[0]).collect();
        let quartile = |percent| statistics::percentile(&ratios, percent).unwrap_or(f64::NAN);
        FormResult {
            engine: turn.name,
            form: turn.form.clone(),
            median_us: statistics::median(&rounds_us).unwrap_or(f64::NAN),
            least_us: rounds_us.iter().copied().fold(f64::INFINITY, f64::min),
            greatest_loss_difference: differences[number],
            ratio: quartile(50.0),
            ratio_quartiles: [quartile(25.0), quartile(75.0)],
        }
    });
    let Case { name, shape, batch_size, goal_pytorch, goal_jax, .. } = *case;
    NetworkResult {
        network: name,
        shape,
        batch_size,
        rounds: rounds.len(),
        forms: forms.collect(),
        goal_pytorch,
        goal_jax,
    }
}

fn lines(result: &NetworkResult) -> String {
    let mut lines = format!(
        "\n{} {}, batch {}: {} rounds\n{:16} {:>12} {:>12} {:>10}  quartiles      goal  loss differs by\n",
        result.network, result.shape, result.batch_size, result.rounds, "", "median µs", "least µs", "ratio"
    );
    let best_jax = least_ratio(result, JAX);
    for form in &result.forms {
        let goal = match form.engine {
            PYTORCH => format!("≥ {}", result.goal_pytorch),
            JAX if Some(form.ratio) == best_jax => format!("≥ {}", result.goal_jax),
            _ => String::new(),
        };
        lines += &format!(
            "{:16} {:12.2} {:12.2} {:10.2}  {:.2}–{:.2} {goal:>9}  {:.1e}\n",
            format!("{} {}", form.engine, form.form),
            form.median_us,
            form.least_us,
            form.ratio,
            form.ratio_quartiles[0],
            form.ratio_quartiles[1],
            form.greatest_loss_difference
        );
    }
    lines
}

/// Of the forms of an engine, the ratio of the fastest.
fn least_ratio(result: &NetworkResult, engine: &str) -> Option<f64> {
    let forms = result.forms.iter().filter(|form| form.engine == engine);
    forms.map(|form| form.ratio).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_must_agree() {
        let ours = [0.5, 0.4];
        assert_eq!(difference(&ours, &ours, 1e-3), Ok(0.0));
        assert!((difference(&ours, &[0.5, 0.4002], 1e-3).unwrap() - 5e-4).abs() < 1e-9);
        let error = difference(&ours, &[0.5, 0.401], 1e-3).unwrap_err();
        assert!(error.contains("step 1 is 0.401"), "{error}");
        for wrong in [&[0.5, f64::NAN][..], &[0.5], &[]] {
            assert!(difference(&ours, wrong, 1e-3).is_err(), "{wrong:?}");
        }
        assert!(difference(&[], &[], 1e-3).is_err());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let turn = |name, form: &str| Turn { engine: 0, name, form: form.into(), calls: 1, steps: 1 };
        let turns = [turn(OURS, "step"), turn(JAX, "jit"), turn(JAX, "scan")];
        // The machine is three times as slow in the second round.
        let rounds = vec![vec![1.0, 4.0, 2.0], vec![3.0, 12.0, 6.0], vec![1.0, 4.0, 2.0]];
        let result = summarize(&CASES[0], &turns, &[0.0; 3], rounds);
        assert_eq!(result.forms.iter().map(|form| form.ratio).collect::<Vec<_>>(), [1.0, 4.0, 2.0]);
        assert_eq!(result.forms[1].ratio_quartiles, [4.0, 4.0]);
        assert_eq!(result.forms[1].median_us, 4e6, "rounds are in seconds");
        assert_eq!(least_ratio(&result, JAX), Some(2.0));
        let text = lines(&result);
        let goals: Vec<&str> = text.lines().filter(|line| line.contains('≥')).collect();
        assert!(goals.len() == 1 && goals[0].starts_with("JAX scan"), "{text}");
    }

    #[test]
    fn networks_are_chosen_by_name() {
        let names = |names: &[&str]| chosen(&names.iter().map(|name| (*name).into()).collect::<Vec<_>>());
        assert_eq!(names(&["b", "E"]).unwrap().iter().map(|case| case.name).collect::<Vec<_>>(), ["B", "E"]);
        assert_eq!(names(&[]).unwrap().len(), 5);
        assert!(names(&["F"]).is_err_and(|error| error.contains("`F`")));
    }
}
