//! `TrackedCache`: its bounds hold, what leaves is counted by cause, and its
//! entries carry the label.
#![cfg(feature = "cache")]

mod support;

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use heaplens_alloc::Alloc;
use heaplens_alloc::holder::held;
use heaplens_maps::{CacheReport, Cause, TrackedCache};
use support::{find, group};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

fn counts(name: &str) -> CacheReport {
    group(name).cache.expect("a cache")
}

#[test]
fn stays_within_its_bound() {
    let cache = TrackedCache::named("cache-bound", 100);
    for id in 0..1000u32 {
        cache.insert(id, id);
    }
    cache.run_pending_tasks();
    assert_eq!((cache.len(), cache.max_entries()), (100, Some(100)));
    let shown = group("cache-bound");
    assert_eq!((shown.entries, shown.max_entries), (100, Some(100)));
    assert_eq!((shown.instances, shown.probed), (1, 1));
    assert!(!shown.flow_is_known());
    let counts = counts("cache-bound");
    assert_eq!((counts.puts, counts.evicted()), (Some(1000), Some(900)));
    assert_eq!(
        (counts.eviction_weight, counts.size),
        (Some(900), Some(100))
    );
    assert_eq!((counts.hits, counts.misses), (Some(0), Some(0)));
}

#[test]
fn counts_hits_misses_and_causes() {
    let name = "cache-counts";
    let cache: TrackedCache<&str, u32> = TrackedCache::builder(name).max_entries(10).build();
    assert_eq!(cache.get("a"), None);
    cache.insert("a", 1);
    assert_eq!(cache.get("a"), Some(1));
    cache.insert("a", 2);
    assert_eq!(cache.get_with("a", || unreachable!("it is there")), 2);
    assert_eq!(cache.get_with("b", || 3), 3);
    assert!(cache.contains_key("b"));
    assert_eq!(
        cache.try_get_with("c", || Err("nothing")),
        Err(Arc::new("nothing"))
    );
    assert_eq!(cache.try_get_with::<()>("c", || Ok(4)), Ok(4));
    assert_eq!(cache.remove("c").as_deref(), Some(&4));
    cache.invalidate("b");
    cache.invalidate("no such key");
    cache.run_pending_tasks();
    let shown = group(name);
    assert_eq!(shown.entries, 1);
    // Expired, explicit, replaced, size.
    assert_eq!(shown.evictions, [0, 2, 1, 0]);
    let counts = counts(name);
    assert_eq!(
        (counts.hits, counts.misses, counts.puts),
        (Some(2), Some(4), Some(4))
    );
    assert_eq!(counts.evicted(), Some(0));
    cache.invalidate_all();
    cache.run_pending_tasks();
    assert!(cache.is_empty());
    assert_eq!(group(name).evictions, [0, 3, 1, 0]);
}

#[test]
fn entries_expire() {
    let name = "cache-expires";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let cache = TrackedCache::builder(name)
        .time_to_live(Duration::from_millis(1))
        .on_removal(move |key: &u32, value: &String, cause| {
            notes.lock().unwrap().push((*key, value.clone(), cause));
        })
        .build();
    cache.insert(1, "one".to_owned());
    assert_eq!(group(name).expected_ttl, Some(Duration::from_millis(1)));
    while !cache.is_empty() || cache.contains_key(&1) {
        cache.run_pending_tasks();
    }
    assert_eq!(cache.get(&1), None);
    assert_eq!(
        *seen.lock().unwrap(),
        [(1, "one".to_owned(), Cause::Expired)]
    );
    assert_eq!(group(name).evictions, [1, 0, 0, 0]);

    let idle = TrackedCache::builder("cache-idles")
        .time_to_idle(Duration::from_millis(1))
        .build();
    idle.insert(1, 1);
    while !idle.is_empty() || idle.contains_key(&1) {
        idle.run_pending_tasks();
    }
    assert_eq!(group("cache-idles").evictions, [1, 0, 0, 0]);
    assert_eq!(
        group("cache-idles").expected_ttl,
        None,
        "what is used may stay for ever"
    );
}

#[test]
fn weights_bound_it_too() {
    let name = "cache-weighs";
    let cache = TrackedCache::builder(name)
        .max_weight(1000, |_: &u32, text: &String| text.len() as u32)
        .build();
    for id in 0..30 {
        cache.insert(id, "x".repeat(100));
    }
    cache.run_pending_tasks();
    assert_eq!(
        (cache.weight(), cache.len(), cache.max_entries()),
        (1000, 10, None)
    );
    let counts = counts(name);
    assert_eq!((counts.weight, counts.max_weight), (Some(1000), Some(1000)));
    assert_eq!(
        (counts.eviction_weight, counts.evicted()),
        (Some(2000), Some(20))
    );
    assert_eq!(group(name).max_entries, None);
}

