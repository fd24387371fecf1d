//! What indexmap's map and set have in common: a vector of entries, and a hash
//! table of places in it.

use std::ops::{Bound, Range, RangeBounds};
use std::panic::UnwindSafe;

use heaplens_alloc::holder::{self, Holder, Part};

use crate::handle::Handle;
use crate::table_bytes::Swiss;
use crate::watched::{Container, Watched};

/// A container of that kind.
pub(crate) trait Indexed: Container {
    /// Entries that fit without growth of either part.
    fn capacity(&self) -> usize;
}

/// An element of the vector: the entry and its hash.
type Element<C> = (usize, <C as Container>::Key, <C as Container>::Value);

/// The two blocks of a container of this capacity.
struct Blocks {
    entries: u64,
    table: Swiss,
}

impl Blocks {
    fn of<C: Indexed>(capacity: usize) -> Self {
        let element = size_of::<Element<C>>() as u64;
        Blocks {
            entries: (capacity as u64).saturating_mul(element),
            table: Swiss::holding::<usize>(capacity),
        }
    }

    fn bytes(&self) -> u64 {
        self.entries.saturating_add(self.table.bytes::<usize>())
    }
}

/// As [`Container::publish`].
#[inline]
pub(crate) fn publish<C: Indexed>(inner: &C, handle: &mut Handle) {
    if handle.publish(inner.count(), inner.capacity()) {
        made(inner, handle, inner.capacity());
    }
}

/// As [`Container::heal`].
#[inline]
pub(crate) fn heal<C: Indexed>(inner: &C, handle: &Handle) {
    if handle.read(inner.count(), inner.capacity()) {
        changed_unseen(inner, handle);
    }
}

/// As [`Container::adopt`].
pub(crate) fn adopt<C: Indexed>(inner: &C, handle: &mut Handle, high_water: usize) {
    let capacity = inner.capacity().max(high_water);
    if handle.publish(inner.count(), capacity) {
        made(inner, handle, capacity);
    }
}

#[cold]
fn made<C: Indexed>(inner: &C, handle: &mut Handle, capacity: usize) {
    if handle.answers(inner, capacity) {
        return;
    }
    let blocks = Blocks::of::<C>(capacity);
    handle.resized(inner.count(), capacity, blocks.bytes());
    hold(inner, handle.holder(), &blocks);
}

#[cold]
fn changed_unseen<C: Indexed>(inner: &C, handle: &Handle) {
    handle.answer(inner);
    let (former, capacity) = (handle.high_water(), inner.capacity());
    let blocks = Blocks::of::<C>(capacity);
    handle.heal(inner.count(), capacity, blocks.bytes());
    if capacity > former {
        hold(inner, handle.find_holder(), &blocks);
    }
}

/// Marks the two blocks, if they are sampled: the container points at the start
/// of one and at the control bytes of the other.
fn hold<C: Indexed>(inner: &C, holder: Option<Holder>, blocks: &Blocks) {
    if let Some(holder) = holder.filter(|_| holder::any_live()) {
        let offset = blocks.table.control_offset::<usize>();
        let bytes = blocks.table.bytes::<usize>();
        holder::words(inner, |word| {
            holder.hold_sized(Part::Table, word, blocks.entries);
            holder.hold_sized(Part::Table, word.wrapping_sub(offset), bytes);
        });
    }
}

impl<C: Indexed> Watched<C> {
    /// Changes the container by its `shrink_to` and publishes both blocks. The
    /// vector gets exactly what is wanted, and the table follows from that too,
    /// so that tombstones do not matter.
    pub(crate) fn shrink_both(
        &mut self,
        min_capacity: usize,
        shrink_to: impl FnOnce(&mut C, usize),
    ) {
        self.publish();
        let wanted = self.inner.count().max(min_capacity);
        self.change(|inner, _| shrink_to(inner, min_capacity));
        if wanted < self.handle.high_water() {
            let blocks = Blocks::of::<C>(wanted);
            self.handle.shrunk(wanted, blocks.bytes(), false);
            hold(&self.inner, self.handle.holder(), &blocks);
        }
    }

    /// Prepares for the removal of a range, as `drain` and `truncate` do it:
    /// takes the marks off the entries in it. Returns how many there are.
    pub(crate) fn part_with(&mut self, range: &impl RangeBounds<usize>) -> usize {
        self.settle();
        let range = within(range, self.inner.count());
        if Handle::marks::<C::Key, C::Value>() {
            let mut place = 0;
            self.inner.each(|key, value| {
                if range.contains(&place) {
                    self.handle.release(key);
                    self.handle.release(value);
                }
                place += 1;
            });
        }
        range.len()
    }

    /// Prepares for the container's `extract_if`.
    pub(crate) fn extract_indexed(&mut self) -> (&mut C, Extracting<'_>) {
        self.settle();
        let left = self.inner.count();
        let handle = &mut self.handle;
        (&mut self.inner, Extracting { handle, left })
    }
}

/// The part of `0..len` that a range covers.
fn within(range: &impl RangeBounds<usize>, len: usize) -> Range<usize> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    start.min(len)..end.min(len)
}

/// Publishes each entry that an iterator takes out.
pub(crate) struct Extracting<'a> {
    handle: &'a mut Handle,
    left: usize,
}

/// What a panic leaves unpublished, the next call publishes.
impl UnwindSafe for Extracting<'_> {}

impl Extracting<'_> {
    #[inline]
    pub(crate) fn took(&mut self) {
        self.left = self.left.saturating_sub(1);
        // The capacity does not change.
        self.handle.publish(self.left, 0);
    }

    #[inline]
    pub(crate) fn release<T>(&mut self, value: &T) {
        self.handle.release(value);
    }
}
