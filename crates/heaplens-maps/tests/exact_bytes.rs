//! What adapters and sizers say of bytes, held against what an allocator was
//! asked for.
#![cfg(all(
    feature = "dashmap",
    feature = "lru",
    feature = "mem_dbg",
    feature = "quick_cache",
    feature = "scc"
))]

mod support;

use std::collections::{BTreeMap, BinaryHeap, HashMap, LinkedList, VecDeque};

use heaplens_maps::{Group, GroupReport, MapMetrics, TrackedHashMap};
use support::counting::{Counting, bytes_of};
use support::group;

#[global_allocator]
static ALLOC: Counting = Counting;

/// What a container tells, and what it took. Within `low` and `high` of the
/// truth.
fn check<M: MapMetrics>(what: &str, low: f64, high: f64, make: impl FnOnce() -> M) {
    let (container, truth) = bytes_of(make);
    let told = container.table_bytes().expect("it tells") as f64;
    let truth = truth as f64;
    assert!(truth > 10_000.0, "{what}: too little to prove anything");
    assert!(
        (low * truth..=high * truth).contains(&told),
        "{what}: {told} of {truth}"
    );
}

#[test]
fn std_collections() {
    check("vec", 1.0, 1.0, || (0..5000u32).collect::<Vec<_>>());
    check("deque", 1.0, 1.0, || (0..5000u32).collect::<VecDeque<_>>());
    check("heap", 1.0, 1.0, || (0..5000u32).collect::<BinaryHeap<_>>());
    check("list", 1.0, 1.0, || (0..5000u32).collect::<LinkedList<_>>());
    check("hash map", 1.0, 1.0, || {
        (0..5000u32).map(|id| (id, id)).collect::<HashMap<_, _>>()
    });
    check("tree", 0.7, 1.6, || {
        (0..5000u32).map(|id| (id, id)).collect::<BTreeMap<_, _>>()
    });
}

#[test]
fn maps_of_other_crates() {
    let shards = 4 * 128;
    check("dashmap", 0.99, 1.0, || {
        let mut map = dashmap::DashMap::with_shard_amount(4);
        map.extend((0..50_000u64).map(|id| (id, [id; 3])));
        // Not in the figure: the array of the shards.
        assert!(size_of_val(map.shards()) <= shards);
        map
    });
    for entries in [5000u64, 20_000, 100_000] {
        check("scc", 0.85, 1.01, || {
            let map = scc::HashMap::new();
            (0..entries).for_each(|id| map.insert_sync(id, [id; 2]).expect("is new"));
            map
        });
        check("scc index", 0.85, 1.01, || {
            let map = scc::HashIndex::new();
            (0..entries).for_each(|id| map.insert_sync(id, [id; 2]).expect("is new"));
            map
        });
        check("scc cache", 0.85, 1.01, || {
            let map = scc::HashCache::with_capacity(0, 1 << 20);
            for id in 0..entries {
                map.put_sync(id, [id; 2]).expect("is new");
            }
            map
        });
    }
    check("lru", 0.8, 1.0, || {
        let mut cache = lru::LruCache::unbounded();
        for id in 0..5000u64 {
            cache.put(id, [id; 3]);
        }
        cache
    });
    check("quick_cache", 0.5, 1.0, || {
        let mut cache = quick_cache::unsync::Cache::new(5000);
        (0..5000u64).for_each(|id| cache.insert(id, [id; 3]));
        cache
    });
}

#[test]
fn a_group_with_sizers_is_exact() {
    let name = "exact-bytes";
    let _ = Group::named(name);
    // A slot is taken from memory of its own, which the first map pays for.
    let _first: TrackedHashMap<u8, u8> = TrackedHashMap::with_capacity(1);
    let (mut map, truth) = bytes_of(|| {
        let mut map = TrackedHashMap::named(name).with_mem_dbg();
        for id in 0..3000u32 {
            let mut log: Vec<String> = Vec::with_capacity(4);
            log.extend((0..id % 4).map(|text| "x".repeat(text as usize * 11 + 1)));
            map.insert(format!("session {id}"), log);
        }
        map
    });
    let shown = group(name);
    let exact = |group: GroupReport, bytes: u64| {
        group.heap_bytes().to_bits() == (bytes as f64).to_bits()
            && group.heap_bytes_error().to_bits() == 0
    };
    assert!(exact(shown, truth));
    let ((), more) = bytes_of(|| {
        for id in 0..3000u32 {
            map.update(format!("session {id}").as_str(), |log| {
                log.push("y".repeat(500));
            });
        }
    });
    assert!(exact(group(name), truth + more));
}