#[test]
fn a_panic_of_the_program_does_not_stop_the_counting() {
    let name = "cache-panics";
    let cache: TrackedCache<u32, u32> = TrackedCache::builder(name)
        .max_entries(100)
        .on_removal(|key, _, _| assert!(*key != 1, "one is one too many"))
        .build();
    for key in 0..5 {
        cache.insert(key, key);
        cache.invalidate(&key);
    }
    cache.run_pending_tasks();
    assert_eq!(group(name).evictions, [0, 5, 0, 0]);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        cache.get_with(7, || panic!("no value"))
    }));
    assert!(failed.is_err());
    assert_eq!(cache.get_with(7, || 8), 8);
}

#[test]
fn clones_are_one_cache_and_the_last_ends_it() {
    let name = "cache-clones";
    let cache: TrackedCache<u32, u32> = TrackedCache::named(name, 1000);
    let threads: Vec<_> = (0..4u32)
        .map(|thread| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                for id in 0..200 {
                    cache.insert(thread * 1000 + id, id);
                    assert_eq!(cache.get(&(thread * 1000 + id)), Some(id));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("does not panic");
    }
    cache.run_pending_tasks();
    assert_eq!((group(name).entries, group(name).instances), (800, 1));
    assert_eq!(
        (counts(name).hits, counts(name).puts),
        (Some(800), Some(800))
    );
    assert_eq!(cache.iter().count(), 800);
    drop(cache);
    let left = find(name).expect("its counters stay");
    assert_eq!((left.instances, left.entries), (0, 0));
    assert_eq!(left.cache.expect("a cache").hits, Some(800));
}

#[test]
fn one_of_many_makes_the_value() {
    let cache: TrackedCache<u32, u32> = TrackedCache::named("cache-once", 10);
    let made = AtomicU64::new(0);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                let value = cache.get_with(1, || {
                    made.fetch_add(1, Ordering::Relaxed);
                    11
                });
                assert_eq!(value, 11);
            });
        }
    });
    assert_eq!(made.into_inner(), 1);
    let counts = counts("cache-once");
    assert_eq!(
        (counts.hits, counts.misses, counts.puts),
        (Some(3), Some(1), Some(1))
    );
}

/// A value that cannot be cloned.
#[derive(Debug)]
struct Session {
    _log: Vec<u8>,
}

/// Without spare capacity.
fn key(id: u32) -> String {
    let mut key = format!("session number {id:04}");
    key.shrink_to_fit();
    key
}

#[test]
fn what_it_holds_carries_its_label() {
    heaplens_alloc::set_sample_interval(1);
    let name = "cache-held";
    let cache: TrackedCache<String, Session> = TrackedCache::named(name, 1000);
    let contents = || {
        let held = held();
        let ours = held
            .iter()
            .find(|held| held.holder.label() == ("map", name));
        ours.map_or((0, 0), |held| {
            (held.contents.bytes as u64, held.table.bytes as u64)
        })
    };
    for id in 0..100 {
        let log = vec![0u8; 10_000];
        cache.insert(key(id), Session { _log: log });
    }
    cache.run_pending_tasks();
    let (bytes, nodes) = contents();
    // Each a log, a key, and the block that the value is in.
    let each = 10_000 + 19 + size_of::<(usize, usize, Session)>() as u64;
    assert_eq!(bytes, 100 * each);
    assert!(
        nodes > 100 * size_of::<(usize, usize, String)>() as u64,
        "{nodes}"
    );
    let shown = group(name);
    assert_eq!(
        (shown.contents.bytes as u64, shown.tables_unknown),
        (bytes, 1)
    );
    assert!(shown.heap_bytes() >= (bytes + nodes) as f64);

    let kept = cache.remove("session number 0042").expect("it is there");
    cache.run_pending_tasks();
    assert_eq!(
        contents().0,
        99 * each,
        "what left and lives on is not the cache's"
    );
    drop(kept);
    // What a closure makes is marked to the last block of it.
    cache.get_shared_with("nested".to_owned(), || Session {
        _log: {
            let inner: Vec<Vec<u8>> = vec![vec![1; 5000]];
            inner.concat()
        },
    });
    assert_eq!(
        contents().0,
        99 * each + 5000 + 6 + size_of::<(usize, usize, Session)>() as u64
    );
    cache.invalidate_all();
    cache.run_pending_tasks();
    assert!(cache.get_shared("session number 0001").is_none());
    heaplens_alloc::set_sample_interval(0);
}
