//! The maps of indexmap and hashbrown, held against the originals after random
//! operations, and their bytes against what an allocator was asked for.
#![cfg(all(feature = "indexmap", feature = "hashbrown"))]

mod support;

use hashbrown::HashMap;
use heaplens_maps::{Group, GroupReport, TrackedHashbrownMap, TrackedIndexMap, TrackedIndexSet};
use indexmap::{IndexMap, IndexSet};
use proptest::prelude::*;
use support::counting::{Counting, bytes_of};
use support::{find, group};

#[global_allocator]
static ALLOC: Counting = Counting;

/// What was counted before, since one name serves many cases.
fn before(name: &str) -> (u64, u64) {
    find(name).map_or((0, 0), |group| (group.inserts, group.removes))
}

/// Expects entries and traffic after each step of a case.
struct Expected {
    name: &'static str,
    before: (u64, u64),
    len: usize,
    inserts: u64,
    removes: u64,
}

impl Expected {
    fn new(name: &'static str) -> Self {
        Expected {
            name,
            before: before(name),
            len: 0,
            inserts: 0,
            removes: 0,
        }
    }

    /// After one operation, which only added or only removed.
    fn step(&mut self, len: usize) -> Result<GroupReport, TestCaseError> {
        self.inserts += len.saturating_sub(self.len) as u64;
        self.removes += self.len.saturating_sub(len) as u64;
        self.len = len;
        let Some(shown) = find(self.name) else {
            prop_assert_eq!(len, 0);
            return Ok(GroupReport::default());
        };
        prop_assert_eq!(shown.entries, len as u64);
        prop_assert_eq!(shown.inserts - self.before.0, self.inserts);
        prop_assert_eq!(shown.removes - self.before.1, self.removes);
        Ok(shown)
    }
}

