//! What is published when things do not go their usual way: panics in the
//! program's own code, leaked iterators, changes behind the wrapper's back.

mod support;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use heaplens_maps::{Group, TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet};
use support::{group, traffic};

thread_local! {
    /// How many calls of the program's own code are left until one panics.
    static FUSE: Cell<Option<u32>> = const { Cell::new(None) };
}

fn burn() {
    if let Some(left) = FUSE.get() {
        FUSE.set(left.checked_sub(1));
        assert!(left > 0, "the program's own panic");
    }
}

/// Runs `f` with code that panics at its `calls + 1`st call. `true` if it did.
fn with_fuse(calls: u32, f: impl FnOnce()) -> bool {
    FUSE.set(Some(calls));
    let outcome = catch_unwind(AssertUnwindSafe(f));
    FUSE.set(None);
    outcome.is_err()
}

/// A key or value whose every operation may panic.
#[derive(Debug, PartialEq)]
struct Fragile(u32);

impl Eq for Fragile {}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}

impl PartialOrd for Fragile {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fragile {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        burn();
        self.0.cmp(&other.0)
    }
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        burn();
        Fragile(self.0)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            burn();
        }
    }
}

/// After each panic the published figures are those of the map, and what came
/// minus what went is what is there.
#[track_caller]
fn agrees(name: &str, len: usize) {
    let group = group(name);
    assert_eq!(group.entries, len as u64, "{group:?}");
    assert_eq!(group.inserts - group.removes, len as u64, "{group:?}");
}

fn fill(map: &mut TrackedHashMap<Fragile, Fragile>, keys: std::ops::Range<u32>) {
    for key in keys {
        map.insert(Fragile(key), Fragile(key));
    }
}

#[test]
fn a_hash_map_whose_program_panics() {
    const NAME: &str = "publishing-fragile-map";
    type Step = fn(&mut TrackedHashMap<Fragile, Fragile>);
    let steps: [(&str, Step); 10] = [
        ("insert", |map| fill(map, 20..60)),
        ("extend", |map| {
            map.extend((20..60).map(|key| (Fragile(key), Fragile(key))));
        }),
        ("remove", |map| {
            for key in 0..20 {
                map.remove(&Fragile(key));
            }
        }),
        ("retain", |map| {
            map.retain(|key, _| {
                burn();
                key.0 % 2 == 0
            });
        }),
        ("extract_if", |map| {
            let taken = map.extract_if(|key, _| {
                burn();
                key.0 % 2 == 0
            });
            taken.for_each(drop);
        }),
        ("clear", |map| map.clear()),
        ("drain", |map| map.drain().for_each(drop)),
        ("reserve", |map| map.reserve(1000)),
        ("shrink_to_fit", |map| {
            map.retain(|key, _| key.0 < 3);
            map.shrink_to_fit();
        }),
        ("clone_from", |map| {
            let mut other = TrackedHashMap::named("publishing-fragile-source");
            fill(&mut other, 0..7);
            map.clone_from(&other);
        }),
    ];
    for (what, step) in steps {
        let mut calls = 0;
        loop {
            let mut map = TrackedHashMap::named(NAME);
            fill(&mut map, 0..20);
            let panicked = with_fuse(calls, || step(&mut map));
            // The figures as they stood after the panic, not healed by a read.
            let shown = group(NAME);
            let len = map.len();
            assert_eq!(shown.entries, len as u64, "{what} at {calls}");
            let bytes_after = group(NAME).table_bytes;
            assert_eq!(shown.table_bytes, bytes_after, "{what} at {calls}");
            // The map goes on, and its figures with it.
            fill(&mut map, 100..150);
            agrees(NAME, map.len());
            drop(map);
            agrees(NAME, 0);
            if !panicked {
                break;
            }
            calls += 1;
        }
        assert!(calls > 0 || what == "reserve", "{what} never panicked");
    }
}

#[test]
fn a_tree_whose_program_panics() {
    const NAME: &str = "publishing-fragile-tree";
    const OTHER: &str = "publishing-fragile-appended";
    for calls in 0..200 {
        let mut tree = TrackedBTreeMap::named(NAME);
        let mut other = TrackedBTreeMap::named(OTHER);
        for key in 0..20 {
            tree.insert(Fragile(key), Fragile(key));
            other.insert(Fragile(key + 10), Fragile(key));
        }
        with_fuse(calls, || {
            tree.insert(Fragile(40), Fragile(1));
            tree.retain(|key, _| {
                burn();
                key.0 % 3 != 0
            });
            tree.pop_first();
            // Not split_off: a panic within it leaves std's own tree broken.
            tree.append(&mut other);
            tree.clear();
        });
        let shown = (group(NAME).entries, group(OTHER).entries);
        assert_eq!(shown, (tree.len() as u64, other.len() as u64), "at {calls}");
        drop((tree, other));
        agrees(NAME, 0);
        agrees(OTHER, 0);
    }
}

