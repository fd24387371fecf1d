//! How long the blocks of a site lived: sums by decade of age, in memory that is
//! taken from the arena as ages come up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::arena::Arena;
use crate::sampler::Weight;
use crate::sums::Sums;
use crate::tally::Tally;

/// The ages that tell the classes apart: a class ends below its bound, and the last
/// one has none. Decades from 1 ms to 10,000 s, and a day.
pub const AGE_BOUNDS: [Duration; AGE_CLASSES - 1] = [
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(100),
    Duration::from_secs(1_000),
    Duration::from_secs(10_000),
    Duration::from_secs(86_400),
];

/// Classes of age.
pub const AGE_CLASSES: usize = 10;

/// The class of this age, from 0 to [`AGE_CLASSES`] − 1. A bound belongs to the
/// class above it.
///
/// ```
/// use std::time::Duration;
/// use heaplens_alloc::age_class;
///
/// assert_eq!(age_class(Duration::from_micros(999)), 0);
/// assert_eq!(age_class(Duration::from_millis(1)), 1);
/// assert_eq!(age_class(Duration::from_secs(86_400)), 9);
/// ```
pub fn age_class(age: Duration) -> usize {
    AGE_BOUNDS.iter().take_while(|bound| age >= **bound).count()
}

/// How a class of age is written; empty for a number that is none.
pub fn age_class_name(class: usize) -> &'static str {
    const NAMES: [&str; AGE_CLASSES] = [
        "< 1 ms",
        "< 10 ms",
        "< 100 ms",
        "< 1 s",
        "< 10 s",
        "< 100 s",
        "< 1000 s",
        "< 10000 s",
        "< 1 day",
        ">= 1 day",
    ];
    NAMES.get(class).copied().unwrap_or_default()
}

/// What lived for an age of one class.
#[repr(C, align(8))]
struct Node {
    /// The next node of the chain, 0 at its end.
    next: AtomicU32,
    class: AtomicU32,
    sums: Sums,
}

/// A chain of at most [`AGE_CLASSES`] nodes. All bytes zero are an empty one.
#[repr(transparent)]
pub(crate) struct Ages(AtomicU32);

/// How many nodes there may be in all, so that ages leave room for sites and stacks.
pub(crate) struct Room {
    taken: AtomicU32,
    most: u32,
}

impl Room {
    pub(crate) fn new(most: usize) -> Self {
        Room {
            taken: AtomicU32::new(0),
            most: u32::try_from(most).unwrap_or(u32::MAX),
        }
    }

    fn take(&self) -> bool {
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < self.most).then_some(taken + 1)
            })
            .is_ok()
    }
}

impl Ages {
    /// Adds a sample of `size` bytes, and this weight, that lived for an age of this class.
    /// `false` if there is no room for it.
    pub(crate) fn record(
        &self,
        arena: &Arena,
        room: &Room,
        class: usize,
        size: u64,
        weight: Weight,
    ) -> bool {
        let node = self.node(arena, room, class as u32);
        if let Some(node) = node {
            node.sums.record(size, weight);
        }
        node.is_some()
    }

    /// What was recorded, by class.
    pub(crate) fn tallies(&self, arena: &Arena) -> [Tally; AGE_CLASSES] {
        let mut tallies = [Tally::default(); AGE_CLASSES];
        let mut id = self.0.load(Ordering::Acquire);
        while id != 0 {
            // SAFETY: chains hold ids of nodes only.
            let node = unsafe { arena.at::<Node>(id) };
            let class = node.class.load(Ordering::Relaxed) as usize;
            if let Some(tally) = tallies.get_mut(class) {
                tally.add(&node.sums.tally());
            }
            id = node.next.load(Ordering::Acquire);
        }
        tallies
    }

    fn node(&self, arena: &Arena, room: &Room, class: u32) -> Option<&'static Node> {
        let mut first = self.0.load(Ordering::Acquire);
        if let Some(known) = find(arena, first, 0, class) {
            return Some(known);
        }
        if !room.take() {
            return None;
        }
        // SAFETY: a node consists of atomics, for which zero is a value.
        let node: &'static Node = unsafe { arena.zeroed()? };
        node.class.store(class, Ordering::Relaxed);
        loop {
            node.next.store(first, Ordering::Relaxed);
            match self.0.compare_exchange(
                first,
                arena.index_of(node),
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(node),
                Err(now) => {
                    // Only what came in since can be the same; then the node just
                    // made is left unused.
                    if let Some(known) = find(arena, now, first, class) {
                        return Some(known);
                    }
                    first = now;
                }
            }
        }
    }
}

fn find(arena: &Arena, mut id: u32, end: u32, class: u32) -> Option<&'static Node> {
    while id != end && id != 0 {
        // SAFETY: chains hold ids of nodes only.
        let node: &'static Node = unsafe { arena.at(id) };
        if node.class.load(Ordering::Relaxed) == class {
            return Some(node);
        }
        id = node.next.load(Ordering::Acquire);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_decades_and_a_day() {
        assert_eq!(age_class(Duration::ZERO), 0);
        for (class, bound) in AGE_BOUNDS.into_iter().enumerate() {
            let below = bound.saturating_sub(Duration::from_nanos(1));
            assert_eq!(age_class(below), class, "below {bound:?}");
            assert_eq!(age_class(bound), class + 1, "at {bound:?}");
        }
        assert_eq!(age_class(Duration::MAX), AGE_CLASSES - 1);
        let nanos = [1_000_000u64, 86_400_000_000_000];
        assert_eq!(nanos.map(|of| age_class(Duration::from_nanos(of))), [1, 9]);
        assert_eq!(
            (age_class_name(0), age_class_name(9)),
            ("< 1 ms", ">= 1 day")
        );
        assert_eq!(age_class_name(10), "");
    }

    #[test]
    fn classes_are_told_apart_until_there_is_no_room() {
        let arena = Arena::reserve(1 << 16).expect("memory");
        // Index 0 means none: something else lies there.
        // SAFETY: zero is a value of it.
        unsafe { arena.zeroed::<u64>() }.expect("fits");
        let (ages, room) = (Ages(AtomicU32::new(0)), Room::new(3));
        let mut expected = [Tally::default(); AGE_CLASSES];
        let record = |class, size| ages.record(&arena, &room, class, size, Weight::new(size, 1000));
        for (class, size) in [(0, 8), (3, 100), (0, 16), (9, 64), (3, 7)] {
            assert!(record(class, size));
            expected[class].record(size, 1000);
        }
        assert!(!record(4, 8), "three classes fit");
        assert!(record(9, 8));
        expected[9].record(8, 1000);
        assert_eq!(ages.tallies(&arena), expected);
    }

    #[test]
    fn threads_share_the_classes() {
        let arena: &'static Arena = Box::leak(Box::new(Arena::reserve(1 << 16).expect("memory")));
        // SAFETY: zero is a value of it.
        unsafe { arena.zeroed::<u64>() }.expect("fits");
        let (ages, room) = (Ages(AtomicU32::new(0)), Room::new(1000));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (ages, room) = (&ages, &room);
                scope.spawn(move || {
                    let weight = Weight::new(8, 1);
                    for class in (thread..).take(1000).map(|step| step % AGE_CLASSES) {
                        assert!(ages.record(arena, room, class, 8, weight));
                    }
                });
            }
        });
        let seen = ages.tallies(arena).map(|of| (of.samples, of.sampled_bytes));
        assert_eq!(seen, [(400, 3200); AGE_CLASSES]);
    }
}
