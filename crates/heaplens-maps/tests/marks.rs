//! Which heap samples carry the label of a collection: every allocation of this
//! program is sampled, so that what is held can be counted to the byte.

mod support;

use std::alloc::System;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heaplens_alloc::Alloc;
use heaplens_maps::{Group, TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet};
use support::group;

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

/// Samples everything from now on. One test at a time: the marks of one must
/// not depend on whether another has sampled blocks alive.
fn sample_all() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    heaplens_alloc::set_sample_interval(1);
    guard
}

/// Bytes of contents and of the table or nodes that carry the label.
#[track_caller]
fn held(name: &str) -> (u64, u64) {
    let group = group(name);
    (group.contents.bytes as u64, group.tables.bytes as u64)
}

/// A string that has exactly so many bytes on the heap.
fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[test]
fn a_hash_map_holds_what_is_in_it_and_lets_go_of_what_leaves() {
    const NAME: &str = "marks-hash-map";
    let _alone = sample_all();
    let mut map = TrackedHashMap::named(NAME);
    for key in 0..100 {
        map.insert(key, text(100));
    }
    assert_eq!(held(NAME), (10_000, group(NAME).table_bytes));

    let old = map.insert(0, text(50)).expect("was there");
    assert_eq!(
        held(NAME).0,
        9_950,
        "the replaced one is the program's again"
    );
    let removed = map.remove(&1).expect("was there");
    let (_, entry) = map.remove_entry(&2).expect("was there");
    assert_eq!(held(NAME).0, 9_750);
    drop((old, removed, entry));
    let extracted: Vec<_> = map.extract_if(|key, _| *key < 10).collect();
    assert_eq!((extracted.len(), held(NAME).0), (8, 9_000));
    map.retain(|key, _| *key < 50);
    assert_eq!(held(NAME).0, 4_000);

    map.entry(10).and_modify(|value| *value = text(10));
    *map.entry(1000).or_insert_with(|| text(0)) = text(20);
    map.get_mut(&11).expect("is there").push_str(&text(200));
    let rest: Vec<_> = map.drain().collect();
    assert_eq!((rest.len(), held(NAME).0), (41, 0), "drained ones live on");
    assert_eq!(held(NAME).1, group(NAME).table_bytes);

    map.extend(rest);
    let (contents, table) = held(NAME);
    assert_eq!(table, group(NAME).table_bytes);
    assert!(contents >= 4_000 - 300, "{contents}");
    map.shrink_to_fit();
    assert_eq!(held(NAME).1, group(NAME).table_bytes);
    let std = map.into_inner();
    assert_eq!((std.len(), held(NAME).0), (41, 0));
    let map = TrackedHashMap::from_inner(std).rename(NAME);
    assert_eq!(held(NAME), (contents, group(NAME).table_bytes));
    drop(map);
    assert_eq!(held(NAME), (0, 0));
}

#[test]
fn a_table_that_grew_behind_the_wrapper_is_held_too() {
    const NAME: &str = "marks-behind";
    let _alone = sample_all();
    let mut map = TrackedHashMap::named(NAME);
    for key in 0..1000u64 {
        map.entry(key).or_insert(key);
    }
    assert_eq!(map.len(), 1000);
    assert_eq!(held(NAME), (0, group(NAME).table_bytes));
    let inner: &mut std::collections::HashMap<u64, u64> = &mut map;
    inner.extend((0..10_000).map(|key| (key, key)));
    assert_eq!(map.len(), 10_000);
    assert_eq!(held(NAME), (0, group(NAME).table_bytes));
}

#[test]
fn clones_hold_their_own() {
    const NAME: &str = "marks-clones";
    let _alone = sample_all();
    let set: TrackedHashSet<_> = (1..=100).map(text).collect();
    let mut set = set.rename(NAME);
    let clone = set.clone();
    assert_eq!(held(NAME), (2 * 5050, group(NAME).table_bytes));
    assert!(
        set.take(text(100).as_str())
            .is_some_and(|taken| taken.len() == 100)
    );
    assert_eq!(held(NAME).0, 2 * 5050 - 100);
    set.clone_from(&clone);
    assert_eq!(held(NAME), (2 * 5050, group(NAME).table_bytes));
    drop(clone);
    assert_eq!(held(NAME), (5050, group(NAME).table_bytes));
    set.retain(|value| value.len() <= 10);
    assert_eq!(held(NAME).0, 55);
    assert!(set.replace(text(7)).is_some());
    assert_eq!(held(NAME).0, 55);
    let ten: Vec<_> = set.extract_if(|value| value.len() == 10).collect();
    assert_eq!((ten.len(), held(NAME).0), (1, 45));
    set.drain().for_each(drop);
    assert_eq!(held(NAME).0, 0);
}

