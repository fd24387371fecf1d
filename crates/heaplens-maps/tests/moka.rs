//! moka's caches: what they evict, by cause, and what they tell.
#![cfg(any(feature = "moka", feature = "moka-future"))]

mod support;

use std::time::Duration;

use heaplens_maps::moka::{count, listener, weighing_listener};
use heaplens_maps::{Cause, Group, probe_owned};
use support::group;

/// The counts of a group, by cause.
fn evictions(name: &str) -> [u64; 4] {
    group(name).evictions
}

#[cfg(feature = "moka")]
mod sync {
    use moka::sync::Cache;

    use super::*;

    #[test]
    fn each_cause_is_counted() {
        let name = "moka-sync";
        let cache: Cache<u32, String> = Cache::builder()
            .max_capacity(10)
            .eviction_listener(listener(Group::named(name)))
            .build();
        let shown = probe_owned(name, cache.clone());
        for id in 0..5 {
            cache.insert(id, "a".to_owned());
        }
        cache.run_pending_tasks();
        let full = group(name);
        assert_eq!((full.entries, full.max_entries), (5, Some(10)));
        assert_eq!(full.evictions, [0; 4]);
        cache.insert(0, "b".to_owned());
        cache.insert(1, "b".to_owned());
        cache.invalidate(&2);
        cache.run_pending_tasks();
        // Expired, explicit, replaced, size.
        assert_eq!(evictions(name), [0, 1, 2, 0]);
        for id in 100..130 {
            cache.insert(id, "c".to_owned());
        }
        cache.run_pending_tasks();
        let full = group(name);
        assert_eq!((full.entries, full.max_entries), (10, Some(10)));
        assert_eq!(full.evictions, [0, 1, 2, 4 + 30 - 10]);
        let counts = full.cache.expect("a cache");
        assert_eq!((counts.evicted(), counts.size), (Some(24), Some(10)));
        assert_eq!(
            (counts.hits, counts.misses),
            (None, None),
            "moka does not count them"
        );
        drop(shown);
        assert_eq!(evictions(name)[3], 24, "what was counted stays");
    }

    #[test]
    fn what_expires_is_counted_as_such() {
        let name = "moka-sync-ttl";
        let ttl = Duration::from_millis(1);
        let cache: Cache<u32, u32> = Cache::builder()
            .max_capacity(100)
            .time_to_live(ttl)
            .eviction_listener(listener(Group::named(name)))
            .build();
        let _shown = probe_owned(name, cache.clone());
        for id in 0..20 {
            cache.insert(id, id);
        }
        assert_eq!(group(name).expected_ttl, Some(ttl));
        // The cache's own clock passes, however slowly this runs.
        while cache.contains_key(&19) || cache.entry_count() > 0 {
            cache.run_pending_tasks();
        }
        assert_eq!(evictions(name), [20, 0, 0, 0]);
        assert_eq!(group(name).entries, 0);
    }

    #[test]
    fn weights_are_counted_with_the_evictions() {
        let name = "moka-sync-weight";
        let weigher = |_: &u32, text: &String| text.len() as u32;
        let cache = Cache::builder()
            .max_capacity(1000)
            .weigher(weigher)
            .eviction_listener(weighing_listener(Group::named(name), weigher))
            .build();
        let _shown = probe_owned(name, cache.clone());
        for id in 0..20 {
            cache.insert(id, "x".repeat(100));
        }
        cache.run_pending_tasks();
        let shown = group(name);
        assert_eq!(
            (shown.entries, shown.max_entries),
            (10, None),
            "the bound is one of weight"
        );
        let counts = shown.cache.expect("a cache");
        assert_eq!((counts.weight, counts.max_weight), (Some(1000), Some(1000)));
        assert_eq!(
            (counts.evicted(), counts.eviction_weight),
            (Some(10), Some(1000))
        );
        cache.invalidate(cache.iter().next().expect("ten").0.as_ref());
        cache.run_pending_tasks();
        let counts = group(name).cache.expect("a cache");
        assert_eq!(
            (counts.evicted(), counts.eviction_weight),
            (Some(10), Some(1000))
        );
        assert_eq!(counts.evictions[Cause::Explicit as usize], Some(1));
    }

    #[test]
    fn a_probe_does_not_keep_the_groups_cache() {
        let cache: Cache<u32, u32> = Cache::new(5);
        let guard = probe_owned("moka-sync-guard", cache);
        assert_eq!(group("moka-sync-guard").instances, 1);
        drop(guard);
        assert!(!support::is_alive("moka-sync-guard"));
    }
}

#[cfg(feature = "moka-future")]
mod future {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use moka::future::Cache;

    use super::*;

    /// Polls until it is done: nothing here waits for anything but itself.
    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn each_cause_is_counted() {
        let name = "moka-future";
        let cache: Cache<u32, u32> = Cache::builder()
            .max_capacity(10)
            .eviction_listener(listener(Group::named(name)))
            .build();
        let _shown = probe_owned(name, cache.clone());
        run(async {
            cache.insert(1, 1).await;
            cache.insert(1, 2).await;
            cache.invalidate(&1).await;
            for id in 100..120 {
                cache.insert(id, id).await;
            }
            cache.run_pending_tasks().await;
        });
        let shown = group(name);
        assert_eq!((shown.entries, shown.max_entries), (10, Some(10)));
        assert_eq!(shown.evictions, [0, 1, 1, 10]);
    }

    #[test]
    fn an_asynchronous_listener_counts_by_itself() {
        let name = "moka-future-own";
        let here = Group::named(name);
        let cache: Cache<u32, u32> = Cache::builder()
            .async_eviction_listener(move |_, _, cause| Box::pin(async move { count(here, cause) }))
            .time_to_live(Duration::from_millis(1))
            .build();
        let _shown = probe_owned(name, cache.clone());
        run(async {
            cache.insert(1, 1).await;
            while cache.contains_key(&1) || cache.entry_count() > 0 {
                cache.run_pending_tasks().await;
            }
        });
        assert_eq!(evictions(name), [1, 0, 0, 0]);
        assert_eq!(group(name).max_entries, None, "it has none");
    }
}