#[test]
fn a_leaked_drain_leaves_an_empty_map_with_a_new_table() {
    const NAME: &str = "publishing-leaked-drain";
    let mut map = TrackedHashMap::named(NAME);
    map.extend((0..1000u64).map(|key| (key, key)));
    let mut drain = map.drain();
    assert_eq!(drain.len(), 1000);
    drain.next();
    assert_eq!(traffic(NAME), (1, 0, 1000, 1000));
    std::mem::forget(drain);
    assert_eq!(map.len(), 0);
    map.insert(1, 1);
    let shown = group(NAME);
    assert_eq!(
        (shown.entries, shown.capacity),
        (1, 3),
        "a table of its own"
    );
    let mut set = TrackedHashSet::named("publishing-leaked-set-drain");
    set.extend(0..1000u64);
    std::mem::forget(set.drain());
    set.insert(1);
    assert_eq!(group("publishing-leaked-set-drain").capacity, 3);
}

#[test]
fn a_drain_gives_the_table_back() {
    const NAME: &str = "publishing-drain";
    let mut map = TrackedHashMap::named(NAME);
    map.extend((0..1000u64).map(|key| (key, key)));
    let before = group(NAME);
    assert_eq!(map.drain().take(10).count(), 10);
    let after = group(NAME);
    assert_eq!((after.entries, after.removes), (0, 1000));
    assert_eq!(after.capacity, before.capacity);
    assert_eq!(after.table_bytes, before.table_bytes);
    assert_eq!(after.resizes, before.resizes);
}

#[test]
fn what_is_done_through_an_entry_shows_with_the_next_call() {
    const NAME: &str = "publishing-entry";
    let mut map = TrackedHashMap::named(NAME);
    map.entry(1).or_insert(1);
    assert!(map.contains_key(&1));
    assert_eq!(traffic(NAME), (1, 1, 1, 0));
    *map.entry(2).or_insert(2) += 1;
    *map.entry(2).or_insert(2) += 1;
    map.entry(3).or_insert(3);
    assert_eq!(map.get(&2), Some(&4));
    assert_eq!(traffic(NAME), (1, 3, 3, 0));
    let mut tree = TrackedBTreeMap::named("publishing-tree-entry");
    tree.entry(1).or_insert(1);
    tree.entry(2).or_insert(2);
    assert_eq!(tree.len(), 2);
    assert_eq!(traffic("publishing-tree-entry"), (1, 2, 2, 0));
    if let Some(entry) = tree.first_entry() {
        entry.remove();
    }
    if let Some(entry) = tree.last_entry() {
        entry.remove();
    }
    assert!(tree.is_empty());
    // Without nodes it is no instance.
    assert_eq!(traffic("publishing-tree-entry"), (0, 0, 2, 2));
}

#[test]
fn what_is_done_through_std_s_type_shows_with_the_next_call() {
    fn foreign(map: &mut HashMap<u32, u32>, tree: &mut BTreeMap<u32, u32>) {
        map.extend((0..100).map(|key| (key, key)));
        tree.extend((0..100).map(|key| (key, key)));
    }
    let mut map = TrackedHashMap::named("publishing-deref-map");
    let mut tree = TrackedBTreeMap::named("publishing-deref-tree");
    foreign(&mut map, &mut tree);
    let shared = (&map, &tree);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!((shared.0.len(), shared.1.len()), (100, 100)));
        }
    });
    let shown = group("publishing-deref-map");
    assert_eq!(
        (shown.entries, shown.inserts, shown.capacity),
        (100, 100, 112)
    );
    assert_eq!(shown.table_bytes, 128 * 8 + 128 + 16);
    let shown = group("publishing-deref-tree");
    assert_eq!((shown.entries, shown.inserts), (100, 100));
    // Fewer, too.
    tree.values_mut().for_each(|value| *value += 1);
    let inner: &mut BTreeMap<u32, u32> = &mut tree;
    inner.clear();
    assert!(tree.is_empty());
    assert_eq!(traffic("publishing-deref-tree"), (0, 0, 100, 100));
    assert_eq!(group("publishing-deref-tree").table_bytes, 0);
}

