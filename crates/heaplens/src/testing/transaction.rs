//! Does something that is done again and again leave anything behind?

use heaplens_alloc::untracked;
use heaplens_alloc::watch::Figures;

use super::call_sites::{Holdings, TOP};
use super::heap_watch::{HeapWatch, started};
use super::map_growth::Entries;
use super::transaction_report::TransactionReport;

/// Runs `run` ten times to warm up and a hundred times more, and asserts that in
/// those hundred neither the heap nor a tracked map grew. [`Transaction`] has the
/// settings.
///
/// ```should_panic
/// use heaplens::{TrackedHashMap, testing::transaction};
///
/// #[global_allocator]
/// static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
///
/// fn main() {
///     let mut sessions = TrackedHashMap::named("sessions");
///     let mut next = 0u64;
///     // Panics, and names the map `sessions` and the closure that fills it.
///     transaction("login without logout", || {
///         next += 1;
///         sessions.insert(next, format!("user {next}"));
///     });
/// }
/// ```
///
/// # Panics
/// As [`Transaction::run`].
#[track_caller]
pub fn transaction<T>(name: &str, run: impl FnMut() -> T) {
    Transaction::named(name).run(run);
}

/// Something that a program does again and again, and that must leave nothing
/// behind: a request, a job, a session from its beginning to its end.
///
/// Watching begins before the warm-up. What is compared is the heap before and after
/// the runs that follow it: bytes that were allocated since the beginning and are
/// alive. So caches, pools and tables that have reached their size in the warm-up do
/// not count as growth, and neither do entries that replace each other, as long as
/// the warm-up has filled them.
///
/// A hash table in which entries come and go may double once, at a moment that differs
/// from run to run, when removed entries have used up what is free: reserve twice as many
/// entries as there are, or [allow](Transaction::allow_bytes) for it.
///
/// Each result of the closure is dropped at the end of its run.
///
/// ```
/// use heaplens::{TrackedHashMap, testing::Transaction};
///
/// #[global_allocator]
/// static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
///
/// fn main() {
///     let mut sessions = TrackedHashMap::named("sessions");
///     sessions.reserve(100);
///     let mut next = 0u64;
///     let report = Transaction::named("session").warm_up(50).runs(200).run(|| {
///         next += 1;
///         sessions.insert(next, format!("user {next:020}"));
///         sessions.remove(&next.saturating_sub(20));
///     });
///     assert_eq!(report.bytes, 0);
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `run` or `measure` is called"]
pub struct Transaction {
    name: String,
    warm_up: u64,
    runs: u64,
    allowed_bytes: u64,
    allowed_entries: u64,
    maps: Vec<String>,
    all_threads: bool,
}

impl Transaction {
    /// A transaction with ten runs of warm-up and a hundred that count, in which
    /// nothing may grow.
    pub fn named(name: &str) -> Self {
        Transaction {
            name: name.to_owned(),
            warm_up: 10,
            runs: 100,
            allowed_bytes: 0,
            allowed_entries: 0,
            maps: Vec::new(),
            all_threads: false,
        }
    }

    /// Runs before the first look at the heap: as many as it takes until everything
    /// that is kept for good is there.
    pub fn warm_up(self, warm_up: u64) -> Self {
        Transaction { warm_up, ..self }
    }

    /// Runs between the first look at the heap and the second.
    pub fn runs(self, runs: u64) -> Self {
        Transaction { runs, ..self }
    }

    /// Bytes by which the heap may grow in all runs together.
    pub fn allow_bytes(self, allowed_bytes: u64) -> Self {
        Transaction {
            allowed_bytes,
            ..self
        }
    }

    /// Entries that each group of tracked maps may gain in all runs together.
    pub fn allow_entries(self, allowed_entries: u64) -> Self {
        Transaction {
            allowed_entries,
            ..self
        }
    }

    /// Looks at the tracked maps of these groups only. Without this, at all of the
    /// process: then other tests that fill tracked maps must not run beside this one
    /// in its process.
    pub fn only_maps<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let maps = names.into_iter().map(Into::into).collect();
        Transaction { maps, ..self }
    }

    /// Counts what all threads allocate, as [`HeapWatch::start_all_threads`] does.
    /// What other threads do for a run must be done when the closure returns.
    pub fn all_threads(self) -> Self {
        Transaction {
            all_threads: true,
            ..self
        }
    }

    /// Runs it, and asserts that nothing grew by more than is allowed.
    ///
    /// # Panics
    /// If something did, with the figures, the maps, and the call sites that grew. As
    /// [`HeapWatch::start`]. If the closure does.
    #[track_caller]
    pub fn run<T>(&self, run: impl FnMut() -> T) -> TransactionReport {
        let report = self.measure(run);
        report.assert_no_growth();
        report
    }

    /// Runs it and says what grew.
    ///
    /// # Panics
    /// As [`HeapWatch::start`]. If the closure does.
    #[track_caller]
    pub fn measure<T>(&self, mut run: impl FnMut() -> T) -> TransactionReport {
        let watch = started(if self.all_threads {
            HeapWatch::try_start_all_threads()
        } else {
            HeapWatch::try_start()
        });
        let mut start = None;
        let (mut bytes, mut growing_runs) = (0, 0);
        // All runs from one place, so that those of the warm-up have the same stacks.
        for number in 0..self.warm_up.saturating_add(self.runs) {
            if number == self.warm_up {
                start = Some(Start::look(&watch, &self.maps));
                growing_runs = 0;
            }
            drop(run());
            let last = std::mem::replace(&mut bytes, watch.figures().bytes);
            growing_runs += u64::from(bytes > last);
        }
        let Start {
            figures: before,
            entries,
            holdings,
        } = start.unwrap_or_else(|| Start::look(&watch, &self.maps));
        let after = watch.figures();
        untracked(|| {
            let mut report = TransactionReport {
                name: self.name.clone(),
                warm_up: self.warm_up,
                runs: self.runs,
                growing_runs,
                bytes: after.bytes as i64 - before.bytes as i64,
                blocks: after.blocks as i64 - before.blocks as i64,
                allowed_bytes: self.allowed_bytes,
                maps: Entries::now(&self.maps).growth_since(&entries, self.allowed_entries),
                call_sites: Vec::new(),
                inexact: after.inexact,
            };
            if report.grew() {
                report.call_sites = watch.holdings().since(&holdings).top(TOP);
            }
            report
        })
    }
}

/// What there was after the warm-up.
struct Start {
    figures: Figures,
    entries: Entries,
    holdings: Holdings,
}

impl Start {
    fn look(watch: &HeapWatch, maps: &[String]) -> Self {
        let (entries, holdings) = untracked(|| (Entries::now(maps), watch.holdings()));
        Start {
            figures: watch.figures(),
            entries,
            holdings,
        }
    }
}
