//! The heap as a what-if child sees it: what is freed is counted and stays.
//!
//! So the parent's pages are not copied, which a real free would do by writing to the
//! allocator's own data, and every block that the value owns is seen with its layout.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use super::counts::Counts;
use super::lone::Lone;
use super::memory::{Memory, Origin};
use super::pipe::Writer;
use crate::filter;
use crate::store;
use crate::thread;

/// What the child has, and what it has counted.
pub(super) struct Child {
    pub(super) memory: Memory,
    pub(super) counts: Counts,
    pub(super) out: Writer,
}

pub(super) static CHILD: Lone<Child> = Lone::new(Child {
    memory: Memory::new(),
    counts: Counts::new(),
    out: Writer::new(),
});

// The three below are called through an open gate, so in a child alone.

/// A block of the child's own memory; null if that is used up.
///
/// # Safety
/// As [`std::alloc::GlobalAlloc::alloc`], in a what-if child.
#[cold]
pub(crate) unsafe fn alloc(layout: Layout, zeroed: bool) -> *mut u8 {
    // The next one is to come here too.
    thread::enter_child();
    // SAFETY: by the caller's promise.
    let child = unsafe { CHILD.get() };
    child.memory.allocate(layout, zeroed, Origin::default())
}

/// Counts an inherited block, or takes one of the child's own back.
///
/// # Safety
/// As [`std::alloc::GlobalAlloc::dealloc`], in a what-if child.
#[cold]
pub(crate) unsafe fn dealloc(block: *mut u8, layout: Layout) {
    // SAFETY: by the caller's promise.
    let child = unsafe { CHILD.get() };
    let Some(own) = child.own(block) else {
        child.freed(block.addr(), layout.size());
        return;
    };
    // SAFETY: by the caller's promise it was not freed before.
    let origin = unsafe { Memory::origin(own) };
    if origin.size > 0 {
        child.freed(origin.address, origin.size);
    }
    child.memory.free(block, layout.size());
}

/// Moves a block. An inherited one does not count as freed by that: what it has
/// become does, with its old size, when that is freed.
///
/// # Safety
/// As [`std::alloc::GlobalAlloc::realloc`], in a what-if child.
#[cold]
pub(crate) unsafe fn realloc(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    thread::enter_child();
    // SAFETY: by the caller's promise.
    let child = unsafe { CHILD.get() };
    let own = child.own(block);
    if own.is_some() && child.memory.resize(block, layout.size(), new_size) {
        return block;
    }
    let origin = match own {
        // SAFETY: by the caller's promise it was not freed before.
        Some(own) => unsafe { Memory::origin(own) },
        None => Origin {
            size: layout.size(),
            address: block.addr(),
        },
    };
    // SAFETY: the caller's promise includes that this is a valid layout.
    let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
    let new = child.memory.allocate(new_layout, false, origin);
    if !new.is_null() {
        // SAFETY: both are live, distinct, and at least this long.
        unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(new_size)) };
        if own.is_some() {
            child.memory.free(block, layout.size());
        }
    }
    new
}

impl Child {
    /// The block, if it is of the child's own memory.
    fn own(&self, block: *mut u8) -> Option<NonNull<u8>> {
        NonNull::new(block).filter(|_| self.memory.contains(block))
    }

    /// Counts an inherited block, and sends what is known of it if it was sampled.
    fn freed(&self, address: usize, size: usize) {
        if let Some(store) = store::get() {
            if store.arena.contains(address) {
                // The profiler's own.
                return;
            }
            if filter::ALL.may_hold(address)
                && let Some((slot, block)) = store.live.detach(address)
            {
                store.live.release(slot);
                self.out.sample(&block);
            }
        }
        self.counts.add(size as u64);
    }
}
