//! Cumulative totals per site: a stack, a size class and a set of labels.
//!
//! In-use figures are not kept here: they are summed from the live blocks when
//! a snapshot is taken, and are therefore exactly zero once all is freed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::ages::{AGE_CLASSES, Ages, Room};
use crate::arena::Arena;
use crate::label_sets::LabelSet;
use crate::live::Block;
use crate::sampler::Weight;
use crate::stacks::StackId;
use crate::sums::Sums;
use crate::tally::Tally;

/// Names a site: its place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SiteId(pub(crate) u32);

/// What tells a site from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) stack: StackId,
    pub(crate) size_class: u64,
    pub(crate) labels: LabelSet,
}

#[repr(C, align(8))]
struct Row {
    /// The next row of the chain, 0 at its end.
    next: AtomicU32,
    stack: AtomicU32,
    size_class: AtomicU64,
    labels: AtomicU32,
    /// How long what was freed had lived.
    freed: Ages,
    allocated: Sums,
}

/// Sums by age that there is room for, by the number of chains. With one chain for
/// each 4 KiB of the budget they take an eighth of it at the most.
const AGES_A_HEAD: usize = 8;

pub(crate) struct Sites {
    heads: &'static [AtomicU32],
    count: AtomicU32,
    samples: AtomicU64,
    intervals: AtomicU64,
    /// Left for lifetimes.
    ages: Room,
    /// Takes the samples of all sites that did not fit.
    overflow: SiteId,
}

impl Sites {
    /// Makes a table with `heads` chains; sites that do not fit go to a row of
    /// the stack `overflow`.
    pub(crate) fn new(arena: &Arena, heads: usize, overflow: StackId) -> Option<Self> {
        // SAFETY: atomics, for which zero is a value.
        let heads = unsafe { arena.zeroed_slice(heads)? };
        let sites = Sites {
            heads,
            count: AtomicU32::new(0),
            samples: AtomicU64::new(0),
            intervals: AtomicU64::new(0),
            ages: Room::new(AGES_A_HEAD * heads.len()),
            overflow: SiteId(0),
        };
        let overflow = Key {
            stack: overflow,
            size_class: 0,
            labels: LabelSet::NONE,
        };
        let overflow = sites.intern(arena, overflow)?;
        Some(Sites { overflow, ..sites })
    }

    /// The row that takes the samples of all sites that did not fit.
    pub(crate) fn overflow(&self) -> SiteId {
        self.overflow
    }

    /// Distinct sites recorded, the overflow row aside.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.count.load(Ordering::Relaxed).saturating_sub(1))
    }

    /// Samples recorded since the start.
    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Sum of the intervals that they were drawn at.
    pub(crate) fn intervals(&self) -> u64 {
        self.intervals.load(Ordering::Relaxed)
    }

    /// The name of a site; `None` if it is new and does not fit.
    pub(crate) fn intern(&self, arena: &Arena, key: Key) -> Option<SiteId> {
        let hash = key.hash();
        let head = self
            .heads
            .get((hash >> 32) as usize % self.heads.len().max(1))?;
        let mut first = head.load(Ordering::Acquire);
        if let Some(known) = find(arena, first, 0, key) {
            return Some(known);
        }
        // SAFETY: a row consists of atomics, for which zero is a value.
        let row: &'static Row = unsafe { arena.zeroed()? };
        row.stack.store(key.stack.0, Ordering::Relaxed);
        row.size_class.store(key.size_class, Ordering::Relaxed);
        row.labels.store(key.labels.number(), Ordering::Relaxed);
        let id = arena.index_of(row);
        loop {
            row.next.store(first, Ordering::Relaxed);
            match head.compare_exchange(first, id, Ordering::Release, Ordering::Acquire) {
                Ok(_) => {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Some(SiteId(id));
                }
                Err(now) => {
                    if let Some(known) = find(arena, now, first, key) {
                        return Some(known);
                    }
                    first = now;
                }
            }
        }
    }

    /// Counts a sample of this weight, whose site is of this table.
    pub(crate) fn record(&self, arena: &Arena, sample: &Block, weight: Weight) {
        // SAFETY: ids come from this table alone.
        let row = unsafe { arena.at::<Row>(sample.site) };
        row.allocated.record(sample.size, weight);
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.intervals.fetch_add(sample.interval, Ordering::Relaxed);
    }

    /// Counts it as freed, at an age of this class. `false` if there is no room for that.
    pub(crate) fn record_freed(
        &self,
        arena: &Arena,
        sample: &Block,
        weight: Weight,
        class: usize,
    ) -> bool {
        // SAFETY: ids come from this table alone.
        let row = unsafe { arena.at::<Row>(sample.site) };
        row.freed
            .record(arena, &self.ages, class, sample.size, weight)
    }

    /// What was freed of a site, by class of age.
    pub(crate) fn freed(arena: &Arena, id: SiteId) -> [Tally; AGE_CLASSES] {
        // SAFETY: ids come from this table alone.
        let row = unsafe { arena.at::<Row>(id.0) };
        row.freed.tallies(arena)
    }

    /// Calls `visit` with name, key and totals of each site.
    pub(crate) fn for_each(&self, arena: &Arena, mut visit: impl FnMut(SiteId, Key, Tally)) {
        for head in self.heads {
            let mut id = head.load(Ordering::Acquire);
            while id != 0 {
                // SAFETY: chains hold ids of rows only.
                let row = unsafe { arena.at::<Row>(id) };
                visit(SiteId(id), row.key(), row.allocated.tally());
                id = row.next.load(Ordering::Acquire);
            }
        }
    }
}

