//! lru's cache is a hash table of pointers to nodes in a list.

use std::hash::{BuildHasher, Hash};

use ::lru::LruCache;

use crate::map_metrics::{CacheMetrics, MapMetrics};
use crate::table_bytes::Swiss;

/// Entries are exact. Bytes are the nodes, and the smallest hash table for so
/// many: a lower bound, since `new` makes room for the whole capacity at once
/// and `sparse` does not. Hits and evictions are not counted by it: a probe
/// tells nothing of them, [`Group::count_hits`](crate::Group::count_hits) and
/// its kin are for the program to call.
impl<K, V, S> MapMetrics for LruCache<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn table_bytes(&self) -> Option<u64> {
        let node = size_of::<(K, V, usize, usize)>() as u64;
        // The ends of the list are nodes without an entry.
        let nodes = (self.len() as u64 + 2).saturating_mul(node);
        let table = Swiss::holding::<(usize, usize)>(self.len());
        Some(nodes.saturating_add(table.bytes::<(usize, usize)>()))
    }

    /// The capacity, unless the cache is unbounded.
    fn max_entries(&self) -> Option<u64> {
        let bound = self.cap().get();
        (bound != usize::MAX).then_some(bound as u64)
    }

    fn cache(&self) -> Option<CacheMetrics> {
        Some(CacheMetrics {
            weight: self.entries(),
            max_weight: self.max_entries(),
            ..CacheMetrics::default()
        })
    }
}
