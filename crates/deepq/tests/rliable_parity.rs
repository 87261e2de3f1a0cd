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
fn row_17_statistics_of_a_sample_are_theirs() {
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
fn row_17_statistics_over_tasks_are_theirs() {
    for table in fixture().tables {
        let scores = table.scores_by_task.concat();
        let over_tasks = interquartile_mean_over_tasks(&table.scores_by_task);
        assert_close(over_tasks, table.interquartile_mean, &table.name);
        assert_eq!(over_tasks, interquartile_mean(&scores));
        assert_close(mean(&scores), table.mean, &table.name);
    }
}

#[test]
fn row_17_performance_profiles_are_theirs() {
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
fn row_17_probabilities_of_improvement_are_theirs() {
    let pairs = fixture().pairs;
    assert!(pairs.len() >= 5);
    for Pair { name, x_by_task, y_by_task, probability_of_improvement: theirs, .. } in pairs {
        assert_close(probability_of_improvement(&x_by_task, &y_by_task), theirs, &name);
        let other_way = probability_of_improvement(&y_by_task, &x_by_task);
        assert_close(other_way, 1.0 - theirs, &name);
    }
}

/// How our intervals are compared with rliable's.
///
/// The draws differ, so the ends agree only up to their Monte-Carlo error. Averaged over `ours` seeds of ours and
/// `theirs` repetitions in the fixture, the difference has the standard error σ·√(1/ours + 1/theirs), where σ is
/// the measured standard deviation of one interval's end; four of those are allowed, which must be less than
/// `coarsest`, or the comparison would tell nothing.
struct Bootstraps {
    ours: u64,
    theirs: u64,
    resamples: usize,
    confidence: f64,
}

impl Bootstraps {
    /// As many resamples as for point estimates.
    fn many(fixture: &Fixture) -> Self {
        let Fixture { repetitions, resamples, confidence, .. } = *fixture;
        Self { ours: 4, theirs: repetitions, resamples, confidence }
    }

    /// As many as the fixture has of what compares two tables or is a curve.
    fn fewer(fixture: &Fixture) -> Self {
        Self { ours: 40, resamples: fixture.resamples_compared, ..Self::many(fixture) }
    }

    /// Our intervals, their ends averaged over the seeds.
    fn averaged(&self, intervals: impl Fn(StratifiedBootstrap) -> Vec<(f64, f64)>) -> Vec<[f64; 2]> {
        let mut averaged = vec![];
        for seed in 0..self.ours {
            let Self { resamples, confidence, .. } = *self;
            let drawn = intervals(StratifiedBootstrap { resamples, confidence, seed });
            averaged.resize(drawn.len(), [0.0; 2]);
            for (averaged, (low, high)) in averaged.iter_mut().zip(drawn) {
                averaged[0] += low / self.ours as f64;
                averaged[1] += high / self.ours as f64;
            }
        }
        averaged
    }

    /// For ends that are not on steps.
    #[track_caller]
    fn assert(&self, ours: [f64; 2], theirs: &Interval, coarsest: f64, what: &str) {
        self.assert_on_steps(ours, theirs, 0.0, coarsest, what);
    }

    /// For ends that are whole numbers of steps: one that lies just between two of them falls now on the one and now
    /// on the other, which a few repetitions may not show, so half a step is always allowed.
    #[track_caller]
    fn assert_on_steps(&self, ours: [f64; 2], theirs: &Interval, step: f64, coarsest: f64, what: &str) {
        let errors = 1.0 / self.ours as f64 + 1.0 / self.theirs as f64;
        for ((ours, end), deviation) in ours.iter().zip(theirs.mean).zip(theirs.standard_deviation) {
            let allowed = (4.0 * deviation * errors.sqrt()).max(step / 2.0) + 1e-9;
            assert!(allowed <= coarsest + 1e-9, "the fixture is too coarse to tell anything: {what}");
            assert!((ours - end).abs() <= allowed, "{what}: {ours}, but rliable's is {end} ± {allowed}");
        }
    }
}

#[test]
fn row_17_bootstrap_intervals_are_theirs() {
    let fixture = fixture();
    let bootstraps = Bootstraps::many(&fixture);
    for table in &fixture.tables {
        let statistics: [(&str, Statistic, &Interval); 2] = [
            ("interquartile mean", interquartile_mean, &table.interquartile_mean_interval),
            ("mean", mean, &table.mean_interval),
        ];
        for (name, statistic, theirs) in statistics {
            let ours = bootstraps.averaged(|bootstrap| {
                vec![bootstrap.interval(&table.scores_by_task, statistic).expect("scores")]
            });
            let what = format!("{name} of {}", table.name);
            bootstraps.assert(ours[0], theirs, 0.02 * theirs.width(), &what);
        }
    }
}

#[test]
fn row_17_intervals_of_improvement_are_theirs() {
    let fixture = fixture();
    let bootstraps = Bootstraps::fewer(&fixture);
    let mut compared = 0;
    for Pair { name, x_by_task, y_by_task, interval, .. } in &fixture.pairs {
        let Some(theirs) = interval else { continue };
        compared += 1;
        let ours = bootstraps.averaged(|bootstrap| {
            let interval = bootstrap.interval_of_two(x_by_task, y_by_task, probability_of_improvement);
            vec![interval.expect("scores")]
        });
        bootstraps.assert(ours[0], theirs, 0.03 * theirs.width(), name);
    }
    assert!(compared >= 3);
}

/// A share is a whole number of runs, or of tasks where these are counted.
#[test]
fn row_17_intervals_of_profiles_are_theirs() {
    type ProfileOf = fn(&[Vec<f64>], &[f64]) -> Option<Vec<f64>>;
    let fixture = fixture();
    let bootstraps = Bootstraps::fewer(&fixture);
    for Table { name, scores_by_task, profile, average_profile, .. } in &fixture.tables {
        let (tasks, runs) = (scores_by_task.len(), scores_by_task.concat().len());
        let profiles: [(ProfileOf, &Profile, usize); 2] =
            [(performance_profile, profile, runs), (average_performance_profile, average_profile, tasks)];
        for (profile, theirs, steps) in profiles {
            let ours = bootstraps.averaged(|bootstrap| {
                let profile = |scores: &[Vec<f64>]| profile(scores, &theirs.thresholds);
                bootstrap.intervals(scores_by_task, profile).expect("scores")
            });
            assert_eq!(ours.len(), theirs.thresholds.len());
            for (index, threshold) in theirs.thresholds.iter().enumerate() {
                let interval = Interval {
                    mean: [0, 1].map(|end| theirs.interval.mean[end][index]),
                    standard_deviation: [0, 1].map(|end| theirs.interval.standard_deviation[end][index]),
                };
                let what = format!("{name} above {threshold}");
                let step = 1.0 / steps as f64;
                bootstraps.assert_on_steps(ours[index], &interval, step, step, &what);
            }
        }
    }
}
