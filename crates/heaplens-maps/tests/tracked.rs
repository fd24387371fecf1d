//! A container of any type behind `Tracked`.

mod support;

use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use heaplens_maps::{CacheMetrics, Group, MapMetrics, Tracked};
use proptest::prelude::*;
use support::{find, group, is_alive};

#[test]
fn publishes_what_the_container_tells() {
    let mut queue = Tracked::named("tracked-queue", VecDeque::with_capacity(8));
    let shown = group("tracked-queue");
    assert_eq!((shown.instances, shown.entries, shown.capacity), (1, 0, 8));
    assert_eq!((shown.table_bytes, shown.probed), (8 * 4, 0));
    queue.extend([1u32, 2, 3]);
    assert_eq!(group("tracked-queue").entries, 3, "at once");
    queue.pop_front();
    queue.pop_front();
    assert_eq!(queue.len(), 1);
    let shown = group("tracked-queue");
    assert_eq!((shown.entries, shown.inserts, shown.removes), (1, 3, 2));
    queue.shrink_to_fit();
    queue.push_back(9);
    assert_eq!(
        group("tracked-queue").capacity,
        1,
        "smaller, and one access late"
    );
    let inner = queue.into_inner();
    assert_eq!(inner, [3, 9]);
    let shown = group("tracked-queue");
    assert_eq!((shown.instances, shown.entries), (0, 0));
    assert_eq!((shown.inserts, shown.removes), (4, 4));
}

#[test]
fn a_name_is_not_needed() {
    let tracked = Tracked::new(vec![1]);
    let line = line!() - 1;
    let name = tracked.group().name();
    assert!(
        name.contains("tracked.rs") && name.contains(&format!(":{line}:")),
        "{name}"
    );
    let default: Tracked<Vec<u8>> = Tracked::default();
    let line = line!() - 1;
    assert!(default.group().name().contains(&format!(":{line}:")));
    let renamed = tracked.rename("tracked-renamed");
    assert_eq!(group("tracked-renamed").entries, 1);
    assert!(!is_alive(name));
    assert_eq!(renamed.group(), Group::named("tracked-renamed"));
    let other = Tracked::in_group(renamed.group(), vec![0; 4]);
    assert_eq!((group("tracked-renamed").entries, other.len()), (5, 4));
}

#[test]
fn is_what_it_contains() {
    let mut set: Tracked<BTreeSet<u32>> = (0..20).collect();
    assert!(set.contains(&3));
    set.extend([100, 200]);
    assert_eq!((&set).into_iter().copied().max(), Some(200));
    let clone = set.clone().rename("tracked-clone");
    assert_eq!(clone, set);
    assert_eq!(
        format!("{clone:?}"),
        format!("{:?}", clone.clone().into_inner())
    );
    assert_eq!(group("tracked-clone").entries, 22);
    assert_eq!(clone.into_iter().count(), 22);

    let mut heap = Tracked::named("tracked-heap", BinaryHeap::new());
    heap.push(3);
    assert_eq!(heap.peek(), Some(&3));
    assert_eq!(group("tracked-heap").entries, 1);
    let mut vec = Tracked::from(vec![1, 2]);
    for number in &mut vec {
        *number += 1;
    }
    assert_eq!(*vec, [2, 3]);
}

#[test]
fn tombstones_are_no_shrink() {
    let mut map: Tracked<HashMap<u32, u32>> = Tracked::named("tracked-tombs", HashMap::new());
    map.extend((0..100_000).map(|id| (id, id)));
    let full = group("tracked-tombs");
    map.retain(|_, _| false);
    assert!(
        (map.capacity() as u64) < full.capacity,
        "else this proves nothing"
    );
    assert!(map.is_empty());
    let empty = group("tracked-tombs");
    assert_eq!((empty.entries, empty.capacity), (0, full.capacity));
    assert_eq!(empty.table_bytes, full.table_bytes);
}

#[derive(Clone, Default)]
struct Cache {
    entries: Vec<u32>,
    hits: u64,
    size: u64,
}

impl MapMetrics for Cache {
    fn entries(&self) -> Option<u64> {
        Some(self.entries.len() as u64)
    }

    fn max_entries(&self) -> Option<u64> {
        Some(1000)
    }

    fn expected_ttl(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }

    fn cache(&self) -> Option<CacheMetrics> {
        let mut cache = CacheMetrics::default();
        cache.hits = Some(self.hits);
        cache.evictions[3] = Some(self.size);
        Some(cache)
    }
}

#[test]
fn a_caches_counters_go_to_its_group() {
    let mut cache = Tracked::named("tracked-cache", Cache::default());
    cache.entries.push(1);
    cache.hits += 5;
    cache.size += 2;
    let _ = cache.clone();
    let mut clone = cache.clone();
    clone.hits += 10;
    drop(clone.into_inner());
    cache.hits = 3;
    drop(cache.into_inner());
    let shown = group("tracked-cache");
    assert_eq!(
        (shown.max_entries, shown.expected_ttl),
        (Some(1000), Some(Duration::from_secs(60)))
    );
    let counted = shown.cache.expect("a cache");
    assert_eq!(
        counted.hits,
        Some(5 + 10 + 3),
        "a counter that was set back begins anew"
    );
    assert_eq!((counted.misses, counted.evicted()), (None, Some(2)));
}

proptest! {
    /// Whatever is done through `&mut`, the next access shows it.
    #[test]
    fn figures_follow_the_container(steps in prop::collection::vec((0usize..50, 0usize..8), 1..60)) {
        let mut vec = Tracked::named("tracked-follows", Vec::new());
        let before = find("tracked-follows").map_or((0, 0), |group| (group.inserts, group.removes));
        let (mut inserts, mut removes) = (0, 0);
        for (amount, kind) in steps {
            let len = vec.len();
            match kind {
                0 => vec.truncate(amount),
                1 => vec.clear(),
                2 => vec.shrink_to_fit(),
                3 => vec.reserve(amount),
                _ => vec.resize(amount, 0u16),
            }
            inserts += vec.len().saturating_sub(len) as u64;
            removes += len.saturating_sub(vec.len()) as u64;
            // A mutable access publishes a change of the capacity downwards too.
            let _ = &mut **vec;
            let shown = group("tracked-follows");
            prop_assert_eq!(shown.entries, vec.len() as u64);
            prop_assert_eq!(shown.capacity, vec.capacity() as u64);
            prop_assert_eq!(shown.table_bytes, vec.capacity() as u64 * 2);
            prop_assert_eq!(shown.inserts - before.0, inserts);
            prop_assert_eq!(shown.removes - before.1, removes);
        }
    }
}
