//! A bounded cache that publishes what it holds: in place of a map that only
//! grows.

mod builder;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use heaplens_alloc::holder::{Part, Scope, any_live};
use moka::sync::Cache;

use crate::group::Group;
use crate::map_metrics::{CacheMetrics, MapMetrics};
use crate::traffic::{Traffic, What};

pub use builder::CacheBuilder;

/// A cache with a bound, over [`moka::sync::Cache`], that publishes its entries,
/// its traffic and what it evicts and why, and marks the heap samples of what it
/// holds.
///
/// ```
/// use std::time::Duration;
/// use heaplens_maps::TrackedCache;
///
/// let sessions = TrackedCache::builder("sessions")
///     .max_entries(10_000)
///     .time_to_live(Duration::from_secs(3600))
///     .build();
/// sessions.insert(17, "Ada".to_owned());
/// assert_eq!(sessions.get(&17), Some("Ada".to_owned()));
/// ```
///
/// It is what to make of a map that grows without end: entries leave when they
/// are too many, too old or unused. A clone is the same cache, which may be used
/// by any number of threads without a lock of their own; with the last clone it
/// ends.
///
/// Its bounds are declared to its group, so that reports know what is normal.
/// Figures are moka's: `entries` lags behind the writes until moka does its
/// pending work, of which each write does a part.
///
/// # Cost
///
/// moka's, and per `get` one atomic addition in memory that few threads share.
/// Values are kept in an `Arc`, so that evicting one never clones it.
pub struct TrackedCache<K, V, S = RandomState> {
    shared: Arc<Shared<K, V, S>>,
}

/// What all clones share.
struct Shared<K, V, S> {
    cache: Cache<K, Arc<V>, S>,
    group: Group,
    /// Whether moka's own blocks can be marked: not if the program's listener
    /// runs, and allocates, within moka.
    marks_nodes: bool,
}

impl<K, V> TrackedCache<K, V, RandomState>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A cache of the group `name` that holds at most so many entries: those
    /// that are used least leave.
    #[must_use]
    pub fn named(name: &str, max_entries: u64) -> Self {
        Self::builder(name).max_entries(max_entries).build()
    }

    /// A cache of the group `name` with bounds of other kinds.
    pub fn builder(name: &str) -> CacheBuilder<K, V> {
        CacheBuilder::new(Group::named(name))
    }
}

impl<K, V, S> TrackedCache<K, V, S> {
    /// The group that this cache counts for.
    pub fn group(&self) -> Group {
        self.shared.group
    }

    /// Entries, as far as moka knows: see the type.
    pub fn len(&self) -> u64 {
        self.shared.cache.entry_count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weight of all entries, as far as moka knows; their number if there is no
    /// weigher.
    pub fn weight(&self) -> u64 {
        self.shared.cache.weighted_size()
    }

    /// Entries at which it evicts; `None` if it is bounded by weight or not at
    /// all.
    pub fn max_entries(&self) -> Option<u64> {
        MapMetrics::max_entries(&*self.shared)
    }
}

/// Adds to the counters of a group.
fn count(group: Group, what: What) {
    if let Some(traffic) = Traffic::of(group) {
        traffic.count(what, 1);
    }
}

impl<K, V, S> TrackedCache<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Clone + Send + Sync + 'static,
{
    /// The value of a key, cloned. Counts as a hit or a miss, and as a use of
    /// the entry.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.get_shared(key).map(|value| V::clone(&value))
    }