type Step = (u8, u16, u16);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0u8..24, 0u16..300, 0u16..300), 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_hashbrown_map_is_the_map(steps in steps()) {
        let mut expected = Expected::new("kin-hashbrown");
        let mut plain: HashMap<u16, u16> = HashMap::new();
        let mut map: TrackedHashbrownMap<u16, u16> = TrackedHashbrownMap::named("kin-hashbrown");
        for (kind, a, b) in steps {
            match kind {
                0..8 => prop_assert_eq!(map.insert(a, b), plain.insert(a, b)),
                8..11 => prop_assert_eq!(map.remove(&a), plain.remove(&a)),
                11 => prop_assert_eq!(map.remove_entry(&a), plain.remove_entry(&a)),
                12 => prop_assert_eq!(map.try_insert(a, b).is_ok(), plain.try_insert(a, b).is_ok()),
                13 => {
                    *map.entry(a).or_insert(b) += 1;
                    *plain.entry(a).or_insert(b) += 1;
                    prop_assert_eq!(map.len(), plain.len());
                }
                14 => {
                    map.entry_ref(&a).or_insert(b);
                    plain.entry_ref(&a).or_insert(b);
                    prop_assert!(map.contains_key(&a));
                }
                15 => {
                    map.retain(|key, _| key % 3 != a % 3);
                    plain.retain(|key, _| key % 3 != a % 3);
                }
                16 => {
                    let taken = map.extract_if(|key, _| key % 5 == a % 5).count();
                    prop_assert_eq!(taken, plain.extract_if(|key, _| key % 5 == a % 5).count());
                }
                17 => {
                    map.shrink_to(usize::from(b));
                    plain.shrink_to(usize::from(b));
                }
                18 => {
                    map.reserve(usize::from(b));
                    plain.reserve(usize::from(b));
                }
                19 => {
                    map.extend((0..a).map(|key| (key, b)));
                    plain.extend((0..a).map(|key| (key, b)));
                }
                20 if a % 4 == 0 => {
                    prop_assert_eq!(map.drain().count(), plain.drain().count());
                }
                21 if a % 4 == 0 => {
                    map.clear();
                    plain.clear();
                }
                22 => prop_assert_eq!(map.get_mut(&a), plain.get_mut(&a)),
                23 => {
                    // Another table, which the wrapper did not see being made.
                    *map = HashMap::with_capacity(usize::from(b));
                    plain.clear();
                    map.get_mut(&a);
                }
                _ => {}
            }
            let shown = expected.step(plain.len())?;
            prop_assert!(map == plain);
            prop_assert_eq!(shown.table_bytes, map.allocation_size() as u64);
            prop_assert!(shown.capacity >= map.capacity() as u64);
        }
    }

    #[test]
    fn an_index_map_is_the_map(steps in steps()) {
        let mut expected = Expected::new("kin-indexmap");
        let mut plain: IndexMap<u16, u16> = IndexMap::new();
        let mut map: TrackedIndexMap<u16, u16> = TrackedIndexMap::named("kin-indexmap");
        for (kind, a, b) in steps {
            let place = usize::from(a) % (plain.len() + 1);
            match kind {
                0..5 => prop_assert_eq!(map.insert(a, b), plain.insert(a, b)),
                5 => prop_assert_eq!(map.insert_full(a, b), plain.insert_full(a, b)),
                6 => prop_assert_eq!(map.insert_sorted(a, b), plain.insert_sorted(a, b)),
                7 => prop_assert_eq!(map.insert_before(place, a, b), plain.insert_before(place, a, b)),
                8 => prop_assert_eq!(map.swap_remove(&a), plain.swap_remove(&a)),
                9 => prop_assert_eq!(map.shift_remove_full(&a), plain.shift_remove_full(&a)),
                10 => prop_assert_eq!(map.pop(), plain.pop()),
                11 => prop_assert_eq!(
                    map.shift_remove_index(place),
                    plain.shift_remove_index(place)
                ),
                12 => {
                    map.truncate(place);
                    plain.truncate(place);
                }
                13 => {
                    let drained: Vec<_> = map.drain(place..).collect();
                    prop_assert_eq!(drained, plain.drain(place..).collect::<Vec<_>>());
                }
                14 => {
                    let taken = map.extract_if(..place, |_, value| *value % 2 == 0).count();
                    prop_assert_eq!(taken, plain.extract_if(..place, |_, value| *value % 2 == 0).count());
                }
                15 => {
                    map.retain(|key, _| key % 3 != a % 3);
                    plain.retain(|key, _| key % 3 != a % 3);
                }
                16 => {
                    *map.entry(a).or_insert(b) += 1;
                    *plain.entry(a).or_insert(b) += 1;
                    prop_assert_eq!(map.len(), plain.len());
                }
                17 => {
                    map.shrink_to(usize::from(b));
                    plain.shrink_to(usize::from(b));
                }
                18 => {
                    map.reserve(usize::from(b));
                    plain.reserve(usize::from(b));
                }
                19 => {
                    map.extend((0..a).map(|key| (key, b)));
                    plain.extend((0..a).map(|key| (key, b)));
                }
                20 => {
                    let rest = map.split_off(place).into_inner();
                    prop_assert_eq!(rest, plain.split_off(place));
                    // What left this map came into another of the group, and
                    // left that one.
                    let gone = expected.len - plain.len();
                    expected.inserts += gone as u64;
                    expected.removes += gone as u64;
                }
                21 => {
                    let mut other: IndexMap<u16, u16> = (0..b).map(|key| (key, a)).collect();
                    map.append(&mut other.clone());
                    plain.append(&mut other);
                }
                22 => {
                    map.sort_keys();
                    plain.sort_keys();
                }
                _ if a % 4 == 0 => {
                    map.clear();
                    plain.clear();
                }
                _ => {}
            }
            let shown = expected.step(plain.len())?;
            prop_assert!(map == plain && map.as_slice() == plain.as_slice());
            prop_assert!(shown.capacity >= map.capacity() as u64);
        }
    }

    #[test]
    fn an_index_set_is_the_set(steps in steps()) {
        let mut expected = Expected::new("kin-indexset");
        let mut plain: IndexSet<u16> = IndexSet::new();
        let mut set: TrackedIndexSet<u16> = TrackedIndexSet::named("kin-indexset");
        for (kind, a, b) in steps {
            let place = usize::from(a) % (plain.len() + 1);
            match kind {
                0..6 => prop_assert_eq!(set.insert(a), plain.insert(a)),
                6 => prop_assert_eq!(set.insert_sorted(a), plain.insert_sorted(a)),
                7 => prop_assert_eq!(set.insert_before(place, a), plain.insert_before(place, a)),
                8 => prop_assert_eq!(set.replace_full(a), plain.replace_full(a)),
                9..12 => prop_assert_eq!(set.swap_remove(&a), plain.swap_remove(&a)),
                12 => prop_assert_eq!(set.shift_remove_full(&a), plain.shift_remove_full(&a)),
                13 => prop_assert_eq!(set.pop(), plain.pop()),
                14 => {
                    set.truncate(place);
                    plain.truncate(place);
                }
                15 => prop_assert_eq!(set.drain(..place).count(), plain.drain(..place).count()),
                16 => {
                    let taken = set.extract_if(place.., |value| value % 2 == 0).count();
                    prop_assert_eq!(taken, plain.extract_if(place.., |value| value % 2 == 0).count());
                }
                17 => {
                    set.retain(|value| value % 3 != a % 3);
                    plain.retain(|value| value % 3 != a % 3);
                }
                18 => {
                    set.shrink_to(usize::from(b));
                    plain.shrink_to(usize::from(b));
                }
                19 => {
                    set.extend(0..a);
                    plain.extend(0..a);
                }
                _ if a % 4 == 0 => {
                    set.clear();
                    plain.clear();
                }
                _ => {}
            }
            let shown = expected.step(plain.len())?;
            prop_assert!(set == plain && set.as_slice() == plain.as_slice());
            prop_assert!(shown.capacity >= set.capacity() as u64);
        }
    }
}

