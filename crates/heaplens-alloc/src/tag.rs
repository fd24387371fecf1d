//! How a sampled block is recognised when it is freed.
//!
//! A free must not look anything up for the blocks that were not sampled. So a
//! sampled block of up to [`MARK_LIMIT`] bytes is handed out at an address that
//! allocators do not hand out otherwise; the table of live samples then says
//! for certain. Correctness rests on that table alone, speed on the addresses:
//!
//! | block | sampled ones are at | free looks up if |
//! |---|---|---|
//! | align ≤ 8, 8 < size ≤ 4 KiB | 8 mod 16, inside a block 8 bytes larger | `ptr & 8` |
//! | align ≤ 8, size ≤ 8 | page + 8 | `ptr & 4095 == 8` |
//! | align > 8, size ≤ 4 KiB | start of a page | `ptr & 4095 == 0` |
//! | size > 4 KiB | where the inner allocator puts it | always |
//!
//! Large blocks stay as the inner allocator lays them out, so that they grow in
//! place as they would without the profiler.

use std::alloc::Layout;

/// Blocks above this many bytes carry no mark and are always looked up.
pub(crate) const MARK_LIMIT: usize = 4096;

const PAGE: usize = 4096;
const OFFSET: usize = 8;

/// How a sampled block lies in the memory that the inner allocator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    /// As the inner allocator laid it out.
    Plain = 0,
    /// 8 bytes into a 16-aligned block.
    Offset = 1,
    /// 8 bytes into a page-aligned block.
    Tiny = 2,
    /// At the start of a page.
    Page = 3,
}

impl Shape {
    /// The shape in which a sampled block of this layout is obtained.
    pub(crate) fn of(layout: Layout) -> Self {
        if layout.size() > MARK_LIMIT {
            Shape::Plain
        } else if layout.align() > 8 {
            if layout.align() <= PAGE {
                Shape::Page
            } else {
                // Found by its page alignment as it is.
                Shape::Plain
            }
        } else if layout.size() > 8 {
            Shape::Offset
        } else {
            Shape::Tiny
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Shape::Offset,
            2 => Shape::Tiny,
            3 => Shape::Page,
            _ => Shape::Plain,
        }
    }

    /// Bytes between the start of the inner block and the block handed out.
    pub(crate) fn offset(self) -> usize {
        match self {
            Shape::Plain | Shape::Page => 0,
            Shape::Offset | Shape::Tiny => OFFSET,
        }
    }

    /// The layout to ask of the inner allocator for a block of `layout`;
    /// `None` if that is not a valid layout.
    pub(crate) fn inner_layout(self, layout: Layout) -> Option<Layout> {
        match self {
            Shape::Plain => Some(layout),
            Shape::Offset => Layout::from_size_align(layout.size().checked_add(OFFSET)?, 16).ok(),
            Shape::Tiny => Layout::from_size_align(layout.size().checked_add(OFFSET)?, PAGE).ok(),
            Shape::Page => Layout::from_size_align(layout.size(), PAGE).ok(),
        }
    }
}

/// What a free must do to know whether the block was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Small, align ≤ 8, no mark: certainly not sampled.
    Ordinary,
    /// 8 mod 16: see [`is_marked_tiny`].
    Odd,
    /// Align > 8: see [`is_marked_page`].
    Aligned,
    /// Above [`MARK_LIMIT`]: look it up.
    Large,
}

/// The kind of a block, by three tests that compile to six instructions.
#[inline(always)]
pub(crate) fn kind(ptr: *const u8, size: usize, align: usize) -> Kind {
    if ptr.addr() & OFFSET != 0 {
        Kind::Odd
    } else if align > 8 {
        Kind::Aligned
    } else if size > MARK_LIMIT {
        Kind::Large
    } else {
        Kind::Ordinary
    }
}

/// Whether a block of at most eight bytes may have been sampled.
#[inline(always)]
pub(crate) fn is_marked_tiny(ptr: *const u8) -> bool {
    ptr.addr() & (PAGE - 1) == OFFSET
}

/// Whether a small block of an alignment above eight may have been sampled.
#[inline(always)]
pub(crate) fn is_marked_page(ptr: *const u8) -> bool {
    ptr.addr().is_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layouts() -> impl Strategy<Value = Layout> {
        (1usize..20_000, 0u32..15).prop_map(|(size, shift)| {
            Layout::from_size_align(size, 1 << shift).expect("valid by construction")
        })
    }

    proptest! {
        /// Wherever the inner allocator puts the block, a sampled one is
        /// looked up when it is freed, is aligned, and fits.
        #[test]
        fn sampled_blocks_are_always_looked_up(layout in layouts(), slot in 1usize..1 << 20) {
            let shape = Shape::of(layout);
            let inner = shape.inner_layout(layout).expect("small sizes");
            let base = slot * inner.align();
            let ptr = std::ptr::without_provenance::<u8>(base + shape.offset());
            let looked_up = match kind(ptr, layout.size(), layout.align()) {
                Kind::Ordinary => false,
                Kind::Odd => layout.size() > 8 || is_marked_tiny(ptr),
                Kind::Aligned => layout.size() > MARK_LIMIT || is_marked_page(ptr),
                Kind::Large => true,
            };
            prop_assert!(looked_up);
            prop_assert_eq!(ptr.addr() % layout.align(), 0);
            prop_assert!(shape.offset() + layout.size() <= inner.size());
            prop_assert_eq!(Shape::from_bits(shape as u8), shape);
        }

        /// Ordinary small blocks of a 16-aligned allocator are never looked up.
        #[test]
        fn ordinary_blocks_are_not_looked_up(size in 9usize..=MARK_LIMIT, slot in 1usize..1 << 20) {
            let ptr = std::ptr::without_provenance(slot * 16);
            prop_assert_eq!(kind(ptr, size, 8), Kind::Ordinary);
        }
    }

    #[test]
    fn sizes_near_the_maximum_do_not_overflow() {
        let layout = Layout::from_size_align(isize::MAX as usize, 1).expect("the largest layout");
        assert_eq!(Shape::of(layout).inner_layout(layout), Some(layout));
        assert_eq!(Shape::Offset.inner_layout(layout), None);
    }
}
