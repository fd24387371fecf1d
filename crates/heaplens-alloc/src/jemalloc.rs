//! jemalloc, called straight through `tikv-jemalloc-sys`.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

use tikv_jemalloc_sys as ffi;

use crate::stats::AllocatorStats;

/// jemalloc as a [`GlobalAlloc`]: what `tikv_jemallocator::Jemalloc` is, four
/// instructions shorter for a pair of malloc and free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jemalloc;

// Every block of jemalloc's is aligned to 8, and to 16 if it has 16 bytes or
// more. So its plain entry points serve alignments up to 8 whatever the size:
// one test on the common path, where no jump is taken: that is a cycle of some
// fifteen. All else is out of line, with the arguments in the order in which the
// compiler's allocator shims have them in registers; said to be cold, so that it is
// the jump to there that is taken.

// SAFETY: jemalloc's functions keep the contracts of their manual: aligned,
// disjoint blocks, null on failure, sized deallocation with the size and
// alignment of the allocation (both sides choose by the same layout).
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if align > 8 {
            // SAFETY: by the caller's promise on `layout`.
            return unsafe { aligned_alloc(size, align) };
        }
        // SAFETY: the size is not zero, by the caller's promise.
        unsafe { ffi::malloc(size) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if align > 8 {
            // SAFETY: by the caller's promise on `layout`.
            return unsafe { aligned_alloc_zeroed(size, align) };
        }
        // SAFETY: the size is not zero, by the caller's promise.
        unsafe { ffi::calloc(1, size) }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let (size, align) = (layout.size(), layout.align());
        if align > 8 {
            // SAFETY: by the caller's promise.
            return unsafe { aligned_dealloc(ptr, size, align) };
        }
        // SAFETY: allocated by `malloc`, `calloc` or `realloc` with this size.
        unsafe { ffi::sdallocx(ptr.cast::<c_void>(), size, 0) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if align > 8 {
            // SAFETY: by the caller's promise.
            return unsafe { aligned_realloc(ptr, size, align, new_size) };
        }
        // SAFETY: a live block of jemalloc's; the new size is not zero.
        unsafe { ffi::realloc(ptr.cast::<c_void>(), new_size) }.cast()
    }
}

// For an alignment of 16 the plain entry points serve as well, if the size is
// raised to 16: both sides of a block's life raise it, so that they agree on its
// size class.

#[cold]
#[inline]
unsafe fn aligned_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the size is not zero, the alignment a power of two.
    unsafe {
        if align == 16 {
            ffi::malloc(size.max(16))
        } else {
            ffi::mallocx(size, ffi::MALLOCX_ALIGN(align))
        }
    }
    .cast()
}

#[cold]
#[inline]
unsafe fn aligned_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the size is not zero, the alignment a power of two.
    unsafe {
        if align == 16 {
            ffi::calloc(1, size.max(16))
        } else {
            ffi::mallocx(size, ffi::MALLOCX_ALIGN(align) | ffi::MALLOCX_ZERO)
        }
    }
    .cast()
}

#[inline]
unsafe fn aligned_dealloc(ptr: *mut u8, size: usize, align: usize) {
    // SAFETY: allocated with this size and alignment.
    unsafe {
        if align == 16 {
            ffi::sdallocx(ptr.cast::<c_void>(), size.max(16), 0);
        } else {
            ffi::sdallocx(ptr.cast::<c_void>(), size, ffi::MALLOCX_ALIGN(align));
        }
    }
}

#[cold]
#[inline]
unsafe fn aligned_realloc(ptr: *mut u8, _size: usize, align: usize, new_size: usize) -> *mut u8 {
    // SAFETY: a live block of jemalloc's; the new size is not zero.
    unsafe {
        if align == 16 {
            ffi::realloc(ptr.cast::<c_void>(), new_size.max(16))
        } else {
            ffi::rallocx(ptr.cast::<c_void>(), new_size, ffi::MALLOCX_ALIGN(align))
        }
    }
    .cast()
}

/// jemalloc's statistics. Refreshes its epoch, which merges the figures of all
/// arenas, and reads some 200 values: tens of microseconds, so once a scrape.
///
/// Without the feature `jemalloc-stats` jemalloc counts pages only.
pub fn stats() -> AllocatorStats {
    statistics::read()
}

mod statistics {
    use tikv_jemalloc_ctl::{Error, raw};

    use crate::stats::{AllocatorStats, SizeClass, StatsSource};

    /// The index that stands for all arenas merged (`MALLCTL_ARENAS_ALL`).
    const ALL: usize = 4096;