/// A map that grows shows at each size what the allocator was asked for.
fn grows<M>(name: &str, mut map: M, mut insert: impl FnMut(&mut M, u32)) {
    let mut bytes = 0isize;
    let _ = Group::named(name);
    for id in 0..5000 {
        let before = support::counting::bytes();
        insert(&mut map, id);
        bytes += support::counting::bytes() - before;
        if id.is_power_of_two() || id % 997 == 0 {
            assert_eq!(group(name).table_bytes, bytes as u64, "{name} at {id}");
        }
    }
}

#[test]
fn bytes_are_what_was_asked_for() {
    // A slot is taken from memory of its own, which the first map pays for.
    let _first = TrackedIndexMap::<u8, u8>::with_capacity(1);
    grows(
        "kin-bytes-a",
        TrackedHashbrownMap::named("kin-bytes-a"),
        |map, id| {
            map.insert(id, [id; 5]);
        },
    );
    grows(
        "kin-bytes-b",
        TrackedIndexMap::named("kin-bytes-b"),
        |map, id| {
            map.insert(id, [id; 5]);
        },
    );
    grows(
        "kin-bytes-c",
        TrackedIndexMap::named("kin-bytes-c"),
        |map, id| {
            map.insert(u64::from(id), ());
        },
    );
    grows(
        "kin-bytes-d",
        TrackedIndexSet::named("kin-bytes-d"),
        |set, id| {
            set.insert(id as u16);
        },
    );
}

#[test]
fn shrinking_and_reserving_too() {
    let _first = TrackedIndexMap::<u8, u8>::with_capacity(1);
    let _ = Group::named("kin-shrinks");
    let (mut map, made) = bytes_of(|| {
        let mut map: TrackedIndexMap<u32, u64> = TrackedIndexMap::named("kin-shrinks");
        map.reserve_exact(1000);
        map
    });
    assert_eq!(group("kin-shrinks").table_bytes, made);
    for (entries, room) in [(900, 0), (900, 950), (100, 120), (7, 0), (0, 0)] {
        map.extend((0..900).map(|id| (id, 0)));
        while map.len() > entries {
            map.swap_remove_index(map.len() / 2);
        }
        let before = support::counting::bytes();
        let shown = group("kin-shrinks").table_bytes;
        map.shrink_to(room);
        let freed = before - support::counting::bytes();
        let after = group("kin-shrinks").table_bytes;
        assert_eq!(
            shown - after,
            freed as u64,
            "{entries} entries, room for {room}"
        );
        map.clear();
    }
}

