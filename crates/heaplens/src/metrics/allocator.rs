//! The inner allocator's series.

use std::borrow::Cow;

use heaplens_alloc::{AllocatorStats, SizeClass};

use super::memstats;
use super::series::{Kind, Sample, Series, by, counter, gauge, number};

/// In the shape of Go's `go_memstats_*`. All from jemalloc: with another
/// allocator inside, none of them is there.
pub(super) static RUST_MEMSTATS: &[Series] = &[
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
];

/// jemalloc's statistics under its own names.
pub(super) static JEMALLOC: &[Series] = &[
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
    by(
        "jemalloc_size_class_live_objects",
        "Blocks that are out, those in thread caches included, by the bytes that each takes.",
        Kind::Gauge,
        &["size"],
        |now| by_size(&now.stats, |class| class.live),
    ),
    by(
        "jemalloc_size_class_mallocs_total",
        "Blocks requested since the start, by the bytes that each takes.",
        Kind::Counter,
        &["size"],
        |now| by_size(&now.stats, |class| class.mallocs),
    ),
];

/// One value a size class; all beyond the small ones together are `larger`.
fn by_size(stats: &AllocatorStats, read: fn(&SizeClass) -> u64) -> Vec<Sample<'static>> {
    let classes = stats.classes.iter();
    let samples = classes.map(|class| {
        let size = match class.size {
            Some(bytes) => Cow::Owned(bytes.to_string()),
            None => Cow::Borrowed("larger"),
        };
        Sample {
            labels: vec![size],
            value: read(class) as f64,
        }
    });
    samples.collect()
}
