//! Each thread's own few free slots, in front of the slab that all share.
//!
//! Without it every short-lived map would cost two contended exchanges.

use std::cell::Cell;

use crate::group;
use crate::origin::Origin;
use crate::slab::{Fresh, Slab};
use crate::slot::{GroupId, Level, Slot};

pub(crate) static SLAB: Slab = Slab::new();

/// A thread that has this many free slots gives them to the others.
const KEEP: u32 = 128;

/// Not in use yet on this thread.
const NEW: u32 = u32::MAX;
/// The thread is ending.
const CLOSED: u32 = u32::MAX - 1;

#[derive(Clone, Copy)]
struct Chain {
    /// Number plus one of the first; 0 is none.
    head: u32,
    /// How many, or [`NEW`] or [`CLOSED`].
    count: u32,
}

/// Gives the thread's slots back when it ends.
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let chain = FREE.replace(Chain {
            head: 0,
            count: CLOSED,
        });
        give_back(chain.head);
        if let Some(slot) = WARM.with(|warm| warm.slot.take()) {
            unshare(slot);
        }
    }
}

thread_local! {
    // Without a destructor, so that it can be used by maps that are dropped
    // while the thread's other locals are.
    static FREE: Cell<Chain> = const { Cell::new(Chain { head: 0, count: NEW }) };
    static WARM: Warm = const {
        Warm {
            slot: Cell::new(None),
            address: Cell::new(0),
            length: Cell::new(0),
        }
    };
    static AT_EXIT: AtExit = const { AtExit };
}

/// The slot that this thread shares with the maps of one origin, one at a time:
/// a loop that makes and drops one map at a time writes to the slot and to
/// nothing else.
///
/// Each part is a cell of its own: a load that is wider than the store before
/// it has to wait for that store to reach the cache.
struct Warm {
    slot: Cell<Option<&'static Slot>>,
    address: Cell<usize>,
    length: Cell<usize>,
}

impl Warm {
    #[inline]
    fn is_for(&self, origin: Origin) -> bool {
        let (address, length) = origin.spot();
        self.address.get() == address && self.length.get() == length
    }

    #[inline]
    fn is(&self, slot: &Slot) -> bool {
        self.slot.get().is_some_and(|warm| std::ptr::eq(warm, slot))
    }

    /// The slot if it is for maps of this origin, and no map is there.
    #[inline]
    fn idle(&self, origin: Origin) -> Option<&'static Slot> {
        let slot = self.slot.get().filter(|_| self.is_for(origin))?;
        slot.is_idle().then_some(slot)
    }

    /// Shares another slot from here on. Returns the former one.
    fn replace(&self, slot: &'static Slot, origin: Origin) -> Option<&'static Slot> {
        let (address, length) = origin.spot();
        self.address.set(address);
        self.length.set(length);
        slot.share();
        self.slot.replace(Some(slot))
    }
}

/// The slot that waits on this thread for a map of `origin`, if there is one:
/// to be [filled](Slot::fill).
#[inline]
pub(crate) fn warm(origin: Origin) -> Option<&'static Slot> {
    WARM.with(|warm| warm.idle(origin))
}

/// A slot for a map of `origin` that holds `level`; `None` if there are no more.
pub(crate) fn acquire(origin: Origin, level: &Level) -> Option<&'static Slot> {
    if let Some(slot) = warm(origin) {
        slot.fill(level);
        return Some(slot);
    }
    take(group::of(origin).id, level)
}

fn take(group: GroupId, level: &Level) -> Option<&'static Slot> {
    let free = FREE.get();
    let (number, slot) = match free.head.checked_sub(1) {
        Some(number) => {
            let slot = SLAB.get(number)?;
            FREE.set(Chain {
                head: slot.next_free(),
                count: free.count - 1,
            });
            (number, slot)
        }
        None => refill()?,
    };
    if let Some((former, flow)) = slot.take(number, group, level) {
        group::retire(former, &flow);
    }
    Some(slot)
}

