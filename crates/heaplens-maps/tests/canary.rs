//! Nothing of a key or a value ever leaves the program: not in a report, not in
//! a group's name, not in a label, from whatever container.

mod support;

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::sync::{Arc, Mutex, RwLock};

use heaplens_alloc::Alloc;
use heaplens_maps::{
    Figures, MapMetrics, Tracked, TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet,
    probe, probe_owned, probe_with, report,
};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

/// Unmistakable as text, as bytes and as a number.
const TEXT: &str = "kanarienvogel-7f3a91";
const NUMBER: u64 = 0x7e57_ab1e_c0de_f00d;

fn text(id: usize) -> String {
    format!("{TEXT}-{id}")
}

fn entries() -> impl Iterator<Item = (String, String)> {
    (0..200).map(|id| (text(id), text(id)))
}

fn numbers() -> impl Iterator<Item = (u64, u64)> {
    (0..200).map(|id| (NUMBER + id, NUMBER + id))
}

/// Everything by which the program can be read from outside.
fn everything(least_labels: usize) -> String {
    let report = report();
    assert!(report.groups.len() > 6, "else this proves nothing");
    let labels = heaplens_alloc::snapshot().labels;
    assert!(
        labels.len() > least_labels,
        "else this proves nothing: {labels:?}"
    );
    format!(
        "{report:?} {report:#?} {labels:?} {:?}",
        heaplens_alloc::holder::held()
    )
}

fn assert_silent(least_labels: usize) {
    let shown = everything(least_labels);
    let bytes: Vec<String> = TEXT.bytes().map(|byte| byte.to_string()).collect();
    for trace in [
        TEXT.to_owned(),
        TEXT.get(..8).expect("ASCII").to_owned(),
        TEXT.get(10..).expect("ASCII").to_owned(),
        bytes.join(", "),
        bytes.get(..4).expect("longer").join(", "),
        // Without the last digits, which the entries differ in.
        (NUMBER / 1000).to_string(),
        format!("{:x}", NUMBER >> 12),
        format!("{:X}", NUMBER >> 12),
    ] {
        assert!(!shown.contains(&trace), "{trace} is shown");
    }
}

/// Fails when it is asked, and says what it holds.
struct Talkative(String);

impl MapMetrics for Talkative {
    fn entries(&self) -> Option<u64> {
        panic!("{}", self.0)
    }
}

#[test]
fn no_container_tells_what_is_in_it() {
    heaplens_alloc::set_sample_interval(1);

    // With a name, and with none: the name is then where it was made.
    let map: TrackedHashMap<_, _> = entries().collect();
    let mut named = TrackedHashMap::named("canary-map");
    named.extend(numbers());
    let mut entry = named.clone();
    entry.entry(NUMBER).or_default();
    let set: TrackedHashSet<_> = entries().map(|(key, _)| key).collect();
    let tree: TrackedBTreeMap<_, _> = entries().collect();
    let tree_set: TrackedBTreeSet<_> = numbers().map(|(key, _)| key).collect();
    let sized =
        TrackedHashMap::named("canary-sized").with_sizer(|key: &String, _: &String| key.len());
    let mut sized = sized;
    sized.extend(entries());
    let vec: Tracked<Vec<String>> = entries().map(|(key, _)| key).collect();
    let list: Tracked<LinkedList<String>> = entries().map(|(key, _)| key).collect();
    let heap: Tracked<BinaryHeap<u64>> = numbers().map(|(key, _)| key).collect();

    let shared = Arc::new(RwLock::new(entries().collect::<HashMap<_, _>>()));
    probe("canary-probe", &shared);
    let queue = Arc::new(Mutex::new(entries().collect::<VecDeque<_>>()));
    probe_with("canary-probe-with", &queue, |queue| {
        let queue = queue.try_lock().ok()?;
        Some(Figures::of_entries(queue.len() as u64))
    });
    let trees = (
        probe_owned("canary-tree", entries().collect::<BTreeMap<_, _>>()),
        probe_owned("canary-tree-set", entries().collect::<BTreeSet<_>>()),
        probe_owned("canary-set", entries().collect::<HashSet<_>>()),
        probe_owned("canary-talkative", Talkative(text(0))),
    );
    #[cfg(all(feature = "indexmap", feature = "hashbrown"))]
    let kin = {
        use heaplens_maps::{TrackedHashbrownMap, TrackedIndexMap, TrackedIndexSet};
        (
            entries().collect::<TrackedIndexMap<_, _>>(),
            entries().collect::<TrackedIndexSet<_>>(),
            entries().collect::<TrackedHashbrownMap<_, _>>(),
        )
    };
    #[cfg(feature = "cache")]
    let cache = {
        let cache = heaplens_maps::TrackedCache::named("canary-cache", 50);
        for (key, value) in entries() {
            cache.insert(key.clone(), value);
            let _ = cache.get(&key);
        }
        cache.run_pending_tasks();
        assert!(!format!("{cache:?}").contains(TEXT));
        cache
    };
    let others = others::all();

    assert_silent(if cfg!(feature = "cache") { 4 } else { 2 });
    assert_eq!(support::group("canary-probe").entries, 200);
    drop((
        map, named, entry, set, tree, tree_set, sized, vec, list, heap,
    ));
    drop((shared, queue, trees, others));
    #[cfg(all(feature = "indexmap", feature = "hashbrown"))]
    drop(kin);
    #[cfg(feature = "cache")]
    drop(cache);
    assert_silent(0);
    heaplens_alloc::set_sample_interval(0);
}

