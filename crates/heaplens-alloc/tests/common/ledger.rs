//! An inner allocator that keeps books on its caller, and fails when told to.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Wraps an allocator and checks the contract from below: every block comes
/// back once, with the layout that it was obtained with, and nobody asks while
/// a request of the same thread is under way.
#[derive(Debug)]
pub(crate) struct Ledger<A> {
    inner: A,
    open: Mutex<Option<HashMap<usize, Layout>>>,
    /// Blocks given out or resized.
    given: AtomicU64,
    /// Blocks taken back or resized.
    taken: AtomicU64,
    /// Requests refused.
    refused: AtomicU64,
    /// Every request of this number is refused; 0 = none.
    every: AtomicU64,
    requests: AtomicU64,
    broken: AtomicU64,
}

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// Refuse all that this thread asks for.
    static REFUSE: Cell<bool> = const { Cell::new(false) };
}

impl<A> Ledger<A> {
    pub(crate) const fn new(inner: A) -> Self {
        Ledger {
            inner,
            open: Mutex::new(None),
            given: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            every: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        }
    }

    /// Blocks given out and taken back since the start; a resize is one of each.
    pub(crate) fn turnover(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.given), load(&self.taken))
    }

    /// Requests refused since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Refuses every request of number `every` from now on; 0 = none.
    pub(crate) fn refuse_every(&self, every: u64) {
        self.every.store(every, Ordering::Relaxed);
    }

    /// Fails if a layout did not match, a block was unknown, or a request came
    /// within another one.
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.broken.load(Ordering::Relaxed), 0, "contract broken");
    }

    /// Blocks that are out.
    pub(crate) fn open(&self) -> usize {
        self.with_open(|open| open.len())
    }

    fn with_open<T>(&self, f: impl FnOnce(&mut HashMap<usize, Layout>) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        f(open.get_or_insert_default())
    }

    /// A panic must not pass through an allocator: noted for later.
    fn check(&self, holds: bool) {
        if !holds {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give(&self, layout: Layout, obtain: impl FnOnce() -> *mut u8) -> *mut u8 {
        self.check(!BUSY.replace(true));
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let every = self.every.load(Ordering::Relaxed);
        let refuse = REFUSE.get() || (every > 0 && number % every == every - 1);
        let ptr = if refuse {
            std::ptr::null_mut()
        } else {
            obtain()
        };
        if ptr.is_null() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        } else {
            self.given.fetch_add(1, Ordering::Relaxed);
            let known = self.with_open(|open| open.insert(ptr.addr(), layout));
            self.check(known.is_none());
        }
        BUSY.set(false);
        ptr
    }

    fn take(&self, ptr: *mut u8, layout: Layout) {
        let known = self.with_open(|open| open.remove(&ptr.addr()));
        self.check(known == Some(layout));
        self.taken.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `f` while every request of this thread is refused.
pub(crate) fn refusing<T>(f: impl FnOnce() -> T) -> T {
    REFUSE.set(true);
    let result = f();
    REFUSE.set(false);
    result
}

// SAFETY: blocks are those of the inner allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for &Ledger<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        self.give(layout, || unsafe { self.inner.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        self.give(layout, || unsafe { self.inner.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.check(!BUSY.get());
        self.take(ptr, layout);
        // SAFETY: by the caller's promise.
        unsafe { self.inner.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise includes that this is a valid layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // Taken out first: the block may stay where it is.
        self.take(ptr, layout);
        // SAFETY: by the caller's promise.
        let new = self.give(new_layout, || unsafe {
            self.inner.realloc(ptr, layout, new_size)
        });
        if new.is_null() {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            self.with_open(|open| open.insert(ptr.addr(), layout));
        }
        new
    }
}
