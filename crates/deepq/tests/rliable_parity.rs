//! `deepq::statistics` against NumPy, SciPy and rliable: `fixtures/rliable/statistics.json`, which `make.py` beside
//! it makes.

use deepq::statistics::{
    StratifiedBootstrap, average_performance_profile, interquartile_mean, interquartile_mean_over_tasks,
    mean, median, percentile, performance_profile, probability_of_improvement, standard_deviation,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    resamples: usize,
    repetitions: u64,
    confidence: f64,
    resamples_compared: usize,
    percents: Vec<f64>,
    samples: Vec<Sample>,
    tables: Vec<Table>,
    pairs: Vec<Pair>,
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
    profile: Profile,
    average_profile: Profile,
}

#[derive(Deserialize)]
struct Profile {
    thresholds: Vec<f64>,
    shares: Vec<f64>,
    interval: CurveInterval,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    x_by_task: Vec<Vec<f64>>,
    y_by_task: Vec<Vec<f64>>,
    probability_of_improvement: f64,
    /// Where chance decides it.
    interval: Option<Interval>,
}

/// As [`Interval`], for each threshold: all low ends, then all high ends.
#[derive(Deserialize)]
struct CurveInterval {
    mean: [Vec<f64>; 2],
    standard_deviation: [Vec<f64>; 2],
}

/// Both ends of rliable's interval: mean and standard deviation over its repetitions.
#[derive(Deserialize)]
struct Interval {
    mean: [f64; 2],
    standard_deviation: [f64; 2],
}

impl Interval {
    fn width(&self) -> f64 {
        self.mean[1] - self.mean[0]
    }
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
        let over_tasks = interquartile_mean_over_tasks(&table.scores_by_task);
        assert_close(over_tasks, table.interquartile_mean, &table.name);
        assert_eq!(over_tasks, interquartile_mean(&scores));
        assert_close(mean(&scores), table.mean, &table.name);
    }
}

#[test]
fn performance_profiles_are_theirs() {
    for Table { name, scores_by_task, profile, average_profile, .. } in fixture().tables {
        let above_all = *profile.thresholds.last().unwrap();
        let is_a_score = |threshold: &&f64| scores_by_task.concat().contains(*threshold);
        assert!(profile.thresholds.iter().filter(is_a_score).count() >= 2, "equal is not above: {name}");
        let ours = performance_profile(&scores_by_task, &profile.thresholds).unwrap();
        let averages = average_performance_profile(&scores_by_task, &average_profile.thresholds).unwrap();
        assert_eq!((ours[0], ours[ours.len() - 1]), (1.0, 0.0), "from below all scores to {above_all}");
        for (ours, theirs) in [(ours, profile.shares), (averages, average_profile.shares)] {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_close(Some(*ours), theirs, &name));
        }
    }
}

#[test]
fn probabilities_of_improvement_are_theirs() {
    let pairs = fixture().pairs;
    assert!(pairs.len() >= 5);
    for Pair { name, x_by_task, y_by_task, probability_of_improvement: theirs, .. } in pairs {
        assert_close(probability_of_improvement(&x_by_task, &y_by_task), theirs, &name);
        let other_way = probability_of_improvement(&y_by_task, &x_by_task);
        assert_close(other_way, 1.0 - theirs, &name);
    }
}

/// The draws differ, so the ends agree only up to their Monte-Carlo error. Averaged over `REPETITIONS` seeds of
/// ours and the fixture's repetitions, the difference has the standard error σ·√(1/ours + 1/theirs), where σ is
/// the measured standard deviation of one interval's end; four of those are allowed, about 1 % of the width of
/// the interval.
const REPETITIONS: u64 = 4;

/// Our interval, its ends averaged over the seeds.
fn averaged(
    fixture: &Fixture,
    resamples: usize,
    interval: impl Fn(StratifiedBootstrap) -> (f64, f64),
) -> [f64; 2] {
    let mut ours = [0.0; 2];
    for seed in 0..REPETITIONS {
        let (low, high) = interval(StratifiedBootstrap { resamples, confidence: fixture.confidence, seed });
        ours[0] += low / REPETITIONS as f64;
        ours[1] += high / REPETITIONS as f64;
    }
    ours
}