/// The containers of other crates.
mod others {
    use std::any::Any;

    /// All of them, in reports while this is kept.
    pub(crate) fn all() -> Vec<Box<dyn Any>> {
        let mut all: Vec<Box<dyn Any>> = Vec::new();
        maps(&mut all);
        caches(&mut all);
        all
    }

    #[cfg(all(
        feature = "dashmap",
        feature = "papaya",
        feature = "scc",
        feature = "lru"
    ))]
    fn maps(all: &mut Vec<Box<dyn Any>>) {
        use heaplens_maps::{Tracked, probe_owned};

        use super::{entries, numbers};

        let map: dashmap::DashMap<_, _> = entries().collect();
        all.push(Box::new(probe_owned("canary-dashmap", map)));
        let map: papaya::HashMap<_, _> = numbers().collect();
        all.push(Box::new(probe_owned("canary-papaya", map)));
        let map: scc::HashMap<u64, u64> = scc::HashMap::new();
        for (key, value) in numbers() {
            map.insert_sync(key, value).expect("is new");
        }
        all.push(Box::new(probe_owned("canary-scc", map)));
        let mut cache = Tracked::named("canary-lru", lru::LruCache::unbounded());
        for (key, value) in entries() {
            cache.put(key, value);
        }
        all.push(Box::new(cache));
    }

    #[cfg(not(all(
        feature = "dashmap",
        feature = "papaya",
        feature = "scc",
        feature = "lru"
    )))]
    fn maps(_: &mut Vec<Box<dyn Any>>) {}

    #[cfg(all(
        feature = "moka",
        feature = "mini-moka",
        feature = "quick_cache",
        feature = "cached"
    ))]
    fn caches(all: &mut Vec<Box<dyn Any>>) {
        use cached::Cached;
        use heaplens_maps::{Group, Tracked, moka::listener, probe_owned};

        use super::entries;

        let cache = moka::sync::Cache::builder()
            .name(super::TEXT)
            .max_capacity(20)
            .eviction_listener(listener(Group::named("canary-moka")))
            .build();
        let mini = mini_moka::sync::Cache::new(1000);
        let quick = quick_cache::sync::Cache::new(100);
        let store = cached::UnboundCache::builder()
            .build()
            .expect("nothing to go wrong");
        let mut store = Tracked::named("canary-cached", store);
        for (key, value) in entries() {
            cache.insert(key.clone(), value.clone());
            mini.insert(key.clone(), value.clone());
            quick.insert(key.clone(), value.clone());
            store.cache_set(key, value);
        }
        all.push(Box::new(probe_owned("canary-moka", cache)));
        all.push(Box::new(probe_owned("canary-mini-moka", mini)));
        all.push(Box::new(probe_owned("canary-quick", quick)));
        all.push(Box::new(store));
    }

    #[cfg(not(all(
        feature = "moka",
        feature = "mini-moka",
        feature = "quick_cache",
        feature = "cached"
    )))]
    fn caches(_: &mut Vec<Box<dyn Any>>) {}
}
