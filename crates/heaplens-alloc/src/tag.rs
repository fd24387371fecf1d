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
//! | align ≤ 8, 8 < size < 4 KiB | 8 mod 16, inside a block 8 bytes larger | `ptr & 8` |
//! | align ≤ 8, size ≤ 8 | a page's last 8 bytes | `ptr & 4095 == 4088` |
//! | 8 < align < 4 KiB, size < 4 KiB | a page's start + align | `ptr & 4095 == align` |
//! | size or align ≥ 4 KiB | where the inner allocator puts it | [`crate::filter`] says so |
//!
//! Large blocks stay as the inner allocator lays them out, so that they grow in
//! place as they would without the profiler. A page's start, or the 8 bytes after, would
//! be no good mark: it is where allocators put the first, most used blocks of a page.

use std::alloc::Layout;

const PAGE: usize = 4096;
const OFFSET: usize = 8;
/// Where in a page the smallest blocks are put.
const LAST: usize = PAGE - OFFSET;

/// How a sampled block lies in the memory that the inner allocator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    /// As the inner allocator laid it out, without a mark.
    Plain = 0,
    /// 8 bytes into a 16-aligned block.
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
            Shape::Offset => 16,
            Shape::Page => PAGE,
        };
        let size = layout.size().checked_add(self.offset(layout.align()))?;
        Layout::from_size_align(size, align).ok()
    }
}

/// What a free must do to know whether the block was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Between the others, without a mark: certainly not sampled.
    Ordinary,
    /// At most eight bytes, or a page or more, of any alignment: by
    /// [`is_tiny_and_marked`] and [`crate::filter`].
    TinyOrLarge,
    /// 8 mod 16: sampled. In a what-if child, any.
    Odd,
    /// Align > 8; see [`is_marked`].
    Aligned,
}

/// The kind of a block, by three tests that compile to seven instructions. `odd` is
/// the word of the allocator's [`Gate`](crate::retained::gate::Gate).
///
/// The size comes first: half of the blocks of at most eight bytes are at 8 mod 16,
/// without an order that a processor could predict.
#[inline(always)]
pub(crate) fn kind(ptr: *const u8, size: usize, align: usize, odd: usize) -> Kind {
    // One comparison for both ends.
    if size.wrapping_sub(OFFSET + 1) >= PAGE - (OFFSET + 1) {
        Kind::TinyOrLarge
    } else if ptr.addr() & odd != 0 {
        Kind::Odd
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

/// The same for a block of at most eight bytes, aligned to no more. By this word, with
/// which a what-if child has all of them: there it is true. So the one test does for
/// both.
#[inline(always)]
pub(crate) fn is_tiny_and_marked(ptr: *const u8, odd: usize) -> bool {
    // The last 8 bytes of a page are those that are less than 8 from its last one.
    !ptr.addr() & (PAGE - 1) < odd
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
            // Inner allocators align large blocks to 16 at least.
            let base = slot * inner.align().max(16);
            let offset = shape.offset(layout.align());
            let ptr = std::ptr::without_provenance::<u8>(base + offset);
            let (size, align) = (layout.size(), layout.align());
            prop_assert_eq!(bears_mark(size, align), shape != Shape::Plain);
            if bears_mark(size, align) {
                prop_assert!(kind(ptr, size, align, OFFSET) != Kind::Ordinary);
                prop_assert!(is_marked(ptr, size, align));
            } else {
                prop_assert!(matches!(kind(ptr, size, align, OFFSET), Kind::Aligned | Kind::TinyOrLarge));
            }
            prop_assert_eq!(ptr.addr() % align, 0);
            prop_assert!(offset + size <= inner.size());
            prop_assert_eq!(Shape::from_bits(shape as u8), shape);
        }

        /// Ordinary small blocks of a 16-aligned allocator are never looked up.
        #[test]
        fn ordinary_blocks_are_not_looked_up(size in 9usize..PAGE, slot in 1usize..1 << 20) {
            let ptr = std::ptr::without_provenance(slot * 16);
            prop_assert_eq!(kind(ptr, size, 8, OFFSET), Kind::Ordinary);
        }
    }

    proptest! {
        /// Of tiny blocks the short test says what the long one does, and in a child
        /// everything is looked at.
        #[test]
        fn tiny_blocks_are_told_by_one_test(size in 1usize..=8, slot in 0usize..1 << 20) {
            let ptr = std::ptr::without_provenance(slot * 8);
            prop_assert_eq!(kind(ptr, size, 8, OFFSET), Kind::TinyOrLarge);
            prop_assert_eq!(is_tiny_and_marked(ptr, OFFSET), is_marked(ptr, size, 8));
        }

        #[test]
        fn a_child_looks_at_everything(layout in layouts(), address in 1usize..1 << 40) {
            let ptr = std::ptr::without_provenance(address);
            let (size, align) = (layout.size(), layout.align());
            let kind = kind(ptr, size, align, usize::MAX);
            prop_assert!(matches!(kind, Kind::Odd | Kind::TinyOrLarge));
            prop_assert!(is_tiny_and_marked(ptr, usize::MAX));
        }
    }

    /// Allocators hand them out first.
    #[test]
    fn the_first_blocks_of_a_page_are_not_looked_up() {
        for block in (0..PAGE / 2).step_by(8) {
            let ptr = std::ptr::without_provenance(7 * PAGE + block);
            assert!(!is_tiny_and_marked(ptr, OFFSET), "{block}");
        }
    }

    #[test]
    fn sizes_near_the_maximum_do_not_overflow() {
        let layout = Layout::from_size_align(isize::MAX as usize, 1).expect("the largest layout");
        assert_eq!(Shape::of(layout).inner_layout(layout), Some(layout));
        assert_eq!(Shape::Offset.inner_layout(layout), None);
    }
}
