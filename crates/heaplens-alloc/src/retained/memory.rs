//! The memory that a child allocates from while it drops a value.
//!
//! It lies apart from the heap that the child has inherited, so that an address tells
//! which of the two a block is from: what the child itself allocates and frees on the
//! way is not counted.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::os;

/// What lies before each block: the inherited block that it took over by a `realloc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Origin {
    /// Bytes requested for the inherited block; 0 = the child's own from the start.
    pub(super) size: usize,
    /// Where it was.
    pub(super) address: usize,
}

const HEADER: usize = size_of::<Origin>();

/// Blocks one above the other. The topmost is taken back when it is freed, others
/// are not: a destructor that makes a temporary for each of a million entries gets
/// by with the memory of one.
pub(super) struct Memory {
    start: Cell<*mut u8>,
    len: Cell<usize>,
    /// Bytes in use.
    top: Cell<usize>,
    /// The most that were in use: beyond it all is zero.
    high: Cell<usize>,
}

impl Memory {
    pub(super) const fn new() -> Self {
        Memory {
            start: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
            top: Cell::new(0),
            high: Cell::new(0),
        }
    }

    /// Reserves `len` bytes, or what can be had. `false` if that is less than `least`.
    pub(super) fn reserve(&self, mut len: usize, least: usize) -> bool {
        while len >= least {
            if let Some(start) = os::map_zeroed(len) {
                self.start.set(start.as_ptr());
                self.len.set(len);
                return true;
            }
            len /= 2;
        }
        false
    }

    #[inline]
    pub(super) fn contains(&self, block: *mut u8) -> bool {
        block.addr().wrapping_sub(self.start.get().addr()) < self.len.get()
    }

    /// A block; null if there is no room.
    pub(super) fn allocate(&self, layout: Layout, zeroed: bool, origin: Origin) -> *mut u8 {
        let Some((at, end)) = self.place(layout) else {
            return ptr::null_mut();
        };
        let Some(block) = NonNull::new(self.start.get().wrapping_add(at)) else {
            return ptr::null_mut();
        };
        // SAFETY: both lie within the reservation, above all blocks in use; `at` is
        // aligned to 16 and has the room of a header below it. What was in use before
        // is zeroed where that is asked.
        unsafe {
            block.cast::<Origin>().sub(1).write(origin);
            if zeroed {
                let used_before = self.high.get().clamp(at, end) - at;
                block.write_bytes(0, used_before);
            }
        }
        self.rise(end);
        block.as_ptr()
    }

    /// Where a block begins and ends.
    fn place(&self, layout: Layout) -> Option<(usize, usize)> {
        let start = self.start.get().addr();
        let align = layout.align().max(HEADER);
        let free = start.checked_add(self.top.get())?.checked_add(HEADER)?;
        let at = free.checked_next_multiple_of(align)?.checked_sub(start)?;
        let end = at.checked_add(layout.size())?;
        (end <= self.len.get()).then_some((at, end))
    }

    fn rise(&self, top: usize) {
        self.top.set(top);
        self.high.set(self.high.get().max(top));
    }

    fn is_topmost(&self, block: *mut u8, size: usize) -> bool {
        block.addr().wrapping_add(size) == self.start.get().addr().wrapping_add(self.top.get())
    }

    /// Takes a block back.
    pub(super) fn free(&self, block: *mut u8, size: usize) {
        if self.is_topmost(block, size) {
            let at = block.addr().wrapping_sub(self.start.get().addr());
            self.top.set(at.saturating_sub(HEADER));
        }
    }

    /// Whether the block could be given this size where it is.
    pub(super) fn resize(&self, block: *mut u8, size: usize, new_size: usize) -> bool {
        let at = block.addr().wrapping_sub(self.start.get().addr());
        let end = at.saturating_add(new_size);
        let fits = self.is_topmost(block, size) && end <= self.len.get();
        if fits {
            self.rise(end);
        }
        fits
    }

