//! Where a live map publishes its figures: 64 bytes that one thread at a time
//! writes, by plain loads and stores, and that a report reads at any moment.
//!
//! A slot outlives its map and is used again. Its cumulative counters stay in
//! it as long as it serves the same group, so that a map that comes and goes
//! writes to nothing that other threads write to. Readers recognise a change
//! of owner by the owner word, which they read before and after the rest.
//!
//! A slot has one holder: its map, or whoever chains it to be used again; or
//! two: its map, and the thread that keeps it for its next map.

use crate::sync::{ATTEMPTS, AtomicU32, AtomicU64, Ordering, fence};

/// Which group a slot counts for. 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupId(pub(crate) u16);

impl GroupId {
    pub(crate) const NONE: GroupId = GroupId(0);
}

/// The owner word: 16 bits of group below the generation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Owner(u64);

const GENERATION: u64 = 1 << 16;

/// Beside a capacity: somebody asks for the map that is here. Its next operation finds
/// its capacity to be more than this, which is negative, and so comes off its usual way
/// without a test of its own (see [`Slot::exceeds`]).
const ASKED: u64 = 1 << 63;

/// In place of a number of entries: there is no map.
const LEFT: u64 = u64::MAX - 1;
/// As [`LEFT`], and the thread that shares the slot has it to itself.
const IDLE: u64 = u64::MAX;

/// Beside a slot's number: a thread shares it with its map.
const SHARED: u32 = 1 << 31;

impl Owner {
    #[inline]
    fn group(self) -> GroupId {
        GroupId(self.0 as u16)
    }

    /// The next generation, owned by this group.
    #[inline]
    fn next(self, group: GroupId) -> Owner {
        let generation = self.0.wrapping_add(GENERATION) & !(GENERATION - 1);
        Owner(generation | u64::from(group.0))
    }
}

/// One map's figures.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    owner: AtomicU64,
    /// Or [`LEFT`] or [`IDLE`].
    entries: AtomicU64,
    /// Largest capacity, in entries, that the present table has shown; and [`ASKED`].
    capacity: AtomicU64,
    table_bytes: AtomicU64,
    /// Of all maps that had the slot for its group. What was removed follows:
    /// all but the entries that are there.
    inserts: AtomicU64,
    resizes: AtomicU64,
    /// Seconds since 1970, by the clock of [`crate::clock`].
    read: AtomicU32,
    /// Taken: the slot's own number, and [`SHARED`]. Free: the next free slot's
    /// number plus one.
    link: AtomicU32,
}

/// Counters that never decrease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) inserts: u64,
    pub(crate) resizes: u64,
}

/// What a map holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) entries: u64,
    pub(crate) capacity: u64,
    pub(crate) table_bytes: u64,
    /// When a map was last read here; 0 is not known.
    pub(crate) read: u32,
}

impl Level {
    /// Whether there is a map at all: one that has, or had, something in it.
    #[inline]
    fn is_map(&self) -> bool {
        self.entries < LEFT && (self.capacity > 0 || self.entries > 0)
    }
}

