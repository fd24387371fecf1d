//! The rules that walks have learned, for all threads.
//!
//! A hash table of pairs that any thread may write, each guarded by a version:
//! odd while it is written. Who finds a pair being written goes without, as one
//! would without a rule; a writer that a fork cut off leaves one pair unused.
//!
//! Of the table's memory few pairs are used at first, and twice as many whenever
//! rules have pushed others out often: what is never used is never resident. Rules
//! whose pair is another one then are learned again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use super::rule::{Frame, Packed, RULE_BITS};
use crate::arena::Arena;

/// Bits of an address that a key has room for.
const ADDRESS_BITS: u32 = 47;
const IS_INNERMOST: u64 = 1 << ADDRESS_BITS;
const GENERATION_SHIFT: u32 = ADDRESS_BITS + 1;

/// Bits of the version below a rule.
const VERSION_BITS: u32 = 16;
const VERSION: u64 = (1 << VERSION_BITS) - 1;

const _: () = assert!(RULE_BITS + VERSION_BITS <= u64::BITS);

struct Entry {
    /// A rule above the version of this entry.
    state: AtomicU64,
    key: AtomicU64,
}

/// Two entries, in either of which a key may be.
#[repr(C, align(32))]
struct Pair([Entry; 2]);

/// Pairs that are used at first: 16 KiB.
const FIRST: usize = 512;

/// The table. Its size is fixed when it is made.
pub(crate) struct Rules {
    pairs: &'static [Pair],
    /// Pairs in use, a power of two.
    used: AtomicUsize,
    /// Rules that others have pushed out since so many are.
    pushed_out: AtomicUsize,
}

/// What a rule is for: an address, while a set of objects is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// `None` if no table can hold it.
    #[inline(always)]
    pub(crate) fn new(generation: u16, frame: &Frame) -> Option<Self> {
        let innermost = if frame.is_innermost { IS_INNERMOST } else { 0 };
        (frame.address >> ADDRESS_BITS == 0)
            .then_some(Key(u64::from(generation) << GENERATION_SHIFT
                | innermost
                | frame.address))
    }
}

impl Rules {
    /// Room for so many rules, a power of two; `None` if there is no memory for
    /// them.
    pub(crate) fn new(arena: &Arena, count: usize) -> Option<Self> {
        // SAFETY: a pair consists of atomics, for which zero is a value.
        let pairs: &[Pair] = unsafe { arena.zeroed_slice(count.div_ceil(2).next_power_of_two())? };
        Some(Rules {
            pairs,
            used: AtomicUsize::new(pairs.len().min(FIRST)),
            pushed_out: AtomicUsize::new(0),
        })
    }

    #[inline(always)]
    pub(crate) fn find(&self, key: Key) -> Option<Packed> {
        let Pair([one, other]) = self.pair(key)?;
        one.rule(key).or_else(|| other.rule(key))
    }

    /// Keeps a rule, in place of another one if need be.
    pub(crate) fn keep(&self, key: Key, rule: Packed) {
        let Some(Pair([one, other])) = self.pair(key) else {
            return;
        };
        let is = |entry: &Entry, wanted| entry.key.load(Ordering::Relaxed) == wanted;
        let entry = if is(one, key.0) || is(one, 0) {
            one
        } else if is(other, key.0) || is(other, 0) {
            other
        } else {
            self.use_more();
            if key.0.count_ones().is_multiple_of(2) {
                one
            } else {
                other
            }
        };
        entry.write(key, rule);
    }

    /// Counts a rule that is pushed out.
    fn use_more(&self) {
        let used = self.used.load(Ordering::Relaxed);
        if self.pushed_out.fetch_add(1, Ordering::Relaxed) < used / 4 || used == self.pairs.len() {
            return;
        }
        // A lost race has doubled it already.
        let _ = self
            .used
            .compare_exchange(used, 2 * used, Ordering::Relaxed, Ordering::Relaxed);
        self.pushed_out.store(0, Ordering::Relaxed);
    }

    #[inline(always)]
    fn pair(&self, Key(key): Key) -> Option<&Pair> {
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let used = self.used.load(Ordering::Relaxed);
        self.pairs.get(hash as usize & (used - 1))
    }
}

