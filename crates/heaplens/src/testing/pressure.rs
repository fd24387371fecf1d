//! Drives a map or cache to a limit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use heaplens_alloc::untracked;
use heaplens_alloc::watch::Figures;

use super::heap_watch::{HeapWatch, started};
use super::latency::Latencies;
use super::outcome::Outcome;
use super::pressure_report::{PressureReport, Stop};

/// Failures that are kept in words.
const TOLD: usize = 5;

/// Calls an operation over and over until a limit is reached, and reports how it
/// went: what failed, how long it took, what the container and the heap came to, and
/// whether the container kept its bound.
///
/// ```
/// use std::collections::VecDeque;
/// use heaplens::testing::{Pressure, Stop};
///
/// #[global_allocator]
/// static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
///
/// fn main() {
///     let mut recent = VecDeque::new();
///     let report = Pressure::new()
///         .bound(100)
///         .max_operations(5_000)
///         .drive(&mut recent, VecDeque::len, |recent, number| {
///             recent.push_back(format!("message {number}"));
///             if recent.len() > 100 {
///                 recent.pop_front();
///             }
///         });
///     assert_eq!(report.stop, Stop::Operations);
///     // One too many, for a moment within each operation, is not seen.
///     report.assert_bound_kept();
///     report.assert_no_failures();
///     report.assert_peak_heap_below(64 << 10);
/// }
/// ```
///
/// Without limits it stops after 100,000 operations. Heap bytes are those that this
/// thread allocates, exactly, as a [`HeapWatch`] counts them; a few microseconds an
/// allocation go to that, and show in the latencies. [`Pressure::latency_only`] does
/// without.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `run` or `drive` is called"]
pub struct Pressure {
    max_operations: u64,
    max_time: Option<Duration>,
    heap_bytes: Option<u64>,
    entries: Option<u64>,
    bound: Option<u64>,
    heap: Heap,
}

/// What of the heap is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heap {
    ThisThread,
    AllThreads,
    Nothing,
}

impl Default for Pressure {
    fn default() -> Self {
        Self::new()
    }
}

impl Pressure {
    /// Up to 100,000 operations, with the heap of this thread watched.
    pub fn new() -> Self {
        Pressure {
            max_operations: 100_000,
            max_time: None,
            heap_bytes: None,
            entries: None,
            bound: None,
            heap: Heap::ThisThread,
        }
    }

    /// Stops after so many operations.
    pub fn max_operations(self, max_operations: u64) -> Self {
        Pressure {
            max_operations,
            ..self
        }
    }

    /// Stops after the operation in which this time is over.
    pub fn max_time(self, time: Duration) -> Self {
        Pressure {
            max_time: Some(time),
            ..self
        }
    }

    /// Stops after the operation in which the heap has grown by so many bytes.
    pub fn until_heap_bytes(self, bytes: u64) -> Self {
        Pressure {
            heap_bytes: Some(bytes),
            ..self
        }
    }

    /// Stops after the operation in which the container has come to so many entries.
    /// For [`Pressure::drive`].
    pub fn until_entries(self, entries: u64) -> Self {
        Pressure {
            entries: Some(entries),
            ..self
        }
    }

    /// Declares how many entries the container may have: its `max_entries`. It does
    /// not stop there; the report says whether it kept that. For
    /// [`Pressure::drive`].
    pub fn bound(self, entries: u64) -> Self {
        Pressure {
            bound: Some(entries),
            ..self
        }
    }

    /// Counts what all threads allocate, as [`HeapWatch::start_all_threads`] does.
    pub fn all_threads(self) -> Self {
        Pressure {
            heap: Heap::AllThreads,
            ..self
        }
    }

    /// Does not watch the heap: latencies are then those of the operations alone, and
    /// any global allocator will do. [`Pressure::until_heap_bytes`] has no effect.
    pub fn latency_only(self) -> Self {
        Pressure {
            heap: Heap::Nothing,
            ..self
        }
    }

