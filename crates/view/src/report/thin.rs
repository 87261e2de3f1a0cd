//! Curves made smoother, and shorter than the data they come from.

/// A point of a curve.
pub(super) type Point = (f64, f64);

/// Points that lie close together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// The mean place.
    pub(super) x: f64,
    /// The least value.
    pub(super) min: f64,
    /// The mean value.
    pub(super) mean: f64,
    /// The greatest value.
    pub(super) max: f64,
}

/// Sums up points, which are in the order of their place, in at most `count` buckets of equal width. Where there
/// are no more points than buckets, each is one of its own.
pub(super) fn buckets(points: &[Point], count: usize) -> Vec<Bucket> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return vec![] };
    if points.len() <= count {
        return points.iter().map(|&(x, y)| Bucket { x, min: y, mean: y, max: y }).collect();
    }
    let width = (last.0 - first.0) / count as f64;
    let number = |point: &Point| match width > 0.0 {
        true => (((point.0 - first.0) / width) as usize).min(count - 1),
        false => 0,
    };
    points.chunk_by(|a, b| number(a) == number(b)).map(bucket).collect()
}

fn bucket(points: &[Point]) -> Bucket {
    // The share is taken first: the sum of great values would overflow.
    let share = 1.0 / points.len() as f64;
    let mut bucket = Bucket { x: 0.0, min: f64::INFINITY, mean: 0.0, max: f64::NEG_INFINITY };
    for (x, y) in points {
        bucket.x += x * share;
        bucket.mean += y * share;
        (bucket.min, bucket.max) = (bucket.min.min(*y), bucket.max.max(*y));
    }
    bucket
}

/// The mean of every `window` points that follow one another, at the last of them.
pub(super) fn moving_mean(points: &[Point], window: usize) -> Vec<Point> {
    let window = window.max(1);
    let means = points.windows(window).map(|part| {
        let mean = part.iter().map(|(_, y)| y / window as f64).sum();
        (part[window - 1].0, mean)
    });
    means.collect()
}

/// The value of a curve at a place, between its points along a straight line; after its end it stays as it is.
/// `None` before its beginning.
pub(super) fn interpolate(points: &[Point], x: f64) -> Option<f64> {
    let after = points.partition_point(|point| point.0 <= x);
    let before = *points.get(after.checked_sub(1)?)?;
    let Some(next) = points.get(after) else { return Some(before.1) };
    let share = (x - before.0) / (next.0 - before.0);
    Some(before.1 * (1.0 - share) + next.1 * share)
}

/// The mean of several curves, at `count` places from where all have begun to where the last one ends.
pub(super) fn mean_curve(curves: &[Vec<Point>], count: usize) -> Vec<Point> {
    let mean =
        |(x, values): (f64, Vec<f64>)| (x, values.iter().map(|value| value / curves.len() as f64).sum());
    sections(curves, count).into_iter().map(mean).collect()
}

/// The values of several curves, at `count` places from where all have begun to where the last one ends.
pub(super) fn sections(curves: &[Vec<Point>], count: usize) -> Vec<(f64, Vec<f64>)> {
    if curves.is_empty() || curves.iter().any(Vec::is_empty) {
        return vec![];
    }
    let begin = curves.iter().map(|curve| curve[0].0).fold(f64::NEG_INFINITY, f64::max);
    let end = curves.iter().map(|curve| curve[curve.len() - 1].0).fold(begin, f64::max);
    let places = (0..=count).map(|i| begin + (end - begin) * i as f64 / count as f64);
    let values = |x: f64| {
        let values: Option<Vec<f64>> = curves.iter().map(|curve| interpolate(curve, x)).collect();
        Some((x, values?))
    };
    places.filter_map(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_keep_the_extremes() {
        let points: Vec<Point> =
            (0..10_000).map(|i| (f64::from(i), if i == 777 { 9.0 } else { 1.0 })).collect();
        let thinned = buckets(&points, 100);
        assert_eq!(thinned.len(), 100);
        assert!((thinned[7].x - 749.5).abs() < 1e-9);
        assert_eq!((thinned[7].min, thinned[7].max), (1.0, 9.0));
        assert!((thinned[7].mean - 1.08).abs() < 1e-9);
        assert_eq!(buckets(&points[..3], 100).len(), 3);
        let at_one_place = vec![(5.0, 1.0); 1000];
        assert_eq!(buckets(&at_one_place, 10).len(), 1);
        assert!(buckets(&[], 10).is_empty());
    }

    #[test]
    fn the_moving_mean_begins_with_a_full_window() {
        let points = [(1.0, 3.0), (2.0, 5.0), (4.0, 10.0)];
        assert_eq!(moving_mean(&points, 2), [(2.0, 4.0), (4.0, 7.5)]);
        assert!(moving_mean(&points, 4).is_empty());
    }

    #[test]
    fn the_mean_curve_holds_the_last_value_of_a_curve_that_ended() {
        let short = vec![(0.0, 0.0), (2.0, 4.0)];
        let long = vec![(1.0, 10.0), (5.0, 30.0)];
        assert_eq!(
            mean_curve(&[short, long], 4),
            [(1.0, 6.0), (2.0, 9.5), (3.0, 12.0), (4.0, 14.5), (5.0, 17.0)]
        );
        assert!(mean_curve(&[vec![(1.0, 1.0)], vec![]], 4).is_empty());
    }
}
