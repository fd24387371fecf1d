//! What std's hash maps and sets have in common: a `SwissTable`, whose bytes
//! follow from the largest capacity that it has shown.

use std::panic::UnwindSafe;

use heaplens_alloc::holder::{self, Holder, Part};

use crate::handle::Handle;
use crate::table_bytes::Swiss;
use crate::watched::{Container, Watched};

/// A container on a `SwissTable`.
pub(crate) trait HashTable: Container {
    /// Entries that fit without growth: fewer than there are places for, if
    /// entries were removed.
    fn capacity(&self) -> usize;
}

/// The capacity that is shown while an iterator has the table, or has leaked it:
/// less than any table has, so that the next one is taken for new.
const AWAY: usize = 1;

/// The largest capacity that a table has shown, as it was published.
fn known(high_water: usize) -> usize {
    if high_water == AWAY { 0 } else { high_water }
}

/// What a bucket holds, in sets too.
type Entry<C> = (<C as Container>::Key, <C as Container>::Value);

/// As [`Container::publish`].
#[inline]
pub(crate) fn publish<C: HashTable>(inner: &C, handle: &mut Handle) {
    let (count, capacity) = (inner.count(), inner.capacity());
    if handle.is_new() {
        first(inner, handle, capacity, count);
    } else if handle.publish(count, capacity) {
        made(inner, handle, capacity);
    }
}

/// Publishes the first table of a map, if it has one: as [`made`], and with no
/// more than the smallest one needs, since most maps of most programs never get
/// another. Its arguments lie where [`publish`] has them, and it needs no stack.
#[inline(never)]
fn first<C: HashTable>(inner: &C, handle: &mut Handle, capacity: usize, count: usize) {
    let table = const { Swiss::smallest::<Entry<C>>() };
    let bytes = const { Swiss::smallest::<Entry<C>>().layout::<Entry<C>>() };
    if capacity == table.capacity() && handle.go_on(count, capacity, bytes) {
        if holder::any_live() {
            hold_first(inner, handle);
        }
    } else {
        first_of_all(inner, handle, capacity);
    }
}

/// As [`first`], whatever it needs.
#[cold]
fn first_of_all<C: HashTable>(inner: &C, handle: &mut Handle, capacity: usize) {
    if capacity > 0 {
        made(inner, handle, capacity);
    }
}

/// Marks the block of the smallest table.
#[cold]
fn hold_first<C: HashTable>(inner: &C, handle: &mut Handle) {
    hold_table(inner, handle.holder(), Swiss::smallest::<Entry<C>>());
}

/// As [`Container::heal`].
#[inline]
pub(crate) fn heal<C: HashTable>(inner: &C, handle: &Handle) {
    if handle.read(inner.count(), inner.capacity()) {
        changed_unseen(inner, handle);
    }
}

/// As [`Container::adopt`].
pub(crate) fn adopt<C: HashTable>(inner: &C, handle: &mut Handle, high_water: usize) {
    // Without any capacity there may still be a table full of tombstones.
    let capacity = inner.capacity().max(known(high_water));
    if handle.publish(inner.count(), capacity) {
        made(inner, handle, capacity);
    }
}

/// Publishes a table that was made or grew, or answers. Not marked cold: the caller's way past
/// it would then lie where a new entry jumps twice.
#[inline(never)]
fn made<C: HashTable>(inner: &C, handle: &mut Handle, capacity: usize) {
    if handle.answers(inner, capacity) {
        return;
    }
    let table = Swiss::holding::<Entry<C>>(capacity);
    handle.resized(inner.count(), capacity, table.bytes::<Entry<C>>());
    if holder::any_live() {
        hold_table(inner, handle.holder(), table);
    }
}

#[cold]
fn changed_unseen<C: HashTable>(inner: &C, handle: &Handle) {
    handle.answer(inner);
    let (former, capacity) = (handle.high_water(), inner.capacity());
    let table = Swiss::holding::<Entry<C>>(capacity);
    handle.heal(inner.count(), capacity, table.bytes::<Entry<C>>());
    if capacity > former {
        hold_table(inner, handle.find_holder(), table);
    }
}

/// Marks the table's own block, if it is sampled: the container points at the
/// table's control bytes.
#[cold]
fn hold_table<C: HashTable>(inner: &C, holder: Option<Holder>, table: Swiss) {
    if let Some(holder) = holder.filter(|_| holder::any_live()) {
        let offset = table.control_offset::<Entry<C>>();
        let bytes = table.bytes::<Entry<C>>();
        holder::words(inner, |word| {
            holder.hold_sized(Part::Table, word.wrapping_sub(offset), bytes);
        });
    }
}

impl<C: HashTable> Watched<C> {
    /// The table as it is known.
    fn table(&self) -> Swiss {
        Swiss::holding::<Entry<C>>(known(self.handle.high_water()))
    }

    /// Publishes that the table is one of this capacity, larger or smaller than
    /// before.
    fn set_table(&mut self, capacity: usize, by_itself: bool) {
        if capacity > self.handle.high_water() {
            return made(&self.inner, &mut self.handle, capacity);
        }
        let table = Swiss::holding::<Entry<C>>(capacity);
        let bytes = table.bytes::<Entry<C>>();
        self.handle.shrunk(capacity, bytes, by_itself);
        self.handle.publish(self.inner.count(), capacity);
        hold_table(&self.inner, self.handle.holder(), table);
    }