#[test]
fn a_map_that_was_full_of_tombstones_is_known_by_hashbrown() {
    let mut plain: HashMap<u32, u32> = (0..14_336).map(|id| (id, id)).collect();
    plain.retain(|id, _| id % 100 == 0);
    let bytes = plain.allocation_size() as u64;
    assert!(plain.capacity() < 7000, "else this proves nothing");
    let mut map = TrackedHashbrownMap::from_inner(plain).rename("kin-tombstones");
    map.insert(7, 7);
    assert_eq!(group("kin-tombstones").table_bytes, bytes);
    let clone = map.clone();
    assert_eq!(group("kin-tombstones").table_bytes, 2 * bytes);
    drop(clone);
    map.shrink_to_fit();
    assert_eq!(
        group("kin-tombstones").table_bytes,
        map.allocation_size() as u64
    );
}

/// Nothing is lost to the wrapper that the originals have.
mod as_the_originals {
    use std::cell::RefCell;
    use std::panic::{RefUnwindSafe, UnwindSafe};
    use std::sync::Mutex;

    use heaplens_maps::{TrackedHashbrownMap, TrackedIndexMap, TrackedIndexSet};
    use indexmap::IndexMap;

    type State = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

    static INDEX: Mutex<TrackedIndexMap<u8, u8, State>> = Mutex::new(
        TrackedIndexMap::named_with_hasher("kin-static", State::new()),
    );
    static SET: Mutex<TrackedIndexSet<u8, State>> =
        Mutex::new(TrackedIndexSet::with_hasher(State::new()));
    static BROWN: Mutex<TrackedHashbrownMap<u8, u8, State>> = Mutex::new(
        TrackedHashbrownMap::named_with_hasher("kin-static", State::new()),
    );

    fn _covariant<'short>(
        map: TrackedIndexMap<&'static str, &'static str>,
        brown: TrackedHashbrownMap<&'static str, &'static str>,
        set: TrackedIndexSet<&'static str>,
    ) -> (
        TrackedIndexMap<&'short str, &'short str>,
        TrackedHashbrownMap<&'short str, &'short str>,
        TrackedIndexSet<&'short str>,
    ) {
        (map, brown, set)
    }

    fn crosses<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>(_: &T) {}

    #[test]
    fn statics_and_auto_traits() {
        INDEX.lock().unwrap().insert(1, 1);
        SET.lock().unwrap().insert(1);
        BROWN.lock().unwrap().insert(1, 1);
        assert!(super::group("kin-static").instances >= 2);
        crosses(&TrackedIndexMap::<u8, u8>::new());
        crosses(&TrackedIndexSet::<u8>::new());
        crosses(&TrackedHashbrownMap::<u8, u8>::new());
    }

    #[test]
    fn contents_may_end_first() {
        // Compiles only if dropping the map does not count as a use of what is
        // in it. With hashbrown's own map that is so on nightly only.
        let mut map = TrackedIndexMap::new();
        let mut set = TrackedIndexSet::new();
        let (value, number) = (RefCell::new(1), 2);
        map.insert(1, &value);
        set.insert(&number);
    }

    #[test]
    fn conversions() {
        let map = TrackedIndexMap::from([(1, "a"), (2, "b")]);
        assert_eq!((map[&1], map[1]), ("a", "b"));
        assert_eq!(map, IndexMap::from([(2, "b"), (1, "a")]));
        let plain: IndexMap<_, _> = map.clone().into();
        assert_eq!(TrackedIndexMap::from(plain), map);
        let mut other = map.clone();
        other[&1] = "c";
        other.clone_from(&map);
        assert_eq!(other, map);
        let keys: Vec<_> = map.into_keys().collect();
        assert_eq!(keys, [1, 2]);
        let set: TrackedIndexSet<_> = keys.into_iter().collect();
        assert_eq!((&set | &TrackedIndexSet::from([3])).len(), 3);
        let brown = TrackedHashbrownMap::from([(1, "a")]);
        assert_eq!((brown[&1], brown.into_values().next()), ("a", Some("a")));
    }
}
