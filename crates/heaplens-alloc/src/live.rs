//! The table of sampled blocks that are alive.
//!
//! Slots are dense and hold what is known of a block; an [`Index`] finds the
//! slot of an address. All of it is lock-free:
//!
//! * A block's address is inserted by the thread that obtained the block and
//!   removed by the one that frees it. The program itself orders the two, so no
//!   two threads ever enter or remove one address at a time.
//! * Readers of slots (snapshots) check a generation before and after.
//! * Any thread may mark who holds a block. The mark shares a word with the
//!   generation, so that it is set only while the block is still the same one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::arena::Arena;
use crate::filter;
pub(crate) use crate::index::fits;
use crate::index::{self, Index};
use crate::mark::Mark;
use crate::sampler::Weight;
use crate::tag::Shape;
use crate::watches::Tag;

/// Bits of a slot's state below its generation.
const MARK_BITS: u32 = u16::BITS;

/// The most slots that a table can have.
pub(crate) const MAX_SLOTS: usize = 1 << 18;

#[repr(C)]
struct Slot {
    /// A generation, odd while the slot describes a live block, that grows by
    /// one at each change; below it, in 16 bits, the [`Mark`].
    state: AtomicU64,
    size: AtomicU64,
    /// The interval, or the [`Tag`] of a block that watches see: its interval is 1.
    interval_or_tag: AtomicU64,
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
    /// When it was allocated, by [`crate::os::now`].
    pub(crate) born: u64,
    /// Where it was allocated.
    pub(crate) site: u32,
    /// How it lies in the inner allocator's memory.
    pub(crate) shape: Shape,
    /// Who holds it.
    pub(crate) mark: Mark,
    /// Which watches see it; [`Tag::NONE`] unless the interval is 1.
    pub(crate) tag: Tag,
}

impl Block {
    /// What it stands for. To be worked out once: an exponential.
    pub(crate) fn weight(&self) -> Weight {
        Weight::new(self.size, self.interval)
    }
}

/// Blocks that are alive, in all tables; it is read where no table is at hand.
static ALIVE: AtomicU64 = AtomicU64::new(0);

/// Whether any sampled block is alive. One relaxed load.
#[inline(always)]
pub fn any_live() -> bool {
    ALIVE.load(Ordering::Relaxed) != 0
}

/// Whether a sampled block that is alive may begin at this address.
#[inline(always)]
pub(crate) fn may_hold(address: usize) -> bool {
    filter::ALL.may_hold(address)
}

/// The table. Its size is fixed when it is made.
pub(crate) struct Live {
    slots: &'static [Slot],
    index: Index,
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
pub(crate) struct Reserved {
    slot: u32,
}

impl Live {
    /// Bytes that a table of `slots` slots takes in an arena.
    pub(crate) const fn bytes(slots: usize) -> usize {
        slots * size_of::<Slot>() + Index::bytes(slots)
    }

    /// Slots of the largest table that takes no more than so many bytes, but for
    /// rounding; 1,024 at least, [`MAX_SLOTS`] at most.
    pub(crate) const fn slots_in(bytes: usize) -> usize {
        const STEP: usize = 1024;
        let fixed = Live::bytes(0);
        let slots = bytes.saturating_sub(fixed) / (Live::bytes(STEP) - fixed) * STEP;
        if slots < STEP {
            STEP
        } else if slots > MAX_SLOTS {
            MAX_SLOTS
        } else {
            slots
        }
    }

    /// Makes a table for `slots` blocks (at most [`MAX_SLOTS`]).
    pub(crate) fn new(arena: &Arena, slots: usize) -> Option<Self> {
        let slots = slots.min(MAX_SLOTS);
        Some(Live {
            // SAFETY: a slot consists of atomics, for which zero is a value.
            slots: unsafe { arena.zeroed_slice(slots)? },
            index: Index::new(arena, slots)?,
            high_water: AtomicU32::new(0),
            free: AtomicU64::new(0),
            count: AtomicU64::new(0),
        })
    }

    /// Reserves a slot; `None` if the table is full.
    pub(crate) fn reserve(&self) -> Option<Reserved> {
        self.take_slot().map(|slot| Reserved { slot })
    }

    /// Enters a block at an address that [`fits`], after the inner allocator
    /// has given it out.
    pub(crate) fn enter(&self, Reserved { slot }: Reserved, address: usize, block: &Block) {
        self.fill(slot, block);
        self.index.insert(address, slot);
        filter::ALL.add(address);
        if block.shape == Shape::Plain {
            filter::UNMARKED.add(address);
        }
    }