    /// As [`TrackedCache::get`], without a clone.
    pub fn get_shared<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let value = self.shared.cache.get(key);
        self.count(if value.is_some() {
            What::Hits
        } else {
            What::Misses
        });
        value
    }

    /// Whether there is an entry. Neither a hit nor a use.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.cache.contains_key(key)
    }

    /// Puts an entry in, in place of the one that the key had.
    pub fn insert(&self, key: K, value: V) {
        self.group().hold(&key);
        let value = self.share(value);
        self.count(What::Puts);
        let _scope = self.enter(Part::Table);
        self.shared.cache.insert(key, value);
    }

    /// The value of a key; if there is none, what `init` makes, which is put in.
    /// Of several threads that want the same key one calls it, and the others
    /// wait. Every sampled block that `init` allocates and does not free counts
    /// for the cache.
    ///
    /// # Panics
    /// If `init` does.
    pub fn get_with(&self, key: K, init: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        V::clone(&self.get_shared_with(key, init))
    }

    /// As [`TrackedCache::get_with`], without a clone.
    ///
    /// # Panics
    /// If `init` does.
    pub fn get_shared_with(&self, key: K, init: impl FnOnce() -> V) -> Arc<V> {
        let mut made = false;
        self.group().hold(&key);
        let value = self.shared.cache.get_with(key, || {
            made = true;
            self.make(init)
        });
        self.looked_up(made, true);
        value
    }

    /// As [`TrackedCache::get_with`], where `init` may fail.
    ///
    /// # Errors
    /// What `init` failed with; nothing is put in then.
    ///
    /// # Panics
    /// If `init` does.
    pub fn try_get_with<E>(&self, key: K, init: impl FnOnce() -> Result<V, E>) -> Result<V, Arc<E>>
    where
        V: Clone,
        E: Send + Sync + 'static,
    {
        self.try_get_shared_with(key, init)
            .map(|value| V::clone(&value))
    }

    /// As [`TrackedCache::try_get_with`], without a clone.
    ///
    /// # Errors
    /// What `init` failed with; nothing is put in then.
    ///
    /// # Panics
    /// If `init` does.
    pub fn try_get_shared_with<E>(
        &self,
        key: K,
        init: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, Arc<E>>
    where
        E: Send + Sync + 'static,
    {
        let mut made = false;
        self.group().hold(&key);
        let value = self.shared.cache.try_get_with(key, || {
            made = true;
            self.group().scope(init).map(|value| self.share(value))
        });
        self.looked_up(made, value.is_ok());
        value
    }

    /// Removes an entry, if it is there.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.cache.invalidate(key);
    }

    /// Removes an entry and returns its value, if it is there.
    pub fn remove<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.cache.remove(key)
    }

    /// Removes all entries that are in it now. They are freed with moka's pending
    /// work.
    pub fn invalidate_all(&self) {
        self.shared.cache.invalidate_all();
    }

    /// Does moka's pending work now: evicts what is too much or too old, and
    /// brings the figures up to date.
    pub fn run_pending_tasks(&self) {
        self.shared.cache.run_pending_tasks();
    }

    /// The entries, in no order. Not a use of them.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<K>, Arc<V>)> {
        self.shared.cache.iter()
    }

    fn count(&self, what: What) {
        count(self.shared.group, what);
    }

    /// Counts a look-up that may have put something in.
    fn looked_up(&self, made: bool, is_put: bool) {
        self.count(if made { What::Misses } else { What::Hits });
        if made && is_put {
            self.count(What::Puts);
        }
    }

    /// What `init` makes, with all blocks of it marked.
    fn make(&self, init: impl FnOnce() -> V) -> Arc<V> {
        let value = self.group().scope(init);
        self.share(value)
    }

    /// Puts a value behind an `Arc`, and marks its block and those that the
    /// value owns directly.
    fn share(&self, value: V) -> Arc<V> {
        self.group().hold(&value);
        let value = Arc::new(value);
        self.group().hold(&value);
        value
    }

    /// While the guard lives, blocks of this thread count for the cache.
    fn enter(&self, part: Part) -> Option<Scope> {
        let marks = self.shared.marks_nodes && any_live();
        let holder = self.group().state().holder.filter(|_| marks)?;
        Some(holder.enter(part))
    }
}

impl<K, V, S> MapMetrics for Shared<K, V, S> {
    fn entries(&self) -> Option<u64> {
        Some(self.cache.entry_count())
    }

    fn max_entries(&self) -> Option<u64> {
        MapMetrics::max_entries(&self.cache)
    }

    fn expected_ttl(&self) -> Option<Duration> {
        self.cache.policy().time_to_live()
    }

    /// Sizes only: what is counted is counted for the group at once.
    fn cache(&self) -> Option<CacheMetrics> {
        MapMetrics::cache(&self.cache)
    }
}

/// The same cache.
impl<K, V, S> Clone for TrackedCache<K, V, S> {
    fn clone(&self) -> Self {
        TrackedCache {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Without the entries.
impl<K, V, S> fmt::Debug for TrackedCache<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedCache")
            .field("group", &self.shared.group)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
