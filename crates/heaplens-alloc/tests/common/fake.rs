//! An inner allocator that costs next to nothing, so that estimators can be
//! driven through millions of allocations of any size.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Address space that is never committed unless touched.
const LEN: usize = 64 << 30;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Hands out addresses of one big reservation in rising order, aligned as
/// asked and to 16, from the lowest again after 64 GiB: no block may live for
/// that long. Signal-safe once [`Fake::reset`] has been called.
///
/// Growth within the same power of two stays in place, as large blocks of real
/// allocators often do. Contents are *not* kept when a block moves: for tests
/// that never read their blocks.
#[derive(Debug)]
pub(crate) struct Fake;

fn start() -> *mut u8 {
    static START: OnceLock<usize> = OnceLock::new();
    let address = START.get_or_init(|| {
        // SAFETY: an anonymous mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(address, libc::MAP_FAILED, "no address space for the test");
        address.expose_provenance()
    });
    std::ptr::with_exposed_provenance_mut(*address)
}

/// Bytes set aside for a block of `size`.
fn capacity(size: usize) -> usize {
    if size <= 4096 {
        size.next_multiple_of(16)
    } else {
        size.next_power_of_two()
    }
}

impl Fake {
    /// Starts over at the lowest address. Only when no block is in use.
    pub(crate) fn reset() {
        start();
        NEXT.store(0, Ordering::Relaxed);
    }

    /// Whether an address is one of this allocator's.
    pub(crate) fn owns(ptr: *mut u8) -> bool {
        ptr.addr().wrapping_sub(start().addr()) < LEN
    }
}

// SAFETY: blocks are disjoint while they live (see above), aligned, and readable and
// writable. (That contents do not survive a move is stated above.)
unsafe impl GlobalAlloc for Fake {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LEN / 4 || layout.align() > LEN / 4 {
            return std::ptr::null_mut();
        }
        let align = layout.align().max(16);
        let room = capacity(layout.size()) + align - 16;
        let mut at = NEXT.fetch_add(room, Ordering::Relaxed) % LEN;
        while at + room > LEN {
            at = NEXT.fetch_add(room, Ordering::Relaxed) % LEN;
        }
        let base = start().wrapping_add(at);
        base.wrapping_add(base.align_offset(align))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size <= LEN / 4 && capacity(new_size) == capacity(layout.size()) {
            return ptr;
        }
        // SAFETY: the caller's promise includes that this is a valid layout.
        unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) }
    }
}