    /// Takes a block out before it is freed or reallocated.
    #[inline]
    pub(crate) fn detach(&self, address: usize) -> Option<(Reserved, Block)> {
        if !fits(address) {
            return None;
        }
        let number = self.index.remove(address)?;
        let slot = self.slots.get(number as usize)?;
        // Even: readers pass over the slot from here on, and marks fail.
        let last = slot.state.fetch_add(1 << MARK_BITS, Ordering::AcqRel);
        let block = slot.read(last);
        filter::ALL.remove(address);
        if block.shape == Shape::Plain {
            filter::UNMARKED.remove(address);
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        Some((Reserved { slot: number }, block))
    }

    /// Gives the live block at this address the mark that `decide` makes of its
    /// present one and its size. `false` if there is no such block or `decide`
    /// refuses. Any thread may call this at any time.
    pub(crate) fn mark(&self, address: usize, decide: impl Fn(Mark, u64) -> Option<Mark>) -> bool {
        if !fits(address) {
            return false;
        }
        // Ends when the mark is set or the block is freed; it turns only when
        // another thread marks or frees this very block in between.
        while let Some(entry) = self.index.find(address) {
            let Some(slot) = self.slots.get(entry.slot() as usize) else {
                return false;
            };
            let state = slot.state.load(Ordering::Acquire);
            // The entry is made after a slot begins to be live and taken away
            // before it ends. So if it still stands, and the state is the same
            // at the exchange, then all of it is about the block at `address`.
            if !is_live(state) || !entry.stands() {
                continue;
            }
            let block = slot.read(state);
            let Some(mark) = decide(block.mark, block.size) else {
                return false;
            };
            let marked = generation(state) << MARK_BITS | u64::from(mark.bits());
            // Release: the size above was read before this.
            if slot
                .state
                .compare_exchange(state, marked, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
        false
    }

    /// Gives a slot back.
    pub(crate) fn release(&self, Reserved { slot }: Reserved) {
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
            let before = slot.state.load(Ordering::Acquire);
            if !is_live(before) {
                continue;
            }
            let block = slot.read(before);
            fence(Ordering::Acquire);
            let after = slot.state.load(Ordering::Relaxed);
            // A mark set meanwhile does not tear the slot.
            if generation(after) == generation(before) {
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
        let interval_or_tag = match block.tag {
            Tag::NONE => block.interval,
            tag => tag.bits(),
        };
        slot.interval_or_tag
            .store(interval_or_tag, Ordering::Relaxed);
        slot.born.store(block.born, Ordering::Relaxed);
        slot.site.store(block.site, Ordering::Relaxed);
        slot.shape_or_next
            .store(block.shape as u32, Ordering::Relaxed);
        // The slot is this thread's alone: marks are set on live ones only.
        let next = generation(slot.state.load(Ordering::Relaxed)).wrapping_add(1);
        let state = next << MARK_BITS | u64::from(block.mark.bits());
        slot.state.store(state, Ordering::Release);
        self.count.fetch_add(1, Ordering::Relaxed);
        ALIVE.fetch_add(1, Ordering::Relaxed);
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

fn generation(state: u64) -> u64 {
    state >> MARK_BITS
}

fn is_live(state: u64) -> bool {
    generation(state) & 1 == 1
}

impl Slot {
    /// What the slot says, with the mark of a state that was read from it.
    fn read(&self, state: u64) -> Block {
        let interval_or_tag = self.interval_or_tag.load(Ordering::Relaxed);
        let tag = Tag::from_bits(interval_or_tag);
        Block {
            size: self.size.load(Ordering::Relaxed),
            interval: tag.map_or(interval_or_tag, |_| 1),
            born: self.born.load(Ordering::Relaxed),
            site: self.site.load(Ordering::Relaxed),
            shape: Shape::from_bits(self.shape_or_next.load(Ordering::Relaxed) as u8),
            mark: Mark::from_bits(state as u16),
            tag: tag.unwrap_or(Tag::NONE),
        }
    }
}

const _: () = assert!(MAX_SLOTS <= index::MAX_SLOTS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::Random;
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
            mark: Mark::NONE,
            tag: Tag::NONE,
        }
    }

    #[test]
    fn a_budget_is_used_and_not_exceeded() {
        for bytes in [1usize << 17, 1 << 20, 8 << 20, 10 << 20] {
            let slots = Live::slots_in(bytes);
            assert!(Live::bytes(slots) <= bytes, "{slots} slots in {bytes}");
            let missed = bytes - Live::bytes(slots);
            assert!(missed < 64 << 10, "{missed} of {bytes} bytes unused");
        }
        assert_eq!(Live::slots_in(0), 1024);
        assert_eq!(Live::slots_in(usize::MAX), MAX_SLOTS);
    }

    proptest! {
        /// Any sequence of inserts, removals and marks on a small, crowded table
        /// agrees with a map of std.
        #[test]
        fn agrees_with_a_map(operations in prop::collection::vec((0u8..5, 0usize..64), 1..400)) {
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
                    (3, _) => {
                        // Marks only those of even size, and says what it saw.
                        let mark = Mark::from_bits(1 + key as u16 % 7);
                        let marked = live.mark(address, |was, size| {
                            assert_eq!((was, size), (model[&address].mark, model[&address].size));
                            size.is_multiple_of(2).then_some(mark)
                        });
                        let known = model.get_mut(&address).filter(|b| b.size.is_multiple_of(2));
                        prop_assert_eq!(marked, known.is_some());
                        if let Some(block) = known { block.mark = mark; }
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
            live.for_each(|block| seen.push((block.size, block.mark.bits())));
            let mut expected: Vec<_> =
                model.values().map(|block| (block.size, block.mark.bits())).collect();
            seen.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(seen, expected);
            for address in model.into_keys() {
                let (held, _) = live.detach(address).expect("in the model");
                live.release(held);
            }
            prop_assert!(live.index.has_no_passers());
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

    /// How much of a test there is time for.
    fn rounds(all: usize) -> usize {
        if cfg!(miri) { all / 1000 } else { all }
    }

    #[test]
    fn threads_share_a_small_table() {
        let live: &'static Live = Box::leak(Box::new(table(64)));
        let stop: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let workers: Vec<_> = (0..4usize)
            .map(|worker| {
                std::thread::spawn(move || {
                    for round in 0..rounds(20_000) {
                        let address = 0x5500_0000_0000 + ((round % 20) * 4 + worker) * 16;
                        let size = (worker * 1000 + round % 20) as u64;
                        let reserved = live.reserve().expect("64 slots for four threads");
                        live.enter(reserved, address, &block(size));
                        let (reserved, seen) = live.detach(address).expect("own address");
                        assert_eq!(seen, block(size));
                        live.release(reserved);
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

    const ADDRESSES: usize = 48;

    /// Each address has a mark of its own, so that one which lands on another
    /// block shows.
    fn mark_of(number: usize) -> Mark {
        Mark::from_bits(number as u16 + 1)
    }

    fn address_of(number: usize) -> usize {
        0x7e00_0000_0008 + number * 16
    }

    /// Marks set by other threads so far.
    static SET: AtomicU64 = AtomicU64::new(0);

    /// Enters and takes out blocks of its own numbers at random, so that slots
    /// go from one address to another all the time, until it has done enough and
    /// the markers have. Returns how many were marked when they were taken out.
    fn turn_over(live: &Live, worker: usize) -> u64 {
        let mut random = Random(worker as u64);
        let mut held = [false; ADDRESSES];
        let mut marked = 0;
        let mut take_out = |number: usize| {
            let (reserved, seen) = live.detach(address_of(number)).expect("own address");
            assert_eq!(seen.size, number as u64);
            if seen.mark != Mark::NONE {
                assert_eq!(seen.mark, mark_of(number), "a mark of another block");
                marked += 1;
            }
            live.release(reserved);
        };
        let (mut round, enough) = (0, rounds(20_000));
        while round < enough || SET.load(Ordering::Relaxed) < enough as u64 / 10 {
            round += 1;
            let number = random.next() as usize % (ADDRESSES / 3) * 3 + worker;
            if held[number] {
                take_out(number);
            } else {
                let reserved = live.reserve().expect("a slot for each");
                live.enter(reserved, address_of(number), &block(number as u64));
            }
            held[number] ^= true;
        }
        (0..ADDRESSES)
            .filter(|&number| held[number])
            .for_each(take_out);
        marked
    }

    /// Whatever threads free and allocate meanwhile, a mark lands on the block
    /// that has the address, or on none.
    #[test]
    fn marks_never_land_on_another_block() {
        let live: &'static Live = Box::leak(Box::new(table(ADDRESSES)));
        let stop: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let markers: Vec<_> = (0..2)
            .map(|marker| {
                std::thread::spawn(move || {
                    let mut random = Random(99 + marker);
                    while stop.load(Ordering::Relaxed) == 0 {
                        let number = random.next() as usize % ADDRESSES;
                        let marked = live.mark(address_of(number), |was, _| {
                            (was == Mark::NONE).then(|| mark_of(number))
                        });
                        SET.fetch_add(u64::from(marked), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let workers: Vec<_> = (0..3)
            .map(|worker| std::thread::spawn(move || turn_over(live, worker)))
            .collect();
        let found: u64 = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .sum();
        stop.store(1, Ordering::Relaxed);
        for marker in markers {
            marker.join().expect("no panic");
        }
        // Each mark that was set was found, and no other.
        assert_eq!(found, SET.load(Ordering::Relaxed));
        live.for_each(|left| panic!("{left:?}"));
    }
}
