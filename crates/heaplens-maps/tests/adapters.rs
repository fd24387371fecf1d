//! Each adapter against the crate it is for.

mod support;

#[cfg(feature = "dashmap")]
mod dashmap {
    use std::sync::Arc;

    use dashmap::{DashMap, DashSet};
    use heaplens_maps::{MapMetrics, probe};

    use crate::support::{group, is_alive};

    #[test]
    fn tells_its_figures() {
        let map: Arc<DashMap<u64, u64>> = Arc::new(DashMap::with_shard_amount(4));
        probe("adapter-dashmap", &map);
        let empty = group("adapter-dashmap");
        assert_eq!(
            (empty.entries, empty.capacity, empty.table_bytes),
            (0, 0, 0)
        );
        for id in 0..10_000 {
            map.insert(id, id);
        }
        let full = group("adapter-dashmap");
        assert_eq!((full.entries, full.tables_unknown), (10_000, 0));
        assert!(full.capacity >= map.capacity() as u64);
        map.retain(|id, _| id % 10 == 0);
        let sparse = group("adapter-dashmap");
        assert_eq!((sparse.entries, sparse.capacity), (1000, full.capacity));
        assert_eq!(
            sparse.table_bytes, full.table_bytes,
            "it never shrinks by itself"
        );
        map.clear();
        map.shrink_to_fit();
        assert_eq!(group("adapter-dashmap").table_bytes, 0);
        drop(map);
        assert!(!is_alive("adapter-dashmap"));
    }

    #[test]
    fn a_reference_into_the_map_does_not_stop_the_report() {
        let map: Arc<DashMap<u8, u8>> = Arc::new(DashMap::from_iter([(1, 1), (2, 2)]));
        probe("adapter-dashmap-ref", &map);
        assert_eq!(group("adapter-dashmap-ref").entries, 2);
        let reference = map.get_mut(&1).expect("is there");
        // By this very thread: DashMap::len would wait for ever.
        assert_eq!(map.figures(), None);
        assert_eq!(
            group("adapter-dashmap-ref").entries,
            2,
            "what was last known"
        );
        drop(reference);
        let _shared = map.get(&1).expect("is there");
        assert_eq!(map.entries(), Some(2), "readers do not exclude one another");
    }

    #[test]
    fn sets_are_maps() {
        let set: Arc<DashSet<u8>> = Arc::new((0..50u8).collect());
        probe("adapter-dashset", &set);
        let shown = group("adapter-dashset");
        assert_eq!(shown.entries, 50);
        assert!(shown.capacity >= 50 && shown.table_bytes > 50);
    }
}

#[cfg(feature = "papaya")]
#[test]
fn papaya_tells_its_length() {
    use std::sync::Arc;
    let map: Arc<papaya::HashMap<u32, u32>> = Arc::new(papaya::HashMap::new());
    heaplens_maps::probe("adapter-papaya", &map);
    let pinned = map.pin();
    for id in 0..500 {
        pinned.insert(id, id);
    }
    pinned.remove(&3);
    let shown = support::group("adapter-papaya");
    assert_eq!((shown.entries, shown.entries_unknown), (499, 0));
    assert_eq!((shown.table_bytes, shown.tables_unknown), (0, 1));

    let set = Arc::new(papaya::HashSet::from([1, 2, 3]));
    heaplens_maps::probe("adapter-papaya-set", &set);
    assert_eq!(support::group("adapter-papaya-set").entries, 3);
}

#[cfg(feature = "scc")]
#[test]
fn scc_tells_its_capacity() {
    use std::sync::Arc;
    let map: Arc<scc::HashMap<u64, u64>> = Arc::new(scc::HashMap::new());
    heaplens_maps::probe("adapter-scc", &map);
    for id in 0..1000 {
        map.insert_sync(id, id).expect("is new");
    }
    let shown = support::group("adapter-scc");
    assert_eq!((shown.entries, shown.entries_unknown), (0, 1));
    assert_eq!(shown.capacity, map.capacity() as u64);
    assert!(
        (1000..=8000).contains(&shown.capacity),
        "{}",
        shown.capacity
    );
    assert!(shown.table_bytes > 16 * shown.capacity && shown.tables_unknown == 0);

    let counted = Arc::clone(&map);
    heaplens_maps::probe_with("adapter-scc-len", &counted, |map| {
        Some(heaplens_maps::Figures::of_entries(map.len() as u64))
    });
    assert_eq!(support::group("adapter-scc-len").entries, 1000);

    let cache: Arc<scc::HashCache<u64, u64>> = Arc::new(scc::HashCache::with_capacity(64, 256));
    heaplens_maps::probe("adapter-scc-cache", &cache);
    assert_eq!(support::group("adapter-scc-cache").max_entries, Some(256));
}

