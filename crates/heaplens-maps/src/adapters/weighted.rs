//! Caches that count weights: moka's, and those that are like them.

/// Caches as moka makes them.
macro_rules! weighted {
    ($doc:literal; $($(#[$feature:meta])? $cache:ty;)*) => {$(
        #[doc = $doc]
        $(#[$feature])?
        impl<K, V, S> $crate::MapMetrics for $cache {
            fn entries(&self) -> Option<u64> {
                Some(self.entry_count())
            }

            fn max_entries(&self) -> Option<u64> {
                let max_weight = self.policy().max_capacity();
                let weight = self.weighted_size();
                $crate::adapters::bound_in_entries(self.entry_count(), weight, max_weight)
            }

            fn expected_ttl(&self) -> Option<std::time::Duration> {
                self.policy().time_to_live()
            }

            fn cache(&self) -> Option<$crate::CacheMetrics> {
                Some($crate::CacheMetrics {
                    weight: Some(self.weighted_size()),
                    max_weight: self.policy().max_capacity(),
                    ..$crate::CacheMetrics::default()
                })
            }
        }
    )*};
}

pub(crate) use weighted;
