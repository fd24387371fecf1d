//! The index of live samples: finds the slot of an address.
//!
//! Addresses hash to buckets of one cache line. A bucket that was full when an
//! address hashed to it counts the addresses that went past it; a search goes on
//! to the next bucket only while that count is not zero. So there are no
//! tombstones, and a miss costs one line.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::Arena;

/// An entry is the address without its three low zero bits, above the slot
/// number plus one; 0 is an empty entry.
const SLOT_BITS: u32 = 19;
const ADDRESS_BITS: u32 = 48;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Slot numbers must be below this.
pub(crate) const MAX_SLOTS: usize = (1 << SLOT_BITS) - 1;

const ENTRIES: usize = 7;

#[repr(C, align(64))]
struct Bucket {
    entries: [AtomicU64; ENTRIES],
    /// How many addresses went past this bucket because it was full.
    passed: AtomicU64,
}

/// Whether the index can hold this address: at most 48 bits, a multiple of eight.
pub(crate) fn fits(address: usize) -> bool {
    address as u64 >> ADDRESS_BITS == 0 && address.is_multiple_of(8)
}

/// The index. Its size is fixed when it is made.
pub(crate) struct Index {
    buckets: &'static [Bucket],
}

/// An entry as it was found.
pub(crate) struct Entry<'a> {
    place: &'a AtomicU64,
    value: u64,
}

impl Entry<'_> {
    pub(crate) fn slot(&self) -> u32 {
        slot_of(self.value)
    }

    /// Whether it is there now; not whether it was all the time.
    pub(crate) fn stands(&self) -> bool {
        self.place.load(Ordering::Acquire) == self.value
    }
}

/// The slot of an entry that is not empty.
fn slot_of(value: u64) -> u32 {
    ((value & SLOT_MASK) as u32).wrapping_sub(1)
}

impl Index {
    /// Bytes that an index for `slots` slots takes in an arena.
    pub(crate) const fn bytes(slots: usize) -> usize {
        buckets_for(slots) * size_of::<Bucket>()
    }

    /// Makes an index for slots below `slots`, at most [`MAX_SLOTS`].
    pub(crate) fn new(arena: &Arena, slots: usize) -> Option<Self> {
        // SAFETY: a bucket consists of atomics, for which zero is a value.
        let buckets = unsafe { arena.zeroed_slice(buckets_for(slots))? };
        Some(Index { buckets })
    }

    /// Puts an address that [`fits`] in. There is always room: seven entries for
    /// every four slots.
    pub(crate) fn insert(&self, address: usize, slot: u32) {
        let address = address as u64;
        let entry = (address >> 3) << SLOT_BITS | u64::from(slot + 1);
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

    /// Takes an address out and returns its slot.
    #[inline]
    pub(crate) fn remove(&self, address: usize) -> Option<u32> {
        let address = address as u64;
        let home = self.probe(address);
        let mut probe = home;
        for _ in 0..2 * self.buckets.len() {
            let bucket = self.buckets.get(probe)?;
            for place in &bucket.entries {
                let entry = place.load(Ordering::Relaxed);
                if entry >> SLOT_BITS == address >> 3 && entry != 0 {
                    place.store(0, Ordering::Release);
                    self.unpass(home, probe);
                    return Some(slot_of(entry));
                }
            }
            if bucket.passed.load(Ordering::Relaxed) == 0 {
                return None;
            }
            probe = self.next(probe);
        }
        None
    }

    /// The entry of an address. Any thread may look.
    pub(crate) fn find(&self, address: usize) -> Option<Entry<'_>> {
        let address = address as u64;
        let mut probe = self.probe(address);
        for _ in 0..2 * self.buckets.len() {
            let bucket = self.buckets.get(probe)?;
            for place in &bucket.entries {
                let value = place.load(Ordering::Acquire);
                if value >> SLOT_BITS == address >> 3 && value != 0 {
                    return Some(Entry { place, value });
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

    /// Whether no bucket counts addresses that went past it.
    #[cfg(test)]
    pub(crate) fn has_no_passers(&self) -> bool {
        let passed = |bucket: &Bucket| bucket.passed.load(Ordering::Relaxed);
        self.buckets.iter().all(|bucket| passed(bucket) == 0)
    }
}

/// A quarter as many buckets as slots: seven entries for every four slots.
const fn buckets_for(slots: usize) -> usize {
    slots.div_ceil(4)
}

const _: () = {
    assert!(size_of::<Bucket>() == 64, "a bucket is one cache line");
    assert!(
        ADDRESS_BITS - 3 + SLOT_BITS <= 64,
        "an address and a slot fit an entry"
    );
};