/// Gives back the slot of a map that is gone.
#[inline]
pub(crate) fn release(slot: &'static Slot, origin: &Origin) {
    if WARM.with(|warm| warm.is(slot)) {
        slot.rest();
    } else {
        leave(slot, origin);
    }
}

/// As [`release`], of a slot that this thread does not share: unless another
/// does, it is kept for the next map of this origin.
#[cold]
fn leave(slot: &'static Slot, &origin: &Origin) {
    let Some(number) = slot.leave() else { return };
    open();
    WARM.with(|warm| {
        if FREE.get().count == CLOSED || warm.idle(origin).is_some() {
            free(slot, number);
        } else if let Some(former) = warm.replace(slot, origin) {
            unshare(former);
        }
    });
}

/// Frees a slot that this thread shared, unless a map goes on with it.
fn unshare(slot: &'static Slot) {
    if let Some(number) = slot.unshare() {
        free(slot, number);
    }
}

fn free(slot: &'static Slot, number: u32) {
    let free = FREE.get();
    if free.count >= KEEP {
        return free_slowly(slot, number);
    }
    slot.set_next_free(free.head);
    FREE.set(Chain {
        head: number + 1,
        count: free.count + 1,
    });
}

/// Gets slots when the thread has none: the shared free ones first.
#[cold]
fn refill() -> Option<(u32, &'static Slot)> {
    open();
    if let Some(number) = SLAB.pop() {
        return Some((number, SLAB.get(number)?));
    }
    let Fresh { first, count } = SLAB.fresh()?;
    let rest = link(first + 1, count - 1);
    let free = FREE.get();
    if free.count == CLOSED {
        give_back(rest);
    } else {
        FREE.set(Chain {
            head: rest,
            count: count - 1,
        });
    }
    Some((first, SLAB.get(first)?))
}

/// Chains `count` slots from `first` on. Returns the head of the chain.
fn link(first: u32, count: u32) -> u32 {
    for number in first..first + count {
        if let Some(slot) = SLAB.get(number) {
            let is_last = number + 1 == first + count;
            slot.set_next_free(if is_last { 0 } else { number + 2 });
        }
    }
    if count == 0 { 0 } else { first + 1 }
}

/// Makes sure that the slots of this thread are given back when it ends.
fn open() {
    if FREE.get().count == NEW {
        let count = AT_EXIT.try_with(|_| 0).unwrap_or(CLOSED);
        FREE.set(Chain { head: 0, count });
    }
}

#[cold]
fn free_slowly(slot: &'static Slot, number: u32) {
    let free = FREE.get();
    if free.count == CLOSED {
        SLAB.push(number, number);
        return;
    }
    if free.count >= KEEP {
        give_back(free.head);
        FREE.set(Chain { head: 0, count: 0 });
    }
    let free = FREE.get();
    slot.set_next_free(free.head);
    FREE.set(Chain {
        head: number + 1,
        count: free.count + 1,
    });
}

