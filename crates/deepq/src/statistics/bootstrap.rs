//! Intervals by resampling.

use deepq_core::RandomStream;

use super::percentile_of_sorted;

/// An interval for a statistic, by resampling the runs within each task: rliable's stratified bootstrap with the
/// percentile method. With one task it is the plain bootstrap.
///
/// The same seed gives the same interval on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StratifiedBootstrap {
    /// How many resamples are drawn. Agarwal et al. use 50,000 for point estimates and 2,000 for curves.
    pub resamples: usize,
    /// The share of the resampled statistics that lies within the interval, more than 0 and less than 1.
    pub confidence: f64,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for StratifiedBootstrap {
    /// 2,000 resamples, 95 %, seed 0.
    fn default() -> Self {
        Self { resamples: 2_000, confidence: 0.95, seed: 0 }
    }
}

impl StratifiedBootstrap {
    /// The lower and the upper end of the interval of `statistic`.
    ///
    /// `scores[task]` holds the scores of that task's runs; tasks may have different numbers of them. In every
    /// resample each score of a task is replaced by one drawn from the same task, independently of all others.
    /// `statistic` gets all scores of a resample in one slice, task after task: [`mean`](super::mean),
    /// [`interquartile_mean`](super::interquartile_mean), [`median`](super::median) or a function of the caller's.
    ///
    /// `None` where there is no task, a task without a score, no resample, a confidence that is not between 0
    /// and 1, or a `statistic` that is `None`. Where it is NaN for a resample, both ends are NaN.
    ///
    /// ```
    /// use deepq::statistics::{StratifiedBootstrap, interquartile_mean};
    /// let returns_of_seeds = vec![500.0, 492.1, 500.0, 488.7, 500.0];
    /// let (low, high) = StratifiedBootstrap::default().interval(&[returns_of_seeds], interquartile_mean).unwrap();
    /// assert!(488.7 <= low && low < 497.4 && 497.4 < high && high <= 500.0);
    /// ```
    pub fn interval<T: AsRef<[f64]>>(
        &self,
        scores: &[T],
        mut statistic: impl FnMut(&[f64]) -> Option<f64>,
    ) -> Option<(f64, f64)> {
        let mut all = Vec::new();
        let intervals = self.intervals_of([scores], |[resample]| {
            all.clear();
            resample.iter().for_each(|runs| all.extend_from_slice(runs));
            Some(vec![statistic(&all)?])
        });
        intervals?.first().copied()
    }

    /// The intervals of several statistics of the same scores at once, a curve say: [`interval`](Self::interval)
    /// for each number that `statistics` gives. It gets a resample as it gets the scores, task by task.
    ///
    /// ```
    /// use deepq::statistics::{StratifiedBootstrap, performance_profile};
    /// let (scores, thresholds) = ([vec![480.0, 500.0, 130.0, 500.0]], [100.0, 475.0]);
    /// let profile = |scores: &[Vec<f64>]| performance_profile(scores, &thresholds);
    /// let intervals = StratifiedBootstrap::default().intervals(&scores, profile).unwrap();
    /// assert_eq!(intervals[0], (1.0, 1.0));
    /// assert!(intervals[1].0 < 0.75 && intervals[1].1 == 1.0);
    /// ```
    ///
    /// `None` as [`interval`](Self::interval), and where `statistics` gives now more numbers and now fewer.
    pub fn intervals<T: AsRef<[f64]>>(
        &self,
        scores: &[T],
        mut statistics: impl FnMut(&[Vec<f64>]) -> Option<Vec<f64>>,
    ) -> Option<Vec<(f64, f64)>> {
        self.intervals_of([scores], |[resample]| statistics(resample))
    }

    /// The interval of a statistic of two tables of scores, the
    /// [`probability_of_improvement`](super::probability_of_improvement) say. Each is resampled by itself; they
    /// may have different numbers of runs.
    ///
    /// `None` as [`interval`](Self::interval).
    pub fn interval_of_two<T: AsRef<[f64]>>(
        &self,
        x: &[T],
        y: &[T],
        mut statistic: impl FnMut(&[Vec<f64>], &[Vec<f64>]) -> Option<f64>,
    ) -> Option<(f64, f64)> {
        let intervals = self.intervals_of([x, y], |[x, y]| Some(vec![statistic(x, y)?]));
        intervals?.first().copied()
    }

    /// The intervals of the numbers that `statistics` makes of resamples of `N` tables.
    fn intervals_of<const N: usize, T: AsRef<[f64]>>(
        &self,
        tables: [&[T]; N],
        mut statistics: impl FnMut(&[Vec<Vec<f64>>; N]) -> Option<Vec<f64>>,
    ) -> Option<Vec<(f64, f64)>> {
        let confidence_is_valid = self.confidence > 0.0 && self.confidence < 1.0;
        let lacks_scores =
            |table: &&[T]| table.is_empty() || table.iter().any(|runs| runs.as_ref().is_empty());
        if tables.iter().any(lacks_scores) || !confidence_is_valid {
            return None;
        }
        let mut random = RandomStream::new(self.seed, "bootstrap", 0);
        let mut resample = tables.map(|table| vec![Vec::new(); table.len()]);
        let mut drawn: Vec<Vec<f64>> = Vec::new();
        for number in 0..self.resamples {
            for (table, resample) in tables.iter().zip(&mut resample) {
                draw(table, resample, &mut random);
            }
            let values = statistics(&resample)?;
            if number == 0 {
                drawn = vec![Vec::with_capacity(self.resamples); values.len()];
            }
            if values.len() != drawn.len() {
                return None;
            }
            drawn.iter_mut().zip(values).for_each(|(drawn, value)| drawn.push(value));
        }
        // Without a resample nothing was drawn: no intervals, rather than an empty list of them.
        (self.resamples > 0).then(|| drawn.into_iter().map(|values| self.middle(values)).collect())?
    }

    /// The ends between which the middle share of the values lies.
    fn middle(&self, mut values: Vec<f64>) -> Option<(f64, f64)> {
        values.sort_unstable_by(f64::total_cmp);
        let tail_percent = 100.0 * (1.0 - self.confidence) / 2.0;
        let low = percentile_of_sorted(&values, tail_percent)?;
        Some((low, percentile_of_sorted(&values, 100.0 - tail_percent)?))
    }
}

/// Replaces every score by one drawn from the same task.
fn draw<T: AsRef<[f64]>>(table: &[T], resample: &mut [Vec<f64>], random: &mut RandomStream) {
    for (runs, drawn) in table.iter().map(AsRef::as_ref).zip(resample) {
        drawn.clear();
        drawn.extend((0..runs.len()).map(|_| runs[random.below(runs.len())]));
    }
}
