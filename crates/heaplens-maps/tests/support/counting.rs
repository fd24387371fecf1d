//! An allocator that counts what the calling thread has asked for and not given
//! back: the truth that claims about bytes are held against.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub(crate) struct Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

pub(crate) fn add(bytes: isize) {
    // A thread that is ending counts no more.
    let _ = BYTES.try_with(|sum| sum.set(sum.get() + bytes));
}

/// Bytes that this thread has now and had not when it began.
pub(crate) fn bytes() -> isize {
    BYTES.get()
}

/// Bytes that came with what `f` returns.
pub(crate) fn bytes_of<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let before = bytes();
    let value = f();
    let after = bytes();
    (
        value,
        u64::try_from(after - before).expect("nothing else was freed"),
    )
}

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
