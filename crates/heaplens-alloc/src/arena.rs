//! The profiler's own memory: one reservation, bounded, lock-free, never moved.
//!
//! It holds the table of live samples, the stacks, the sites and the unwinder.
//! Allocating from it is one compare-and-swap; nothing is ever given back.
//! What does not fit is refused, and the caller counts the loss.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::os;

/// Bump allocator over one mapping of zeroed memory.
pub(crate) struct Arena {
    start: NonNull<u8>,
    len: usize,
    used: AtomicUsize,
}

// SAFETY: `start` is a mapping that lives as long as the arena and is handed
// out in disjoint pieces, each once.
unsafe impl Send for Arena {}
// SAFETY: as above; the only shared state is the atomic `used`.
unsafe impl Sync for Arena {}

impl Arena {
    /// Reserves `len` bytes; `None` if the system refuses.
    pub(crate) fn reserve(len: usize) -> Option<Self> {
        Some(Arena {
            start: os::map_zeroed(len)?,
            len,
            used: AtomicUsize::new(0),
        })
    }

    /// A zeroed piece of memory, handed out once and for good; `None` if it
    /// does not fit any more.
    pub(crate) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let at = (self.start.addr().get() + used).checked_next_multiple_of(layout.align())?
                - self.start.addr().get();
            let end = at.checked_add(layout.size())?;
            if end > self.len {
                return None;
            }
            match self
                .used
                .compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed)
            {
                // SAFETY: at < len, so the address lies within the mapping.
                Ok(_) => return Some(unsafe { self.start.add(at) }),
                Err(now) => used = now,
            }
        }
    }

    /// Memory for one `T` whose all-zero bytes are a value of it.
    ///
    /// # Safety
    /// All bytes zero must be a valid `T`.
    pub(crate) unsafe fn zeroed<T>(&self) -> Option<&'static T> {
        let memory = self.allocate(Layout::new::<T>())?.cast::<T>();
        // SAFETY: fresh zeroed memory of the right layout, valid as T by the
        // caller's promise; the arena is never unmapped while it is shared.
        Some(unsafe { memory.as_ref() })
    }

    /// As [`Arena::zeroed`], for `count` values in a row.
    ///
    /// # Safety
    /// All bytes zero must be a valid `T`.
    pub(crate) unsafe fn zeroed_slice<T>(&self, count: usize) -> Option<&'static [T]> {
        let memory = self.allocate(Layout::array::<T>(count).ok()?)?.cast::<T>();
        // SAFETY: as in `zeroed`, for `count` values.
        Some(unsafe { NonNull::slice_from_raw_parts(memory, count).as_ref() })
    }

    /// Whether the address lies in this arena.
    pub(crate) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.start.addr().get()) < self.len
    }

    /// The offset of a piece of this arena, in units of eight bytes.
    pub(crate) fn index_of<T>(&self, piece: &'static T) -> u32 {
        ((std::ptr::from_ref(piece).addr() - self.start.addr().get()) / 8) as u32
    }

    /// The value at an offset that [`Arena::index_of`] gave.
    ///
    /// # Safety
    /// `index` must come from `index_of` on this arena with the same `T`.
    pub(crate) unsafe fn at<T>(&self, index: u32) -> &'static T {
        // SAFETY: by the caller's promise this is where a T lies.
        unsafe { self.start.add(index as usize * 8).cast::<T>().as_ref() }
    }

    /// Bytes handed out.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Gives the reservation back.
    ///
    /// # Safety
    /// Nothing may refer to any piece of it.
    pub(crate) unsafe fn release(self) {
        // SAFETY: the whole mapping, to which nothing refers by the caller's promise.
        unsafe { os::unmap(self.start, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_disjoint_and_bounded() {
        let arena = Arena::reserve(1 << 16).expect("64 KiB");
        let mut last_end = 0;
        for (size, align) in [(1, 1), (8, 8), (3, 2), (64, 64), (100, 4096), (1, 1)] {
            let layout = Layout::from_size_align(size, align).expect("valid");
            let piece = arena.allocate(layout).expect("fits").addr().get();
            assert_eq!(piece % align, 0);
            assert!(piece >= last_end && arena.contains(piece + size - 1));
            last_end = piece + size;
        }
        let rest = Layout::from_size_align(arena.len - arena.used(), 1).expect("valid");
        assert!(arena.allocate(rest).is_some());
        assert!(arena.allocate(Layout::new::<u8>()).is_none());
        assert_eq!(arena.used(), 1 << 16);
    }
}