impl Key {
    fn hash(self) -> u64 {
        let bits = u64::from(self.stack.0) << 32 ^ self.size_class;
        let labels = u64::from(self.labels.number()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        crate::sampler::Random(bits).next() ^ labels
    }
}

impl Row {
    fn key(&self) -> Key {
        Key {
            stack: StackId(self.stack.load(Ordering::Relaxed)),
            size_class: self.size_class.load(Ordering::Relaxed),
            labels: LabelSet::from_number(self.labels.load(Ordering::Relaxed)),
        }
    }
}

fn find(arena: &Arena, mut id: u32, end: u32, key: Key) -> Option<SiteId> {
    while id != end && id != 0 {
        // SAFETY: chains hold ids of rows only.
        let row = unsafe { arena.at::<Row>(id) };
        if row.key() == key {
            return Some(SiteId(id));
        }
        id = row.next.load(Ordering::Acquire);
    }
    None
}

/// Upper bound of the size class of a request: 8, then 16 apart up to 128,
/// then four classes a doubling, as jemalloc spaces its own.
pub(crate) fn size_class(size: u64) -> u64 {
    match size {
        0..=8 => 8,
        9..=128 => size.next_multiple_of(16),
        _ => {
            // Between 2^k and 2^(k+1) the classes lie 2^(k−2) apart.
            let doubling = (size - 1).ilog2();
            let step = 1u64 << (doubling - 2);
            size.checked_next_multiple_of(step).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;
    use crate::tag::Shape;
    use crate::watches::Tag;

    #[test]
    fn classes_are_jemallocs() {
        for (size, class) in [
            (1, 8),
            (8, 8),
            (9, 16),
            (17, 32),
            (72, 80),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (4096, 4096),
            (4097, 5120),
            (524_289, 655_360),
        ] {
            assert_eq!(size_class(size), class, "{size}");
        }
        assert!(size_class(u64::MAX) >= i64::MAX as u64);
    }

    #[test]
    fn totals_are_sums() {
        let arena = Arena::reserve(1 << 16).expect("memory");
        let sites = Sites::new(&arena, 8, StackId(1)).expect("fits");
        let key = Key {
            stack: StackId(5),
            size_class: 64,
            labels: LabelSet::from_number(9),
        };
        let site = sites.intern(&arena, key).expect("fits");
        assert_eq!(sites.intern(&arena, key), Some(site));
        for other in [
            Key {
                size_class: 80,
                ..key
            },
            Key {
                labels: LabelSet::NONE,
                ..key
            },
        ] {
            assert_ne!(sites.intern(&arena, other), Some(site));
        }
        for size in [60, 64] {
            let sample = Block {
                size,
                interval: 1000,
                born: 0,
                site: site.0,
                shape: Shape::Plain,
                mark: Mark::NONE,
                tag: Tag::NONE,
            };
            sites.record(&arena, &sample, sample.weight());
        }
        let mut expected = Tally::default();
        expected.record(60, 1000);
        expected.record(64, 1000);
        let mut found = None;
        sites.for_each(&arena, |id, key, tally| {
            if id == site {
                found = Some((key, tally));
            }
        });
        assert_eq!(found, Some((key, expected)));
        assert_eq!((sites.len(), sites.samples()), (3, 2));
    }
}