impl Entry {
    #[inline(always)]
    fn rule(&self, key: Key) -> Option<Packed> {
        let state = self.state.load(Ordering::Acquire);
        if self.key.load(Ordering::Relaxed) != key.0 || state & 1 == 1 {
            return None;
        }
        fence(Ordering::Acquire);
        let same = self.state.load(Ordering::Relaxed) == state;
        same.then(|| Packed::from_bits(state >> VERSION_BITS))
    }

    fn write(&self, key: Key, rule: Packed) {
        let state = self.state.load(Ordering::Relaxed);
        let version = state & VERSION;
        let taken = state & !VERSION | (version | 1);
        if version & 1 == 1
            || self
                .state
                .compare_exchange(state, taken, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        // Readers that see the new key see an odd version, or the end of this.
        fence(Ordering::Release);
        self.key.store(key.0, Ordering::Relaxed);
        let done = version.wrapping_add(2) & VERSION;
        self.state
            .store(rule.bits() << VERSION_BITS | done, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(count: usize) -> Rules {
        // An arena that is not released stays mapped.
        let arena = Arena::reserve(count * size_of::<Pair>() + 4096).expect("memory");
        Rules::new(&arena, count).expect("fits")
    }

    /// A rule that is told from those of other addresses.
    fn rule(address: u64) -> Packed {
        Packed::from_bits(address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - RULE_BITS))
    }

    fn key(generation: u16, address: u64) -> Key {
        Key::new(generation, &Frame::caller(address, 0, 0)).expect("fits")
    }

    #[test]
    fn what_was_kept_is_found_or_gone_but_never_another() {
        let rules = table(64);
        for address in 1..500u64 {
            assert_eq!(rules.find(key(1, address)), None);
            rules.keep(key(1, address), rule(address));
            assert_eq!(rules.find(key(1, address)), Some(rule(address)));
            assert_eq!(rules.find(key(2, address)), None, "other objects");
        }
        let kept = (1..500u64)
            .filter_map(|address| Some((address, rules.find(key(1, address))?)))
            .inspect(|(address, found)| assert_eq!(*found, rule(*address)))
            .count();
        assert!((50..=64).contains(&kept), "{kept} kept in 64 places");
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes there")]
    fn it_grows_with_what_is_kept() {
        let rules = table(8192);
        let keep = |count: u64| {
            // As walks do that come by the same addresses again and again.
            for _ in 0..20 {
                for address in (1..=count).map(|number| 0x5000_1000 + number * 37) {
                    if rules.find(key(0, address)).is_none() {
                        rules.keep(key(0, address), rule(address));
                    }
                }
            }
            rules.used.load(Ordering::Relaxed)
        };
        assert_eq!(keep(100), FIRST);
        let used = keep(1000);
        assert!((FIRST..=2048).contains(&used), "{used} pairs for 1,000");
        assert_eq!(keep(8000), 4096);
        let found = (1..=3000u64)
            .map(|number| 0x5000_1000 + number * 37)
            .filter(|address| rules.find(key(0, *address)) == Some(rule(*address)))
            .count();
        assert!(found > 1500, "{found} of 3,000");
    }

    #[test]
    fn keys_are_told_apart() {
        let innermost = Frame {
            is_innermost: true,
            ..Frame::caller(0x1000, 0, 0)
        };
        assert_ne!(Key::new(1, &innermost), Some(key(1, 0x1000)));
        let high = Frame::caller(1 << ADDRESS_BITS, 0, 0);
        assert_eq!(Key::new(1, &high), None);
    }

    #[test]
    fn threads_that_write_the_same_places_never_mix_rules_up() {
        // Miri takes a millisecond for each.
        const ROUNDS: u64 = if cfg!(miri) { 500 } else { 50_000 };
        let rules = table(2);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let rules = &rules;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let address = 1 + (round * 7 + thread * 3) % 11;
                        if let Some(found) = rules.find(key(1, address)) {
                            assert_eq!(found, rule(address));
                        } else {
                            rules.keep(key(1, address), rule(address));
                        }
                    }
                });
            }
        });
    }
}
