//! The little arithmetic that measurements need.

use std::time::Duration;

/// The middle of some durations: half of them are not longer. Zero without any.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// A straight line through points, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// What one more costs.
    pub(super) slope: f64,
    /// What none would cost.
    pub(super) intercept: f64,
    /// How far the point that is farthest off lies above or below.
    pub(super) deviation: f64,
}

impl Line {
    /// The line through at least two different places.
    pub(super) fn through(points: &[(f64, f64)]) -> Self {
        let count = points.iter().fold(0.0, |count, _| count + 1.0);
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let slope = both / square;
        let intercept = y - slope * x;
        let off = points.iter().map(|point| (slope * point.0 + intercept - point.1).abs());
        Self { slope, intercept, deviation: off.fold(0.0, f64::max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_times() {
        let milliseconds = |times: &[u64]| times.iter().map(|time| Duration::from_millis(*time)).collect();
        assert_eq!(median(milliseconds(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(median(milliseconds(&[4, 3, 2, 1])), Duration::from_millis(2));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }

    #[test]
    fn a_line_is_found_and_what_is_off_it_is_told() {
        let exact = Line::through(&[(1.0, 13.0), (4.0, 22.0), (256.0, 778.0)]);
        assert!((exact.slope - 3.0).abs() < 1e-9 && (exact.intercept - 10.0).abs() < 1e-9 && exact.deviation < 1e-9);
        let bent = Line::through(&[(0.0, 0.0), (1.0, 0.0), (2.0, 3.0)]);
        assert!((bent.slope - 1.5).abs() < 1e-9 && (bent.deviation - 1.0).abs() < 1e-9);
    }
}
