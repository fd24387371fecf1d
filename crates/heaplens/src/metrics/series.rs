//! The series: names, help, and where each figure comes from.

use heaplens_alloc::{AllocatorStats, Counters, Snapshot, Totals};

use super::memstats;

/// All that a scrape reads, once.
pub(super) struct Reading {
    stats: AllocatorStats,
    counters: Counters,
    totals: Totals,
}

impl Reading {
    /// Refreshes jemalloc's statistics, which walks all arenas, and walks the
    /// live samples, some 100 ns each.
    pub(super) fn take() -> Self {
        let snapshot = heaplens_alloc::snapshot();
        Self::of(memstats::read(), &snapshot)
    }

    pub(super) fn of(stats: AllocatorStats, snapshot: &Snapshot) -> Self {
        Reading {
            stats,
            counters: snapshot.counters,
            totals: snapshot.totals(),
        }
    }

    /// An estimate; none at all if nothing passes through the sampler.
    fn estimate(&self, of: impl Fn(&Totals) -> f64) -> Option<f64> {
        self.counters.installed.then(|| of(&self.totals))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
}

/// Where the values come from.
#[derive(Clone, Copy)]
pub(super) enum Values {
    /// One value; `None` leaves the series out.
    One(fn(&Reading) -> Option<f64>),
    /// One a value of this label.
    By(&'static str, fn(&Reading) -> Vec<(&'static str, f64)>),
}

pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) values: Values,
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    read: fn(&Reading) -> Option<f64>,
) -> Series {
    Series {
        name,
        help,
        kind: Kind::Gauge,
        values: Values::One(read),
    }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    read: fn(&Reading) -> Option<f64>,
) -> Series {
    Series {
        name,
        help,
        kind: Kind::Counter,
        values: Values::One(read),
    }
}

