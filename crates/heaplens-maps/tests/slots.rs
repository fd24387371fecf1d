//! The slots and their free list under loom, which runs every interleaving that
//! the memory model allows, up to a number of preemptions.

/// In place of the crate's own: loom's atomics, and a slab of four slots.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

    pub(crate) const CHUNK: usize = 4;
    pub(crate) const CHUNKS: usize = 1;
    pub(crate) const BATCH: u32 = 2;
    pub(crate) const ATTEMPTS: usize = 1;

    macro_rules! constant {
        ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
            $(#[$attribute])* $visibility fn $($rest)*
        };
    }
    pub(crate) use constant;
}

#[allow(dead_code, unreachable_pub, reason = "the model uses a part of it")]
#[path = "../src/slab.rs"]
mod slab;
#[allow(dead_code, unreachable_pub, reason = "the model uses a part of it")]
#[path = "../src/slot.rs"]
mod slot;

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use slab::Slab;
use slot::{Flow, GroupId, Level, Slot};

const A: GroupId = GroupId(1);
const B: GroupId = GroupId(2);

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// What group A counts has sevens in it, what B counts has elevens: a mixture
/// is seen at once.
fn unit(group: GroupId) -> u64 {
    if group == A { 7 } else { 11 }
}

fn full(group: GroupId) -> Level {
    let unit = unit(group);
    Level {
        entries: unit,
        capacity: unit,
        table_bytes: unit,
        read: 0,
    }
}

fn check(slot: &Slot) {
    let Some(seen) = slot.read() else { return };
    let unit = unit(seen.group);
    // The first map was there before the reader.
    let maps = if seen.group == A { 1..=2 } else { 1..=1 };
    assert!(maps.contains(&(seen.flow.inserts / unit)), "{seen:?}");
    assert_eq!(seen.flow.inserts % unit, 0, "{seen:?}");
    if let Some(level) = seen.level {
        // A map on its way out may be shown in part, but as no other's.
        for value in [level.entries, level.capacity, level.table_bytes] {
            assert!([0, unit].contains(&value), "{seen:?}");
        }
    }
}

/// Runs `change` on a slot that a map of group A uses, beside a reader.
fn beside_a_reader(change: impl Fn(&Slot) + Sync + Send + 'static) {
    model(move || {
        let slot = Arc::new(Slot::new());
        assert_eq!(slot.take(0, A, &full(A)), None);
        let reader = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || check(&slot))
        };
        change(&slot);
        reader.join().unwrap();
        check(&slot);
    });
}

#[test]
fn a_reader_sees_a_map_or_the_next_of_its_group() {
    beside_a_reader(|slot| {
        assert_eq!(slot.leave(), Some(0));
        slot.take(0, A, &full(A));
    });
}

#[test]
fn a_reader_sees_a_map_or_the_next_in_a_shared_slot() {
    beside_a_reader(|slot| {
        slot.leave();
        slot.share();
        assert!(slot.is_idle());
        slot.fill(&full(A));
    });
}

#[test]
fn a_reader_never_mixes_two_groups() {
    beside_a_reader(|slot| {
        slot.leave();
        let seven = Flow {
            inserts: 7,
            resizes: 0,
        };
        assert_eq!(slot.take(0, B, &full(B)), Some((A, seven)));
    });
}

#[test]
fn a_shared_slot_is_left_to_one_of_two() {
    model(|| {
        let slot = Arc::new(Slot::new());
        slot.take(3, A, &full(A));
        slot.leave();
        slot.share();
        slot.fill(&full(A));
        // The map is dropped on another thread.
        let other = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.leave())
        };
        let mine = slot.unshare();
        if mine.is_some() {
            assert_eq!(slot.read().unwrap().level, None, "the map is gone");
        }
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "one owner");
        assert_eq!(mine.or(theirs), Some(3));
    });
}

struct Taken(AtomicBool);

impl Taken {
    fn new() -> Self {
        Taken(AtomicBool::new(false))
    }

    fn enter(&self) {
        assert!(!self.0.swap(true, sync::Ordering::Relaxed), "two owners");
    }

    fn leave(&self) {
        assert!(self.0.swap(false, sync::Ordering::Relaxed));
    }
}

#[test]
fn a_slot_has_one_owner_at_a_time() {
    model(|| {
        let slab = Arc::new(Slab::new());
        let fresh = slab.fresh().unwrap();
        assert_eq!((fresh.first, fresh.count), (0, 2));
        slab.get(0).unwrap().set_next_free(2);
        slab.push(0, 1);
        let taken = Arc::new([Taken::new(), Taken::new()]);
        let take = |slab: &Slab, taken: &[Taken; 2]| {
            let number = slab.pop()?;
            taken[number as usize].enter();
            Some(number)
        };
        let give = |slab: &Slab, taken: &[Taken; 2], number: Option<u32>| {
            if let Some(number) = number {
                taken[number as usize].leave();
                slab.push(number, number);
            }
        };
        let other = {
            let (slab, taken) = (Arc::clone(&slab), Arc::clone(&taken));
            thread::spawn(move || {
                let number = take(&slab, &taken);
                give(&slab, &taken, number);
            })
        };
        // Brings the first back to the head with another behind it.
        let (first, second) = (take(&slab, &taken), take(&slab, &taken));
        give(&slab, &taken, first);
        give(&slab, &taken, second);
        other.join().unwrap();
        let mut left = [slab.pop(), slab.pop()];
        left.sort_unstable();
        assert_eq!(left, [Some(0), Some(1)], "none is lost, none is doubled");
        assert_eq!(slab.pop(), None);
    });
}

#[test]
fn readers_that_share_a_map_agree_on_its_counters() {
    model(|| {
        let slot = Arc::new(Slot::new());
        slot.take(0, A, &Level::default());
        let other = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.heal_entries(7))
        };
        slot.heal_entries(7);
        other.join().unwrap();
        let seen = slot.read().unwrap();
        assert_eq!(seen.flow.inserts, 7);
        assert_eq!(seen.level.map(|level| level.entries), Some(7));
    });
}

#[test]
fn an_insert_is_never_seen_before_its_entry() {
    model(|| {
        let slot = Arc::new(Slot::new());
        slot.take(0, A, &Level::default());
        let reader = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                let seen = slot.read().unwrap();
                let entries = seen.level.map_or(0, |level| level.entries);
                assert!(entries >= seen.flow.inserts, "{seen:?}");
            })
        };
        slot.set_entries(1);
        slot.set_entries(2);
        reader.join().unwrap();
    });
}

#[test]
fn one_of_two_readers_answers() {
    model(|| {
        let slot = Arc::new(Slot::new());
        slot.take(0, A, &full(A));
        slot.ask();
        let other = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.take_ask())
        };
        let mine = slot.take_ask();
        assert!(mine != other.join().unwrap(), "one of them");
        assert!(!slot.is_asked());
    });
}
