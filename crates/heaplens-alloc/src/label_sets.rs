//! Sets of labels by number: a hash table without removal, whose places are the
//! numbers.
//!
//! Lock-free, so that nothing in it can be left locked by a fork. It has twice as
//! many places as it takes sets, so that a look-up is short, the one that finds
//! the table full included.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::publish::publish;
use crate::thread;

/// Most sets of labels that are told apart, those without labels and of the
/// overflow aside. Each stays for good; a new one beyond them is the overflow set.
pub const MAX_LABEL_SETS: usize = 4096;

/// Most pairs in a set of labels.
pub const MAX_LABELS: usize = 8;

/// The only label of samples whose own set of labels did not fit.
pub(crate) const OVERFLOW_LABEL: (&str, &str) = ("heaplens", "labels_overflow");

/// How far a set may lie from the place that its hash names.
const MAX_PROBES: usize = 128;

/// Numbers below this stand for sets that are not in the table.
const FIRST: u32 = 2;

/// A label: key and value.
pub(crate) type Pair<'a> = (&'a str, &'a str);

/// A set of labels, by number, and whether one is missing that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct LabelSet(u32);

impl LabelSet {
    /// No labels.
    pub(crate) const NONE: LabelSet = LabelSet(0);

    /// Of all that did not fit.
    pub(crate) const OVERFLOW: LabelSet = LabelSet(1);

    const INCOMPLETE: u32 = 1 << 31;

    /// The number of the set, which [`LabelSet::from_number`] takes.
    pub(crate) fn number(self) -> u32 {
        self.0 & !LabelSet::INCOMPLETE
    }

    pub(crate) fn from_number(number: u32) -> Self {
        LabelSet(number)
    }

    /// Whether a label was refused on the way to it.
    pub(crate) fn is_incomplete(self) -> bool {
        self.0 & LabelSet::INCOMPLETE != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.number() == 0
    }

    pub(crate) fn is_overflow(self) -> bool {
        self.number() == LabelSet::OVERFLOW.0
    }

    /// This set, with a label missing.
    pub(crate) const fn incomplete(self) -> Self {
        LabelSet(self.0 | LabelSet::INCOMPLETE)
    }

    /// This set; incomplete if `other` is.
    pub(crate) fn as_incomplete_as(self, other: LabelSet) -> Self {
        LabelSet(self.0 | other.0 & LabelSet::INCOMPLETE)
    }
}

/// Labels on their way to a set: sorted by key, each key once.
#[derive(Clone, Copy)]
pub(crate) struct Pairs<'a> {
    list: [Pair<'a>; MAX_LABELS],
    len: usize,
}

impl<'a> Pairs<'a> {
    pub(crate) const fn new() -> Self {
        Pairs {
            list: [("", ""); MAX_LABELS],
            len: 0,
        }
    }

    /// Adds a label, or gives a key that is there another value. `false` if there
    /// are [`MAX_LABELS`] others.
    pub(crate) fn set(&mut self, key: &'a str, value: &'a str) -> bool {
        let at = self.as_slice().partition_point(|pair| pair.0 < key);
        if let Some(same) = self.list.get_mut(at)
            && at < self.len
            && same.0 == key
        {
            same.1 = value;
            return true;
        }
        let Some(from_here) = self.list.get_mut(at..=self.len) else {
            return false;
        };
        from_here.rotate_right(1);
        if let Some(free) = from_here.first_mut() {
            *free = (key, value);
        }
        self.len += 1;
        true
    }

    pub(crate) fn as_slice(&self) -> &[Pair<'a>] {
        self.list.get(..self.len).unwrap_or_default()
    }
}

/// A set as the table keeps it.
struct Known(Box<[(Box<str>, Box<str>)]>);

impl Known {
    fn of(pairs: &[Pair<'_>]) -> Self {
        let own = |pair: &Pair<'_>| (Box::from(pair.0), Box::from(pair.1));
        Known(pairs.iter().map(own).collect())
    }

    fn pairs(&self) -> impl ExactSizeIterator<Item = Pair<'_>> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    fn is(&self, pairs: &[Pair<'_>]) -> bool {
        self.0.len() == pairs.len() && self.pairs().eq(pairs.iter().copied())
    }
}

/// The table. It takes half as many sets as it has places.
pub(crate) struct LabelSets<const PLACES: usize> {
    places: [AtomicPtr<Known>; PLACES],
    /// Sets in the table, and those on their way into it.
    count: AtomicU32,
}

impl<const PLACES: usize> LabelSets<PLACES> {
    pub(crate) const fn new() -> Self {
        assert!(PLACES > 1 && PLACES <= 1 << 24);
        LabelSets {
            places: [const { AtomicPtr::new(std::ptr::null_mut()) }; PLACES],
            count: AtomicU32::new(0),
        }
    }

