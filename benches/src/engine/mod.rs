//! `cargo xtask bench engine`: µs of one gradient step on the CPU engine, and their distance to the processor's limit.

mod measure;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use deepq::network::{Parameters, QNetwork};
use deepq::{ObservationBuffer, RandomStream};
use deepq_cpu::{InstructionSet, peak_flops};
use serde::Serialize;
use serde_json::json;

use self::measure::{PARTS, Stopwatch, Watched, time};
use crate::machine::write_result;
use crate::networks::{CASES, Case, GOAL_AVX2_SHARE, NotAvailable, Training, huber};

const STEP_PATIENCE: Duration = Duration::from_millis(2_000);
const PARTS_PATIENCE: Duration = Duration::from_millis(1_000);
const FORWARD_PATIENCE: Duration = Duration::from_millis(300);
const FORWARD_BATCHES: [usize; 2] = [1, 64];

/// One gradient step of one network on one instruction set.
#[derive(Debug, Serialize)]
struct StepRow {
    network: &'static str,
    shape: &'static str,
    batch_size: usize,
    instruction_set: &'static str,
    threads: usize,
    #[serde(flatten)]
    outcome: StepOutcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum StepOutcome {
    NotAvailable { not_available: String },
    Measured(Measured),
}

#[derive(Debug, Serialize)]
struct Measured {
    median_us: f64,
    least_us: f64,
    steps_timed: usize,
    gflops: f64,
    /// Of the peak of the same instruction set on as many cores.
    share_of_own_peak: f64,
    /// Of the peak of this processor's best set on as many cores.
    share_of_best_peak: f64,
    /// µs that are aimed at on the core that the goals were set for.
    goal_us: Option<f64>,
    /// The goal as a share of the peak.
    goal_share: Option<f64>,
    /// Whether the share of the peak is at least the goal's.
    reached: Option<bool>,
    /// µs of each of [`PARTS`].
    parts_us: [f64; PARTS.len()],
}

/// µs of a forward pass for batches of [`FORWARD_BATCHES`].
#[derive(Debug, Serialize)]
struct ForwardRow {
    network: &'static str,
    instruction_set: &'static str,
    median_us: [f64; FORWARD_BATCHES.len()],
    least_us: [f64; FORWARD_BATCHES.len()],
}

/// What is to be measured.
#[derive(Debug, PartialEq)]
struct Filter {
    networks: Vec<&'static str>,
    sets: Vec<InstructionSet>,
}

impl Filter {
    /// Names of networks and of instruction sets, in any order; of what none is named, all are taken.
    fn parse(names: &[String]) -> Result<Self, String> {
        let mut filter = Self { networks: vec![], sets: vec![] };
        for name in names {
            match (Case::named(name), name.parse::<InstructionSet>()) {
                (Some(case), _) => filter.networks.push(case.name),
                (_, Ok(set)) if set.is_supported() => filter.sets.push(set),
                (_, Ok(set)) => return Err(format!("this processor has no {set}")),
                _ => {
                    let sets = InstructionSet::supported().iter().map(|set| set.name()).collect::<Vec<_>>();
                    return Err(format!(
                        "bench engine: `{name}` is neither a network (A, B, C, D, E) nor an instruction set of \
                         this processor ({})",
                        sets.join(", ")
                    ));
                }
            }
        }
        if filter.networks.is_empty() {
            filter.networks = CASES.iter().map(|case| case.name).collect();
        }
        if filter.sets.is_empty() {
            filter.sets = InstructionSet::supported();
        }
        Ok(filter)
    }
}

/// Peaks of one core, in operations a second.
struct Peaks(Vec<(InstructionSet, f64)>);

impl Peaks {
    fn measure() -> Self {
        Self(InstructionSet::supported().into_iter().map(|set| (set, peak_flops(set))).collect())
    }

    fn of(&self, wanted: InstructionSet) -> f64 {
        self.0.iter().find(|(set, _)| *set == wanted).map_or(f64::NAN, |(_, peak)| *peak)
    }

