//! Axes: where their ticks are, and how numbers are written.

/// What a chart can show: greater values are drawn at its end.
const LIMIT: f64 = 1e300;

/// How values become places along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long; for values above 0.
    Logarithmic,
}

/// An axis over a range that ends on ticks.
#[derive(Debug)]
pub(super) struct Axis {
    spacing: Spacing,
    low: f64,
    high: f64,
    /// The values that are marked.
    pub(super) ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// An axis that shows `low` to `high`, with about `count` ticks at multiples of 1, 2 or 5 times a power of
    /// ten. Where `tight`, it ends at `high` itself rather than at the tick after it.
    pub(super) fn linear(low: f64, high: f64, count: usize, tight: bool) -> Self {
        let (mut low, mut high) = (low.clamp(-LIMIT, LIMIT), high.clamp(-LIMIT, LIMIT));
        let greatest = low.abs().max(high.abs());
        if high - low <= (greatest * 1e-9).max(1e-290) {
            let room = if greatest < 1e-280 { 0.5 } else { greatest * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let step = nice_step((high - low) / count.max(1) as f64);
        let first = (low / step + 1e-9).floor();
        let last = if tight { (high / step + 1e-9).floor() } else { (high / step - 1e-9).ceil() };
        // The range is a few steps long, whatever it was made from.
        let intervals = (last - first).clamp(0.0, 50.0) as usize;
        let ticks: Vec<f64> = (0..=intervals).map(|i| (first + i as f64) * step).collect();
        let end = if tight { high } else { last * step };
        Self { spacing: Spacing::Linear, low: first * step, high: end, ticks, step }
    }

    /// An axis with a tick at every power of ten, or at every so manieth where there are many.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let low = low.clamp(1e-300, LIMIT).log10().floor();
        let high = high.clamp(1e-300, LIMIT).log10().ceil().max(low + 1.0);
        let every = ((high - low) / 6.0).ceil().max(1.0);
        let count = ((high - low) / every).floor() as usize;
        let ticks = (0..=count).map(|i| 10f64.powf(low + i as f64 * every)).collect();
        Self { spacing: Spacing::Logarithmic, low, high, ticks, step: 0.0 }
    }

    /// Where a value lies, from 0 at the beginning to 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = value.clamp(-LIMIT, LIMIT);
        let value = match self.spacing {
            Spacing::Linear => value,
            Spacing::Logarithmic => value.max(1e-300).log10(),
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// How a tick is labelled.
    pub(super) fn label(&self, tick: f64) -> String {
        if self.spacing == Spacing::Logarithmic {
            return match tick {
                1e-3..1e5 => with_separators(tick, (-tick.log10().round()).max(0.0) as usize),
                _ => format!("1e{:.0}", tick.log10()).replace('-', "−"),
            };
        }
        let greatest = self.low.abs().max(self.high.abs());
        let (unit, suffix) = match greatest {
            1e4..1e6 => (1e3, "k"),
            1e6..1e12 => (1e6, "M"),
            _ => (1.0, ""),
        };
        if tick.abs() < self.step * 1e-6 {
            return "0".into();
        }
        if !(1e-4..1e12).contains(&greatest) {
            return format!("{tick:.1e}").replace('-', "−");
        }
        let decimals = (-(self.step / unit * 1.000_001).log10().floor()).clamp(0.0, 9.0);
        format!("{}{suffix}", with_separators(tick / unit, decimals as usize))
    }
}

fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// A number with separators between thousands and so many decimals.
pub(super) fn with_separators(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value.abs() >= 1e15 {
        return format!("{value:.3e}").replace('-', "−");
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), None), |(a, b)| (a, Some(b)));
    let is_zero = digits.bytes().all(|digit| matches!(digit, b'0' | b'.'));
    let mut text = String::from(if value < 0.0 && !is_zero { "−" } else { "" });
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A count.
pub(super) fn count(value: u64) -> String {
    with_separators(value as f64, 0)
}

/// A return, with one decimal, or with two where it is small.
pub(super) fn score(value: f64) -> String {
    with_separators(value, if value != 0.0 && value.abs() < 1.0 { 2 } else { 1 })
}

/// A time as people say it: 0.04 s, 12.3 s, 3 min 20 s, 2 h 05 min.
pub fn duration(seconds: f64) -> String {
    if !(0.0..1e12).contains(&seconds) {
        return "–".into();
    }
    // Rounded before it is divided: never 60 s or 60 min.
    let (whole, minutes) = (seconds.round() as u64, (seconds / 60.0).round() as u64);
    match whole {
        _ if seconds < 9.995 => format!("{seconds:.2} s"),
        _ if seconds < 59.95 => format!("{seconds:.1} s"),
        ..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| axis.label(*tick)).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_range() {
        assert_eq!(labels(&Axis::linear(9.0, 500.0, 5, false)), ["0", "100", "200", "300", "400", "500"]);
        assert_eq!(labels(&Axis::linear(0.0, 8000.0, 5, true)), ["0", "2,000", "4,000", "6,000", "8,000"]);
        assert_eq!(labels(&Axis::linear(0.0, 50_000.0, 5, true)), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(
            labels(&Axis::linear(0.0, 1.5e6, 3, true)),
            ["0.0M", "0.5M", "1.0M", "1.5M"]
                .map(|label| { if label == "0.0M" { "0".to_owned() } else { label.to_owned() } })
        );
        assert_eq!(labels(&Axis::linear(-0.13, 0.11, 3, false)), ["−0.2", "−0.1", "0", "0.1", "0.2"]);
        assert_eq!(labels(&Axis::logarithmic(0.02, 700.0)), ["0.01", "0.1", "1", "10", "100", "1,000"]);
    }

    #[test]
    fn no_range_is_too_odd() {
        let odd = [0.0, 5e-324, -1e308, 1e308, f64::MAX, -3.5, 500.0, 1e-9, u64::MAX as f64];
        for low in odd {
            for high in odd {
                for axis in [
                    Axis::linear(low.min(high), low.max(high), 5, false),
                    Axis::linear(low.min(high), low.max(high), 5, true),
                    Axis::logarithmic(low.min(high), low.max(high)),
                ] {
                    assert!((1..=51).contains(&axis.ticks.len()), "{low} {high} {axis:?}");
                    let places = [low, high].map(|value| axis.place(value));
                    assert!(places.iter().all(|place| (0.0..=1.0).contains(place)), "{low} {high} {axis:?}");
                    assert!(labels(&axis).iter().all(|label| label.len() < 24), "{:?}", labels(&axis));
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(score(-1234.56), "−1,234.6");
        assert_eq!(score(-0.00001), "0.00");
        assert_eq!(score(f64::NAN), "–");
        assert_eq!(
            ["0.09 s", "12.3 s", "3 min 05 s", "2 h 13 min"].map(String::from),
            [duration(0.087), duration(12.34), duration(185.2), duration(8000.0)]
        );
        assert_eq!(duration(f64::NAN), "–");
    }
}