#[cfg(feature = "lru")]
#[test]
fn lru_tells_its_bound_unless_it_has_none() {
    use std::num::NonZeroUsize;
    use std::sync::{Arc, Mutex};

    use heaplens_maps::Tracked;
    use lru::LruCache;

    let cache = Arc::new(Mutex::new(LruCache::new(
        NonZeroUsize::new(5).expect("not 0"),
    )));
    heaplens_maps::probe("adapter-lru", &cache);
    for id in 0..20 {
        cache.lock().unwrap().put(id, id);
    }
    let shown = support::group("adapter-lru");
    assert_eq!((shown.entries, shown.max_entries), (5, Some(5)));
    let counts = shown.cache.expect("a cache");
    assert_eq!(
        (counts.hits, counts.max_weight, counts.size),
        (None, Some(5), Some(5))
    );

    let mut unbounded = Tracked::named("adapter-lru-unbounded", LruCache::unbounded());
    unbounded.put(1, "a leak trap");
    assert_eq!(unbounded.len(), 1);
    let shown = support::group("adapter-lru-unbounded");
    assert_eq!((shown.entries, shown.max_entries), (1, None));
}

#[cfg(feature = "mini-moka")]
#[test]
fn mini_moka_tells_sizes_and_bounds() {
    use std::time::Duration;

    use heaplens_maps::probe_owned;
    use mini_moka::sync::{Cache, ConcurrentCacheExt};

    let cache = Cache::builder()
        .max_capacity(100)
        .time_to_live(Duration::from_secs(3600))
        .build();
    let _shown = probe_owned("adapter-mini-moka", cache.clone());
    for id in 0..50 {
        cache.insert(id, id);
    }
    cache.sync();
    let shown = support::group("adapter-mini-moka");
    assert_eq!((shown.entries, shown.max_entries), (50, Some(100)));
    assert_eq!(shown.expected_ttl, Some(Duration::from_secs(3600)));

    let weighed = Cache::builder()
        .max_capacity(10_000)
        .weigher(|_: &u32, text: &String| text.len() as u32)
        .build();
    let _shown = probe_owned("adapter-mini-moka-weighed", weighed.clone());
    weighed.insert(1, "x".repeat(100));
    weighed.sync();
    let shown = support::group("adapter-mini-moka-weighed");
    assert_eq!((shown.entries, shown.max_entries), (1, None));
    let counts = shown.cache.expect("a cache");
    assert_eq!(
        (counts.weight, counts.max_weight),
        (Some(100), Some(10_000))
    );
}

#[cfg(feature = "quick_cache")]
mod quick {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use heaplens_maps::quick_cache::Counting;
    use heaplens_maps::{Cause, Group, probe};
    use quick_cache::sync::Cache;
    use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, Weighter};

    use crate::support::group;

    #[test]
    fn tells_sizes_bounds_and_evictions() {
        let life = Counting::new(Group::named("adapter-quick"));
        let hasher = DefaultHashBuilder::default();
        let cache = Arc::new(Cache::with(100, 100, UnitWeighter, hasher, life));
        probe("adapter-quick", &cache);
        for id in 0..1000 {
            cache.insert(id, id);
        }
        // A new value for a key that is there evicts nothing.
        let last = cache.iter().next().expect("not empty").0;
        cache.insert(last, 0);
        let alive = cache.len() as u64;
        assert!(alive > 0 && cache.get(&u64::MAX).is_none());
        let shown = group("adapter-quick");
        assert_eq!(
            (shown.entries, shown.max_entries),
            (alive, Some(cache.capacity()))
        );
        assert_eq!(shown.table_bytes, cache.memory_used().total() as u64);
        let counts = shown.cache.expect("a cache");
        assert_eq!(counts.evictions[Cause::Size as usize], Some(1000 - alive));
        assert_eq!(counts.evictions[Cause::Replaced as usize], Some(1));
        assert_eq!(counts.evicted(), Some(1000 - alive));
        assert_eq!(counts.misses.is_some(), cfg!(feature = "quick_cache-stats"));
        if cfg!(feature = "quick_cache-stats") {
            assert_eq!((counts.hits, counts.misses), (Some(0), Some(1)));
        }
        cache.remove(&last);
        assert_eq!(group("adapter-quick").entries, alive - 1);
    }

    #[derive(Clone)]
    struct Ten;

    impl Weighter<u64, u64> for Ten {
        fn weight(&self, _: &u64, _: &u64) -> u64 {
            10
        }
    }

    /// Notes what it is told.
    #[derive(Clone, Default)]
    struct Noting(Arc<AtomicU64>);

    impl Lifecycle<u64, u64> for Noting {
        type RequestState = ();

        fn on_evict(&self, (): &mut (), _: u64, _: u64) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_programs_own_life_cycle_goes_on() {
        let notes = Noting::default();
        let life = Counting::with(Group::named("adapter-quick-own"), notes.clone());
        let hasher = DefaultHashBuilder::default();
        let cache = Arc::new(Cache::with(10, 100, Ten, hasher, life));
        probe("adapter-quick-own", &cache);
        for id in 0..100 {
            cache.insert(id, id);
        }
        let shown = group("adapter-quick-own");
        let evicted = 100 - shown.entries;
        assert_eq!(notes.0.load(Ordering::Relaxed), evicted);
        let counts = shown.cache.expect("a cache");
        assert_eq!((counts.evicted(), shown.max_entries), (Some(evicted), None));
        assert_eq!(counts.weight, Some(shown.entries * 10));
    }

    #[test]
    fn the_unshared_one_too() {
        use heaplens_maps::Tracked;
        let mut cache = Tracked::named("adapter-quick-unsync", quick_cache::unsync::Cache::new(10));
        cache.insert(1, 2);
        assert!(cache.get(&1).is_some());
        assert_eq!(group("adapter-quick-unsync").entries, 1);
    }
}

