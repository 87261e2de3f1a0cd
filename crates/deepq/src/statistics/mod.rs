//! Statistics over episodes, runs and tasks.
//!
//! The definitions are NumPy's and those of rliable (Agarwal et al., "Deep Reinforcement Learning at the Edge
//! of the Statistical Precipice", arXiv 2108.13264), so that a number from here can stand beside a published
//! one: mean and interquartile mean, stratified bootstrap intervals, performance profiles and the probability of
//! improvement.
//!
//! Two rules hold for every function:
//! - No values, no statistic: an empty slice gives `None`.
//! - A NaN among the values gives NaN. (SciPy's trimmed mean sorts NaN to the top and may cut it away; a run
//!   that diverged must not vanish from a result in this way.)

mod bootstrap;
mod comparison;

pub use bootstrap::StratifiedBootstrap;
pub use comparison::{
    average_performance_profile, interquartile_mean_over_tasks, performance_profile,
    probability_of_improvement,
};

/// The arithmetic mean.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of the population: the squares are divided by the number of values, as NumPy's
/// default does (`ddof=0`), not by one less.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / values.len() as f64).sqrt())
}

/// The interquartile mean: the mean of what is left when ⌊n/4⌋ of the `n` values are cut away at either end, as
/// rliable and `scipy.stats.trim_mean(values, 0.25)` compute it.
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let cut = sorted.len() / 4;
    // NaN sorts to either end according to its sign, where the cut would hide it.
    if sorted.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    mean(&sorted[cut..sorted.len() - cut])
}

/// The value below which `percent` per cent of the values lie, interpolated linearly between the two nearest
/// ones as NumPy's default does. `None` also where `percent` is not in `0.0..=100.0`.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    percentile_of_sorted(&sorted(values), percent)
}

/// The 50th percentile.
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn percentile_of_sorted(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if !(0.0..=100.0).contains(&percent) {
        return None;
    }
    if sorted.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let position = last as f64 * (percent / 100.0);
    let below = (position as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let share = position - below as f64;
    // Between equal infinities and on a value itself the difference below would be NaN.
    if share == 0.0 || low == high { Some(low) } else { Some(low + (high - low) * share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Statistic = fn(&[f64]) -> Option<f64>;
    const STATISTICS: [Statistic; 4] = [mean, standard_deviation, interquartile_mean, median];

    #[test]
    fn nothing_has_no_statistic() {
        for statistic in STATISTICS {
            assert_eq!(statistic(&[]), None);
        }
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn a_percent_out_of_range_has_no_percentile() {
        for percent in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(percentile(&[1.0, 2.0], percent), None, "{percent}");
        }
    }

    #[test]
    fn nan_is_never_cut_away() {
        for nan in [f64::NAN, -f64::NAN] {
            let values = [1.0, 2.0, nan, 4.0, 5.0, 6.0, 7.0, 8.0];
            for statistic in STATISTICS {
                assert!(statistic(&values).unwrap().is_nan());
            }
            assert!(percentile(&values, 0.0).unwrap().is_nan());
            let (low, high) = StratifiedBootstrap::default().interval(&[values], interquartile_mean).unwrap();
            assert!(low.is_nan() && high.is_nan());
        }
    }

    #[test]
    fn infinities_stay_themselves() {
        let values = [f64::NEG_INFINITY, 1.0, 3.0, f64::INFINITY, f64::INFINITY];
        assert_eq!(percentile(&values, 0.0), Some(f64::NEG_INFINITY));
        assert_eq!(percentile(&values, 50.0), Some(3.0));
        assert_eq!(percentile(&values, 90.0), Some(f64::INFINITY));
        assert_eq!(interquartile_mean(&values), Some(f64::INFINITY));
    }

    #[test]
    fn the_order_of_the_values_does_not_matter() {
        assert_eq!(interquartile_mean(&[9.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn an_interval_needs_scores_resamples_and_a_confidence() {
        let scores = [vec![1.0, 2.0]];
        let bootstrap = StratifiedBootstrap::default();
        assert!(bootstrap.interval(&scores, mean).is_some());
        assert_eq!(bootstrap.interval::<Vec<f64>>(&[], mean), None);
        assert_eq!(bootstrap.interval(&[vec![1.0], vec![]], mean), None);
        let none = StratifiedBootstrap { resamples: 0, ..bootstrap };
        assert_eq!(none.interval(&scores, mean), None);
        assert_eq!(none.intervals(&scores, |_| Some(vec![])), None);
        assert_eq!(none.interval_of_two(&scores, &scores, probability_of_improvement), None);
        let mut calls = 0;
        let ragged = bootstrap.intervals(&scores, |_| {
            calls += 1;
            Some(vec![0.0; calls])
        });
        assert_eq!(ragged, None);
        for confidence in [0.0, 1.0, -0.5, f64::NAN] {
            assert_eq!(StratifiedBootstrap { confidence, ..bootstrap }.interval(&scores, mean), None);
        }
    }

    #[test]
    fn the_seed_decides_the_interval() {
        let scores = [vec![1.0, 2.5, 7.0, 3.0, 11.0, 0.5]];
        let with_seed = |seed| StratifiedBootstrap { seed, ..Default::default() }.interval(&scores, mean);
        assert_eq!(with_seed(1), with_seed(1));
        assert_ne!(with_seed(1), with_seed(2));
    }

    #[test]
    fn a_run_is_never_lent_to_another_task() {
        let one_run_each = [[1.0], [2.0], [30.0]];
        let interval = StratifiedBootstrap::default().interval(&one_run_each, mean);
        assert_eq!(interval, Some((11.0, 11.0)));
    }
}
