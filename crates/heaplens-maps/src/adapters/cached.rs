//! The stores of cached, which count for themselves.

use std::hash::Hash;
use std::time::Duration;

use ::cached::{CacheMetrics as Counted, Expires, ShardHasher};
use ::cached::{
    CacheTtl, Cached, ExpiringCache, ExpiringLruCache, LruCache, LruTtlCache, TtlCache,
    TtlSortedCache, UnboundCache,
};
use ::cached::{
    ShardedCacheBase, ShardedExpiringCacheBase, ShardedExpiringLruCacheBase, ShardedLruCacheBase,
    ShardedLruTtlCacheBase, ShardedTtlCacheBase,
};

use crate::map_metrics::{CacheMetrics, Figures, MapMetrics};

/// A cause is not told; and what the program removes counts as evicted too.
fn figures(counted: &Counted, expected_ttl: Option<Duration>) -> Figures {
    let entries = Some(counted.size as u64);
    let max_entries = counted.capacity.map(|bound| bound as u64);
    Figures {
        entries,
        max_entries,
        expected_ttl,
        cache: Some(CacheMetrics {
            hits: counted.hits,
            misses: counted.misses,
            evictions_uncaused: counted.evictions,
            weight: entries,
            max_weight: max_entries,
            ..CacheMetrics::default()
        }),
        ..Figures::default()
    }
}

macro_rules! stores {
    ($doc:literal; $([$($generics:tt)*] $store:ty $(: $ttl:ident)?;)*) => {$(
        #[doc = $doc]
        impl<$($generics)*> MapMetrics for $store {
            fn entries(&self) -> Option<u64> {
                self.figures()?.entries
            }

            fn max_entries(&self) -> Option<u64> {
                self.figures()?.max_entries
            }

            $(fn expected_ttl(&self) -> Option<Duration> {
                $ttl::ttl(self)
            })?

            fn cache(&self) -> Option<CacheMetrics> {
                self.figures()?.cache
            }

            fn figures(&self) -> Option<Figures> {
                Some(figures(&self.metrics(), self.expected_ttl()))
            }
        }
    )*};
}

stores! {
    "Exact, in some nanoseconds. The bytes of the store are not told.";
    [K: Eq + Hash, V] UnboundCache<K, V>;
    [K: Eq + Hash + Clone, V] LruCache<K, V>;
    [K: Eq + Hash, V] TtlCache<K, V>: CacheTtl;
    [K: Eq + Hash + Clone, V] LruTtlCache<K, V>: CacheTtl;
    [K: Eq + Hash + Ord + Clone, V] TtlSortedCache<K, V>: CacheTtl;
    [K: Eq + Hash, V: Expires] ExpiringCache<K, V>;
    [K: Eq + Hash + Clone, V: Expires] ExpiringLruCache<K, V>;
}

stores! {
    "Exact, by a lock for reading at each shard, which is waited for while it is written to: do \
     not take a report in a callback of the cache.";
    [K: Eq + Hash, V, H: ShardHasher<K>] ShardedCacheBase<K, V, H>;
    [K: Eq + Hash + Clone, V, H: ShardHasher<K>] ShardedLruCacheBase<K, V, H>;
    [K: Eq + Hash, V, H: ShardHasher<K>] ShardedTtlCacheBase<K, V, H>: CacheTtl;
    [K: Eq + Hash + Clone, V, H: ShardHasher<K>] ShardedLruTtlCacheBase<K, V, H>: CacheTtl;
    [K: Eq + Hash, V: Expires, H: ShardHasher<K>] ShardedExpiringCacheBase<K, V, H>;
    [K: Eq + Hash + Clone, V: Expires, H: ShardHasher<K>] ShardedExpiringLruCacheBase<K, V, H>;
}
