//! The wrapper around the allocator that really serves memory.

use std::alloc::{GlobalAlloc, Layout};

use crate::config::{self, Defaults};
use crate::filter;
use crate::record;
use crate::retained::gate::{self, Gate};
use crate::retained::heap;
use crate::stats::{self, AllocatorStats};
use crate::tag::{self, Kind};
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
/// A sampled block of less than 4 KiB does not begin where the inner allocator's
/// block begins, which is 248 bytes longer and aligned to 256; or to a page, if the
/// block has at most eight bytes or is aligned to more than eight. As with any
/// `GlobalAlloc`, its pointer must come back to `dealloc`: passing it to C's `free` or
/// `malloc_usable_size`, which happens to work with some allocators, does not.
#[derive(Debug)]
pub struct Alloc<A = DefaultInner> {
    inner: A,
    defaults: Defaults,
    stats: fn() -> AllocatorStats,
    gate: Gate,
}

const DEFAULTS: Defaults = Defaults {
    interval: config::DEFAULT_SAMPLE_INTERVAL,
    budget: config::DEFAULT_MEMORY_BUDGET,
    overhead: config::DEFAULT_MAX_OVERHEAD,
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
            gate: Gate::closed(),
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
            gate: Gate::closed(),
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

    /// Sets how many parts in a million of its time a thread may spend on
    /// sampling: 10,000, which is 1 %, by default; 0 = no bound. A thread that
    /// allocates so fast that it would take more samples at a larger interval
    /// than was set, and its estimates have a larger error, which is published
    /// with them; they stay unbiased. An interval of 1 is not raised.
    /// `HEAPLENS_MAX_OVERHEAD` in the environment overrides it.
    #[must_use]
    pub const fn max_overhead_ppm(mut self, parts: u32) -> Self {
        self.defaults.overhead = parts;
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

    /// Notes that this allocator serves the process. Each thread's first
    /// allocation comes here.
    fn register(&self) {
        thread::note_installed();
        stats::register(self.stats);
        if thread::is_probing() {
            gate::found(&self.gate);
        }
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
            return unsafe { self::alloc(layout.size(), layout.align(), self) };
        }
        // SAFETY: by the caller's promise on `layout`.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if thread::charge(layout.size()) {
            // SAFETY: by the caller's promise on `layout`.
            return unsafe { alloc_zeroed(layout.size(), layout.align(), self) };
        }
        // SAFETY: by the caller's promise on `layout`.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: by the caller's promise; a block of none of the three kinds
        // was not sampled and is the inner allocator's own.
        unsafe {
            match tag::kind(ptr, size, align, self.gate.last()) {
                Kind::Ordinary => self.inner.dealloc(ptr, layout),
                Kind::Last => dealloc_last(ptr, size, align, self),
                Kind::Large => dealloc_large(ptr, size, align, self),
                Kind::Aligned => dealloc_aligned(ptr, size, align, self),
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if tag::kind(ptr, size, align, self.gate.last()) != Kind::Ordinary {
            // SAFETY: by the caller's promise.
            return unsafe { realloc_other(ptr, size, align, new_size, self) };
        }
        if thread::charge(new_size) {
            // SAFETY: by the caller's promise.
            return unsafe { realloc_charged(ptr, size, align, new_size, self) };
        }
        // SAFETY: not sampled, so it is the inner allocator's own block.
        unsafe { self.inner.realloc(ptr, layout, new_size) }
    }
}

// What is not the common case, out of line so that the common path saves no
// registers. The arguments come in the order in which the compiler's allocator
// shims have them in registers, the allocator last, so that the common path
// need not move them. Each case has a function of its own: the compiler would
// join tests that lead to one place into more instructions. All are said to
// be cold, though some are not: so no jump is taken on the common path.

/// # Safety
/// `size` and `align` must be a valid layout.
unsafe fn layout(size: usize, align: usize) -> Layout {
    // SAFETY: by the caller's promise.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

#[cold]
#[inline(never)]
unsafe fn alloc<A: GlobalAlloc>(size: usize, align: usize, this: &Alloc<A>) -> *mut u8 {
    this.register();
    // SAFETY: by the caller's promise on the layout.
    unsafe {
        if this.gate.is_open() {
            return heap::alloc(layout(size, align), false);
        }
        record::alloc(&this.inner, layout(size, align), false, &this.defaults)
    }
}

#[cold]
#[inline(never)]
unsafe fn alloc_zeroed<A: GlobalAlloc>(size: usize, align: usize, this: &Alloc<A>) -> *mut u8 {
    this.register();
    // SAFETY: by the caller's promise on the layout.
    unsafe {
        if this.gate.is_open() {
            return heap::alloc(layout(size, align), true);
        }
        record::alloc(&this.inner, layout(size, align), true, &this.defaults)
    }
}

/// A block in the last bytes of a slot. In a what-if child any block.
#[cold]
#[inline(never)]
unsafe fn dealloc_last<A: GlobalAlloc>(ptr: *mut u8, size: usize, align: usize, this: &Alloc<A>) {
    // SAFETY: by the caller's promise.
    unsafe {
        if this.gate.is_open() {
            heap::dealloc(ptr, layout(size, align));
        } else if tag::is_marked(ptr, size, align) {
            record::dealloc(&this.inner, ptr, layout(size, align));
        } else {
            this.inner.dealloc(ptr, layout(size, align));
        }
    }
}

/// An alignment above eight.
///
/// # Safety
/// As for `GlobalAlloc::dealloc`, and it must be one.
#[cold]
#[inline(never)]
unsafe fn dealloc_aligned<A: GlobalAlloc>(
    ptr: *mut u8,
    size: usize,
    align: usize,
    this: &Alloc<A>,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        // So that neither the mark's test nor the inner allocator asks it again.
        std::hint::assert_unchecked(align > 8);
        if tag::is_marked(ptr, size, align) {
            record::dealloc(&this.inner, ptr, layout(size, align));
        } else if tag::bears_mark(size, align) {
            this.inner.dealloc(ptr, layout(size, align));
        } else {
            dealloc_large(ptr, size, align, this);
        }
    }
}

/// A block that bears no mark whether it was sampled or not.
#[cold]
#[inline(never)]
unsafe fn dealloc_large<A: GlobalAlloc>(ptr: *mut u8, size: usize, align: usize, this: &Alloc<A>) {
    // SAFETY: by the caller's promise.
    unsafe {
        if filter::UNMARKED.may_hold(ptr.addr()) {
            record::dealloc(&this.inner, ptr, layout(size, align));
        } else {
            this.inner.dealloc(ptr, layout(size, align));
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn realloc_other<A: GlobalAlloc>(
    ptr: *mut u8,
    size: usize,
    align: usize,
    new_size: usize,
    this: &Alloc<A>,
) -> *mut u8 {
    if this.gate.is_open() {
        // SAFETY: by the caller's promise.
        return unsafe { heap::realloc(ptr, layout(size, align), new_size) };
    }
    let may_be_sampled = if tag::bears_mark(size, align) {
        tag::is_marked(ptr, size, align)
    } else {
        filter::UNMARKED.may_hold(ptr.addr())
    };
    let (inner, defaults) = (&this.inner, &this.defaults);
    // SAFETY: by the caller's promise; a block that was not sampled is the
    // inner allocator's own.
    unsafe {
        let layout = layout(size, align);
        if may_be_sampled {
            record::realloc(inner, ptr, layout, new_size, false, defaults)
        } else if thread::charge(new_size) {
            record::realloc(inner, ptr, layout, new_size, true, defaults)
        } else {
            inner.realloc(ptr, layout, new_size)
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn realloc_charged<A: GlobalAlloc>(
    ptr: *mut u8,
    size: usize,
    align: usize,
    new_size: usize,
    this: &Alloc<A>,
) -> *mut u8 {
    let (inner, defaults) = (&this.inner, &this.defaults);
    // SAFETY: by the caller's promise.
    unsafe { record::realloc(inner, ptr, layout(size, align), new_size, true, defaults) }
}
