//! How fast something grows.

use super::blocks::Blocks;
use super::trend::{Interval, theil_sen};

/// How fast a subject grows: the slope of its troughs, which leaves out what comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    /// Entries a second, or live blocks of a site, with the ends of the interval of 95 %.
    pub entries_per_second: Interval,
    /// Bytes a second, with the same.
    pub bytes_per_second: Interval,
}

impl Growth {
    pub(super) fn over(blocks: &Blocks) -> Growth {
        Growth {
            entries_per_second: slope(blocks.entries(), blocks.step_seconds()),
            bytes_per_second: slope(blocks.bytes(), blocks.step_seconds()),
        }
    }

    /// With bytes by so many to an entry, which is more exact than sampled bytes.
    pub(super) fn with_bytes_per_entry(self, bytes: f64) -> Growth {
        let entries = self.entries_per_second;
        Growth {
            entries_per_second: entries,
            bytes_per_second: scaled(entries, bytes),
        }
    }

    /// Until so many bytes more are taken; `None` if it does not grow.
    pub fn seconds_until(&self, bytes: f64) -> Option<f64> {
        let seconds = bytes / self.bytes_per_second.slope;
        (self.bytes_per_second.slope > 0.0 && seconds.is_finite()).then_some(seconds.max(0.0))
    }
}

/// A second, from values that are so many seconds apart.
pub(super) fn slope(values: &[f64], step_seconds: f64) -> Interval {
    let line = theil_sen(values).unwrap_or_default();
    if step_seconds > 0.0 {
        scaled(line, 1.0 / step_seconds)
    } else {
        Interval::default()
    }
}

fn scaled(line: Interval, by: f64) -> Interval {
    Interval {
        slope: line.slope * by,
        low: line.low * by,
        high: line.high * by,
    }
}
