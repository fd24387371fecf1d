//! mini-moka tells sizes and bounds.

use std::time::Duration;

use ::mini_moka::{sync, unsync};

use super::bound_in_entries;
use crate::map_metrics::{CacheMetrics, MapMetrics};

macro_rules! caches {
    ($($cache:ty),*) => {$(
        /// Estimates of the cache, which lag behind its writes by some hundred
        /// of them; a few nanoseconds. The bound in entries is told while each
        /// weighs one. Hits and evictions are not counted by it.
        impl<K, V, S> MapMetrics for $cache {
            fn entries(&self) -> Option<u64> {
                Some(self.entry_count())
            }

            fn max_entries(&self) -> Option<u64> {
                let max_weight = self.policy().max_capacity();
                bound_in_entries(self.entry_count(), self.weighted_size(), max_weight)
            }

            fn expected_ttl(&self) -> Option<Duration> {
                self.policy().time_to_live()
            }

            fn cache(&self) -> Option<CacheMetrics> {
                Some(CacheMetrics {
                    weight: Some(self.weighted_size()),
                    max_weight: self.policy().max_capacity(),
                    ..CacheMetrics::default()
                })
            }
        }
    )*};
}

caches!(sync::Cache<K, V, S>, unsync::Cache<K, V, S>);
