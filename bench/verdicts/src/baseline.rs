//! What people alert on instead.

use std::collections::VecDeque;

use heaplens::leaks::mann_kendall;

use crate::world::TICK;

/// A rule in use. Each fires when some figure, its strength, exceeds some cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// More than 500 MB for two minutes.
    Threshold,
    /// By the line of the last hour, above the limit in four hours.
    Predict,
    /// The slope over the last hour is above 0, for an hour.
    Deriv,
    /// Mann and Kendall's test on 30 raw lengths of the last half hour, p < 0.001.
    TrendShort,
    /// The same of the last two hours.
    TrendLong,
}

impl Baseline {
    /// All of them.
    pub(crate) const ALL: [(Baseline, &'static str); 5] = [
        (Baseline::Threshold, "`> 500 MB for 2m`"),
        (Baseline::Predict, "`predict_linear([1h], 4h) > limit`"),
        (Baseline::Deriv, "`deriv([1h]) > 0 for 1h`"),
        (Baseline::TrendShort, "Mann-Kendall of `len`, 30 min"),
        (Baseline::TrendLong, "Mann-Kendall of `len`, 2 h"),
    ];

    /// As it is written in tables.
    pub(crate) fn name(self) -> &'static str {
        let found = Baseline::ALL.iter().find(|(rule, _)| *rule == self);
        found.map_or("", |(_, name)| name)
    }

    /// Whether it fires at this strength with the cut-off with which it is used.
    pub(crate) fn fires(self, strength: f64, limit: f64) -> bool {
        let usual = match self {
            Baseline::Threshold => 500e6,
            Baseline::Predict => limit,
            Baseline::Deriv => 0.0,
            Baseline::TrendShort | Baseline::TrendLong => SCORE,
        };
        strength > usual
    }
}

/// A value a minute, of the last two hours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    entries: VecDeque<f64>,
    bytes: VecDeque<f64>,
    /// Of the entries over the last hour.
    slopes: VecDeque<f64>,
}

/// Minutes of two hours.
const KEPT: usize = 120;
/// So many points a trend is looked for in.
const POINTS: usize = 30;
/// Of a trend with p < 0.001.
const SCORE: f64 = 3.09;

impl Watch {
    /// Takes in what is so at this minute.
    pub(crate) fn minute(&mut self, entries: f64, bytes: f64) {
        push(&mut self.entries, entries);
        push(&mut self.bytes, bytes);
        if let Some((slope, _)) = line(&self.entries) {
            push(&mut self.slopes, slope);
        }
    }

    /// What is held against the cut-off now: bytes, entries a minute, or a score. 0 while too
    /// little is known.
    pub(crate) fn strength(&self, rule: Baseline) -> f64 {
        let strength = match rule {
            Baseline::Threshold => least_of_last(&self.bytes, 3),
            Baseline::Deriv => least_of_last(&self.slopes, 61),
            Baseline::Predict => line(&self.bytes).map(|(slope, now)| now + 240.0 * slope),
            Baseline::TrendShort => self.trend(1),
            Baseline::TrendLong => self.trend(KEPT / POINTS),
        };
        strength.unwrap_or(0.0)
    }

    fn trend(&self, every: usize) -> Option<f64> {
        let start = self.entries.len().checked_sub(POINTS * every)?;
        let values = self.entries.range(start..).step_by(every).copied();
        Some(mann_kendall(&values.collect::<Vec<f64>>()))
    }
}

fn push(kept: &mut VecDeque<f64>, value: f64) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(value);
}

/// What has been exceeded for so many minutes.
fn least_of_last(values: &VecDeque<f64>, count: usize) -> Option<f64> {
    let start = values.len().checked_sub(count)?;
    Some(values.range(start..).copied().fold(f64::INFINITY, f64::min))
}

/// Slope a minute over the last hour, and the value at its end.
fn line(values: &VecDeque<f64>) -> Option<(f64, f64)> {
    let start = values.len().checked_sub(60)?;
    let middle = 29.5;
    let mean = values.range(start..).sum::<f64>() / 60.0;
    let pairs = values.range(start..).enumerate();
    let product: f64 = pairs
        .map(|(at, value)| (at as f64 - middle) * (value - mean))
        .sum();
    // The sum of squares of 60 steps about their middle.
    let slope = product / 17_995.0;
    Some((slope, mean + slope * (59.0 - middle)))
}

/// Ticks of a minute.
pub(crate) const MINUTE: usize = (60.0 / TICK) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_fire_as_they_read() {
        use Baseline::{Deriv, Predict, Threshold, TrendLong, TrendShort};
        let fires = |watch: &Watch, rule: Baseline, limit| rule.fires(watch.strength(rule), limit);
        let mut watch = Watch::default();
        for minute in 0..120 {
            watch.minute(f64::from(minute), 1e6 * f64::from(minute));
            assert_eq!(fires(&watch, Deriv, 4e9), minute >= 119, "{minute}");
        }
        assert!(fires(&watch, TrendShort, 4e9) && fires(&watch, TrendLong, 4e9));
        assert!(!fires(&watch, Threshold, 4e9));
        // 119 MB, and 240 MB more in four hours.
        assert!(fires(&watch, Predict, 358e6) && !fires(&watch, Predict, 360e6));
        for (minute, large) in [(1, false), (2, false), (3, true)] {
            watch.minute(0.0, 501e6);
            assert_eq!(fires(&watch, Threshold, 4e9), large, "{minute}");
        }
        assert!((watch.strength(Threshold) - 501e6).abs() < 1.0);
        for _ in 0..100 {
            watch.minute(0.0, 0.0);
        }
        for (rule, name) in Baseline::ALL {
            assert!(!fires(&watch, rule, 4e9), "{name}");
        }
    }
}
