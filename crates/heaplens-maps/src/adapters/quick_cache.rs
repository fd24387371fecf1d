//! The caches of `quick_cache`: their figures by a [probe](crate::probe()), and what
//! they evict by a [`Counting`] life cycle.
//!
//! ```
//! use std::sync::Arc;
//! use heaplens_maps::{Group, probe, quick_cache::Counting};
//! use quick_cache::{DefaultHashBuilder, UnitWeighter, sync::Cache};
//!
//! let life = Counting::new(Group::named("prices"));
//! let prices = Arc::new(Cache::with(10, 10, UnitWeighter, DefaultHashBuilder::default(), life));
//! probe("prices", &prices);
//! for id in 0..100 {
//!     prices.insert(id, id * 3);
//! }
//! let report = heaplens_maps::report();
//! let group = report.groups.iter().find(|group| group.name == "prices").expect("probed");
//! assert!(group.entries <= 10);
//! assert_eq!(group.cache.and_then(|cache| cache.evicted()), Some(100 - group.entries));
//! ```

use std::fmt;
use std::hash::{BuildHasher, Hash};

use ::quick_cache::sync::DefaultLifecycle;
use ::quick_cache::{Lifecycle, Weighter, sync, unsync};

use super::bound_in_entries;
use crate::group::{Cause, Group};
use crate::map_metrics::{CacheMetrics, MapMetrics};

/// A life cycle that counts for a group what leaves a cache, and else is as the
/// one inside.
///
/// What leaves for lack of room is counted as [`Cause::Size`], a value that
/// another takes the place of as [`Cause::Replaced`]. Of what the program removes
/// `quick_cache` tells nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Counting<L> {
    group: Group,
    inner: L,
}

impl<Key, Val> Counting<DefaultLifecycle<Key, Val>> {
    /// Counts and does nothing else.
    #[must_use]
    pub fn new(group: Group) -> Self {
        Counting::with(group, DefaultLifecycle::default())
    }
}

impl<L> Counting<L> {
    /// Counts, and calls the program's own life cycle.
    #[must_use]
    pub fn with(group: Group, inner: L) -> Self {
        Counting { group, inner }
    }
}

impl<L> fmt::Debug for Counting<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counting").field(&self.group).finish()
    }
}

/// What one request to a cache has done so far: [`Lifecycle::RequestState`] of
/// [`Counting`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<R> {
    /// Whether an entry was announced that is now to leave. Replaced values are
    /// not announced.
    is_evicting: bool,
    inner: R,
}

impl<L> Counting<L> {
    fn count<R>(&self, request: &mut Request<R>) {
        let cause = if std::mem::take(&mut request.is_evicting) {
            Cause::Size
        } else {
            Cause::Replaced
        };
        self.group.count_evictions(cause, 1);
    }
}

impl<L, Key, Val> Lifecycle<Key, Val> for Counting<L>
where
    L: Lifecycle<Key, Val>,
{
    type RequestState = Request<L::RequestState>;

    #[inline]
    fn is_pinned(&self, key: &Key, val: &Val) -> bool {
        self.inner.is_pinned(key, val)
    }

    #[inline]
    fn before_evict(&self, state: &mut Self::RequestState, key: &Key, val: &mut Val) {
        state.is_evicting = true;
        self.inner.before_evict(&mut state.inner, key, val);
    }

    #[inline]
    fn on_evict(&self, state: &mut Self::RequestState, key: Key, val: Val) {
        self.count(state);
        self.inner.on_evict(&mut state.inner, key, val);
    }

    #[inline]
    fn on_evict_cold(&self, state: &mut Self::RequestState, key: Key, val: Val) {
        self.count(state);
        self.inner.on_evict_cold(&mut state.inner, key, val);
    }

    #[inline]
    fn on_evict_hot(&self, state: &mut Self::RequestState, key: Key, val: Val) {
        self.count(state);
        self.inner.on_evict_hot(&mut state.inner, key, val);
    }
}

macro_rules! caches {
    ($($cache:ty, ($($bound:ident),*);)*) => {$(
        /// Exact, by a lock for reading at each shard, but for the bytes: those of
        /// the table and of the places for entries that are in use, so that up
        /// to half of the places may be missing. The bound in entries is told while each
        /// weighs one. Hits and misses with the feature `quick_cache-stats`,
        /// evictions by [`Counting`].
        ///
        /// Shards are waited for while they are written to: do not take a report
        /// in a life cycle of the cache.
        impl<Key, Val, We, B, L> MapMetrics for $cache
        where
            Key: Eq + Hash,
            Val: Clone,
            We: Weighter<Key, Val> $(+ $bound)*,
            B: BuildHasher $(+ $bound)*,
            L: Lifecycle<Key, Val> $(+ $bound)*,
        {
            fn entries(&self) -> Option<u64> {
                Some(self.len() as u64)
            }

            fn table_bytes(&self) -> Option<u64> {
                Some(self.memory_used().total() as u64)
            }

            fn max_entries(&self) -> Option<u64> {
                bound_in_entries(self.len() as u64, self.weight(), Some(self.capacity()))
            }

            fn cache(&self) -> Option<CacheMetrics> {
                Some(CacheMetrics {
                    #[cfg(feature = "quick_cache-stats")]
                    hits: Some(self.hits()),
                    #[cfg(feature = "quick_cache-stats")]
                    misses: Some(self.misses()),
                    weight: Some(self.weight()),
                    max_weight: Some(self.capacity()),
                    ..CacheMetrics::default()
                })
            }
        }
    )*};
}

caches! {
    sync::Cache<Key, Val, We, B, L>, (Clone);
    unsync::Cache<Key, Val, We, B, L>, ();
}
