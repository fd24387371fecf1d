//! What the caches of a group count.

use crate::group::Cause;
use crate::map_metrics::CacheMetrics;

/// What the caches of a group count, added up. Counters begin with the process
/// and go on when a cache goes; those that caches count themselves
/// ([`MapMetrics::cache`](crate::MapMetrics::cache)) end as the last report saw
/// them. What is `None` is not counted by any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheReport {
    /// Entries of the group now; `None` if none of its containers tells.
    pub size: Option<u64>,
    /// Lookups that found an entry.
    pub hits: Option<u64>,
    /// Lookups that found none.
    pub misses: Option<u64>,
    /// Entries put in, new values for known keys included.
    pub puts: Option<u64>,
    /// Entries that left, in the order of [`Cause::ALL`].
    pub evictions: [Option<u64>; Cause::ALL.len()],
    /// Entries that left for a cause that the cache does not tell.
    pub evictions_uncaused: Option<u64>,
    /// Weight of the entries that left, in the caches' own units.
    pub eviction_weight: Option<u64>,
    /// Weight of the entries now.
    pub weight: Option<u64>,
    /// Weight at which they evict.
    pub max_weight: Option<u64>,
}

impl CacheReport {
    /// Entries that left by themselves: expired, for lack of room, or for a
    /// cause that the cache does not tell. It is what Caffeine and Micrometer
    /// count as evictions. `None` if none of the caches counts them.
    pub fn evicted(&self) -> Option<u64> {
        let of = |cause: Cause| self.evictions.get(cause as usize).copied().flatten();
        [of(Cause::Expired), of(Cause::Size), self.evictions_uncaused]
            .into_iter()
            .flatten()
            .reduce(u64::saturating_add)
    }

    pub(crate) fn new(sum: &CacheMetrics, size: Option<u64>) -> Self {
        CacheReport {
            size,
            hits: sum.hits,
            misses: sum.misses,
            puts: sum.puts,
            evictions: sum.evictions,
            evictions_uncaused: sum.evictions_uncaused,
            eviction_weight: sum.eviction_weight,
            weight: sum.weight,
            max_weight: sum.max_weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_removed_is_no_eviction() {
        let mut report = CacheReport::default();
        assert_eq!(report.evicted(), None);
        // Expired, explicit, replaced, size.
        report.evictions = [Some(1), Some(10), Some(100), Some(1000)];
        assert_eq!(report.evicted(), Some(1001));
        report.evictions_uncaused = Some(5);
        assert_eq!(report.evicted(), Some(1006));
    }
}