    /// Publishes that the table is the one of so many bytes.
    #[cfg(feature = "hashbrown")]
    #[cold]
    pub(crate) fn set_bytes(&mut self, bytes: u64) {
        let table = Swiss::of_bytes::<Entry<C>>(bytes);
        self.set_table(table.capacity(), false);
    }

    /// Changes the table by `shrink_to` and publishes it.
    pub(crate) fn shrink(
        &mut self,
        min_capacity: usize,
        by_itself: bool,
        shrink_to: impl FnOnce(&mut C, usize),
    ) {
        self.publish();
        // A shrink that changes nothing leaves the tombstones, which make
        // capacity() too low to tell the table: so it is computed.
        let before = self.table();
        let wanted = Swiss::holding::<Entry<C>>(self.inner.count().max(min_capacity));
        self.change(|inner, _| shrink_to(inner, min_capacity));
        if wanted.buckets < before.buckets {
            // The same as wanted, unless the program had put another table here.
            self.set_table(self.inner.capacity(), by_itself);
        }
    }

    /// Shrinks the table by `shrink_to` if the container does so by itself, and
    /// now.
    #[cold]
    pub(crate) fn shrink_if_due(&mut self, shrink_to: impl FnOnce(&mut C, usize)) {
        let buckets = self.table().buckets;
        let target = self.handle.must_shrink(self.inner.count(), buckets);
        if let Some(target) = target {
            self.shrink(target, true, shrink_to);
        }
    }

    /// Switches that on or off.
    pub(crate) fn set_auto_shrink(&mut self, on: bool) {
        self.handle.set_auto_shrink(on);
        if self.inner.count() == 0 {
            // An empty container has a table because the program asked for it.
            self.handle.reserved(self.inner.capacity());
        }
    }

    /// The program asked for room.
    pub(crate) fn reserved(&mut self, additional: usize) {
        let floor = self.inner.count().saturating_add(additional);
        self.handle.reserved(floor);
        self.publish();
    }

    /// Changes the container by its `clear`.
    pub(crate) fn clear(&mut self, clear: impl FnOnce(&mut C)) {
        self.publish();
        self.release_all();
        let had_entries = self.inner.count() > 0;
        self.change(|inner, _| clear(inner));
        if had_entries {
            // No tombstones are left to hide what the table can hold.
            self.set_table(self.inner.capacity(), false);
        }
    }

    /// Prepares for the container's `drain`: whatever becomes of the iterator,
    /// no entry is left.
    pub(crate) fn drain(&mut self) -> (&mut C, Lent<'_>) {
        self.publish();
        self.release_all();
        let capacity = known(self.handle.high_water());
        let bytes = self.table().bytes::<Entry<C>>();
        self.handle.publish(0, capacity);
        let handle = &mut self.handle;
        (&mut self.inner, Lent::new(handle, capacity, bytes))
    }

    /// Prepares for the container's `extract_if`.
    pub(crate) fn extract(&mut self) -> (&mut C, Taking<'_>) {
        self.settle();
        let (left, capacity) = (self.inner.count(), self.inner.capacity());
        let handle = &mut self.handle;
        let taking = Taking {
            handle,
            left,
            capacity,
        };
        (&mut self.inner, taking)
    }

    /// As `Clone::clone_from`: the container gets as many buckets as the source
    /// has, and as many tombstones.
    pub(crate) fn clone_from(&mut self, source: &Self)
    where
        C: Clone,
    {
        self.publish();
        self.release_all();
        let mut remade = Remade {
            watched: self,
            high_water: 0,
        };
        remade.watched.inner.clone_from(source.read());
        remade.high_water = known(source.handle.high_water());
        drop(remade);
        self.hold_all();
    }
}

/// Publishes a table that replaces another. If cloning into it panics, it is
/// empty, and its capacity tells it exactly.
struct Remade<'a, C: HashTable> {
    watched: &'a mut Watched<C>,
    high_water: usize,
}

impl<C: HashTable> Drop for Remade<'_, C> {
    fn drop(&mut self) {
        let capacity = self.watched.inner.capacity().max(self.high_water);
        self.watched.set_table(capacity, false);
    }
}

/// The table while it is in the hands of a draining iterator: it comes back
/// when the iterator is dropped, and never if the iterator is leaked.
pub(crate) struct Lent<'a> {
    handle: &'a mut Handle,
    capacity: usize,
    bytes: u64,
}

impl<'a> Lent<'a> {
    fn new(handle: &'a mut Handle, capacity: usize, bytes: u64) -> Self {
        // The bytes are still there, even those of a table that is leaked.
        if capacity > 0 {
            handle.lend_table(AWAY, bytes);
        }
        Lent {
            handle,
            capacity,
            bytes,
        }
    }
}

/// What a panic leaves unpublished, the next call publishes.
impl UnwindSafe for Lent<'_> {}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // After a panic the table may be lost. If it is not, the next call will
        // take it for a new one.
        if self.capacity > 0 && !std::thread::panicking() {
            self.handle.lend_table(self.capacity, self.bytes);
        }
    }
}

/// Publishes each entry that an iterator takes out.
pub(crate) struct Taking<'a> {
    handle: &'a mut Handle,
    left: usize,
    capacity: usize,
}

/// What a panic leaves unpublished, the next call publishes.
impl UnwindSafe for Taking<'_> {}

impl Taking<'_> {
    #[inline]
    pub(crate) fn took(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.handle.publish(self.left, self.capacity);
    }

    #[inline]
    pub(crate) fn release<T>(&mut self, value: &T) {
        self.handle.release(value);
    }
}
