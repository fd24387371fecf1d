//! The last points at one resolution.

use std::collections::VecDeque;
use std::time::Duration;

use super::series::{Keep, Point};

/// A point as it is kept, in 24 bytes. Sizes are rounded to 24 binary digits, which is finer
/// than any rule looks; counts are whole, for their differences are what counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) births: u64,
    pub(super) deaths: u64,
    pub(super) entries: f32,
    pub(super) bytes: f32,
}

/// What has come in of the present step.
#[derive(Clone, Copy, Debug)]
struct Open {
    slot: u64,
    pushed: u32,
    entries: f64,
    bytes: f64,
    births: u64,
    deaths: u64,
}

/// A longer gap is not bridged: what was before it is forgotten.
const BRIDGED: u64 = 5;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    step: Duration,
    points: usize,
    keep: Keep,
    done: VecDeque<Stored>,
    /// The slot after the last of `done`.
    next: u64,
    open: Option<Open>,
}

impl Ring {
    /// Of so many points and one more, which is where the counts of the first one start.
    pub(super) fn new(step: Duration, points: usize, keep: Keep) -> Self {
        Ring {
            step,
            points: points + 1,
            keep,
            done: VecDeque::new(),
            next: 0,
            open: None,
        }
    }

    /// When the last whole step ended.
    pub(super) fn end(&self) -> Duration {
        let nanos = self.step.as_nanos().saturating_mul(u128::from(self.next));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// From the oldest to the newest: whole steps only.
    pub(super) fn points(&self) -> &VecDeque<Stored> {
        &self.done
    }

    pub(super) fn step(&self) -> Duration {
        self.step
    }

    pub(super) fn push(&mut self, at: Duration, point: &Point) {
        let step = self.step.as_nanos().max(1);
        let slot = u64::try_from(at.as_nanos() / step).unwrap_or(u64::MAX);
        match &mut self.open {
            Some(open) if open.slot >= slot => open.add(point, self.keep),
            _ => {
                self.close();
                self.bridge(slot);
                self.open = Some(Open::of(slot, point));
            }
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.keep_point(open.stored(self.keep));
            self.next = open.slot + 1;
        }
    }

    /// Steps in which nothing came in are as the one before.
    fn bridge(&mut self, slot: u64) {
        let missing = slot.saturating_sub(self.next);
        match self.done.back().copied() {
            Some(last) if missing <= BRIDGED => {
                for _ in 0..missing {
                    self.keep_point(last);
                }
            }
            _ => self.done.clear(),
        }
        self.next = slot;
    }

    fn keep_point(&mut self, point: Stored) {
        if self.done.len() >= self.points {
            self.done.pop_front();
        }
        self.done.push_back(point);
    }
}

impl Open {
    fn of(slot: u64, point: &Point) -> Self {
        Open {
            slot,
            pushed: 1,
            entries: point.entries as f64,
            bytes: point.bytes as f64,
            births: point.births,
            deaths: point.deaths,
        }
    }

    fn add(&mut self, point: &Point, keep: Keep) {
        let (entries, bytes) = (point.entries as f64, point.bytes as f64);
        match keep {
            Keep::Minimum => {
                self.entries = self.entries.min(entries);
                self.bytes = self.bytes.min(bytes);
            }
            Keep::Mean => {
                self.entries += entries;
                self.bytes += bytes;
            }
        }
        self.pushed += 1;
        self.births = self.births.max(point.births);
        self.deaths = self.deaths.max(point.deaths);
    }

    fn stored(&self, keep: Keep) -> Stored {
        let divided = match keep {
            Keep::Minimum => 1.0,
            Keep::Mean => f64::from(self.pushed),
        };
        Stored {
            births: self.births,
            deaths: self.deaths,
            entries: (self.entries / divided) as f32,
            bytes: (self.bytes / divided) as f32,
        }
    }
}
