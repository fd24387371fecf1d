//! The wrapper around the allocator that really serves memory.

use std::alloc::{GlobalAlloc, Layout};

use crate::config::{self, Defaults};
use crate::record;
use crate::stats::{self, AllocatorStats};
use crate::tag;
use crate::thread;

#[cfg(feature = "jemalloc")]
type DefaultInner = crate::jemalloc::Jemalloc;
#[cfg(not(feature = "jemalloc"))]
type DefaultInner = std::alloc::System;

/// A global allocator that samples what passes through it.
///
/// `A` serves the memory: jemalloc by default ([`Alloc::new`]), anything else
/// by [`Alloc::with`].
///
/// ```
/// use heaplens_alloc::Alloc;
///
/// #[global_allocator]
/// static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System);
/// # fn main() {}
/// ```
///
/// All instances of a process share one sampler, one set of tables and one
/// interval; the first to serve an allocation decides what is not set by the
/// environment.
///
/// # Pointers and C
///
/// A sampled block of up to 4 KiB does not begin where the inner allocator's
/// block begins. As with any `GlobalAlloc`, its pointer must come back to
/// `dealloc`: passing it to C's `free` or `malloc_usable_size`, which happens
/// to work with some allocators, does not.
#[derive(Debug)]
pub struct Alloc<A = DefaultInner> {
    inner: A,
    defaults: Defaults,
    stats: fn() -> AllocatorStats,
}

const DEFAULTS: Defaults = Defaults {
    interval: config::DEFAULT_SAMPLE_INTERVAL,
    budget: config::DEFAULT_MEMORY_BUDGET,
};

#[cfg(feature = "jemalloc")]
impl Alloc {
    /// Samples over jemalloc, on average one block in 512 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Alloc {
            inner: crate::jemalloc::Jemalloc,
            defaults: DEFAULTS,
            stats: crate::jemalloc::stats,
        }
    }
}

#[cfg(feature = "jemalloc")]
impl Default for Alloc {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Alloc<A> {
    /// Samples over any allocator, on average one block in 512 KiB.
    pub const fn with(inner: A) -> Self {
        Alloc {
            inner,
            defaults: DEFAULTS,
            stats: stats::none,
        }
    }

    /// Sets the mean number of bytes between samples; 0 = off until
    /// [`set_sample_interval`](crate::set_sample_interval) switches it on, 1 =
    /// every allocation. `HEAPLENS_SAMPLE_INTERVAL` in the environment
    /// overrides it.
    #[must_use]
    pub const fn sample_interval(mut self, bytes: u64) -> Self {
        self.defaults.interval = bytes;
        self
    }

    /// Sets how many bytes the profiler's own tables may take: 1 MiB to 1 GiB,
    /// 16 MiB by default, of which only what is used becomes resident. Half of
    /// it holds live samples (48 bytes each and 16 in the index), the rest
    /// stacks and sites. `HEAPLENS_MEMORY_BUDGET` in the environment overrides
    /// it.
    #[must_use]
    pub const fn memory_budget(mut self, bytes: usize) -> Self {
        self.defaults.budget = bytes;
        self
    }

    /// Sets where [`allocator_stats`](crate::allocator_stats) comes from, for
    /// an inner allocator that has statistics. For `tikv_jemallocator` that is
    /// [`jemalloc::stats`](crate::jemalloc::stats).
    #[must_use]
    pub const fn stats_from(mut self, stats: fn() -> AllocatorStats) -> Self {
        self.stats = stats;
        self
    }
}

// SAFETY: every block comes from the inner allocator, which is a GlobalAlloc,
// with a layout that has at least the size and alignment asked for, and goes
// back to it with the same layout: unmarked blocks pass through as they are,
// and the table of live samples knows in which shape marked ones were obtained.
// Nothing here unwinds, and nothing calls the wrapped allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if thread::charge(layout.size()) {
            // SAFETY: by the caller's promise on `layout`.
            return unsafe { self.alloc_slow(layout) };
        }
        // SAFETY: by the caller's promise on `layout`.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if thread::charge(layout.size()) {
            // SAFETY: by the caller's promise on `layout`.
            return unsafe { self.alloc_zeroed_slow(layout) };
        }
        // SAFETY: by the caller's promise on `layout`.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if tag::is_ordinary(ptr, layout) {
            // SAFETY: not sampled, so it is the inner allocator's own block.
            unsafe { self.inner.dealloc(ptr, layout) }
        } else {
            // SAFETY: by the caller's promise.
            unsafe { self.dealloc_other(ptr, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !tag::is_ordinary(ptr, layout) {
            // SAFETY: by the caller's promise.
            return unsafe { self.realloc_slow(ptr, layout, new_size, false) };
        }
        if thread::charge(new_size) {
            // SAFETY: by the caller's promise.
            return unsafe { self.realloc_slow(ptr, layout, new_size, true) };
        }
        // SAFETY: not sampled, so it is the inner allocator's own block.
        unsafe { self.inner.realloc(ptr, layout, new_size) }
    }
}

// Out of line, so that the common path saves no registers.
impl<A: GlobalAlloc> Alloc<A> {
    #[cold]
    #[inline(never)]
    unsafe fn alloc_slow(&self, layout: Layout) -> *mut u8 {
        stats::register(self.stats);
        // SAFETY: by the caller's promise on `layout`.
        unsafe { record::alloc(&self.inner, layout, false, &self.defaults) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn alloc_zeroed_slow(&self, layout: Layout) -> *mut u8 {
        stats::register(self.stats);
        // SAFETY: by the caller's promise on `layout`.
        unsafe { record::alloc(&self.inner, layout, true, &self.defaults) }
    }

    /// Large, over-aligned and eight-byte blocks, and the sampled ones.
    #[inline(never)]
    unsafe fn dealloc_other(&self, ptr: *mut u8, layout: Layout) {
        if tag::may_be_sampled(ptr, layout) {
            // SAFETY: by the caller's promise.
            unsafe { record::dealloc(&self.inner, ptr, layout) }
        } else {
            // SAFETY: not sampled, so it is the inner allocator's own block.
            unsafe { self.inner.dealloc(ptr, layout) }
        }
    }

    #[inline(never)]
    unsafe fn realloc_slow(
        &self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
        charged: bool,
    ) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { record::realloc(&self.inner, ptr, layout, new_size, charged, &self.defaults) }
    }
}
