//! The fields of Go's `runtime.MemStats`, as far as there is an honest
//! equivalent in jemalloc's statistics or in the profiler's own.

use std::sync::atomic::{AtomicU64, Ordering};

use heaplens_alloc::{AllocatorStats, Counters};

/// One field.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    /// Go's name.
    pub(crate) name: &'static str,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    /// The inner allocator, if it gives that figure.
    Allocator(fn(&AllocatorStats) -> Option<u64>),
    /// The profiler itself: always known.
    Own(fn(&Counters) -> u64),
    /// Go has 0 here too.
    Zero,
    /// There is no such thing, for this reason.
    Nothing(&'static str),
}

impl Field {
    /// The figure, in the unit that Go documents.
    pub(crate) fn value(&self, stats: &AllocatorStats, counters: &Counters) -> Option<u64> {
        match self.source {
            Source::Allocator(read) => read(stats),
            Source::Own(read) => Some(read(counters)),
            Source::Zero => Some(0),
            Source::Nothing(_) => None,
        }
    }

    /// Why there is no figure; `None` if there is one.
    pub(crate) fn missing(
        &self,
        stats: &AllocatorStats,
        counters: &Counters,
    ) -> Option<&'static str> {
        if self.value(stats, counters).is_some() {
            return None;
        }
        Some(match self.source {
            Source::Nothing(reason) => reason,
            _ => stats
                .source
                .missing_because()
                .unwrap_or("the inner allocator does not give this figure"),
        })
    }
}

const NO_STACKS: &str = "the allocator knows nothing of stacks";
const NO_SPLIT: &str = "jemalloc's bookkeeping is one figure, allocator.metadata";
const NO_COLLECTOR: &str = "there is no garbage collector";
const NO_CLASSES: &str = "the inner allocator tells no size classes";

/// All fields, in Go's order.
pub(crate) const FIELDS: &[Field] = &[
    allocator("Alloc", |stats| stats.allocated),
    allocator("TotalAlloc", |stats| stats.allocated_total),
    allocator("Sys", heap_sys),
    Field {
        name: "Lookups",
        source: Source::Zero,
    },
    allocator("Mallocs", |stats| stats.mallocs),
    allocator("Frees", |stats| stats.frees),
    allocator("HeapAlloc", |stats| stats.allocated),
    allocator("HeapSys", heap_sys),
    allocator("HeapIdle", heap_idle),
    allocator("HeapInuse", heap_inuse),
    allocator("HeapReleased", |stats| stats.retained),
    allocator("HeapObjects", heap_objects),
    nothing("StackInuse", NO_STACKS),
    nothing("StackSys", NO_STACKS),
    nothing("MSpanInuse", NO_SPLIT),
    nothing("MSpanSys", NO_SPLIT),
    nothing("MCacheInuse", NO_SPLIT),
    nothing("MCacheSys", NO_SPLIT),
    Field {
        name: "BuckHashSys",
        source: Source::Own(|counters| counters.memory_used),
    },
    nothing("GCSys", NO_COLLECTOR),
    nothing(
        "OtherSys",
        "nothing else is taken from the system by the allocator",
    ),
    nothing("NextGC", NO_COLLECTOR),
    nothing("LastGC", NO_COLLECTOR),
    nothing("PauseTotalNs", NO_COLLECTOR),
    nothing("PauseNs", NO_COLLECTOR),
    nothing("PauseEnd", NO_COLLECTOR),
    nothing("NumGC", NO_COLLECTOR),
    nothing("NumForcedGC", NO_COLLECTOR),
    nothing("GCCPUFraction", NO_COLLECTOR),
    nothing("EnableGC", NO_COLLECTOR),
    nothing("DebugGC", NO_COLLECTOR),
    nothing("BySize", NO_CLASSES),
];

const fn allocator(name: &'static str, read: fn(&AllocatorStats) -> Option<u64>) -> Field {
    Field {
        name,
        source: Source::Allocator(read),
    }
}

const fn nothing(name: &'static str, reason: &'static str) -> Field {
    Field {
        name,
        source: Source::Nothing(reason),
    }
}

/// The inner allocator's statistics, with `frees` at the highest it ever was.
///
/// It is a difference of two figures, of which jemalloc updates one when a
/// thread cache is filled and the other later, so it may go back by some
/// hundred. A counter that goes back is a restart to Prometheus, and a spike
/// in every rate.
pub(crate) fn read() -> AllocatorStats {
    static FREES: AtomicU64 = AtomicU64::new(0);
    let mut stats = heaplens_alloc::allocator_stats();
    stats.frees = stats
        .frees
        .map(|frees| FREES.fetch_max(frees, Ordering::Relaxed).max(frees));
    stats
}

/// The known fields as name and value, for the text form of a profile.
pub(crate) fn lines(stats: &AllocatorStats, counters: &Counters) -> Vec<(String, String)> {
    FIELDS
        .iter()
        .filter_map(|field| {
            let value = field.value(stats, counters)?;
            Some((field.name.to_owned(), value.to_string()))
        })
        .collect()
}

/// Address space that the allocator holds, in bytes.
pub(crate) fn heap_sys(stats: &AllocatorStats) -> Option<u64> {
    Some(stats.mapped?.saturating_add(stats.retained?))
}

/// What of it holds live blocks: whole pages, in bytes. The statistics are
/// not read at one instant, so this is kept within [`heap_sys`].
pub(crate) fn heap_inuse(stats: &AllocatorStats) -> Option<u64> {
    Some(stats.active?.min(heap_sys(stats)?))
}

/// The rest, in bytes: `heap_idle + heap_inuse = heap_sys`.
pub(crate) fn heap_idle(stats: &AllocatorStats) -> Option<u64> {
    Some(heap_sys(stats)?.saturating_sub(heap_inuse(stats)?))
}

/// Live blocks, a count.
pub(crate) fn heap_objects(stats: &AllocatorStats) -> Option<u64> {
    Some(stats.mallocs?.saturating_sub(stats.frees?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> AllocatorStats {
        let mut stats = AllocatorStats::default();
        stats.allocated = Some(900);
        stats.active = Some(1_000);
        stats.mapped = Some(1_500);
        stats.retained = Some(500);
        stats.mallocs = Some(12);
        stats.frees = Some(5);
        stats
    }

    fn value(stats: &AllocatorStats, name: &str) -> Option<u64> {
        let field = FIELDS.iter().find(|field| field.name == name).unwrap();
        field.value(stats, &Counters::default())
    }

    #[test]
    fn identities() {
        let mut stats = stats();
        for active in [0, 1_000, 2_000, 9_000] {
            stats.active = Some(active);
            let [idle, inuse, sys] =
                ["HeapIdle", "HeapInuse", "HeapSys"].map(|name| value(&stats, name).unwrap());
            assert_eq!(idle + inuse, sys, "active {active}");
        }
        assert_eq!(value(&stats, "HeapObjects"), Some(7));
        assert_eq!(value(&stats, "Sys"), Some(2_000));
        assert_eq!(value(&stats, "HeapReleased"), Some(500));
    }

    #[test]
    fn a_figure_that_depends_on_a_missing_one_is_missing() {
        let mut stats = stats();
        stats.retained = None;
        for name in ["Sys", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased"] {
            assert_eq!(value(&stats, name), None, "{name}");
        }
        assert_eq!(value(&stats, "Alloc"), Some(900));
        let lines = lines(&stats, &Counters::default());
        assert!(lines.contains(&("Alloc".to_owned(), "900".to_owned())));
        assert!(!lines.iter().any(|(name, _)| name == "HeapSys"));
    }
}
