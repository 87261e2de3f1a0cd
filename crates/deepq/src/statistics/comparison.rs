//! What sets the scores of one algorithm beside another's, over tasks.
//!
//! Scores come as `scores[task][run]`; tasks may have different numbers of runs. Over several tasks they should be
//! normalised: nothing here knows what a score is worth.

use super::{interquartile_mean, mean};

/// The interquartile mean of the scores of all runs of all tasks together, as rliable's `aggregate_iqm`.
///
/// ```
/// use deepq::statistics::interquartile_mean_over_tasks;
/// assert_eq!(interquartile_mean_over_tasks(&[vec![1.0, 2.0], vec![9.0, 4.0]]), Some(3.0));
/// ```
pub fn interquartile_mean_over_tasks<T: AsRef<[f64]>>(scores: &[T]) -> Option<f64> {
    let all: Vec<f64> = scores.iter().flat_map(|runs| runs.as_ref()).copied().collect();
    interquartile_mean(&all)
}

/// The share of runs whose score is greater than each threshold, averaged over tasks: rliable's performance
/// profile (the score distribution).
///
/// `None` where there is no task or a task without a run.
///
/// ```
/// use deepq::statistics::performance_profile;
/// let returns_of_seeds = vec![500.0, 480.0, 120.0, 500.0];
/// assert_eq!(performance_profile(&[returns_of_seeds], &[100.0, 475.0, 500.0]), Some(vec![1.0, 0.75, 0.0]));
/// ```
pub fn performance_profile<T: AsRef<[f64]>>(scores: &[T], thresholds: &[f64]) -> Option<Vec<f64>> {
    let shares = |threshold: &f64| {
        let of_task = |runs: &T| share_above(runs.as_ref(), *threshold);
        mean(&scores.iter().map(of_task).collect::<Option<Vec<f64>>>()?)
    };
    thresholds.iter().map(shares).collect()
}

/// The share of tasks whose mean score is greater than each threshold: rliable's average score distribution.
///
/// `None` where there is no task or a task without a run.
pub fn average_performance_profile<T: AsRef<[f64]>>(scores: &[T], thresholds: &[f64]) -> Option<Vec<f64>> {
    let means: Vec<f64> = scores.iter().map(|runs| mean(runs.as_ref())).collect::<Option<_>>()?;
    thresholds.iter().map(|threshold| share_above(&means, *threshold)).collect()
}

fn share_above(values: &[f64], threshold: f64) -> Option<f64> {
    if threshold.is_nan() || values.iter().any(|value| value.is_nan()) {
        return (!values.is_empty()).then_some(f64::NAN);
    }
    let above = values.iter().filter(|value| **value > threshold).count();
    (!values.is_empty()).then(|| above as f64 / values.len() as f64)
}

/// The probability that a run of `x` scores more than one of `y` in a task, averaged over tasks, where equal scores
/// count one half: Mann and Whitney's U divided by the number of pairs, as rliable's `probability_of_improvement`.
///
/// `None` where the two have not the same number of tasks, no task, or a task without a run.
///
/// ```
/// use deepq::statistics::probability_of_improvement;
/// assert_eq!(probability_of_improvement(&[[2.0, 4.0]], &[[1.0, 2.0]]), Some(0.875));
/// ```
pub fn probability_of_improvement<X, Y>(x: &[X], y: &[Y]) -> Option<f64>
where
    X: AsRef<[f64]>,
    Y: AsRef<[f64]>,
{
    if x.len() != y.len() {
        return None;
    }
    let of_task = |(x, y): (&X, &Y)| probability_in_task(x.as_ref(), y.as_ref());
    mean(&x.iter().zip(y).map(of_task).collect::<Option<Vec<f64>>>()?)
}

fn probability_in_task(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.is_empty() || y.is_empty() {
        return None;
    }
    if x.iter().chain(y).any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let mut sorted = y.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // Halves are counted, so that the sum is a whole number and exact. Comparisons, unlike the order of sorting,
    // take 0 and -0 for equal.
    let halves = |score: &f64| {
        let less = sorted.partition_point(|other| other < score);
        let not_greater = sorted.partition_point(|other| other <= score);
        (less + not_greater) as u64
    };
    let won: u64 = x.iter().map(halves).sum();
    Some(won as f64 / 2.0 / (x.len() as f64 * y.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::super::StratifiedBootstrap;
    use super::*;

    const NONE: [Vec<f64>; 0] = [];

    #[test]
    fn nothing_compares_with_nothing() {
        let (some, gap) = ([vec![1.0]], [vec![1.0], vec![]]);
        assert_eq!(interquartile_mean_over_tasks(&NONE), None);
        for profile in [performance_profile, average_performance_profile] {
            assert_eq!(profile(&NONE, &[0.0]), None);
            assert_eq!(profile(&gap, &[0.0]), None);
            assert_eq!(profile(&some, &[]), Some(vec![]));
        }
        assert_eq!(probability_of_improvement(&NONE, &NONE), None);
        assert_eq!(probability_of_improvement(&some, &gap), None);
        assert_eq!(probability_of_improvement(&gap, &gap), None);
    }

    #[test]
    fn nan_is_neither_above_nor_below() {
        for nan in [f64::NAN, -f64::NAN] {
            let (with, without) = ([vec![1.0, nan, 3.0]], [vec![0.0, 1.0]]);
            assert!(performance_profile(&with, &[0.5]).unwrap()[0].is_nan());
            assert!(average_performance_profile(&with, &[0.5]).unwrap()[0].is_nan());
            assert!(performance_profile(&without, &[nan]).unwrap()[0].is_nan());
            assert!(interquartile_mean_over_tasks(&with).unwrap().is_nan());
            assert!(probability_of_improvement(&with, &without).unwrap().is_nan());
            assert!(probability_of_improvement(&without, &with).unwrap().is_nan());
            let interval =
                StratifiedBootstrap::default().interval_of_two(&with, &without, probability_of_improvement);
            assert!(interval.unwrap().0.is_nan());
        }
    }

    #[test]
    fn tasks_count_alike_whatever_their_numbers_of_runs() {
        let scores = [vec![1.0, 1.0, 1.0, 1.0], vec![0.0]];
        assert_eq!(performance_profile(&scores, &[0.5]), Some(vec![0.5]));
        let better = [vec![0.0], vec![1.0]];
        assert_eq!(probability_of_improvement(&better, &scores), Some(0.5));
    }

    #[test]
    fn zeros_of_either_sign_are_equal_and_infinities_compare() {
        assert_eq!(probability_of_improvement(&[[0.0]], &[[-0.0]]), Some(0.5));
        assert_eq!(probability_of_improvement(&[[-0.0, 0.0]], &[[0.0, -0.0]]), Some(0.5));
        assert_eq!(probability_of_improvement(&[[f64::INFINITY]], &[[f64::MAX]]), Some(1.0));
        assert_eq!(performance_profile(&[[f64::NEG_INFINITY, 1.0]], &[f64::MIN]), Some(vec![0.5]));
    }
}