    /// Calls `operation` with 0, 1, 2 … until a limit is reached. A panic in it counts
    /// as a failure of that operation, and the next one follows.
    ///
    /// # Panics
    /// As [`HeapWatch::start`].
    #[track_caller]
    pub fn run<R: Outcome>(&self, mut operation: impl FnMut(u64) -> R) -> PressureReport {
        self.go(|number| Step {
            entries: None,
            ..Step::of(|| operation(number))
        })
    }

    /// As [`Pressure::run`], with a container whose entries are counted after each
    /// operation. For a cache that is shared, pass a clone of its handle.
    ///
    /// # Panics
    /// As [`HeapWatch::start`]. If `entries` does.
    #[track_caller]
    pub fn drive<C, R: Outcome>(
        &self,
        container: &mut C,
        entries: impl Fn(&C) -> usize,
        mut operation: impl FnMut(&mut C, u64) -> R,
    ) -> PressureReport {
        self.go(|number| {
            let step = Step::of(|| operation(container, number));
            Step {
                entries: Some(entries(container) as u64),
                ..step
            }
        })
    }

    #[track_caller]
    fn go(&self, mut perform: impl FnMut(u64) -> Step) -> PressureReport {
        let watch = match self.heap {
            Heap::ThisThread => Some(started(HeapWatch::try_start())),
            Heap::AllThreads => Some(started(HeapWatch::try_start_all_threads())),
            Heap::Nothing => None,
        };
        let figures = || watch.as_ref().map(HeapWatch::figures);
        let start = Instant::now();
        let mut tally = Tally::new();
        let stop = loop {
            if tally.operations >= self.max_operations {
                break Stop::Operations;
            }
            let done = perform(tally.operations);
            untracked(|| tally.add(done));
            if let Some(stop) = self.reached(&tally, figures(), start) {
                break stop;
            }
        };
        let heap = figures();
        untracked(|| PressureReport {
            operations: tally.operations,
            failures: tally.failures,
            first_failures: tally.told,
            stop,
            time: start.elapsed(),
            latency: tally.latencies.summary(),
            entries: tally.entries,
            peak_entries: tally.peak_entries,
            bound: self.bound,
            heap,
        })
    }

    /// The limit that is reached, if one is.
    fn reached(&self, tally: &Tally, heap: Option<Figures>, start: Instant) -> Option<Stop> {
        let at_least = |value: Option<u64>, limit: Option<u64>| {
            value
                .zip(limit)
                .is_some_and(|(value, limit)| value >= limit)
        };
        if at_least(heap.map(|heap| heap.bytes), self.heap_bytes) {
            Some(Stop::HeapBytes)
        } else if at_least(tally.entries, self.entries) {
            Some(Stop::Entries)
        } else if self.max_time.is_some_and(|time| start.elapsed() >= time) {
            Some(Stop::Time)
        } else {
            None
        }
    }
}

/// What one operation came to.
struct Step {
    time: Duration,
    failure: Option<String>,
    entries: Option<u64>,
}

impl Step {
    /// Does it. A container that an operation leaves half changed by a panic is the
    /// program's own concern, as it is in the program.
    fn of<R: Outcome>(operation: impl FnOnce() -> R) -> Self {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(operation));
        let time = start.elapsed();
        let failure = match &result {
            Ok(outcome) => untracked(|| outcome.failure()),
            Err(panic) => untracked(|| Some(words(panic.as_ref()))),
        };
        Step {
            time,
            failure,
            entries: None,
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("not with a text"))
}

/// All operations up to now.
struct Tally {
    operations: u64,
    failures: u64,
    told: Vec<String>,
    latencies: Latencies,
    entries: Option<u64>,
    peak_entries: Option<u64>,
}

impl Tally {
    fn new() -> Self {
        Tally {
            operations: 0,
            failures: 0,
            told: Vec::new(),
            latencies: Latencies::new(),
            entries: None,
            peak_entries: None,
        }
    }

    fn add(&mut self, step: Step) {
        if let Some(failure) = step.failure {
            self.failures += 1;
            if self.told.len() < TOLD {
                self.told
                    .push(format!("operation {}: {failure}", self.operations));
            }
        }
        self.operations += 1;
        self.latencies.add(step.time);
        self.entries = step.entries;
        self.peak_entries = self.peak_entries.max(step.entries);
    }
}