#[test]
fn a_swapped_table_is_known_again_after_a_clear_or_shrink() {
    const NAME: &str = "publishing-swapped";
    let mut map = TrackedHashMap::named(NAME);
    map.extend((0..10_000u64).map(|key| (key, key)));
    let inner: &mut HashMap<u64, u64> = &mut map;
    *inner = HashMap::from([(1, 1)]);
    map.clear();
    assert_eq!(group(NAME).capacity, 3);
    map.extend((0..10_000u64).map(|key| (key, key)));
    let inner: &mut HashMap<u64, u64> = &mut map;
    *inner = HashMap::from([(1, 1)]);
    map.shrink_to(500);
    assert_eq!(group(NAME).capacity, 3, "smaller than what was asked for");
}

#[test]
fn moving_between_groups() {
    let mut map = TrackedHashMap::named("publishing-from");
    map.extend((0..100u32).map(|key| (key, key)));
    for key in 0..90 {
        map.remove(&key);
    }
    let before = group("publishing-from");
    let map = map.rename("publishing-to");
    assert_eq!(traffic("publishing-from"), (0, 0, 100, 100));
    let after = group("publishing-to");
    assert_eq!((after.instances, after.entries, after.inserts), (1, 10, 10));
    assert_eq!(after.capacity, before.capacity, "tombstones and all");
    assert_eq!(after.table_bytes, before.table_bytes);
    assert_eq!(map.group(), Group::named("publishing-to"));

    let mut clone = map.clone();
    assert_eq!(traffic("publishing-to"), (2, 20, 20, 0));
    let all = clone.take_all();
    assert_eq!((clone.len(), all.len()), (0, 10));
    assert_eq!(clone.group(), map.group());
    clone.insert(1, 1);
    assert_eq!(traffic("publishing-to"), (3, 21, 21, 0));
    let std: HashMap<u32, u32> = all.into_inner();
    assert_eq!((std.len(), traffic("publishing-to")), (10, (2, 11, 21, 10)));
    drop((map, clone));
    assert_eq!(traffic("publishing-to"), (0, 0, 21, 21));
}

#[test]
fn trees_append_and_split_within_and_between_groups() {
    let mut one = TrackedBTreeSet::named("publishing-one");
    let mut two = TrackedBTreeSet::named("publishing-two");
    one.extend(0..60);
    two.extend(40..100);
    one.append(&mut two);
    assert_eq!(traffic("publishing-one"), (1, 100, 100, 0));
    assert_eq!(traffic("publishing-two"), (0, 0, 60, 60));
    let upper = one.split_off(&70);
    assert_eq!(upper.len(), 30);
    assert_eq!(traffic("publishing-one"), (2, 100, 130, 30));
}

#[test]
fn a_sparse_table_shrinks_by_itself_whatever_emptied_it() {
    const NAME: &str = "publishing-auto-shrink";
    let mut map = TrackedHashMap::named(NAME).auto_shrink(true);
    let full = |map: &mut TrackedHashMap<u32, u32>| {
        map.extend((0..10_000).map(|key| (key, key)));
        assert_eq!(group(NAME).capacity, 14_336);
    };
    full(&mut map);
    for key in 0..9_990 {
        map.remove(&key);
    }
    let shown = group(NAME);
    assert_eq!(
        (shown.capacity, shown.shrinks),
        (7168, 1),
        "once, for 2,048 entries"
    );
    for key in 20_000..23_000 {
        map.insert(key, key);
        map.remove(&key);
    }
    let shown = group(NAME);
    assert_eq!((shown.capacity, shown.shrinks, shown.entries), (28, 2, 10));
    full(&mut map);
    map.retain(|key, _| *key < 10);
    map.insert(0, 0);
    assert_eq!(group(NAME).capacity, 28);
    full(&mut map);
    map.retain(|key, _| *key < 10);
    map.entry(0).or_insert(0);
    assert_eq!(group(NAME).capacity, 28);
    assert_eq!(map.len(), 10);

    let mut roomy = TrackedHashMap::with_capacity(10_000).auto_shrink(true);
    for key in 0..100_000 {
        roomy.insert(key, ());
        roomy.remove(&key);
    }
    assert!(roomy.capacity() >= 10_000, "what was asked for stays");
}

#[test]
fn a_group_of_empty_maps_is_known_after_others_took_its_slot() {
    let (empty, other) = ("publishing-empty", "publishing-after-empty");
    let mut map = TrackedHashMap::<u64, u64>::named(empty);
    map.reserve(1);
    drop(map);
    let filled = || {
        let mut map = TrackedHashMap::named(other);
        map.insert(1, 1);
        map
    };
    // The first one comes and goes, so that none waits for the empty one.
    drop(filled());
    let maps: Vec<_> = (0..200).map(|_| filled()).collect();
    let report = heaplens_maps::report();
    assert!(report.groups.iter().any(|group| group.name == empty));
    drop(maps);
}
