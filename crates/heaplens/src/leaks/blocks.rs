//! A window of a series, cut into blocks.

use std::time::Duration;

use super::ring::Stored;

/// How many blocks a window has.
pub const BLOCKS: usize = 24;

/// A window in 24 equal blocks. The least of each block is what a trend is looked for in:
/// sweeps, bursts and batches that are shorter than a block leave no trace in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    span: Duration,
    end: Duration,
    entries: [f64; BLOCKS],
    bytes: [f64; BLOCKS],
    /// Since the start, at the edges of the blocks: before the first, and at the end of each.
    births: [u64; BLOCKS + 1],
    deaths: [u64; BLOCKS + 1],
}

impl Blocks {
    /// Of so many points to a block, from the oldest to the newest; `before` is the one
    /// before the first of them, if it is known. With fewer points blocks stay empty.
    pub(super) fn of<'a>(
        span: Duration,
        end: Duration,
        mean: bool,
        per_block: usize,
        before: Option<&Stored>,
        points: impl Iterator<Item = &'a Stored>,
    ) -> Self {
        let mut blocks = Blocks {
            span,
            end,
            entries: [0.0; BLOCKS],
            bytes: [0.0; BLOCKS],
            births: [0; BLOCKS + 1],
            deaths: [0; BLOCKS + 1],
        };
        if let Some(before) = before {
            (blocks.births[0], blocks.deaths[0]) = (before.births, before.deaths);
        }
        let per_block = per_block.max(1);
        for (place, point) in points.enumerate() {
            if place == 0 && before.is_none() {
                (blocks.births[0], blocks.deaths[0]) = (point.births, point.deaths);
            }
            let is_first = place.is_multiple_of(per_block);
            blocks.add(place / per_block, is_first, mean, per_block, point);
        }
        blocks
    }

    fn add(&mut self, block: usize, is_first: bool, mean: bool, per_block: usize, point: &Stored) {
        let places = (self.entries.get_mut(block), self.bytes.get_mut(block));
        let (Some(entries), Some(bytes)) = places else {
            return;
        };
        for (least, now) in [(entries, point.entries), (bytes, point.bytes)] {
            let now = f64::from(now);
            *least = match (mean, is_first) {
                (true, true) => now / per_block as f64,
                (true, false) => *least + now / per_block as f64,
                (false, true) => now,
                (false, false) => least.min(now),
            };
        }
        if let Some(births) = self.births.get_mut(block + 1) {
            *births = point.births;
        }
        if let Some(deaths) = self.deaths.get_mut(block + 1) {
            *deaths = point.deaths;
        }
    }

    /// How long the window is.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// When it ends.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Seconds from one block to the next.
    pub fn step_seconds(&self) -> f64 {
        self.span.as_secs_f64() / BLOCKS as f64
    }

    /// The least number of entries in each block, from the oldest to the newest.
    pub fn entries(&self) -> &[f64; BLOCKS] {
        &self.entries
    }

    /// The least number of bytes in each block.
    pub fn bytes(&self) -> &[f64; BLOCKS] {
        &self.bytes
    }

    /// Births from the start of this block on, to the start of that one; blocks are counted
    /// from 0, and 24 is the end of the window.
    pub fn births(&self, from: usize, to: usize) -> f64 {
        between(&self.births, from, to)
    }

    /// Deaths from the start of this block on, to the start of that one.
    pub fn deaths(&self, from: usize, to: usize) -> f64 {
        between(&self.deaths, from, to)
    }

    /// Whether births and deaths are counted at all: probed containers do not tell.
    pub fn flow_is_known(&self) -> bool {
        self.births[BLOCKS] > 0
    }
}

fn between(counts: &[u64; BLOCKS + 1], from: usize, to: usize) -> f64 {
    match (counts.get(from), counts.get(to)) {
        (Some(from), Some(to)) => to.saturating_sub(*from) as f64,
        _ => 0.0,
    }
}
