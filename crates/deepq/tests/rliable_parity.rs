//! `deepq::statistics` against NumPy, SciPy and rliable: `fixtures/rliable/statistics.json`, which `make.py` beside
//! it makes.

use deepq::statistics::{
    StratifiedBootstrap, interquartile_mean, mean, median, percentile, standard_deviation,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    resamples: usize,
    repetitions: u64,
    confidence: f64,
    percents: Vec<f64>,
    samples: Vec<Sample>,
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Sample {
    values: Vec<f64>,
    mean: f64,
    standard_deviation: f64,
    interquartile_mean: f64,
    percentiles: Vec<f64>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    scores_by_task: Vec<Vec<f64>>,
    interquartile_mean: f64,
    mean: f64,
    interquartile_mean_interval: Interval,
    mean_interval: Interval,
}

/// Both ends of rliable's interval: mean and standard deviation over its repetitions.
#[derive(Deserialize)]
struct Interval {
    mean: [f64; 2],
    standard_deviation: [f64; 2],
}

type Statistic = fn(&[f64]) -> Option<f64>;

fn fixture() -> Fixture {
    let text = include_str!("../../../fixtures/rliable/statistics.json");
    serde_json::from_str(text).expect("the fixture is what make.py writes")
}

#[track_caller]
fn assert_close(ours: Option<f64>, theirs: f64, what: &str) {
    let ours = ours.expect(what);
    assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{what}: {ours}, but theirs is {theirs}");
}

#[test]
fn statistics_of_a_sample_are_theirs() {
    let fixture = fixture();
    assert!(fixture.samples.len() >= 17 && fixture.percents.len() >= 8);
    for sample in &fixture.samples {
        let values = &sample.values;
        let what = |name: &str| format!("{name} of {values:?}");
        assert_close(mean(values), sample.mean, &what("mean"));
        assert_close(standard_deviation(values), sample.standard_deviation, &what("standard deviation"));
        assert_close(interquartile_mean(values), sample.interquartile_mean, &what("interquartile mean"));
        for (percent, theirs) in fixture.percents.iter().zip(&sample.percentiles) {
            assert_close(percentile(values, *percent), *theirs, &what(&format!("{percent}th percentile")));
            if *percent == 50.0 {
                assert_close(median(values), *theirs, &what("median"));
            }
        }
    }
}

#[test]
fn statistics_over_tasks_are_theirs() {
    for table in fixture().tables {
        let scores = table.scores_by_task.concat();
        assert_close(interquartile_mean(&scores), table.interquartile_mean, &table.name);
        assert_close(mean(&scores), table.mean, &table.name);
    }
}

/// The draws differ, so the ends agree only up to their Monte-Carlo error. Averaged over `REPETITIONS` seeds of
/// ours and the fixture's repetitions, the difference has the standard error σ·√(1/ours + 1/theirs), where σ is
/// the measured standard deviation of one interval's end; four of those are allowed, about 1 % of the width of
/// the interval.
#[test]
fn bootstrap_intervals_are_theirs() {
    const REPETITIONS: u64 = 4;
    let fixture = fixture();
    for table in &fixture.tables {
        let statistics: [(&str, Statistic, &Interval); 2] = [
            ("interquartile mean", interquartile_mean, &table.interquartile_mean_interval),
            ("mean", mean, &table.mean_interval),
        ];
        for (name, statistic, theirs) in statistics {
            let mut ours = [0.0; 2];
            for seed in 0..REPETITIONS {
                let bootstrap = StratifiedBootstrap {
                    resamples: fixture.resamples,
                    confidence: fixture.confidence,
                    seed,
                };
                let (low, high) = bootstrap.interval(&table.scores_by_task, statistic).expect("scores");
                ours[0] += low / REPETITIONS as f64;
                ours[1] += high / REPETITIONS as f64;
            }
            let errors = 1.0 / REPETITIONS as f64 + 1.0 / fixture.repetitions as f64;
            let width = theirs.mean[1] - theirs.mean[0];
            for ((ours, theirs), deviation) in ours.iter().zip(theirs.mean).zip(theirs.standard_deviation) {
                let allowed = 4.0 * deviation * errors.sqrt() + 1e-9;
                assert!(allowed < 0.02 * width, "the fixture is too coarse to tell anything: {}", table.name);
                let found = format!("{ours}, but rliable's is {theirs} ± {allowed}");
                assert!((ours - theirs).abs() <= allowed, "{name} of {}: {found}", table.name);
            }
        }
    }
}