/// Gives a whole chain to the slab.
fn give_back(head: u32) {
    let Some(first) = head.checked_sub(1) else {
        return;
    };
    let mut last = first;
    // A chain holds no more than a thread keeps.
    for _ in 0..=KEEP {
        match SLAB.get(last).map(Slot::next_free) {
            Some(0) | None => break,
            Some(next) => last = next - 1,
        }
    }
    SLAB.push(first, last);
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GroupId = GroupId(1);
    const B: GroupId = GroupId(2);

    fn level(entries: u64) -> Level {
        Level {
            entries,
            ..Level::default()
        }
    }

    #[test]
    fn a_slot_fills_one_cache_line() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (64, 64));
    }

    #[test]
    fn counters_survive_the_map_and_stay_with_its_group() {
        let slot = Slot::new();
        assert_eq!(slot.read(), None);
        assert_eq!(slot.take(7, A, &level(2)), None);
        slot.set_entries(5);
        slot.lower_entries(2);
        slot.set_entries(3);
        slot.set_table(3, 64);
        let reading = slot.read().unwrap();
        assert_eq!((reading.group, reading.flow.inserts), (A, 6));
        assert_eq!(reading.level.map(|level| level.entries), Some(3));
        assert_eq!(slot.operations(), 6 + 3);
        assert_eq!(slot.leave(), Some(7));
        let gone = slot.read().unwrap();
        assert_eq!((gone.level, gone.flow.inserts), (None, 6));

        assert_eq!(slot.take(7, A, &level(1)), None, "the same group goes on");
        assert_eq!(slot.read().unwrap().flow.inserts, 7);
        assert_eq!(slot.leave(), Some(7));
        let left = slot.take(7, B, &level(4));
        assert_eq!(
            left.map(|(group, flow)| (group, flow.inserts)),
            Some((A, 7))
        );
        let fresh = slot.read().unwrap();
        assert_eq!((fresh.group, fresh.flow.inserts), (B, 4));
        assert_eq!(fresh.level, Some(level(4)));
        slot.share();
        assert_eq!(slot.read().unwrap().level, None, "no map is there");
        slot.fill(&level(2));
        assert_eq!(slot.leave(), None, "it is shared");
        assert_eq!(slot.read().unwrap().level, None, "no map is there");
        assert_eq!(slot.unshare(), Some(7));
        assert_eq!(slot.read().unwrap().flow.inserts, 6);
    }

    /// Whatever the map publishes meanwhile, a question changes none of its figures, and
    /// is there for its next operation or has to be put again.
    #[test]
    fn a_question_changes_no_figure() {
        let slot: &'static Slot = Box::leak(Box::new(Slot::new()));
        slot.take(7, A, &level(0));
        let rounds = ROUNDS * if cfg!(miri) { 30 } else { 1000 };
        let asker = std::thread::spawn(move || {
            // Until the map has answered so often, or has long been at rest.
            while slot.capacity() < rounds {
                slot.ask();
            }
        });
        for capacity in 1..=rounds {
            slot.set_entries(capacity);
            // As large as before, so it is asked for; then it grows.
            if slot.exceeds(capacity - 1) {
                assert!(slot.take_ask(), "nobody else answers");
            }
            slot.set_table(capacity, capacity);
            assert_eq!(slot.capacity(), capacity);
            let seen = slot.read().unwrap().level.unwrap();
            assert_eq!((seen.capacity, seen.table_bytes), (capacity, capacity));
        }
        asker.join().unwrap();
        slot.ask();
        assert!(slot.is_asked() && slot.exceeds(0) && slot.exceeds(rounds));
        assert_eq!((slot.capacity(), slot.entries()), (rounds, rounds));
        assert!(slot.take_ask() && !slot.take_ask());
        assert!(!slot.exceeds(rounds) && slot.exceeds(rounds + 1));
        // A table that is there already is no larger one, asked for or not.
        slot.ask();
        assert!(!slot.raise_table(rounds, 1));
        slot.take_ask();
        assert!(slot.raise_table(rounds + 1, 1));
    }

    /// A slot for a map of this name that has nothing in it.
    fn new_slot(name: &'static str) -> Option<&'static Slot> {
        acquire(Origin::Name(name), &level(0))
    }

    /// What becomes of it when the map is gone.
    fn drop_slot(name: &'static str) -> impl Fn(&'static Slot) {
        move |slot| release(slot, &Origin::Name(name))
    }

    /// Slots that serve a group, and all inserts of it: other tests of the
    /// process take slots over.
    fn used(name: &'static str) -> (usize, u64) {
        let id = group::of(Origin::Name(name)).id;
        let mut inserts = group::by_id(id).unwrap().retired().inserts;
        let mut count = 0;
        SLAB.for_each(|slot| {
            if let Some(reading) = slot.read()
                && reading.group == id
            {
                assert_eq!(reading.level, None);
                count += 1;
                inserts += reading.flow.inserts;
            }
        });
        (count, inserts)
    }

    const ROUNDS: u64 = if cfg!(miri) { 3 } else { 50 };

    #[test]
    fn threads_that_end_lose_no_slot() {
        let name = "pool-ending-threads";
        for _ in 0..ROUNDS {
            std::thread::spawn(move || {
                let slots: Vec<_> = (0..300).filter_map(|_| new_slot(name)).collect();
                assert_eq!(slots.len(), 300);
                for slot in slots {
                    slot.set_entries(3);
                    drop_slot(name)(slot);
                }
            })
            .join()
            .unwrap();
        }
        // Another test may be taking one of the slots over at this moment.
        let (count, inserts) = (0..1000)
            .map(|_| used(name))
            .find(|(_, inserts)| *inserts >= ROUNDS * 900)
            .unwrap();
        assert!(count < 300 + 2 * 64, "{count}");
        assert_eq!(inserts, ROUNDS * 900);
    }

    #[test]
    fn what_one_thread_takes_another_may_give_back() {
        let name = "pool-exchange";
        for _ in 0..ROUNDS {
            let slots: Vec<_> = (0..500).filter_map(|_| new_slot(name)).collect();
            std::thread::spawn(move || slots.into_iter().for_each(drop_slot(name)))
                .join()
                .unwrap();
        }
        assert!(used(name).0 < 500 + 2 * 64);
    }

    #[test]
    fn the_slot_of_a_map_that_is_dropped_elsewhere_is_used_again() {
        let name = "pool-elsewhere";
        let origin = Origin::Name(name);
        // By a thread of its own, that shares nothing yet.
        std::thread::spawn(move || {
            for _ in 0..ROUNDS {
                new_slot(name).into_iter().for_each(drop_slot(name));
                let slot = new_slot(name).unwrap();
                assert_eq!(warm(origin).map(|_| ()), None, "the map has it");
                std::thread::spawn(move || drop_slot(name)(slot))
                    .join()
                    .unwrap();
                assert_eq!(warm(origin).map(|_| ()), None, "not for this thread to see");
            }
        })
        .join()
        .unwrap();
        assert!(used(name).0 < 3 * 64, "{}", used(name).0);
    }

    #[test]
    fn the_name_that_was_dropped_last_is_kept_ready() {
        let names = ["pool-outer", "pool-inner"];
        std::thread::spawn(move || {
            for _ in 0..ROUNDS {
                let [outer, inner] = names.map(Origin::Name);
                let slot = new_slot(names[0]).unwrap();
                for _ in 0..3 {
                    new_slot(names[1]).into_iter().for_each(drop_slot(names[1]));
                    assert!(warm(inner).is_some() && warm(outer).is_none());
                }
                drop_slot(names[0])(slot);
                assert!(warm(outer).is_some() && warm(inner).is_none());
            }
        })
        .join()
        .unwrap();
        assert!(names.into_iter().all(|name| used(name).0 < 3 * 64));
    }

    #[test]
    fn maps_may_go_while_their_thread_ends() {
        struct Late(Cell<Option<&'static Slot>>);
        impl Drop for Late {
            fn drop(&mut self) {
                if let Some(slot) = self.0.take() {
                    drop_slot("pool-late")(slot);
                }
                if let Some(slot) = new_slot("pool-late") {
                    drop_slot("pool-late")(slot);
                }
            }
        }
        thread_local! {
            static LATE: Late = const { Late(Cell::new(None)) };
        }
        for _ in 0..20 {
            std::thread::spawn(|| {
                // Registered before the pool's own destructor, and so run after it.
                LATE.with(|late| late.0.set(new_slot("pool-late")));
            })
            .join()
            .unwrap();
        }
        assert!(used("pool-late").0 < 2 * 64);
    }
}
