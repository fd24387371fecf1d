//! The stores of cached, which count for themselves.

use std::hash::Hash;
use std::time::Duration;

use ::cached::{CacheMetrics as Counted, Expires};
use ::cached::{
    CacheTtl, Cached, ExpiringCache, ExpiringLruCache, LruCache, LruTtlCache, TtlCache,
    TtlSortedCache, UnboundCache,
};

use crate::map_metrics::{CacheMetrics, MapMetrics};

/// A cause is not told; and what the program removes counts as evicted too.
fn cache(counted: &Counted) -> CacheMetrics {
    CacheMetrics {
        hits: counted.hits,
        misses: counted.misses,
        evictions_uncaused: counted.evictions,
        weight: Some(counted.size as u64),
        max_weight: counted.capacity.map(|bound| bound as u64),
        ..CacheMetrics::default()
    }
}

macro_rules! stores {
    ($($store:ident<K $(+ $key:ident)*, V $(: $value:ident)?> $(: $ttl:ident)?;)*) => {$(
        /// Exact, in some nanoseconds. The bytes of the store are not told.
        impl<K: Eq + Hash $(+ $key)*, V $(: $value)?> MapMetrics for $store<K, V> {
            fn entries(&self) -> Option<u64> {
                Some(self.cache_size() as u64)
            }

            fn max_entries(&self) -> Option<u64> {
                self.cache_capacity().map(|bound| bound as u64)
            }

            $(fn expected_ttl(&self) -> Option<Duration> {
                $ttl::ttl(self)
            })?

            fn cache(&self) -> Option<CacheMetrics> {
                Some(cache(&self.metrics()))
            }
        }
    )*};
}

stores! {
    UnboundCache<K, V>;
    LruCache<K + Clone, V>;
    TtlCache<K, V>: CacheTtl;
    LruTtlCache<K + Clone, V>: CacheTtl;
    TtlSortedCache<K + Ord + Clone, V>: CacheTtl;
    ExpiringCache<K, V: Expires>;
    ExpiringLruCache<K + Clone, V: Expires>;
}

mod sharded {
    use ::cached::{
        ShardHasher, ShardedCacheBase, ShardedExpiringCacheBase, ShardedExpiringLruCacheBase,
        ShardedLruCacheBase, ShardedLruTtlCacheBase, ShardedTtlCacheBase,
    };

    use super::{CacheMetrics, CacheTtl, Duration, Expires, Hash, MapMetrics, cache};

    macro_rules! stores {
        ($($store:ident<K $(+ $key:ident)*, V $(: $value:ident)?> $(: $ttl:ident)?;)*) => {$(
            /// Exact, by a lock for reading at each shard, which is waited for while
            /// it is written to: do not take a report in a callback of the cache.
            impl<K, V, H> MapMetrics for $store<K, V, H>
            where
                K: Eq + Hash $(+ $key)*,
                $(V: $value,)?
                H: ShardHasher<K>,
            {
                fn entries(&self) -> Option<u64> {
                    Some(self.metrics().size as u64)
                }

                fn max_entries(&self) -> Option<u64> {
                    self.metrics().capacity.map(|bound| bound as u64)
                }

                $(fn expected_ttl(&self) -> Option<Duration> {
                    $ttl::ttl(self)
                })?

                fn cache(&self) -> Option<CacheMetrics> {
                    Some(cache(&self.metrics()))
                }
            }
        )*};
    }

    stores! {
        ShardedCacheBase<K, V>;
        ShardedLruCacheBase<K + Clone, V>;
        ShardedTtlCacheBase<K, V>: CacheTtl;
        ShardedLruTtlCacheBase<K + Clone, V>: CacheTtl;
        ShardedExpiringCacheBase<K, V: Expires>;
        ShardedExpiringLruCacheBase<K + Clone, V: Expires>;
    }
}