    pub(super) fn read() -> AllocatorStats {
        // A failure leaves the figures of the last refresh, which is no harm.
        // SAFETY: `epoch` takes a u64.
        let _ = unsafe { raw::write(b"epoch\0", 1u64) };
        let page = size(b"arenas.page\0");
        let pages = |count: Option<u64>| Some(count?.saturating_mul(page?));
        let allocated = size(b"stats.allocated\0");
        let calls = Calls::read();
        AllocatorStats {
            source: if allocated.is_some() {
                StatsSource::Jemalloc
            } else {
                StatsSource::JemallocWithoutStats
            },
            allocated,
            active: pages(size(b"stats.arenas.4096.pactive\0")),
            metadata: size(b"stats.metadata\0"),
            resident: size(b"stats.resident\0"),
            mapped: size(b"stats.mapped\0"),
            retained: size(b"stats.retained\0"),
            dirty: pages(size(b"stats.arenas.4096.pdirty\0")),
            muzzy: pages(size(b"stats.arenas.4096.pmuzzy\0")),
            tcache: size(b"stats.arenas.4096.tcache_bytes\0"),
            mallocs: calls.as_ref().map(|calls| calls.mallocs),
            frees: calls
                .as_ref()
                .map(|calls| calls.mallocs.saturating_sub(calls.live)),
            allocated_total: calls.as_ref().map(|calls| calls.bytes),
            // SAFETY: `arenas.narenas` is an unsigned int.
            arenas: unsafe { raw::read::<u32>(b"arenas.narenas\0") }
                .ok()
                .map(u64::from),
            purged_pages: count(b"stats.arenas.4096.dirty_purged\0"),
            classes: calls.map(|calls| calls.classes).unwrap_or_default(),
        }
    }

    /// Requests by size class, and summed up.
    #[derive(Default)]
    struct Calls {
        mallocs: u64,
        bytes: u64,
        live: u64,
        classes: Vec<SizeClass>,
    }

    impl Calls {
        fn read() -> Option<Self> {
            let mut sum = Calls::default();
            // SAFETY: `arenas.nbins` and `arenas.nlextents` are unsigned ints.
            let (bins, extents) = unsafe {
                (
                    raw::read::<u32>(b"arenas.nbins\0").ok()?,
                    raw::read::<u32>(b"arenas.nlextents\0").ok()?,
                )
            };
            sum.add(
                bins,
                true,
                b"arenas.bin.0.size\0",
                b"stats.arenas.0.bins.0.nrequests\0",
                b"stats.arenas.0.bins.0.curregs\0",
            )?;
            sum.add(
                extents,
                false,
                b"arenas.lextent.0.size\0",
                b"stats.arenas.0.lextents.0.nrequests\0",
                b"stats.arenas.0.lextents.0.curlextents\0",
            )?;
            Some(sum)
        }

        /// `each`: whether each class counts by itself.
        fn add(
            &mut self,
            classes: u32,
            each: bool,
            size: &[u8],
            requests: &[u8],
            live: &[u8],
        ) -> Option<()> {
            let mut size_key = key::<4>(size).ok()?;
            let mut requests_key = key::<6>(requests).ok()?;
            let mut live_key = key::<6>(live).ok()?;
            requests_key[2] = ALL;
            live_key[2] = ALL;
            for class in 0..classes as usize {
                size_key[2] = class;
                requests_key[4] = class;
                live_key[4] = class;
                // SAFETY: sizes and `cur…` are size_t, requests uint64_t: 64
                // bits each here.
                let (size, requests, live) = unsafe {
                    (
                        raw::read_mib::<u64>(&size_key).ok()?,
                        raw::read_mib::<u64>(&requests_key).ok()?,
                        raw::read_mib::<u64>(&live_key).ok()?,
                    )
                };
                self.mallocs = self.mallocs.saturating_add(requests);
                self.bytes = self.bytes.saturating_add(requests.saturating_mul(size));
                self.live = self.live.saturating_add(live);
                self.count(each.then_some(size), requests, live);
            }
            Some(())
        }

        /// Counts blocks of a class; those of no size of their own add up.
        fn count(&mut self, size: Option<u64>, mallocs: u64, live: u64) {
            match self.classes.last_mut() {
                Some(last) if last.size.is_none() => {
                    last.mallocs = last.mallocs.saturating_add(mallocs);
                    last.live = last.live.saturating_add(live);
                }
                _ => self.classes.push(SizeClass {
                    size,
                    mallocs,
                    live,
                }),
            }
        }
    }

    fn key<const PARTS: usize>(name: &[u8]) -> Result<[usize; PARTS], Error> {
        let mut key = [0; PARTS];
        raw::name_to_mib(name, &mut key)?;
        Ok(key)
    }

    /// A `size_t`; `None` if this build of jemalloc does not have it.
    fn size(name: &[u8]) -> Option<u64> {
        // SAFETY: called with names of size_t values only.
        unsafe { raw::read::<usize>(name) }
            .ok()
            .map(|value| value as u64)
    }

    /// A `uint64_t`; `None` if this build of jemalloc does not have it.
    fn count(name: &[u8]) -> Option<u64> {
        // SAFETY: called with names of uint64_t values only.
        unsafe { raw::read::<u64>(name) }.ok()
    }
}
