//! How a sampled block is recognised when it is freed.
//!
//! A free must not look anything up for the blocks that were not sampled. So a
//! sampled block below a page's size is handed out at an address that
//! allocators hardly ever hand out otherwise; the table of live samples then
//! says for certain. Correctness rests on that table alone, speed on the
//! addresses:
//!
//! | block | sampled ones are at | a free looks up if |
//! |---|---|---|
//! | align ≤ 8, 8 < size < 4 KiB | 248 mod 256 | `ptr & 255 >= 248` |
//! | align ≤ 8, size ≤ 8 | a page's last 8 bytes | the same, and `ptr & 4095 == 4088` |
//! | 8 < align < 4 KiB, size < 4 KiB | a page's start + align | `ptr & 4095 == align` |
//! | size or align ≥ 4 KiB | where the inner allocator puts it | [`crate::filter`] says so |
//!
//! Allocators align blocks of more than eight bytes to 16, so that of the others none
//! is at 248 mod 256, and of the smaller ones one in 32. The first test is the same for
//! both: sizes come in any order, so that a branch on what is small would be mispredicted
//! as often as not.
//!
//! Large blocks stay as the inner allocator lays them out, so that they grow in
//! place as they would without the profiler. A page's start, or the 8 bytes after, would
//! be no good mark: it is where allocators put the first, most used blocks of a page.

use std::alloc::Layout;

const PAGE: usize = 4096;
/// What sampled blocks that are not aligned to more than eight lie in: so long that a
/// byte of the address says where.
const SLOT: usize = 256;
/// Where in a slot they are put.
const OFFSET: usize = SLOT - 8;
/// Where in a page the smallest blocks are put: in the last of its slots.
const LAST: usize = PAGE - 8;

/// How a sampled block lies in the memory that the inner allocator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    /// As the inner allocator laid it out, without a mark.
    Plain = 0,
    /// In a 256-aligned block: 248 bytes into it.
    Offset = 1,
    /// In a page-aligned block: in the last 8 bytes of the page, or its alignment into it.
    Page = 2,
}

impl Shape {
    /// The shape in which a sampled block of this layout is obtained.
    pub(crate) fn of(layout: Layout) -> Self {
        if !bears_mark(layout.size(), layout.align()) {
            Shape::Plain
        } else if layout.align() > 8 || layout.size() <= 8 {
            Shape::Page
        } else {
            Shape::Offset
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Shape::Offset,
            2 => Shape::Page,
            _ => Shape::Plain,
        }
    }

    /// Bytes between the start of the inner block and a block of `align`.
    pub(crate) fn offset(self, align: usize) -> usize {
        match self {
            Shape::Plain => 0,
            Shape::Offset => OFFSET,
            Shape::Page if align > 8 => align,
            Shape::Page => LAST,
        }
    }

    /// The layout to ask of the inner allocator for a block of `layout`;
    /// `None` if that is not a valid layout.
    pub(crate) fn inner_layout(self, layout: Layout) -> Option<Layout> {
        let align = match self {
            Shape::Plain => return Some(layout),
            Shape::Offset => SLOT,
            Shape::Page => PAGE,
        };
        let size = layout.size().checked_add(self.offset(layout.align()))?;
        Layout::from_size_align(size, align).ok()
    }
}

/// What a free must do to know whether the block was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// None of the others: certainly not sampled.
    Ordinary,
    /// In the last eight bytes of a slot; see [`is_marked`]. In a what-if child, any.
    Last,
    /// A page or more, of any alignment, by [`crate::filter`].
    Large,
    /// Align > 8; see [`is_marked`].
    Aligned,
}

/// The kind of a block, by three tests that compile to six instructions. `last` is
/// that of the allocator's [`Gate`](crate::retained::gate::Gate).
#[inline(always)]
pub(crate) fn kind(ptr: *const u8, size: usize, align: usize, last: u8) -> Kind {
    if ptr.addr() as u8 >= last {
        Kind::Last
    } else if size >= PAGE {
        Kind::Large
    } else if align > 8 {
        Kind::Aligned
    } else {
        Kind::Ordinary
    }
}

/// Whether a sampled block of this layout bears a mark at all.
#[inline(always)]
pub(crate) fn bears_mark(size: usize, align: usize) -> bool {
    // Alignments are powers of two, so this is `size < PAGE && align < PAGE`
    // in one test.
    (size | align) < PAGE
}

/// Whether a block that is not [`Kind::Ordinary`] bears the mark of its layout.
#[inline(always)]
pub(crate) fn is_marked(ptr: *const u8, size: usize, align: usize) -> bool {
    let in_page = ptr.addr() & (PAGE - 1);
    if align > 8 {
        in_page == align
    } else {
        size > 8 || in_page == LAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retained::gate;
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
            // Inner allocators align large blocks to 16 at least.
            let base = slot * inner.align().max(16);
            let offset = shape.offset(layout.align());
            let ptr = std::ptr::without_provenance::<u8>(base + offset);
            let (size, align) = (layout.size(), layout.align());
            prop_assert_eq!(bears_mark(size, align), shape != Shape::Plain);
            let kind = kind(ptr, size, align, gate::LAST);
            if bears_mark(size, align) {
                prop_assert!(matches!(kind, Kind::Aligned | Kind::Last));
                prop_assert!(is_marked(ptr, size, align));
            } else {
                prop_assert!(matches!(kind, Kind::Aligned | Kind::Large));
            }
            prop_assert_eq!(ptr.addr() % align, 0);
            prop_assert!(offset + size <= inner.size());
            prop_assert_eq!(Shape::from_bits(shape as u8), shape);
        }

        /// Ordinary small blocks of a 16-aligned allocator are never looked up.
        #[test]
        fn ordinary_blocks_are_not_looked_up(size in 9usize..PAGE, slot in 1usize..1 << 20) {
            let ptr = std::ptr::without_provenance(slot * 16);
            prop_assert_eq!(kind(ptr, size, 8, gate::LAST), Kind::Ordinary);
        }

        #[test]
        fn a_child_looks_at_everything(layout in layouts(), address in 1usize..1 << 40) {
            let ptr = std::ptr::without_provenance(address);
            prop_assert_eq!(kind(ptr, layout.size(), layout.align(), gate::OPEN), Kind::Last);
        }
    }

    /// Of the smallest blocks one in 32 goes out of line, and one in 512 is looked up.
    #[test]
    fn few_of_the_smallest_blocks_are_looked_up() {
        let blocks = || {
            (0..PAGE)
                .step_by(8)
                .map(|at| std::ptr::without_provenance::<u8>(7 * PAGE + at))
        };
        let last = |ptr: &*const u8| kind(*ptr, 8, 8, gate::LAST) == Kind::Last;
        assert_eq!(blocks().filter(last).count(), 16);
        let marked: Vec<_> = blocks().filter(|&ptr| is_marked(ptr, 8, 8)).collect();
        assert_eq!(
            marked,
            [std::ptr::without_provenance::<u8>(7 * PAGE + LAST)]
        );
        assert!(marked.iter().all(last));
    }

    #[test]
    fn sizes_near_the_maximum_do_not_overflow() {
        let layout = Layout::from_size_align(isize::MAX as usize, 1).expect("the largest layout");
        assert_eq!(Shape::of(layout).inner_layout(layout), Some(layout));
        assert_eq!(Shape::Offset.inner_layout(layout), None);
    }
}
