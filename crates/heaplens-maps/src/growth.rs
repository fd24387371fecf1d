//! How fast a group grows, from what it held at the last few reports.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Points closer together than this are one.
const STEP: Duration = Duration::from_secs(5);

/// How far back points are kept.
const WINDOW: Duration = Duration::from_secs(300);

/// No rate is given from less than this.
const LEAST: Duration = Duration::from_secs(10);

/// The recent past of one group: at most 61 points.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    points: VecDeque<(Instant, f64)>,
}

impl Growth {
    /// Notes what the group holds now.
    pub(crate) fn observe(&mut self, now: Instant, entries: u64) {
        while let Some((first, _)) = self.points.front() {
            if now.saturating_duration_since(*first) <= WINDOW {
                break;
            }
            self.points.pop_front();
        }
        let is_due = self
            .points
            .back()
            .is_none_or(|(last, _)| now.saturating_duration_since(*last) >= STEP);
        if is_due {
            self.points.push_back((now, entries as f64));
        }
    }

    /// Entries a second: the slope of the least-squares line through the points
    /// of the last five minutes. `None` from less than ten seconds.
    pub(crate) fn per_second(&self) -> Option<f64> {
        let (first, _) = self.points.front()?;
        let (last, _) = self.points.back()?;
        if last.saturating_duration_since(*first) < LEAST {
            return None;
        }
        let at = |time: &Instant| time.saturating_duration_since(*first).as_secs_f64();
        let count = self.points.len() as f64;
        let mean_time = self.points.iter().map(|(time, _)| at(time)).sum::<f64>() / count;
        let mean = self.points.iter().map(|(_, value)| value).sum::<f64>() / count;
        let (covariance, variance) =
            self.points
                .iter()
                .fold((0.0, 0.0), |(covariance, variance), (time, value)| {
                    let apart = at(time) - mean_time;
                    (
                        covariance + apart * (value - mean),
                        variance + apart * apart,
                    )
                });
        (variance > 0.0).then(|| covariance / variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(growth: &mut Growth, start: Instant, seconds: u64, entries: u64) {
        growth.observe(start + Duration::from_secs(seconds), entries);
    }

    #[test]
    fn a_line_has_its_slope_and_nothing_has_none() {
        let (start, mut growth) = (Instant::now(), Growth::default());
        assert_eq!(growth.per_second(), None);
        for step in 0..200 {
            after(&mut growth, start, step * 5, 1000 + step * 35);
            let rate = growth.per_second();
            assert_eq!(rate.is_some(), step >= 2, "{step}");
            assert!(rate.is_none_or(|rate| (rate - 7.0).abs() < 1e-9));
        }
        assert!(growth.points.len() <= 61);
    }

    #[test]
    fn what_lies_five_minutes_back_is_forgotten() {
        let (start, mut growth) = (Instant::now(), Growth::default());
        for step in 0..60 {
            after(&mut growth, start, step * 5, step * 1000);
        }
        for step in 60..=120 {
            after(&mut growth, start, step * 5, 60_000);
        }
        assert_eq!(growth.per_second(), Some(0.0));
    }

    #[test]
    fn frequent_reports_do_not_crowd_out_the_window() {
        let (start, mut growth) = (Instant::now(), Growth::default());
        for second in 0..3600 {
            after(&mut growth, start, second, second * 2);
        }
        assert!(growth.points.len() <= 61);
        assert!((growth.per_second().expect("a rate") - 2.0).abs() < 1e-9);
    }
}
