//! Each thread's own few free slots, in front of the slab that all share.
//!
//! Without it every short-lived map would cost two contended exchanges.

use std::cell::Cell;

use heaplens_alloc::holder::Holder;

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
            leave(slot);
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
            holder: Cell::new(None),
            address: Cell::new(0),
            length: Cell::new(0),
        }
    };
    static AT_EXIT: AtExit = const { AtExit };
}

/// The slot of the map that was dropped last on this thread: a loop that makes
/// and drops one map at a time writes to this and to nothing else.
///
/// Each part is a cell of its own: a load that is wider than the store before
/// it has to wait for that store to reach the cache.
struct Warm {
    slot: Cell<Option<&'static Slot>>,
    holder: Cell<Option<Holder>>,
    address: Cell<usize>,
    length: Cell<usize>,
}

impl Warm {
    #[inline]
    fn take(&self, origin: Origin) -> Option<&'static Slot> {
        let slot = self.slot.get()?;
        if (self.address.get(), self.length.get()) != origin.spot() {
            return None;
        }
        self.slot.set(None);
        Some(slot)
    }

    #[inline]
    fn put(&self, slot: &'static Slot, holder: Option<Holder>, origin: Origin) {
        let (address, length) = origin.spot();
        self.slot.set(Some(slot));
        self.holder.set(holder);
        self.address.set(address);
        self.length.set(length);
    }
}

/// A slot for a map of `origin` that holds `level`, and the group's holder;
/// `None` if there are no more.
#[inline]
pub(crate) fn acquire(origin: Origin, level: &Level) -> Option<(&'static Slot, Option<Holder>)> {
    WARM.with(|warm| {
        let Some(slot) = warm.take(origin) else {
            return find(origin, level);
        };
        slot.fill(level);
        Some((slot, warm.holder.get()))
    })
}

#[inline(never)]
fn find(origin: Origin, level: &Level) -> Option<(&'static Slot, Option<Holder>)> {
    let group = group::of(origin);
    Some((take(group.id, level)?, group.holder))
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
pub(crate) fn release(slot: &'static Slot, holder: Option<Holder>, origin: Origin) {
    slot.empty();
    WARM.with(|warm| {
        if warm.slot.get().is_none() && FREE.get().count <= KEEP {
            warm.put(slot, holder, origin);
        } else {
            leave(slot);
        }
    });
}

#[inline(never)]
fn leave(slot: &'static Slot) {
    let number = slot.leave();
    let free = FREE.get();
    if free.count >= KEEP {
        return leave_slowly(slot, number);
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
fn leave_slowly(slot: &'static Slot, number: u32) {
    open();
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
        assert_eq!(slot.leave(), 7);
        let gone = slot.read().unwrap();
        assert_eq!((gone.level, gone.flow.inserts), (None, 6));

        assert_eq!(slot.take(7, A, &level(1)), None, "the same group goes on");
        assert_eq!(slot.read().unwrap().flow.inserts, 7);
        slot.leave();
        let left = slot.take(7, B, &level(4));
        assert_eq!(
            left.map(|(group, flow)| (group, flow.inserts)),
            Some((A, 7))
        );
        let fresh = slot.read().unwrap();
        assert_eq!((fresh.group, fresh.flow.inserts), (B, 4));
        assert_eq!(fresh.level, Some(level(4)));
        slot.empty();
        assert_eq!(slot.read().unwrap().level, None, "no map is there");
    }

    /// A group of a test's own.
    fn group(name: &'static str) -> GroupId {
        group::of(Origin::Name(name)).id
    }

    /// Slots that serve a group, and all inserts of it: other tests of the
    /// process take slots over.
    fn used(id: GroupId) -> (usize, u64) {
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
        let id = group("pool-ending-threads");
        for _ in 0..ROUNDS {
            std::thread::spawn(move || {
                let slots: Vec<_> = (0..300).filter_map(|_| take(id, &level(0))).collect();
                assert_eq!(slots.len(), 300);
                for slot in slots {
                    slot.set_entries(3);
                    slot.empty();
                    leave(slot);
                }
            })
            .join()
            .unwrap();
        }
        // Another test may be taking one of the slots over at this moment.
        let (count, inserts) = (0..1000)
            .map(|_| used(id))
            .find(|(_, inserts)| *inserts >= ROUNDS * 900)
            .unwrap();
        assert!(count < 300 + 2 * 64, "{count}");
        assert_eq!(inserts, ROUNDS * 900);
    }

    #[test]
    fn what_one_thread_takes_another_may_give_back() {
        let id = group("pool-exchange");
        for _ in 0..ROUNDS {
            let slots: Vec<_> = (0..500).filter_map(|_| take(id, &level(0))).collect();
            std::thread::spawn(move || slots.into_iter().for_each(leave))
                .join()
                .unwrap();
        }
        assert!(used(id).0 < 500 + 2 * 64);
    }

    #[test]
    fn maps_may_go_while_their_thread_ends() {
        struct Late(Cell<Option<&'static Slot>>);
        impl Drop for Late {
            fn drop(&mut self) {
                if let Some(slot) = self.0.take() {
                    leave(slot);
                }
                if let Some(slot) = take(group("pool-late"), &level(0)) {
                    leave(slot);
                }
            }
        }
        thread_local! {
            static LATE: Late = const { Late(Cell::new(None)) };
        }
        for _ in 0..20 {
            std::thread::spawn(|| {
                // Registered before the pool's own destructor, and so run after it.
                LATE.with(|late| late.0.set(take(group("pool-late"), &level(0))));
            })
            .join()
            .unwrap();
        }
        assert!(used(group("pool-late")).0 < 2 * 64);
    }
}