    /// What a block took over.
    ///
    /// # Safety
    /// A block that this memory has given and not taken back.
    pub(super) unsafe fn origin(block: NonNull<u8>) -> Origin {
        // SAFETY: `allocate` wrote it there.
        unsafe { block.cast::<Origin>().sub(1).read() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("valid by construction")
    }

    #[derive(Clone, Debug)]
    enum Step {
        Allocate(usize, u32, bool),
        Free(prop::sample::Index),
        Resize(prop::sample::Index, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1usize..3000, 0u32..13, any::<bool>()).prop_map(|(s, a, z)| Step::Allocate(s, a, z)),
            any::<prop::sample::Index>().prop_map(Step::Free),
            (any::<prop::sample::Index>(), 1usize..3000).prop_map(|(i, s)| Step::Resize(i, s)),
        ];
        prop::collection::vec(step, 0..60)
    }

    struct Held {
        block: *mut u8,
        size: usize,
        fill: u8,
        origin: Origin,
    }

    impl Held {
        fn write(&self) {
            // SAFETY: a block of this size.
            unsafe { self.block.write_bytes(self.fill, self.size) };
        }

        fn bytes(&self) -> &[u8] {
            // SAFETY: a block of this size, written to.
            unsafe { std::slice::from_raw_parts(self.block, self.size) }
        }
    }

    proptest! {
        /// Blocks are aligned, zeroed where asked, keep what is written to them and
        /// what they took over, and never overlap, however they come and go.
        #[test]
        fn blocks_keep_to_themselves(steps in steps()) {
            let memory = Memory::new();
            prop_assert!(memory.reserve(1 << 20, 4096));
            let mut held: Vec<Held> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Allocate(size, shift, zeroed) => {
                        let origin = Origin { size: number, address: size };
                        let block = memory.allocate(layout(size, 1 << shift), zeroed, origin);
                        prop_assert!(memory.contains(block));
                        prop_assert_eq!(block.addr() % (1 << shift), 0);
                        let new = Held { block, size, fill: number as u8 | 128, origin };
                        if zeroed {
                            prop_assert!(new.bytes().iter().all(|byte| *byte == 0));
                        }
                        new.write();
                        held.push(new);
                    }
                    Step::Free(which) if !held.is_empty() => {
                        let gone = held.swap_remove(which.index(held.len()));
                        memory.free(gone.block, gone.size);
                    }
                    Step::Resize(which, size) if !held.is_empty() => {
                        let index = which.index(held.len());
                        let block = &mut held[index];
                        if memory.resize(block.block, block.size, size) {
                            block.size = size;
                            block.write();
                        }
                    }
                    Step::Free(_) | Step::Resize(..) => {}
                }
                for block in &held {
                    prop_assert!(block.bytes().iter().all(|byte| *byte == block.fill));
                    let at = NonNull::new(block.block).expect("a block");
                    // SAFETY: a block of this memory.
                    prop_assert_eq!(unsafe { Memory::origin(at) }, block.origin);
                }
            }
            let start = NonNull::new(memory.start.get()).expect("reserved");
            // SAFETY: the whole reservation, of which no block is used any more.
            unsafe { os::unmap(start, memory.len.get()) };
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let memory = Memory::new();
        assert!(!memory.reserve(1 << 12, 1 << 13));
        assert!(!memory.contains(ptr::null_mut()));
        assert!(
            memory
                .allocate(layout(1, 1), false, Origin::default())
                .is_null()
        );
        assert!(memory.reserve(1 << 16, 1 << 16));
        let most = (1 << 16) - HEADER;
        let own = Origin::default();
        assert!(memory.allocate(layout(most + 1, 1), false, own).is_null());
        let huge = layout(isize::MAX as usize, 1);
        assert!(memory.allocate(huge, false, own).is_null());
        let block = memory.allocate(layout(most, 1), false, own);
        assert!(!block.is_null());
        assert!(memory.allocate(layout(1, 1), false, own).is_null());
        // Half of it as often as one likes, for the topmost is taken back.
        memory.free(block, most);
        for _ in 0..10 {
            let block = memory.allocate(layout(most / 2, 1), false, own);
            assert!(!memory.resize(block, most / 2, most + 1));
            assert!(memory.resize(block, most / 2, most));
            memory.free(block, most);
        }
    }
}
