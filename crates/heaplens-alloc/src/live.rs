//! The table of sampled blocks that are alive.
//!
//! Slots are dense and hold what is known of a block; an index of 64-byte
//! buckets finds the slot of an address. All of it is lock-free:
//!
//! * A block's address is inserted by the thread that obtained the block and
//!   removed by the one that frees it. The program itself orders the two, so no
//!   two threads ever work on one address at a time.
//! * A bucket that was full when an address hashed to it counts the addresses
//!   that went past it. A search goes on to the next bucket only while that
//!   count is not zero, so there are no tombstones and a miss costs one line.
//! * Readers of slots (snapshots) check a generation before and after.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::arena::Arena;
use crate::filter;
use crate::tag::Shape;

/// An index entry is the address without its three low zero bits, above the
/// slot number plus one; 0 is an empty entry.
const SLOT_BITS: u32 = 19;
const ADDRESS_BITS: u32 = 48;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// The most slots that a table can have.
pub(crate) const MAX_SLOTS: usize = 1 << 18;

const ENTRIES: usize = 7;

#[repr(C, align(64))]
struct Bucket {
    entries: [AtomicU64; ENTRIES],
    /// How many addresses went past this bucket because it was full.
    passed: AtomicU64,
}

#[repr(C)]
struct Slot {
    /// Odd while the slot describes a live block. Grows by one at each change.
    generation: AtomicU64,
    size: AtomicU64,
    interval: AtomicU64,
    born: AtomicU64,
    site: AtomicU32,
    /// Live: the shape. Free: the next free slot plus one.
    shape_or_next: AtomicU32,
}

/// What the table knows of a live sampled block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Requested bytes.
    pub(crate) size: u64,
    /// Mean bytes between samples when it was drawn.
    pub(crate) interval: u64,
    /// When it was allocated, by [`crate::os::coarse_now`].
    pub(crate) born: u64,
    /// Where it was allocated.
    pub(crate) site: u32,
    /// How it lies in the inner allocator's memory.
    pub(crate) shape: Shape,
}

/// Whether the table can hold this address: at most 48 bits, a multiple of eight.
pub(crate) fn fits(address: usize) -> bool {
    address as u64 >> ADDRESS_BITS == 0 && address.is_multiple_of(8)
}

/// The table. Its size is fixed when it is made.
pub(crate) struct Live {
    slots: &'static [Slot],
    buckets: &'static [Bucket],
    /// Slots below this were in use at some time.
    high_water: AtomicU32,
    /// Head of the free list: a count that changes with each pop, above the
    /// slot number plus one.
    free: AtomicU64,
    count: AtomicU64,
}

/// A slot that no address stands for: one just reserved, or that of a block
/// taken out. Entering it cannot fail. It must be entered or released.
#[must_use]
#[derive(Debug)]
pub(crate) struct Held {
    slot: u32,
}

impl Live {
    /// Bytes that a table of `slots` slots takes in an arena.
    pub(crate) const fn bytes(slots: usize) -> usize {
        slots * size_of::<Slot>() + buckets_for(slots) * size_of::<Bucket>()
    }

    /// Makes a table for `slots` blocks (at most [`MAX_SLOTS`]).
    pub(crate) fn new(arena: &Arena, slots: usize) -> Option<Self> {
        let slots = slots.min(MAX_SLOTS);
        // SAFETY: both types consist of atomics, for which zero is a value.
        let (slots, buckets) = unsafe {
            (
                arena.zeroed_slice(slots)?,
                arena.zeroed_slice(buckets_for(slots))?,
            )
        };
        Some(Live {
            slots,
            buckets,
            high_water: AtomicU32::new(0),
            free: AtomicU64::new(0),
            count: AtomicU64::new(0),
        })
    }

    /// Reserves a slot; `None` if the table is full.
    pub(crate) fn reserve(&self) -> Option<Held> {
        self.take_slot().map(|slot| Held { slot })
    }

    /// Enters a block at an address that [`fits`], after the inner allocator
    /// has given it out.
    pub(crate) fn enter(&self, Held { slot }: Held, address: usize, block: &Block) {
        self.fill(slot, block);
        self.index(address as u64, slot);
        if block.shape == Shape::Plain {
            filter::add(address);
        }
    }

    /// Takes a block out before it is freed or reallocated.
    #[inline]
    pub(crate) fn detach(&self, address: usize) -> Option<(Held, Block)> {
        if !fits(address) {
            return None;
        }
        let number = self.unindex(address as u64)?;
        let slot = self.slots.get(number as usize)?;
        let block = slot.read();
        if block.shape == Shape::Plain {
            filter::remove(address);
        }
        // Even: readers pass over the slot from here on.
        slot.generation.fetch_add(1, Ordering::Release);
        self.count.fetch_sub(1, Ordering::Relaxed);
        Some((Held { slot: number }, block))
    }

