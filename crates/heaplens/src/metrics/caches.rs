//! The series of caches, under Micrometer's names, so that dashboards that exist
//! show them.

use super::reading::Reading;
use super::series::{Kind, Sample, Series, by, cache, sample};

/// One value a group of caches; what its caches do not count is left out.
pub(super) static CACHES: &[Series] = &[
    cache(
        "cache_size",
        "Entries in the caches of the group.",
        Kind::Gauge,
        |cache| cache.size,
    ),
    by(
        "cache_gets_total",
        "Lookups since the start, by result.",
        Kind::Counter,
        &["cache", "result"],
        gets,
    ),
    cache(
        "cache_puts_total",
        "Entries put in since the start, new values for known keys included.",
        Kind::Counter,
        |cache| cache.puts,
    ),
    cache(
        "cache_evictions_total",
        "Entries that left by themselves since the start.",
        Kind::Counter,
        heaplens_maps::CacheReport::evicted,
    ),
    cache(
        "cache_eviction_weight_total",
        "Weight of the entries that left by themselves since the start, in the caches' own units.",
        Kind::Counter,
        |cache| cache.eviction_weight,
    ),
];

fn gets(now: &Reading) -> Vec<Sample<'_>> {
    let mut samples = Vec::new();
    for group in &now.maps.groups {
        let Some(cache) = &group.report.cache else {
            continue;
        };
        for (result, count) in [("hit", cache.hits), ("miss", cache.misses)] {
            samples.extend(count.map(|count| sample([group.name(), result], count as f64)));
        }
    }
    samples
}
