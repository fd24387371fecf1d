//! The watches that are active, and what each has counted.
//!
//! A block that is sampled for certain while there are watches carries a [`Tag`]:
//! when it was born, told by the serial number of the last watch that was started,
//! and on which *chain*, the number of its thread among those that watch
//! themselves. A block belongs to every active watch that was started before it
//! was born and sees its chain. That is the whole rule. Nested watches need no
//! links between them; one that ended leaves nothing to clean up; and a place that
//! is used again is not taken for its predecessor, since a serial number is never
//! used twice.
//!
//! Starting and ending take a lock. Counting, on the allocation path, does not.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::live::Block;
use crate::thread;

/// Watches that can be active at a time.
pub(crate) const MAX_WATCHES: usize = 64;

/// How often a start looks for a place in which no thread is counting.
const ATTEMPTS: usize = 1000;

const CHAIN_BITS: u32 = 7;

/// Whose allocations a watch sees; whose a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain(u8);

impl Chain {
    /// Of a watch: those of all threads. Of a block: a thread's that does not
    /// watch itself.
    pub(crate) const ALL: Chain = Chain(MAX_WATCHES as u8);
}

/// A serial number and a chain: a block's birth, or a watch's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u64);

impl Tag {
    /// A block that no watch sees, and a place without a watch.
    pub(crate) const NONE: Tag = Tag(0);

    const SET: u64 = 1 << 63;

    fn new(serial: u64, chain: Chain) -> Self {
        Tag(Tag::SET | serial << CHAIN_BITS | u64::from(chain.0))
    }

    /// The tag of a block that this thread samples now, for certain.
    pub(crate) fn now() -> Self {
        if ACTIVE.load(SeqCst) == 0 {
            return Tag::NONE;
        }
        Tag::new(SERIAL.load(SeqCst), thread::chain())
    }

    /// Whether a watch that was started at this tag sees blocks of that one.
    pub(crate) fn sees(self, block: Tag) -> bool {
        self != Tag::NONE
            && block != Tag::NONE
            && self.serial() <= block.serial()
            && (self.chain() == Chain::ALL || self.chain() == block.chain())
    }

    fn serial(self) -> u64 {
        (self.0 & !Tag::SET) >> CHAIN_BITS
    }

    fn chain(self) -> Chain {
        Chain((self.0 & ((1 << CHAIN_BITS) - 1)) as u8)
    }

    /// Above all intervals, unless it is [`Tag::NONE`].
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The tag of these bits; `None` if they are an interval.
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        (bits & Tag::SET != 0).then_some(Tag(bits))
    }
}

/// What one watch counts. A cache line pair of its own.
#[repr(align(128))]
struct Place {
    /// [`Tag`] of the watch's start.
    started: AtomicU64,
    /// Threads that are counting here.
    users: AtomicU32,
    bytes: AtomicU64,
    blocks: AtomicU64,
    peak_bytes: AtomicU64,
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    lost: AtomicU64,
}

/// What a watch has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) allocated_blocks: u64,
    /// Allocations that could not be recorded.
    pub(crate) lost: u64,
}