#[cfg(feature = "cached")]
mod stores {
    use std::sync::{Arc, RwLock};
    use std::time::Duration;

    use cached::{Cached, ConcurrentCached, LruCache, ShardedLruCache, TtlCache, UnboundCache};
    use heaplens_maps::{Tracked, probe, probe_owned};

    use crate::support::group;

    #[test]
    fn count_for_themselves() {
        let cache = LruCache::builder().max_size(3).build().expect("a bound");
        let cache = Arc::new(RwLock::new(cache));
        probe("adapter-cached", &cache);
        for id in 0..10 {
            cache.write().unwrap().cache_set(id, id);
        }
        cache.write().unwrap().cache_get(&9);
        cache.write().unwrap().cache_get(&0);
        cache.write().unwrap().cache_get(&1);
        let shown = group("adapter-cached");
        assert_eq!((shown.entries, shown.max_entries), (3, Some(3)));
        let counts = shown.cache.expect("a cache");
        assert_eq!((counts.hits, counts.misses), (Some(1), Some(2)));
        assert_eq!((counts.evicted(), counts.puts), (Some(7), None));
    }

    #[test]
    fn tell_their_time_to_live() {
        let ttl = Duration::from_secs(60);
        let mut cache = Tracked::named(
            "adapter-cached-ttl",
            TtlCache::builder().ttl(ttl).build().expect("a time"),
        );
        cache.cache_set("a", 1);
        cache.cache_get("a");
        assert_eq!(cache.cache_size(), 1);
        cache.cache_get("b");
        drop(cache.into_inner());
        let shown = group("adapter-cached-ttl");
        assert_eq!((shown.expected_ttl, shown.max_entries), (Some(ttl), None));
        let counts = shown.cache.expect("a cache");
        assert_eq!((counts.hits, counts.misses), (Some(1), Some(1)));
    }

    #[test]
    fn an_unbounded_one_has_no_bound() {
        let mut cache = UnboundCache::builder()
            .build()
            .expect("nothing to go wrong");
        cache.cache_set(1, 1);
        let _shown = probe_owned("adapter-cached-unbound", std::sync::Mutex::new(cache));
        let shown = group("adapter-cached-unbound");
        assert_eq!((shown.entries, shown.max_entries), (1, None));
        assert_eq!(
            shown.cache.and_then(|cache| cache.evicted()),
            None,
            "it does not count them"
        );
    }

    #[test]
    fn shards_add_up() {
        let cache: ShardedLruCache<u32, u32> = ShardedLruCache::builder()
            .max_size(64)
            .build()
            .expect("a bound");
        let _shown = probe_owned("adapter-cached-sharded", cache.clone());
        for id in 0..1000 {
            cache.cache_set(id, id).expect("infallible");
        }
        let shown = group("adapter-cached-sharded");
        assert_eq!(shown.entries, cache.len() as u64);
        assert_eq!(shown.max_entries, Some(cache.capacity() as u64));
        let counts = shown.cache.expect("a cache");
        assert_eq!(counts.evicted(), Some(1000 - shown.entries));
    }
}

#[cfg(feature = "parking_lot")]
#[test]
fn parking_lots_locks_are_not_waited_for() {
    use heaplens_maps::MapMetrics;
    let map = parking_lot::RwLock::new(vec![1, 2]);
    let held = map.write();
    assert_eq!(map.entries(), None);
    drop(held);
    assert_eq!(map.entries(), Some(2));
    assert_eq!(parking_lot::Mutex::new(vec![1]).entries(), Some(1));
}

#[cfg(feature = "tokio")]
#[test]
fn tokios_locks_are_not_waited_for() {
    use heaplens_maps::MapMetrics;
    let map = tokio::sync::Mutex::new(vec![1, 2]);
    let held = map.try_lock().expect("free");
    assert_eq!(map.entries(), None);
    drop(held);
    assert_eq!(map.entries(), Some(2));
    assert_eq!(tokio::sync::RwLock::new(vec![1]).entries(), Some(1));
}