    /// Gives a slot back.
    pub(crate) fn release(&self, Held { slot }: Held) {
        self.give_slot(slot);
    }

    /// Sampled blocks alive.
    pub(crate) fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Bytes of slots that were never in use.
    pub(crate) fn untouched_bytes(&self) -> usize {
        let used = self.high_water.load(Ordering::Relaxed) as usize;
        self.slots.len().saturating_sub(used) * size_of::<Slot>()
    }

    /// Calls `visit` for each block that is alive, in no particular order. A
    /// block that comes or goes meanwhile is seen or not; what is seen is whole.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Block)) {
        let used = self.high_water.load(Ordering::Acquire) as usize;
        for slot in self.slots.iter().take(used) {
            let before = slot.generation.load(Ordering::Acquire);
            if before & 1 == 0 {
                continue;
            }
            let block = slot.read();
            fence(Ordering::Acquire);
            if slot.generation.load(Ordering::Relaxed) == before {
                visit(&block);
            }
        }
    }

    fn fill(&self, number: u32, block: &Block) {
        let Some(slot) = self.slots.get(number as usize) else {
            return;
        };
        // Orders the even generation of the last release before these stores,
        // as a sequence lock's writer must.
        fence(Ordering::Release);
        slot.size.store(block.size, Ordering::Relaxed);
        slot.interval.store(block.interval, Ordering::Relaxed);
        slot.born.store(block.born, Ordering::Relaxed);
        slot.site.store(block.site, Ordering::Relaxed);
        slot.shape_or_next
            .store(block.shape as u32, Ordering::Relaxed);
        slot.generation.fetch_add(1, Ordering::Release);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts an address into the index. There is always room: the index has
    /// half as many entries again as there are slots.
    fn index(&self, address: u64, number: u32) {
        let entry = (address >> 3) << SLOT_BITS | u64::from(number + 1);
        let mut probe = self.probe(address);
        // Bounded only against the impossible.
        for _ in 0..2 * self.buckets.len() {
            let Some(bucket) = self.buckets.get(probe) else {
                return;
            };
            for place in &bucket.entries {
                if place.load(Ordering::Relaxed) == 0
                    && place
                        .compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed)
                        .is_ok()
                {
                    return;
                }
            }
            bucket.passed.fetch_add(1, Ordering::Relaxed);
            probe = self.next(probe);
        }
    }

    /// Takes an address out of the index and returns its slot.
    #[inline]
    fn unindex(&self, address: u64) -> Option<u32> {
        let home = self.probe(address);
        let mut probe = home;
        for _ in 0..2 * self.buckets.len() {
            let bucket = self.buckets.get(probe)?;
            for place in &bucket.entries {
                let entry = place.load(Ordering::Relaxed);
                if entry >> SLOT_BITS == address >> 3 && entry != 0 {
                    place.store(0, Ordering::Release);
                    self.unpass(home, probe);
                    return (entry & SLOT_MASK).checked_sub(1).map(|slot| slot as u32);
                }
            }
            if bucket.passed.load(Ordering::Relaxed) == 0 {
                return None;
            }
            probe = self.next(probe);
        }
        None
    }

    fn unpass(&self, home: usize, end: usize) {
        let mut probe = home;
        while probe != end {
            if let Some(bucket) = self.buckets.get(probe) {
                bucket.passed.fetch_sub(1, Ordering::Relaxed);
            }
            probe = self.next(probe);
        }
    }

    /// The bucket where the search for an address begins.
    #[inline]
    fn probe(&self, address: u64) -> usize {
        // Fibonacci hashing: the high bits of the product depend on all bits.
        let hash = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((hash * self.buckets.len() as u64) >> 32) as usize
    }

    #[inline]
    fn next(&self, probe: usize) -> usize {
        let next = probe + 1;
        if next < self.buckets.len() { next } else { 0 }
    }

    fn take_slot(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        while let Some(number) = (head as u32).checked_sub(1) {
            let slot = self.slots.get(number as usize)?;
            let next = slot.shape_or_next.load(Ordering::Relaxed);
            // The count in the upper half tells this head from an equal one
            // that was popped and pushed back in between.
            let new = (head >> 32).wrapping_add(1) << 32 | u64::from(next);
            match self
                .free
                .compare_exchange_weak(head, new, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
        let capacity = self.slots.len() as u32;
        self.high_water
            .fetch_update(Ordering::Release, Ordering::Relaxed, |used| {
                (used < capacity).then_some(used + 1)
            })
            .ok()
    }

    fn give_slot(&self, number: u32) {
        let Some(slot) = self.slots.get(number as usize) else {
            return;
        };
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            slot.shape_or_next.store(head as u32, Ordering::Relaxed);
            let new = (head >> 32) << 32 | u64::from(number + 1);
            match self
                .free
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

impl Slot {
    fn read(&self) -> Block {
        Block {
            size: self.size.load(Ordering::Relaxed),
            interval: self.interval.load(Ordering::Relaxed),
            born: self.born.load(Ordering::Relaxed),
            site: self.site.load(Ordering::Relaxed),
            shape: Shape::from_bits(self.shape_or_next.load(Ordering::Relaxed) as u8),
        }
    }
}

/// A quarter as many buckets as slots: seven entries for every four slots.
const fn buckets_for(slots: usize) -> usize {
    slots.div_ceil(4)
}

const _: () = {
    assert!(size_of::<Bucket>() == 64, "a bucket is one cache line");
    assert!(MAX_SLOTS < 1 << SLOT_BITS, "slot numbers fit an entry");
    assert!(
        ADDRESS_BITS - 3 + SLOT_BITS <= 64,
        "an address and a slot fit an entry"
    );
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn table(slots: usize) -> Live {
        // An arena that is not released stays mapped.
        let arena = Arena::reserve(Live::bytes(slots) + 4096).expect("memory");
        Live::new(&arena, slots).expect("fits")
    }

    fn block(size: u64) -> Block {
        Block {
            size,
            interval: 1,
            born: size * 3,
            site: size as u32,
            shape: Shape::Offset,
        }
    }

    proptest! {
        /// Any sequence of inserts and removals on a small, crowded table
        /// agrees with a map of std.
        #[test]
        fn agrees_with_a_map(operations in prop::collection::vec((0u8..3, 0usize..64), 1..400)) {
            let live = table(40);
            let mut model = HashMap::new();
            for (operation, key) in operations {
                let address = 0x7f00_0000_0008 + key * 16;
                match (operation, model.contains_key(&address)) {
                    (0 | 1, false) => {
                        let held = live.reserve();
                        prop_assert_eq!(held.is_some(), model.len() < 40);
                        if let Some(held) = held {
                            live.enter(held, address, &block(key as u64));
                            model.insert(address, block(key as u64));
                        }
                    }
                    (0, true) => {
                        let (held, mut block) = live.detach(address).expect("in the model");
                        block.born += 1;
                        model.insert(address, block);
                        live.enter(held, address, &block);
                    }
                    _ => {
                        let detached = live.detach(address);
                        prop_assert_eq!(detached.as_ref().map(|d| d.1), model.remove(&address));
                        if let Some((held, _)) = detached { live.release(held); }
                    }
                }
                prop_assert_eq!(live.len(), model.len() as u64);
            }
            let mut seen = Vec::new();
            live.for_each(|block| seen.push(block.size));
            let mut expected: Vec<u64> = model.values().map(|block| block.size).collect();
            seen.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(seen, expected);
            for address in model.into_keys() {
                let (held, _) = live.detach(address).expect("in the model");
                live.release(held);
            }
            prop_assert!(live.buckets.iter().all(|b| b.passed.load(Ordering::Relaxed) == 0));
        }
    }

    #[test]
    fn addresses_that_do_not_fit_are_refused() {
        let live = table(4);
        for address in [1 << 48, usize::MAX - 7, 0x1004] {
            assert!(!fits(address));
            assert!(live.detach(address).is_none());
        }
        assert!(fits((1 << 48) - 8));
    }

    #[test]
    fn threads_share_a_small_table() {
        let live: &'static Live = Box::leak(Box::new(table(64)));
        let stop: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let workers: Vec<_> = (0..4usize)
            .map(|worker| {
                std::thread::spawn(move || {
                    for round in 0..20_000usize {
                        let address = 0x5500_0000_0000 + ((round % 20) * 4 + worker) * 16;
                        let size = (worker * 1000 + round % 20) as u64;
                        let held = live.reserve().expect("64 slots for four threads");
                        live.enter(held, address, &block(size));
                        let (held, seen) = live.detach(address).expect("own address");
                        assert_eq!(seen, block(size));
                        live.release(held);
                    }
                    stop.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        while stop.load(Ordering::Relaxed) < 4 {
            live.for_each(|seen| assert_eq!(seen.born, seen.size * 3, "a torn slot"));
        }
        for worker in workers {
            worker.join().expect("no panic");
        }
        assert_eq!(live.len(), 0);
    }
}