const fn by(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    label: &'static str,
    read: fn(&Reading) -> Vec<(&'static str, f64)>,
) -> Series {
    Series {
        name,
        help,
        kind,
        values: Values::By(label, read),
    }
}

/// A count or a number of bytes, as the format has it.
fn number(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

pub(super) fn all() -> impl Iterator<Item = &'static Series> {
    RUST_MEMSTATS.iter().chain(JEMALLOC).chain(HEAPLENS)
}

/// In the shape of Go's `go_memstats_*`. All from jemalloc: with another
/// allocator inside, none of them is there.
static RUST_MEMSTATS: &[Series] = &[
    gauge(
        "rust_memstats_alloc_bytes",
        "Bytes in blocks handed out by the allocator and not freed yet, size classes included.",
        |now| number(now.stats.allocated),
    ),
    counter(
        "rust_memstats_alloc_bytes_total",
        "Bytes in all blocks handed out since the start, freed or not.",
        |now| number(now.stats.allocated_total),
    ),
    gauge(
        "rust_memstats_sys_bytes",
        "Bytes of address space that the allocator holds.",
        |now| number(memstats::heap_sys(&now.stats)),
    ),
    counter(
        "rust_memstats_mallocs_total",
        "Blocks handed out since the start.",
        |now| number(now.stats.mallocs),
    ),
    counter(
        "rust_memstats_frees_total",
        "Blocks taken back since the start.",
        |now| number(now.stats.frees),
    ),
    gauge(
        "rust_memstats_heap_alloc_bytes",
        "Bytes in blocks handed out and not freed yet: the same as rust_memstats_alloc_bytes.",
        |now| number(now.stats.allocated),
    ),
    gauge(
        "rust_memstats_heap_sys_bytes",
        "Bytes of address space that the heap holds: idle and in use.",
        |now| number(memstats::heap_sys(&now.stats)),
    ),
    gauge(
        "rust_memstats_heap_idle_bytes",
        "Bytes of heap address space without any live block.",
        |now| number(memstats::heap_idle(&now.stats)),
    ),
    gauge(
        "rust_memstats_heap_inuse_bytes",
        "Bytes of heap pages with at least one live block.",
        |now| number(memstats::heap_inuse(&now.stats)),
    ),
    gauge(
        "rust_memstats_heap_released_bytes",
        "Bytes of heap address space whose memory was given back to the system.",
        |now| number(now.stats.retained),
    ),
    gauge("rust_memstats_heap_objects", "Live blocks.", |now| {
        number(memstats::heap_objects(&now.stats))
    }),
    gauge(
        "rust_memstats_buck_hash_sys_bytes",
        "Bytes of memory of the profiler itself.",
        |now| number(Some(now.counters.memory_used)),
    ),
];

/// jemalloc's statistics under its own names.
static JEMALLOC: &[Series] = &[
    gauge(
        "jemalloc_allocated_bytes",
        "Bytes in blocks handed out (stats.allocated).",
        |now| number(now.stats.allocated),
    ),
    gauge(
        "jemalloc_active_bytes",
        "Bytes in pages with at least one live block (stats.active).",
        |now| number(now.stats.active),
    ),
    gauge(
        "jemalloc_metadata_bytes",
        "Bytes of jemalloc's bookkeeping (stats.metadata).",
        |now| number(now.stats.metadata),
    ),
    gauge(
        "jemalloc_resident_bytes",
        "Bytes of resident pages mapped by jemalloc, an upper bound (stats.resident).",
        |now| number(now.stats.resident),
    ),
    gauge(
        "jemalloc_mapped_bytes",
        "Bytes in extents mapped by jemalloc (stats.mapped).",
        |now| number(now.stats.mapped),
    ),
    gauge(
        "jemalloc_retained_bytes",
        "Bytes of address space kept for later, without memory (stats.retained).",
        |now| number(now.stats.retained),
    ),
    gauge(
        "jemalloc_dirty_bytes",
        "Bytes in unused pages not given back to the system yet.",
        |now| number(now.stats.dirty),
    ),
    gauge(
        "jemalloc_muzzy_bytes",
        "Bytes in unused pages given back lazily.",
        |now| number(now.stats.muzzy),
    ),
    gauge(
        "jemalloc_tcache_bytes",
        "Bytes held in thread caches.",
        |now| number(now.stats.tcache),
    ),
    gauge("jemalloc_arenas", "Arenas.", |now| number(now.stats.arenas)),
    counter(
        "jemalloc_purged_pages_total",
        "Pages given back to the system since the start.",
        |now| number(now.stats.purged_pages),
    ),
];

/// The profiler on itself, and its estimates. Bytes are requested bytes here.
static HEAPLENS: &[Series] = &[
    gauge(
        "heaplens_sampling_active",
        "Whether allocations are being sampled: 1 or 0.",
        |now| Some(f64::from(u8::from(now.counters.is_sampling()))),
    ),
    gauge(
        "heaplens_sample_interval_bytes",
        "Mean bytes allocated between two samples; 0 is off.",
        |now| number(Some(now.counters.sample_interval)),
    ),
    counter(
        "heaplens_samples_total",
        "Allocations sampled since the start.",
        |now| number(Some(now.counters.samples)),
    ),
    gauge(
        "heaplens_live_samples",
        "Sampled blocks not freed yet.",
        |now| number(Some(now.counters.live_samples)),
    ),
    gauge(
        "heaplens_sites",
        "Distinct call sites recorded: stack and size class.",
        |now| number(Some(now.counters.sites)),
    ),
    gauge("heaplens_stacks", "Distinct stacks recorded.", |now| {
        number(Some(now.counters.stacks))
    }),
    by(
        "heaplens_drops_total",
        "Samples that could not be recorded in full, by reason.",
        Kind::Counter,
        "reason",
        |now| {
            let drops = now.counters.drops();
            drops
                .map(|(why, count)| (why.name(), count as f64))
                .collect()
        },
    ),
    gauge(
        "heaplens_memory_used_bytes",
        "Bytes of the profiler's memory budget in use.",
        |now| number(Some(now.counters.memory_used)),
    ),
    gauge(
        "heaplens_memory_budget_bytes",
        "Bytes of memory that the profiler may use at the most.",
        |now| number(Some(now.counters.memory_budget)),
    ),
    gauge(
        "heaplens_inuse_space_bytes",
        "Estimate of the requested bytes in live blocks.",
        |now| now.estimate(|totals| totals.inuse.bytes),
    ),
    gauge(
        "heaplens_inuse_space_stderr_bytes",
        "Standard error of heaplens_inuse_space_bytes.",
        |now| now.estimate(|totals| totals.inuse.bytes_error()),
    ),
    gauge(
        "heaplens_inuse_objects",
        "Estimate of the number of live blocks.",
        |now| now.estimate(|totals| totals.inuse.objects),
    ),
    gauge(
        "heaplens_inuse_objects_stderr",
        "Standard error of heaplens_inuse_objects.",
        |now| now.estimate(|totals| totals.inuse.objects_error()),
    ),
    counter(
        "heaplens_alloc_space_bytes_total",
        "Estimate of the bytes requested since the start.",
        |now| now.estimate(|totals| totals.alloc.bytes),
    ),
    counter(
        "heaplens_alloc_objects_total",
        "Estimate of the number of blocks requested since the start.",
        |now| now.estimate(|totals| totals.alloc.objects),
    ),
    by(
        "heaplens_build_info",
        "Version of Heaplens; the value is always 1.",
        Kind::Gauge,
        "version",
        |_| vec![(env!("CARGO_PKG_VERSION"), 1.0)],
    ),
    by(
        "heaplens_walker_info",
        "How stacks are captured; the value is always 1.",
        Kind::Gauge,
        "walker",
        |now| vec![(now.counters.walker.name(), 1.0)],
    ),
    by(
        "heaplens_allocator_info",
        "Which allocator is inside and gives the statistics; the value is always 1.",
        Kind::Gauge,
        "source",
        |now| vec![(now.stats.source.name(), 1.0)],
    ),
];