/// A slot as a report sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) group: GroupId,
    pub(crate) flow: Flow,
    /// None between two owners.
    pub(crate) level: Option<Level>,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Slot {
            owner: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            capacity: AtomicU64::new(0),
            table_bytes: AtomicU64::new(0),
            inserts: AtomicU64::new(0),
            resizes: AtomicU64::new(0),
            read: AtomicU32::new(0),
            link: AtomicU32::new(0),
        }
    }

    #[inline]
    fn owner(&self) -> Owner {
        Owner(self.owner.load(Ordering::Relaxed))
    }

    /// Begins to count for a map of `group` that holds `level`. Whoever calls
    /// this has the slot to itself. Returns what the slot had counted for
    /// another group, which that group must be given.
    #[inline]
    pub(crate) fn take(
        &self,
        number: u32,
        group: GroupId,
        level: &Level,
    ) -> Option<(GroupId, Flow)> {
        let former = self.owner().group();
        let left = (former != group).then(|| self.disown()).flatten();
        self.link.store(number, Ordering::Relaxed);
        self.fill(level);
        if former != group {
            let owner = self.owner().next(group);
            self.owner.store(owner.0, Ordering::Release);
        }
        left
    }

    /// Publishes the first of a map that goes on where one of the same group
    /// was.
    #[inline]
    pub(crate) fn fill(&self, level: &Level) {
        self.capacity.store(level.capacity, Ordering::Relaxed);
        self.table_bytes.store(level.table_bytes, Ordering::Relaxed);
        // Whoever sees the entries sees a table that they had or came after.
        self.entries.store(level.entries, Ordering::Release);
        bump(&self.inserts, level.entries);
    }

    /// The map is gone, and what was in it with it. To be called by the thread
    /// that shares the slot, which has it to itself from here on.
    #[inline]
    pub(crate) fn rest(&self) {
        self.entries.store(IDLE, Ordering::Relaxed);
    }

    /// Whether the calling thread, which shares the slot, has let it
    /// [rest](Slot::rest).
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.entries.load(Ordering::Relaxed) == IDLE
    }

    /// Lets the calling thread, which has the slot to itself, share it with the
    /// maps that come.
    pub(crate) fn share(&self) {
        let number = self.link.load(Ordering::Relaxed);
        self.link.store(number | SHARED, Ordering::Relaxed);
        self.rest();
    }

    /// The thread that shares the slot gives up its part of it. The slot's
    /// number if it has it to itself; else the map has.
    pub(crate) fn unshare(&self) -> Option<u32> {
        if self.is_idle() {
            return Some(self.link.load(Ordering::Relaxed) & !SHARED);
        }
        self.part()
    }

    /// The map is gone, in a thread that does not share the slot. The slot's
    /// number, if no other thread does.
    pub(crate) fn leave(&self) -> Option<u32> {
        self.entries.store(LEFT, Ordering::Relaxed);
        self.part()
    }

    /// Gives up one of two parts. The slot's number if the other was given up
    /// before.
    fn part(&self) -> Option<u32> {
        let mut link = self.link.load(Ordering::Acquire);
        if link & SHARED != 0 {
            link = self.link.fetch_and(!SHARED, Ordering::AcqRel);
        }
        (link & SHARED == 0).then_some(link)
    }

    /// Forgets what was counted for a group, and returns it.
    #[cold]
    fn disown(&self) -> Option<(GroupId, Flow)> {
        let former = self.owner();
        let flow = self.flow();
        let nobody = former.next(GroupId::NONE);
        self.owner.store(nobody.0, Ordering::Relaxed);
        // A reader that sees a zero below sees that the group is gone.
        fence(Ordering::Release);
        self.inserts.store(0, Ordering::Relaxed);
        self.resizes.store(0, Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
        (former.group() != GroupId::NONE).then(|| (former.group(), flow))
    }

    #[inline]
    fn flow(&self) -> Flow {
        Flow {
            // Whoever sees an insert sees the entry too, or it would be taken
            // for removed.
            inserts: self.inserts.load(Ordering::Acquire),
            resizes: self.resizes.load(Ordering::Relaxed),
        }
    }

    /// What the slot shows; `None` if it never served, or changes owners so
    /// often that no attempt hit a quiet moment.
    #[inline]
    pub(crate) fn read(&self) -> Option<Reading> {
        for _ in 0..ATTEMPTS {
            let owner = Owner(self.owner.load(Ordering::Acquire));
            let flow = self.flow();
            let level = Level {
                entries: self.entries.load(Ordering::Acquire),
                capacity: self.capacity(),
                table_bytes: self.table_bytes.load(Ordering::Relaxed),
                read: self.read.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if self.owner() == owner {
                let group = owner.group();
                return (group != GroupId::NONE).then(|| Reading {
                    group,
                    flow,
                    level: level.is_map().then_some(level),
                });
            }
        }
        None
    }

    #[inline]
    pub(crate) fn group(&self) -> GroupId {
        self.owner().group()
    }

    #[inline]
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    #[cfg(feature = "hashbrown")]
    #[inline]
    pub(crate) fn table_bytes(&self) -> u64 {
        self.table_bytes.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed) & !ASKED
    }

    /// Whether a table of this capacity is larger than any that was published, or the
    /// map is [asked for](Slot::ask). One comparison.
    #[inline]
    pub(crate) fn exceeds(&self, capacity: u64) -> bool {
        capacity.cast_signed() > self.capacity.load(Ordering::Relaxed).cast_signed()
    }

    /// Asks for the map that is here. Any thread may; what the map's own thread
    /// publishes at the same moment may undo it, so that it must be done again.
    pub(crate) fn ask(&self) {
        self.capacity.fetch_or(ASKED, Ordering::Relaxed);
    }

    /// Whether the map is asked for.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.capacity.load(Ordering::Relaxed) & ASKED != 0
    }

    /// Takes the question away. `true` for the one thread that did.
    pub(crate) fn take_ask(&self) -> bool {
        self.capacity.fetch_and(!ASKED, Ordering::Relaxed) & ASKED != 0
    }

    /// Inserts and removes since this slot was first used.
    pub(crate) fn operations(&self) -> u64 {
        let inserts = self.inserts.load(Ordering::Relaxed);
        inserts.wrapping_mul(2).wrapping_sub(self.entries())
    }

    /// Publishes the number of entries. Only the map's own thread calls this,
    /// with the map borrowed mutably: loads and stores are enough.
    #[inline]
    pub(crate) fn set_entries(&self, entries: u64) {
        let before = self.entries.load(Ordering::Relaxed);
        self.entries.store(entries, Ordering::Relaxed);
        if entries > before {
            bump(&self.inserts, entries - before);
        }
    }

    /// As [`Slot::set_entries`], where nothing was inserted.
    #[inline]
    pub(crate) fn lower_entries(&self, entries: u64) {
        self.entries.store(entries, Ordering::Relaxed);
    }

    /// As [`Slot::set_entries`], by several threads at a time that share the
    /// map and so agree on `entries`.
    pub(crate) fn heal_entries(&self, entries: u64) {
        let before = self.entries.swap(entries, Ordering::Relaxed);
        if entries > before {
            self.inserts.fetch_add(entries - before, Ordering::Release);
        }
    }

    /// Publishes the table.
    #[inline]
    pub(crate) fn set_table(&self, capacity: u64, bytes: u64) {
        self.capacity.store(capacity, Ordering::Relaxed);
        self.table_bytes.store(bytes, Ordering::Relaxed);
    }

    /// As [`Slot::set_table`] for a larger table, by several threads at a time.
    /// `true` for one of them.
    pub(crate) fn raise_table(&self, capacity: u64, bytes: u64) -> bool {
        // While the map is asked for, nothing is larger: the next one does it then.
        let raised = self.capacity.fetch_max(capacity, Ordering::Relaxed) < capacity;
        if raised {
            self.table_bytes.store(bytes, Ordering::Relaxed);
        }
        raised
    }

    /// Counts a change of the table's size.
    pub(crate) fn count_resize(&self) {
        self.resizes.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the map was read. A store only once a tick of the clock.
    #[inline]
    pub(crate) fn touch(&self, now: u32) {
        if self.read.load(Ordering::Relaxed) != now {
            self.read.store(now, Ordering::Relaxed);
        }
    }

    /// The next free slot's number plus one, 0 at the end.
    #[inline]
    pub(crate) fn next_free(&self) -> u32 {
        self.link.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_next_free(&self, next: u32) {
        self.link.store(next, Ordering::Relaxed);
    }
}

/// Adds where no other thread writes.
#[inline]
fn bump(counter: &AtomicU64, by: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
    counter.store(sum, Ordering::Release);
}