    fn best(&self) -> f64 {
        self.0.iter().map(|(_, peak)| *peak).fold(f64::NAN, f64::max)
    }
}

pub(crate) fn run(names: &[String]) -> Result<(), Box<dyn Error>> {
    let filter = Filter::parse(names)?;
    let peaks = Peaks::measure();
    for (set, peak) in &peaks.0 {
        println!("peak of one core with {set}: {:.1} GFLOP/s", peak / 1e9);
    }
    let chosen = || CASES.iter().filter(|case| filter.networks.contains(&case.name));
    println!("\n{}", step_header());
    let mut steps = vec![];
    for case in chosen() {
        for threads in case.threads {
            for set in &filter.sets {
                let row = step_row(case, *set, *threads, &peaks);
                println!("{}", step_line(&row));
                steps.push(row);
            }
        }
    }
    println!("\n{}", parts_header());
    steps.iter().filter_map(parts_line).for_each(|line| println!("{line}"));
    println!("\nforward pass, µs: median (least)        batch {FORWARD_BATCHES:?}");
    let mut forwards = vec![];
    for case in chosen() {
        for set in &filter.sets {
            forwards.extend(forward_row(case, *set).inspect(|row| println!("{}", forward_line(row))));
        }
    }
    if !names.is_empty() {
        println!("\nnot written to benches/results/engine.json: only a run of everything is");
        return Ok(());
    }
    let peak_gflops: serde_json::Map<String, serde_json::Value> =
        peaks.0.iter().map(|(set, peak)| (set.name().to_owned(), json!(peak / 1e9))).collect();
    let result = json!({
        "peak_gflops": peak_gflops, "parts": PARTS, "forward_batches": FORWARD_BATCHES,
        "steps": steps, "forwards": forwards,
    });
    Ok(write_result("engine", "cargo xtask bench engine", result)?)
}

fn step_row(case: &Case, set: InstructionSet, threads: usize, peaks: &Peaks) -> StepRow {
    let outcome = match measure_step(case, set, threads, peaks) {
        Ok(measured) => StepOutcome::Measured(measured),
        Err(NotAvailable(not_available)) => StepOutcome::NotAvailable { not_available },
    };
    let (network, shape, batch_size) = (case.name, case.shape, case.batch_size);
    StepRow { network, shape, batch_size, instruction_set: set.name(), threads, outcome }
}

fn measure_step(
    case: &Case,
    set: InstructionSet,
    threads: usize,
    peaks: &Peaks,
) -> Result<Measured, NotAvailable> {
    let mut training = Training::new(case, Box::new(case.network(set, threads)?));
    let step = time(STEP_PATIENCE, || {
        training.step();
    });
    drop(training);
    let gflops = case.flops() / step.median_us / 1e3;
    let share = |peak: f64| 1e9 * gflops / (peak * threads as f64);
    let (own, best) = (share(peaks.of(set)), share(peaks.best()));
    let (goal_us, goal_share) = goals(case, set, threads);
    Ok(Measured {
        median_us: step.median_us,
        least_us: step.least_us,
        steps_timed: step.calls,
        gflops,
        share_of_own_peak: own,
        share_of_best_peak: best,
        goal_us,
        goal_share,
        reached: goal_share.map(|goal| own >= goal),
        parts_us: measure_parts(case, set, threads)?,
    })
}

/// The goal in µs and as a share of the set's own peak: they are set for one core.
fn goals(case: &Case, set: InstructionSet, threads: usize) -> (Option<f64>, Option<f64>) {
    match (set, threads) {
        (InstructionSet::Avx512, 1) => (Some(case.goal_us), Some(case.goal_share())),
        (InstructionSet::Avx2, 1) if ["B", "C", "D"].contains(&case.name) => (None, Some(GOAL_AVX2_SHARE)),
        _ => (None, None),
    }
}

fn measure_parts(
    case: &Case,
    set: InstructionSet,
    threads: usize,
) -> Result<[f64; PARTS.len()], NotAvailable> {
    let stopwatch = Arc::new(Stopwatch::new());
    let network: Box<dyn QNetwork> = Box::new(case.network(set, threads)?);
    let network = Watched::new(network, &stopwatch);
    let loss: Box<dyn deepq::loss::Loss> = Box::new(huber());
    let loss = Watched::new(loss, &stopwatch);
    let mut training = Training::with_loss(case, Box::new(network), Box::new(loss));
    Ok(stopwatch.parts_us(PARTS_PATIENCE, || {
        training.step();
    }))
}

/// None where the engine has no such network.
fn forward_row(case: &Case, set: InstructionSet) -> Option<ForwardRow> {
    let mut network = case.network(set, 1).ok()?;
    let times = FORWARD_BATCHES.map(|batch| {
        let mut observation = ObservationBuffer::zeros(case.spec().element, batch * case.spec().inputs());
        fill(&mut observation);
        let mut output = vec![0.0; batch * case.spec().outputs()];
        time(FORWARD_PATIENCE, || {
            network.forward(Parameters::Online, observation.as_observation(), &mut output);
        })
    });
    Some(ForwardRow {
        network: case.name,
        instruction_set: set.name(),
        median_us: times.map(|time| time.median_us),
        least_us: times.map(|time| time.least_us),
    })
}

fn fill(observation: &mut ObservationBuffer) {
    let mut stream = RandomStream::new(1, "observations", 0);
    match observation {
        ObservationBuffer::F32(values) => values.fill_with(|| 2.0 * stream.uniform_f32() - 1.0),
        ObservationBuffer::U8(bytes) => bytes.fill_with(|| stream.next_u32() as u8),
    }
}

fn step_header() -> String {
    "one gradient step    batch set      threads  median µs   least µs  GFLOP/s  own peak  best peak       goal"
        .to_owned()
}

fn name_columns(row: &StepRow) -> String {
    format!(
        "{} {:16} {:>5}  {:8} {:>7}",
        row.network, row.shape, row.batch_size, row.instruction_set, row.threads
    )
}

fn step_line(row: &StepRow) -> String {
    let measured = match &row.outcome {
        StepOutcome::NotAvailable { not_available } => {
            return format!("{}  not available: {not_available}", name_columns(row));
        }
        StepOutcome::Measured(measured) => measured,
    };
    let goal = match (measured.goal_us, measured.goal_share) {
        (Some(us), Some(share)) => format!("{us} µs, {:.0} %", 100.0 * share),
        (None, Some(share)) => format!("{:.0} %", 100.0 * share),
        _ => "–".to_owned(),
    };
    let verdict = match measured.reached {
        Some(true) => "reached",
        Some(false) => "missed",
        None => "",
    };
    format!(
        "{} {:10.2} {:10.2} {:8.1} {:7.1} % {:8.1} % {goal:>16} {verdict}",
        name_columns(row),
        measured.median_us,
        measured.least_us,
        measured.gflops,
        100.0 * measured.share_of_own_peak,
        100.0 * measured.share_of_best_peak,
    )
}

fn parts_header() -> String {
    format!("{:42}{}", "its parts, µs", PARTS.map(|part| format!("{part:>18}")).join(""))
}

fn parts_line(row: &StepRow) -> Option<String> {
    let StepOutcome::Measured(measured) = &row.outcome else { return None };
    let parts = measured.parts_us.map(|us| format!("{us:18.2}"));
    Some(format!("{:42}{}", name_columns(row), parts.join("")))
}

fn forward_line(row: &ForwardRow) -> String {
    let times: Vec<String> = row
        .median_us
        .iter()
        .zip(&row.least_us)
        .map(|(median, least)| format!("{median:12.3} ({least:.3})"))
        .collect();
    format!("{} {:24}{}", row.network, row.instruction_set, times.join(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str]) -> Result<Filter, String> {
        Filter::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn filters_name_networks_and_sets() {
        let filter = parse(&["d", "portable", "A"]).unwrap();
        assert_eq!(filter, Filter { networks: vec!["D", "A"], sets: vec![InstructionSet::Portable] });
        let all = parse(&[]).unwrap();
        assert_eq!((all.networks.len(), all.sets), (5, InstructionSet::supported()));
        let error = parse(&["avx3"]).unwrap_err();
        assert!(error.contains("`avx3`") && error.contains("portable"), "{error}");
    }

    #[test]
    fn what_the_engine_has_not_got_is_said_and_not_timed() {
        let (case, peaks) = (&CASES[0], Peaks(vec![]));
        let missing = InstructionSet::ALL.into_iter().find(|set| !set.is_supported()).unwrap();
        assert!(matches!(case.network(missing, 1), Err(NotAvailable(_))));
        let row = step_row(case, InstructionSet::Portable, 100_000, &peaks);
        assert!(step_line(&row).contains("not available"), "{}", step_line(&row));
        assert!(parts_line(&row).is_none());
        let json = serde_json::to_value(&row).unwrap();
        assert!(json["not_available"].is_string() && json["median_us"].is_null(), "{json}");
    }

    #[test]
    fn a_goal_is_judged_by_its_share_of_the_peak() {
        let case = Case::named("B").unwrap();
        let (us, share) = goals(case, InstructionSet::Avx512, 1);
        assert_eq!(us, Some(52.0));
        assert!((share.unwrap() - 0.8355).abs() < 1e-3, "{share:?}");
        assert_eq!(goals(case, InstructionSet::Avx2, 1), (None, Some(0.7)));
        assert_eq!(goals(&CASES[0], InstructionSet::Avx2, 1), (None, None));
        assert_eq!(goals(case, InstructionSet::Avx512, 2), (None, None));
    }
}
