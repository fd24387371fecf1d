//! How a subject's size and flow went, finely of late and coarsely before.

use std::time::Duration;

use super::blocks::{BLOCKS, Blocks};
use super::ring::{Ring, Stored};
use super::windows::{RINGS, Windows};

/// A map group, or a call site, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Entries of the map; for a site its live blocks.
    pub entries: u64,
    /// Bytes on the heap.
    pub bytes: u64,
    /// Entries inserted, or blocks allocated, since the start. Never falls. 0 for good where
    /// nobody counts, as with probed containers.
    pub births: u64,
    /// Entries removed, or blocks freed, since the start.
    pub deaths: u64,
}

/// What stands for the points of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The least size: what is left when everything temporary is gone.
    #[default]
    Minimum,
    /// The mean size: for comparison, since it follows every burst.
    Mean,
}

/// The series of one subject: rings of different steps, of which the coarser keep the least
/// size and the last counts of each step.
///
/// With [`Windows::standard`] 120 points of 15 s, 120 of 1 min and 96 of 15 min: 24 hours in
/// 9 KiB. What is not filled yet takes nothing.
#[derive(Clone, Debug)]
pub struct Series {
    windows: Windows,
    keep: Keep,
    rings: [Ring; RINGS],
    first: Option<Duration>,
    last: Option<(Duration, Point)>,
}

impl Series {
    /// An empty one. Allocates nothing yet.
    pub fn new(windows: &Windows) -> Self {
        Series::keeping(windows, Keep::Minimum)
    }

    /// An empty one that keeps something else.
    pub fn keeping(windows: &Windows, keep: Keep) -> Self {
        Series {
            windows: *windows,
            keep,
            rings: windows
                .rings
                .map(|ring| Ring::new(ring.step, ring.points, keep)),
            first: None,
            last: None,
        }
    }

    /// Adds what is so now: `at` since the start, which never goes back; a point from before
    /// the last one is ignored. Any number of points may come within a step. A gap of up to
    /// five steps is bridged, a longer one empties the ring that it is a gap in.
    pub fn push(&mut self, at: Duration, point: Point) {
        if self.last.is_some_and(|(last, _)| at < last) {
            return;
        }
        self.first.get_or_insert(at);
        self.last = Some((at, point));
        for ring in &mut self.rings {
            ring.push(at, &point);
        }
    }

    /// The newest point and when it came.
    pub fn last(&self) -> Option<(Duration, Point)> {
        self.last
    }

    /// When the first point came.
    pub fn first(&self) -> Option<Duration> {
        self.first
    }

    /// The last so many seconds in blocks, to the end of the last whole step; `None` while
    /// there is less than that, and for a length that is none of the [`Windows`].
    pub fn window(&self, span: Duration) -> Option<Blocks> {
        let window = self.windows.find(span)?;
        let ring = self.rings.get(window.ring)?;
        let points = ring.points();
        let start = points.len().checked_sub(BLOCKS * window.per_block)?;
        let before = start.checked_sub(1).and_then(|place| points.get(place));
        Some(Blocks::of(
            span,
            ring.end(),
            self.keep == Keep::Mean,
            window.per_block,
            before,
            points.range(start..),
        ))
    }

    /// How entries and bytes went from about so long ago until now, without cutting it into
    /// blocks: least sizes at both ends. For a first look that costs next to nothing.
    pub(super) fn ends(&self, span: Duration) -> Option<[(f64, f64); 2]> {
        let window = self.windows.find(span)?;
        let points = self.rings.get(window.ring)?.points();
        let start = points.len().checked_sub(BLOCKS * window.per_block)?;
        let least = |from: usize, to: usize| {
            let mut least = (f64::INFINITY, f64::INFINITY);
            for point in points.range(from..to) {
                least.0 = least.0.min(f64::from(point.entries));
                least.1 = least.1.min(f64::from(point.bytes));
            }
            least
        };
        let end = points.len();
        Some([
            least(start, start + window.per_block),
            least(end - window.per_block, end),
        ])
    }

    /// What is known of times past, from the oldest to the newest, the coarsest first and
    /// each time once: when a step ended, and its point with the least sizes.
    pub fn points(&self) -> impl Iterator<Item = (Duration, Point)> + '_ {
        let starts: Vec<Option<Duration>> = self.rings.iter().map(start_of).collect();
        let rings = self.rings.iter().enumerate().rev();
        rings.flat_map(move |(place, ring)| {
            // What a finer ring has too is left to it.
            let finer = starts.iter().take(place).flatten().min().copied();
            let end = ring.end();
            let count = ring.points().len();
            let points = ring.points().iter().enumerate();
            points.filter_map(move |(nth, stored)| {
                let back = u32::try_from(count - 1 - nth).unwrap_or(u32::MAX);
                let at = end.saturating_sub(ring.step().saturating_mul(back));
                finer
                    .is_none_or(|finer| at <= finer)
                    .then(|| (at, point_of(stored)))
            })
        })
    }

    /// Bytes that it has taken from the heap.
    pub fn heap_bytes(&self) -> usize {
        let points: usize = self.rings.iter().map(|ring| ring.points().capacity()).sum();
        points * size_of::<Stored>()
    }
}

/// When the first step of a ring began.
fn start_of(ring: &Ring) -> Option<Duration> {
    let count = u32::try_from(ring.points().len()).unwrap_or(u32::MAX);
    (count > 0).then(|| {
        let length = ring.step().saturating_mul(count);
        ring.end().saturating_sub(length)
    })
}

fn point_of(stored: &Stored) -> Point {
    Point {
        entries: f64::from(stored.entries) as u64,
        bytes: f64::from(stored.bytes) as u64,
        births: stored.births,
        deaths: stored.deaths,
    }
}

#[cfg(test)]
mod tests;