/// How far an end may be from theirs.
fn allowed(fixture: &Fixture, deviation: f64) -> f64 {
    let errors = 1.0 / REPETITIONS as f64 + 1.0 / fixture.repetitions as f64;
    4.0 * deviation * errors.sqrt() + 1e-9
}

/// `coarsest` is how much may be allowed before the comparison tells nothing.
#[track_caller]
fn assert_interval(fixture: &Fixture, ours: [f64; 2], theirs: &Interval, coarsest: f64, what: &str) {
    for ((ours, end), deviation) in ours.iter().zip(theirs.mean).zip(theirs.standard_deviation) {
        let allowed = allowed(fixture, deviation);
        assert!(allowed <= coarsest + 1e-9, "the fixture is too coarse to tell anything: {what}");
        assert!((ours - end).abs() <= allowed, "{what}: {ours}, but rliable's is {end} ± {allowed}");
    }
}

#[test]
fn bootstrap_intervals_are_theirs() {
    let fixture = fixture();
    for table in &fixture.tables {
        let statistics: [(&str, Statistic, &Interval); 2] = [
            ("interquartile mean", interquartile_mean, &table.interquartile_mean_interval),
            ("mean", mean, &table.mean_interval),
        ];
        for (name, statistic, theirs) in statistics {
            let ours = averaged(&fixture, fixture.resamples, |bootstrap| {
                bootstrap.interval(&table.scores_by_task, statistic).expect("scores")
            });
            assert_interval(
                &fixture,
                ours,
                theirs,
                0.02 * theirs.width(),
                &format!("{name} of {}", table.name),
            );
        }
    }
}

#[test]
fn intervals_of_improvement_are_theirs() {
    let fixture = fixture();
    let mut compared = 0;
    for pair in &fixture.pairs {
        let Some(theirs) = &pair.interval else { continue };
        compared += 1;
        let ours = averaged(&fixture, fixture.resamples_compared, |bootstrap| {
            let (x, y) = (&pair.x_by_task, &pair.y_by_task);
            bootstrap.interval_of_two(x, y, probability_of_improvement).expect("scores")
        });
        assert_interval(&fixture, ours, theirs, 0.03 * theirs.width(), &pair.name);
    }
    assert!(compared >= 3);
}

/// A share is a whole number of runs, and where the end lies just between two of these it falls now on the one and
/// now on the other; no end may be a whole run off.
#[test]
fn intervals_of_profiles_are_theirs() {
    type ProfileOf = fn(&[Vec<f64>], &[f64]) -> Option<Vec<f64>>;
    let fixture = fixture();
    for table in &fixture.tables {
        let tasks = table.scores_by_task.len();
        let runs = table.scores_by_task.concat().len();
        let profiles: [(ProfileOf, &Profile, usize); 2] = [
            (performance_profile, &table.profile, runs),
            (average_performance_profile, &table.average_profile, tasks),
        ];
        for (profile, theirs, steps) in profiles {
            let ours: Vec<Vec<(f64, f64)>> = (0..REPETITIONS)
                .map(|seed| {
                    let (resamples, confidence) = (fixture.resamples_compared, fixture.confidence);
                    let bootstrap = StratifiedBootstrap { resamples, confidence, seed };
                    let profile = |scores: &[Vec<f64>]| profile(scores, &theirs.thresholds);
                    bootstrap.intervals(&table.scores_by_task, profile).expect("scores")
                })
                .collect();
            for (index, threshold) in theirs.thresholds.iter().enumerate() {
                let mean = |end: fn(&(f64, f64)) -> f64| {
                    ours.iter().map(|ends| end(&ends[index])).sum::<f64>() / REPETITIONS as f64
                };
                let interval = Interval {
                    mean: [0, 1].map(|end| theirs.interval.mean[end][index]),
                    standard_deviation: [0, 1].map(|end| theirs.interval.standard_deviation[end][index]),
                };
                let what = format!("{} above {threshold}", table.name);
                let ours = [mean(|ends| ends.0), mean(|ends| ends.1)];
                assert_interval(&fixture, ours, &interval, 1.0 / steps as f64, &what);
            }
        }
    }
}