impl Place {
    const fn new() -> Self {
        Place {
            started: AtomicU64::new(0),
            users: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            allocated_blocks: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn sees(&self, block: Tag) -> bool {
        Tag(self.started.load(SeqCst)).sees(block)
    }

    fn add(&self, size: u64) {
        let bytes = self.bytes.fetch_add(size, SeqCst) + size;
        self.peak_bytes.fetch_max(bytes, SeqCst);
        self.blocks.fetch_add(1, SeqCst);
    }

    fn counts(&self) -> Counts {
        Counts {
            bytes: self.bytes.load(SeqCst),
            blocks: self.blocks.load(SeqCst),
            peak_bytes: self.peak_bytes.load(SeqCst),
            allocated_bytes: self.allocated_bytes.load(SeqCst),
            allocated_blocks: self.allocated_blocks.load(SeqCst),
            lost: self.lost.load(SeqCst),
        }
    }

    fn clear(&self) {
        for counter in [
            &self.bytes,
            &self.blocks,
            &self.peak_bytes,
            &self.allocated_bytes,
            &self.allocated_blocks,
            &self.lost,
        ] {
            counter.store(0, SeqCst);
        }
    }
}

static PLACES: [Place; MAX_WATCHES] = [const { Place::new() }; MAX_WATCHES];

/// The places whose watches are active, a bit each.
static ACTIVE: AtomicU64 = AtomicU64::new(0);

/// Serial number of the last watch that was started.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// What is in use, a bit each.
struct Taken {
    places: u64,
    chains: u64,
}

static TAKEN: Mutex<Taken> = Mutex::new(Taken {
    places: 0,
    chains: 0,
});

fn taken() -> MutexGuard<'static, Taken> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lowest bit that is not set, set.
fn take_bit(bits: &mut u64, not: u64) -> Option<usize> {
    let number = (*bits | not).trailing_ones();
    *bits |= 1u64.checked_shl(number)?;
    Some(number as usize)
}

/// A number for a thread that begins to watch itself. There are as many as there
/// are places. It must be given back by [`free_chain`].
pub(crate) fn take_chain() -> Option<Chain> {
    take_bit(&mut taken().chains, 0).map(|number| Chain(number as u8))
}

pub(crate) fn free_chain(chain: Chain) {
    if chain != Chain::ALL {
        taken().chains &= !(1 << chain.0);
    }
}

/// A watch that is active.
#[derive(Debug)]
pub(crate) struct Active {
    place: usize,
    started: Tag,
}

impl Active {
    /// Starts a watch; `None` if [`MAX_WATCHES`] are active.
    pub(crate) fn start(chain: Chain) -> Option<Self> {
        for _ in 0..ATTEMPTS {
            let mut taken = taken();
            if taken.places == u64::MAX {
                return None;
            }
            let busy = busy();
            if let Some(place) = take_bit(&mut taken.places, busy) {
                return Active::begin(place, chain);
            }
            drop(taken);
            std::thread::yield_now();
        }
        None
    }

    /// Begins at a place that was taken. The lock is held.
    fn begin(number: usize, chain: Chain) -> Option<Self> {
        let place = PLACES.get(number)?;
        place.clear();
        let serial = SERIAL.load(SeqCst) + 1;
        let started = Tag::new(serial, chain);
        place.started.store(started.0, SeqCst);
        ACTIVE.fetch_or(1 << number, SeqCst);
        // Last: no block has this serial number before the watch counts.
        SERIAL.store(serial, SeqCst);
        Some(Active {
            place: number,
            started,
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        PLACES
            .get(self.place)
            .map(Place::counts)
            .unwrap_or_default()
    }

    /// Whether this block is among those counted.
    pub(crate) fn sees(&self, block: &Block) -> bool {
        self.started.sees(block.tag)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(place) = PLACES.get(self.place) {
            place.started.store(Tag::NONE.0, SeqCst);
        }
        ACTIVE.fetch_and(!(1 << self.place), SeqCst);
        taken().places &= !(1 << self.place);
    }
}

/// The places in which a thread is counting. Such a thread may still go by the
/// watch that was there, so no other must begin. One that comes later sees what
/// is there then.
fn busy() -> u64 {
    let counted_in = |place: &Place| place.users.load(SeqCst) != 0;
    let bits = PLACES.iter().map(counted_in).enumerate();
    bits.fold(0, |bits, (number, busy)| bits | u64::from(busy) << number)
}

/// Calls `count` for each watch that sees the block.
fn for_each(block: Tag, count: impl Fn(&Place)) {
    if block == Tag::NONE {
        return;
    }
    let mut active = ACTIVE.load(SeqCst);
    while active != 0 {
        let number = active.trailing_zeros() as usize;
        active &= active - 1;
        let Some(place) = PLACES.get(number).filter(|place| place.sees(block)) else {
            continue;
        };
        place.users.fetch_add(1, SeqCst);
        // From here on the watch may end, but no other begins in its place.
        if place.sees(block) {
            count(place);
        }
        place.users.fetch_sub(1, SeqCst);
    }
}

/// Counts a block that was allocated, before anyone can free it.
pub(crate) fn allocated(block: &Block) {
    for_each(block.tag, |place| {
        place.add(block.size);
        place.allocated_bytes.fetch_add(block.size, SeqCst);
        place.allocated_blocks.fetch_add(1, SeqCst);
    });
}

/// Counts a block that is freed.
pub(crate) fn freed(block: &Block) {
    for_each(block.tag, |place| {
        place.bytes.fetch_sub(block.size, SeqCst);
        place.blocks.fetch_sub(1, SeqCst);
    });
}

/// Takes [`freed`] back: the block could not be resized and stays.
pub(crate) fn restored(block: &Block) {
    for_each(block.tag, |place| place.add(block.size));
}

/// Counts an allocation of this thread that could not be recorded.
pub(crate) fn lost() {
    for_each(Tag::now(), |place| {
        place.lost.fetch_add(1, SeqCst);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;
    use crate::tag::Shape;

    fn block(size: u64, tag: Tag) -> Block {
        Block {
            size,
            interval: 1,
            born: 0,
            site: 0,
            shape: Shape::Plain,
            mark: Mark::NONE,
            tag,
        }
    }

    fn born(chain: Chain) -> Tag {
        Tag::new(SERIAL.load(SeqCst), chain)
    }

    #[test]
    fn tags_are_no_intervals() {
        for interval in [0, 1, crate::MAX_SAMPLE_INTERVAL] {
            assert_eq!(Tag::from_bits(interval), None);
        }
        for (serial, chain) in [(0, Chain(0)), (7, Chain::ALL), (1 << 55, Chain(63))] {
            let tag = Tag::new(serial, chain);
            assert_eq!((tag.serial(), tag.chain()), (serial, chain));
            assert_eq!(Tag::from_bits(tag.bits()), Some(tag));
        }
    }

    #[test]
    fn a_block_counts_in_the_watches_that_were_there() {
        let (mine, yours) = (take_chain().expect("free"), take_chain().expect("free"));
        let outer = Active::start(mine).expect("free");
        let first = block(100, born(mine));
        allocated(&first);
        let other = Active::start(yours).expect("free");
        let inner = Active::start(mine).expect("free");
        let second = block(10, born(mine));
        allocated(&second);
        freed(&first);
        let expected = |bytes, peak_bytes, allocated_bytes, allocated_blocks| Counts {
            bytes,
            blocks: 1,
            peak_bytes,
            allocated_bytes,
            allocated_blocks,
            lost: 0,
        };
        assert_eq!(inner.counts(), expected(10, 10, 10, 1));
        assert_eq!(outer.counts(), expected(10, 110, 110, 2));
        assert_eq!(other.counts(), Counts::default());
        drop(inner);
        // The inner one's place is free; its block is not the next one's.
        let next = Active::start(mine).expect("free");
        freed(&second);
        assert_eq!(next.counts(), Counts::default());
        assert_eq!((outer.counts().bytes, outer.counts().blocks), (0, 0));
        drop((next, outer, other));
        free_chain(mine);
        free_chain(yours);
    }

    /// Four threads count blocks on chains of their own, each in a watch that it
    /// starts anew all the time, and free those of watches that are over.
    #[test]
    fn places_are_taken_over_cleanly() {
        let rounds = if cfg!(miri) { 30 } else { 20_000 };
        let all = Active::start(Chain::ALL).expect("free");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let chain = take_chain().expect("free");
                    let mut last = None;
                    for round in 1..=rounds {
                        let watch = Active::start(chain).expect("free");
                        let kept = block(round, born(chain));
                        allocated(&kept);
                        if let Some(last) = last.replace(kept) {
                            freed(&last);
                        }
                        let counts = watch.counts();
                        assert_eq!((counts.bytes, counts.blocks), (round, 1));
                        assert_eq!(counts.peak_bytes, round);
                    }
                    last.iter().for_each(freed);
                    free_chain(chain);
                });
            }
        });
        let counts = all.counts();
        assert_eq!((counts.bytes, counts.blocks), (0, 0));
        assert_eq!(counts.allocated_blocks, 4 * rounds);
        assert_eq!(counts.allocated_bytes, 4 * rounds * (rounds + 1) / 2);
    }
}
