//! The index of live samples: finds the slot of an address.
//!
//! Addresses hash to buckets of one cache line. A bucket that was full when an
//! address hashed to it counts the addresses that went past it; a search goes on
//! to the next bucket only while that count is not zero. So there are no
//! tombstones, and a miss costs one line.
//!
//! The first bucket of every address is one of a few: while some thousand
//! blocks are sampled, which is what a heap of a gigabyte has, no more than these
//! become resident.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::Arena;

/// An entry is the address without its three low zero bits, above the slot
/// number plus one; 0 is an empty entry.
const SLOT_BITS: u32 = 19;
const ADDRESS_BITS: u32 = 48;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Buckets that come first: 32 KiB; few in tests, which crowd them.
const NEAR: usize = if cfg!(test) { 2 } else { 512 };

/// Slot numbers must be below this.
pub(crate) const MAX_SLOTS: usize = (1 << SLOT_BITS) - 1;

const ENTRIES: usize = 7;

#[repr(C, align(64))]
struct Bucket {
    entries: [AtomicU64; ENTRIES],
    /// How many addresses went past this bucket because it was full.
    passed: AtomicU64,
}

impl Bucket {
    /// The entry of an address, and its value.
    #[inline]
    fn entry_of(&self, address: u64) -> Option<(&AtomicU64, u64)> {
        self.entries.iter().find_map(|place| {
            let value = place.load(Ordering::Acquire);
            (value >> SLOT_BITS == address >> 3 && value != 0).then_some((place, value))
        })
    }
}

/// Whether the index can hold this address: at most 48 bits, a multiple of eight.
pub(crate) fn fits(address: usize) -> bool {
    address as u64 >> ADDRESS_BITS == 0 && address.is_multiple_of(8)
}

/// The index. Its size is fixed when it is made.
pub(crate) struct Index {
    near: &'static [Bucket],
    far: &'static [Bucket],
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
        (NEAR + far_for(slots)) * size_of::<Bucket>()
    }

    /// Makes an index for slots below `slots`, at most [`MAX_SLOTS`].
    pub(crate) fn new(arena: &Arena, slots: usize) -> Option<Self> {
        // SAFETY: a bucket consists of atomics, for which zero is a value.
        let all: &'static [Bucket] = unsafe { arena.zeroed_slice(NEAR + far_for(slots))? };
        let (near, far) = all.split_at_checked(NEAR)?;
        Some(Index { near, far })
    }

    /// Puts an address that [`fits`] in. There is always room: seven entries for
    /// every four slots.
    pub(crate) fn insert(&self, address: usize, slot: u32) {
        let address = address as u64;
        let entry = (address >> 3) << SLOT_BITS | u64::from(slot + 1);
        for bucket in self.probe(address) {
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
        }
    }

    /// Takes an address out and returns its slot.
    #[inline]
    pub(crate) fn remove(&self, address: usize) -> Option<u32> {
        let address = address as u64;
        for (passed, bucket) in self.probe(address).enumerate() {
            if let Some((place, entry)) = bucket.entry_of(address) {
                place.store(0, Ordering::Release);
                for bucket in self.probe(address).take(passed) {
                    bucket.passed.fetch_sub(1, Ordering::Relaxed);
                }
                return Some(slot_of(entry));
            }
            if bucket.passed.load(Ordering::Relaxed) == 0 {
                return None;
            }
        }
        None
    }

    /// The entry of an address. Any thread may look.
    pub(crate) fn find(&self, address: usize) -> Option<Entry<'_>> {
        let address = address as u64;
        for bucket in self.probe(address) {
            if let Some((place, value)) = bucket.entry_of(address) {
                return Some(Entry { place, value });
            }
            if bucket.passed.load(Ordering::Relaxed) == 0 {
                return None;
            }
        }
        None
    }

    /// The buckets where an address may be, in the order in which it is looked
    /// for there. Each far one comes once, so that every search ends.
    #[inline]
    fn probe(&self, address: u64) -> impl Iterator<Item = &'static Bucket> + use<> {
        // Fibonacci hashing: the high bits of the product depend on all bits.
        let hash = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let home = |buckets: &[Bucket]| ((hash * buckets.len() as u64) >> 32) as usize;
        let halves = self.far.split_at_checked(home(self.far));
        let (before, after) = halves.unwrap_or((&[], self.far));
        let near = self.near.get(home(self.near));
        near.into_iter().chain(after).chain(before)
    }

    /// Whether no bucket counts addresses that went past it.
    #[cfg(test)]
    pub(crate) fn has_no_passers(&self) -> bool {
        let passed = |bucket: &Bucket| bucket.passed.load(Ordering::Relaxed);
        let mut all = self.near.iter().chain(self.far);
        all.all(|bucket| passed(bucket) == 0)
    }
}

/// A quarter as many buckets as slots: seven entries for every four slots.
const fn far_for(slots: usize) -> usize {
    slots.div_ceil(4)
}

const _: () = {
    assert!(size_of::<Bucket>() == 64, "a bucket is one cache line");
    assert!(
        ADDRESS_BITS - 3 + SLOT_BITS <= 64,
        "an address and a slot fit an entry"
    );
};
