//! The inner allocator's own statistics.

use std::sync::atomic::{AtomicPtr, Ordering};

/// Figures that the inner allocator gives of itself. What it cannot give is
/// `None`, never 0 and never an estimate.
///
/// Names are jemalloc's; units are bytes unless the name says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocatorStats {
    /// Which allocator speaks.
    pub source: StatsSource,
    /// Bytes in blocks handed out, size classes included (`stats.allocated`).
    pub allocated: Option<u64>,
    /// Bytes in pages that hold at least one live block (`stats.active`).
    pub active: Option<u64>,
    /// Bytes of the allocator's own bookkeeping (`stats.metadata`).
    pub metadata: Option<u64>,
    /// Bytes of physically resident pages that the allocator maps (`stats.resident`).
    pub resident: Option<u64>,
    /// Bytes in active extents mapped by the allocator (`stats.mapped`).
    pub mapped: Option<u64>,
    /// Bytes of address space kept for later use (`stats.retained`).
    pub retained: Option<u64>,
    /// Dirty pages, in bytes: unused, not yet returned to the system.
    pub dirty: Option<u64>,
    /// Muzzy pages, in bytes: returned lazily, perhaps still resident.
    pub muzzy: Option<u64>,
    /// Bytes held in thread caches.
    pub tcache: Option<u64>,
    /// Blocks requested since the start, a count. Merged from thread caches
    /// with a delay.
    pub mallocs: Option<u64>,
    /// Blocks released since the start, a count: `mallocs` less the blocks
    /// that are out, those in thread caches counting as out. Both parts are
    /// merged with a delay, so this may fall a little between two readings.
    pub frees: Option<u64>,
    /// Bytes requested since the start, rounded up to size classes.
    pub allocated_total: Option<u64>,
    /// Number of arenas.
    pub arenas: Option<u64>,
    /// Pages given back to the system since the start, a count.
    pub purged_pages: Option<u64>,
    /// Blocks by size class: the small ones in ascending order, some 36, then the
    /// larger ones together. None if the allocator does not tell.
    pub classes: Vec<SizeClass>,
}

/// Blocks of one size class, counts. Merged from thread caches with a delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeClass {
    /// Bytes that each block takes; `None` for all larger ones together.
    pub size: Option<u64>,
    /// Blocks requested since the start.
    pub mallocs: u64,
    /// Blocks that are out, those in thread caches included.
    pub live: u64,
}

/// Which allocator answers for [`AllocatorStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsSource {
    /// jemalloc with its statistics compiled in.
    Jemalloc,
    /// jemalloc built without statistics (feature `jemalloc-stats` off):
    /// only what it counts anyway.
    JemallocWithoutStats,
    /// Another allocator behind [`Alloc::with`](crate::Alloc::with): it has
    /// no interface for statistics.
    #[default]
    Other,
}

impl StatsSource {
    /// A stable name, as used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            StatsSource::Jemalloc => "jemalloc",
            StatsSource::JemallocWithoutStats => "jemalloc_without_stats",
            StatsSource::Other => "other",
        }
    }

    /// Why figures are missing; `None` if none is.
    pub const fn missing_because(self) -> Option<&'static str> {
        match self {
            StatsSource::Jemalloc => None,
            StatsSource::JemallocWithoutStats => {
                Some("jemalloc was built without statistics: enable the feature `jemalloc-stats`")
            }
            StatsSource::Other => {
                Some("the inner allocator is not jemalloc and gives no statistics")
            }
        }
    }
}

/// The statistics of an allocator that has none.
pub(crate) fn none() -> AllocatorStats {
    AllocatorStats::default()
}

static SOURCE: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Remembers where the statistics of the allocator in use come from; the first
/// one to serve an allocation stays.
pub(crate) fn register(source: fn() -> AllocatorStats) {
    if SOURCE.load(Ordering::Relaxed).is_null() {
        SOURCE.store(source as *mut (), Ordering::Relaxed);
    }
}

/// What the inner allocator says of itself: see the cost of its own function,
/// such as [`jemalloc::stats`](crate::jemalloc::stats). All `None` before the
/// first allocation.
pub fn allocator_stats() -> AllocatorStats {
    let source = SOURCE.load(Ordering::Relaxed);
    if source.is_null() {
        return AllocatorStats::default();
    }
    // SAFETY: `register` stored a function of exactly this type.
    let source = unsafe { std::mem::transmute::<*mut (), fn() -> AllocatorStats>(source) };
    source()
}