#[test]
fn a_tree_holds_its_nodes_and_what_is_in_them() {
    const NAME: &str = "marks-tree";
    let _alone = sample_all();
    // Some sample must be alive before a tree looks whether any is.
    let _first = text(1);
    let mut tree = TrackedBTreeMap::named(NAME);
    for key in 0..100u64 {
        tree.insert(key, text(100));
    }
    // Five to eleven entries a leaf of 8 + 24 bytes each.
    let (contents, nodes) = held(NAME);
    assert_eq!(contents, 10_000);
    let leaf = 11 * 32 + 16;
    assert!(
        (100 / 11 * leaf..=100 / 5 * (leaf + 96)).contains(&nodes),
        "{nodes}"
    );
    let clone = tree.clone();
    assert_eq!(held(NAME).0, 20_000);
    assert!(held(NAME).1 > nodes + nodes / 2);
    drop(clone);
    assert_eq!(held(NAME), (contents, nodes));

    let first = tree.pop_first();
    let last = tree.pop_last();
    let removed = (tree.remove(&50), tree.remove_entry(&51));
    assert_eq!(held(NAME).0, 9_600);
    drop((first, last, removed));
    tree.retain(|key, _| *key < 50);
    assert_eq!(held(NAME).0, 4_900);
    let mut upper = tree.split_off(&20);
    assert_eq!(held(NAME).0, 4_900);
    let mut other = TrackedBTreeMap::named("marks-tree-other");
    other.insert(1000, text(10));
    other.append(&mut upper);
    assert_eq!((held(NAME).0, held("marks-tree-other").0), (1_900, 3_010));
    assert!(held("marks-tree-other").1 > 0, "its nodes are new");
    other.clear();
    assert_eq!(held("marks-tree-other").0, 0);
    let inner = tree.into_inner();
    assert_eq!((inner.len(), held(NAME).0), (19, 0));

    let mut set = TrackedBTreeSet::in_group(Group::named("marks-tree-set"));
    set.extend((1..=9).map(text));
    assert!(set.replace(text(9)).is_some());
    assert_eq!(held("marks-tree-set").0, 45);
    assert!(set.take(text(9).as_str()).is_some());
    assert!(set.pop_last().is_some());
    assert_eq!(held("marks-tree-set").0, 28);
    assert_eq!(held("marks-tree-set").1, 11 * 24 + 16, "one leaf");
}

#[test]
fn a_shared_block_that_is_put_back_is_found_by_a_look_at_all() {
    const NAME: &str = "marks-shared";
    let _alone = sample_all();
    let shared = Arc::new([0u8; 1000]);
    let mut map = TrackedHashMap::named(NAME);
    map.insert(1, Arc::clone(&shared));
    let size = 1000 + 16;
    assert_eq!(held(NAME).0, size);
    // The new value is the old one: releasing the one released the other.
    map.insert(1, Arc::clone(&shared));
    assert!([0, size].contains(&held(NAME).0));
    // Within ten seconds of the clock at most; the first look is always due.
    map.values_mut().for_each(drop);
    assert_eq!(held(NAME).0, size);
}

#[test]
fn nested_blocks_count_in_full_where_the_map_makes_the_value() {
    const NAME: &str = "marks-nested";
    let _alone = sample_all();
    let nested = || -> Vec<String> { (0..10).map(|_| text(100)).collect() };
    let mut map = TrackedHashMap::named(NAME);
    map.insert(1, nested());
    assert_eq!(
        held(NAME).0,
        10 * 24,
        "only what the value itself points at"
    );
    map.insert_with(2, nested);
    assert_eq!(held(NAME).0, 2 * 10 * 24 + 1000);
    let mut tree = TrackedBTreeMap::named("marks-nested-tree");
    tree.insert_with(2, nested);
    assert_eq!(held("marks-nested-tree").0, 10 * 24 + 1000);
}
