//! Running mean and variance of observations, shared by the environments that give them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deepq_core::{StateError, StateReader, StateWriter};
use serde::{Deserialize, Serialize};

/// What is added to a variance before its root is taken.
const EPSILON: f64 = 1e-8;

/// Mean and variance of each element of the observations seen so far.
///
/// A handle: clones share one statistic, so that several copies of an environment update it together, and
/// evaluation uses what training has gathered. [`copy`](Self::copy) makes one that goes its own way.
///
/// The update is that of Gymnasium and Stable-Baselines3 (Chan et al. 1979): variance of the whole population,
/// starting with mean 0 and variance 1 that count as 10⁻⁴ observations. All is done in `f64`.
#[derive(Clone, Debug, Default)]
pub struct ObservationStatistics {
    shared: Arc<Mutex<Moments>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moments {
    /// How many observations these are; the start counts as 10⁻⁴.
    count: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 1e-4, mean: vec![], variance: vec![] }
    }
}

/// Statistics that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// The text is not the JSON of statistics.
    #[error("statistics of observations: {0}")]
    Json(#[from] serde_json::Error),
    /// A number is none that statistics can have.
    #[error("statistics of observations: {what}: expected {expected}, found {found}")]
    Value {
        /// Which number.
        what: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl StatisticsError {
    fn value(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self::Value { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl ObservationStatistics {
    /// Statistics of no observation yet; the first environment determines how many elements there are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Statistics with the same numbers that share nothing with these.
    pub fn copy(&self) -> Self {
        Self { shared: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// Statistics from their numbers: as [`count`](Self::count), [`mean`](Self::mean) and
    /// [`variance`](Self::variance) give them.
    ///
    /// # Errors
    /// Where they are none that statistics can have.
    pub fn from_parts(count: f64, mean: Vec<f64>, variance: Vec<f64>) -> Result<Self, StatisticsError> {
        let moments = Moments { count, mean, variance };
        moments.check()?;
        Ok(Self { shared: Arc::new(Mutex::new(moments)) })
    }

    /// Takes over the numbers of `other`, for all handles to these statistics.
    ///
    /// # Errors
    /// Where `other` are those of another number of elements; nothing is changed then.
    pub fn assign(&self, other: &Self) -> Result<(), StatisticsError> {
        // Both may be handles to the same numbers: never hold two locks.
        let moments = other.lock().clone();
        let mut own = self.lock();
        if !own.mean.is_empty() {
            moments.check_len(own.mean.len())?;
        }
        *own = moments;
        Ok(())
    }

    /// How many observations were seen, and 10⁻⁴ for the start.
    pub fn count(&self) -> f64 {
        self.lock().count
    }

    /// The mean of each element; empty where no environment was there yet.
    pub fn mean(&self) -> Vec<f64> {
        self.lock().mean.clone()
    }

    /// The variance of each element; empty where no environment was there yet.
    pub fn variance(&self) -> Vec<f64> {
        self.lock().variance.clone()
    }

    /// The statistics as JSON: `{"count": …, "mean": […], "variance": […]}`. Every bit of the numbers is in it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&*self.lock()).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// Where the text is no such JSON, or holds what no statistics can be.
    pub fn from_json(json: &str) -> Result<Self, StatisticsError> {
        let moments: Moments = serde_json::from_str(json)?;
        moments.check()?;
        Ok(Self { shared: Arc::new(Mutex::new(moments)) })
    }

    /// Makes the statistics those of observations of `len` elements, where they are of none yet.
    pub(super) fn fit(&self, len: usize) -> Result<(), StatisticsError> {
        let mut moments = self.lock();
        if moments.mean.is_empty() {
            (moments.mean, moments.variance) = (vec![0.0; len], vec![1.0; len]);
        }
        moments.check_len(len)
    }

    /// The numbers. A panic while they were held has not hurt them: nothing that panics is done with them.
    pub(super) fn lock(&self) -> MutexGuard<'_, Moments> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, moments: Moments) {
        *self.lock() = moments;
    }
}

/// Two are equal where their numbers are.
impl PartialEq for ObservationStatistics {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) || self.copy().lock().eq(&*other.lock())
    }
}

impl Moments {
    fn check_len(&self, len: usize) -> Result<(), StatisticsError> {
        match self.mean.len() {
            found if found == len => Ok(()),
            found => Err(StatisticsError::value("elements of an observation", len, found)),
        }
    }

    fn check(&self) -> Result<(), StatisticsError> {
        if self.mean.len() != self.variance.len() {
            return Err(StatisticsError::value(
                "length of the variance",
                self.mean.len(),
                self.variance.len(),
            ));
        }
        if !(self.count.is_finite() && self.count > 0.0) {
            return Err(StatisticsError::value("count", "a finite number above 0", self.count));
        }
        for (element, (mean, variance)) in self.mean.iter().zip(&self.variance).enumerate() {
            if !mean.is_finite() {
                return Err(StatisticsError::value(
                    format!("mean of element {element}"),
                    "a finite number",
                    mean,
                ));
            }
            if !(variance.is_finite() && *variance >= 0.0) {
                let what = format!("variance of element {element}");
                return Err(StatisticsError::value(what, "a finite number from 0", variance));
            }
        }
        Ok(())
    }

    /// Takes in one observation. The order of the operations is Gymnasium's.
    pub(super) fn update(&mut self, observation: impl Iterator<Item = f64>) {
        let count = self.count;
        let total = count + 1.0;
        for ((mean, variance), value) in self.mean.iter_mut().zip(&mut self.variance).zip(observation) {
            let delta = value - *mean;
            *mean += delta / total;
            *variance = (*variance * count + delta * delta * count / total) / total;
        }
        self.count = total;
    }

    /// Element `element` of an observation in units of its deviation from the mean.
    #[inline]
    pub(super) fn normalized(&self, element: usize, value: f64) -> f32 {
        ((value - self.mean[element]) / (self.variance[element] + EPSILON).sqrt()) as f32
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        state.f64(self.count);
        state.f64_slice(&self.mean);
        state.f64_slice(&self.variance);
    }

    /// Reads what [`save_state`](Self::save_state) wrote of observations with `len` elements.
    pub(super) fn from_state(state: &mut StateReader<'_>, len: usize) -> Result<Self, StateError> {
        let what = "statistics of observations";
        let moments =
            Self { count: state.f64(what)?, mean: state.f64_vec(what)?, variance: state.f64_vec(what)? };
        if moments.mean.len() != len {
            return Err(StateError::mismatch(what, format!("{len} elements"), moments.mean.len()));
        }
        moments.check().map_err(|error| StateError::mismatch(what, "statistics", error))?;
        Ok(moments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(observations: &[[f64; 2]]) -> ObservationStatistics {
        let statistics = ObservationStatistics::new();
        statistics.fit(2).unwrap();
        for observation in observations {
            statistics.lock().update(observation.iter().copied());
        }
        statistics
    }

    #[test]
    fn mean_and_variance_are_those_of_the_observations() {
        let observations: Vec<[f64; 2]> =
            (0..1_000).map(|i| [f64::from(i % 10), f64::from(i % 2) * -4.0]).collect();
        let statistics = seen(&observations);
        // The start counts as 1e-4 of 1,000 observations.
        for (found, expected) in statistics.mean().iter().zip([4.5, -2.0]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        for (found, expected) in statistics.variance().iter().zip([8.25, 4.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        assert!((statistics.count() - 1000.0001).abs() < 1e-9);
    }

    #[test]
    fn json_keeps_every_bit() {
        let statistics = seen(&[[0.1, -1e-300], [3e38, 3.0], [-0.0, 1.0 / 3.0]]);
        let back = ObservationStatistics::from_json(&statistics.to_json()).unwrap();
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(back.mean()), bits(statistics.mean()));
        assert_eq!(bits(back.variance()), bits(statistics.variance()));
        assert_eq!(back.count().to_bits(), statistics.count().to_bits());
        assert_eq!(
            ObservationStatistics::from_json(&ObservationStatistics::new().to_json()).unwrap().count(),
            1e-4
        );
    }

    #[test]
    fn clones_share_their_numbers_and_copies_do_not() {
        let statistics = seen(&[[1.0, 2.0]]);
        let (clone, copy) = (statistics.clone(), statistics.copy());
        assert_eq!(statistics, copy);
        clone.lock().update([5.0, 5.0].into_iter());
        assert_eq!(statistics, clone);
        assert_ne!(statistics, copy);
    }

    #[test]
    fn numbers_of_other_observations_are_not_taken_over() {
        let statistics = seen(&[[1.0, 2.0]]);
        let before = statistics.copy();
        let longer = ObservationStatistics::from_parts(1.0, vec![0.0; 3], vec![1.0; 3]).unwrap();
        for other in [&longer, &ObservationStatistics::new()] {
            let error = statistics.assign(other).unwrap_err().to_string();
            assert!(error.contains("elements of an observation: expected 2, found "), "{error}");
            assert_eq!(statistics, before);
        }
        statistics.assign(&statistics).unwrap();
        let fresh = ObservationStatistics::new();
        fresh.assign(&statistics).unwrap();
        assert_eq!(fresh, before);
    }

    #[test]
    fn impossible_statistics_are_refused() {
        for (json, expected) in [
            (r#"{"count":1.0,"mean":[0.0],"variance":[]}"#, "length of the variance: expected 1, found 0"),
            (r#"{"count":0.0,"mean":[],"variance":[]}"#, "count: expected a finite number above 0, found 0"),
            (
                r#"{"count":1.0,"mean":[0.0,0.0],"variance":[1.0,-1.0]}"#,
                "variance of element 1: expected a finite",
            ),
            (r#"{"count":1.0,"mean":[null],"variance":[1.0]}"#, "invalid type: null"),
            (r#"{"count":1.0,"mean":[1e999],"variance":[1.0]}"#, "number out of range"),
            (r#"{"count":1.0,"mean":[],"variance":[],"std":[]}"#, "unknown field `std`"),
            ("", "EOF"),
        ] {
            let error = ObservationStatistics::from_json(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let error = seen(&[]).fit(3).unwrap_err().to_string();
        assert_eq!(error, "statistics of observations: elements of an observation: expected 3, found 2");
    }
}
