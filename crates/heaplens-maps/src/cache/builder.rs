//! What bounds a cache is to have.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::{Shared, TrackedCache};
use crate::contained::contained;
use crate::group::{Cause, Group};
use crate::probe::probe;
use crate::traffic::{Traffic, What};

type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u32 + Send + Sync>;
type Listener<K, V> = Box<dyn Fn(&K, &V, Cause) + Send + Sync>;

/// Sets the bounds of a [`TrackedCache`]: see [`TrackedCache::builder`].
///
/// With neither a bound nor a time to live or to idle it holds what it is given
/// for ever, as a map would.
#[must_use = "a builder does nothing until it builds"]
pub struct CacheBuilder<K, V> {
    group: Group,
    max: Option<u64>,
    weigher: Option<Weigher<K, V>>,
    time_to_live: Option<Duration>,
    time_to_idle: Option<Duration>,
    initial_capacity: usize,
    listener: Option<Listener<K, V>>,
}

impl<K, V> CacheBuilder<K, V> {
    pub(super) fn new(group: Group) -> Self {
        CacheBuilder {
            group,
            max: None,
            weigher: None,
            time_to_live: None,
            time_to_idle: None,
            initial_capacity: 0,
            listener: None,
        }
    }

    /// At most so many entries: those leave that are used least. In place of
    /// [`max_weight`](CacheBuilder::max_weight).
    pub fn max_entries(mut self, entries: u64) -> Self {
        (self.max, self.weigher) = (Some(entries), None);
        self
    }

    /// At most so much weight, by what `weigher` says of each entry when it is
    /// put in; bytes, for example. In place of
    /// [`max_entries`](CacheBuilder::max_entries).
    pub fn max_weight(
        mut self,
        weight: u64,
        weigher: impl Fn(&K, &V) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.max = Some(weight);
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Entries leave so long after they were put in. More than 1,000 years is
    /// taken as that.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = Some(time.min(LONGEST));
        self
    }

    /// Entries leave so long after they were last used. More than 1,000 years is
    /// taken as that.
    pub fn time_to_idle(mut self, time: Duration) -> Self {
        self.time_to_idle = Some(time.min(LONGEST));
        self
    }

    /// Makes room for so many entries at once.
    pub fn initial_capacity(mut self, entries: usize) -> Self {
        self.initial_capacity = entries;
        self
    }

    /// Calls `listener` with each entry that leaves, in the thread whose call
    /// made it leave. It must be quick; a panic of it is caught. moka's own
    /// blocks are then not marked, since the listener's would be too.
    pub fn on_removal(mut self, listener: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The cache. Declares its bounds to the group, and shows it in reports.
    pub fn build(self) -> TrackedCache<K, V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        self.build_with_hasher(RandomState::new())
    }

    /// As [`CacheBuilder::build`], with a hasher.
    pub fn build_with_hasher<S>(self, hasher: S) -> TrackedCache<K, V, S>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
        S: BuildHasher + Clone + Send + Sync + 'static,
    {
        self.declare();
        let marks_nodes = self.listener.is_none();
        let mut builder = Cache::builder().initial_capacity(self.initial_capacity);
        if let Some(max) = self.max {
            builder = builder.max_capacity(max);
        }
        if let Some(weigher) = self.weigher.clone() {
            builder = builder.weigher(move |key: &K, value: &Arc<V>| weigher(key, value));
        }
        if let Some(time) = self.time_to_live {
            builder = builder.time_to_live(time);
        }
        if let Some(time) = self.time_to_idle {
            builder = builder.time_to_idle(time);
        }
        let leaving = Leaving {
            group: self.group,
            weigher: self.weigher,
            listener: self.listener,
        };
        let cache = builder
            .eviction_listener(move |key, value, cause| leaving.left(&key, &value, cause))
            .build_with_hasher(hasher);
        let shared = Arc::new(Shared {
            cache,
            group: self.group,
            marks_nodes,
        });
        probe(self.group.name(), &shared);
        TrackedCache { shared }
    }

    /// Tells the group what is normal, and that it counts as a cache.
    fn declare(&self) {
        if let Some(max) = self.max.filter(|_| self.weigher.is_none()) {
            let _ = self.group.max_entries(max);
        }
        if let Some(time) = self.time_to_live {
            let _ = self.group.expected_ttl(time);
        }
        if let Some(traffic) = Traffic::of(self.group) {
            for what in [What::Hits, What::Misses, What::Puts, What::EvictionWeight] {
                traffic.declare(what);
            }
        }
    }
}

/// moka panics beyond it.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// What is to be done with entries that leave.
struct Leaving<K, V> {
    group: Group,
    weigher: Option<Weigher<K, V>>,
    listener: Option<Listener<K, V>>,
}

impl<K, V> Leaving<K, V> {
    fn left(&self, key: &Arc<K>, value: &Arc<V>, cause: RemovalCause) {
        self.group.count_evictions(cause.into(), 1);
        // moka would never call a listener again that panicked.
        contained(|| {
            if cause.was_evicted() {
                let weight = self
                    .weigher
                    .as_ref()
                    .map_or(1, |weigher| weigher(key, value));
                self.group.count_eviction_weight(u64::from(weight));
            }
            if let Some(listener) = &self.listener {
                listener(key, value, cause.into());
            }
        });
        // Whatever still uses them uses them as its own.
        if cause != RemovalCause::Replaced {
            self.group.release::<K>(key);
        }
        self.group.release::<V>(value);
        self.group.release::<Arc<V>>(value);
    }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("group", &self.group)
            .field("max", &self.max)
            .field("time_to_live", &self.time_to_live)
            .field("time_to_idle", &self.time_to_idle)
            .finish_non_exhaustive()
    }
}
