//! The truth about what a drop frees: a counter around the whole of the allocator that
//! is tested, one for each thread.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

thread_local! {
    static FREED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// Counts what passes to `A`.
pub(crate) struct Truth<A>(pub(crate) A);

fn count(allocated: usize, freed: usize) {
    HELD.set(HELD.get() + allocated as i64 - freed as i64);
}

// SAFETY: everything is passed on as it comes.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Truth<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let (bytes, blocks) = FREED.get();
        FREED.set((bytes + layout.size() as u64, blocks + 1));
        count(0, layout.size());
        // SAFETY: by the caller's promise.
        unsafe { self.0.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: by the caller's promise.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }
}

/// Bytes and blocks that this thread frees while it drops a value. The value must not
/// allocate or reallocate meanwhile, or those count too.
pub(crate) fn freed_by_drop<T>(value: T) -> (u64, u64) {
    let before = FREED.get();
    drop(value);
    let after = FREED.get();
    (after.0 - before.0, after.1 - before.1)
}

/// Bytes that this thread has allocated and not freed.
pub(crate) fn held() -> i64 {
    HELD.get()
}
