//! What every tracked container carries beside the container itself: its name
//! and its slot. It knows nothing of keys and values, so that it can have a
//! destructor without taking from the container what std's has (variance, and
//! values that may not outlive what they borrow).

use std::panic::Location;
use std::sync::atomic::Ordering;

use heaplens_alloc::holder::{self, Holder, Part, Scope};

use crate::clock;
use crate::group::{self, Group, State};
use crate::origin::Origin;
use crate::pool;
use crate::retained;
use crate::shrink::Shrink;
use crate::slot::{Level, Slot};

/// Seconds between two looks at all entries of a map, at least.
const SWEEP_INTERVAL: u16 = 10;
/// Larger maps are never looked through: some 10 ns an entry, while the owner
/// waits.
const SWEEP_MAX: usize = 1 << 20;
/// Looked through only if at least one entry in so many may hold blocks that
/// were never seen.
const SWEEP_SHARE: usize = 16;

/// See the module.
///
/// The order keeps the words of a new one apart that are zero. A compiler
/// writes two zeroes at once, and where such a pair lies across two cache lines,
/// as one in four does, the next reading of either has to wait for it.
#[repr(C)]
pub(crate) struct Handle {
    origin: Origin,
    /// Taken when the map first has a table.
    slot: Option<&'static Slot>,
    /// Whether and how the map shrinks by itself.
    shrink: Shrink,
    /// Entries that were within reach of the program since they were last
    /// looked at.
    dirty: u32,
    /// Low half of the time of the last look at all entries.
    swept: u16,
    holder: Option<Holder>,
}

impl Handle {
    pub(crate) const fn new(origin: Origin) -> Self {
        Handle {
            origin,
            slot: None,
            shrink: Shrink::OFF,
            dirty: 0,
            swept: 0,
            holder: None,
        }
    }

