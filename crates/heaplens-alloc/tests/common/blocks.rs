//! Blocks that a test holds, through any allocator.

use std::alloc::{GlobalAlloc, Layout};

use super::random::Random;

/// A block and its layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) ptr: *mut u8,
    pub(crate) layout: Layout,
}

// SAFETY: a block is memory like any other; who holds this owns it.
unsafe impl Send for Block {}

/// A list of live blocks of one allocator.
#[derive(Debug)]
pub(crate) struct Blocks<'a, A: GlobalAlloc> {
    alloc: &'a A,
    pub(crate) list: Vec<Block>,
}

/// A layout for byte buffers with the alignment of most things.
pub(crate) fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a valid layout")
}

/// One allocation, in a frame of its own so that all of them share a stack.
#[inline(never)]
pub(crate) fn obtain<A: GlobalAlloc>(alloc: &A, layout: Layout, zeroed: bool) -> Block {
    // SAFETY: tests ask for sizes above zero.
    let ptr = unsafe {
        if zeroed {
            alloc.alloc_zeroed(layout)
        } else {
            alloc.alloc(layout)
        }
    };
    assert!(!ptr.is_null(), "{layout:?}");
    Block { ptr, layout }
}

/// Gives a block back.
pub(crate) fn release<A: GlobalAlloc>(alloc: &A, block: Block) {
    // SAFETY: blocks come from `obtain` on the same allocator, with the layout
    // they have now, and are given back once.
    unsafe { alloc.dealloc(block.ptr, block.layout) };
}

/// Gives blocks back.
pub(crate) fn release_all<A: GlobalAlloc>(alloc: &A, blocks: impl IntoIterator<Item = Block>) {
    for block in blocks {
        release(alloc, block);
    }
}

impl<'a, A: GlobalAlloc> Blocks<'a, A> {
    pub(crate) fn new(alloc: &'a A) -> Self {
        Blocks {
            alloc,
            list: Vec::new(),
        }
    }

    /// Allocates `count` blocks of `size` bytes.
    pub(crate) fn add(&mut self, count: usize, size: usize) {
        let layout = layout(size);
        for _ in 0..count {
            self.list.push(obtain(self.alloc, layout, false));
        }
    }

    /// As [`Blocks::add`], zeroed.
    pub(crate) fn add_zeroed(&mut self, count: usize, size: usize) {
        let layout = layout(size);
        for _ in 0..count {
            self.list.push(obtain(self.alloc, layout, true));
        }
    }

    /// Reallocates all blocks to `size` bytes.
    pub(crate) fn resize(&mut self, size: usize) {
        for block in &mut self.list {
            // SAFETY: a live block with its layout, and a size above zero.
            let ptr = unsafe { self.alloc.realloc(block.ptr, block.layout, size) };
            assert!(!ptr.is_null(), "{size}");
            *block = Block {
                ptr,
                layout: layout(size),
            };
        }
    }

    /// Frees each block with probability one half.
    pub(crate) fn free_half(&mut self, random: &mut Random) {
        let alloc = self.alloc;
        self.list.retain(|block| {
            let stays = random.coin();
            if !stays {
                release(alloc, *block);
            }
            stays
        });
    }

    /// Frees all blocks.
    pub(crate) fn free_all(&mut self) {
        for block in self.list.drain(..) {
            release(self.alloc, block);
        }
    }
}

impl<A: GlobalAlloc> Drop for Blocks<'_, A> {
    /// Leaves nothing behind in the tables when a test fails.
    fn drop(&mut self) {
        self.free_all();
    }
}