    /// The set of these pairs, which are sorted: the same each time. `None` if it
    /// is new and there is no room. The copy that is made of a new one stays for
    /// good, and is not sampled; nothing else is allocated.
    pub(crate) fn intern(&self, pairs: &[Pair<'_>]) -> Option<LabelSet> {
        if pairs.is_empty() {
            return Some(LabelSet::NONE);
        }
        let first = hash(pairs) as usize % PLACES;
        let mut own: Option<Box<Known>> = None;
        let mut found = None;
        for step in 0..PLACES.min(MAX_PROBES) {
            let number = (first + step) % PLACES;
            let place = self.places.get(number)?;
            let mut seen = place.load(Ordering::Acquire);
            if seen.is_null() {
                if own.is_none() && !self.reserve() {
                    return None;
                }
                let new = own
                    .take()
                    .unwrap_or_else(|| thread::untracked(|| Box::new(Known::of(pairs))));
                match publish(place, new) {
                    Ok(()) => return Some(LabelSet(number as u32 + FIRST)),
                    // Another thread was faster, perhaps with the same set.
                    Err((new, now)) => (own, seen) = (Some(new), now),
                }
            }
            // SAFETY: not null, hence published, which is for good.
            if unsafe { &*seen }.is(pairs) {
                found = Some(LabelSet(number as u32 + FIRST));
                break;
            }
        }
        if own.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        found
    }

    /// The pairs of a set, sorted by key.
    pub(crate) fn pairs(&self, set: LabelSet) -> impl Iterator<Item = Pair<'_>> {
        let known = set.number().checked_sub(FIRST).and_then(|place| {
            let known = self.places.get(place as usize)?.load(Ordering::Acquire);
            // SAFETY: null, or published by `publish` for good.
            unsafe { known.as_ref() }
        });
        let overflow = set.is_overflow().then_some(OVERFLOW_LABEL);
        known.into_iter().flat_map(Known::pairs).chain(overflow)
    }

    /// Makes sure of a place; `false` if all are taken.
    fn reserve(&self) -> bool {
        let most = PLACES as u32 / 2;
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < most).then_some(count + 1)
            })
            .is_ok()
    }
}

fn hash(pairs: &[Pair<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    pairs.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    fn one(value: &str) -> [Pair<'_>; 1] {
        [("tenant", value)]
    }

    #[test]
    fn equal_sets_are_one_and_the_full_table_refuses() {
        // Static: what it holds is never given back.
        static SETS: LabelSets<64> = LabelSets::new();
        let names: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let intern = || -> Vec<_> { names.iter().map(|name| SETS.intern(&one(name))).collect() };
        let sets = intern();
        assert!(sets[..32].iter().all(Option::is_some));
        assert!(sets[32..].iter().all(Option::is_none));
        assert_eq!(intern(), sets);
        let distinct: HashSet<_> = sets[..32]
            .iter()
            .flatten()
            .map(|set| set.number())
            .collect();
        assert_eq!(distinct.len(), 32);
        for (name, set) in names.iter().zip(sets.into_iter().flatten()) {
            assert!(!set.is_empty() && !set.is_overflow());
            assert!(SETS.pairs(set).eq(one(name)));
            assert!(
                SETS.pairs(LabelSet::from_number(set.number()))
                    .eq(one(name))
            );
        }
        assert_eq!(SETS.intern(&[]), Some(LabelSet::NONE));
        assert_eq!(SETS.pairs(LabelSet::NONE).count(), 0);
        assert!(SETS.pairs(LabelSet::OVERFLOW).eq([OVERFLOW_LABEL]));
        assert_eq!(SETS.pairs(LabelSet::from_number(1 << 20)).count(), 0);
    }

    #[test]
    fn pairs_that_run_together_are_told_apart() {
        static SETS: LabelSets<64> = LabelSets::new();
        let sets: [&[Pair<'_>]; 6] = [
            &[("a", "bc")],
            &[("ab", "c")],
            &[("a", "b"), ("c", "")],
            &[("a", ""), ("b", "c")],
            &[("a", "b"), ("c", "d")],
            &[("a", "b")],
        ];
        let distinct: HashSet<_> = sets.iter().map(|set| SETS.intern(set)).collect();
        assert!(distinct.len() == sets.len() && !distinct.contains(&None));
    }

    #[test]
    fn a_label_that_is_missing_is_remembered() {
        let set = LabelSet::from_number(7);
        let missing = set.incomplete();
        assert!(missing.is_incomplete() && !set.is_incomplete());
        assert_eq!(missing.number(), set.number());
        assert!(LabelSet::OVERFLOW.incomplete().is_overflow());
        assert!(LabelSet::NONE.incomplete().is_empty());
        assert_eq!(set.as_incomplete_as(missing), missing);
        assert_eq!(set.as_incomplete_as(LabelSet::OVERFLOW), set);
    }

    #[test]
    fn threads_agree_on_numbers_and_on_how_many_fit() {
        const NAMES: usize = 60;
        static SETS: LabelSets<64> = LabelSets::new();
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                std::thread::spawn(move || {
                    // In another order each.
                    let names = (0..NAMES).map(|step| (step * 7 + worker * 11) % NAMES);
                    names
                        .filter_map(|name| Some((name, SETS.intern(&one(&name.to_string()))?)))
                        .collect::<BTreeMap<_, _>>()
                })
            })
            .collect();
        let mut all = BTreeMap::new();
        for worker in workers {
            for (name, set) in worker.join().expect("no panic") {
                assert_eq!(*all.entry(name).or_insert(set), set, "{name}");
            }
        }
        // A reservation given back may have turned another thread away: at rest
        // the table takes what is left of it.
        for name in 0..NAMES {
            if let Some(set) = SETS.intern(&one(&name.to_string())) {
                assert_eq!(*all.entry(name).or_insert(set), set, "{name}");
            }
        }
        assert_eq!(all.len(), 32);
        assert_eq!(SETS.count.load(Ordering::Relaxed), 32);
    }

    proptest! {
        /// Any sequence of labels agrees with a map of std.
        #[test]
        fn pairs_are_a_sorted_map(labels in prop::collection::vec(("[a-l]{1,2}", "[a-z]{0,3}"), 0..30)) {
            let mut pairs = Pairs::new();
            let mut model = BTreeMap::new();
            for (key, value) in &labels {
                let fits = model.contains_key(key.as_str()) || model.len() < MAX_LABELS;
                prop_assert_eq!(pairs.set(key, value), fits);
                if fits {
                    model.insert(key.as_str(), value.as_str());
                }
                prop_assert!(pairs.as_slice().iter().copied().eq(model.clone()));
            }
        }
    }
}