    /// A handle of the group of whoever called the caller.
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Handle::new(Origin::Site(Location::caller()))
    }

    /// The handle of another map of the same group.
    pub(crate) fn sibling(&self) -> Self {
        self.moved_to(self.origin)
    }

    /// A handle for a map of another group that is otherwise like this one.
    pub(crate) fn moved_to(&self, origin: Origin) -> Self {
        let mut moved = Handle::new(origin);
        moved.shrink = self.shrink;
        moved
    }

    pub(crate) fn in_group(group: Group) -> Self {
        Handle::new(Origin::Name(group.name()))
    }

    pub(crate) fn group(&self) -> Group {
        Group::of(self.state())
    }

    #[cold]
    fn state(&self) -> &'static State {
        self.slot
            .and_then(|slot| group::by_id(slot.group()))
            .unwrap_or_else(|| group::of(self.origin))
    }

    /// Publishes how many entries there are. `true` if the table is another
    /// than before, and must be published by [`Handle::resized`], or if the map is
    /// [asked for](Handle::answer).
    #[inline]
    pub(crate) fn publish(&mut self, len: usize, capacity: usize) -> bool {
        match self.slot {
            Some(slot) => {
                slot.set_entries(len as u64);
                slot.exceeds(capacity as u64)
            }
            None => capacity > 0,
        }
    }

    /// As [`Handle::publish`], where nothing was inserted and the table is the
    /// same, unless the program did so unseen before.
    #[inline]
    pub(crate) fn lowered(&self, len: usize) {
        if let Some(slot) = self.slot {
            if len as u64 <= slot.entries() {
                slot.lower_entries(len as u64);
            } else {
                slot.set_entries(len as u64);
            }
        }
    }

    /// Whether nothing of the map was published yet.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        self.slot.is_none()
    }

    /// Publishes a map that has its first table, where the last map of the
    /// group was. `false` if this takes more: [`Handle::resized`].
    #[inline]
    pub(crate) fn go_on(&mut self, len: usize, capacity: usize, bytes: u64) -> bool {
        if self.may_shrink() {
            return false;
        }
        let Some(slot) = pool::warm(self.origin) else {
            return false;
        };
        slot.fill(&Level {
            entries: len as u64,
            capacity: capacity as u64,
            table_bytes: bytes,
            read: 0,
        });
        self.slot = Some(slot);
        true
    }

    /// Publishes a map that has its first table.
    fn begin(&mut self, len: usize, capacity: usize, bytes: u64) {
        self.take_slot(&Level {
            entries: len as u64,
            capacity: capacity as u64,
            table_bytes: bytes,
            read: 0,
        });
        self.shrink_from_now();
    }

    /// Counts the operations that a shrink waits for from here on.
    fn shrink_from_now(&mut self) {
        if let Some(slot) = self.slot {
            self.shrink.resized(slot.operations());
        }
    }

    /// Publishes a table that was made or grew.
    pub(crate) fn resized(&mut self, len: usize, capacity: usize, bytes: u64) {
        let Some(slot) = self.slot else {
            return self.begin(len, capacity, bytes);
        };
        slot.set_table(capacity as u64, bytes);
        slot.set_entries(len as u64);
        slot.count_resize();
        self.shrink_from_now();
    }

    /// Publishes the bytes of nodes, which change with each entry. `true` if the map
    /// is [asked for](Handle::answer), which this does not undo.
    #[inline]
    pub(crate) fn publish_nodes(&mut self, len: usize, bytes: u64) -> bool {
        match self.slot {
            Some(slot) => {
                slot.set_entries(len as u64);
                let is_asked = slot.is_asked();
                slot.set_table(len as u64, bytes);
                if is_asked {
                    slot.ask();
                }
                return is_asked;
            }
            None if len == 0 => {}
            None => self.first_nodes(len, bytes),
        }
        false
    }

    #[inline(never)]
    fn first_nodes(&mut self, len: usize, bytes: u64) {
        self.take_slot(&Level {
            entries: len as u64,
            capacity: len as u64,
            table_bytes: bytes,
            read: 0,
        });
    }

    /// Takes a slot for a map that has none.
    fn take_slot(&mut self, level: &Level) {
        self.slot = pool::acquire(self.origin, level);
    }

    /// Makes sure that there is a slot before the program gets at the inner
    /// container, so that what it does there is seen afterwards.
    #[inline]
    pub(crate) fn expose(&mut self, len: usize) {
        if self.slot.is_none() {
            self.take_slot(&Level::default());
        }
        self.soil_all(len);
    }

    /// As [`Handle::expose`], for one entry.
    #[inline]
    pub(crate) fn expose_one(&mut self) {
        if self.slot.is_none() {
            self.take_slot(&Level::default());
        }
        self.soil();
    }

    /// Notes a read, by any number of threads. `true` if the container is not
    /// as published, or [asked for](Handle::answer).
    #[inline]
    pub(crate) fn read(&self, len: usize, capacity: usize) -> bool {
        let Some(slot) = self.slot else {
            return false;
        };
        slot.touch(clock::now());
        slot.entries() != len as u64 || slot.exceeds(capacity as u64)
    }

    /// Lets whoever asks for this map measure what `container` retains, if anybody does:
    /// to be called where nothing changes it.
    #[cold]
    #[inline(never)]
    pub(crate) fn answer<T: ?Sized>(&self, container: &T) {
        if let Some(slot) = self.slot
            && slot.take_ask()
        {
            retained::answer(slot, container);
        }
    }

    /// As [`Handle::answer`], at the publishing of a table. `true` if there is nothing
    /// else to publish.
    #[inline]
    pub(crate) fn answers<T: ?Sized>(&self, container: &T, capacity: usize) -> bool {
        let Some(slot) = self.slot.filter(|slot| slot.is_asked()) else {
            return false;
        };
        self.answer(container);
        !slot.exceeds(capacity as u64)
    }

    /// Publishes what [`Handle::read`] found, by any number of threads.
    #[cold]
    pub(crate) fn heal(&self, len: usize, capacity: usize, bytes: u64) {
        if let Some(slot) = self.slot {
            slot.heal_entries(len as u64);
            if slot.raise_table(capacity as u64, bytes) {
                slot.count_resize();
            }
        }
    }

    /// As [`Handle::heal`], for nodes.
    #[cold]
    pub(crate) fn heal_nodes(&self, len: usize, bytes: u64) {
        if let Some(slot) = self.slot {
            slot.heal_entries(len as u64);
            slot.set_table(len as u64, bytes);
        }
    }

    /// Publishes another table, without counting that as a change of its size.
    pub(crate) fn lend_table(&mut self, capacity: usize, bytes: u64) {
        if let Some(slot) = self.slot {
            slot.set_table(capacity as u64, bytes);
        }
    }

    /// Whether blocks of values of these types can be marked at present.
    #[inline]
    pub(crate) fn marks<K, V>() -> bool {
        (std::mem::needs_drop::<K>() || std::mem::needs_drop::<V>()) && holder::any_live()
    }

    /// Who holds the blocks of this map's entries.
    #[inline]
    pub(crate) fn holder(&mut self) -> Option<Holder> {
        if self.holder.is_none() {
            self.holder = self.find_holder();
        }
        self.holder
    }

    /// As [`Handle::holder`], without remembering it.
    #[inline(never)]
    pub(crate) fn find_holder(&self) -> Option<Holder> {
        self.holder.or_else(|| self.state().holder)
    }

    /// While the guard lives, blocks that this thread allocates are nodes of the
    /// map. Nothing where no sampled block is alive.
    #[inline]
    pub(crate) fn enter_nodes(&mut self) -> Option<Scope> {
        if !holder::any_live() {
            return None;
        }
        self.holder().map(|holder| holder.enter(Part::Table))
    }

    /// Marks the sampled blocks that a key or value owns directly.
    #[inline]
    pub(crate) fn hold<T>(&mut self, value: &T) {
        if Self::marks::<T, T>()
            && let Some(holder) = self.holder()
        {
            holder.hold_value(value);
        }
    }

    /// Takes the marks off what leaves the map but lives on.
    #[inline]
    pub(crate) fn release<T>(&mut self, value: &T) {
        if Self::marks::<T, T>()
            && let Some(holder) = self.holder()
        {
            holder.release_value(value);
        }
    }

    /// As [`Handle::release`] for a value that another took the place of. The
    /// two may share a block, which then stays without its mark until all
    /// entries are looked at.
    #[inline]
    pub(crate) fn replaced<T>(&mut self, old: &T) {
        if Self::marks::<T, T>() {
            self.release(old);
            self.soil();
        }
    }

    /// Notes that the program got at an entry, which it may change after it was
    /// looked at.
    #[inline]
    pub(crate) fn soil(&mut self) {
        self.dirty = self.dirty.saturating_add(1);
    }

    /// As [`Handle::soil`], for all entries.
    #[inline]
    pub(crate) fn soil_all(&mut self, len: usize) {
        self.dirty = u32::try_from(len).unwrap_or(u32::MAX);
    }

    /// Whether all entries should be looked at for blocks that came since.
    /// Bounded to 0.1 % of the owner's time, and to 10 ms at a time.
    #[inline]
    pub(crate) fn must_sweep<K, V>(&mut self, len: usize) -> bool {
        let due = self.dirty as usize > len / SWEEP_SHARE;
        due && Self::marks::<K, V>() && len <= SWEEP_MAX && self.claim_sweep()
    }

    #[cold]
    fn claim_sweep(&mut self) -> bool {
        // The low half tells 18 hours apart, far more than the interval.
        let now = clock::now() as u16;
        if now.wrapping_sub(self.swept) < SWEEP_INTERVAL {
            return false;
        }
        self.swept = now;
        self.dirty = 0;
        true
    }

    /// Switches the shrinking of the table on or off.
    pub(crate) fn set_auto_shrink(&mut self, on: bool) {
        self.shrink = if on { Shrink::ON } else { Shrink::OFF };
        self.shrink_from_now();
    }

    /// Whether the table shrinks by itself.
    #[inline]
    pub(crate) fn may_shrink(&self) -> bool {
        self.shrink.is_on()
    }

    /// The capacity to shrink to, if the map is to shrink now: to be asked
    /// after each removal.
    #[inline]
    pub(crate) fn must_shrink(&mut self, len: usize, buckets: usize) -> Option<usize> {
        let operations = self.slot?.operations();
        self.shrink.decide(len, buckets, operations)
    }

    /// The program asked for room: never to shrink below it.
    pub(crate) fn reserved(&mut self, capacity: usize) {
        self.shrink.reserved(capacity);
    }

    /// Publishes a table that became smaller.
    pub(crate) fn shrunk(&mut self, capacity: usize, bytes: u64, by_itself: bool) {
        let Some(slot) = self.slot else { return };
        if capacity as u64 == slot.capacity() {
            return;
        }
        slot.set_table(capacity as u64, bytes);
        slot.count_resize();
        self.shrink_from_now();
        if by_itself {
            self.state().shrinks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the table is published as one of so many bytes; a container that
    /// never had one shows none.
    #[cfg(feature = "hashbrown")]
    #[inline]
    pub(crate) fn shows_bytes(&self, bytes: u64) -> bool {
        self.slot.map_or(0, Slot::table_bytes) == bytes
    }

    /// Largest capacity that the present table has shown; 0 without a slot.
    pub(crate) fn high_water(&self) -> usize {
        self.slot.map_or(0, |slot| slot.capacity() as usize)
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            pool::release(slot, &self.origin);
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("origin", &self.origin)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}
