//! How a container did under pressure.

use std::fmt;
use std::time::Duration;

use heaplens_alloc::watch::Figures;

use super::heap_watch::{in_blocks, in_bytes};
use super::latency::Latency;
use crate::units::count;

/// What is asserted of a bound takes one, and a container.
const NO_BOUND: &str = "whether a bound was kept is not known: it takes `Pressure::bound` and \
                        `Pressure::drive`";

/// Why [`Pressure`](super::Pressure) stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// All operations were done.
    Operations,
    /// The heap grew to the limit.
    HeapBytes,
    /// The container came to the limit.
    Entries,
    /// The time was over.
    Time,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Operations => "all operations were done",
            Stop::HeapBytes => "the heap came to its limit",
            Stop::Entries => "the entries came to their limit",
            Stop::Time => "the time was over",
        })
    }
}

/// How a container did under [`Pressure`](super::Pressure). Displayed as a few lines
/// for people, which failed assertions show.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PressureReport {
    /// Operations done, failed ones included.
    pub operations: u64,
    /// Operations that failed or panicked.
    pub failures: u64,
    /// The first five of them, in words.
    pub first_failures: Vec<String>,
    /// Why it ended.
    pub stop: Stop,
    /// How long it took as a whole.
    pub time: Duration,
    /// How long the operations took, failed ones included.
    pub latency: Latency,
    /// Entries after the last operation, if the container was looked at.
    pub entries: Option<u64>,
    /// The most entries after any operation.
    pub peak_entries: Option<u64>,
    /// Entries that were declared as the bound.
    pub bound: Option<u64>,
    /// What was allocated and not freed; `None` if the heap was not watched.
    pub heap: Option<Figures>,
}

impl PressureReport {
    /// Whether the container never had more entries than its bound; `None` if there
    /// was no bound or no container.
    pub fn kept_bound(&self) -> Option<bool> {
        let (peak, bound) = self.peak_entries.zip(self.bound)?;
        Some(peak <= bound)
    }

    /// Asserts that the container never had more entries than its bound, as seen after
    /// each operation.
    ///
    /// # Panics
    /// If it did, with this report; and if there was no bound or no container.
    #[track_caller]
    pub fn assert_bound_kept(&self) {
        match self.kept_bound() {
            Some(true) => {}
            Some(false) => panic!("the container exceeded its bound\n{self}"),
            None => panic!("{NO_BOUND}"),
        }
    }

    /// Asserts that the container had no more than its bound after the last operation,
    /// for caches that evict a little later.
    ///
    /// # Panics
    /// If it had, with this report; and if there was no bound or no container.
    #[track_caller]
    pub fn assert_bound_kept_at_end(&self) {
        match self.entries.zip(self.bound) {
            Some((entries, bound)) => {
                assert!(entries <= bound, "the container is above its bound\n{self}");
            }
            None => panic!("{NO_BOUND}"),
        }
    }

    /// Asserts that no operation failed.
    ///
    /// # Panics
    /// If one did, with this report.
    #[track_caller]
    pub fn assert_no_failures(&self) {
        assert!(self.failures == 0, "operations failed\n{self}");
    }

    /// Asserts that less than so many bytes were allocated and not freed at the end.
    ///
    /// # Panics
    /// If there were more, with this report; if the figures are inexact, with the
    /// remedy; if the heap was not watched.
    #[track_caller]
    pub fn assert_heap_below(&self, bytes: u64) {
        let limit = in_bytes(bytes);
        let is_below = self.heap().bytes < bytes;
        assert!(is_below, "the heap is not below {limit}\n{self}");
    }

    /// Asserts that at all times less than so many bytes were allocated and not freed.
    ///
    /// # Panics
    /// As [`PressureReport::assert_heap_below`].
    #[track_caller]
    pub fn assert_peak_heap_below(&self, bytes: u64) {
        let limit = in_bytes(bytes);
        let is_below = self.heap().peak_bytes < bytes;
        assert!(is_below, "the heap's peak is not below {limit}\n{self}");
    }

    /// Asserts that 99 of 100 operations took less than this. What watching the heap
    /// costs is among it, and whatever else the machine does: choose it with room.
    ///
    /// # Panics
    /// If they took longer, with this report.
    #[track_caller]
    pub fn assert_p99_below(&self, time: Duration) {
        let is_below = self.latency.p99 < time;
        assert!(is_below, "the p99 latency is not below {time:?}\n{self}");
    }

    #[track_caller]
    fn heap(&self) -> Figures {
        match self.heap {
            Some(heap) if heap.inexact.is_none() => heap,
            Some(_) => panic!("the heap's figures are inexact\n{self}"),
            None => panic!("the heap was not watched: leave out `latency_only`"),
        }
    }

    fn entries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((entries, peak)) = self.entries.zip(self.peak_entries) else {
            return Ok(());
        };
        let (entries, peak) = (count(entries), count(peak));
        write!(f, "\n  entries: {entries}, at the most {peak}")?;
        match (self.bound, self.kept_bound()) {
            (Some(bound), Some(true)) => write!(f, ", bound {} kept", count(bound)),
            (Some(bound), _) => write!(f, ", bound {} exceeded", count(bound)),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for PressureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = count(self.operations);
        write!(
            f,
            "  {operations} operations in {:.1?}, until {}",
            self.time, self.stop
        )?;
        write!(f, "\n  latency: {}", self.latency)?;
        self.entries(f)?;
        if let Some(heap) = &self.heap {
            let (now, blocks) = (in_bytes(heap.bytes), in_blocks(heap.blocks));
            let peak = in_bytes(heap.peak_bytes);
            write!(f, "\n  heap: {now} in {blocks}, at the peak {peak}")?;
            if let Some(inexact) = heap.inexact {
                write!(f, "; inexact: {inexact}")?;
            }
        }
        write!(f, "\n  failures: {}", count(self.failures))?;
        for failure in &self.first_failures {
            write!(f, "\n    {failure}")?;
        }
        Ok(())
    }
}
